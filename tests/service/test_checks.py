"""Checks through gRPC, with the Python clients: one node, real media."""

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from hashsvc import testpattern
from hashsvc.model import Action, Algorithm, Fingerprint, MediaType, Outcome, UndeterminedReason
from hashsvc_client import (
    AsyncClient,
    Client,
    ClientError,
    EntryDraft,
    LimitReached,
    MediaFingerprints,
    RequestRefused,
)
from tests.harness import PROPAGANDA, flip, pdq_draft, running_node


def picture(fingerprints: tuple[Fingerprint, ...]) -> MediaFingerprints:
    """Return an upload of an image."""
    return MediaFingerprints(MediaType.IMAGE, "jpeg", 10, 10, None, fingerprints)


def test_the_test_pattern_matches_on_a_new_node(node: str) -> None:
    """Hashed here and by the node, with its built-in entry."""
    with Client(node) as client:
        for send_media in (False, True):
            verdict = client.check_file(testpattern.PATH, send_media=send_media)
            assert verdict.outcome is Outcome.MATCH
            assert verdict.action is Action.REVIEW
            assert [match.list_name for match in verdict.matches] == ["hashsvc/test"]
            assert verdict.matches[0].description.labels == ("test_pattern",)


def test_the_test_patterns_constants_are_those_of_its_file() -> None:
    """The entry is what hashing the shipped file gives."""
    from hashsvc.media import fingerprint_file

    found = fingerprint_file(testpattern.PATH).fingerprints
    assert sorted(found, key=lambda f: f.algorithm) == list(testpattern.FINGERPRINTS)


def test_altered_copies_match_and_other_pictures_do_not(node: str, shared_media: Path) -> None:
    """Whether the hashes are made here or by the node."""
    from hashsvc.media import fingerprint_file

    known = shared_media / "images" / "kodak_1.jpg"
    with Client(node) as client:
        client.create_list("acme/known")
        found = fingerprint_file(known)
        client.add_entries(
            "acme/known", [EntryDraft(found.media_type, found.fingerprints, PROPAGANDA)]
        )
        copy = BytesIO()
        with Image.open(known) as image:
            image.resize((400, 260)).save(copy, "JPEG", quality=40)
        verdict = client.check_media(BytesIO(copy.getvalue()))
        assert verdict.outcome is Outcome.MATCH
        assert verdict.matches[0].algorithm is Algorithm.PDQ
        assert 0 < (verdict.matches[0].distance or 0) <= 31
        other = shared_media / "images" / "kodak_2.jpg"
        assert client.check_file(other).outcome is Outcome.NO_MATCH
        assert client.check_file(other, send_media=True).outcome is Outcome.NO_MATCH


def test_a_verdict_never_carries_a_known_value(node: str) -> None:
    """Neither in a field nor anywhere else in the bytes of the answer."""
    from hashsvc import translate_match
    from hashsvc.v1 import match_service_pb2

    value = pdq_draft(1).fingerprints[0].value
    with Client(node) as client:
        client.create_list("acme/known")
        client.add_entries("acme/known", [pdq_draft(1)])
        request = translate_match.check_request(
            MediaType.IMAGE, [Fingerprint(Algorithm.PDQ, flip(value, 5), 100)], None, ""
        )
        response: match_service_pb2.CheckResponse = client._match.Check(request)
    assert response.verdict.outcome == match_service_pb2.OUTCOME_MATCH
    raw = response.SerializeToString()
    assert value not in raw
    assert value.hex().encode() not in raw


def test_malformed_checks_are_refused_by_field(node: str) -> None:
    """Width, algorithm, and emptiness."""
    with Client(node) as client:
        with pytest.raises(RequestRefused) as caught:
            client.check([Fingerprint(Algorithm.PDQ, b"123", 100)])
        assert caught.value.violations[0].field == "fingerprints[0].value"
        assert caught.value.reason == "INVALID_FIELD"
        with pytest.raises(RequestRefused, match="at least one"):
            client.check([])


def test_batches_are_answered_in_order(node: str) -> None:
    """Each upload by its own verdict or error."""
    drafts = [pdq_draft(i) for i in range(5)]
    with Client(node) as client:
        client.create_list("acme/known")
        names = [e.name for e in client.add_entries("acme/known", drafts).entries]
        uploads = [picture(draft.fingerprints) for draft in drafts]
        bad = picture((Fingerprint(Algorithm.PDQ, b"short"),))
        first, second = client.check_batches([[*uploads[:3], bad], uploads[3:]])
    verdicts = [*first[:3], *second]
    assert [v.matches[0].entry for v in verdicts if not isinstance(v, ClientError)] == names
    assert isinstance(first[3], RequestRefused)
    assert first[3].violations[0].field == "fingerprints[0].value"


def test_a_check_at_a_revision_sees_what_was_added(node: str) -> None:
    """And another node's revision is refused."""
    with Client(node) as client:
        client.create_list("acme/known")
        revision = client.add_entries("acme/known", [pdq_draft(1)]).revision
        upload = pdq_draft(1).fingerprints
        assert client.check(upload, min_revision=revision).outcome is Outcome.MATCH
        for wrong in ("nonsense", "00000000.1"):
            with pytest.raises(RequestRefused) as caught:
                client.check(upload, min_revision=wrong)
            assert caught.value.reason == "INVALID_REVISION"


def test_a_revision_that_does_not_come_is_told(tmp_path: Path) -> None:
    """The answer comes before the deadline, and is no plain no."""
    with running_node(tmp_path, matching={"wait_for_revision_s": 0.05}) as node, Client(node) as c:
        revision = c.check(pdq_draft(1).fingerprints).revision
        ahead = revision.partition(".")[0] + ".999"
        verdict = c.check(pdq_draft(1).fingerprints, min_revision=ahead)
        assert verdict.reason is UndeterminedReason.INDEX_BEHIND


def test_limits_on_checks_are_named(tmp_path: Path) -> None:
    """Fingerprints of an upload, uploads of a batch, bytes of a file."""
    limits = {"max_check_fingerprints": 2, "max_batch_checks": 2, "max_media_bytes": 1000}
    with running_node(tmp_path, limits=limits) as node, Client(node) as client:
        upload = pdq_draft(1).fingerprints
        with pytest.raises(LimitReached) as caught:
            client.check(upload * 3)
        assert caught.value.metadata["limit"] == "max_check_fingerprints"
        with pytest.raises(LimitReached) as caught:
            list(client.check_batches([[picture(upload)] * 3]))
        assert caught.value.metadata["limit"] == "max_batch_checks"
        with pytest.raises(LimitReached) as caught:
            client.check_media(BytesIO(bytes(1001)))
        assert caught.value.metadata["limit"] == "max_media_bytes"
        assert client.check(upload).outcome is Outcome.NO_MATCH


def test_the_memory_of_an_upload_is_given_back(tmp_path: Path) -> None:
    """After an answer and after a refusal alike."""
    limits = {"max_media_buffer_bytes": 1000, "max_media_bytes": 900}
    with running_node(tmp_path, limits=limits) as node, Client(node) as client:
        for size in (800, 950, 800):
            with pytest.raises(ClientError) as caught:
                client.check_media(BytesIO(bytes(size)))
            expected = "MEDIA_UNREADABLE" if size == 800 else "MEDIA_TOO_LARGE"
            assert caught.value.reason == expected


async def test_the_asyncio_client_does_the_same(node: str) -> None:
    """Lists, entries, checks and streams."""

    async def batches() -> AsyncIterator[list[EntryDraft]]:
        for i in range(3):
            yield [pdq_draft(2 * i), pdq_draft(2 * i + 1)]

    async with AsyncClient(node) as client:
        await client.create_list("acme/known", purpose="for tests")
        names = [
            entry.name
            async for answer in client.add_batches("acme/known", batches())
            for entry in answer.entries
        ]
        assert names == [f"acme/known#{i}" for i in range(1, 7)]
        verdicts = await asyncio.gather(
            *(client.check(pdq_draft(i).fingerprints) for i in range(6))
        )
        assert [v.matches[0].entry for v in verdicts] == names
        assert (await client.check_file(testpattern.PATH)).outcome is Outcome.MATCH
        entry = await client.withdraw_entry(names[0], "mistake")
        assert entry.withdraw_reason == "mistake"
        assert (await client.check(pdq_draft(0).fingerprints)).outcome is Outcome.NO_MATCH
        assert [e.name async for e in client.entries("acme/known")] == names[1:]
        found = [hash_list.name async for hash_list in client.lists()]
        assert found == ["acme/known", "hashsvc/test"]
        with pytest.raises(RequestRefused) as caught:
            await client.get_entry("acme/known#77")
        assert caught.value.reason == "ENTRY_NOT_FOUND"
