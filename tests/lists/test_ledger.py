"""The ledger: changes are whole, durable, repeatable, and in the order of the log."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hashsvc.config import Limits
from hashsvc.errors import (
    AlreadyExists,
    InvalidRequest,
    LimitExceeded,
    NotFound,
    PreconditionFailed,
)
from hashsvc.lists.indexer import Indexer
from hashsvc.lists.ledger import Ledger
from hashsvc.lists.logs import ListKeys, SignedLogs
from hashsvc.lists.readers import Readers
from hashsvc.model import (
    Algorithm,
    Description,
    EntryDraft,
    Fingerprint,
    ListKind,
    MediaType,
    Severity,
)
from hashsvc.store.store import Store
from tests.harness import NOW, PROPAGANDA, check_invariants, pdq_draft


class Books:
    """A ledger with its store and index."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.store = Store(url)
        self.indexer = Indexer(self.store, folder, min_pdq_quality=50)
        self.now = NOW
        self.ledger = Ledger(
            self.store,
            limits=Limits(max_batch_entries=10, max_batch_fingerprints=30),
            min_pdq_quality=50,
            logs=SignedLogs(ListKeys(folder / "keys")),
            readers=Readers(),
            follow=self.indexer.follow,
            now=lambda: self.now,
        )
        self.ledger.create_list("acme/known", ListKind.KNOWN, "for tests", request_id="list")

    def hits(self, draft: EntryDraft) -> int:
        """Count what a search for a draft's first fingerprint finds."""
        fingerprint = draft.fingerprints[0]
        return len(self.indexer.search(fingerprint.algorithm, [fingerprint.value], 31))


@pytest.fixture
def books(store_url: str, tmp_path: Path) -> Iterator[Books]:
    """Books on each database; at the end their parts must agree."""
    made = Books(store_url, tmp_path / "index")
    yield made
    made.store.close()
    check_invariants(store_url, tmp_path)


def test_added_entries_are_named_by_their_place_in_the_log(books: Books) -> None:
    """Sequences count the list's records, so withdrawals leave gaps between entries."""
    added, position = books.ledger.add_entries(
        "acme/known", [pdq_draft(1), pdq_draft(2)], request_id="a"
    )
    assert [entry.name for entry in added] == ["acme/known#1", "acme/known#2"]
    assert position == 3
    books.ledger.withdraw_entry("acme/known#1", "mistake", request_id="b")
    added, position = books.ledger.add_entries("acme/known", [pdq_draft(3)], request_id="c")
    assert added[0].name == "acme/known#4"
    assert position == 5


def test_acknowledged_means_matchable_and_withdrawn_means_gone(books: Books) -> None:
    """The index has followed when a call returns."""
    books.ledger.add_entries("acme/known", [pdq_draft(1)], request_id="a")
    assert books.hits(pdq_draft(1)) == 1
    books.ledger.withdraw_entry("acme/known#1", "mistake", request_id="b")
    assert books.hits(pdq_draft(1)) == 0


def test_a_repeated_request_gives_the_first_answer(books: Books) -> None:
    """Nothing is added twice, whatever happened since."""
    first = books.ledger.add_entries("acme/known", [pdq_draft(1)], request_id="a")
    books.ledger.withdraw_entry("acme/known#1", "mistake", request_id="b")
    assert books.ledger.add_entries("acme/known", [pdq_draft(1)], request_id="a") == first
    entry, position = books.ledger.withdraw_entry("acme/known#1", "mistake", request_id="b")
    assert (entry.withdraw_reason, position) == ("mistake", 3)


def test_a_request_id_cannot_be_used_for_something_else(books: Books) -> None:
    """The same id with other content is refused, across methods too."""
    books.ledger.add_entries("acme/known", [pdq_draft(1)], request_id="a")
    with pytest.raises(InvalidRequest) as caught:
        books.ledger.add_entries("acme/known", [pdq_draft(2)], request_id="a")
    assert caught.value.reason == "REQUEST_ID_REUSED"
    with pytest.raises(InvalidRequest):
        books.ledger.withdraw_entry("acme/known#1", "mistake", request_id="a")


def test_request_ids_are_forgotten_after_their_retention(books: Books) -> None:
    """Then the same id is a new request."""
    books.ledger.add_entries("acme/known", [pdq_draft(1)], request_id="a")
    books.now += timedelta(days=31)
    books.ledger.forget_old_requests()
    added, _ = books.ledger.add_entries("acme/known", [pdq_draft(2)], request_id="a")
    assert added[0].name == "acme/known#2"


def test_media_already_in_the_list_is_not_added_again(books: Books) -> None:
    """Neither in a later batch nor within one; after a withdrawal it is."""
    books.ledger.add_entries("acme/known", [pdq_draft(1)], request_id="a")
    added, _ = books.ledger.add_entries(
        "acme/known", [pdq_draft(2), pdq_draft(1), pdq_draft(2)], request_id="b"
    )
    assert [(entry.name, entry.already_present) for entry in added] == [
        ("acme/known#2", False),
        ("acme/known#1", True),
        ("acme/known#2", True),
    ]
    books.ledger.withdraw_entry("acme/known#1", "mistake", request_id="c")
    added, _ = books.ledger.add_entries("acme/known", [pdq_draft(1)], request_id="d")
    assert not added[0].already_present


def test_one_bad_entry_refuses_the_batch_and_is_named(books: Books) -> None:
    """All wrong fields are told at once; nothing is applied."""
    bad = replace(pdq_draft(b"short"), description=Description(labels=("Not A Label",), basis=None))
    with pytest.raises(InvalidRequest) as caught:
        books.ledger.add_entries("acme/known", [pdq_draft(1), bad], request_id="a")
    assert [violation.field for violation in caught.value.violations] == [
        "entries[1].fingerprints[0].value",
        "entries[1].labels[0]",
        "entries[1].basis",
    ]
    assert books.store.log_size() == 1
    added, _ = books.ledger.add_entries("acme/known", [pdq_draft(1)], request_id="a")
    assert added[0].name == "acme/known#1"


def test_batches_past_a_limit_are_refused(books: Books) -> None:
    """Entries and fingerprints are both bounded, and the error names the limit."""
    with pytest.raises(LimitExceeded) as caught:
        books.ledger.add_entries("acme/known", [pdq_draft(i) for i in range(11)], request_id="a")
    assert caught.value.metadata == {"limit": "max_batch_entries", "maximum": "10"}
    frames = tuple(Fingerprint(Algorithm.PDQ, bytes(32), time_ms=i) for i in range(31))
    with pytest.raises(LimitExceeded) as caught:
        books.ledger.add_entries(
            "acme/known", [EntryDraft(MediaType.VIDEO, frames, PROPAGANDA)], request_id="a"
        )
    assert caught.value.metadata["limit"] == "max_batch_fingerprints"


def test_what_is_not_there_is_not_found(books: Books) -> None:
    """Lists and entries each have their reason."""
    with pytest.raises(NotFound) as caught:
        books.ledger.add_entries("acme/other", [pdq_draft(1)], request_id="a")
    assert caught.value.reason == "LIST_NOT_FOUND"
    with pytest.raises(NotFound) as caught:
        books.ledger.withdraw_entry("acme/known#1", "mistake", request_id="a")
    assert caught.value.reason == "ENTRY_NOT_FOUND"


def test_a_list_is_made_once(books: Books) -> None:
    """A taken name is refused; malformed and reserved ones too."""
    with pytest.raises(AlreadyExists):
        books.ledger.create_list("acme/known", ListKind.KNOWN, "", request_id="a")
    for name in ("known", "Acme/known", "acme/", "acme/known/x", "hashsvc/mine", "a" * 64 + "/b"):
        with pytest.raises(InvalidRequest):
            books.ledger.create_list(name, ListKind.KNOWN, "", request_id="b")


def test_amending_sets_only_the_named_fields(books: Books) -> None:
    """The rest, and the fingerprints, stay."""
    books.ledger.add_entries("acme/known", [pdq_draft(1)], request_id="a")
    amendment = Description(severity=Severity.HIGH, note="seen again", labels=("ignored",))
    entry, _ = books.ledger.amend_entry(
        "acme/known#1", amendment, ["severity", "note"], request_id="b"
    )
    assert entry.description == replace(PROPAGANDA, severity=Severity.HIGH, note="seen again")
    assert entry.fingerprints == pdq_draft(1).fingerprints
    assert books.hits(pdq_draft(1)) == 1
    with pytest.raises(InvalidRequest) as caught:
        books.ledger.amend_entry("acme/known#1", Description(), ["basis"], request_id="c")
    assert caught.value.violations[0].field == "entry.basis"


def test_a_withdrawn_entry_stays_withdrawn(books: Books) -> None:
    """It can neither be amended nor withdrawn again."""
    books.ledger.add_entries("acme/known", [pdq_draft(1)], request_id="a")
    books.ledger.withdraw_entry("acme/known#1", "mistake", request_id="b")
    with pytest.raises(PreconditionFailed):
        books.ledger.withdraw_entry("acme/known#1", "again", request_id="c")
    with pytest.raises(PreconditionFailed):
        books.ledger.amend_entry("acme/known#1", PROPAGANDA, ["note"], request_id="d")


def test_an_expired_entry_can_still_be_amended(books: Books) -> None:
    """Only a new expiry must lie in the future."""
    description = replace(PROPAGANDA, expire_time=NOW + timedelta(days=1))
    books.ledger.add_entries("acme/known", [pdq_draft(1, description)], request_id="a")
    books.now += timedelta(days=2)
    entry, _ = books.ledger.amend_entry(
        "acme/known#1", Description(note="late"), ["note"], request_id="b"
    )
    assert entry.description.note == "late"
    with pytest.raises(InvalidRequest):
        books.ledger.amend_entry("acme/known#1", description, ["expire_time"], request_id="c")


def test_plain_pictures_are_kept_but_cannot_match(books: Books) -> None:
    """The answer says so."""
    added, _ = books.ledger.add_entries(
        "acme/known", [pdq_draft(1, quality=49), pdq_draft(2, quality=50)], request_id="a"
    )
    assert [entry.matchable for entry in added] == [False, True]
    assert (books.hits(pdq_draft(1)), books.hits(pdq_draft(2))) == (0, 1)


def test_a_new_index_from_the_log_is_the_live_one(books: Books, tmp_path: Path) -> None:
    """Start, catch-up and recovery are one routine."""
    for i in range(5):
        books.ledger.add_entries("acme/known", [pdq_draft(i)], request_id=f"a{i}")
    books.ledger.withdraw_entry("acme/known#2", "mistake", request_id="b")
    fresh = Indexer(books.store, tmp_path / "other", min_pdq_quality=50)
    fresh.follow()
    assert (fresh.position, len(fresh)) == (books.indexer.position, len(books.indexer)) == (7, 4)


def test_writers_take_turns(books: Books) -> None:
    """Batches from many threads are all in, each whole, without a gap."""
    barrier = threading.Barrier(4)

    def write(number: int) -> None:
        barrier.wait()
        for i in range(5):
            drafts = [pdq_draft(number * 100 + i * 2), pdq_draft(number * 100 + i * 2 + 1)]
            books.ledger.add_entries("acme/known", drafts, request_id=f"{number}-{i}")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert books.store.log_size() == 41
    assert len(books.indexer) == 40


def test_an_erased_entry_leaves_its_name(books: Books) -> None:
    """It matches no more, the index can be made anew, and its media may be added again."""
    books.ledger.add_entries("acme/known", [pdq_draft(1), pdq_draft(2)], request_id="a")
    amendment = Description(note="more")
    books.ledger.amend_entry("acme/known#1", amendment, ["note"], request_id="b")
    entry, position = books.ledger.erase_entry("acme/known#1", "order", request_id="c")
    assert (entry.is_erased, entry.fingerprints, entry.description) == (True, (), Description())
    assert books.ledger.erase_entry("acme/known#1", "order", request_id="d") == (entry, position)
    assert [books.hits(pdq_draft(number)) for number in (1, 2)] == [0, 1]
    kept = [r.place for r in books.store.logs.held_records("acme/known", 0, 10)]
    assert kept == [0, 2, 4]
    with pytest.raises(InvalidRequest, match="used before"):
        books.ledger.add_entries("acme/known", [pdq_draft(1), pdq_draft(2)], request_id="a")
    added, _ = books.ledger.add_entries("acme/known", [pdq_draft(1)], request_id="e")
    assert added[0].name == "acme/known#5"
    with pytest.raises(NotFound):
        books.ledger.erase_entry("acme/known#9", "order", request_id="f")
