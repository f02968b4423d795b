"""Seeded PDQ values and queries, the truth about them by brute force, and the score of an answer.

Of 100 queries 99 are random, hence misses, and one is a stored code with 0 to 31 bits flipped.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hashsvc_index import brute_force

BITS = 256
RADIUS = 31

Codes = npt.NDArray[np.uint8]
Found = set[tuple[int, int]]
"""The hits of one query: (row of the stored code, distance)."""


def make_codes(count: int, rng: np.random.Generator) -> Codes:
    """Uniform codes: uint8 (count, 32)."""
    return rng.integers(0, 256, (count, BITS // 8), dtype=np.uint8)


def make_clustered_codes(count: int, rng: np.random.Generator) -> Codes:
    """Codes of biased bits, a fifth of them a tenth of their bits away from one of 12 centres."""
    share = rng.beta(8, 8, BITS).astype(np.float32)
    codes = np.concatenate([_biased(share, part, rng) for part in _parts(count)])
    centres = _biased(share, 12, rng)
    for part in np.array_split(rng.permutation(count)[: count // 5], len(_parts(count))):
        noise = _biased(np.full(BITS, 0.1, np.float32), len(part), rng)
        codes[part] = centres[rng.integers(12, size=len(part))] ^ noise
    return codes


def make_near_queries(codes: Codes, count: int, rng: np.random.Generator) -> Codes:
    """Half are stored codes with 0 to 31 bits flipped, half are random."""
    asked = make_codes(count, rng)
    for row in range(0, count, 2):
        flips = np.zeros(BITS, np.uint8)
        flips[rng.permutation(BITS)[: rng.integers(0, RADIUS + 1)]] = 1
        asked[row] = codes[rng.integers(len(codes))] ^ np.packbits(flips)
    return rng.permutation(asked)


def _parts(count: int) -> list[int]:
    """`count` in pieces that fit in memory bit by bit."""
    return [min(100_000, count - first) for first in range(0, count, 100_000)]


def _biased(share: npt.NDArray[np.float32], count: int, rng: np.random.Generator) -> Codes:
    """Codes each bit of which is set in this share of them."""
    return np.packbits(rng.random((count, BITS), dtype=np.float32) < share, axis=1)


def make_queries(codes: Codes, count: int, rng: np.random.Generator) -> Codes:
    """Random codes; one in a hundred, and at least one, is planted near a stored code."""
    asked = make_codes(count, rng)
    for row in range(0, count, 100):
        flips = np.zeros(BITS, np.uint8)
        flips[rng.permutation(BITS)[: rng.integers(0, RADIUS + 1)]] = 1
        asked[row] = codes[rng.integers(len(codes))] ^ np.packbits(flips)
    return rng.permutation(asked)


def truth_of(codes: Codes, asked: Codes) -> list[Found]:
    """What each query must find."""
    truth: list[Found] = [set() for _ in asked]
    hits = brute_force(codes, np.arange(len(codes)), asked, RADIUS)
    for query, key, distance in zip(hits.query, hits.key, hits.distance, strict=True):
        truth[query].add((int(key), int(distance)))
    return truth


def score(truth: Sequence[Found], answers: Sequence[Found]) -> dict[str, float]:
    """The share of the true hits that was found, and how many hits were wrong."""
    expected = sum(map(len, truth))
    found = sum(len(a & t) for a, t in zip(answers, truth, strict=True))
    return {
        "recall": found / expected if expected else 1.0,
        "wrong": sum(map(len, answers)) - found,
    }
