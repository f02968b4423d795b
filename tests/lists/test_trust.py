"""Distrust, on both databases: what it reaches, when a plan holds, what may come in which order."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from pathlib import Path

import pytest

from hashsvc.config import Limits
from hashsvc.errors import InvalidRequest, NotFound, PreconditionFailed
from hashsvc.lists.distrusted import Distrusted
from hashsvc.lists.indexer import Indexer
from hashsvc.lists.ledger import Ledger
from hashsvc.lists.logs import ListKeys, SignedLogs
from hashsvc.lists.readers import Readers
from hashsvc.lists.trust import Trust
from hashsvc.model import (
    Change,
    ContributorDistrusted,
    EntryAdded,
    IncidentConcluded,
    IncidentOpened,
    ListDescribed,
    ListKind,
    TrustRestored,
)
from hashsvc.store import records
from hashsvc.store.projection import Record
from hashsvc.store.store import Store
from hashsvc.store.transaction import WriteTransaction
from tests.harness import NOW, check_invariants, pdq_draft

LIST, OTHER = "acme/known", "acme/other"
HOUR = timedelta(hours=1)


class Books:
    """A ledger and what distrusts, with a clock."""

    def __init__(self, url: str, folder: Path) -> None:
        self.store = Store(url)
        self.now = NOW
        self.logs = SignedLogs(ListKeys(folder / "keys"))
        self.distrusted = Distrusted()
        indexer = Indexer(self.store, folder / "index", min_pdq_quality=50)
        self.ledger = Ledger(
            self.store,
            limits=Limits(),
            min_pdq_quality=50,
            logs=self.logs,
            readers=Readers(),
            follow=indexer.follow,
            distrusted=self.distrusted,
            now=lambda: self.now,
        )
        self.trust = Trust(self.store, self.ledger, self.logs)
        for name in (LIST, OTHER):
            self.ledger.create_list(name, ListKind.KNOWN, "", request_id=f"list {name}")

    def add(self, by: str, *numbers: int, name: str = LIST) -> list[str]:
        """Add entries as a partner, an hour after whatever came before."""
        self.now += HOUR
        request_id = f"{by} {name} {numbers} {self.now}"
        drafts = [pdq_draft(number) for number in numbers]
        added, _ = self.ledger.add_entries(name, drafts, request_id=request_id, by=by)
        return [entry.name for entry in added]

    def distrust(self, partner: str, list_name: str = "") -> list[str]:
        """Distrust a partner since half an hour ago; return in which lists, from where."""
        since = self.now - HOUR / 2
        _, plan = self.trust.preview(partner, since, list_name)
        done, _ = self.trust.distrust(plan, partner, since, list_name, "poison")
        return [f"{one.list_name}#{one.since_sequence}" for one in done]

    def hidden(self, name: str = LIST, *, by: Distrusted | None = None) -> list[int]:
        """Sequences of the entries that do not match."""
        entries = self.store.get_entries(
            name, after=0, limit=100, with_withdrawn=False, with_fingerprints=False
        )
        by = by or self.distrusted
        return [entry.sequence for entry in entries if by.covers(entry)]


@pytest.fixture
def books(store_url: str, tmp_path: Path) -> Iterator[Books]:
    """Books on each database; at the end their parts must agree."""
    made = Books(store_url, tmp_path)
    yield made
    made.store.close()
    check_invariants(store_url, tmp_path)


def test_what_came_since_and_what_comes_does_not_match(books: Books) -> None:
    """Of that partner alone; what it added before goes on matching."""
    books.add("bolt", 1)
    books.add("bolt", 2, 3)
    assert books.distrust("bolt") == [f"{LIST}#2"]
    books.add("acme", 4)
    books.add("bolt", 5)
    assert books.hidden() == [2, 3, 6]
    with books.store.read_distrusts() as rows:
        assert books.hidden(by=Distrusted(rows.find())) == [2, 3, 6]
    (one,) = books.trust.restore(0, "bolt", "a mistake")
    assert one.undo_time == books.now
    assert books.hidden() == []


def test_a_preview_counts_what_would_cease_to_match(books: Books) -> None:
    """By list: not what is withdrawn, nor what is distrusted already; and it changes nothing."""
    names = books.add("bolt", 1, 2, 3)
    books.add("bolt", 4, name=OTHER)
    books.add("carl", 5)
    books.ledger.withdraw_entry(names[1], "mistake", request_id="w")
    size = books.store.log_size()
    found, _ = books.trust.preview("bolt", NOW)
    assert [(p.list_name, p.entries, p.since_sequence, p.is_kept_here) for p in found] == [
        (LIST, 2, 1, True),
        (OTHER, 1, 1, True),
    ]
    found, _ = books.trust.preview("bolt", NOW, LIST)
    assert [p.list_name for p in found] == [LIST]
    assert books.store.log_size() == size
    found, plan = books.trust.preview("bolt", NOW, OTHER)
    books.trust.distrust(plan, "bolt", NOW, OTHER, "poison")
    assert [p.list_name for p in books.trust.preview("bolt", NOW)[0]] == [LIST]
    assert books.trust.preview("bolt", books.now, OTHER)[0] == []
    found, _ = books.trust.preview("*", NOW, LIST)
    assert [(p.entries, p.since_sequence) for p in found] == [(3, 1)]


def test_dates_in_records_do_not_let_entries_escape(books: Books) -> None:
    """What counts is when this node took an entry in."""
    books.add("bolt", 1)
    books.now += HOUR
    old = EntryAdded(pdq_draft(2), "bolt", books.now - timedelta(days=365))

    def apply(tx: WriteTransaction) -> None:
        hash_list = tx.get_list(LIST)
        assert hash_list is not None
        books.logs.append(tx, hash_list, [(old, records.encode(old))], books.now)

    books.ledger.change(apply)
    assert books.distrust("bolt") == [f"{LIST}#2"]


def test_nobody_can_hold_distrust_up_by_adding(books: Books) -> None:
    """What comes after the preview is distrusted too, also where there was nothing before."""
    books.add("bolt", 1)
    books.add("bolt", 2, name=OTHER)
    since = books.now - HOUR / 2
    found, plan = books.trust.preview("bolt", since)
    assert [(p.list_name, p.entries) for p in found] == [(LIST, 0), (OTHER, 1)]
    books.add("bolt", 3)
    books.add("acme", 4)
    books.add("bolt", 5, name=OTHER)
    done, count = books.trust.distrust(plan, "bolt", since, "", "poison")
    assert [(one.list_name, one.since_sequence) for one in done] == [(LIST, 2), (OTHER, 1)]
    assert count == 1
    assert (books.hidden(), books.hidden(OTHER)) == ([2], [1, 2])


@pytest.mark.parametrize("change", ["withdrawn", "distrusted", "another list", "another time"])
def test_a_plan_holds_only_for_what_was_previewed(books: Books, change: str) -> None:
    """Else nothing is done, and one has to look again."""
    names = books.add("bolt", 1, 2)
    since, list_name = books.now - HOUR / 2, ""
    _, plan = books.trust.preview("bolt", since)
    if change == "withdrawn":
        books.ledger.withdraw_entry(names[0], "mistake", request_id="w")
    elif change == "distrusted":
        books.distrust("*", LIST)
    elif change == "another list":
        list_name = OTHER
    else:
        since -= HOUR
    size = books.store.log_size()
    with pytest.raises(PreconditionFailed, match="look at a new preview") as caught:
        books.trust.distrust(plan, "bolt", since, list_name, "poison")
    assert caught.value.reason == "PLAN_STALE"
    assert books.store.log_size() == size


def test_what_a_distrusted_partner_added_does_not_stand_in_the_way(books: Books) -> None:
    """Another's entry for the same media is added, and matches."""
    books.add("bolt", 1)
    books.distrust("bolt")
    assert books.add("acme", 1) == [f"{LIST}#3"]
    assert books.add("carl", 1) == [f"{LIST}#3"]
    assert books.hidden() == [1]


def test_all_that_came_under_a_list_key(books: Books) -> None:
    """Whoever contributed it; other distrust in the list goes on when that is undone."""
    books.add("bolt", 1)
    books.add("carl", 2)
    assert books.distrust("*", LIST) == [f"{LIST}#2"]
    books.add("dora", 3)
    assert books.hidden() == [2, 4]
    (all_of,) = [number for number, of in _found(books) if of == "*"]
    books.trust.restore(all_of, "", "the key was safe")
    assert books.hidden() == []
    books.distrust("dora")
    books.distrust("*", LIST)
    books.add("carl", 5)
    assert books.hidden() == [4, 8]
    books.trust.restore(0, "*", "the key was safe")
    assert books.hidden() == [4]


def _found(books: Books) -> list[tuple[int, str]]:
    with books.store.read_distrusts() as rows:
        return [(one.id, one.contributor) for one in rows.find()]


def test_undoing_again_changes_nothing(books: Books) -> None:
    """And what there is not cannot be undone."""
    books.add("bolt", 1)
    books.distrust("bolt")
    ((distrust_id, _),) = _found(books)
    (first,) = books.trust.restore(distrust_id, "", "a mistake")
    size = books.store.log_size()
    assert books.trust.restore(distrust_id, "", "a mistake") == [first]
    assert books.trust.restore(0, "bolt", "a mistake") == []
    assert books.store.log_size() == size
    with pytest.raises(NotFound, match="no distrust 99"):
        books.trust.restore(99, "", "a mistake")


def test_requests_that_are_refused(books: Books) -> None:
    """Each says which field."""
    books.add("bolt", 1)
    for partner, since, list_name in (
        ("", NOW, ""),
        ("A b", NOW, ""),
        ("hashsvc", NOW, ""),
        ("*", NOW, ""),
        ("bolt", NOW + timedelta(days=1), ""),
        ("bolt", NOW, "no list"),
        ("bolt", NOW, "hashsvc/test"),
    ):
        with pytest.raises(InvalidRequest):
            books.trust.preview(partner, since, list_name)
    with pytest.raises(NotFound):
        books.trust.preview("bolt", NOW, "acme/none")
    for plan, reason in (("nonsense", "why"), ("1.x", "why"), ("7.", "why"), ("9.a", "")):
        with pytest.raises((InvalidRequest, PreconditionFailed)):
            books.trust.distrust(plan, "bolt", NOW, "", reason)
    for distrust_id, partner, reason in ((0, "", "why"), (1, "bolt", "why"), (1, "", "")):
        with pytest.raises(InvalidRequest):
            books.trust.restore(distrust_id, partner, reason)


def test_records_of_distrust_may_come_in_any_order(store_url: str, tmp_path: Path) -> None:
    """Ahead of what stands before them in the log: the tables are the same in the end."""
    changes: list[Change] = [
        ContributorDistrusted("bolt", 1, "poison", NOW),
        TrustRestored(2, "a mistake", NOW + HOUR),
        ContributorDistrusted("bolt", 5, "poison after all", NOW + 2 * HOUR),
    ]
    log = [Record(i, c, records.encode(c), b"s" * 16) for i, c in enumerate(changes, 2)]
    before: list[Change] = [
        ListDescribed(ListKind.KNOWN, "", ("*",), names_contributors=False, time=NOW),
        EntryAdded(pdq_draft(1), "bolt", NOW),
    ]
    store = Store(store_url)
    outcomes = set()
    for number, order in enumerate(permutations(log)):
        name = f"acme/list-{number}"
        start = [Record(i, c, records.encode(c), b"s" * 16) for i, c in enumerate(before)]
        for record in (*start, *order):
            with store.write() as tx:
                tx.append(name, [record], None, NOW)
                assert tx.changes_trust is (record.place > 1)
        with store.read_distrusts() as rows:
            found = [d for d in rows.find(with_undone=True) if d.list_name == name]
        same = sorted(found, key=lambda one: one.place or 0)
        outcomes.add(tuple(replace(one, id=0, list_name="") for one in same))
    store.close()
    ((one, two),) = outcomes
    assert (one.place, one.undo_time, two.place, two.undo_time) == (2, NOW + HOUR, 4, None)


def test_records_of_incidents_may_come_in_any_order(store_url: str, tmp_path: Path) -> None:
    """So may those that describe the list: what stands last in the log counts."""
    changes: list[Change] = [
        IncidentOpened("drill", "a drill", NOW),
        IncidentConcluded("drill", NOW + HOUR),
        ListDescribed(ListKind.KNOWN, "for some", ("bolt",), names_contributors=False, time=NOW),
        IncidentOpened("drill", "once more", NOW + 2 * HOUR),
        ListDescribed(ListKind.KNOWN, "for one", ("carl",), names_contributors=False, time=NOW),
    ]
    log = [Record(i, c, records.encode(c), b"s" * 16) for i, c in enumerate(changes, 1)]
    first = ListDescribed(ListKind.KNOWN, "", ("*",), names_contributors=False, time=NOW)
    store = Store(store_url)
    for number, order in enumerate(permutations(log)):
        name = f"acme/list-{number}"
        with store.write() as tx:
            tx.append(name, [Record(0, first, records.encode(first), b"s" * 16)], None, NOW)
            for record in order:
                tx.append(name, [record], None, NOW)
        (found,) = store.get_incidents(name, limit=10)
        assert (found.title, found.open_time) == ("once more", NOW + 2 * HOUR)
        assert found.conclude_time is None
        described = store.get_list(name)
        assert described is not None
        assert (described.purpose, described.readers) == ("for one", ("carl",))
    store.close()
