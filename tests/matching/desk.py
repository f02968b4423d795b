"""A matcher with lists to fill, and the fingerprints that are put into them."""

from collections.abc import Sequence
from pathlib import Path

from hashsvc.config import Limits, Matching, Policy
from hashsvc.lists.indexer import Indexer
from hashsvc.lists.ledger import Ledger
from hashsvc.lists.logs import ListKeys, SignedLogs
from hashsvc.lists.readers import Readers
from hashsvc.matching.matcher import Matcher
from hashsvc.matching.query import Query
from hashsvc.model import (
    Algorithm,
    EntryDraft,
    Fingerprint,
    ListKind,
    LocalFeatures,
    MediaType,
    Verdict,
)
from hashsvc.store.store import Store
from tests.harness import NOW, PROPAGANDA, pdq_draft

PDQ = bytes.fromhex("0c301eb1b9606a686987ff696b870c719964af60f769e04efe6df387483a0cb1")
PHASH = bytes.fromhex("c4c62e705bb94b17")
SHA256 = bytes(range(32))


class Desk:
    """A matcher with a ledger to fill its lists."""

    def __init__(
        self,
        folder: Path,
        policy: Policy | None = None,
        matching: Matching | None = None,
        max_matches: int = 3,
    ) -> None:
        self.store = Store(f"sqlite:///{folder / 'desk.db'}")
        self.indexer = Indexer(self.store, folder / "index", min_pdq_quality=50)
        self.now = NOW
        self.ledger = Ledger(
            self.store,
            limits=Limits(),
            min_pdq_quality=50,
            logs=SignedLogs(ListKeys(folder / "keys")),
            readers=Readers(),
            follow=self.indexer.follow,
            now=lambda: self.now,
        )
        self.matcher = Matcher(
            self.store,
            self.indexer,
            matching=matching or Matching(),
            policy=policy or Policy(),
            limits=Limits(max_matches=max_matches),
            now=lambda: self.now,
        )
        self._requests = 0

    def add(self, list_name: str, *drafts: EntryDraft) -> list[str]:
        """Add entries to a list, made if it is new; lists of partner `press` hold exemptions."""
        self._requests += 1
        if self.store.get_list(list_name) is None:
            kind = ListKind.EXEMPTION if list_name.startswith("press/") else ListKind.KNOWN
            self.ledger.create_list(list_name, kind, "", request_id=f"list {list_name}")
        added, _ = self.ledger.add_entries(
            list_name, drafts, request_id=f"request {self._requests}"
        )
        return [entry.name for entry in added]

    def check(self, *fingerprints: Fingerprint, media_type: MediaType = MediaType.IMAGE) -> Verdict:
        """Check one upload."""
        return self.matcher.check([Query(media_type, fingerprints)])[0]


class LocalDesk(Desk):
    """A desk whose lists take local features; `reads` are the entries that were read."""

    def __init__(
        self,
        folder: Path,
        when: LocalFeatures = LocalFeatures.AFTER,
        policy: Policy | None = None,
        max_matches: int = 3,
    ) -> None:
        super().__init__(folder, policy, Matching(local_features=when), max_matches)
        self.reads: list[int] = []
        read = self.store.known_features

        def counted(entry_id: int) -> list[Fingerprint]:
            self.reads.append(entry_id)
            return read(entry_id)

        self.store.known_features = counted  # type: ignore[method-assign]

    def add_local(
        self,
        list_name: str,
        *fingerprints: Fingerprint,
        media_type: MediaType = MediaType.IMAGE,
    ) -> str:
        """Add an entry; return its name."""
        if self.store.get_list(list_name) is None:
            kind = ListKind.EXEMPTION if list_name.startswith("press/") else ListKind.KNOWN
            self.ledger.create_list(
                list_name, kind, "", request_id=f"list {list_name}", local_features=True
            )
        (name,) = self.add(list_name, EntryDraft(media_type, fingerprints, PROPAGANDA))
        return name


def pdq(value: bytes, quality: int | None = 100, time_ms: int | None = None) -> Fingerprint:
    """Return a PDQ fingerprint."""
    return Fingerprint(Algorithm.PDQ, value, quality=quality, time_ms=time_ms)


def clip(values: Sequence[bytes]) -> tuple[Fingerprint, ...]:
    """Return one frame a second."""
    return tuple(pdq(value, time_ms=1000 * i) for i, value in enumerate(values))


def video(values: Sequence[bytes]) -> EntryDraft:
    """Return a known video of these frames."""
    return EntryDraft(MediaType.VIDEO, clip(values), PROPAGANDA)


def frames(count: int, first: int = 0) -> list[bytes]:
    """Return frames that are far from one another."""
    return [pdq_draft(first + i).fingerprints[0].value for i in range(count)]
