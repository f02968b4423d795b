"""Records and messages lose nothing on their way."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashsvc import translate
from hashsvc.lists import rules
from hashsvc.model import (
    EVERYONE,
    Algorithm,
    Change,
    Description,
    EntryAdded,
    EntryAmended,
    EntryDraft,
    EntryWithdrawn,
    Fingerprint,
    ListDescribed,
    ListKind,
    MediaType,
    OpinionGiven,
    OpinionKind,
)
from hashsvc.store import records
from hashsvc.store.projection import Record
from hashsvc.store.store import Store
from tests.harness import NOW, PROPAGANDA, pdq_draft
from tests.strategies import descriptions, drafts, fingerprints, texts, times


def in_record_order(draft: EntryDraft) -> EntryDraft:
    """Return a draft as the ledger orders it."""
    return replace(draft, fingerprints=tuple(sorted(draft.fingerprints, key=lambda f: f.algorithm)))


@given(drafts(), texts, times)
def test_an_added_record_decodes_to_what_it_was(
    draft: EntryDraft, contributor: str, time: datetime
) -> None:
    """And its bytes are the same when made again."""
    change = EntryAdded(in_record_order(draft), contributor, time)
    body = records.encode(change)
    assert records.decode(body) == change
    assert records.encode(records.decode(body)) == body


@given(st.integers(1, 2**62), descriptions, texts, times)
def test_other_records_decode_to_what_they_were(
    sequence: int, description: Description, reason: str, time: datetime
) -> None:
    """Amendments, withdrawals and opinions."""
    opinions = [OpinionGiven("acme/known#7", kind, reason, time) for kind in OpinionKind]
    changes: list[Change] = [
        *opinions,
        EntryAmended(sequence, description, time),
        EntryWithdrawn(sequence, reason, time),
    ]
    for change in changes:
        assert records.decode(records.encode(change)) == change


def test_records_are_readable_json() -> None:
    """Anyone who audits a list can read it."""
    body = records.encode(EntryAdded(pdq_draft(bytes(32)), "acme", NOW))
    assert orjson.loads(body) == {
        "v": 1,
        "kind": "added",
        "time": "2026-11-22T12:00:00.000000Z",
        "contributor": "acme",
        "entry": {
            "media_type": "image",
            "description": {"basis": "platform_moderation", "labels": ["propaganda"]},
            "fingerprints": {"pdq": {"values": "A" * 43 + "=", "quality": [100]}},
        },
    }


@pytest.mark.parametrize(
    "wrong", [b'{"v":2}', b'{"v":1,"kind":"else","time":"2026-01-01T00:00Z"}', b"x"]
)
def test_unknown_records_are_refused(wrong: bytes) -> None:
    """A newer node's record is not guessed at."""
    with pytest.raises(ValueError, match=r"version|kind|unexpected"):
        records.decode(wrong)


def added(description: dict[str, Any]) -> bytes:
    """A record of an entry of which this is said, as some other program might write it."""
    document = orjson.loads(records.encode(EntryAdded(pdq_draft(1), "acme", NOW)))
    document["entry"]["description"] |= description
    return orjson.dumps(document)


def said(body: bytes) -> Description:
    """What a record says of its entry."""
    change = records.decode(body)
    assert isinstance(change, EntryAdded)
    return change.draft.description


def test_entries_that_say_the_same_share_what_is_said() -> None:
    """But a text of any length from a stranger is not kept, and what differs is told apart."""
    assert said(added({"note": "same"})) is said(added({"note": "same"}))
    assert said(added({"note": "same"})) != said(added({"note": "other"}))
    large = added({"note": "n" * 2_000})
    assert said(large) == said(large)
    assert said(large) is not said(large)


def test_what_a_description_has_beside_is_not_looked_at() -> None:
    """However deep it is, so that all versions come to the same answer."""
    text = added({"more": 1}).replace(b'"more":1', b'"more":' + b"[" * 400 + b"]" * 400)
    assert said(text) == PROPAGANDA


@pytest.mark.parametrize(
    "wrong",
    [
        {"basis": "hearsay"},
        {"basis": []},
        {"severity": 9},
        {"severity": "3"},
        {"labels": "propaganda"},
        {"expire_time": 1},
    ],
)
def test_a_description_that_breaks_its_form_makes_no_record(wrong: dict[str, Any]) -> None:
    """The first time and the next."""
    for _ in range(2):
        with pytest.raises(ValueError, match=r"no record|not of type|isoformat"):
            records.decode(added(wrong))


@given(drafts())
def test_an_entry_survives_the_proto(draft: EntryDraft) -> None:
    """Both ways, every field."""
    assert translate.draft_from_proto(translate.draft_to_proto(draft), "entry") == draft


@given(drafts())
def test_what_the_strategies_make_is_allowed(draft: EntryDraft) -> None:
    """Else the tests above would test what cannot be."""
    description = replace(draft.description, expire_time=None)
    rules.check_drafts([replace(draft, description=description)], NOW)


@given(st.lists(fingerprints(), min_size=1, max_size=4))
def test_the_order_of_fingerprints_does_not_make_an_entry_new(
    values: list[Fingerprint],
) -> None:
    """Nor do qualities or descriptions; values do."""
    draft = EntryDraft(MediaType.IMAGE, tuple(values), PROPAGANDA)
    turned = EntryDraft(MediaType.IMAGE, tuple(reversed(values)), Description())
    assert records.fingerprint_digest(draft) == records.fingerprint_digest(turned)
    more = Fingerprint(Algorithm.SHA1, bytes(20), variant="another")
    other = replace(draft, fingerprints=(*draft.fingerprints, more))
    assert records.fingerprint_digest(draft) != records.fingerprint_digest(other)


@settings(max_examples=25, deadline=None)
@given(draft=drafts())
def test_an_entry_survives_the_store(
    draft: EntryDraft, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The tables give back what the record says."""
    folder: Path = tmp_path_factory.mktemp("store")
    store = Store(f"sqlite:///{folder / 'hashsvc.db'}")
    try:
        draft = in_record_order(draft)
        change = EntryAdded(draft, "acme", NOW)
        described = ListDescribed(ListKind.KNOWN, "", EVERYONE, False, NOW)
        log = [
            Record(place, one, records.encode(one), bytes(16))
            for place, one in enumerate[Change]((described, change))
        ]
        with store.write() as tx:
            tx.append("acme/known", log, None, NOW)
        entry = store.get_entry("acme/known", 1)
        assert entry is not None
        assert EntryDraft(entry.media_type, entry.fingerprints, entry.description) == draft
    finally:
        store.close()
