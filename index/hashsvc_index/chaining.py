"""Chains through pairs of near codes of two sequences in time: local alignment, compiled.

Two sequences of 256-bit codes with times, such as the frames of an upload and of a known video. A
moment of the first has one or two codes (looks at the same moment). `nearest` finds its pairs,
`link` the best chain that ends at each pair: in a chain time moves on by as much on both sides, as
in the local alignment of Smith and Waterman (1981). `along` compares once more along a given line.

All release the GIL and take read-only arrays. They are compiled when this module is imported, and
afterwards loaded from the cache beside it. Without numba they are plain Python: as exact, and slow.
"""

import os
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from hashsvc_index.compiled import WITHOUT

try:
    import numba
except ImportError:
    numba = None
if os.environ.get(WITHOUT):
    numba = None

PAIRS = 8
"""Pairs kept for each moment of the first sequence."""

LOOKS = 2
"""Codes of a moment; one that has one alone has it twice."""

_Function = TypeVar("_Function", bound=Callable[..., Any])
_FEWEST_ELSEWHERE = 4
_ANCHOR_S = 3.0


def _compiled(signature: str = "") -> Callable[[_Function], _Function]:
    """Compile for the types of a signature, in which `T(n)` is a read-only array of n dimensions.

    Without a signature, as part of what calls it.
    """

    def decorate(function: _Function) -> _Function:
        if numba is None:
            return function
        if not signature:
            helper: _Function = numba.njit(inline="always")(function)
            return helper
        types = [_type(name) for name in signature.split()]
        try:
            made: _Function = numba.njit(types[0](*types[1:]), nogil=True, cache=True)(function)
        except RuntimeError:
            # No folder for the cache can be written: compiled anew at each start.
            made = numba.njit(types[0](*types[1:]), nogil=True)(function)
        return made

    return decorate


def _type(name: str) -> Any:
    kind, _, dimensions = name.rstrip(")").partition("(")
    if not dimensions:
        return getattr(numba.types, kind)
    is_output = kind.startswith("out_")
    kind = getattr(numba.types, kind.removeprefix("out_"))
    return numba.types.Array(kind, int(dimensions), "C", readonly=not is_output)


@_compiled()
def _bits(value: Any) -> Any:
    """Bits set in a uint64; LLVM makes one instruction of it."""
    if numba is None:
        return int(value).bit_count()
    value = value - ((value >> np.uint64(1)) & np.uint64(0x5555555555555555))
    value = (value & np.uint64(0x3333333333333333)) + (
        (value >> np.uint64(2)) & np.uint64(0x3333333333333333)
    )
    value = (value + (value >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (value * np.uint64(0x0101010101010101)) >> np.uint64(56)


@_compiled()
def _distance(looks: Any, moment: int, codes: Any, row: int) -> Any:
    """Bits between a moment and a code: those of the nearer look."""
    least = np.int64(4 * 64)
    for look in range(looks.shape[1]):
        total = np.int64(0)
        for word in range(codes.shape[1]):
            total += np.int64(_bits(looks[moment, look, word] ^ codes[row, word]))
        least = min(least, total)
    return least


@_compiled("out_int64(3) uint64(3) uint64(2) float64(1) int64 float64")
def nearest(looks: Any, codes: Any, times: Any, reach: int, apart: float) -> Any:
    """The nearest codes of each moment, of those `apart` or less in time the nearer one.

    Args:
        looks: uint64 (n, LOOKS, 4).
        codes: uint64 (m, 4), in the order of `times`, float64 (m,), in seconds.
        reach: in bits; codes farther away are no pairs.
        apart: in seconds.

    Returns:
        int64 (n, PAIRS, 2): row and bits of each pair in the order of time, -1 where there are
        fewer.
    """
    found = np.full((len(looks), PAIRS, 2), -1, np.int64)
    for moment in range(len(looks)):
        count = 0
        for row in range(len(codes)):
            bits = _distance(looks, moment, codes, row)
            if bits > reach:
                continue
            last = count - 1
            if count and times[row] - times[found[moment, last, 0]] <= apart:
                if bits < found[moment, last, 1]:
                    found[moment, last, 0] = row
                    found[moment, last, 1] = bits
            elif count < PAIRS:
                found[moment, count, 0] = row
                found[moment, count, 1] = bits
                count += 1
            else:
                worst = 0
                for pair in range(1, PAIRS):
                    if found[moment, pair, 1] >= found[moment, worst, 1]:
                        worst = pair
                if bits < found[moment, worst, 1]:
                    for pair in range(worst, PAIRS - 1):
                        found[moment, pair, 0] = found[moment, pair + 1, 0]
                        found[moment, pair, 1] = found[moment, pair + 1, 1]
                    found[moment, PAIRS - 1, 0] = row
                    found[moment, PAIRS - 1, 1] = bits
    return found


@_compiled(
    "void float64(1) int64(3) float64(1) float64(1) int64 float64(1)"
    " out_float64(2) out_int64(3) out_int64(3)"
)
def link(
    moments: Any,
    pairs: Any,
    times: Any,
    until: Any,
    first: int,
    costs: Any,
    score: Any,
    before: Any,
    anchors: Any,
) -> None:
    """Find the best chain that ends at each pair, for the moments from `first` on.

    A code stands for what is shown from its time `until` another. A pair follows one of an earlier
    moment if between them the second sequence may have moved on as far as the first, give or take
    the pace; and the same since some seconds before, since slack would add up from pair to pair. A
    chain earns 1 - bits / reach a pair, and pays for moments that it skips.

    Args:
        moments: float64 (n,), ascending, in seconds.
        pairs: as `nearest` gives them.
        times, until: float64 (m,).
        first: moments before this one are linked already.
        costs: float64: reach in bits; slack in seconds; greatest change of pace; how far back a
            chain may reach, in seconds and in moments; the cost of each skipped moment, but no more
            than so much a second; the cost of each second by which the two sides drift apart.
        score: float64 (n, PAIRS), filled from `first` on.
        before: int64 (n, PAIRS, 2), filled likewise: moment and pair before, or -1.
        anchors: int64 (n, PAIRS, 4), filled likewise: moment and row of two pairs further back.
    """
    reach, slack, pace, bridge = costs[0], costs[1], costs[2], costs[3]
    back, skip, skip_second, drifting = costs[4], costs[5], costs[6], costs[7]
    for moment in range(first, len(moments)):
        score[moment, :] = 0.0
        before[moment, :, :] = -1
        for pair in range(PAIRS):
            row = pairs[moment, pair, 0]
            if row < 0:
                break
            best = 0.0
            for earlier in range(moment - 1, max(-1, moment - 1 - int(back)), -1):
                passed = moments[moment] - moments[earlier]
                if passed > bridge:
                    break
                cost = min(skip * (moment - 1 - earlier), skip_second * passed)
                for other in range(PAIRS):
                    past = pairs[earlier, other, 0]
                    if past < 0:
                        break
                    if times[row] - until[past] - slack > (1 + pace) * passed:
                        continue
                    if until[row] - times[past] + slack < (1 - pace) * passed:
                        continue
                    since = moments[moment] - moments[anchors[earlier, other, 0]]
                    anchor = anchors[earlier, other, 1]
                    if times[row] - until[anchor] - slack > (1 + pace) * since:
                        continue
                    if until[row] - times[anchor] + slack < (1 - pace) * since:
                        continue
                    drift = abs(times[row] - times[past] - passed)
                    total = score[earlier, other] - cost - drifting * drift
                    if total > best:
                        best = total
                        before[moment, pair, 0] = earlier
                        before[moment, pair, 1] = other
            score[moment, pair] = best + 1 - pairs[moment, pair, 1] / reach
            anchors[moment, pair, 0] = anchors[moment, pair, 2] = moment
            anchors[moment, pair, 1] = anchors[moment, pair, 3] = row
            earlier, other = before[moment, pair, 0], before[moment, pair, 1]
            if earlier >= 0:
                middle = anchors[earlier, other, 2]
                if moments[moment] - moments[middle] < _ANCHOR_S:
                    anchors[moment, pair] = anchors[earlier, other]
                else:
                    anchors[moment, pair, 0] = middle
                    anchors[moment, pair, 1] = anchors[earlier, other, 3]


@_compiled("out_int64(2) uint64(3) float64(1) uint64(2) float64(1) float64(1) float64 float64")
def along(
    looks: Any, places: Any, codes: Any, times: Any, until: Any, slack: float, margin: float
) -> Any:
    """Compare each moment with the code at its place, and with the rest of the sequence.

    Args:
        looks: uint64 (n, LOOKS, 4).
        places: float64 (n,), seconds in the second sequence.
        codes, times, until: of the second sequence.
        slack: seconds by which a place may miss.
        margin: codes at least so many seconds away are the rest.

    Returns:
        int64 (n, 3): bits to the nearest code there and its row, -1 where there is none; the median
        of the bits to the rest, -1 where that is fewer than four codes.
    """
    found = np.full((len(looks), 3), -1, np.int64)
    counts = np.zeros(4 * 64 + 1, np.int64)
    for moment in range(len(looks)):
        counts[:] = 0
        elsewhere = 0
        place = places[moment]
        for row in range(len(codes)):
            is_there = times[row] - slack <= place <= until[row] + slack
            is_away = abs(times[row] - place) >= margin
            if not (is_there or is_away):
                continue
            bits = _distance(looks, moment, codes, row)
            if is_there and (found[moment, 0] < 0 or bits < found[moment, 0]):
                found[moment, 0] = bits
                found[moment, 1] = row
            if is_away:
                counts[bits] += 1
                elsewhere += 1
        if elsewhere >= _FEWEST_ELSEWHERE:
            passed = 0
            for bits in range(len(counts)):
                passed += counts[bits]
                if 2 * passed >= elsewhere:
                    found[moment, 2] = bits
                    break
    return found
