"""What a follower takes and what it refuses, on real stores, message by message."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from hashsvc.errors import LogBehind, LogRefused
from hashsvc.lists import feed as feeds
from hashsvc.lists.keychain import Rotation
from hashsvc.lists.logs import ListKeys, SignedLogs, origin
from hashsvc.model import (
    Algorithm,
    Basis,
    ContributorDistrusted,
    Description,
    EntryAdded,
    EntryErased,
    ListKind,
    OpinionGiven,
    OpinionKind,
    TrustRestored,
)
from hashsvc.model_sync import Ahead, FollowMessage, Leaf, Leaves, Selection, Signed, Started
from hashsvc.store import records, schema
from tests.harness import NOW, PROPAGANDA, check_checkpoint, pdq_draft
from tests.lists.conftest import store_url
from tests.simulator import Link, Member

__all__ = ["store_url"]

LIST = "acme/known"
INCIDENT = replace(PROPAGANDA, incident="harbour")


@pytest.fixture
def acme(tmp_path: Path) -> Iterator[Member]:
    """The owner of a list."""
    made = Member("acme", tmp_path)
    made.create(LIST)
    yield made
    made.close()
    made.check(tmp_path)


@pytest.fixture
def bolt(acme: Member, tmp_path: Path) -> Iterator[Member]:
    """A partner that follows it."""
    made = Member("bolt", tmp_path)
    made.subscribe(LIST, key_of(acme))
    yield made
    made.close()
    made.check(tmp_path)


def key_of(member: Member, list_name: str = LIST) -> str:
    """The key of a list."""
    hash_list = member.store.get_list(list_name)
    assert hash_list is not None
    return hash_list.key


def add(member: Member, *numbers: int, description: Description = PROPAGANDA) -> list[str]:
    """Add entries in one batch; return their names."""
    drafts = [pdq_draft(number, description) for number in numbers]
    added, _ = member.ledger.add_entries(LIST, drafts, request_id=member.request())
    return [entry.name for entry in added]


def matches(member: Member, number: int) -> bool:
    """Tell whether what `add` adds is found in the index."""
    value = pdq_draft(number).fingerprints[0].value
    return len(member.indexer.search(Algorithm.PDQ, [value], 0)) > 0


def test_a_copy_is_the_list(acme: Member, bolt: Member) -> None:
    """With its names, changes, checkpoints and what it says of itself."""
    add(acme, *range(300))
    acme.ledger.withdraw_entry(f"{LIST}#7", "mistake", request_id="w")
    note = replace(PROPAGANDA, note="seen twice")
    acme.ledger.amend_entry(f"{LIST}#8", note, ["note"], request_id="a")
    Link(acme, bolt, LIST).carry()
    assert bolt.entries(LIST) == acme.entries(LIST)
    assert bolt.store.get_list(LIST) == acme.store.get_list(LIST)
    assert bolt.store.logs.checkpoint(LIST) == acme.store.logs.checkpoint(LIST)
    assert matches(bolt, 5)
    assert not matches(bolt, 6)
    acme.ledger.update_list(LIST, {"readers": ["bolt"]}, request_id="u")
    Link(acme, bolt, LIST).carry()
    assert bolt.store.get_list(LIST) == acme.store.get_list(LIST)
    check_checkpoint(bolt.store, LIST)


def test_who_follows_can_be_followed(acme: Member, bolt: Member, tmp_path: Path) -> None:
    """The owner's signature is what counts, not who passes it on."""
    add(acme, 1, 2)
    Link(acme, bolt, LIST).carry()
    eve = Member("eve", tmp_path)
    eve.subscribe(LIST, key_of(acme))
    Link(bolt, eve, LIST).carry()
    assert eve.entries(LIST) == acme.entries(LIST)
    eve.close()


def test_a_cut_stream_goes_on_where_it_was(acme: Member, bolt: Member, tmp_path: Path) -> None:
    """At any message, with any number of restarts; nothing is applied twice."""
    for number in range(0, 40, 4):
        add(acme, *range(number, number + 4))
    for most in range(2, 60):
        Link(acme, bolt, LIST).carry(most % 7)
        bolt.reopen()
    assert bolt.entries(LIST) == acme.entries(LIST)
    bolt.check(tmp_path)


def fork(acme: Member, tmp_path: Path, *numbers: int) -> Member:
    """A second acme with the same keys and another history."""
    other = Member("acme2", tmp_path)
    other.logs = SignedLogs(ListKeys(acme.folder / "keys"))
    other.ledger._logs = other.feed._logs = other.logs
    other.create(LIST)
    add(other, *numbers)
    return other


def test_a_fork_is_refused_whole(acme: Member, bolt: Member, tmp_path: Path) -> None:
    """Longer, as long or shorter: what was good stays, and both checkpoints are at hand."""
    add(acme, 1, 2)
    Link(acme, bolt, LIST).carry()
    before = bolt.entries(LIST)
    for numbers in ((3,), (3, 4), (3, 4, 5, 6)):
        other = fork(acme, tmp_path, *numbers)
        with pytest.raises(LogRefused) as caught:
            Link(other, bolt, LIST).carry()
        assert caught.value.offered == other.store.logs.checkpoint(LIST)
        assert bolt.entries(LIST) == before
        other.close()
        (other.folder / "hashsvc.db").unlink()
        other.folder.joinpath("index").mkdir(exist_ok=True)
        for path in sorted(other.folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        other.folder.rmdir()
    add(acme, 9)
    Link(acme, bolt, LIST).carry()
    assert bolt.entries(LIST) == acme.entries(LIST)


def test_a_log_that_shrank_is_refused_at_its_home_alone(acme: Member, bolt: Member) -> None:
    """One who passes it on may be behind; the list's own home may not."""
    add(acme, 1)
    old = list(Link(acme, bolt, LIST).messages(0))
    add(acme, 2)
    Link(acme, bolt, LIST).carry()
    started = old[0]
    assert isinstance(started, Started)
    assert started.is_home
    with pytest.raises(LogRefused, match="shrank from 3 records to 2"):
        bolt.replica(LIST).receive(started)
    with pytest.raises(LogBehind):
        bolt.replica(LIST).receive(replace(started, is_home=False))


def test_another_key_is_refused(acme: Member, bolt: Member, tmp_path: Path) -> None:
    """At first sight, and for a list that is held already."""
    other = Member("mallory", tmp_path)
    other.create(LIST)
    add(other, 1)
    with pytest.raises(LogRefused, match="not the pinned one"):
        Link(other, bolt, LIST).carry()
    assert bolt.store.get_list(LIST) is None
    Link(acme, bolt, LIST).carry()
    bolt.subscribe(LIST, key_of(other))
    with pytest.raises(LogRefused, match="not those of what is held"):
        Link(other, bolt, LIST).carry()
    bolt.subscribe(LIST, key_of(acme))
    other.close()


def _flip(data: bytes) -> bytes:
    return data[:-2] + bytes([data[-2] ^ 1]) + data[-1:]


def _of_body(leaves: tuple[Leaf, ...]) -> tuple[Leaf, ...]:
    return (*leaves[:-1], replace(leaves[-1], body=leaves[-1].body.replace(b"propa", b"porpa")))


FALSE = {
    "a record": lambda m: (replace(m, leaves=_of_body(m.leaves)) if isinstance(m, Leaves) else m,),
    "a salt": lambda m: (
        replace(m, leaves=(replace(m.leaves[0], salt=bytes(16)), *m.leaves[1:]))
        if isinstance(m, Leaves)
        else m,
    ),
    "a record left out": lambda m: (
        replace(m, leaves=m.leaves[:-1]) if isinstance(m, Leaves) else m,
    ),
    "a record twice": lambda m: (
        replace(m, leaves=(*m.leaves, m.leaves[-1])) if isinstance(m, Leaves) else m,
    ),
    "records in another order": lambda m: (
        replace(m, leaves=m.leaves[::-1]) if isinstance(m, Leaves) else m,
    ),
    "a leaf of nothing": lambda m: (
        replace(m, leaves=(*m.leaves[:-1], Leaf())) if isinstance(m, Leaves) else m,
    ),
    "places again": lambda m: (m, m) if isinstance(m, Leaves) else (m,),
    "a checkpoint": lambda m: (replace(m, note=_flip(m.note)) if isinstance(m, Signed) else m,),
    "a checkpoint alone": lambda m: () if isinstance(m, Leaves) else (m,),
    "no checkpoint's note": lambda m: (replace(m, note=b"?") if isinstance(m, Signed) else m,),
    "no start": lambda m: () if isinstance(m, Started) else (m,),
    "a key that is none": lambda m: (
        replace(m, first_key="x+y+z") if isinstance(m, Started) else m,
    ),
    "a rotation that is none": lambda m: (
        replace(m, rotations=("hashsvc key rotation\n",)) if isinstance(m, Started) else m,
    ),
}


@pytest.mark.parametrize("what", FALSE)
def test_what_was_falsified_is_refused_whole(what: str, acme: Member, bolt: Member) -> None:
    """Nothing of the batch is applied, and the true log is taken afterwards."""
    add(acme, 1, 2)
    Link(acme, bolt, LIST).carry()
    before = bolt.entries(LIST)
    add(acme, 3, 4, 5)
    with pytest.raises(LogRefused):
        Link(acme, bolt, LIST, FALSE[what]).carry()
    bolt.reopen()
    assert bolt.entries(LIST) == before
    Link(acme, bolt, LIST).carry()
    assert bolt.entries(LIST) == acme.entries(LIST)


def test_a_withheld_place_hides_nothing_else(acme: Member, bolt: Member) -> None:
    """A sender may keep back what it likes, but not put anything in its place."""

    def withhold(message: FollowMessage) -> tuple[FollowMessage]:
        if not isinstance(message, Leaves):
            return (message,)
        hashes = [
            Leaf(hash=acme.store.logs.read_tile(LIST, 0, 0)[32 * p : 32 * p + 32])  # type: ignore[index]
            for p in range(message.first, message.first + len(message.leaves))
        ]
        kept = (message.leaves[0], *hashes[1:]) if message.first == 0 else tuple(hashes)
        return (replace(message, leaves=kept),)

    add(acme, 1, 2)
    Link(acme, bolt, LIST, withhold).carry()
    assert bolt.entries(LIST) == []
    assert bolt.store.logs.checkpoint(LIST) == acme.store.logs.checkpoint(LIST)
    check_checkpoint(bolt.store, LIST)


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log is sent three records at a time."""
    monkeypatch.setattr(feeds, "REACH", 3)
    monkeypatch.setattr("hashsvc.store.transaction.CHECKPOINT_STEP", 1)


@pytest.mark.usefixtures("small_steps")
def test_an_incident_goes_ahead(acme: Member, bolt: Member, tmp_path: Path) -> None:
    """Its entry, and what is said of it, before the bulk; also from one who passes it on."""
    for number in range(30):
        add(acme, number)
    (name,) = add(acme, 100, description=INCIDENT)
    for number in range(30, 40):
        add(acme, number)
    # The start, the first batch, then what is urgent.
    Link(acme, bolt, LIST).carry(5)
    hash_list = bolt.store.get_list(LIST)
    assert hash_list is not None
    assert hash_list.size < 10
    assert matches(bolt, 100)
    assert not matches(bolt, 29)
    assert bolt.store.logs.count_ahead(LIST) == 1
    bolt.check(tmp_path)

    eve = Member("eve", tmp_path)
    eve.subscribe(LIST, key_of(acme))
    Link(bolt, eve, LIST).carry()
    assert matches(eve, 100)
    assert not matches(eve, 29)

    acme.ledger.withdraw_entry(name, "mistake", request_id="w")
    Link(acme, bolt, LIST).carry(3)
    assert not matches(bolt, 100)
    Link(bolt, eve, LIST).carry()
    assert not matches(eve, 100)
    for member, source in ((bolt, acme), (eve, bolt)):
        Link(source, member, LIST).carry()
        assert member.entries(LIST) == acme.entries(LIST)
        assert member.store.logs.count_ahead(LIST) == 0
        assert member.store.logs.promises(LIST) == []
    eve.close()
    eve.check(tmp_path)


@pytest.mark.usefixtures("small_steps")
def test_either_database_holds_a_copy(acme: Member, store_url: str, tmp_path: Path) -> None:
    """With all kinds of records, what came ahead, and one who follows a part of it."""
    for number in range(12):
        add(acme, number)
    add(acme, 100, description=INCIDENT)
    made = Member("copy", tmp_path, store_url)
    made.subscribe(LIST, key_of(acme))
    Link(acme, made, LIST).carry(5)
    assert matches(made, 100)
    assert made.store.logs.count_ahead(LIST) == 1
    acme.ledger.withdraw_entry(f"{LIST}#2", "mistake", request_id="w")
    note = replace(INCIDENT, note="seen twice")
    acme.ledger.amend_entry(f"{LIST}#13", note, ["note"], request_id="a")
    acme.append(LIST, ContributorDistrusted("zed", 3, "taken over", NOW))
    acme.append(LIST, TrustRestored(16, "was well", NOW))
    acme.append(LIST, EntryErased(3, "a court says so", NOW))
    acme.ledger.rotate_key(LIST, request_id="r")
    made.reopen()
    Link(acme, made, LIST).carry()
    # What was erased before it came is not there at all.
    assert made.entries(LIST) == [entry for entry in acme.entries(LIST) if entry.fingerprints]
    assert made.store.get_list(LIST) == acme.store.get_list(LIST)
    eve = Member("eve", tmp_path)
    eve.subscribe(LIST, key_of(acme), Selection(incidents=("harbour",)))
    Link(made, eve, LIST).carry()
    assert [entry.name for entry in eve.entries(LIST)] == [f"{LIST}#13"]
    for member in (made, eve):
        member.close()
        member.check(tmp_path)


@pytest.mark.usefixtures("small_steps")
def test_a_record_ahead_must_be_proven(acme: Member, bolt: Member) -> None:
    """Its bytes, its place, its proof and the checkpoint; nothing of it is applied."""
    for number in range(12):
        add(acme, number)
    add(acme, 100, description=INCIDENT)
    false = {
        "body": lambda m: replace(m, body=m.body.replace(b"harbour", b"harbor!")),
        "salt": lambda m: replace(m, salt=bytes(16)),
        "short salt": lambda m: replace(m, salt=m.salt[:8]),
        "place": lambda m: replace(m, place=m.place - 1),
        "proof": lambda m: replace(m, proof=m.proof[:-1]),
        "note": lambda m: replace(m, note=_flip(m.note)),
    }
    for what, change in false.items():

        def falsify(message: FollowMessage, change: object = change) -> tuple[FollowMessage]:
            return (change(message) if isinstance(message, Ahead) else message,)  # type: ignore[operator]

        with pytest.raises(LogRefused):
            Link(acme, bolt, LIST, falsify).carry()
        assert not matches(bolt, 100), what
    Link(acme, bolt, LIST).carry()
    assert matches(bolt, 100)


@pytest.mark.usefixtures("small_steps")
def test_what_came_ahead_is_held_against_the_log(
    acme: Member, bolt: Member, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that its owner signed, and left out of the log, is found when its turn comes."""
    for number in range(10):
        add(acme, number)
    other = Member("acme2", tmp_path)
    # As an owner with two histories: the same log so far, then another record at one place.
    Link(acme, bolt, LIST).carry(3)
    other.subscribe(LIST, key_of(acme))
    Link(acme, other, LIST).carry()
    other.logs = SignedLogs(ListKeys(acme.folder / "keys"))
    other.ledger._logs = other.feed._logs = other.logs
    other.store.subscriptions.remove(LIST)
    add(other, 200, description=INCIDENT)
    ahead = [m for m in Link(other, bolt, LIST).messages(4) if isinstance(m, Ahead)]
    start = next(iter(Link(acme, bolt, LIST).messages(4)))
    replica = bolt.replica(LIST)
    replica.receive(start)
    replica.receive(ahead[0])
    assert matches(bolt, 200)
    add(acme, 10)
    with pytest.raises(LogRefused, match="two checkpoints of one size differ") as caught:
        Link(acme, bolt, LIST).carry()
    assert caught.value.held == other.store.logs.checkpoint(LIST)
    assert caught.value.offered == acme.store.logs.checkpoint(LIST)
    add(acme, 11)
    monkeypatch.setattr(feeds, "REACH", 20)
    with pytest.raises(LogRefused, match="the first 12 records are not those of a checkpoint"):
        Link(acme, bolt, LIST).carry()
    other.close()
    hash_list = bolt.store.get_list(LIST)
    assert hash_list is not None
    assert hash_list.size < 12


def test_a_selection_takes_what_fits(acme: Member, tmp_path: Path) -> None:
    """By what is said of an entry; what an amendment makes fit comes too, and the tree verifies."""
    court = replace(PROPAGANDA, basis=Basis.COURT_ORDER)
    names = add(acme, 1, 2) + add(acme, 3, description=court)
    add(acme, 4, description=replace(court, labels=("recruitment",)))
    eve = Member("eve", tmp_path)
    selection = Selection(labels=("propaganda",), bases=("court_order",))
    eve.subscribe(LIST, key_of(acme), selection)
    Link(acme, eve, LIST).carry()
    assert [entry.name for entry in eve.entries(LIST)] == [names[2]]
    acme.ledger.amend_entry(names[0], court, ["basis"], request_id="a")
    acme.ledger.withdraw_entry(names[1], "mistake", request_id="w")
    acme.ledger.withdraw_entry(names[2], "mistake", request_id="w2")
    Link(acme, eve, LIST).carry()
    assert eve.entries(LIST) == [e for e in acme.entries(LIST) if e.name in (names[0], names[2])]
    assert eve.store.logs.checkpoint(LIST) == acme.store.logs.checkpoint(LIST)
    # Amended away: what was taken is kept up to date.
    acme.ledger.amend_entry(names[0], PROPAGANDA, ["basis"], request_id="a2")
    Link(acme, eve, LIST).carry()
    assert eve.entries(LIST)[0] == acme.entries(LIST)[0]
    eve.close()
    eve.check(tmp_path)


def test_canaries_and_opinions_reach_those_who_may_see_them(
    acme: Member, bolt: Member, tmp_path: Path
) -> None:
    """A canary its partner, an opinion who may see the entry's list; all verify the same tree."""
    add(acme, 1, 2)
    acme.ledger.plant_canaries(LIST, "bolt", 1, request_id="c")
    acme.create("acme/feedback", ListKind.FEEDBACK)
    for entry in ("zed/secret#1", "zed/open#1"):
        said = OpinionGiven(entry, OpinionKind.DISPUTE, "news", NOW)
        acme.append("acme/feedback", said)
    eve = Member("eve", tmp_path)
    for member in (bolt, eve):
        member.subscribe(LIST, key_of(acme))
        Link(acme, member, LIST).carry()
    assert len(bolt.entries(LIST)) == 3
    assert len(eve.entries(LIST)) == 2
    assert eve.store.logs.checkpoint(LIST) == bolt.store.logs.checkpoint(LIST)
    reader = feeds.Reader("eve", lambda name: name != "zed/secret")
    leaves, _ = acme.feed.leaves("acme/feedback", 0, 3, reader)
    assert [bool(leaf.salt) for leaf in leaves] == [True, False, True]
    eve.close()


def test_what_was_erased_is_gone_everywhere(acme: Member, bolt: Member, tmp_path: Path) -> None:
    """From followers too; who comes later gets its leaf hash, and the same tree."""
    names = add(acme, 1, 2)
    note = replace(PROPAGANDA, note="with a name in it")
    acme.ledger.amend_entry(names[0], note, ["note"], request_id="a")
    Link(acme, bolt, LIST).carry()
    acme.append(LIST, EntryErased(1, "a court says so", NOW))
    Link(acme, bolt, LIST).carry()
    eve = Member("eve", tmp_path)
    eve.subscribe(LIST, key_of(acme))
    Link(bolt, eve, LIST).carry()
    for member in (acme, bolt):
        assert not matches(member, 1)
        erased = member.entries(LIST)[0]
        assert (erased.fingerprints, erased.description) == ((), Description())
        bodies = b"".join(r.body for r in member.store.logs.list_records(LIST, 0, 10))
        assert b"with a name" not in bodies
        check_checkpoint(member.store, LIST)
    assert [entry.name for entry in eve.entries(LIST)] == [names[1]]
    assert eve.store.logs.checkpoint(LIST) == acme.store.logs.checkpoint(LIST)
    eve.close()


def test_the_key_changes_hands(acme: Member, bolt: Member, tmp_path: Path) -> None:
    """Whoever knows one key of the list, the first or the newest, follows through all of them."""
    first = key_of(acme)
    add(acme, 1)
    Link(acme, bolt, LIST).carry()
    acme.ledger.rotate_key(LIST, request_id="r1")
    add(acme, 2)
    acme.reopen()
    acme.ledger.rotate_key(LIST, request_id="r2")
    add(acme, 3)
    assert key_of(acme) != first
    Link(acme, bolt, LIST).carry()
    eve = Member("eve", tmp_path)
    eve.subscribe(LIST, key_of(acme))
    Link(bolt, eve, LIST).carry()
    for member in (bolt, eve):
        assert member.entries(LIST) == acme.entries(LIST)
        assert key_of(member) == key_of(acme)
    eve.close()


def test_a_rotation_that_the_log_lacks_is_refused(acme: Member, bolt: Member) -> None:
    """And one that is not told of while the log has it."""
    add(acme, 1)
    acme.ledger.rotate_key(LIST, request_id="r1")
    add(acme, 2)

    def keep_back(message: FollowMessage) -> tuple[FollowMessage]:
        return (replace(message, rotations=()) if isinstance(message, Started) else message,)

    with pytest.raises(LogRefused):
        Link(acme, bolt, LIST, keep_back).carry()
    Link(acme, bolt, LIST).carry()
    assert bolt.entries(LIST) == acme.entries(LIST)


@pytest.mark.usefixtures("small_steps")
def test_who_passes_on_what_is_ahead_passes_on_its_key(
    acme: Member, bolt: Member, tmp_path: Path
) -> None:
    """Also where the record that replaces the key has not come to them yet."""
    for number in range(20):
        add(acme, number)
    acme.ledger.rotate_key(LIST, request_id="r")
    add(acme, 100, description=INCIDENT)
    # The start, the first batch, and what is urgent.
    Link(acme, bolt, LIST).carry(5)
    assert bolt.store.logs.count_ahead(LIST) == 1
    eve = Member("eve", tmp_path)
    eve.subscribe(LIST, key_of(bolt))
    Link(bolt, eve, LIST).carry()
    assert matches(eve, 100)
    for source, member in ((acme, bolt), (bolt, eve)):
        Link(source, member, LIST).carry()
        assert member.entries(LIST) == acme.entries(LIST)
        assert key_of(member) == key_of(acme)
    eve.close()


def test_a_rotation_beside_the_log_is_refused(acme: Member, tmp_path: Path) -> None:
    """An owner who hands over without a record that says so, signed by both keys all the same."""
    add(acme, 1)
    before = acme.logs._keys.signer(LIST, key_of(acme))
    after = acme.logs._keys.next(LIST)
    assert before is not None
    rotation = Rotation(origin(LIST), 2, before.verifier, after.verifier)
    change = EntryAdded(pdq_draft(2), "acme", NOW)
    with acme.store.write() as tx:
        acme.logs._append(tx, LIST, 2, [(change, records.encode(change))], after, NOW)
        row = {"list_id": 1, "place": 2, "statement": rotation.sign(before, after)}
        tx._connection.execute(sa.insert(schema.rotations).values(row))
    eve = Member("eve", tmp_path)
    eve.subscribe(LIST, before.verifier.encode())
    with pytest.raises(LogRefused, match="its keys are not those that the log names"):
        Link(acme, eve, LIST).carry()
    assert eve.store.get_list(LIST) is None or len(eve.entries(LIST)) == 1
    eve.close()


def test_records_of_a_newer_version_are_kept_and_not_guessed_at(
    acme: Member, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They verify, are passed on, and change nothing."""
    eve = Member("eve", tmp_path)
    eve.subscribe(LIST, key_of(acme))
    add(acme, 1)
    Link(acme, eve, LIST).carry()
    add(acme, 2)

    def decode(body: bytes) -> object:
        raise ValueError("of a newer version")

    with monkeypatch.context() as patched:
        patched.setattr("hashsvc.store.records.decode", decode)
        Link(acme, eve, LIST).carry()
    assert len(eve.entries(LIST)) == 1
    assert eve.store.logs.checkpoint(LIST) == acme.store.logs.checkpoint(LIST)
    last = eve.store.logs.list_records(LIST, 2, 1)
    assert last == acme.store.logs.list_records(LIST, 2, 1)
    eve.close()
