"""Auditing a log as it comes: what a node could leave out, hide or add is found."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hashsvc.errors import LogRefused
from hashsvc.lists.auditing import Audit, Audited, Witnessed, witnessed_by
from hashsvc.lists.feed import Reader
from hashsvc.lists.keys import Signer
from hashsvc.lists.merkle import tree_root
from hashsvc.lists.notes import cosign
from hashsvc.lists.verifying import leaf_hash_of
from hashsvc.model_sync import (
    FollowMessage,
    Leaf,
    Leaves,
    ShownCheckpoint,
    Signed,
    Started,
)
from hashsvc.sync.stream import LogStream
from tests.harness import pdq_draft
from tests.simulator import Member

LIST = "acme/known"
AT = datetime(2026, 11, 22, tzinfo=UTC)


class Home(Member):
    """Where a list is kept: nine records, the sixth of which rotates its key."""

    def __init__(self, folder: Path) -> None:
        super().__init__("acme", folder)
        self.create(LIST)
        self.messages: list[FollowMessage] = []
        self.size = 0
        self.add(1, 2, 3, 4)
        self.sign()
        self.ledger.rotate_key(LIST, request_id="r")
        self.sign()
        self.add(5, 6, 7)
        self.sign()
        self.messages.insert(0, self.feed.started(LIST))

    def add(self, *numbers: int) -> None:
        """Add entries."""
        drafts = [pdq_draft(number) for number in numbers]
        self.ledger.add_entries(LIST, drafts, request_id=f"{numbers}")

    def sign(self) -> None:
        """Gather what came since, and the checkpoint over it."""
        found = self.feed.next_checkpoint(LIST, self.size)
        assert found is not None
        end, note = found
        leaves, _ = self.feed.leaves(LIST, self.size, end, Reader(None, lambda _: True))
        self.messages += [Leaves(self.size, tuple(leaves)), Signed(note, end)]
        self.size = end

    @property
    def key(self) -> str:
        """The list's newest key."""
        found = self.store.get_list(LIST)
        assert found is not None
        return found.key

    def shown(self) -> ShownCheckpoint:
        """What GetCheckpoint shows."""
        started = self.feed.started(LIST)
        note, older = self.feed.cosigned(LIST)
        return ShownCheckpoint(note, tuple(older), started.first_key, started.rotations)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A list's home."""
    made = Home(tmp_path)
    yield made
    made.close()


def audited(messages: list[Any], key: str = "", *witnessed: Witnessed) -> Audited:
    """What an audit makes of messages."""
    audit = Audit(LIST, key, witnessed)
    for message in messages:
        audit.receive(message)
    return audit.finish()


def test_a_log_is_audited_under_any_of_its_keys(home: Home) -> None:
    """The key that signed the newest checkpoint is told."""
    started = home.messages[0]
    assert isinstance(started, Started)
    for key in ("", home.key, started.first_key):
        found = audited(home.messages, key)
        assert (found.size, found.withheld, found.key) == (9, 0, home.key)
    with pytest.raises(LogRefused, match="not the pinned one"):
        audited(home.messages, Signer.generate(f"hashsvc/{LIST}").verifier.encode())


def test_what_is_left_out_or_hidden_is_found(home: Home) -> None:
    """The end, a part, the start, a rotation, what describes the list."""
    started, *rest = home.messages
    assert isinstance(started, Started)
    first = rest[0]
    assert isinstance(first, Leaves)
    undescribed = replace(first, leaves=(first.leaves[1], *first.leaves[1:]))
    hidden = replace(first, leaves=(Leaf(hash=bytes(32)), *first.leaves[1:]))
    for messages, told in (
        (home.messages[:-2], "there are 9 records, and sent 6 that verify"),
        ([started, *rest[2:]], "does not follow what came before"),
        (rest, "does not begin with where the log stands"),
        ([started, started], "starts twice"),
        ([], "does not begin with"),
        ([replace(started, rotations=()), *rest], "checkpoint is not good"),
        ([started, undescribed, *rest[1:]], "are not those of a checkpoint"),
        ([started, hidden, *rest[1:]], "are not those of a checkpoint"),
    ):
        with pytest.raises(LogRefused, match=told):
            audited(messages)


def test_a_rotation_that_the_log_does_not_name_is_found(tmp_path: Path, home: Home) -> None:
    """Whoever has a list's key could hand it over, without a word of it in the log."""
    started = home.messages[0]
    assert isinstance(started, Started)
    place = started.rotations[0].split("\n")[2]
    assert place == "5"
    # The record that names it is sent as its hash alone.
    messages = list(home.messages)
    leaves = messages[3]
    assert isinstance(leaves, Leaves)
    assert (leaves.first, len(leaves.leaves)) == (5, 1)
    alone = Leaf(hash=leaf_hash_of(leaves.leaves[0]))
    messages[3] = replace(leaves, leaves=(alone,))
    with pytest.raises(LogRefused, match="keys shown are not those that the log names"):
        audited(messages)


def test_witnesses_are_held_against_the_tree(home: Home) -> None:
    """At whatever size, between checkpoints too."""
    signer = Signer.generate("witness.example/w1")
    nodes = home.feed._nodes(LIST, 9)
    for size in range(1, 10):
        one = Witnessed(signer.witness, size, tree_root(nodes, size), AT)
        assert audited(home.messages, "", one).size == 9
        wrong = replace(one, root=bytes(32))
        with pytest.raises(LogRefused, match="is not what this log was then"):
            audited(home.messages, "", wrong)
    with pytest.raises(LogRefused, match="cosigned it at 10 records, and the node shows 9"):
        audited(home.messages, "", Witnessed(signer.witness, 10, bytes(32), AT))


def test_the_newest_that_a_witness_cosigned_counts(home: Home) -> None:
    """Of the list's own checkpoints, and where the signature is good."""
    one, two = (Signer.generate(f"witness.example/w{i}") for i in (1, 2))
    notes = [message.note for message in home.messages if isinstance(message, Signed)]
    shown = home.shown()
    shown = replace(shown, note=cosign(notes[-1], two, 30), cosigned=(cosign(notes[0], one, 10),))
    found = witnessed_by(LIST, shown, [one.witness, two.witness])
    assert [(w.witness, w.size) for w in found] == [(one.witness, 5), (two.witness, 9)]
    older = replace(shown, cosigned=(cosign(notes[0], two, 40), *shown.cosigned))
    assert witnessed_by(LIST, older, [two.witness])[0].size == 9
    with pytest.raises(LogRefused, match="w1 has cosigned no checkpoint"):
        witnessed_by("acme/other", shown, [one.witness])
    bad = replace(shown, note=shown.note.replace(b"\n9\n", b"\n8\n"))
    with pytest.raises(LogRefused, match="is not good"):
        witnessed_by(LIST, bad, [two.witness])
    late = replace(shown, note=cosign(notes[-1], two, (1 << 63) - 1))
    with pytest.raises(LogRefused, match="no sensible time"):
        witnessed_by(LIST, late, [two.witness])


def test_a_key_that_is_replaced_meanwhile_is_told_before_what_it_signs(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a follower would refuse an honest log."""
    find = home.feed.next_checkpoint

    def next_checkpoint(list_name: str, size: int) -> tuple[int, bytes] | None:
        if home.feed.rotations(LIST)[1:] == []:
            home.ledger.rotate_key(LIST, request_id="meanwhile")
            home.add(8)
        return find(list_name, size)

    monkeypatch.setattr(home.feed, "next_checkpoint", next_checkpoint)
    stream = LogStream(home.feed, LIST, 0)
    messages: list[FollowMessage] = [stream.start()]
    while some := stream.more(Reader(None, lambda _: True)):
        messages += some
    assert audited(messages).size == 11
