"""Bundles that were changed on the way: refused, or the store is what the signed log says."""

import asyncio
import io
import itertools
import random
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hashsvc import translate_sync
from hashsvc.config import Following, Limits
from hashsvc.errors import BundleError, LogRefused
from hashsvc.lists.feed import Feed, Reader
from hashsvc.lists.ledger import Ledger
from hashsvc.lists.logs import ListKeys, SignedLogs
from hashsvc.lists.readers import Readers
from hashsvc.model import ListKind
from hashsvc.model_sync import FollowMessage, Imported, Leaves, Rotated, Signed, Started
from hashsvc.store.store import Store
from hashsvc.sync import bundle
from hashsvc.sync.followers import Followers
from tests.harness import PROPAGANDA, check_invariants, pdq_draft

LIST = "acme/known"
HEADER = bundle.Header(LIST, 0)
OPEN = replace(PROPAGANDA, incident="2026-11 town", note="n")
_numbers = itertools.count()
AT = datetime(2026, 11, 22, tzinfo=UTC)


class Copy:
    """A store with what takes bundles in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.url = f"sqlite:///{folder / 'hashsvc.db'}"
        self.store = Store(self.url)
        self.logs = SignedLogs(ListKeys(folder / "keys"))
        self.ledger = Ledger(
            self.store,
            limits=Limits(),
            min_pdq_quality=50,
            logs=self.logs,
            readers=Readers([]),
            follow=lambda: None,
        )

    def take(self, messages: Sequence[FollowMessage], key: str) -> Imported:
        """Import a bundle."""

        async def write(work: Any, *arguments: Any) -> Any:
            return work(*arguments)

        async def each() -> AsyncIterator[FollowMessage]:
            for message in messages:
                yield message

        async def run() -> Imported:
            followers = Followers(
                self.store,
                self.ledger,
                self.logs,
                lambda _: pytest.fail("there is no link"),
                following=Following(),
                write=write,
                now=lambda: AT,
            )
            return await followers.receive(LIST, each(), key=key)

        return asyncio.run(run())

    @property
    def size(self) -> int:
        """Records that are held."""
        hash_list = self.store.get_list(LIST)
        return 0 if hash_list is None else hash_list.size


@dataclass(repr=False)
class Made:
    """A list's home, and the frames of a bundle of it whole."""

    home: Copy
    key: str
    frames: list[bytes]
    bodies: list[bytes]
    empty: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """A list with entries, amendments, a withdrawal and another key, in four batches."""
    folder = tmp_path_factory.mktemp("bundles")
    home = Copy(folder / "home")
    home.ledger.create_list(LIST, ListKind.KNOWN, "", request_id="c")
    notes: list[FollowMessage] = []
    feed, reader, start = Feed(home.store, home.logs), Reader(None, lambda _: True), 0

    def closed() -> None:
        nonlocal start
        end = home.size
        leaves, _ = feed.leaves(LIST, start, end, reader)
        notes.extend((Leaves(start, tuple(leaves)), Signed(feed.checkpoint(LIST), end)))
        start = end

    def add(*numbers: int) -> None:
        drafts = [pdq_draft(number, OPEN) for number in numbers]
        home.ledger.add_entries(LIST, drafts, request_id=f"add {numbers}")

    add(1, 2, 3)
    closed()
    home.ledger.amend_entry(f"{LIST}#2", replace(OPEN, note="m"), ["note"], request_id="amend")
    add(4)
    closed()
    home.ledger.rotate_key(LIST, request_id="rotate")
    home.ledger.withdraw_entry(f"{LIST}#1", "mistake", request_id="withdraw")
    closed()
    add(5, 6)
    closed()
    urgent = feed.urgent(LIST, 4, set(), 3, reader)
    messages = [feed.started(LIST), *notes[:2], *urgent, *notes[2:]]
    frames = [translate_sync.message_to_bytes(message) for message in messages]
    bodies = [one.body for one in home.store.logs.list_records(LIST, 0, 100)]
    empty = Copy(folder / "empty")
    empty.store.close()
    hash_list = home.store.get_list(LIST)
    assert hash_list is not None
    yield Made(home, hash_list.key, frames, bodies, folder / "empty")
    home.store.close()


@pytest.fixture
def copies(made: Made, tmp_path: Path) -> Iterator[Any]:
    """Makes copies of a node that has nothing."""
    opened: list[Copy] = []

    def fresh() -> Copy:
        folder = tmp_path / f"copy{next(_numbers)}"
        shutil.copytree(made.empty, folder)
        opened.append(Copy(folder))
        return opened[-1]

    yield fresh
    for one in opened:
        one.store.close()


def read(frames: Sequence[bytes]) -> list[FollowMessage]:
    """The messages of a file of these frames; raises as the reader does."""
    data = b"".join(len(frame).to_bytes(4) + frame for frame in frames) + bytes(4)
    return list(bundle.read_messages(io.BytesIO(data)))


def check_is_of_the_log(copy: Copy, made: Made) -> None:
    """Assert that what is held is what the list's owner signed, and that the tables agree."""
    for one in copy.store.logs.list_records(LIST, 0, 100):
        assert one.body == made.bodies[one.place]
    check_invariants(copy.url, copy.folder)


def test_a_bundle_is_taken_whole(made: Made, copies: Any) -> None:
    """Twice: the second time nothing is new."""
    copy = copies()
    messages = read(made.frames)
    assert {type(message).__name__ for message in messages} >= {"Ahead", "Signed", "Leaves"}
    assert copy.take(messages, made.key).added == len(made.bodies)
    again = copy.take(messages, made.key)
    assert (again.added, again.bundle_size) == (0, len(made.bodies))
    check_is_of_the_log(copy, made)


def test_a_bundle_from_before_a_rotation_is_older(made: Made, copies: Any) -> None:
    """Though its keys end before the one that is pinned; and a fork of that age is refused."""
    copy = copies()
    messages = read(made.frames)
    started = messages[0]
    assert isinstance(started, Started)
    copy.take(messages, made.key)
    old_note = next(message.note for message in messages if isinstance(message, Signed))
    old = [replace(started, head=old_note, rotations=()), *messages[1:3]]
    assert copy.take(old, "").added == 0
    assert copy.take(old, started.first_key).bundle_size == 4
    forked = Copy(copy.folder / "forked")
    shutil.copytree(made.home.folder / "keys", forked.folder / "keys")
    forked.ledger.create_list(LIST, ListKind.KNOWN, "other", request_id="c")
    fork = Feed(forked.store, forked.logs).started(LIST)
    with pytest.raises(LogRefused, match="first 1 records are not those that are held"):
        copy.take([fork], "")
    forked.store.close()


def test_what_is_held_is_held_against_a_bundle(made: Made, copies: Any) -> None:
    """A record that was changed is found though it would be passed over; so is a checkpoint."""
    copy = copies()
    messages = read(made.frames)
    copy.take(messages, made.key)
    for at, message in enumerate(messages):
        changed: FollowMessage
        if isinstance(message, Leaves):
            first, *rest = message.leaves
            salt = bytes([first.salt[0] ^ 1]) + first.salt[1:]
            changed = replace(message, leaves=(replace(first, salt=salt), *rest))
        elif isinstance(message, Signed):
            size = message.note.split(b"\n")[1]
            smaller = message.note.replace(b"\n%b\n" % size, b"\n%d\n" % (int(size) - 1), 1)
            changed = replace(message, note=smaller)
        else:
            continue
        with pytest.raises(LogRefused):
            copy.take([*messages[:at], changed, *messages[at + 1 :]], "")
    check_is_of_the_log(copy, made)


flips = st.tuples(st.just("flip"), st.integers(0, 10_000), st.integers(0, 7))
moves = st.tuples(st.sampled_from(["swap", "double"]), st.integers(0, 30), st.integers(0, 30))
cuts = st.tuples(st.just("drop"), st.integers(0, 30), st.integers(1, 3))
trims = st.tuples(st.just("trim"), st.integers(0, 30), st.integers(1, 500))


def mutated(frames: Sequence[bytes], change: tuple[str, int, int]) -> list[bytes]:
    """Frames of which one thing was changed."""
    made, (kind, one, other) = list(frames), change
    at = one % len(made)
    if kind == "flip":
        # Any bit of the file alike.
        lengths = [len(frame) for frame in made]
        at = random.Random(one).choices(range(len(made)), lengths)[0]
        data = bytearray(made[at])
        data[one * 7919 % len(data)] ^= 1 << other
        made[at] = bytes(data)
    elif kind == "swap":
        to = other % len(made)
        made[at], made[to] = made[to], made[at]
    elif kind == "double":
        made.insert(other % (len(made) + 1), made[at])
    elif kind == "drop":
        del made[at : at + other]
    else:
        made[at] = made[at][:-other]
    return [frame for frame in made if frame]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    changes=st.lists(flips | moves | cuts | trims, min_size=1, max_size=3), held=st.integers(0, 2)
)
def test_what_was_changed_is_refused_or_harmless(
    changes: list[tuple[str, int, int]], held: int, made: Made, copies: Any
) -> None:
    """Whatever is held before: never a crash, and never anything that the owner did not sign."""
    copy = copies()
    if held:
        before = read(made.frames[: 1 + 2 * held])
        with pytest.raises(LogRefused, match="was cut"):
            copy.take(before, made.key)
    size, frames = copy.size, made.frames
    for change in changes:
        frames = mutated(frames, change) or frames
    try:
        messages = read(frames)
        found = copy.take(messages, made.key)
    except BundleError:
        assert copy.size == size
    except LogRefused as error:
        assert copy.size >= size
        reasons = [alarm.reason for alarm in copy.store.subscriptions.alarms(LIST)]
        assert reasons[:1] == [str(error)]  # noqa: PT017 (it need not be raised)
    else:
        assert copy.size == size + found.added
    check_is_of_the_log(copy, made)


def test_rotated_twice_is_refused(made: Made, copies: Any) -> None:
    """A stream cannot hand a key over again."""
    messages = read(made.frames)
    started = messages[0]
    assert isinstance(started, Started)
    with pytest.raises(LogRefused, match="keys are not sound"):
        copies().take([started, Rotated(started.rotations[0])], made.key)
