"""From evidence to a class of confidence, and what that is based on in words. No I/O.

Each kind of evidence has a function here that makes a Sureness of it; an entry's surest counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hashsvc import calibration
from hashsvc.matching.alignment import Rules, Segment
from hashsvc.matching.located import LEAST_SCORE, Agreement
from hashsvc.matching.query import Hit
from hashsvc.matching.sightings import LEAST_MOMENTS
from hashsvc.model import Confidence

_ORDER = tuple(Confidence)
_NEAR_CERTAIN, _LIKELY = 3.0, 1.5
_CHANCES = {
    Confidence.NEAR_CERTAIN: f"in fewer than 1 of {1 / calibration.NEAR_CERTAIN:,.0f} checks",
    Confidence.LIKELY: f"in fewer than 1 of {1 / calibration.LIKELY:,.0f} checks",
    Confidence.WEAK: f"in more than 1 of {1 / calibration.LIKELY:,.0f} checks",
}
_AMOUNTS = {
    Confidence.NEAR_CERTAIN: f"{_NEAR_CERTAIN:g} times as much as is needed, or more",
    Confidence.LIKELY: f"{_LIKELY:g} times as much as is needed, or more",
    Confidence.WEAK: "as much as is needed",
}


@dataclass(frozen=True, slots=True)
class Sureness:
    """A class and what it is based on. The words depend on nothing but kind of evidence and class,
    for they are told to callers who may not know distances."""

    confidence: Confidence
    basis: str

    @property
    def rank(self) -> int:
        """Sort key, surest first."""
        return _ORDER.index(self.confidence)


def of_hit(hit: Hit) -> Sureness:
    """Of a hash that is near, or a digest that is equal."""
    algorithm, variant = hit.fingerprint.algorithm, hit.fingerprint.variant
    if algorithm.is_digest:
        return Sureness(Confidence.EXACT, f"{algorithm}: the very same file")
    return by_chance(_named(hit), calibration.false_matches(algorithm, hit.distance, variant))


def contradicted(hit: Hit) -> Sureness:
    """Of a hash of the whole that local features contradict (`second_look`).

    What chance does says nothing of a picture that was made to have the hash.
    """
    said = "contradicted: the local features of the known picture are not found in the upload"
    return Sureness(Confidence.WEAK, f"{_named(hit)}, {said}")


def _named(hit: Hit) -> str:
    return f"{hit.fingerprint.algorithm} of the look {hit.fingerprint.variant}"


def by_chance(evidence: str, expected: float) -> Sureness:
    """Of evidence named so that `expected` media would have by chance.

    That is of calibration.KNOWN_MEDIA in a list which the upload does not show.
    """
    found = calibration.confidence(expected)
    known = f"{calibration.KNOWN_MEDIA:,}"
    return Sureness(found, f"{evidence}: by chance {_CHANCES[found]} of {known} known media")


def of_agreements(agreements: Sequence[Agreement]) -> Sureness:
    """Of local features in one place: of a picture, or of each of some frames of a video.

    Of unrelated pictures none had evidence, so there is no rate to class by either: what counts is
    how many times as much there is as is needed, which is twice as much for a video.
    """
    needed = LEAST_SCORE * min(len(agreements), LEAST_MOMENTS)
    score = sum(agreement.score for agreement in agreements)
    return _by_amount("orb, a part in its place", score / needed)


def of_segments(segments: Sequence[Segment], rules: Rules) -> Sureness:
    """Of seconds of a known video in their order.

    The benchmark `video` finds no false match with as much as `rules` ask for, so there is no rate
    to class by: what counts is how many times as much there is.
    """
    seconds = sum(segment.evidence_s for segment in segments)
    return _by_amount("seconds in their order", seconds / rules.evidence_s)


def _by_amount(evidence: str, times: float) -> Sureness:
    """Of evidence named so, of which there is so many times as much as is needed."""
    found = Confidence.WEAK
    if times >= _LIKELY:
        found = Confidence.NEAR_CERTAIN if times >= _NEAR_CERTAIN else Confidence.LIKELY
    return Sureness(found, f"{evidence}: {_AMOUNTS[found]}")
