"""Kinds of codes to search: from even ones to ones like the PDQ values of pictures and videos.

- `uniform`: every bit is a fair coin.
- `biased`: bit i is set in a share of the codes that is drawn once from Beta(8, 8).
- `clustered`: biased bits, and a fifth of the codes lies a tenth of its bits away from one of 12
  centres. Half of its queries are near a stored code: the hard case for tables.
- `pdq`: see `pdq` below.

A corpus is a function that draws so many codes; calls go on with the same shares, centres and plain
frames, so that queries come from where the stored codes come from.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from benchmarks.datasets import Codes, make_codes, make_queries, planted, truth_of

Draw = Callable[[int], Codes]
Floats = npt.NDArray[np.float32]

# Codes that are drawn at once: they take memory bit by bit.
_PIECE = 100_000

_CENTRES = 12
_CLUSTERED_SHARE = 5

_SIDE = 16
_RUN = 30
_RUN_LIKENESS = 0.995
_PLAIN = 128
_PLAIN_LIKENESS = 0.9


def uniform(bits: int, rng: np.random.Generator) -> Draw:
    """Fair coins."""
    return lambda count: make_codes(count, rng, bits)


def biased(bits: int, rng: np.random.Generator) -> Draw:
    """Bits that are set more or less often."""
    share = rng.beta(8, 8, bits).astype(np.float32)
    return lambda count: _in_pieces(count, bits, lambda part: _coins(share, part, rng))


def clustered(bits: int, rng: np.random.Generator) -> Draw:
    """Biased bits and a few dense clusters."""
    share = rng.beta(8, 8, bits).astype(np.float32)
    centres = _coins(share, _CENTRES, rng)
    noise = np.full(bits, 0.1, np.float32)

    def draw(count: int) -> Codes:
        codes = _coins(share, count, rng)
        near = rng.permutation(count)[: count // _CLUSTERED_SHARE]
        codes[near] = centres[rng.integers(_CENTRES, size=len(near))] ^ _coins(
            noise, len(near), rng
        )
        return codes

    return lambda count: _in_pieces(count, bits, draw)


def pdq(bits: int, rng: np.random.Generator) -> Draw:
    """Codes made as PDQ makes them, from made-up coefficients of pictures.

    PDQ keeps the 16 x 16 lowest frequencies (the constant one left out) of a picture's cosine
    transform, and sets a bit for each coefficient above their median. Here the coefficients are
    normal numbers whose deviation falls with frequency as that of photos does, like 1 / f.

    - 71 % are pictures, each its own.
    - 25 % are runs of 30 frames of a video; each frame's coefficients are 0.995 of those before
      and a little new, which changes about 8 bits from frame to frame.
    - 2 % are plain frames: one of 128 values, the most frequent one a fifth of them.
    - 2 % are dark frames: plain ones with noise, which changes about 37 bits.
    """
    if bits != _SIDE**2:
        raise SystemExit(f"--corpus: pdq has {_SIDE**2} bits")
    across, down = np.meshgrid(np.arange(1, _SIDE + 1), np.arange(1, _SIDE + 1))
    deviation = (1 / np.hypot(across, down)).ravel().astype(np.float32)
    plain = _normal(_PLAIN, deviation, rng)
    often = 1 / np.arange(1, _PLAIN + 1)
    often /= often.sum()

    def draw(count: int) -> Codes:
        runs = count // 4 // _RUN
        plains = count // 50
        pictures = count - runs * _RUN - 2 * plains
        dark = plain[rng.choice(_PLAIN, plains, p=often)]
        return np.concatenate(
            [
                _thresholded(_normal(pictures, deviation, rng)),
                _runs(runs, deviation, rng),
                _thresholded(plain)[rng.choice(_PLAIN, plains, p=often)],
                _thresholded(_changed(dark, _PLAIN_LIKENESS, deviation, rng)),
            ]
        )

    return lambda count: _in_pieces(count, bits, draw)


CORPORA: dict[str, Callable[[int, np.random.Generator], Draw]] = {
    "uniform": uniform,
    "biased": biased,
    "clustered": clustered,
    "pdq": pdq,
}


def queries_of(
    kind: str, draw: Draw, codes: Codes, count: int, radius: int, rng: np.random.Generator
) -> Codes:
    """Queries for a corpus of this kind.

    99 % are fresh draws that hit nothing, one in a hundred is planted. For uniform codes the draws
    are taken as they come, since none hits; for clustered ones half are planted, half uniform.
    """
    if kind == "uniform":
        return make_queries(codes, count, rng, radius)
    if kind == "clustered":
        asked = planted(make_codes(count, rng, 8 * codes.shape[1]), 2, codes, radius, rng)
        return rng.permutation(asked)
    misses = _misses(draw, codes, count, radius, rng)
    return rng.permutation(planted(misses, 100, codes, radius, rng))


def _misses(draw: Draw, codes: Codes, count: int, radius: int, rng: np.random.Generator) -> Codes:
    """Fresh draws that are near no stored code: what is known is not asked for as a miss."""
    misses = codes[:0]
    while len(misses) < count:
        wanted = count - len(misses)
        fresh = rng.permutation(draw(wanted + wanted // 10 + 10))
        missed = [not found for found in truth_of(codes, fresh, radius)]
        if not any(missed):
            raise SystemExit("--corpus: too many codes, every fresh one is near another")
        misses = np.concatenate([misses, fresh[missed]])
    return misses[:count]


def _in_pieces(count: int, bits: int, draw: Draw) -> Codes:
    codes = np.empty((count, bits // 8), np.uint8)
    for first in range(0, count, _PIECE):
        part = codes[first : first + _PIECE]
        part[:] = draw(len(part))
    return codes


def _coins(share: Floats, count: int, rng: np.random.Generator) -> Codes:
    """Codes each bit of which is set in this share of them."""
    return np.packbits(rng.random((count, len(share)), dtype=np.float32) < share, axis=1)


def _normal(count: int, deviation: Floats, rng: np.random.Generator) -> Floats:
    """Coefficients of so many pictures."""
    return rng.standard_normal((count, len(deviation)), dtype=np.float32) * deviation


def _changed(
    before: Floats, likeness: float, deviation: Floats, rng: np.random.Generator
) -> Floats:
    """Coefficients that are like those before, and vary as much."""
    fresh = np.float32(np.sqrt(1 - likeness**2)) * _normal(len(before), deviation, rng)
    return np.float32(likeness) * before + fresh


def _runs(count: int, deviation: Floats, rng: np.random.Generator) -> Codes:
    """So many runs of frames, one after the other."""
    frames = np.empty((count, _RUN, len(deviation) // 8), np.uint8)
    now = _normal(count, deviation, rng)
    for number in range(_RUN):
        frames[:, number] = _thresholded(now)
        now = _changed(now, _RUN_LIKENESS, deviation, rng)
    return frames.reshape(count * _RUN, frames.shape[2])


def _thresholded(coefficients: Floats) -> Codes:
    """A bit for each coefficient above the median of its picture."""
    middle = coefficients.shape[1] // 2 - 1
    median = np.partition(coefficients, middle, axis=1)[:, middle, None]
    return np.packbits(coefficients > median, axis=1)
