"""What a search answers with."""

from dataclasses import dataclass

import numpy as np

from hashsvc_index.arrays import Int32Array, Int64Array


@dataclass(frozen=True, eq=False, slots=True)
class Hits:
    """The matches of a search: three parallel arrays, sorted by (query, distance, key).

    Attributes:
        query: int64 (m,), the row of the query among those that were searched for.
        key: int64 (m,), the key of the code that matched.
        distance: int32 (m,), the Hamming distance in bits.
    """

    query: Int64Array
    key: Int64Array
    distance: Int32Array

    def __len__(self) -> int:
        return len(self.query)

    @classmethod
    def empty(cls) -> "Hits":
        """No matches."""
        nothing = np.empty(0, np.int64)
        return cls(nothing, nothing, np.empty(0, np.int32))

    @classmethod
    def ordered(cls, query: Int64Array, key: Int64Array, distance: Int32Array) -> "Hits":
        """Make hits of three parallel arrays that are in any order."""
        order = np.lexsort((key, distance, query))
        return cls(query[order], key[order], distance[order])
