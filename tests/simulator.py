"""Partners without a network: real stores, ledgers and logs, and what travels between them by hand.

`Member` is what a node is made of, but for gRPC. `Link` carries the log of a list from one to
another as a stream would, and can be cut, repeated or falsified at any message.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from hashsvc.config import Limits
from hashsvc.lists.feed import Feed, Reader
from hashsvc.lists.indexer import Indexer
from hashsvc.lists.ledger import Ledger
from hashsvc.lists.logs import ListKeys, SignedLogs
from hashsvc.lists.readers import Readers
from hashsvc.lists.replica import Replica
from hashsvc.model import Change, Entry, ListKind
from hashsvc.model_sync import FollowMessage, Selection, Subscription
from hashsvc.store import records
from hashsvc.store.store import Store
from hashsvc.sync.stream import LogStream
from tests.harness import NOW, check_invariants

Falsify = Callable[[FollowMessage], Iterable[FollowMessage]]


class Member:
    """A partner's node, but for gRPC, on a folder; opened anew by `reopen`, as after a crash."""

    def __init__(self, name: str, folder: Path, url: str = "") -> None:
        self.name = name
        self.folder = folder / name
        self.folder.mkdir()
        self.url = url or f"sqlite:///{self.folder / 'hashsvc.db'}"
        self._requests = 0
        self._open()

    def _open(self) -> None:
        self.store = Store(self.url)
        self.logs = SignedLogs(ListKeys(self.folder / "keys"))
        self.indexer = Indexer(self.store, self.folder / "index", min_pdq_quality=50)
        self.indexer.follow()
        self.ledger = Ledger(
            self.store,
            limits=Limits(),
            min_pdq_quality=50,
            logs=self.logs,
            readers=Readers(self.store.all_lists()),
            follow=self.indexer.follow,
            now=lambda: NOW,
        )
        self.feed = Feed(self.store, self.logs)

    def reopen(self) -> None:
        """Drop everything that is in memory, and start from what is on the disk."""
        self.close()
        self._open()

    def close(self) -> None:
        """Close the store and the index."""
        self.indexer.close()
        self.store.close()

    def request(self) -> str:
        """A request id of its own."""
        self._requests += 1
        return f"{self.name} {self._requests}"

    def create(self, list_name: str, kind: ListKind = ListKind.KNOWN) -> None:
        """Create a list that is kept here."""
        self.ledger.create_list(list_name, kind, "for tests", request_id=self.request())

    def append(self, list_name: str, change: Change) -> None:
        """Append a record to a list that is kept here."""

        def apply(tx: object) -> None:
            hash_list = self.store.get_list(list_name)
            assert hash_list is not None
            self.logs.append(tx, hash_list, [(change, records.encode(change))], NOW)  # type: ignore[arg-type]

        self.ledger.take_in(list_name, apply)

    def entries(self, list_name: str) -> list[Entry]:
        """All entries of a list, withdrawn ones too, with their fingerprints."""
        return self.store.get_entries(
            list_name, after=0, limit=10_000, with_withdrawn=True, with_fingerprints=True
        )

    def subscribe(self, list_name: str, key: str, selection: Selection | None = None) -> None:
        """Follow a list under a pinned key."""
        one = Subscription(list_name, "", key, selection or Selection(), NOW)
        self.store.subscriptions.save(one)

    def replica(self, list_name: str) -> Replica:
        """Its copy of a list that it follows, opened from the disk."""
        one = self.store.subscriptions.get(list_name)
        assert one is not None
        return Replica(self.store, self.ledger, list_name, one.key)

    def check(self, scratch: Path) -> None:
        """Assert that tables, trees and index are what the records say."""
        check_invariants(self.url, scratch)


class Link:
    """Carries a list's log from `source` to `target`, which follows it there.

    `falsify` gives, for each message, what arrives in its place.
    """

    def __init__(
        self,
        source: Member,
        target: Member,
        list_name: str,
        falsify: Falsify = lambda message: (message,),
    ) -> None:
        self._source = source
        self._target = target
        self._list = list_name
        self._falsify = falsify

    def messages(self, size: int) -> Iterator[FollowMessage]:
        """What the source gives from a size on, until there is no more for now."""
        one = self._target.store.subscriptions.get(self._list)
        assert one is not None
        stream = LogStream(self._source.feed, self._list, size)
        reader = Reader(self._target.name, lambda _: True, one.selection)
        yield stream.start()
        while some := stream.more(reader):
            yield from some

    def carry(self, most: int | None = None) -> None:
        """Carry what there is, or no more than so many messages: then the stream is cut."""
        replica = self._target.replica(self._list)
        for number, message in enumerate(self.messages(replica.size)):
            if number == most:
                return
            for arrived in self._falsify(message):
                replica.receive(arrived)
