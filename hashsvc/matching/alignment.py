"""Alignment: which seconds of an upload are which seconds of a known video. No I/O.

Frames that look alike say little: still pictures, black, logos, and all clips shot in one room have
them. Frames that look alike *in the same order at the same pace* say much. So the frames of an
upload are compared with all of a known video, and chains are sought through the pairs that are near
(see `hashsvc_index.chaining`). Since the pace has to fit, a pair may be farther apart than one that
must speak for itself: logos, subtitles and small crops move PDQ past its own radius, but not to
where other footage is.

Along a line through each chain all frames are compared once more, so that nothing is gained by
choosing among frames that look alike. What the chain is worth is judged by that, see `Rules`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashsvc_index import chaining

REACH = 64
"""Bits up to which a pair of frames can be part of a chain: half of what chance gives."""

_APART_S = 0.2
_SLACK_S = 0.3
_PACE = 0.1
_BRIDGE_S = 12.0
# Reach, slack, change of pace, bridge in seconds and moments; cost of a moment skipped, the most a
# second, and that of a second by which the two sides drift apart.
_COSTS = np.array([REACH, _SLACK_S, _PACE, _BRIDGE_S, 96, 0.2, 0.5, 0.05])

_LINE_SLACK_S = 0.15
_LOCAL_S = 2.5
_STEP_S = 0.5
_MISSED_BITS = 80
_STANDS_S = 1.0
_DISTINCT_BITS = 20
_BY_CHANCE_BITS = 110
_SHORT_S = 3.0
_LEAST_SCORE = 0.5
_MOST_CHAINS = 20

Words = NDArray[np.uint64]
Times = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rules:
    """What a chain needs to be evidence.

    `likeness` is the mean distance of its frames along the line as a share of that of the same
    frames to the rest of the known video: near 1 where the two merely show the same room, and near
    0 in a copy. `evidence_s` are seconds, each counted as 1 - likeness: a longer chain may be less
    clear. Half of the known video is enough where that is shorter. `bits` is the greatest mean
    distance, `moments` the least number of known frames in it that differ from one another, so that
    no still picture is evidence.
    """

    evidence_s: float = 1.3
    likeness: float = 0.72
    bits: float = 62
    moments: int = 3


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the upload that may be a part of the known video; seconds from their starts.

    `pace` is how many seconds of the known video pass in one of the upload. `distance` is the mean
    of its frames along the line, in bits, those without a partner counted as far; `elsewhere` that
    of the same frames to the rest of the known video. `moments`: frames in it that differ from
    one another, on the side that has fewer. `is_whole` says that most pairs are of the first look
    at the upload. `pairs`: seconds into the upload, seconds into the known video, and bits.
    `variant` is for whoever aligns several forms of an upload.
    """

    upload_start_s: float
    upload_end_s: float
    known_start_s: float
    known_end_s: float
    pace: float
    distance: float
    elsewhere: float
    moments: int
    is_whole: bool
    pairs: tuple[tuple[float, float, int], ...]
    variant: str = ""

    @property
    def length_s(self) -> float:
        """Seconds of the upload."""
        return self.upload_end_s - self.upload_start_s

    @property
    def likeness(self) -> float:
        """See `Rules`; 0..1 and, where anything else is nearer, more."""
        return self.distance / max(self.elsewhere, 1.0)

    @property
    def evidence_s(self) -> float:
        """Seconds of the upload, each counted less the less it stands out."""
        return self.length_s * (1 - self.likeness)

    def is_evidence(self, rules: Rules, known_s: float) -> bool:
        """Tell whether this is a part of a known video that is `known_s` long."""
        needed_s = min(rules.evidence_s, known_s / 2)
        return (
            self.evidence_s >= needed_s
            and self.likeness <= rules.likeness
            and self.distance <= rules.bits
            and self.moments >= rules.moments
        )


class Known:
    """The frames of a known video that can match, in the order of time.

    `times_s`: float64 (n,); `codes`: uint8 (n, 32). Several looks at one moment may be there.
    """

    def __init__(self, times_s: Times, codes: NDArray[np.uint8]) -> None:
        order = np.argsort(times_s, kind="stable")
        self.times_s = np.ascontiguousarray(times_s[order], dtype=np.float64)
        self.codes = words(codes)[order]
        self.until_s = _until(self.times_s)

    @property
    def length_s(self) -> float:
        """Seconds from the first to the last frame."""
        return float(self.times_s[-1] - self.times_s[0]) if len(self.times_s) else 0.0


class Alignment:
    """One known video beside an upload whose moments come in, in any order."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self._times = np.empty(0)
        self._looks = np.empty((0, chaining.LOOKS, 4), np.uint64)
        self._pairs = np.empty((0, chaining.PAIRS, 2), np.int64)
        self._score = np.empty((0, chaining.PAIRS))
        self._before = np.empty((0, chaining.PAIRS, 2), np.int64)
        self._anchors = np.empty((0, chaining.PAIRS, 4), np.int64)

    def add(self, times_s: Times, looks: Words) -> None:
        """Compare more moments of the upload.

        `times_s`: float64 (n,), seconds from its start. `looks`: uint64 (n, chaining.LOOKS, 4).
        """
        if not len(times_s):
            return
        known = self.known
        pairs = chaining.nearest(looks, known.codes, known.times_s, REACH, _APART_S)
        times_s, looks, pairs = self._worth_keeping(times_s, looks, pairs)
        if not len(times_s):
            return
        order = np.argsort(np.concatenate((self._times, times_s)), kind="stable")
        first = int(np.searchsorted(self._times, times_s.min(), side="right"))
        self._times = np.concatenate((self._times, times_s))[order]
        self._looks = np.concatenate((self._looks, looks))[order]
        self._pairs = np.concatenate((self._pairs, pairs))[order]
        self._score = _longer(self._score, first, len(order))
        self._before = _longer(self._before, first, len(order))
        self._anchors = _longer(self._anchors, first, len(order))
        chaining.link(
            self._times,
            self._pairs,
            known.times_s,
            known.until_s,
            first,
            _COSTS,
            self._score,
            self._before,
            self._anchors,
        )

    def _worth_keeping(
        self, times_s: Times, looks: Words, pairs: Numbers
    ) -> tuple[Times, Words, Numbers]:
        """Leave out the moments that no chain can pass: none with a pair is near before them."""
        paired = pairs[:, 0, 0] >= 0
        known = np.sort(np.concatenate((self._times[self._pairs[:, 0, 0] >= 0], times_s[paired])))
        last = np.searchsorted(known, times_s, side="right") - 1
        since_s = np.where(last >= 0, times_s - known[last], np.inf) if len(known) else np.inf
        kept = paired | (since_s <= _BRIDGE_S)
        return times_s[kept], looks[kept], pairs[kept]

    def segments(self) -> list[Segment]:
        """The chains, best first; each moment of the upload is in one of them at most."""
        taken = np.zeros(len(self._times), dtype=bool)
        found: list[Segment] = []
        for place in np.argsort(-self._score, axis=None, kind="stable"):
            moment, pair = divmod(int(place), chaining.PAIRS)
            if self._score[moment, pair] < _LEAST_SCORE or len(found) == _MOST_CHAINS:
                break
            chain = self._traced(moment, pair, taken)
            if len(chain) > 1:
                taken[chain[0][0] : chain[-1][0] + 1] = True
                found.append(self._segment(chain))
        return found

    def _traced(self, moment: int, pair: int, taken: NDArray[np.bool_]) -> list[tuple[int, int]]:
        """The chain that ends at a pair, first to last, as far back as its moments are free."""
        chain = []
        while moment >= 0 and not taken[moment]:
            chain.append((moment, pair))
            moment, pair = (int(x) for x in self._before[moment, pair])
        chain.reverse()
        return chain

    def _segment(self, chain: list[tuple[int, int]]) -> Segment:
        first, last = chain[0][0], chain[-1][0]
        where = tuple(np.array(chain).T)
        rows, bits = self._pairs[where].T
        codes = self.known.codes[rows]
        upload, known_s = self._times[where[0]], self.known.times_s[rows]
        pace = _pace(upload, known_s)
        end_s = self._end_s(last, float(np.median(np.diff(upload))))
        offsets = _offsets(np.array([upload[0], end_s]), upload, known_s, pace)
        distance, elsewhere = self._along(first, last, upload, known_s, pace)
        return Segment(
            upload_start_s=float(upload[0]),
            upload_end_s=end_s,
            known_start_s=max(0.0, float(pace * upload[0] + offsets[0])),
            known_end_s=max(0.0, float(pace * end_s + offsets[1])),
            pace=pace,
            distance=distance,
            elsewhere=elsewhere,
            moments=min(_distinct(codes), _distinct(self._looks[where[0], 0])),
            is_whole=bool(np.median(_bits(self._looks[where[0], 0], codes) - bits) <= 0),
            pairs=tuple(zip(upload.tolist(), known_s.tolist(), bits.tolist(), strict=True)),
        )

    def _end_s(self, moment: int, step_s: float) -> float:
        """Until when a moment stands: half way to the next, or as long as others at the end."""
        time_s = float(self._times[moment])
        if moment + 1 == len(self._times):
            return time_s + min(step_s, _STANDS_S)
        return time_s + min(_STANDS_S, float(self._times[moment + 1]) - time_s) / 2

    def _along(
        self, first: int, last: int, upload: Times, known_s: Times, pace: float
    ) -> tuple[float, float]:
        """Mean distance along the line from one moment to another, and to all that is elsewhere."""
        known = self.known
        times = self._times[first : last + 1]
        places = pace * times + _offsets(times, upload, known_s, pace)
        margin_s = min(1.5, max(0.5, known.length_s / 4))
        compared = chaining.along(
            self._looks[first : last + 1],
            places,
            known.codes,
            known.times_s,
            known.until_s,
            _LINE_SLACK_S,
            margin_s,
        )
        here, row, away = compared.T
        distance = _mean_distance(here, row)
        # A very short video is all one moment: nothing of it is elsewhere.
        if known.length_s < _SHORT_S or not (away >= 0).any():
            return distance, _BY_CHANCE_BITS
        return distance, float(away[away >= 0].mean())


def _mean_distance(here: Numbers, row: Numbers) -> float:
    """Mean over the side that was sampled less densely: the upload's moments or the known frames.

    Of a known frame the nearest moment counts, since the others may show what was not sampled.
    """
    bits = np.where(here < 0, _MISSED_BITS, here)
    rows, where = np.unique(row, return_inverse=True)
    if 3 * len(rows) > 2 * len(row) or len(rows) < 2:
        return float(bits.mean())
    least = np.full(len(rows), _MISSED_BITS, np.int64)
    np.minimum.at(least, where, bits)
    return float(least.mean())


def _longer(rows: NDArray[Any], kept: int, count: int) -> NDArray[Any]:
    """The first rows, with room for more behind them."""
    longer = np.empty((count, *rows.shape[1:]), rows.dtype)
    longer[:kept] = rows[:kept]
    return longer


def words(codes: NDArray[np.uint8]) -> Words:
    """Codes of 256 bits, uint8 (n, 32), as words, uint64 (n, 4)."""
    return np.ascontiguousarray(codes).view(np.uint64).reshape(-1, 4)


def as_looks(codes: Iterable[list[bytes]]) -> Words:
    """Moments seen in one or more looks each, of which the first two count, as `add` takes them."""
    both = b"".join(looks[0] + looks[min(1, len(looks) - 1)] for looks in codes)
    return np.frombuffer(both, np.uint64).reshape(-1, chaining.LOOKS, 4)


def _until(times_s: Times) -> Times:
    """Until when each frame stands for what is shown: the next one, a second at most."""
    if not len(times_s):
        return times_s
    moments, where = np.unique(times_s, return_inverse=True)
    ends = np.minimum(np.append(moments[1:], np.inf), moments + _STANDS_S)
    return np.ascontiguousarray(ends[where], dtype=np.float64)


def _pace(upload: Times, known: Times) -> float:
    """The slope of the line through a chain, by least squares; 1 for what is short."""
    if len(upload) < 4 or upload[-1] - upload[0] < 4:
        return 1.0
    centred = upload - upload.mean()
    pace = float((centred * (known - known.mean())).sum() / (centred**2).sum())
    return min(1 + _PACE, max(1 - _PACE, pace))


def _offsets(times_s: Times, upload: Times, known: Times, pace: float) -> Times:
    """How far the line is off at each time: the median of the chain's pairs around it.

    Not one for all, since where frames were dropped the line has a step; but near that of all,
    since a chain that wanders among frames that look alike follows no line.
    """
    offs = known - pace * upload
    low = np.searchsorted(upload, times_s - _LOCAL_S)
    high = np.searchsorted(upload, times_s + _LOCAL_S, side="right")
    everywhere = float(np.median(offs))
    near = [
        np.median(offs[a:b]) if b - a >= 3 else everywhere for a, b in zip(low, high, strict=True)
    ]
    return np.clip(near, everywhere - _STEP_S, everywhere + _STEP_S)


def _bits(some: Words, others: Words) -> Numbers:
    """Distances of codes, uint64 (n, 4), to one code or to as many."""
    total: Numbers = np.bitwise_count(some ^ others).sum(axis=1, dtype=np.int64)
    return total


def _distinct(codes: Words) -> int:
    """How many of the frames differ from all of those counted before."""
    kept = codes[:1]
    for code in codes[1:]:
        if _bits(kept, code).min() > _DISTINCT_BITS:
            kept = np.concatenate((kept, code[None]))
    return len(kept)
