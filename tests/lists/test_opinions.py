"""Which records are opinions that count, whatever comes of a log and in whatever order."""

from collections.abc import Iterator, Sequence
from itertools import permutations

import pytest

from hashsvc.model import (
    EVERYONE,
    Algorithm,
    Change,
    Entry,
    EntryAdded,
    ListDescribed,
    ListKind,
    OpinionGiven,
    OpinionKind,
)
from hashsvc.store import records
from hashsvc.store.opinions import Said
from hashsvc.store.projection import Record
from hashsvc.store.store import Store
from hashsvc.store.transaction import Growth
from tests.harness import NOW, pdq_draft

ENTRY, ENTRY_ID = "acme/known#1", 2
CONFIRM, DISPUTE = OpinionKind.CONFIRM, OpinionKind.DISPUTE


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A store with a list of acme's, in which bolt asserts an entry."""
    made = Store(store_url)
    append(made, "acme/known", ListKind.KNOWN, [EntryAdded(pdq_draft(1), "bolt", NOW)])
    yield made
    made.close()


def append(
    store: Store, name: str, kind: ListKind, log: Sequence[Change], order: Sequence[int] = ()
) -> None:
    """Take a list in as its followers do: what describes it, then the rest in any order."""
    changes = [ListDescribed(kind, "", EVERYONE, False, NOW), *log]
    made = [Record(i, one, records.encode(one), bytes(16)) for i, one in enumerate(changes)]
    growth = Growth(len(made), (), b"", "key")
    for some in ([made[0]], *([made[i]] for i in order or range(1, len(made)))):
        with store.write() as tx:
            tx.append(name, some, growth, NOW)


def said(store: Store) -> Said:
    """What counts of what is said of the entry: the same for who reads it and for a match."""
    found = store.opinions.of([entry(store)]).get(ENTRY, ())
    (known,) = store.known_entries([ENTRY_ID]).values()
    assert known.opinions == found
    return found


def entry(store: Store) -> Entry:
    """The entry."""
    found = store.get_entry("acme/known", 1)
    assert found is not None
    return found


def opinion(kind: OpinionKind = CONFIRM) -> OpinionGiven:
    """An opinion on the entry."""
    return OpinionGiven(ENTRY, kind, "", NOW)


def test_only_lists_of_opinions_hold_opinions(store: Store) -> None:
    """By kind and by name, so that a partner has one voice."""
    for name, kind in (
        ("eve/feedback", ListKind.KNOWN),
        ("eve/another", ListKind.FEEDBACK),
        ("eve/third", ListKind.EXEMPTION),
    ):
        append(store, name, kind, [opinion()])
    assert said(store) == ()
    append(store, "nix/feedback", ListKind.FEEDBACK, [opinion()])
    assert said(store) == (("nix/feedback", CONFIRM),)


def test_nobody_confirms_itself(store: Store) -> None:
    """Neither who asserts the entry nor whose list it is in, whatever their logs say."""
    for partner in ("acme", "bolt", "eve"):
        append(store, f"{partner}/feedback", ListKind.FEEDBACK, [opinion()])
    assert said(store) == (("eve/feedback", CONFIRM),)
    listed = store.opinions.of_list(
        "acme/known", after=(0, 0), limit=9, viewer=None, is_visible=lambda *_: True
    )
    told = store.opinions.history(
        "acme/known", 1, after=(0, 0), limit=9, viewer=None, is_visible=lambda *_: True
    )
    assert [one.partner for _, one in listed] == [one.partner for _, one in told] == ["eve"]


def test_entries_in_a_list_of_opinions_do_not_count(store: Store) -> None:
    """They match nothing; the records are kept as they came."""
    log: list[Change] = [EntryAdded(pdq_draft(2), "eve", NOW), opinion()]
    append(store, "eve/feedback", ListKind.FEEDBACK, log)
    assert store.get_entry("eve/feedback", 1) is None
    hash_list = store.get_list("eve/feedback")
    assert hash_list is not None
    assert (hash_list.active_entries, hash_list.size) == (0, 3)
    changes = store.index_changes(0, 100)
    assert [(row.list_id, row.algorithm) for row in changes.added] == [(1, Algorithm.PDQ)]
    assert len(store.logs.list_records("eve/feedback", 0, 9)) == 3
    assert said(store) == (("eve/feedback", CONFIRM),)


@pytest.mark.parametrize("order", list(permutations((1, 2, 3))))
def test_the_latest_place_counts_whenever_it_came(store: Store, order: Sequence[int]) -> None:
    """A record ahead of its turn is not undone by one that stands before it."""
    log = [opinion(CONFIRM), opinion(OpinionKind.SEEN), opinion(DISPUTE)]
    append(store, "eve/feedback", ListKind.FEEDBACK, log, order)
    assert said(store) == (("eve/feedback", DISPUTE),)


def test_opinions_may_come_before_the_entry(store: Store) -> None:
    """They are not told until it is there."""
    of_second = OpinionGiven("acme/known#2", DISPUTE, "", NOW)
    append(store, "eve/feedback", ListKind.FEEDBACK, [of_second])

    def listed() -> list[str]:
        found = store.opinions.of_list(
            "acme/known", after=(0, 0), limit=9, viewer=None, is_visible=lambda *_: True
        )
        return [one.entry for _, one in found]

    assert listed() == []
    added = EntryAdded(pdq_draft(2), "acme", NOW)
    with store.write() as tx:
        body = records.encode(added)
        tx.append("acme/known", [Record(2, added, body, bytes(16))], None, NOW)
    assert listed() == ["acme/known#2"]


def test_pages_go_on_where_they_ended(store: Store) -> None:
    """In the order of numbers, not of texts, whatever the database's order of texts is."""
    added = [EntryAdded(pdq_draft(i), "acme", NOW) for i in range(11)]
    append(store, "acme/more", ListKind.KNOWN, added)
    names = [f"acme/more#{i}" for i in range(1, 12)]
    for partner in ("eve", "bolt"):
        log = [OpinionGiven(name, DISPUTE, "", NOW) for name in reversed(names)]
        append(store, f"{partner}/feedback", ListKind.FEEDBACK, [opinion(), *log])
    after, found = (0, 0), []
    while some := store.opinions.of_list(
        "acme/more", after=after, limit=3, viewer=None, is_visible=lambda *_: True
    ):
        found += [(one.entry, one.partner) for _, one in some]
        after = some[-1][0]
    assert found == [(name, who) for name in names for who in ("eve", "bolt")]
