"""Classes of confidence: which evidence gets which, and what is said of it."""

from pathlib import Path

import pytest

from hashsvc import calibration
from hashsvc.config import Policy, PolicyRule
from hashsvc.matching import confidence
from hashsvc.matching.alignment import Rules, Segment
from hashsvc.matching.query import Hit
from hashsvc.model import (
    ORIGINAL,
    Action,
    Algorithm,
    Confidence,
    EntryDraft,
    Fingerprint,
    MediaType,
)
from tests.harness import PROPAGANDA, flip, pdq_draft
from tests.matching.desk import PDQ, SHA256, Desk, clip, frames, pdq, video

CERTAIN, LIKELY, WEAK = Confidence.NEAR_CERTAIN, Confidence.LIKELY, Confidence.WEAK


def of(algorithm: Algorithm, distance: int, variant: str = ORIGINAL) -> confidence.Sureness:
    """What is made of one hit."""
    value = Fingerprint(algorithm, bytes(algorithm.bits // 8), variant=variant)
    return confidence.of_hit(Hit(value, 0, distance))


@pytest.mark.parametrize(
    ("algorithm", "variant", "last_certain", "last_likely"),
    [
        (Algorithm.PDQ, ORIGINAL, 15, 32),
        (Algorithm.PDQ, "flip_horizontal", 8, 24),
        (Algorithm.PDQ, "inset", 8, 24),
        (Algorithm.PHASH, ORIGINAL, -1, 5),
        (Algorithm.DHASH, ORIGINAL, -1, -1),
    ],
)
def test_classes_follow_from_what_was_measured(
    algorithm: Algorithm, variant: str, last_certain: int, last_likely: int
) -> None:
    """Farther is less sure; so is one of many looks, and a hash that errs more."""
    expected = [
        CERTAIN if bits <= last_certain else LIKELY if bits <= last_likely else WEAK
        for bits in range(41)
    ]
    found = [of(algorithm, bits, variant) for bits in range(41)]
    assert [one.confidence for one in found] == expected
    assert len({one.basis for one in found}) == len(set(expected))


def test_a_class_holds_for_the_list_that_it_is_stated_for() -> None:
    """The edges are where so many false matches are to be expected among a million."""
    for algorithm in (Algorithm.PDQ, Algorithm.PHASH, Algorithm.DHASH):
        for bits in range(40):
            expected = calibration.false_matches(algorithm, bits)
            found = of(algorithm, bits).confidence
            assert found is (CERTAIN if expected < 1e-3 else LIKELY if expected < 0.1 else WEAK)


def test_what_a_class_is_based_on_says_no_distance(desk: Desk) -> None:
    """It is the same for all matches of a class, and names the evidence and what it means."""
    desk.add("acme/known", pdq_draft(PDQ))
    told: dict[Confidence, set[str]] = {}
    for distance in (0, 7, 15, 16, 23, 31):
        (match,) = desk.check(pdq(flip(PDQ, distance))).matches
        told.setdefault(match.confidence, set()).add(match.confidence_basis)
    near = (
        "pdq of the look original: by chance in fewer than 1 of {} checks of 1,000,000 known media"
    )
    assert told == {CERTAIN: {near.format("1,000")}, LIKELY: {near.format("10")}}


def test_the_surest_evidence_counts(desk: Desk) -> None:
    """Of a digest and a hash beside it, and of frames and a digest."""
    digest = Fingerprint(Algorithm.SHA256, SHA256)
    desk.add("acme/known", EntryDraft(MediaType.IMAGE, (digest, pdq(PDQ)), PROPAGANDA))
    (match,) = desk.check(pdq(flip(PDQ, 30)), digest).matches
    assert (match.confidence, match.confidence_basis) == (
        Confidence.EXACT,
        "sha256: the very same file",
    )


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(1.3, WEAK), (1.94, WEAK), (1.96, LIKELY), (3.8, LIKELY), (4, CERTAIN)],
)
def test_videos_are_classed_by_how_much_of_the_evidence_there_is(
    seconds: float, expected: Confidence
) -> None:
    """By half as much again as is needed, and by three times; all segments count."""
    half = Segment(0, seconds / 2, 9, 9 + seconds / 2, 1.0, 0.0, 100.0, 9, True, ())
    found = confidence.of_segments([half, half], Rules(evidence_s=1.3))
    assert found.confidence is expected
    assert found.basis.startswith("seconds in their order: ")


def test_a_video_says_what_its_class_is_based_on(desk: Desk) -> None:
    """Its seconds, and not the nearest of its frames."""
    known = frames(30)
    desk.add("acme/known", video(known))
    (match,) = desk.check(*clip(known[3:9]), media_type=MediaType.VIDEO).matches
    assert match.confidence is CERTAIN
    assert match.confidence_basis == "seconds in their order: 3 times as much as is needed, or more"


def test_policies_can_ask_for_a_class(tmp_path: Path) -> None:
    """A rule applies to matches that are at least so sure."""
    rules = (
        PolicyRule(action=Action.BLOCK, min_confidence=CERTAIN),
        PolicyRule(action=Action.LOG, min_confidence=Confidence.EXACT),
        PolicyRule(action=Action.REVIEW),
    )
    desk = Desk(tmp_path, Policy(rules=rules))
    digest = Fingerprint(Algorithm.SHA256, SHA256)
    desk.add("acme/known", pdq_draft(PDQ))
    assert desk.check(pdq(flip(PDQ, 15))).action is Action.BLOCK
    assert desk.check(pdq(flip(PDQ, 16))).action is Action.REVIEW
    desk.add("acme/digests", EntryDraft(MediaType.IMAGE, (digest,), PROPAGANDA))
    assert desk.check(digest).action is Action.BLOCK
    desk.store.close()
