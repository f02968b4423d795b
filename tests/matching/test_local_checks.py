"""Checks by local features: when they are looked up, what is read, and what comes of it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hashsvc import feature_values
from hashsvc.config import Matching
from hashsvc.matching.query import Query
from hashsvc.model import (
    Algorithm,
    Confidence,
    Fingerprint,
    LocalFeatures,
    MediaType,
    Outcome,
    UndeterminedReason,
    Verdict,
)
from tests.harness import flip, local_fingerprint, pdq_draft
from tests.matching.desk import PDQ, SHA256, LocalDesk, pdq
from tests.parts import asked, collage, corner, known, picture

LIST = "acme/known"
ORB = Algorithm.ORB


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[LocalDesk]:
    """A desk without entries."""
    made = LocalDesk(tmp_path)
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def fig() -> Fingerprint:
    """What is known of a picture."""
    return known(picture("fig"))


@pytest.fixture(scope="module")
def upload() -> Fingerprint:
    """A collage with it."""
    return asked(collage(picture("fig"))[0])


def names(verdict: Verdict) -> list[str]:
    """The entries that match."""
    return [match.entry for match in verdict.matches]


def test_a_match_says_where_and_how_sure(
    desk: LocalDesk, fig: Fingerprint, upload: Fingerprint
) -> None:
    """Its evidence has the mean distance, the variant of the upload, and the corners."""
    name = desk.add_local(LIST, fig, pdq(PDQ))
    verdict = desk.check(replace(upload, variant="shown"), pdq(flip(PDQ, 100)))
    (match,) = verdict.matches
    assert (match.entry, match.algorithm, match.variant) == (name, ORB, "shown")
    (evidence,) = match.evidence
    assert evidence.located is not None
    assert 0 < evidence.distance <= 40
    assert evidence.located.features >= 24
    assert evidence.located.visible == 1
    for (x, y), (right_x, right_y) in zip(
        evidence.located.corners, collage(picture("fig"))[1], strict=True
    ):
        assert (x, y) == pytest.approx((right_x, right_y), abs=0.03)
    assert match.confidence is Confidence.NEAR_CERTAIN
    assert match.confidence_basis.startswith("orb, a part in its place: 3 times")
    assert ORB in verdict.searched


def test_what_is_held_is_what_can_be_found(tmp_path: Path, fig: Fingerprint) -> None:
    """No local features where they are never looked up, and no hash that never speaks."""
    whash = Fingerprint(Algorithm.WHASH, bytes(range(8)))
    for when in LocalFeatures:
        (tmp_path / when).mkdir()
        desk = LocalDesk(tmp_path / when, when)
        assert not desk.check(pdq(PDQ)).held
        desk.add_local(LIST, fig, pdq(PDQ), whash)
        local = set() if when is LocalFeatures.NEVER else {ORB}
        assert desk.check(pdq(PDQ)).held == {Algorithm.PDQ, *local}
        desk.store.close()


def test_the_best_picture_of_an_entry_counts(
    desk: LocalDesk, fig: Fingerprint, upload: Fingerprint
) -> None:
    """Of an entry of several, as of a video's frames, each is at its place, and one is told."""
    others = [known(picture(stem)) for stem in ("wine", "coffee")]
    name = desk.add_local(LIST, pdq(PDQ), *others, fig)
    verdict = desk.check(upload)
    assert names(verdict) == [name]
    assert [e.algorithm for e in verdict.matches[0].evidence] == [ORB]
    assert names(desk.check(asked(corner(picture("wine"))[0]))) == [name]


def test_of_several_pictures_the_one_that_is_seen_best_is_told(desk: LocalDesk) -> None:
    """Of a whole one and a part of it, in either order, it is the whole one."""
    whole, part = known(picture("coffee")), known(corner(picture("coffee"))[0])
    for list_name, fingerprints in (("acme/one", (whole, part)), ("acme/other", (part, whole))):
        desk.add_local(list_name, *fingerprints)
    verdict = desk.check(asked(picture("coffee")))
    assert len(verdict.matches) == 2
    for match in verdict.matches:
        assert match.located is not None
        assert match.located.corners[0] == pytest.approx((0, 0), abs=0.03)
        assert match.located.corners[2] == pytest.approx((1, 1), abs=0.03)


@pytest.mark.parametrize(
    ("when", "near_too", "alone"),
    [
        (LocalFeatures.NEVER, [1], []),
        (LocalFeatures.AFTER, [1], [2]),
        (LocalFeatures.ALWAYS, [1, 2], [2]),
    ],
)
def test_when_they_are_looked_up_is_set(
    tmp_path: Path,
    fig: Fingerprint,
    upload: Fingerprint,
    when: LocalFeatures,
    near_too: list[int],
    alone: list[int],
) -> None:
    """Never, after hashes of the whole found nothing, or always."""
    desk = LocalDesk(tmp_path, when)
    desk.add_local(LIST, pdq(PDQ))
    desk.add_local(LIST, fig)
    both, one = desk.check(pdq(PDQ), upload), desk.check(pdq(flip(PDQ, 100)), upload)
    assert names(both) == [f"{LIST}#{number}" for number in near_too]
    assert names(one) == [f"{LIST}#{number}" for number in alone]
    assert (ORB in both.searched) is (2 in near_too)
    assert (ORB in one.searched) is bool(alone)
    # Where nothing was looked up at all, that is no "no".
    assert (desk.check(local_fingerprint(1, 300)).outcome is Outcome.NO_MATCH) is bool(alone)
    desk.store.close()


def test_what_cannot_speak_does_not_keep_them_from_being_looked_up(
    desk: LocalDesk, fig: Fingerprint, upload: Fingerprint
) -> None:
    """A 64-bit hash that is near, beside PDQs that are not, is no answer."""
    phash = Fingerprint(Algorithm.PHASH, bytes(range(8)))
    name = desk.add_local(LIST, pdq(PDQ), phash, fig)
    assert names(desk.check(pdq(flip(PDQ, 100)), phash, upload)) == [name]


def test_the_uploads_of_a_batch_do_not_mix(
    desk: LocalDesk, fig: Fingerprint, upload: Fingerprint
) -> None:
    """Each gets what it would get alone, with one search for all."""
    wine = desk.add_local(LIST, known(picture("wine")))
    name = desk.add_local(LIST, fig)
    desk.add_local(LIST, pdq(PDQ))
    uploads = [
        (local_fingerprint(1, 300),),
        (upload, replace(asked(corner(picture("wine"))[0]), variant="shown")),
        (pdq(PDQ), upload),
        (asked(picture("dogs")),),
        (upload,),
    ]
    queries = [Query(MediaType.IMAGE, fingerprints) for fingerprints in uploads]
    together = desk.matcher.check(queries)
    assert together == [desk.check(*fingerprints) for fingerprints in uploads]
    assert [set(names(one)) for one in together] == [
        set(),
        {name, wine},
        {f"{LIST}#3"},
        set(),
        {name},
    ]


def test_nothing_is_read_where_nothing_gets_votes(desk: LocalDesk, fig: Fingerprint) -> None:
    """The miss path is the index alone, for thousands of features too."""
    desk.add_local(LIST, fig)
    desk.store.close()
    desk.store.known_entries = None  # type: ignore[method-assign, assignment]
    verdict = desk.check(local_fingerprint(1, feature_values.MOST_ASKED))
    assert (verdict.outcome, desk.reads) == (Outcome.NO_MATCH, [])


def test_lists_that_are_not_asked_stay_silent(
    desk: LocalDesk, fig: Fingerprint, upload: Fingerprint
) -> None:
    """Nothing of them is read, so that time does not tell of them either."""
    desk.add_local("eve/secret", fig)
    name = desk.add_local(LIST, fig)
    query = Query(MediaType.IMAGE, (upload,), may_match=lambda name: name == LIST)
    (verdict,) = desk.matcher.check([query])
    assert names(verdict) == [name]
    assert len(desk.reads) == 1
    (none,) = desk.matcher.check([replace(query, may_match=lambda name: False)])
    assert (none.outcome, len(desk.reads)) == (Outcome.NO_MATCH, 1)


def test_an_exempted_picture_is_told_where_it_is(
    desk: LocalDesk, fig: Fingerprint, upload: Fingerprint
) -> None:
    """An exemption list with local features softens what a match by them would do."""
    name = desk.add_local(LIST, fig)
    exemption = desk.add_local("press/news", fig)
    verdict = desk.check(upload)
    assert names(verdict) == [name]
    assert [match.entry for match in verdict.exemptions] == [exemption]
    assert verdict.exemptions[0].evidence[0].located is not None


def test_withdrawn_entries_are_not_found(
    desk: LocalDesk, fig: Fingerprint, upload: Fingerprint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor are those that are withdrawn or erased while a check is on its way."""
    name = desk.add_local(LIST, fig)
    searched = desk.matcher.search([Query(MediaType.IMAGE, (upload,))])
    with monkeypatch.context() as erased:
        erased.setattr(desk.store, "known_features", lambda entry_id: [])
        (verdict,) = desk.matcher.judge(searched)
    assert names(verdict) == []
    desk.ledger.withdraw_entry(name, "mistake", request_id="gone")
    (verdict,) = desk.matcher.judge(searched)
    assert names(verdict) == []
    assert names(desk.check(upload)) == []


def test_a_plain_upload_is_found_by_its_features(desk: LocalDesk, fig: Fingerprint) -> None:
    """Too plain for a hash of the whole is not too plain for a part; else it says so still."""
    name = desk.add_local(LIST, fig)
    plain = pdq(PDQ, quality=10)
    found = desk.check(plain, asked(corner(picture("fig"))[0]))
    assert (names(found), found.reason) == ([name], None)
    missed = desk.check(plain, asked(picture("dogs")))
    assert missed.reason is UndeterminedReason.LOW_INFORMATION
    told = Query(
        MediaType.IMAGE,
        (asked(corner(picture("fig"))[0]),),
        limitation=UndeterminedReason.LOW_INFORMATION,
    )
    assert names(desk.matcher.check([told])[0]) == [name]


def test_digests_and_hashes_come_first(
    desk: LocalDesk, fig: Fingerprint, upload: Fingerprint
) -> None:
    """A match by a hash of the whole is told before one by a part."""
    part = desk.add_local(LIST, fig)
    (whole,) = desk.add(LIST, pdq_draft(PDQ))
    digest = Fingerprint(Algorithm.SHA256, SHA256)
    exact = desk.add_local(LIST, digest)
    desk.matcher._matching = Matching(local_features=LocalFeatures.ALWAYS)
    assert names(desk.check(upload, pdq(flip(PDQ, 25)), digest)) == [exact, whole, part]
