"""Exact radius search over binary codes that change while they are searched.

>>> import numpy as np
>>> index = HammingIndex(bits=64)
>>> codes = np.zeros((2, 8), np.uint8)
>>> codes[1, 0] = 0b111
>>> index.add(np.array([10, 11]), codes)
>>> hits = index.search(np.zeros((1, 8), np.uint8), radius=3)
>>> [row.tolist() for row in (hits.query, hits.key, hits.distance)]
[[0, 0], [10, 11], [0, 3]]
>>> index.remove(np.array([10])), len(index)
(1, 1)

`HammingIndex` serves perceptual hashes, `DigestIndex` cryptographic digests; both have the same
`add`, `remove` and `search`, and both may be searched by many threads while others change them.
"""

from hashsvc_index.bruteforce import brute_force
from hashsvc_index.digest import DigestIndex
from hashsvc_index.errors import (
    CodeIndexError,
    CorruptIndexError,
    DuplicateKeyError,
    InvalidInputError,
)
from hashsvc_index.hamming import HammingIndex
from hashsvc_index.hits import Hits
from hashsvc_index.merging import Snapshot

__all__ = [
    "CodeIndexError",
    "CorruptIndexError",
    "DigestIndex",
    "DuplicateKeyError",
    "HammingIndex",
    "Hits",
    "InvalidInputError",
    "Snapshot",
    "brute_force",
]
