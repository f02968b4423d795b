"""Moments at which known frames were located, and the series that they make."""

from collections.abc import Mapping

import pytest

from hashsvc.matching.located import Agreement
from hashsvc.matching.sightings import Found, in_order, is_evidence, moments
from hashsvc.model import Algorithm, Fingerprint

CORNERS = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))


def found(upload_s: int, known_s: int, score: float) -> Found:
    """A known frame, one every second, that is located with a score."""
    agreement = Agreement(round(score), 0.0, 1.0, 0.5, 1.0, 1.0, CORNERS)
    assert agreement.score == score
    upload, known = (
        Fingerprint(Algorithm.ORB, b"", None, 1000 * second) for second in (upload_s, known_s)
    )
    return Found(agreement, upload, known, known_s)


def series(seen: Mapping[int, Mapping[int, float]]) -> list[int]:
    """The seconds of the known video that are a series, given scores by second of both."""
    located = [
        found(at, known, score) for at, all_ in seen.items() for known, score in all_.items()
    ]
    return [one.known_ms // 1000 for one in in_order(moments(located))]


def test_neighbours_that_are_hardly_seen_do_not_hold_a_short_video_back() -> None:
    """Frames of a slow scene look alike; what is seen twice as clearly is what is shown."""
    assert series({0: {0: 70, 2: 17}, 3: {2: 30, 4: 7, 0: 5}}) == [0, 2]


@pytest.mark.parametrize("one", [{0: 43, 4: 37}, {0: 20, 4: 11}])
@pytest.mark.parametrize("other", [{4: 51, 0: 44}, {4: 18, 0: 9}])
def test_a_frame_that_is_held_is_seen_once(one: dict[int, float], other: dict[int, float]) -> None:
    """It shows its neighbours again and again, now this one more, now that."""
    held = series({0: one, 3: other})
    assert len(held) == 1


def test_a_series_keeps_its_order() -> None:
    """Backwards is no series, nor is a single moment."""
    assert len(series({0: {4: 30}, 2: {2: 30}, 4: {0: 30}})) == 1
    assert series({0: {0: 30}, 1: {1: 30}, 2: {2: 30}}) == [0, 1, 2]
    assert not is_evidence(in_order(moments([found(0, 0, 90)])))
