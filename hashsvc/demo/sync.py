"""The demo of following: a list travels from node to node, and a hub that changes it is caught."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from hashsvc.demo import pictures, report, samples, server, sync_report, tampering
from hashsvc.demo.checks import DESCRIPTION
from hashsvc.demo.run import ends_in_order, own_folder
from hashsvc.media import FOR_CHECKS, fingerprint_file
from hashsvc.model import EntryDraft, Match, MediaFingerprints
from hashsvc.model_sync import FollowState, FollowStatus
from hashsvc_client import Client, ClientError
from hashsvc_client.admin import AdminClient

LIST = "acme/known"

_T = TypeVar("_T")

_NODES = ("acme", "hub", "bolt")
_PURPOSE = "Harmless stand-ins for known terrorist media, to show how lists are followed."
_FROM_ACK = " (times at bolt run from the acknowledgement at acme)"
_MISTAKE = "not what we took it for"
_LIMIT_S = 30.0
_POLL_S = 0.005


def run(*, keep: bool) -> bool:
    """Run the demo and say whether all was as expected; `keep` keeps its folder."""
    started = time.perf_counter()
    with ends_in_order(), own_folder(keep=keep) as folder:
        sync_report.print_start(LIST)
        story = sync_report.Story()
        try:
            with ExitStack() as stack:
                _tell(_Town(folder, stack), story)
        except ClientError:
            for name in _NODES:
                tail = f"the log of {name} ends with:\n{server.end_of(_log(folder, name))}"
                report.errors.print(tail, markup=False, soft_wrap=True)
            raise
        is_right = story.end(time.perf_counter() - started)
        if keep:
            kept = f"\nKept in {folder}: the data and the log of each node"
            report.out.print(kept, markup=False, soft_wrap=True)
    return is_right


def _log(folder: Path, name: str) -> Path:
    return folder / f"{name}.log"


@dataclass(frozen=True, slots=True)
class _Node:
    """A running node, and what it is called with."""

    address: str
    client: Client
    admin: AdminClient

    def followed(self) -> FollowStatus:
        """How the list stands, which is the only one that it follows."""
        (status,) = self.admin.followed()
        return status

    def has(self, size: int) -> bool:
        """Tell whether it has applied so many records, and all there are."""
        status = self.followed()
        return status.state is FollowState.LIVE and status.size >= size

    def matches(self, upload: MediaFingerprints) -> tuple[Match, ...]:
        """The matches of an upload."""
        return self.client.check_fingerprints(upload).matches


@dataclass(slots=True)
class _Town:
    """The nodes, and media; all ends with the stack."""

    folder: Path
    stack: ExitStack
    nodes: dict[str, _Node] = field(default_factory=dict)
    _of_hub: ExitStack = field(default_factory=ExitStack)

    def start(self) -> Iterator[_Node]:
        """Start all nodes at once; gives each when it is ready, in order."""
        self.stack.enter_context(self._of_hub)
        ready = {
            name: self._stack_of(name).enter_context(
                server.starting(self.folder / name, _log(self.folder, name))
            )
            for name in _NODES
        }
        for name, wait in ready.items():
            yield self._add(name, wait())

    def stop_hub(self) -> Path:
        """Stop the hub; return its database."""
        self._of_hub.close()
        return self.folder / "hub" / "hashsvc.db"

    def start_hub(self) -> None:
        """Start the hub again where it was."""
        data, log = self.folder / "hub", _log(self.folder, "hub")
        listen = self.nodes["hub"].address
        self._add("hub", self._of_hub.enter_context(server.running(data, log, listen)))

    def _stack_of(self, name: str) -> ExitStack:
        return self._of_hub if name == "hub" else self.stack

    def _add(self, name: str, address: str) -> _Node:
        enter = self._stack_of(name).enter_context
        node = _Node(address, enter(Client(address)), enter(AdminClient(address)))
        self.nodes[name] = node
        return node


def _tell(town: _Town, story: sync_report.Story) -> None:
    story.chapter("Three nodes")
    start = time.perf_counter()
    for name, node in zip(_NODES, town.start(), strict=True):
        story.expect(name, f"is ready on {node.address}", True, time.perf_counter() - start)
    _follow(town, story)
    copy = _recognise(town, story)
    _withdraw(town, story)
    _tamper(town, story, copy)
    story.chapter("How it stands: `hashsvc follow list` at each node")
    story.stand([(name, town.nodes[name].followed()) for name in ("hub", "bolt")])
    report.say(f"An alarm stays until somebody has seen to it: `hashsvc follow accept {LIST}`")


def _follow(town: _Town, story: sync_report.Story) -> None:
    acme, hub, bolt = (town.nodes[name] for name in _NODES)
    story.chapter("The list, and who follows it")
    made, took = _timed(lambda: acme.client.create_list(LIST, purpose=_PURPOSE))
    story.expect("acme", f"makes {LIST}; its records are signed under a key:", True, took)
    story.expect("acme", f"tells that to its partners: {made.key}", bool(made.key))
    for name, node, source, text in (
        ("hub", hub, acme, "follows it at acme under that key, and verifies what comes"),
        ("bolt", bolt, hub, "follows it at the hub under acme's key: it need not trust the hub"),
    ):
        start = time.perf_counter()
        node.admin.follow(LIST, source.address, key=made.key)
        came = _until(partial(node.has, made.size))
        story.expect(name, text, came is not None, time.perf_counter() - start)


def _recognise(town: _Town, story: sync_report.Story) -> MediaFingerprints:
    """Contribute a picture, and check an altered copy; return the copy's fingerprints."""
    story.chapter("A picture that acme knows", _FROM_ACK)
    original = samples.KNOWN / "stream.jpg"
    copy = _copy(original, pictures.COMBINED, town.folder)
    entry = _contribute(town, story, original)
    _expect_match(town, story, copy, entry, f"a copy ({pictures.COMBINED.name})")
    return copy


def _withdraw(town: _Town, story: sync_report.Story) -> None:
    story.chapter("A mistake, taken back", _FROM_ACK)
    original = samples.KNOWN / "wine.jpg"
    copy = _copy(original, pictures.QUARTER, town.folder)
    entry = _contribute(town, story, original)
    _expect_match(town, story, copy, entry, f"a copy ({pictures.QUARTER.name})")
    _, took = _timed(lambda: town.nodes["acme"].client.withdraw_entry(entry, _MISTAKE))
    story.expect("acme", f"withdraws {entry}: {_MISTAKE}", True, took)
    gone = _until(lambda: not town.nodes["bolt"].matches(copy))
    story.expect("bolt", "does not match the copy any more", gone is not None, gone)


def _tamper(town: _Town, story: sync_report.Story, copy: MediaFingerprints) -> None:
    story.chapter("The hub tampers")
    acme, hub, bolt = (town.nodes[name] for name in _NODES)
    pinned = bolt.followed().subscription.key
    bolt.admin.follow(LIST, hub.address, is_paused=True)
    is_paused = bolt.followed().state is FollowState.PAUSED
    story.expect("bolt", "pauses following, as for maintenance", is_paused)
    entry = _contribute(town, story, samples.KNOWN / "fig.jpg")
    size = acme.client.get_list(LIST).size
    came = _until(partial(hub.has, size))
    story.expect("hub", f"takes in {entry}", came is not None, came)
    innocent = samples.UNRELATED / "dogs.jpg"
    fingerprints = fingerprint_file(innocent).fingerprints
    place = int(entry.partition("#")[2])
    tampering.swap_fingerprints(town.stop_hub(), LIST, place, fingerprints)
    _, took = _timed(town.start_hub)
    text = f"stops, puts {innocent.name} in the place of fig.jpg in its database, and starts again"
    story.expect("hub", text, True, took)
    hub = town.nodes["hub"]
    start = time.perf_counter()
    bolt.admin.follow(LIST, hub.address)
    refused = _until(lambda: bool(bolt.followed().alarms))
    status = bolt.followed()
    is_refused = refused is not None and status.state is FollowState.REFUSED
    took = time.perf_counter() - start
    story.expect("bolt", "follows the hub again, and refuses what it sends:", is_refused, took)
    for alarm in status.alarms[:1]:
        story.evidence(alarm)
    upload = fingerprint_file(innocent, recipe=FOR_CHECKS)
    text = f"does not match {innocent.name}, which the hub made up"
    story.expect("bolt", text, not bolt.matches(upload))
    still = [match.entry for match in bolt.matches(copy)]
    story.expect("bolt", f"still matches the copy of {', '.join(still)}", len(still) == 1)
    start = time.perf_counter()
    bolt.admin.follow(LIST, acme.address, key=pinned)
    came = _until(partial(bolt.has, size))
    known = bolt.matches(fingerprint_file(samples.KNOWN / "fig.jpg", recipe=FOR_CHECKS))
    is_right = came is not None and [match.entry for match in known] == [entry]
    text = f"goes round the hub: follows acme itself, and matches {entry}"
    story.expect("bolt", text, is_right, time.perf_counter() - start)


def _contribute(town: _Town, story: sync_report.Story, path: Path) -> str:
    """Let acme contribute a picture; return the entry's name."""
    media = fingerprint_file(path)
    draft = EntryDraft(media.media_type, media.fingerprints, DESCRIPTION)
    answer, took = _timed(lambda: town.nodes["acme"].client.add_entries(LIST, [draft]))
    (entry,) = answer.entries
    text = f"contributes {path.name}: acknowledged as {entry.name}"
    story.expect("acme", text, not entry.already_present, took)
    return entry.name


def _expect_match(
    town: _Town, story: sync_report.Story, upload: MediaFingerprints, entry: str, noun: str
) -> None:
    """Check at bolt until it matches; the time runs from the acknowledgement."""
    bolt = town.nodes["bolt"]
    took = _until(lambda: bool(bolt.matches(upload)), poll_s=0)
    matches = bolt.matches(upload)
    found = ", ".join(f"{m.entry}, {m.algorithm} {m.distance} bits away" for m in matches)
    is_right = [match.entry for match in matches] == [entry]
    text = f"recognises {noun}: {found}" if matches else f"does not recognise {noun}"
    story.expect("bolt", text, is_right, took)


def _copy(original: Path, alteration: pictures.Alteration, folder: Path) -> MediaFingerprints:
    return fingerprint_file(alteration.write(original, folder), recipe=FOR_CHECKS)


def _until(is_so: Callable[[], bool], poll_s: float = _POLL_S) -> float | None:
    """Return the seconds until something is so; None if it does not become so in time."""
    start = time.perf_counter()
    while not is_so():
        if time.perf_counter() - start > _LIMIT_S:
            return None
        time.sleep(poll_s)
    return time.perf_counter() - start


def _timed(act: Callable[[], _T]) -> tuple[_T, float]:
    start = time.perf_counter()
    found = act()
    return found, time.perf_counter() - start
