"""Seeded codes and queries, the truth about them by brute force, and the score of an answer.

Of 100 queries 99 are random, hence misses, and one is a stored code with bits flipped, up to as
many as the radius allows.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

BITS = 256
RADIUS = 31

Codes = npt.NDArray[np.uint8]
Found = set[tuple[int, int]]
"""The hits of one query: (row of the stored code, distance)."""

# Codes that are compared at once, so that what is made of them stays in the caches.
_PIECE = 16_384


def make_codes(count: int, rng: np.random.Generator, bits: int = BITS) -> Codes:
    """Uniform codes: uint8 (count, bits // 8)."""
    return rng.integers(0, 256, (count, bits // 8), dtype=np.uint8)


def make_queries(codes: Codes, count: int, rng: np.random.Generator, radius: int = RADIUS) -> Codes:
    """Random codes; one in a hundred, and at least one, is planted near a stored code."""
    asked = make_codes(count, rng, 8 * codes.shape[1])
    return rng.permutation(planted(asked, 100, codes, radius, rng))


def planted(asked: Codes, every: int, codes: Codes, radius: int, rng: np.random.Generator) -> Codes:
    """`asked`, with each so many-th a stored code that has up to `radius` bits flipped."""
    asked = asked.copy()
    bits = 8 * codes.shape[1]
    for row in range(0, len(asked), every):
        flips = np.zeros(bits, np.uint8)
        flips[rng.permutation(bits)[: rng.integers(0, radius + 1)]] = 1
        asked[row] = codes[rng.integers(len(codes))] ^ np.packbits(flips)
    return asked


def truth_of(codes: Codes, asked: Codes, radius: int = RADIUS) -> list[Found]:
    """What each query must find: every code is compared with every query, in plain numpy."""
    truth: list[Found] = [set() for _ in asked]
    queries = np.ascontiguousarray(asked).view(np.uint64)
    for first in range(0, len(codes), _PIECE):
        piece = np.ascontiguousarray(codes[first : first + _PIECE])
        words = np.ascontiguousarray(piece.view(np.uint64).T)
        for query, found in zip(queries, truth, strict=True):
            distance = np.zeros(len(piece), np.uint16)
            for word, wanted in zip(words, query, strict=True):
                distance += np.bitwise_count(word ^ wanted)
            rows = np.flatnonzero(distance <= radius)
            if len(rows):
                found.update(zip((rows + first).tolist(), distance[rows].tolist(), strict=True))
    return truth


def score(truth: Sequence[Found], answers: Sequence[Found]) -> dict[str, float]:
    """The share of the true hits that was found, and how many hits were wrong."""
    expected = sum(map(len, truth))
    found = sum(len(a & t) for a, t in zip(answers, truth, strict=True))
    return {
        "recall": found / expected if expected else 1.0,
        "wrong": sum(map(len, answers)) - found,
    }
