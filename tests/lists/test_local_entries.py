"""Entries with local features: what a list takes, how they are kept, indexed and resembled."""

import base64
import random
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest
import sqlalchemy as sa

from hashsvc import feature_values, features
from hashsvc.errors import InvalidRequest
from hashsvc.lists import canaries, rules
from hashsvc.lists.indexer import Indexer, Place
from hashsvc.lists.logs import ListKeys
from hashsvc.model import (
    Algorithm,
    Entry,
    EntryAdded,
    EntryDraft,
    Fingerprint,
    ListDescribed,
    ListKind,
    MediaType,
)
from hashsvc.store import records
from hashsvc.store.store import Store
from tests.harness import (
    NOW,
    PROPAGANDA,
    check_invariants,
    indexed_codes,
    local_fingerprint,
    pdq_draft,
)
from tests.lists.test_logs import Books, make_old_database

LIST = "acme/known"
PDQ = pdq_draft(1).fingerprints[0]
ONE, OTHER = local_fingerprint(1, 60), local_fingerprint(2, 40)


def image(*fingerprints: Fingerprint) -> EntryDraft:
    """An entry of a picture."""
    return EntryDraft(MediaType.IMAGE, fingerprints, PROPAGANDA)


class LocalBooks(Books):
    """A ledger with a list that takes local features, and the index that follows it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(f"sqlite:///{folder / 'hashsvc.db'}", folder)
        self.indexer = Indexer(self.store, folder / "index", min_pdq_quality=50)

    def places(self, *fingerprints: Fingerprint) -> set[tuple[int, int]]:
        """Entry and number of the local features that searches find."""
        self.indexer.follow()
        found = set()
        for fingerprint in fingerprints:
            hits = self.indexer.search_codes(Algorithm.ORB, indexed_codes(fingerprint), 0)
            places = [Place.of(key) for key in hits.key.tolist()]
            found |= {(one.entry_id, one.ordinal >> features.GEOMETRY_BITS) for one in places}
            assert set(hits.query.tolist()) in (set(), set(range(len(indexed_codes(fingerprint)))))
        return found

    def restart(self) -> None:
        """Open the index as it was saved."""
        self.indexer.close()
        self.indexer = Indexer(self.store, self.folder / "index", min_pdq_quality=50)


@pytest.fixture
def books(tmp_path: Path) -> Iterator[LocalBooks]:
    """Books with one list; at the end their parts must agree."""
    made = LocalBooks(tmp_path)
    made.ledger.create_list(
        LIST, ListKind.KNOWN, "for tests", request_id="list", local_features=True
    )
    yield made
    made.indexer.close()
    made.store.close()
    check_invariants(f"sqlite:///{tmp_path / 'hashsvc.db'}", tmp_path)


def add(books: Books, *drafts: EntryDraft, name: str = LIST) -> list[str]:
    """Add entries, one batch each time."""
    size = books.store.log_size()
    added, _ = books.ledger.add_entries(name, drafts, request_id=f"add at {size}")
    return [one.name for one in added]


def test_they_come_back_to_the_byte(books: LocalBooks) -> None:
    """Beside other fingerprints, in their order, with what is said of each."""
    drafts = [
        image(replace(ONE, variant="shown"), PDQ, OTHER),
        image(ONE),
        EntryDraft(
            MediaType.VIDEO, (replace(ONE, time_ms=0), replace(OTHER, time_ms=9)), PROPAGANDA
        ),
    ]
    for draft, name in zip(drafts, add(books, *drafts), strict=True):
        entry = books.store.get_entry(LIST, int(name.rpartition("#")[2]))
        assert entry is not None
        assert sorted(entry.fingerprints, key=repr) == sorted(draft.fingerprints, key=repr)
        assert len(books.store.known_features(entry_id(books, name))) == sum(
            one.algorithm.is_local for one in draft.fingerprints
        )


def entry_id(books: LocalBooks, name: str) -> int:
    """The id of an entry in the store: the position of its record there."""
    sequence = int(name.rpartition("#")[2])
    with books.store._engine.begin() as connection:
        query = sa.text("SELECT id FROM entries WHERE sequence = :sequence")
        return int(connection.execute(query, {"sequence": sequence}).scalar_one())


def test_the_index_has_them_until_they_are_withdrawn_or_erased(books: LocalBooks) -> None:
    """By the entry and their number in it; and a restart from what was saved has them no more."""
    first, second, third = add(books, image(PDQ, ONE), image(OTHER), image(OTHER, ONE))
    ids = [entry_id(books, name) for name in (first, second, third)]
    assert books.places(ONE) == {(ids[0], 0), (ids[2], 1)}
    assert books.places(OTHER) == {(ids[1], 0), (ids[2], 0)}
    books.indexer.save()
    books.ledger.withdraw_entry(first, "mistake", request_id="w")
    assert books.places(ONE) == {(ids[2], 1)}
    books.ledger.erase_entry(third, "a court says so", request_id="e")
    assert books.places(ONE, OTHER) == {(ids[1], 0)}
    books.restart()
    assert books.places(ONE, OTHER) == {(ids[1], 0)}
    books.indexer.save()
    books.restart()
    assert books.indexer.count(Algorithm.ORB) == len(indexed_codes(OTHER))
    assert books.places(ONE, OTHER) == {(ids[1], 0)}


def test_what_is_held_is_told_by_list_until_the_last_of_it_is_gone(books: LocalBooks) -> None:
    """Before the position tells of it, after a restart too, and only of lists that one may ask."""
    other = "acme/other"
    books.ledger.create_list(other, ListKind.EXEMPTION, "", request_id="2", local_features=True)

    def held() -> tuple[set[Algorithm], ...]:
        books.indexer.follow()
        asked = (None, LIST.__eq__, other.__eq__)
        return tuple(set(books.indexer.held(may_match)) for may_match in asked)

    assert held() == (set(), set(), set())
    (known,) = add(books, image(PDQ, ONE))
    assert held() == ({Algorithm.PDQ, Algorithm.ORB}, {Algorithm.PDQ, Algorithm.ORB}, set())
    first, last = add(books, image(ONE), image(PDQ, OTHER), name=other)
    books.ledger.withdraw_entry(known, "mistake", request_id="w")
    books.ledger.withdraw_entry(last, "mistake", request_id="x")
    books.indexer.save()
    assert held() == ({Algorithm.ORB}, set(), {Algorithm.ORB})
    books.restart()
    assert held() == ({Algorithm.ORB}, set(), {Algorithm.ORB})
    books.ledger.withdraw_entry(first, "mistake", request_id="y")
    assert held() == (set(), set(), set())


def test_the_last_of_as_many_as_an_entry_may_have_is_found(books: LocalBooks) -> None:
    """And gone with the others; its neighbours in the index stay."""
    many = [local_fingerprint(100 + i, 3) for i in range(rules.MAX_LOCAL_PER_ENTRY)]
    before, name, after = add(books, image(ONE), image(*many), image(OTHER))
    assert books.places(many[-1]) == {(entry_id(books, name), rules.MAX_LOCAL_PER_ENTRY - 1)}
    books.ledger.withdraw_entry(name, "mistake", request_id="w")
    assert books.places(many[0], many[-1]) == set()
    assert books.places(ONE, OTHER) == {(entry_id(books, before), 0), (entry_id(books, after), 0)}


def test_features_that_the_index_cannot_tell_apart_are_one(books: LocalBooks) -> None:
    """Those in about one place, of about one size and angle: the first is enough."""
    made = features.unpack(local_fingerprint(7, 50).value)
    small, level = np.full(50, 0.1), np.zeros(50)
    crowd = replace(made, places=made.places / 100, sizes=small, angles=level)
    fingerprint = replace(ONE, value=features.pack(crowd))
    assert len(indexed_codes(fingerprint)) == 1
    (name,) = add(books, image(fingerprint))
    assert books.places(fingerprint) == {(entry_id(books, name), 0)}
    assert books.indexer.count(Algorithm.ORB) == 1


def test_a_list_that_takes_none_says_so(books: LocalBooks) -> None:
    """With the field, and what its owner can do; nothing of the batch is added."""
    books.ledger.create_list("acme/other", ListKind.KNOWN, "", request_id="other")
    with pytest.raises(InvalidRequest) as caught:
        add(books, pdq_draft(2), image(PDQ, ONE), name="acme/other")
    (wrong,) = caught.value.violations
    assert wrong.field == "entries[1].fingerprints[1].algorithm"
    assert "acme/other takes no local features" in wrong.description
    assert "describe --local-features" in wrong.description
    other = books.store.get_list("acme/other")
    assert other is not None
    assert other.active_entries == 0
    books.ledger.update_list("acme/other", {"local_features": True}, request_id="take")
    add(books, image(PDQ, ONE), name="acme/other")
    books.ledger.update_list("acme/other", {"local_features": False}, request_id="no more")
    kept = books.store.get_list("acme/other")
    assert kept is not None
    assert (kept.local_features, kept.active_entries) == (False, 1)
    assert books.places(ONE)


def test_how_many_there_may_be_is_bounded() -> None:
    """256 features in an entry, more in a check, 128 fingerprints of them."""
    known = image(local_fingerprint(1, feature_values.MOST_KNOWN))
    rules.check_drafts([known], NOW)
    with pytest.raises(InvalidRequest) as caught:
        rules.check_drafts([image(PDQ, local_fingerprint(1, feature_values.MOST_KNOWN + 1))], NOW)
    (wrong,) = caught.value.violations
    assert wrong.field == "entries[0].fingerprints[1].value"
    assert wrong.description == "has 257 features, 256 at most"
    rules.check_fingerprints([local_fingerprint(1, feature_values.MOST_ASKED)])
    with pytest.raises(InvalidRequest, match=f" {feature_values.MOST_ASKED:,} at most"):
        rules.check_fingerprints([local_fingerprint(1, feature_values.MOST_ASKED + 1)])
    many = [ONE] * (rules.MAX_LOCAL_PER_ENTRY + 1)
    rules.check_drafts([image(*many[1:])], NOW)
    rules.check_fingerprints(many[1:])
    with pytest.raises(InvalidRequest, match="more than 128 of local features"):
        rules.check_drafts([image(*many)], NOW)
    with pytest.raises(InvalidRequest, match="more than 128 of local features"):
        rules.check_fingerprints(many)
    with pytest.raises(InvalidRequest, match="this one has 32"):
        rules.check_drafts([image(replace(ONE, value=bytes(32)))], NOW)


def written(values: object) -> bytes:
    """A record of an entry with these values of local features, as another program may write it."""
    document = orjson.loads(records.encode(EntryAdded(image(ONE), "acme", NOW)))
    document["entry"]["fingerprints"]["orb"]["values"] = values
    return orjson.dumps(document)


TEXT = base64.b64encode(ONE.value).decode()


@pytest.mark.parametrize(
    "values",
    [
        [],
        [""],
        TEXT,
        [TEXT[:-4]],
        [TEXT + "!"],
        [7],
        [base64.b64encode(local_fingerprint(1, 257).value).decode()],
        [base64.b64encode(bytes(4) + ONE.value[4:]).decode()],
        [TEXT] * 129,
    ],
)
def test_a_damaged_record_is_refused(values: object) -> None:
    """However it is damaged: nothing of it gets in, and nothing breaks."""
    assert rules.read_record(written([TEXT]), 1) == EntryAdded(image(ONE), "acme", NOW)
    assert rules.read_record(written(values), 1) is None


def test_a_list_says_that_it_takes_them_and_others_say_nothing() -> None:
    """So records of lists that take none are to the byte what older versions wrote."""
    takes = ListDescribed(ListKind.KNOWN, "", ("*",), False, NOW, local_features=True)
    assert records.decode(records.encode(takes)) == takes
    none = replace(takes, local_features=False)
    assert records.decode(records.encode(none)) == none
    assert b"local_features" not in records.encode(none)
    wrong = records.encode(takes).replace(b'"local_features":true', b'"local_features":1')
    assert rules.read_record(wrong, 0) is None


def test_a_canary_has_as_many_features_and_matches_nothing() -> None:
    """Of the same sizes, in a picture of the same shape, where the others have theirs."""
    entry = Entry(f"{LIST}#1", MediaType.IMAGE, PROPAGANDA, "acme", (PDQ, ONE, OTHER), NOW, NOW)
    draft = canaries.draft_like(entry, random.Random(1), NOW)
    assert [f.algorithm for f in draft.fingerprints] == [f.algorithm for f in entry.fingerprints]
    rules.check_drafts([draft], NOW)
    for like, made in zip((ONE, OTHER), draft.fingerprints[1:], strict=True):
        one, other = features.unpack(like.value), features.unpack(made.value)
        assert len(one) == len(other)
        assert one.shape == other.shape
        assert np.array_equal(np.sort(one.sizes), np.sort(other.sizes))
        assert (other.places.min(axis=0) >= one.places.min(axis=0)).all()
        assert (other.places.max(axis=0) <= one.places.max(axis=0)).all()
        apart = one.codes.view(np.uint64)[:, None] ^ other.codes.view(np.uint64)[None]
        assert np.bitwise_count(apart).sum(axis=2, dtype=np.int64).min() > 64


def test_a_database_from_before_takes_none(tmp_path: Path) -> None:
    """Its lists and entries stay as they were; its owner can allow them then."""
    path = tmp_path / "hashsvc.db"
    make_old_database(path, "0005")
    key = ListKeys(tmp_path / "keys").first(LIST).verifier.encode()
    with sqlite3.connect(path) as database:
        database.execute("INSERT INTO node VALUES (1, 'abcd', 0)")
        row = (1, LIST, "known", "as it was", 0, 0, 0, '["*"]', False, key)
        database.execute("INSERT INTO lists VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    database.close()
    books = LocalBooks(tmp_path)
    found = books.store.get_list(LIST)
    assert found is not None
    assert (found.purpose, found.local_features) == ("as it was", False)
    books.logs.sign_unsigned(books.store)
    books.ledger.update_list(LIST, {"local_features": True}, request_id="u")
    (name,) = add(books, image(ONE))
    assert books.places(ONE) == {(entry_id(books, name), 0)}
    books.store.close()
    again = Store(f"sqlite:///{path}")
    kept = again.get_list(LIST)
    assert kept is not None
    assert kept.local_features
    again.close()
