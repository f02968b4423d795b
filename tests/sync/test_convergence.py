"""Whatever happens in between, after healing every copy is the list.

A few partners contribute, amend, withdraw and erase, give opinions, open incidents, distrust and
replace keys, each at home; logs travel over links that are cut, repeat themselves and come late;
nodes crash in the middle of anything. At the end all is carried once more, and every follower's
entries, opinions, incidents, distrust and index must be those of the list's home, which in turn are
what a replay of its log gives.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hashsvc.errors import LogBehind
from hashsvc.model import (
    Basis,
    ContributorDistrusted,
    EntryErased,
    IncidentConcluded,
    IncidentOpened,
    ListKind,
    OpinionGiven,
    OpinionKind,
    TrustRestored,
)
from hashsvc.model_sync import FollowMessage, Selection
from hashsvc.store import schema
from hashsvc.store.transaction import WriteTransaction
from tests.harness import NOW, PROPAGANDA, pdq_draft
from tests.simulator import Link, Member

HOMES = {"acme/known": "acme", "bolt/known": "bolt", "bolt/feedback": "bolt"}
# Who follows what from whom: through a hub, in a chain behind it, and crosswise.
LINKS = {
    ("acme/known", "hub"): "acme",
    ("bolt/known", "hub"): "bolt",
    ("bolt/feedback", "hub"): "bolt",
    ("acme/known", "bolt"): "hub",
    ("acme/known", "eve"): "hub",
    ("bolt/known", "eve"): "hub",
    ("bolt/feedback", "acme"): "hub",
    ("acme/known", "fay"): "eve",
}
SELECTED = {("bolt/known", "eve"): Selection(bases=("court_order", "research"))}
LISTS = st.sampled_from(["acme/known", "bolt/known"])
INCIDENTS = st.sampled_from(["", "", "harbour", "bridge"])


class Crash(Exception):
    """The process ends here."""


class Cooperation(RuleBasedStateMachine):
    """Five partners on real stores."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        names = ("acme", "bolt", "hub", "eve", "fay")
        self.members = {name: Member(name, self.folder) for name in names}
        self.numbers = iter(range(10**9))
        self.acknowledged: dict[str, set[str]] = {name: set() for name in HOMES}
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr("hashsvc.lists.feed.REACH", 3)
        self.patch.setattr("hashsvc.store.transaction.CHECKPOINT_STEP", 2)

    @initialize()
    def lists(self) -> None:
        """Each list is made at home, and followed."""
        for name, home in HOMES.items():
            kind = ListKind.FEEDBACK if name.endswith("feedback") else ListKind.KNOWN
            self.members[home].create(name, kind)
        for name, follower in LINKS:
            made = self.members[HOMES[name]].store.get_list(name)
            assert made is not None
            selection = SELECTED.get((name, follower))
            self.members[follower].subscribe(name, made.key, selection)

    @rule(name=LISTS, count=st.integers(1, 5), incident=INCIDENTS, basis=st.sampled_from(Basis))
    def contribute(self, name: str, count: int, incident: str, basis: Basis) -> None:
        """A batch."""
        said = replace(PROPAGANDA, incident=incident, basis=basis)
        drafts = [pdq_draft(next(self.numbers), said) for _ in range(count)]
        home = self.members[HOMES[name]]
        added, _ = home.ledger.add_entries(name, drafts, request_id=home.request())
        self.acknowledged[name] |= {entry.name for entry in added}

    @rule(name=LISTS, which=st.integers(0, 1000), basis=st.sampled_from(Basis), incident=INCIDENTS)
    def amend(self, name: str, which: int, basis: Basis, incident: str) -> None:
        """An entry that is active."""
        if entry := self.some_entry(name, which):
            said = replace(PROPAGANDA, basis=basis, incident=incident)
            home = self.members[HOMES[name]]
            fields = ["basis", "incident"]
            home.ledger.amend_entry(entry, said, fields, request_id=home.request())

    @rule(name=LISTS, which=st.integers(0, 1000))
    def withdraw(self, name: str, which: int) -> None:
        """An entry that is active."""
        if entry := self.some_entry(name, which):
            home = self.members[HOMES[name]]
            home.ledger.withdraw_entry(entry, "mistake", request_id=home.request())

    @rule(name=LISTS, which=st.integers(0, 1000))
    def erase(self, name: str, which: int) -> None:
        """An entry that is active."""
        if entry := self.some_entry(name, which):
            sequence = int(entry.partition("#")[2])
            self.members[HOMES[name]].append(name, EntryErased(sequence, "by law", NOW))

    @rule(which=st.integers(0, 30), opinion=st.sampled_from(OpinionKind))
    def opine(self, which: int, opinion: OpinionKind) -> None:
        """On an entry of the other's list, there or not."""
        said = OpinionGiven(f"acme/known#{which + 1}", opinion, "looked at it", NOW)
        self.members["bolt"].append("bolt/feedback", said)

    @rule(name=LISTS, incident=st.sampled_from(["harbour", "bridge"]), opened=st.booleans())
    def incident(self, name: str, incident: str, opened: bool) -> None:
        """Begins or ends."""
        change = IncidentOpened(incident, "", NOW) if opened else IncidentConcluded(incident, NOW)
        self.members[HOMES[name]].append(name, change)

    @rule(name=LISTS, since=st.integers(0, 20), undo=st.integers(0, 30))
    def distrust(self, name: str, since: int, undo: int) -> None:
        """A contributor, and perhaps an earlier one again trusted."""
        home = self.members[HOMES[name]]
        home.append(name, ContributorDistrusted("acme", since, "taken over", NOW))
        hash_list = home.store.get_list(name)
        assert hash_list is not None
        if 0 < undo < hash_list.size:
            home.append(name, TrustRestored(undo, "was well", NOW))

    @rule(name=st.sampled_from([*HOMES]))
    def rotate(self, name: str) -> None:
        """The key of a list."""
        home = self.members[HOMES[name]]
        home.ledger.rotate_key(name, request_id=home.request())

    @rule(link=st.sampled_from([*LINKS]), most=st.integers(0, 12), repeats=st.booleans())
    def carry(self, link: tuple[str, str], most: int, repeats: bool) -> None:
        """Some of a log, over a link that is cut, and that may carry the same a second time."""
        for _ in range(1 + repeats):
            self.carried(link, most)

    @rule(link=st.sampled_from([*LINKS]), at=st.integers(0, 12), late=st.booleans())
    def crash_while_carrying(self, link: tuple[str, str], at: int, late: bool) -> None:
        """The follower ends in the middle of a transaction, or right after it."""

        def falsify(message: FollowMessage) -> Iterator[FollowMessage]:
            nonlocal at
            at -= 1
            if at == 0 and late:
                yield message
                raise Crash
            with crashing(at == 0):
                yield message

        member = self.members[link[1]]
        try:
            self.carried(link, None, falsify)
        except Crash:
            member.reopen()

    @rule(name=LISTS)
    def crash_while_contributing(self, name: str) -> None:
        """Nothing of the batch stays, and it can be sent again."""
        home = self.members[HOMES[name]]
        draft, request = pdq_draft(next(self.numbers)), home.request()
        with pytest.raises(Crash), crashing(True):
            home.ledger.add_entries(name, [draft], request_id=request)
        home.reopen()
        added, _ = home.ledger.add_entries(name, [draft], request_id=request)
        assert not added[0].already_present
        self.acknowledged[name].add(added[0].name)

    @rule(name=st.sampled_from(["acme", "bolt", "hub", "eve", "fay"]))
    def restart(self, name: str) -> None:
        """From what is on the disk, with a saved index or without."""
        self.members[name].indexer.save()
        self.members[name].reopen()

    @invariant()
    def copies_are_prefixes(self) -> None:
        """No follower has a checkpoint that the home has not had."""
        for name, follower in LINKS:
            copy = self.members[follower].store.get_list(name)
            home = self.members[HOMES[name]].store.get_list(name)
            assert copy is None or (home is not None and copy.size <= home.size)

    def teardown(self) -> None:
        """Heal: carry everything, and compare."""
        try:
            for link in LINKS:
                self.carried(link, None)
            for name, follower in LINKS:
                self.assert_same(name, self.members[follower], (name, follower) in SELECTED)
            for name, entries in self.acknowledged.items():
                home = self.members[HOMES[name]]
                assert entries <= {entry.name for entry in home.entries(name)}
            for member in self.members.values():
                member.close()
                member.check(self.folder)
        finally:
            self.patch.undo()
            for member in self.members.values():
                member.close()
            shutil.rmtree(self.folder)

    def some_entry(self, name: str, which: int) -> str | None:
        """The name of an active entry."""
        entries = self.members[HOMES[name]].store.get_entries(
            name, after=0, limit=1000, with_withdrawn=False, with_fingerprints=False
        )
        return entries[which % len(entries)].name if entries else None

    def carried(
        self,
        link: tuple[str, str],
        most: int | None,
        falsify: Callable[[FollowMessage], Iterator[FollowMessage]] | None = None,
    ) -> None:
        """Carry over a link, from a source that may have nothing yet or less than the follower."""
        name, follower = link
        source = self.members[LINKS[link]]
        if source.store.get_list(name) is None:
            return
        made = Link(source, self.members[follower], name, falsify or (lambda m: iter((m,))))
        try:
            made.carry(most)
        except LogBehind:
            assert LINKS[link] != HOMES[name]

    def assert_same(self, name: str, member: Member, is_selected: bool) -> None:
        """A copy is what its home is."""
        home = self.members[HOMES[name]]
        assert member.store.logs.checkpoint(name) == home.store.logs.checkpoint(name)
        assert member.store.logs.count_ahead(name) == 0
        assert member.store.logs.promises(name) == []
        theirs, ours = home.entries(name), member.entries(name)
        if is_selected:
            names = {entry.name for entry in ours}
            theirs = [entry for entry in theirs if entry.name in names]
        else:
            assert member.store.get_list(name) == home.store.get_list(name)
            # What was erased before it came is not there at all.
            held = {entry.name for entry in ours}
            theirs = [e for e in theirs if e.fingerprints or e.name in held]
        assert ours == theirs
        for table in (schema.opinions, schema.incidents, schema.distrusts, schema.rotations):
            assert rows(member, name, table) == rows(home, name, table)


def rows(member: Member, name: str, table: sa.Table) -> list[Any]:
    """The rows of a list in a table, without what numbers them on each node."""
    columns = [column for column in table.c if column.name not in ("list_id", "id")]
    query = sa.select(*columns).join(schema.lists, schema.lists.c.id == table.c.list_id)
    with member.store._engine.begin() as connection:
        found = connection.execute(query.where(schema.lists.c.name == name))
        return sorted(tuple(row) for row in found)


@contextmanager
def crashing(is_so: bool) -> Iterator[None]:
    """The next transaction that appends ends the process before it commits."""
    real = WriteTransaction.append

    def append(*arguments: Any) -> None:
        real(*arguments)
        raise Crash

    with pytest.MonkeyPatch.context() as patch:
        if is_so:
            patch.setattr(WriteTransaction, "append", append)
        yield


TestCooperation = Cooperation.TestCase
TestCooperation.settings = settings(
    max_examples=15,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
