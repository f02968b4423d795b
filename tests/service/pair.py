"""Two real nodes without authentication: the home of a list, and one that follows it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from hashsvc.model import EntryDraft
from hashsvc.model_sync import FollowState, FollowStatus
from hashsvc_client import Client
from hashsvc_client.admin import AdminClient
from tests.harness import check_invariants, pdq_draft, running_node
from tests.sync.waiting import until

LIST = "acme/known"


class Side:
    """One running node, with clients. It may be stopped and started again at the same address."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "hashsvc.db"
        self.source = f"unix:{folder}.sock"
        self._running: ExitStack | None = None
        self.start()

    def start(self) -> None:
        """Start the node."""
        self._running = ExitStack()
        flags = {"following": {"retry_least_s": 0.05, "retry_most_s": 0.2}}
        enter = self._running.enter_context
        address = enter(running_node(self.folder, listen=self.source, **flags))
        self.client, self.admin = enter(Client(address)), enter(AdminClient(address))

    def stop(self) -> None:
        """Stop it; doing it again changes nothing."""
        if self._running is not None:
            self._running.close()
            self._running = None

    def matches(self, number: int) -> list[str]:
        """Names of the entries that the media of a number matches."""
        return [m.entry for m in self.client.check(pdq_draft(number).fingerprints).matches]

    def add(self, *numbers: int, name: str = LIST, incident: str = "") -> list[str]:
        """Add an entry for each number, in one batch; return their names."""
        drafts = [pdq_draft(number) for number in numbers]
        if incident:
            drafts = [with_incident(number, incident) for number in numbers]
        return [entry.name for entry in self.client.add_entries(name, drafts).entries]

    def status(self, name: str = LIST) -> FollowStatus:
        """How following a list stands."""
        (found,) = [s for s in self.admin.followed() if s.subscription.list_name == name]
        return found

    def check(self, scratch: Path) -> None:
        """Stop the node and hold its tables against its log."""
        self.stop()
        check_invariants(f"sqlite:///{self.database}", scratch)


@contextmanager
def running_side(folder: Path) -> Iterator[Side]:
    """Run one more node; at the end its tables agree with its log."""
    side = Side(folder)
    try:
        yield side
        side.check(folder.parent)
    finally:
        side.stop()


class Pair:
    """The home of `LIST`, and a follower."""

    def __init__(self, folder: Path) -> None:
        self.home = Side(folder / "home")
        self.away = Side(folder / "away")
        self.home.client.create_list(LIST)

    def follow(self, *, key: str = "") -> None:
        """Let the follower follow the list, with a key pinned, or else the one that it is shown."""
        self.away.admin.follow(LIST, self.home.source, key=key)

    def caught_up(self) -> bool:
        """Tell whether the follower has all that the home has."""
        status, size = self.away.status(), self.home.client.get_list(LIST).size
        return status.state is FollowState.LIVE and status.size == size

    def sync(self) -> None:
        """Wait until it has."""
        until(self.caught_up)


def with_incident(number: int, incident: str) -> EntryDraft:
    """An entry of an incident."""
    draft = pdq_draft(number)
    return replace(draft, description=replace(draft.description, incident=incident))


@contextmanager
def running_pair(folder: Path) -> Iterator[Pair]:
    """Run both; at the end their tables agree with their logs."""
    pair = Pair(folder)
    try:
        yield pair
        for side in (pair.home, pair.away):
            side.check(folder)
    finally:
        pair.home.stop()
        pair.away.stop()
