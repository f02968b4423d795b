"""The reference: radius search in plain numpy, for tests and benchmarks to trust."""

import numpy as np

from hashsvc_index.arrays import (
    CodeArray,
    Int64Array,
    checked_codes,
    checked_pairs,
    checked_radius,
)
from hashsvc_index.hits import Hits


def brute_force(codes: CodeArray, keys: Int64Array, queries: CodeArray, radius: int) -> Hits:
    """Find every code within `radius` bits of each query by comparing all with all.

    Args:
        codes: uint8 (n, w).
        keys: int64 (n,), the key of each code; they need not be unique.
        queries: uint8 (q, w).
        radius: the greatest Hamming distance that is a hit, in bits, 0 or more.

    Raises:
        ValueError: an argument has the wrong dtype, shape or range.
    """
    width = codes.shape[1] if isinstance(codes, np.ndarray) and codes.ndim == 2 else 0
    keys, codes = checked_pairs(keys, codes, width)
    queries = checked_codes(queries, width)
    radius = checked_radius(radius)
    word = np.uint64 if width and width % 8 == 0 else np.uint8
    code_words, query_words = codes.view(word), queries.view(word)
    found: list[tuple[Int64Array, Int64Array, Int64Array]] = []
    for number, query in enumerate(query_words):
        distance = np.bitwise_count(code_words ^ query).sum(axis=1, dtype=np.int64)
        rows = np.flatnonzero(distance <= radius)
        found.append((np.full(len(rows), number), keys[rows], distance[rows]))
    if not found:
        return Hits.empty()
    query_rows, hit_keys, distances = (
        np.concatenate(column) for column in zip(*found, strict=True)
    )
    return Hits.ordered(query_rows, hit_keys, distances.astype(np.int32))
