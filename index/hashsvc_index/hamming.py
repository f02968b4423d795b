"""Exact radius search over binary codes that change while they are searched.

Who owns what. The rows of an index are append-only buffers with spare capacity. What readers may
see is one immutable `_Snapshot`: the buffers, how many rows of them count, and the version of the
removals. Writers take turns under a lock; readers take none, only one reference to a snapshot.

- `codes`, `keys`: a writer fills rows at and beyond the published count, then publishes a snapshot
  with a greater count. A row below a published count is never written again.
- `removed_at`: a writer stamps a row with the next version, then publishes that version. A reader
  holds a row for live while its stamp is greater than the reader's version, so it does not matter
  to a reader whether it meets the stamp or not.
- Growing, compacting and reordering copy to new buffers; the old ones stay as they were for the
  readers that hold them, and go with the last.

So a search sees the index as it was at one moment: each add and each remove whole or not at all,
and in the order in which they were made.
"""

import contextlib
import threading
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from hashsvc_index.arrays import (
    CodeArray,
    Int64Array,
    checked_codes,
    checked_keys,
    checked_pairs,
    checked_radius,
    code_width,
)
from hashsvc_index.errors import DuplicateKeyError
from hashsvc_index.hits import Hits
from hashsvc_index.scan import scan

_Stamps: TypeAlias = npt.NDArray[np.uint32]

# A version is spent only on a call that removes a row, so the stamps outlast four billion rows.
_NEVER = np.iinfo(np.uint32).max

# Below this many rows, dead or unordered ones are not worth a copy.
_REBUILD_ROWS = 64
_DEAD_SHARE = 1 / 4
_UNORDERED_SHARE = 1 / 8


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What one search sees.

    The buffers are longer than `count`; the rows beyond belong to the writer.
    `ascending`: the keys of this many first rows, dead ones too, are strictly ascending.
    """

    codes: CodeArray
    keys: Int64Array
    removed_at: _Stamps
    count: int
    version: int
    live: int
    ascending: int

    def is_live(self, rows: Int64Array) -> npt.NDArray[np.bool_]:
        """Which of these rows have not been removed."""
        return self.removed_at[rows] > self.version

    def live_rows(self) -> Int64Array:
        """Every live row, ascending."""
        return np.flatnonzero(self.removed_at[: self.count] > self.version)

    def precedes(self, keys: Int64Array) -> bool:
        """Whether every row, dead ones too, is in order and has a key below the first of `keys`."""
        if self.ascending < self.count:
            return False
        return not self.count or bool(self.keys[self.count - 1] < keys[0])

    def rows_of(self, keys: Int64Array) -> Int64Array:
        """The live rows that hold any of `keys` (ascending): O(log n) a key, and the unordered."""
        ordered = self.keys[: self.ascending]
        at = np.searchsorted(ordered, keys)
        inside = at < self.ascending
        found = at[inside][ordered[at[inside]] == keys[inside]]
        unordered = np.isin(self.keys[self.ascending : self.count], keys)
        rows = np.concatenate([found, np.flatnonzero(unordered) + self.ascending])
        return rows[self.is_live(rows)]


class HammingIndex:
    """Keys with binary codes; finds every key whose code is within a radius. Exact, live.

    Any number of threads may search while others add and remove; a search neither waits nor
    makes anyone wait, releases the GIL, and sees the index as it was at one moment. A key whose
    `add` returned before a search began, and that nobody removed, is found.

    Every search compares with every code (FAISS, about 1 ms a query for a million codes of 256
    bits on one core). Adding keys that are greater than all before costs time for those alone;
    other orders work, with a scan of up to an eighth of the keys for each call.

    Args:
        bits: length of a code, a positive multiple of 8.

    Raises:
        ValueError: `bits` is not one.
    """

    def __init__(self, bits: int) -> None:
        self._width = code_width(bits)
        self._writer = threading.Lock()
        self._snapshot = _empty(self._width, 0)

    @property
    def bits(self) -> int:
        """Length of a code in bits."""
        return 8 * self._width

    @property
    def nbytes(self) -> int:
        """Bytes of the buffers, spare capacity and removed rows not yet compacted included."""
        now = self._snapshot
        return now.codes.nbytes + now.keys.nbytes + now.removed_at.nbytes

    def __len__(self) -> int:
        """Live keys."""
        return self._snapshot.live

    def add(self, keys: Int64Array, codes: CodeArray) -> None:
        """Add all of these, or none: they are searchable when this returns.

        Args:
            keys: int64 (n,), none of them live and none twice.
            codes: uint8 (n, bits // 8), the code of each key; codes may repeat.

        Raises:
            DuplicateKeyError: a key is live already or stands twice in `keys`.
            ValueError: wrong dtype, shape or width.
        """
        keys, codes = checked_pairs(keys, codes, self._width)
        if not len(keys):
            return
        if not (keys[1:] > keys[:-1]).all():
            order = np.argsort(keys, kind="stable")
            keys, codes = keys[order], codes[order]
            twice = keys[1:][keys[1:] == keys[:-1]]
            if len(twice):
                raise DuplicateKeyError(twice.tolist())
        with self._writer:
            self._append(keys, codes)

    def remove(self, keys: Int64Array) -> int:
        """Remove the live ones among these keys, and return how many those were.

        Args:
            keys: int64 (n,); keys that are unknown or repeated are ignored.

        Raises:
            ValueError: wrong dtype or shape.
        """
        keys = np.unique(checked_keys(keys))
        with self._writer:
            now = self._snapshot
            rows = now.rows_of(keys)
            if len(rows):
                version = now.version + 1
                now.removed_at[rows] = version
                self._snapshot = replace(now, version=version, live=now.live - len(rows))
                self._tidy()
        return len(rows)

    def search(self, codes: CodeArray, radius: int) -> Hits:
        """Find every live key within `radius` bits of each code: no more, no fewer.

        Args:
            codes: uint8 (q, bits // 8), the queries.
            radius: the greatest Hamming distance that is a hit, in bits, 0 or more.

        Raises:
            ValueError: wrong dtype, shape, width or radius.
        """
        codes = checked_codes(codes, self._width)
        radius = checked_radius(radius)
        now = self._snapshot
        query, row, distance = scan(now.codes[: now.count], codes, radius)
        if not len(row):
            return Hits.empty()
        live = now.is_live(row)
        return Hits.ordered(query[live], now.keys[row[live]], distance[live])

    def _append(self, keys: Int64Array, codes: CodeArray) -> None:
        now = self._snapshot
        if not now.precedes(keys):
            present = now.keys[now.rows_of(keys)]
            if len(present):
                raise DuplicateKeyError(present.tolist())
        if now.count + len(keys) > len(now.keys):
            now = _rebuilt(now, room=len(keys))
        ordered = now.precedes(keys)
        first, count = now.count, now.count + len(keys)
        now.codes[first:count] = codes
        now.keys[first:count] = keys
        now.removed_at[first:count] = _NEVER
        self._snapshot = replace(
            now,
            count=count,
            live=now.live + len(keys),
            ascending=count if ordered else now.ascending,
        )
        self._tidy()

    def _tidy(self) -> None:
        """Copy the rows to new buffers if too many are dead or out of order."""
        now = self._snapshot
        dead, unordered = now.count - now.live, now.count - now.ascending
        if dead > max(_REBUILD_ROWS, _DEAD_SHARE * now.count) or unordered > max(
            _REBUILD_ROWS, _UNORDERED_SHARE * now.count
        ):
            # The change itself is made; thrift can wait for memory.
            with contextlib.suppress(MemoryError):
                self._snapshot = _rebuilt(now)


def _empty(width: int, capacity: int) -> _Snapshot:
    return _Snapshot(
        codes=np.empty((capacity, width), np.uint8),
        keys=np.empty(capacity, np.int64),
        removed_at=np.empty(capacity, np.uint32),
        count=0,
        version=0,
        live=0,
        ascending=0,
    )


def _rebuilt(old: _Snapshot, room: int = 0) -> _Snapshot:
    """The live rows in key order in new buffers that have room for more, a fifth to spare."""
    rows = old.live_rows()
    rows = rows[np.argsort(old.keys[rows], kind="stable")]
    count, needed = len(rows), len(rows) + room
    new = _empty(old.codes.shape[1], needed + needed // 4)
    # Any other mode than clip makes a copy of the output on the way.
    np.take(old.codes, rows, axis=0, out=new.codes[:count], mode="clip")
    np.take(old.keys, rows, out=new.keys[:count], mode="clip")
    new.removed_at[:count] = _NEVER
    return replace(new, count=count, live=count, ascending=count)
