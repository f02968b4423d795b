"""Codes to test with, and hits in a form that is easy to compare."""

import numpy as np

from hashsvc_index import Hits
from hashsvc_index.arrays import CodeArray, Int64Array

Row = tuple[int, int, int]


def rows(hits: Hits) -> list[Row]:
    """Hits as (query, key, distance) rows in their own order."""
    return list(zip(hits.query.tolist(), hits.key.tolist(), hits.distance.tolist(), strict=True))


def keys_of(*keys: int) -> Int64Array:
    """An array of these keys."""
    return np.array(keys, np.int64)


def random_codes(rng: np.random.Generator, count: int, bits: int) -> CodeArray:
    """Uniform codes."""
    return rng.integers(0, 256, (count, bits // 8), dtype=np.uint8)


def flipped(code: CodeArray, positions: Int64Array) -> CodeArray:
    """The code (w,) with the bits at these positions flipped."""
    unpacked = np.unpackbits(code)
    unpacked[positions] ^= 1
    return np.packbits(unpacked)


def spread(distance: int, bits: int) -> Int64Array:
    """`distance` bit positions as evenly over a code as they go."""
    return np.arange(distance, dtype=np.int64) * bits // max(distance, 1)


def clumped_codes(rng: np.random.Generator, count: int, bits: int) -> CodeArray:
    """Codes at every distance from one another: few centres, any number of flips, repeats."""
    centres = np.random.default_rng(0).integers(0, 256, (3, bits // 8), dtype=np.uint8)
    codes = [
        flipped(
            centres[rng.integers(3)],
            rng.permutation(bits)[: rng.integers(0, bits + 1) // rng.choice([1, 8, 64])],
        )
        for _ in range(count)
    ]
    return np.array(codes, np.uint8).reshape(count, bits // 8)
