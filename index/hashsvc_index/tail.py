"""The newest codes: append-only buffers that are searched by comparing with all of them.

- `codes`, `keys`: a writer fills rows at and beyond the published count, then publishes a tail
  with a greater count. A row below a published count is never written again.
- `removed_at`: a writer stamps a row with the next version, then publishes that version. A reader
  holds a row for live while its stamp is greater than the reader's version, so it does not matter
  to a reader whether it meets the stamp or not.
- Growing, compacting and reordering copy to new buffers; the old ones stay as they were for the
  readers that hold them, and go with the last.
"""

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from hashsvc_index.arrays import CodeArray, Int32Array, Int64Array
from hashsvc_index.scan import scan

Stamps: TypeAlias = npt.NDArray[np.uint32]

# A version is spent only on a call that removes a key, so the stamps outlast four billion calls.
NEVER = np.iinfo(np.uint32).max

# Below this many rows, dead or unordered ones are not worth a copy.
REBUILD_ROWS = 64
DEAD_SHARE = 1 / 4
_UNORDERED_SHARE = 1 / 8


@dataclass(frozen=True, slots=True)
class Tail:
    """Rows in the order of adding.

    The buffers are longer than `count`; the rows beyond belong to the writer.
    `live`: how many rows were live when this was published.
    `ascending`: the keys of this many first rows, dead ones too, are strictly ascending.
    """

    codes: CodeArray
    keys: Int64Array
    removed_at: Stamps
    count: int
    live: int
    ascending: int

    @property
    def nbytes(self) -> int:
        """Bytes of the buffers, spare capacity included."""
        return self.codes.nbytes + self.keys.nbytes + self.removed_at.nbytes

    def is_live(self, rows: Int64Array, version: int) -> npt.NDArray[np.bool_]:
        """Which of these rows have not been removed at this version."""
        return self.removed_at[rows] > version

    def live_keys(self, version: int) -> Int64Array:
        """The live keys, in the order of rows."""
        return self.keys[: self.count][self.removed_at[: self.count] > version]

    def live_pairs(self, version: int) -> tuple[Int64Array, CodeArray]:
        """Copies of the live keys and their codes, in the order of rows."""
        rows = np.flatnonzero(self.removed_at[: self.count] > version)
        return self.keys[rows], np.take(self.codes, rows, axis=0)

    def precedes(self, keys: Int64Array) -> bool:
        """Whether every row, dead ones too, is in order and has a key below the first of `keys`."""
        if self.ascending < self.count:
            return False
        return not self.count or bool(self.keys[self.count - 1] < keys[0])

    def slots_of(self, keys: Int64Array) -> Int64Array:
        """The rows that hold any of `keys` (ascending): O(log n) a key, and the unordered."""
        if not len(keys) or self.precedes(keys):
            return np.empty(0, np.int64)
        ordered = self.keys[: self.ascending]
        at = np.searchsorted(ordered, keys)
        inside = at < self.ascending
        found = at[inside][ordered[at[inside]] == keys[inside]]
        unordered = np.isin(self.keys[self.ascending : self.count], keys)
        return np.concatenate([found, np.flatnonzero(unordered) + self.ascending])

    def keys_between(self, first: int, last: int) -> Int64Array:
        """The keys from `first` up to but not including `last`, dead ones too."""
        start, end = np.searchsorted(self.keys[: self.ascending], (first, last))
        others = self.keys[self.ascending : self.count]
        within = others[(others >= first) & (others < last)]
        return np.concatenate([self.keys[start:end], within])

    def keys_at(self, slots: Int64Array) -> Int64Array:
        """The keys in these rows."""
        return self.keys[slots]

    def with_removed(self, slots: Int64Array, version: int) -> "Tail":
        """This tail with these live rows stamped; `version` is published later."""
        self.removed_at[slots] = version
        return replace(self, live=self.live - len(slots))

    def search(self, codes: CodeArray, radius: int) -> tuple[Int64Array, Int64Array, Int32Array]:
        """Query, row and distance of every row within the radius, dead ones too."""
        return scan(self.codes[: self.count], codes, radius)

    def appended(self, keys: Int64Array, codes: CodeArray, version: int) -> "Tail":
        """This tail with more rows, whose keys ascend and are live nowhere."""
        now = self
        if now.count + len(keys) > len(now.keys):
            now = now.rebuilt(version, room=len(keys))
        ordered = now.precedes(keys)
        first, count = now.count, now.count + len(keys)
        now.codes[first:count] = codes
        now.keys[first:count] = keys
        now.removed_at[first:count] = NEVER
        return replace(
            now,
            count=count,
            live=now.live + len(keys),
            ascending=count if ordered else now.ascending,
        )

    def is_untidy(self) -> bool:
        """Whether too many rows are dead or out of order."""
        dead, unordered = self.count - self.live, self.count - self.ascending
        return dead > max(REBUILD_ROWS, DEAD_SHARE * self.count) or unordered > max(
            REBUILD_ROWS, _UNORDERED_SHARE * self.count
        )

    def rebuilt(self, version: int, room: int = 0) -> "Tail":
        """The live rows in key order in new buffers that have room for more, a fifth to spare."""
        rows = np.flatnonzero(self.removed_at[: self.count] > version)
        rows = rows[np.argsort(self.keys[rows], kind="stable")]
        count, needed = len(rows), len(rows) + room
        new = empty_tail(self.codes.shape[1], needed + needed // 4)
        # Any other mode than clip makes a copy of the output on the way.
        np.take(self.codes, rows, axis=0, out=new.codes[:count], mode="clip")
        np.take(self.keys, rows, out=new.keys[:count], mode="clip")
        new.removed_at[:count] = NEVER
        return replace(new, count=count, live=count, ascending=count)


def empty_tail(width: int, capacity: int) -> Tail:
    """A tail without rows.

    Args:
        width: bytes of a code.
        capacity: rows that go in before the buffers are copied.
    """
    return Tail(
        codes=np.empty((capacity, width), np.uint8),
        keys=np.empty(capacity, np.int64),
        removed_at=np.empty(capacity, np.uint32),
        count=0,
        live=0,
        ascending=0,
    )
