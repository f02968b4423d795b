"""Straight lines down and across a picture that may be the edges of another one in it.

Along an edge the step from one side to the other stands out from the steps beside it, at nearly
every place. It is judged as in A. Desolneux, L. Moisan and J.-M. Morel, "Edge Detection by
Helmholtz Principle" (2001): what makes a line is not how strong it is but at how many places it is
seen, against how many it would be seen at by chance. So dull pictures have edges as well.

Strips of a few cells along a line are averaged before anything else: noise and texture become less
by that, a straight edge does not, and there is less to compute.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_ALONG = 6  # cells along a line that are averaged
_LINES = 26  # the clearest ones that are kept in each direction
_LEVELS = 3  # of how clear a step is
_LEAST_STRIPS, _LEAST_SHARE = 5, 0.05  # that a line is seen in more than it is missed in
_BESIDE = (-20, -17, -14, -11, -8, -5, 5, 8, 11, 14, 17, 20)  # cells from a line
_SEEN = 0.8  # how clear an edge is, of 0..1...
_BY_CHANCE = (0.1, 0.5)  # ...and anything else: as what is beside it, but no less and no more
_ENDED = 0.4  # beyond its corners an edge is less clear than this...
_END_WORTH = 4.0  # ...and what a strip of that is worth
_OPEN = 4.0  # what a side of the whole picture is worth as an edge

Floats = NDArray[np.float32]
Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Lines:
    """The clearest lines of one direction, between both sides of the picture.

    `at` (n,): where they are, in cells, to one or two. `clear` and `beside` (strips + 1, n): how
    clear each is and what is beside it, 0..1, summed up from the first strip. `first` and `last`
    (p,): all pairs of them that are far enough apart.
    """

    at: Places
    clear: Floats
    beside: Floats
    first: Places
    last: Places

    @classmethod
    def of(cls, strips: NDArray[np.uint8], apart: float) -> Self:
        """Find lines down a picture in strips across it, (strips, cells).

        Pairs are apart by that share of the picture's side.
        """
        clear = _clear(strips)
        least = _LEVELS * max(_LEAST_STRIPS, _LEAST_SHARE * len(strips))
        found = _peaks(_stretches(clear), least)
        near = np.clip(found[:, None] + np.array(_BESIDE), 0, clear.shape[1] - 1)
        at = np.concatenate(([0], found, [clear.shape[1]]))
        first, last = np.triu_indices(len(at), 1)
        is_apart = at[last] - at[first] >= apart * at[-1]
        return cls(
            at,
            _summed(clear[:, found].astype(np.float32)),
            _summed(clear[:, near].mean(axis=2, dtype=np.float32)),
            first[is_apart],
            last[is_apart],
        )


@dataclass(frozen=True, slots=True)
class Edges:
    """Lines (n) as edges between pairs of lines across them (p).

    `clear` (n, p): how clear they are there, 0..1, and 1 for the sides of the picture. `worth`
    (n, p): how sure it is that there is an edge, which grows as the root of its length does.
    """

    clear: Floats
    worth: Floats

    @classmethod
    def of(cls, lines: Lines, across: Lines) -> Self:
        """Judge all lines between all pairs."""
        strips = len(lines.clear) - 1
        start = -(-(across.at[across.first] + 1) // _ALONG)
        end = np.minimum(across.at[across.last] // _ALONG, strips)
        count = np.maximum(end - start, 1).astype(np.float32)
        clear = (lines.clear[end] - lines.clear[start]).T / count
        chance = ((lines.beside[end] - lines.beside[start]).T / count).clip(*_BY_CHANCE)
        # The mean of a strip's log-likelihood ratio.
        sure = clear * np.log(_SEEN / chance) + (1 - clear) * np.log((1 - _SEEN) / (1 - chance))
        worth = np.sqrt(count) * (sure + _END_WORTH * _ended(lines.clear, start, end) / count)
        clear[[0, -1]], worth[[0, -1]] = 1, _OPEN
        return cls(clear, worth)


def strips(grey: Image.Image, step: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Strips across a picture, and those down it as if it were transposed; `step` pixels a cell."""
    across = np.asarray(grey.reduce((step, step * _ALONG)))
    down = np.asarray(grey.reduce((step * _ALONG, step)))
    return across, np.ascontiguousarray(down.T)


def _clear(strips: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """How clear a step is at each cell, 0 to _LEVELS, against those three and four cells beside."""
    levels = strips.astype(np.int16)
    step = np.abs(levels[:, 2:] - levels[:, :-2])  # across a cell, since edges may be soft
    count = step.shape[1]
    padded = np.pad(step, ((0, 0), (4, 4)))
    around = padded[:, :count] + padded[:, 1 : count + 1]
    around += padded[:, 7 : count + 7]
    around += padded[:, 8:]
    step *= 16
    # From 1.25, 1.5 and 1.75 times the mean of those four on, and a few levels more.
    clear = (step > 5 * around + 36).astype(np.uint8)
    clear += step > 6 * around + 70
    clear += step > 7 * around + 107
    return np.pad(clear, ((0, 0), (1, 1)))


def _stretches(clear: NDArray[np.uint8]) -> NDArray[np.int16]:
    """For each cell the stretch in which a line is seen most and missed least, by Kadane's sums."""
    now = np.zeros(clear.shape[1], np.int16)
    most = now.copy()
    for gains in 2 * clear.astype(np.int16) - _LEVELS:
        now += gains
        np.maximum(now, 0, out=now)
        np.maximum(most, now, out=most)
    return most


def _peaks(values: NDArray[np.int16], least: float) -> Places:
    """Where the greatest values are that are so great, and the greatest within two cells."""
    count = len(values)
    padded = np.pad(values, 2)
    is_peak = values >= least
    for by in (1, 2):
        is_peak &= values > padded[2 - by : 2 - by + count]
        is_peak &= values >= padded[2 + by : 2 + by + count]
    peaks = np.flatnonzero(is_peak)
    return np.sort(peaks[np.argsort(-values[peaks], kind="stable")[:_LINES]])


def _summed(values: Floats) -> Floats:
    """How clear lines are, 0..1, summed up strip by strip; nothing for the picture's sides."""
    sums = np.zeros((len(values) + 1, values.shape[1] + 2), np.float32)
    np.cumsum(values / np.float32(_LEVELS), axis=0, out=sums[1:, 1:-1])
    return sums


def _ended(clear: Floats, start: Places, end: Places) -> Floats:
    """By how many strips lines are missed beyond both ends of a stretch: (n, p)."""
    most = len(clear) - 1
    beyond = np.maximum(end - start, 3) // 4 + 1
    before = np.maximum(start - 1 - beyond, 0), np.maximum(start - 1, 0)
    behind = np.minimum(end + 1, most), np.minimum(end + 1 + beyond, most)
    missed = [
        (_ENDED * (last - first) - (clear[last] - clear[first]).T).clip(0)
        for first, last in (before, behind)
    ]
    ended: Floats = (missed[0] + missed[1]).astype(np.float32)
    return ended
