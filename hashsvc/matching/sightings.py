"""Moments of a video at which a known picture or frame was located, and what they amount to.

One frame that is in another may be a studio's wall or the card that ends a programme. What says
that a known video is in an upload is that several of its frames are, one after the other, in the
order that they have in it. No I/O.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hashsvc.matching.located import Agreement
from hashsvc.model import Fingerprint

LEAST_MOMENTS = 2
"""So many moments of an upload must show something known; of a known video different frames."""

APART_MS = 1000
"""So far apart they must be, in the upload and in the known video."""

MOST_OF_ONE = 4
"""Moments kept at which one known picture or frame is what is shown most likely."""

_HARDLY_LESS = 0.5
_RUN_GAP_MS = 15_000
_RUN_DRIFT_MS = 4_000


@dataclass(frozen=True, slots=True)
class Found:
    """A known picture or frame that is in a picture or frame of an upload, both by the
    fingerprints of their local features, without their values. `ordinal` is that of the known one
    among those of its entry."""

    agreement: Agreement
    upload: Fingerprint
    known: Fingerprint
    ordinal: int

    @property
    def upload_ms(self) -> int:
        """When it is in the upload."""
        return self.upload.time_ms or 0

    @property
    def known_ms(self) -> int:
        """When it is in the known video."""
        return self.known.time_ms or 0


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment of an upload and what was located there of one entry, the best first."""

    found: tuple[Found, ...]

    @property
    def best(self) -> Found:
        """What it shows most likely."""
        return self.found[0]

    @property
    def likely(self) -> set[int]:
        """The ordinals of what it may show: what is hardly less likely than the best."""
        least = _HARDLY_LESS * self.best.agreement.score
        return {one.ordinal for one in self.found if one.agreement.score >= least}

    def goes_before(self, other: "Moment") -> bool:
        """Whether another moment shows a later part of a known video, and cannot show the same: a
        frame that is held shows its neighbours again and again, now this one more, now that."""
        one, two = self.best, other.best
        return (
            two.upload_ms - one.upload_ms >= APART_MS
            and two.known_ms - one.known_ms >= APART_MS
            and self.likely.isdisjoint(other.likely)
        )


def moments(found: Iterable[Found]) -> list[Moment]:
    """What was located, by when it is in the upload."""
    by_time: dict[int, list[Found]] = defaultdict(list)
    for one in found:
        by_time[one.upload_ms].append(one)
    return [
        Moment(tuple(sorted(by_time[time_ms], key=lambda one: -one.agreement.score)))
        for time_ms in sorted(by_time)
    ]


def in_order(seen: Iterable[Moment]) -> tuple[Found, ...]:
    """The longest series of moments of which each goes before the next, best scores first."""
    ordered = sorted(seen, key=lambda moment: moment.best.upload_ms)
    best: list[tuple[int, float, int]] = []
    for moment in ordered:
        count, score, before = 0, 0.0, -1
        for earlier, (length, total, _) in enumerate(best):
            if (length, total) > (count, score) and ordered[earlier].goes_before(moment):
                count, score, before = length, total, earlier
        best.append((count + 1, score + moment.best.agreement.score, before))
    series: list[Found] = []
    number = max(range(len(best)), key=lambda n: best[n][:2], default=-1)
    while number >= 0:
        series.append(ordered[number].best)
        number = best[number][2]
    return tuple(reversed(series))


def is_evidence(series: Sequence[Found]) -> bool:
    """Whether a series says that a known video is in the upload."""
    return len(series) >= LEAST_MOMENTS


def runs(series: Sequence[Found]) -> list[Sequence[Found]]:
    """The parts of a series, of two or more, between which the upload does not leave the known
    video: no long gap, and as much time passes in both."""
    parts: list[list[Found]] = []
    for one in series:
        if parts and _goes_on(parts[-1][-1], one):
            parts[-1].append(one)
        else:
            parts.append([one])
    return [part for part in parts if len(part) > 1]


def _goes_on(one: Found, other: Found) -> bool:
    upload_ms, known_ms = other.upload_ms - one.upload_ms, other.known_ms - one.known_ms
    return upload_ms <= _RUN_GAP_MS and abs(upload_ms - known_ms) <= _RUN_DRIFT_MS
