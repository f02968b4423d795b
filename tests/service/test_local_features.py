"""Local features over real gRPC: found, told as far as one may know, and followed."""

from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO

import pytest

from hashsvc.feature_values import MOST_ASKED
from hashsvc.media import FOR_LISTS, for_checks
from hashsvc.media.recipe import LOCAL_FOR_LISTS
from hashsvc.model import (
    Algorithm,
    Confidence,
    EntryDraft,
    Match,
    MediaFingerprints,
    MediaType,
    Outcome,
)
from hashsvc_client import Client, RequestRefused, Security
from tests.harness import PROPAGANDA, local_fingerprint
from tests.media.making import look, saved
from tests.parts import collided, picture, turned
from tests.service.town import Town, running_town

LIST = "acme/known"


def as_acme_adds(stem: str) -> EntryDraft:
    """A picture as it is contributed to a list that takes local features."""
    data = saved(picture(stem), "JPEG", quality=90)
    found = look(data, replace(FOR_LISTS, local=LOCAL_FOR_LISTS))
    return EntryDraft(found.media_type, found.fingerprints, PROPAGANDA)


@pytest.fixture(scope="module")
def upload() -> bytes:
    """A known picture turned a little, which no hash of the whole finds, as a JPEG."""
    return saved(turned(picture("fig"))[0], "JPEG", quality=85)


@pytest.fixture(scope="module")
def hashed(upload: bytes) -> MediaFingerprints:
    """What it is checked by."""
    return look(upload, for_checks([Algorithm.ORB]))


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A node whose list has a picture with its local features."""
    with running_town(tmp_path_factory.mktemp("town") / "data") as made:
        with by(made, "acme") as acme:
            with pytest.raises(RequestRefused) as caught:
                acme.add_entries(LIST, [as_acme_adds("fig")])
            assert caught.value.reason == "INVALID_FIELD"
            assert "takes no local features" in str(caught.value)
            acme.update_list(LIST, local_features=True)
            (added,) = acme.add_entries(LIST, [as_acme_adds("fig")]).entries
            assert added.matchable
        yield made


def by(town: Town, partner: str) -> Client:
    """A partner's client."""
    return Client(town.address, security=Security(api_key=town.keys[partner]))


def the_match(client: Client, hashed: MediaFingerprints) -> Match:
    """The only match of an upload."""
    (match,) = client.check_fingerprints(hashed).matches
    return match


def test_a_turned_picture_is_found_and_readers_see_where(
    town: Town, upload: bytes, hashed: MediaFingerprints
) -> None:
    """By Check and by CheckMedia, to a few percent; the four corners in order."""
    expected = turned(picture("fig"))[1]
    with by(town, "bolt") as bolt:
        for verdict in (bolt.check_fingerprints(hashed), bolt.check_media(BytesIO(upload))):
            assert verdict.outcome is Outcome.MATCH
            (match,) = verdict.matches
            assert (match.list_name, match.algorithm) == (LIST, Algorithm.ORB)
            assert match.confidence_basis.startswith("orb, a part in its place")
            (evidence,) = match.evidence
            assert evidence.located is not None
            assert evidence.located.visible == 1
            assert evidence.located.features >= 24
            for (x, y), there in zip(evidence.located.corners, expected, strict=True):
                assert (x, y) == pytest.approx(there, abs=0.03)


def test_who_may_only_check_does_not_see_where(town: Town, hashed: MediaFingerprints) -> None:
    """It would show what the known picture looks like; the class and its basis are told."""
    with by(town, "eve") as eve:
        match = the_match(eve, hashed)
    with by(town, "acme") as acme:
        full = the_match(acme, hashed)
    assert (match.evidence, match.distance) == ((), None)
    assert (match.entry, match.algorithm) == (full.entry, Algorithm.ORB)
    assert (match.confidence, match.confidence_basis) == (full.confidence, full.confidence_basis)
    assert full.evidence[0].located is not None


def test_who_checks_is_told_that_a_hash_is_contradicted(town: Town) -> None:
    """By Check and CheckMedia, to who may see the evidence and to who may not: it protects people
    whose pictures were given the hash of a known one."""
    upload = saved(collided(picture("rocket"), picture("fig")), "JPEG", quality=85)
    for partner in ("bolt", "eve"):
        with by(town, partner) as client:
            hashed = look(upload, for_checks([Algorithm.ORB]))
            for verdict in (client.check_fingerprints(hashed), client.check_media(BytesIO(upload))):
                (match,) = verdict.matches
                assert (match.algorithm, match.contradicted) == (Algorithm.PDQ, True)
                assert match.confidence is Confidence.WEAK
                assert "contradicted: the local features" in match.confidence_basis


def test_a_list_that_one_may_not_check_stays_silent(town: Town, hashed: MediaFingerprints) -> None:
    """As if it were not there, for local features as for hashes."""
    with by(town, "acme") as acme:
        acme.update_list(LIST, readers=["bolt"])
        try:
            with by(town, "eve") as eve, pytest.raises(RequestRefused) as caught:
                eve.get_list(LIST)
            assert caught.value.reason == "LIST_NOT_FOUND"
            with by(town, "eve") as eve:
                verdict = eve.check_fingerprints(hashed)
                assert verdict.outcome is Outcome.NO_MATCH
                assert Algorithm.ORB not in verdict.held
            with by(town, "bolt") as bolt:
                assert the_match(bolt, hashed).list_name == LIST
                assert Algorithm.ORB in bolt.held
        finally:
            acme.update_list(LIST, readers=["*"])


def test_a_malformed_value_is_refused_by_field(town: Town) -> None:
    """In a check and in an entry, each with its own maximum."""
    many = local_fingerprint(1, MOST_ASKED + 1)
    with by(town, "acme") as acme:
        for wrong, words in (
            (many, f"{MOST_ASKED:,} at most"),
            (replace(many, value=b"x"), "has 1"),
        ):
            with pytest.raises(RequestRefused, match=words) as caught:
                acme.check([wrong])
            assert "fingerprints[0].value" in str(caught.value)
        draft = EntryDraft(MediaType.IMAGE, (local_fingerprint(1, 257),), PROPAGANDA)
        with pytest.raises(RequestRefused, match="256 at most") as caught:
            acme.add_entries(LIST, [draft])
        assert "entries[0].fingerprints[0].value" in str(caught.value)


def test_canaries_of_a_list_match_nothing(town: Town, hashed: MediaFingerprints) -> None:
    """Some have as many local features as the entry that has them, which a collage still finds."""
    with by(town, "acme") as acme:
        planted = set(acme.plant_canaries(LIST, "bolt", 20))
        local = {
            entry.name: fingerprint
            for entry in acme.entries(LIST, show_fingerprints=True)
            for fingerprint in entry.fingerprints
            if fingerprint.algorithm.is_local
        }
        real = the_match(acme, hashed).entry
        assert real not in planted
        assert set(local) - planted == {real}
        assert len({len(fingerprint.value) for fingerprint in local.values()}) == 1
        canary = min(set(local) & planted)
        assert [match.entry for match in acme.check([local[canary]]).matches] == [canary]
