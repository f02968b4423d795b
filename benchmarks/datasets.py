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
