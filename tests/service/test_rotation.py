"""Replacing a list's key: followers go on by themselves, and only if the old key handed over."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import grpc
import pytest

from hashsvc.lists.feed import Feed
from hashsvc.lists.keychain import Rotation
from hashsvc.lists.keys import Signer, load_key
from hashsvc.lists.logs import origin
from hashsvc.lists.notes import sign
from hashsvc.model_sync import FollowState, Started
from hashsvc.v1 import list_service_pb2
from hashsvc_client import Client
from tests.commands import hashsvc
from tests.harness import running_node
from tests.processes import objects
from tests.service.pair import LIST, Pair, running_pair, running_side
from tests.service.town import Town, refused
from tests.sync.waiting import until


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """A home and a follower."""
    with running_pair(tmp_path) as made:
        yield made


def test_followers_go_on_through_rotations(pair: Pair) -> None:
    """While they are live, and when several happen while they are away; restarts included."""
    pair.follow()
    pair.home.add(1)
    pair.sync()
    keys = [pair.home.client.get_list(LIST).key]
    keys.append(pair.home.client.rotate_key(LIST).key)
    pair.home.add(2)
    pair.sync()
    pair.away.stop()
    for number in (3, 4):
        keys.append(pair.home.client.rotate_key(LIST).key)
        pair.home.add(number)
    pair.home.stop()
    pair.home.start()
    pair.home.add(5)
    pair.away.start()
    pair.sync()
    assert [len(pair.away.matches(number)) for number in (1, 2, 3, 4, 5)] == [1] * 5
    assert len(set(keys)) == 4
    assert pair.away.client.get_list(LIST).key == pair.home.client.get_list(LIST).key == keys[-1]
    assert not pair.away.status().alarms


@pytest.mark.parametrize("pinned", ["first", "middle", "newest"])
def test_any_key_of_the_list_can_be_pinned(pair: Pair, pinned: str) -> None:
    """Who knows one knows all, those to come too."""
    keys = {"first": pair.home.client.get_list(LIST).key}
    pair.home.add(1)
    keys["middle"] = pair.home.client.rotate_key(LIST).key
    keys["newest"] = pair.home.client.rotate_key(LIST).key
    pair.home.add(2)
    pair.follow(key=keys[pinned])
    pair.sync()
    assert pair.away.status().subscription.key == keys[pinned]
    pair.home.client.rotate_key(LIST)
    pair.home.add(3)
    pair.sync()
    assert pair.away.matches(3)


def test_a_relay_passes_rotations_on(pair: Pair, tmp_path: Path) -> None:
    """Who follows a follower verifies the same keys."""
    pair.follow()
    pair.home.add(1)
    pair.sync()
    first = pair.home.client.get_list(LIST).key
    pair.home.client.rotate_key(LIST)
    pair.home.add(2)
    pair.sync()
    pair.home.client.rotate_key(LIST)
    with running_side(tmp_path / "third") as third:
        third.admin.follow(LIST, pair.away.source, key=first)
        pair.sync()
        size = pair.home.client.get_list(LIST).size
        until(lambda: third.status().size == size)
        assert third.matches(2)


@pytest.mark.parametrize("moment", ["next_checkpoint", "checkpoint"])
def test_a_rotation_while_a_checkpoint_is_read(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """The follower gets the key before the checkpoint that it signed, whatever comes in between."""
    pair.home.add(1)
    read = getattr(Feed, moment)
    left = [2]

    def late(self: Feed, *arguments: object) -> object:
        if left[0]:
            left[0] -= 1
            pair.home.client.rotate_key(LIST)
        return read(self, *arguments)

    monkeypatch.setattr(Feed, moment, late)
    pair.follow(key=pair.home.client.get_list(LIST).key)
    until(lambda: not left[0])
    pair.sync()
    assert not pair.away.status().alarms
    assert pair.away.matches(1)


def forged(kind: str, real: Started, stranger: Signer, old: Signer) -> Started:
    """What somebody shows who has the source's address, or an old key of the list."""
    rotation = Rotation(origin(LIST), 3, old.verifier, stranger.verifier)
    if kind == "not signed by the key before":
        statement = sign(rotation.text(), stranger).decode()
        return replace(real, rotations=(*real.rotations[:1], statement))
    if kind == "hidden":
        return replace(real, rotations=real.rotations[:1])
    if kind == "begins with another key":
        return replace(real, first_key=stranger.verifier.encode(), rotations=())
    if kind == "not in the log":
        return replace(real, rotations=(*real.rotations[:1], rotation.sign(old, stranger)))
    elsewhere = replace(rotation, origin=origin("acme/other"))
    return replace(real, rotations=(*real.rotations[:1], elsewhere.sign(old, stranger)))


REASONS = {
    "not signed by the key before": "its keys are not sound",
    "hidden": "its checkpoint is not good",
    "begins with another key": "its key is not the pinned one",
    "not in the log": "its checkpoint is not good",
    "of another list": "its keys are not sound",
}


@pytest.mark.parametrize("is_new", [True, False], ids=["new", "holds some"])
def test_forged_rotations_are_refused(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, is_new: bool
) -> None:
    """Nothing is taken in, an alarm tells, and what was good before goes on matching."""
    first = pair.home.client.get_list(LIST).key
    pair.home.add(1)
    second = pair.home.client.rotate_key(LIST).key
    if not is_new:
        pair.follow(key=first)
        pair.sync()
        pair.away.stop()
    pair.home.client.rotate_key(LIST)
    pair.home.add(2)
    started, stranger = Feed.started, Signer.generate(origin(LIST))
    files = (pair.home.folder / "keys" / "lists" / "acme").glob("known.*.pem")
    signers = [load_key(file, origin(LIST)) for file in files]
    (old,) = [signer for signer in signers if signer.verifier.encode() == second]
    kinds = list(REASONS)
    monkeypatch.setattr(
        Feed, "started", lambda self, name: forged(kinds[0], started(self, name), stranger, old)
    )
    if is_new:
        pair.follow(key=first)
    else:
        pair.away.start()
    while kinds:
        until(lambda: pair.away.status().alarms)
        (alarm,) = pair.away.status().alarms
        assert alarm.reason.startswith(REASONS[kinds[0]])
        assert pair.away.status().state is FollowState.REFUSED
        assert not pair.away.matches(2)
        assert bool(pair.away.matches(1)) is not is_new
        if len(kinds) == 1:
            monkeypatch.undo()
        del kinds[0]
        pair.away.admin.accept_alarms(LIST)
    pair.sync()
    assert pair.away.matches(2)


def test_a_rotation_that_the_log_does_not_have_is_refused(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though both keys have signed it: else an old key could hand over once more."""
    first = pair.home.client.get_list(LIST).key
    pair.home.add(0)
    pair.home.client.rotate_key(LIST)
    pair.home.add(1)
    rotations = Feed.rotations
    file = pair.home.folder / "keys" / "lists" / "acme" / "known.pem"
    old, newest = load_key(file, origin(LIST)), pair.home.client.get_list(LIST).key
    assert old.verifier.encode() == first
    (path,) = file.parent.glob("known.*.pem")
    real = load_key(path, origin(LIST))
    assert real.verifier.encode() == newest
    moved = Rotation(origin(LIST), 1, old.verifier, real.verifier).sign(old, real)
    monkeypatch.setattr(Feed, "rotations", lambda self, name: [moved])
    pair.follow(key=first)
    until(lambda: pair.away.status().alarms)
    (alarm,) = pair.away.status().alarms
    assert alarm.reason == "its keys are not those that the log names"
    assert not pair.away.matches(1)
    monkeypatch.setattr(Feed, "rotations", rotations)
    pair.away.admin.accept_alarms(LIST)
    pair.sync()


def test_the_new_key_is_a_file_of_its_own(tmp_path: Path) -> None:
    """The old one stays; a restarted node signs with the new one, and rotates again."""
    keys = tmp_path / "data" / "keys" / "lists" / "acme"
    with running_node(tmp_path / "data") as address, Client(address) as client:
        client.create_list(LIST)
        first = (keys / "known.pem").read_bytes()
        second = client.rotate_key(LIST, request_id="r").key
        assert client.rotate_key(LIST, request_id="r").key == second
    assert (keys / "known.pem").read_bytes() == first
    (file,) = keys.glob("known.*.pem")
    assert file.stat().st_mode & 0o077 == 0
    assert load_key(file, origin(LIST)).verifier.encode() == second
    with running_node(tmp_path / "data") as address, Client(address) as client:
        assert client.get_list(LIST).key == second
        client.rotate_key(LIST)
    assert len(list(keys.glob("known.*.pem"))) == 2


def test_only_the_owner_and_administrators_rotate(town: Town) -> None:
    """Who reads the list is told so, who does not is told of nothing; lists of others neither."""

    def rotate(by: str, name: str = LIST) -> list_service_pb2.RotateKeyResponse:
        request = list_service_pb2.RotateKeyRequest(request_id=f"{by} {name}", list=name)
        return town.lists.RotateKey(request, **town.by(by))

    assert refused(partial(rotate, "bolt")) is grpc.StatusCode.PERMISSION_DENIED
    assert refused(partial(rotate, "eve")) is grpc.StatusCode.NOT_FOUND
    assert refused(partial(rotate, "hub", "acme/none")) is grpc.StatusCode.NOT_FOUND
    assert refused(partial(rotate, "hub", "hashsvc/test")) is grpc.StatusCode.INVALID_ARGUMENT
    assert rotate("acme").list.key != rotate("hub").list.key


def test_a_list_of_another_node_is_not_rotated_here(pair: Pair) -> None:
    """Its key is not here."""
    pair.follow()
    pair.sync()
    done = hashsvc("rotate-key", LIST, "--server", pair.away.source)
    assert done.returncode == 1
    assert "change the list where it is kept" in done.stderr
    done = hashsvc("rotate-key", LIST, "--server", pair.home.source, "--json")
    (shown,) = objects(done)
    assert shown["key"] == pair.home.client.get_list(LIST).key
    done = hashsvc("rotate-key", LIST, "--server", pair.home.source)
    assert "is signed by a new key from record 3 on" in done.stdout
    pair.sync()
