"""Lists and entries through gRPC."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest

from hashsvc.model import Algorithm, Basis, Decoding, EntryDraft, Fingerprint, MediaType, Severity
from hashsvc.rpc import lists
from hashsvc.v1 import list_service_pb2 as pb
from hashsvc.v1 import types_pb2
from hashsvc_client import Client, Description, LimitReached, RequestRefused
from tests.harness import check_invariants, pdq_draft, running_node

FULL = EntryDraft(
    MediaType.VIDEO,
    (
        Fingerprint(Algorithm.PDQ, bytes(range(32)), quality=80, time_ms=0),
        Fingerprint(
            Algorithm.PDQ,
            bytes(32),
            quality=0,
            time_ms=1040,
            decoding=Decoding.FAST,
            variant="mirrored",
        ),
        Fingerprint(Algorithm.SHA256, bytes(32)),
    ),
    Description(
        labels=("recruitment", "livestream"),
        entities=("QDe.004", "an organisation"),
        basis=Basis.REMOVAL_ORDER,
        severity=Severity.CRITICAL,
        incident="2026-11-example",
        expire_time=datetime(2036, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        note="seen on two platforms — “quoted”",
    ),
)


def test_an_entry_comes_back_as_it_went_in(node: str) -> None:
    """Every field, through proto, record and tables."""
    with Client(node) as client:
        client.create_list("acme/known")
        (added,) = client.add_entries("acme/known", [FULL]).entries
        entry = client.get_entry(added.name)
    assert (entry.media_type, entry.fingerprints, entry.description) == (
        FULL.media_type,
        FULL.fingerprints,
        FULL.description,
    )
    assert entry.contributor == "acme"
    assert entry.create_time == entry.update_time
    assert entry.withdraw_time is None


def test_entries_are_listed_in_pages(node: str) -> None:
    """In order, without gaps or repeats, withdrawn ones on request."""
    with Client(node) as client:
        client.create_list("acme/known")
        client.add_entries("acme/known", [pdq_draft(i) for i in range(250)])
        client.withdraw_entry("acme/known#2", "mistake")
        names = [entry.name for entry in client.entries("acme/known")]
        assert names == [f"acme/known#{i}" for i in range(1, 251) if i != 2]
        everything = list(client.entries("acme/known", show_withdrawn=True))
        assert len(everything) == 250
        assert everything[1].withdraw_reason == "mistake"
        assert not everything[0].fingerprints
        first = next(iter(client.entries("acme/known", show_fingerprints=True)))
        assert first.fingerprints == pdq_draft(0).fingerprints


def test_pages_end_before_they_are_too_large(node: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With fingerprints an entry may take a megabyte: a page then has fewer, one at least."""
    with Client(node) as client:
        client.create_list("acme/known")
        client.add_entries("acme/known", [pdq_draft(i) for i in range(9)])
        request = pb.ListEntriesRequest(list="acme/known", show_fingerprints=True)
        size = client._lists.ListEntries(request).entries[0].ByteSize()
        for room, count in ((1, 1), (3 * size + size // 2, 3)):
            monkeypatch.setattr(lists, "_PAGE_BYTES", room)
            page = client._lists.ListEntries(request)
            assert (len(page.entries), bool(page.next_page_token)) == (count, True)
            found = client.entries("acme/known", show_fingerprints=True)
            assert [entry.sequence for entry in found] == list(range(1, 10))


def test_page_tokens_are_good_for_their_method_only(node: str) -> None:
    """Forged and foreign ones are refused."""
    with Client(node) as client:
        for name in ("acme/known", "acme/other"):
            client.create_list(name)
        lists = client._lists
        token = lists.ListLists(pb.ListListsRequest(page_size=1)).next_page_token
        assert token
        page = lists.ListLists(pb.ListListsRequest(page_size=1, page_token=token))
        assert [hash_list.name for hash_list in page.lists] == ["acme/other"]
        for wrong in (token, "%%%", "YWJj", "ZW50cmllcy9hY21lL2tub3duCmFiYw=="):
            request = pb.ListEntriesRequest(list="acme/known", page_token=wrong)
            with pytest.raises(grpc.RpcError) as caught:
                lists.ListEntries(request)
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_refused_batch_ends_the_stream_and_leaves_the_others(node: str) -> None:
    """What was answered is in; the bad batch and all after it are not."""

    def batches() -> Iterator[list[EntryDraft]]:
        yield [pdq_draft(1)]
        yield [pdq_draft(2), replace(pdq_draft(3), description=Description())]
        yield [pdq_draft(4)]

    with Client(node) as client:
        client.create_list("acme/known")
        answers = client.add_batches("acme/known", batches())
        assert next(answers).entries[0].name == "acme/known#1"
        with pytest.raises(RequestRefused) as caught:
            next(answers)
        assert caught.value.violations[0].field == "entries[1].labels"
        assert caught.value.metadata["request_id"]
        assert client.get_list("acme/known").size == 2


def test_an_error_of_the_source_is_raised_after_what_was_sent(node: str) -> None:
    """A bad CSV line does not lose the batches before it."""

    def batches() -> Iterator[list[EntryDraft]]:
        yield [pdq_draft(1)]
        raise ValueError("line 2 is wrong")

    with Client(node) as client:
        client.create_list("acme/known")
        answers = client.add_batches("acme/known", batches())
        assert next(answers).entries[0].name == "acme/known#1"
        with pytest.raises(ValueError, match="line 2"):
            next(answers)


def test_amendments_and_their_mask(node: str) -> None:
    """A masked empty field is cleared; what is no field is refused."""
    with Client(node) as client:
        client.create_list("acme/known")
        client.add_entries("acme/known", [FULL])
        entry = client.amend_entry("acme/known#1", Description(), ["note", "expire_time"])
        assert entry.description == replace(FULL.description, note="", expire_time=None)
        for fields in ([], ["fingerprints"], ["note", "name"]):
            with pytest.raises(RequestRefused) as caught:
                client.amend_entry("acme/known#1", Description(), fields)
            assert caught.value.violations[0].field == "update_mask"


def test_unknown_enum_values_are_refused_by_field(node: str) -> None:
    """A newer client's values are not guessed at."""
    good = types_pb2.Entry(
        media_type=types_pb2.MEDIA_TYPE_IMAGE, labels=["propaganda"], basis=types_pb2.BASIS_RESEARCH
    )
    good.fingerprints.add(algorithm=types_pb2.ALGORITHM_MD5, value=bytes(16))
    cases = {
        "entries[0].media_type": {"media_type": 77},
        "entries[0].basis": {"basis": 77},
        "entries[0].severity": {"severity": 77},
    }
    with Client(node) as client:
        client.create_list("acme/known")
        for field, change in cases.items():
            entry = types_pb2.Entry()
            entry.CopyFrom(good)
            for name, value in change.items():
                setattr(entry, name, value)
            request = pb.AddEntriesRequest(request_id=field, list="acme/known", entries=[entry])
            with pytest.raises(grpc.RpcError, match=field.replace("[", r"\[")) as caught:
                next(iter(client._lists.AddEntries(iter([request]))))
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert client.get_list("acme/known").size == 1


def test_names_and_ids_that_are_malformed(node: str) -> None:
    """Each is refused with its field."""
    with Client(node) as client:
        for call, field in (
            (lambda: client.create_list("no-slash"), "list.name"),
            (lambda: client.get_list("A/b"), "name"),
            (lambda: client.get_entry("acme/known"), "name"),
            (lambda: client.withdraw_entry("acme/known#0", "x"), "name"),
            (lambda: client.withdraw_entry("acme/known#1", " "), "reason"),
            (lambda: client.create_list("acme/known", request_id="x" * 129), "request_id"),
            (lambda: client.create_list("hashsvc/known"), "list.name"),
            (lambda: client.withdraw_entry("hashsvc/test#1", "x"), "name"),
        ):
            with pytest.raises(RequestRefused) as caught:
                call()
            assert caught.value.violations[0].field == field


def test_message_size_is_limited(tmp_path: Path) -> None:
    """gRPC itself refuses what is larger than the node takes."""
    limits = {"max_message_bytes": 100_000}
    with running_node(tmp_path, limits=limits) as node, Client(node) as client:
        client.create_list("acme/known")
        with pytest.raises(LimitReached):
            client.add_entries("acme/known", [pdq_draft(i) for i in range(2_000)])
        client.add_entries("acme/known", [pdq_draft(1)])


def test_a_restart_finds_everything(tmp_path: Path) -> None:
    """Lists, entries, their state, and the index."""
    data = tmp_path / "data"
    with running_node(data) as node, Client(node) as client:
        client.create_list("acme/known", purpose="for tests")
        client.add_entries("acme/known", [FULL, pdq_draft(1), pdq_draft(2)])
        client.withdraw_entry("acme/known#3", "mistake")
        before = list(client.entries("acme/known", show_withdrawn=True, show_fingerprints=True))
        builtin = client.get_list("hashsvc/test")
    check_invariants(f"sqlite:///{data / 'hashsvc.db'}", tmp_path)
    with running_node(data) as node, Client(node) as client:
        after = list(client.entries("acme/known", show_withdrawn=True, show_fingerprints=True))
        assert after == before
        assert client.get_list("hashsvc/test") == builtin
        assert client.check(pdq_draft(1).fingerprints).total_matches == 1
        assert client.check(pdq_draft(2).fingerprints).total_matches == 0
