"""Immutable sets of codes with tables, so that a search reads a small part of them.

Why nothing is missed. A code of b bits is m = b / 16 words. Let d[i] be the number of bits in which
word i of a code and of a query differ, in sum at most the radius r. Give each word an allowance
a[i] >= 0, in sum r + 1. Go round the words and add up d[i] - a[i]: one round adds up to less than
0, so there is a last place at which the sum is as great as it ever gets, and from the word i after
it every sum of one, two, ... words is below 0. So for this i

    d[i] < a[i]    and    d[i] + d[i + 1] < a[i] + a[i + 1]    (word m is word 0)

Table i holds all rows by word i. A search looks into the buckets whose word differs in fewer than
a[i] bits from the query's, that is the first condition, and reads there word i + 1 of each code,
which stands beside the row's number, for the second. Of random codes that leaves eleven in a
million; only those are compared in full. A code can meet the conditions in several
tables; it is reported in the first.

For r = 31 and 256 bits every allowance is 2: 16 tables, 17 buckets in each.
"""

import mmap
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from hashsvc_index.arrays import CodeArray, Int32Array, Int64Array
from hashsvc_index.compiled import kernels
from hashsvc_index.scan import scan
from hashsvc_index.tail import Stamps

BUCKETS = 1 << 16
# Rows are numbered in three bytes.
MAX_ROWS = 1 << 24

Rows = npt.NDArray[np.uint32]

# Cost of a query, in codes that the flat scan compares in the same time.
_ENTRIES_PER_CODE = 8
_CODES_PER_CHECK = 16

# Up to so many queries, and for each so many entries and checks, the GIL is held: about 0.2 ms.
_SHORT_QUERIES = 2
_SHORT_ENTRIES = 250_000
_SHORT_CHECKS = 2_000


@dataclass(frozen=True)
class Tables:
    """Rows by each word: `offsets` uint32 (m, 65537), where the buckets of a table begin.

    `sketches` uint16 (m * n + some), `low` uint16 (m * n,), `high` uint8 (m * n,): for each entry
    the next word of the code, and the row in two pieces.
    """

    offsets: npt.NDArray[np.uint32]
    sketches: npt.NDArray[np.uint16]
    low: npt.NDArray[np.uint16]
    high: npt.NDArray[np.uint8]

    @property
    def nbytes(self) -> int:
        """Bytes of all."""
        return sum(array.nbytes for array in (self.offsets, self.sketches, self.low, self.high))


@dataclass(frozen=True)
class Segment:
    """Distinct codes, each with one key or more.

    A slot is a place for a key: the first n belong to the rows, the rest are the further keys of
    codes that several keys share.

    Attributes:
        codes: uint8 (n, w), n at most MAX_ROWS, distinct.
        keys: int64 (k,), each once; the first n ascend.
        extra_rows: uint32 (k - n,), ascending: the row of each further key.
        extra_order: uint32 (k - n,): the further keys in ascending order, counted from n.
        tables: None where the kernels are missing or do not serve this width.
        removed_at: uint32 (k,), 0 for never; None while nothing was removed.
        live: how many slots were live when this was published.
    """

    codes: CodeArray
    keys: Int64Array
    extra_rows: Rows
    extra_order: Rows
    tables: Tables | None
    removed_at: Stamps | None
    live: int

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return (
            self.codes.nbytes
            + self.keys.nbytes
            + self.extra_rows.nbytes
            + self.extra_order.nbytes
            + (self.tables.nbytes if self.tables else 0)
            + (0 if self.removed_at is None else self.removed_at.nbytes)
        )

    def fits(self) -> bool:
        """Whether shapes and types are as they must be."""
        count, extra = len(self.codes), len(self.keys) - len(self.codes)
        wanted: list[tuple[npt.NDArray[Any], type[np.generic], tuple[int, ...]]] = [
            (self.codes, np.uint8, (count, self.codes.shape[1])),
            (self.keys, np.int64, (count + extra,)),
            (self.extra_rows, np.uint32, (extra,)),
            (self.extra_order, np.uint32, (extra,)),
        ]
        compiled = kernels()
        if self.tables is not None and compiled is not None:
            entries = len(self.tables.offsets) * count
            wanted += [
                (self.tables.offsets, np.uint32, (len(self.tables.offsets), BUCKETS + 1)),
                (self.tables.sketches, np.uint16, (entries + compiled.CHUNK,)),
                (self.tables.low, np.uint16, (entries,)),
                (self.tables.high, np.uint8, (entries,)),
            ]
        return 0 < count <= MAX_ROWS and all(
            array.dtype == kind and array.shape == shape for array, kind, shape in wanted
        )

    @property
    def last_key(self) -> int:
        """The greatest key; there must be one."""
        count = len(self.codes)
        last = int(self.keys[count - 1])
        if len(self.extra_order):
            last = max(last, int(self.keys[count + int(self.extra_order[-1])]))
        return last

    def is_live(self, slots: Int64Array, version: int) -> npt.NDArray[np.bool_]:
        """Which of these slots have not been removed at this version."""
        if self.removed_at is None:
            return np.ones(len(slots), np.bool_)
        # Never becomes the greatest number.
        alive: npt.NDArray[np.bool_] = self.removed_at[slots] - np.uint32(1) >= version
        return alive

    def live_keys(self, version: int) -> Int64Array:
        """The live keys, in the order of slots."""
        if self.removed_at is None:
            return self.keys
        return self.keys[self.removed_at - np.uint32(1) >= version]

    def live_pairs(self, version: int) -> tuple[Int64Array, CodeArray]:
        """Copies of the live keys and their codes, in the order of slots."""
        count = len(self.codes)
        # Any other type of positions is far slower.
        rows = np.concatenate([np.arange(count), self.extra_rows.astype(np.int64)])
        keys = self.keys
        if self.removed_at is not None:
            alive = self.removed_at - np.uint32(1) >= version
            keys, rows = keys[alive], rows[alive]
        return keys, np.take(self.codes, rows, axis=0)

    def slots_of(self, keys: Int64Array) -> Int64Array:
        """The slots, dead ones too, that hold any of `keys` (ascending): O(log n) a key."""
        if not len(keys) or not len(self.keys) or keys[0] > self.last_key:
            return np.empty(0, np.int64)
        count = len(self.codes)
        found = _positions(self.keys[:count], keys)
        if len(self.extra_rows):
            at = _positions(self.keys[count:][self.extra_order], keys)
            found = np.concatenate([found, self.extra_order[at].astype(np.int64) + count])
        return found

    def keys_between(self, first: int, last: int) -> Int64Array:
        """The keys from `first` up to but not including `last`, dead ones too."""
        count = len(self.codes)
        rows = self.keys[:count]
        extra = self.keys[count:][self.extra_order]
        return np.concatenate([_slice(rows, first, last), _slice(extra, first, last)])

    def keys_at(self, slots: Int64Array) -> Int64Array:
        """The keys in these slots."""
        return self.keys[slots]

    def with_removed(self, slots: Int64Array, version: int) -> "Segment":
        """This segment with these live slots stamped; `version` is published later."""
        stamps = self.removed_at
        if stamps is None:
            stamps = _zeros(len(self.keys))
        stamps[slots] = version
        return replace(self, removed_at=stamps, live=self.live - len(slots))

    def search(self, codes: CodeArray, radius: int) -> tuple[Int64Array, Int64Array, Int32Array]:
        """Query, slot and distance of every slot within the radius, dead ones too."""
        compiled = kernels()
        if compiled is None or self.tables is None:
            return self._slots(*scan(self.codes, codes, radius))
        allowance = allowances(radius, self.codes.shape[1] // 2)
        if allowance is None or allowance[len(self.tables.offsets) :].any():
            return self._slots(*scan(self.codes, codes, radius))
        most = _ENTRIES_PER_CODE * len(self.codes), len(self.codes) // _CODES_PER_CHECK + 256
        if len(codes) <= _SHORT_QUERIES:
            least = min(most[0], _SHORT_ENTRIES), min(most[1], _SHORT_CHECKS)
            found = self._probed(compiled.probe_held, codes, radius, allowance, least)
            if len(found) and least != most and (found[:, 1] < 0).any():
                found = self._probed(compiled.probe, codes, radius, allowance, most)
        else:
            found = self._probed(compiled.probe, codes, radius, allowance, most)
        if not len(found):
            return _NOTHING
        costly = found[:, 1] < 0
        query, row, distance = found[:, 0], found[:, 1], found[:, 2].astype(np.int32)
        if costly.any():
            asked = query[costly]
            which, more_rows, more = scan(self.codes, np.ascontiguousarray(codes[asked]), radius)
            query = np.concatenate([query[~costly], asked[which]])
            row = np.concatenate([row[~costly], more_rows])
            distance = np.concatenate([distance[~costly], more])
        return self._slots(query, row, distance)

    def _probed(
        self,
        probe: Callable[..., Int64Array],
        codes: CodeArray,
        radius: int,
        allowance: Int64Array,
        most: tuple[int, int],
    ) -> Int64Array:
        """Query, row and distance of hits; `most` are the entries and checks for one query."""
        assert self.tables is not None
        tables = self.tables
        return probe(
            self.codes.view(np.uint64),
            tables.offsets,
            tables.sketches,
            tables.low,
            tables.high,
            codes.view(np.uint64),
            radius,
            allowance,
            *most,
        )

    def _slots(
        self, query: Int64Array, row: Int64Array, distance: Int32Array
    ) -> tuple[Int64Array, Int64Array, Int32Array]:
        """Hits on rows as hits on their slots, which are more where keys share a code."""
        if not len(self.extra_rows) or not len(row):
            return query, row, distance
        first = np.searchsorted(self.extra_rows, row, side="left")
        more = np.searchsorted(self.extra_rows, row, side="right") - first
        run = np.repeat(first - np.cumsum(more) + more, more) + np.arange(int(more.sum()))
        return (
            np.concatenate([query, np.repeat(query, more)]),
            np.concatenate([row, run + len(self.codes)]),
            np.concatenate([distance, np.repeat(distance, more)]),
        )


_NOTHING = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int32))


def _zeros(count: int) -> Stamps:
    """uint32 (count,) of zeros, of which those that nobody touches cost neither memory nor time.

    numpy would ask for huge pages, each of which is cleared whole at the first touch.
    """
    private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    return np.frombuffer(mmap.mmap(-1, max(4 * count, 1), flags=private), np.uint32, count)


def _slice(keys: Int64Array, first: int, last: int) -> Int64Array:
    start, end = np.searchsorted(keys, (first, last))
    return keys[start:end]


def _positions(ordered: Int64Array, keys: Int64Array) -> Int64Array:
    """Where those of `keys` that are in `ordered` (ascending) stand in it."""
    at = np.searchsorted(ordered, keys)
    inside = at < len(ordered)
    at = at[inside]
    found: Int64Array = at[ordered[at] == keys[inside]]
    return found


@lru_cache(maxsize=1024)
def allowances(radius: int, words: int) -> Int64Array | None:
    """Allowances as even as they go; None where probing would cost more than comparing all."""
    compiled = kernels()
    share, over = divmod(radius + 1, words)
    if compiled is None or share + bool(over) > compiled.MAX_ALLOWANCE:
        return None
    # Those with more stand apart, so that each has a sharp condition on the word after it.
    spread = -(-np.arange(words + 1) * over // words)
    allowance: Int64Array = share + np.diff(spread)
    return allowance


def has_tables(width: int) -> bool:
    """Whether codes of this many bytes can have tables here."""
    return kernels() is not None and width % 8 == 0 and width <= 128


def build_segment(keys: Int64Array, codes: CodeArray, table_count: int | None) -> Segment:
    """Make a segment; releases the GIL for nearly all of the time.

    Args:
        keys: int64 (k,), ascending, at most MAX_ROWS.
        codes: uint8 (k, w), contiguous, the code of each key.
        table_count: make the first so many tables only; None for all.
    """
    compiled = kernels()
    nothing = np.empty(0, np.uint32)
    if compiled is None or not has_tables(codes.shape[1]):
        return Segment(codes, keys, nothing, nothing, None, None, len(keys))
    first = np.empty(len(keys), np.uint32)
    seed = np.random.default_rng().integers(1 << 63, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    distinct = compiled.first_rows(codes.view(np.uint64), seed, first)
    extra_rows = extra_order = nothing
    if distinct < len(keys):
        is_first = first == np.arange(len(keys), dtype=np.uint32)
        rows = np.cumsum(is_first, dtype=np.uint32) - np.uint32(1)
        extra = np.flatnonzero(~is_first)
        rows_of_extra = rows[first[extra]]
        order = np.argsort(rows_of_extra, kind="stable")
        extra, extra_rows = extra[order], rows_of_extra[order]
        extra_order = np.argsort(extra).astype(np.uint32)
        keys = np.concatenate([keys[is_first], keys[extra]])
        codes = np.compress(is_first, codes, axis=0)
    tables = build_tables(codes, table_count)
    return Segment(codes, keys, extra_rows, extra_order, tables, None, len(keys))


def build_tables(codes: CodeArray, table_count: int | None) -> Tables | None:
    """The first tables for codes uint8 (n, w); None where the kernels are missing."""
    compiled = kernels()
    if compiled is None or not has_tables(codes.shape[1]):
        return None
    count, words = len(codes), min(table_count or 1 << 16, codes.shape[1] // 2)
    tables = Tables(
        offsets=np.empty((words, BUCKETS + 1), np.uint32),
        sketches=np.zeros(words * count + compiled.CHUNK, np.uint16),
        low=np.empty(words * count, np.uint16),
        high=np.empty(words * count, np.uint8),
    )
    scratch = np.empty(count, np.uint64)
    for table in range(words):
        part = slice(table * count, (table + 1) * count)
        compiled.build_table(
            codes.view(np.uint64),
            table,
            tables.offsets[table],
            tables.sketches[part],
            tables.low[part],
            tables.high[part],
            scratch,
        )
    return tables
