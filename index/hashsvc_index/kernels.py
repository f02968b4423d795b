"""The compiled loops (numba): building tables, probing them, and comparing with every code.

Kernels release the GIL, but for those whose names end in `_held`: a thread that gives it up in the
middle of a short search waits for its turn behind whoever took it, far longer than the search.
Every kernel is compiled when this module is imported (afterwards loaded from the
cache beside it), and takes read-only arrays, memory-mapped ones too. Codes come as uint64 words
(n, w); "word i" of a code is its i-th run of 16 bits, of which there are m = 4 w.

How a table works and why nothing is missed is told in `segment.py`. All is in one file because the
cache notices changes of a kernel's own file alone.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from hashsvc_index.segment import BUCKETS

_Function = TypeVar("_Function", bound=Callable[..., Any])

# The probing loop looks at this many sketches at once, hence past the end of the last bucket.
CHUNK = 32
# Candidates verified together, so that their cache misses overlap.
_BATCH = 512
# Cache lines of a bucket that are asked for beforehand.
_AHEAD = 8

_MASKS = np.array(
    [0] + [1 << a for a in range(16)] + [1 << a | 1 << b for a in range(16) for b in range(a)],
    np.uint16,
)
_MASKS_WITHIN = np.array([0, 1, 17, 137])
# A word may differ in so many bits and still be looked up by probing.
MAX_ALLOWANCE = len(_MASKS_WITHIN) - 1


def _input(kind: Any, dimensions: int) -> Any:
    return types.Array(kind, dimensions, "C", readonly=True)


_WORDS = _input(types.uint64, 2)
_FOUND = types.Array(types.int64, 2, "C")


def _jit(*arguments: Any, nogil: bool = True) -> Any:
    options = {"nogil": nogil, "boundscheck": False}

    def decorate(function: Any) -> Any:
        try:
            return numba.njit(*arguments, cache=True, **options)(function)
        except RuntimeError:
            # No folder for the cache can be written: compiled anew at each start.
            return numba.njit(*arguments, **options)(function)

    return decorate


def _compiled(*signature: Any, nogil: bool = True) -> Callable[[_Function], _Function]:
    made: Callable[[_Function], _Function] = _jit(signature[0](*signature[1:]), nogil=nogil)
    return made


def _inlined(function: _Function) -> _Function:
    made: _Function = numba.njit(inline="always")(function)
    return made


def _helper(function: _Function) -> _Function:
    # Compiled apart: in one function with the arrays of results, numba counts references to
    # those at every turn of the innermost loop.
    made: _Function = _jit()(function)
    return made


@intrinsic  # type: ignore[untyped-decorator]
def _differing(_: Any, a: Any, b: Any) -> Any:
    """Number of bits in which two unsigned integers of one type differ, in that type."""

    def generate(__: Any, builder: Any, ___: Any, arguments: Any) -> Any:
        return builder.ctpop(builder.xor(*arguments))

    return a(a, b), generate


@intrinsic  # type: ignore[untyped-decorator]
def _prefetch(_: Any, array: Any, at: Any) -> Any:
    """Ask for the cache line of an element of a contiguous array, counted through all its axes."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        made = context.make_array(signature.args[0])(context, builder, arguments[0])
        pointer = builder.gep(made.data, [arguments[1]])
        byte = ir.IntType(8).as_pointer()
        number = ir.IntType(32)
        prefetch = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [byte, number, number, number]),
            "llvm.prefetch.p0",
        )
        # Read, keep in all caches, data.
        builder.call(prefetch, [builder.bitcast(pointer, byte), number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(array, types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def _near(_: Any, sketches: Any, at: Any, sketch: Any, bound: Any) -> Any:
    """Which of CHUNK sketches differ from one in at most `bound` bits: a uint32, a bit for each."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        made = context.make_array(signature.args[0])(context, builder, arguments[0])
        half = ir.IntType(16)
        vector = ir.VectorType(half, CHUNK)
        place = builder.bitcast(builder.gep(made.data, [arguments[1]]), vector.as_pointer())
        loaded = builder.load(place, align=2)
        wanted, limit = (_spread(builder, vector, argument) for argument in arguments[2:])
        count_bits = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(vector, [vector]), f"llvm.ctpop.v{CHUNK}i16"
        )
        distance = builder.call(count_bits, [builder.xor(loaded, wanted)])
        near = builder.icmp_unsigned("<=", distance, limit)
        return builder.bitcast(near, ir.IntType(CHUNK))

    return types.uint32(sketches, types.int64, types.uint16, types.uint16), generate


def _spread(builder: Any, vector: Any, value: Any) -> Any:
    """A vector of copies of one value."""
    number = ir.IntType(32)
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, number(0))
    return builder.shuffle_vector(
        one,
        ir.Constant(vector, ir.Undefined),
        ir.Constant(ir.VectorType(number, vector.count), [0] * vector.count),
    )


@intrinsic  # type: ignore[untyped-decorator]
def _lowest(_: Any, bits: Any) -> Any:
    """The position of the lowest bit that is set; there must be one."""

    def generate(context: Any, builder: Any, __: Any, arguments: Any) -> Any:
        position = builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))
        return context.cast(builder, position, types.uint32, types.int64)

    return types.int64(types.uint32), generate


@_inlined
def _word(codes: Any, row: int, number: int) -> Any:
    return np.uint16(codes[row, number >> 2] >> np.uint64((number & 3) << 4))


@intrinsic  # type: ignore[untyped-decorator]
def _distance_of_four(_: Any, codes: Any, row: Any, others: Any, other: Any) -> Any:
    """Number of bits in which two rows of four words differ, with one vector."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        vector = ir.VectorType(word, 4)
        loaded = []
        for place in (0, 2):
            made = context.make_array(signature.args[place])(context, builder, arguments[place])
            first = builder.mul(arguments[place + 1], word(4))
            row = builder.bitcast(builder.gep(made.data, [first]), vector.as_pointer())
            loaded.append(builder.load(row, align=8))
        count_bits = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(vector, [vector]), "llvm.ctpop.v4i64"
        )
        add_up = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(word, [vector]), "llvm.vector.reduce.add.v4i64"
        )
        return builder.call(add_up, [builder.call(count_bits, [builder.xor(*loaded)])])

    return types.int64(codes, types.int64, others, types.int64), generate


@_inlined
def _distance(codes: Any, row: Any, others: Any, other: Any) -> Any:
    if codes.shape[1] == 4:
        return _distance_of_four(codes, np.int64(row), others, np.int64(other))
    total: Any = np.int64(0)
    for place in range(codes.shape[1]):
        total += np.int64(_differing(codes[row, place], others[other, place]))
    return total


@_helper
def _with_room(found: Any, count: int, more: int) -> Any:
    """The first `count` rows in an array that has room for more."""
    if count + more <= len(found):
        return found
    larger = np.empty((2 * (count + more) + 16, 3), np.int64)
    larger[:count] = found[:count]
    return larger


@_compiled(types.int64, _WORDS, types.uint64, types.Array(types.uint32, 1, "C"))
def first_rows(codes: Any, seed: Any, first: Any) -> Any:
    """Find for every row the first row with the same code; return how many rows are first.

    Args:
        codes: uint64 (n, w), n below 2**32 - 1.
        seed: an odd uint64; a random one, so that nobody can choose codes that collide.
        first: uint32 (n,), filled: the lowest row with the code of this row.
    """
    count = len(codes)
    size: Any = np.int64(16)
    while size < 2 * count:
        size *= 2
    empty = np.uint32(0xFFFFFFFF)
    slots = np.full(size, empty, np.uint32)
    mask = np.uint64(size - 1)
    distinct = 0
    for row in range(count):
        mixed = seed
        for place in range(codes.shape[1]):
            mixed = (mixed ^ codes[row, place]) * np.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> np.uint64(29)
            mixed *= seed
            mixed ^= mixed >> np.uint64(32)
        at = mixed & mask
        while True:
            other = slots[at]
            if other == empty:
                slots[at] = row
                first[row] = row
                distinct += 1
                break
            if _distance(codes, other, codes, row) == 0:
                first[row] = other
                break
            at = (at + np.uint64(1)) & mask
    return distinct


@_compiled(
    types.void,
    _WORDS,
    types.int64,
    types.Array(types.uint32, 1, "C"),
    types.Array(types.uint16, 1, "C"),
    types.Array(types.uint16, 1, "C"),
    types.Array(types.uint8, 1, "C"),
    types.Array(types.uint64, 1, "C"),
)
def build_table(
    codes: Any, table: int, offsets: Any, sketches: Any, low: Any, high: Any, scratch: Any
) -> None:
    """Sort the rows by one word of their codes (a counting sort, hence stable).

    Args:
        codes: uint64 (n, w), n at most 2**24.
        table: the word to sort by; the sketch is the word after it, the first after the last.
        offsets: uint32 (BUCKETS + 1,), filled: where each bucket begins.
        sketches: uint16 (n,), filled.
        low, high: uint16 (n,) and uint8 (n,), filled: the row's number in two pieces.
        scratch: uint64 (n,), overwritten.
    """
    count = len(codes)
    following = (table + 1) % (4 * codes.shape[1])
    offsets[:] = 0
    for row in range(count):
        offsets[np.int64(_word(codes, row, table)) + 1] += np.uint32(1)
    for bucket in range(BUCKETS):
        offsets[bucket + 1] += offsets[bucket]
    ends = offsets[:BUCKETS].copy()
    # One store for each row goes to a random place, not one for each array.
    for row in range(count):
        place = np.int64(_word(codes, row, table))
        sketch = np.uint64(_word(codes, row, following))
        scratch[ends[place]] = np.uint64(row) << np.uint64(16) | sketch
        ends[place] += np.uint32(1)
    for at in range(count):
        both = scratch[at]
        sketches[at] = np.uint16(both)
        low[at] = np.uint16(both >> np.uint64(16))
        high[at] = np.uint8(both >> np.uint64(32))


@_inlined
def _first_table(codes: Any, row: int, words: Any, allowance: Any) -> Any:
    """The first table in which probing comes upon this row."""
    tables = len(allowance)
    first = -1
    for table in range(tables):
        following = table + 1 if table + 1 < tables else 0
        here = np.int64(_differing(_word(codes, row, table), words[table]))
        if here < allowance[table]:
            both = here + np.int64(_differing(_word(codes, row, following), words[following]))
            if both < allowance[table] + allowance[following]:
                first = table
                break
    return first


@_helper
def _buckets(
    offsets: Any, sketches: Any, count: int, words: Any, allowance: Any, probes: Any, bounds: Any
) -> Any:
    """List the buckets to read that are not empty: how many, and how many entries they have.

    `probes` int64 (p, 3) gets first entry, end and table; `bounds` uint16 (p,) the greatest
    distance from the sketch.
    """
    tables = len(allowance)
    buckets = 0
    entries = 0
    # Neither offsets nor buckets stay in the caches between queries; asked for all at once, they
    # come in a fraction of the time.
    for table in range(tables):
        for number in range(_MASKS_WITHIN[allowance[table]]):
            _prefetch(offsets, table * (BUCKETS + 1) + np.int64(words[table] ^ _MASKS[number]))
    for table in range(tables):
        following = table + 1 if table + 1 < tables else 0
        bound = allowance[table] + allowance[following] - 1
        for number in range(_MASKS_WITHIN[allowance[table]]):
            bucket = np.int64(words[table] ^ _MASKS[number])
            # A damaged file that nobody verified must not lead out of the arrays.
            end: Any = min(np.int64(offsets[table, bucket + 1]), count)
            start: Any = min(np.int64(offsets[table, bucket]), end)
            if start < end:
                first = table * count + start
                last = min(end - start, _AHEAD * CHUNK) - 1
                for ahead in range(0, last, CHUNK):
                    _prefetch(sketches, first + ahead)
                _prefetch(sketches, first + last)
                probes[buckets, 0] = first
                probes[buckets, 1] = table * count + end
                probes[buckets, 2] = table
                bounds[buckets] = bound - np.int64(_differing(_MASKS[number], np.uint16(0)))
                buckets += 1
                entries += end - start
    return buckets, entries


@_helper
def _candidates(
    sketches: Any,
    low: Any,
    high: Any,
    words: Any,
    probes: Any,
    bounds: Any,
    buckets: int,
    place: Any,
    waiting: Any,
) -> Any:
    """Read buckets from `place` (bucket, entries read of it) on, until `waiting` is full.

    `waiting` int64 (_BATCH + CHUNK, 2) gets entry and table of what may be near; returns how many.
    """
    tables = len(words)
    count = 0
    bucket = place[0]
    skip = place[1]
    while bucket < buckets and count < _BATCH:
        at = probes[bucket, 0] + skip
        end = probes[bucket, 1]
        table = probes[bucket, 2]
        sketch = words[table + 1 if table + 1 < tables else 0]
        bound = bounds[bucket]
        while at < end and count < _BATCH:
            near = _near(sketches, at, sketch, bound)
            if end - at < CHUNK:
                near &= np.uint32((np.uint64(1) << np.uint64(end - at)) - np.uint64(1))
            while near:
                entry = at + _lowest(near)
                near &= np.uint32(near - np.uint32(1))
                _prefetch(low, entry)
                _prefetch(high, entry)
                waiting[count, 0] = entry
                waiting[count, 1] = table
                count += 1
            at += CHUNK
        skip = at - probes[bucket, 0]
        if at >= end:
            skip = 0
            bucket += 1
    place[0] = bucket
    place[1] = skip
    return count


@_helper
def _verified(
    codes: Any,
    low: Any,
    high: Any,
    queries: Any,
    query: int,
    radius: int,
    words: Any,
    allowance: Any,
    waiting: Any,
    count: int,
) -> Any:
    """Turn the first `count` candidates in `waiting` into the (row, distance) of those that hit."""
    for each in range(count):
        entry = waiting[each, 0]
        row = np.int64(low[entry]) | np.int64(high[entry]) << 16
        # As above.
        waiting[each, 0] = min(row, len(codes) - 1)
        _prefetch(codes, waiting[each, 0] * codes.shape[1])
    hits = 0
    for each in range(count):
        row = waiting[each, 0]
        distance = _distance(codes, row, queries, query)
        if distance <= radius and waiting[each, 1] == _first_table(codes, row, words, allowance):
            waiting[hits, 0] = row
            waiting[hits, 1] = distance
            hits += 1
    return hits


@_helper
def _probe(
    codes: Any,
    offsets: Any,
    sketches: Any,
    low: Any,
    high: Any,
    queries: Any,
    radius: int,
    allowance: Any,
    most_entries: int,
    most_checks: int,
) -> Any:
    count = len(codes)
    tables = len(allowance)
    room = 0
    for table in range(tables):
        room += _MASKS_WITHIN[allowance[table]]
    probes = np.empty((room, 3), np.int64)
    bounds = np.empty(room, np.uint16)
    waiting = np.empty((_BATCH + CHUNK, 2), np.int64)
    words = np.empty(tables, np.uint16)
    place = np.zeros(2, np.int64)
    found = np.empty((0, 3), np.int64)
    total = 0
    for query in range(len(queries)):
        for table in range(tables):
            words[table] = _word(queries, query, table)
        buckets, entries = _buckets(offsets, sketches, count, words, allowance, probes, bounds)
        costly = entries > most_entries
        before = total
        checks = 0
        place[:] = 0
        while place[0] < buckets and not costly:
            checked = _candidates(
                sketches, low, high, words, probes, bounds, buckets, place, waiting
            )
            checks += checked
            costly = checks > most_checks
            if not costly and checked:
                hits = _verified(
                    codes, low, high, queries, query, radius, words, allowance, waiting, checked
                )
                if hits:
                    found = _with_room(found, total, hits)
                    for hit in range(hits):
                        found[total, 0] = query
                        found[total, 1] = waiting[hit, 0]
                        found[total, 2] = waiting[hit, 1]
                        total += 1
        if costly:
            total = before
            found = _with_room(found, total, 1)
            found[total, 0] = query
            found[total, 1] = -1
            found[total, 2] = -1
            total += 1
    return found[:total]


_PROBING = (
    _FOUND,
    _WORDS,
    _input(types.uint32, 2),
    _input(types.uint16, 1),
    _input(types.uint16, 1),
    _input(types.uint8, 1),
    _WORDS,
    types.int64,
    _input(types.int64, 1),
    types.int64,
    types.int64,
)


@_compiled(*_PROBING)
def probe(
    codes: Any,
    offsets: Any,
    sketches: Any,
    low: Any,
    high: Any,
    queries: Any,
    radius: int,
    allowance: Any,
    most_entries: int,
    most_checks: int,
) -> Any:
    """Find the codes near each query by way of the tables.

    A query that would read more than `most_entries` table entries, or that comes to compare more
    than `most_checks` codes, is given up: its only row in the result has -1 for a row.

    Args:
        codes: uint64 (n, w), n at least 1.
        offsets: uint32 (m, BUCKETS + 1).
        sketches: uint16 (m * n + CHUNK,).
        low, high: uint16 (m * n,) and uint8 (m * n,).
        queries: uint64 (q, w).
        radius: in bits.
        allowance: int64 (m,), 0 to MAX_ALLOWANCE each, in sum `radius` + 1.
        most_entries, most_checks: the cost guard.

    Returns:
        int64 (hits, 3): query, row and distance of each hit, by query.
    """
    return _probe(
        codes,
        offsets,
        sketches,
        low,
        high,
        queries,
        radius,
        allowance,
        most_entries,
        most_checks,
    )


@_compiled(*_PROBING, nogil=False)
def probe_held(
    codes: Any,
    offsets: Any,
    sketches: Any,
    low: Any,
    high: Any,
    queries: Any,
    radius: int,
    allowance: Any,
    most_entries: int,
    most_checks: int,
) -> Any:
    """As `probe`, without giving up the GIL."""
    return _probe(
        codes,
        offsets,
        sketches,
        low,
        high,
        queries,
        radius,
        allowance,
        most_entries,
        most_checks,
    )


@_helper
def _near_rows(codes: Any, queries: Any, query: int, radius: int, first: int, waiting: Any) -> Any:
    """Compare rows from `first` on, BLOCK of them at most: (row, distance) of each that is near."""
    last = min(first + len(waiting), len(codes))
    count = 0
    for row in range(first, last):
        distance = _distance(codes, row, queries, query)
        # No branch: nearly all go over the same place again.
        waiting[count, 0] = row
        waiting[count, 1] = distance
        count += distance <= radius
    return count


@_compiled(_FOUND, _WORDS, _WORDS, types.int64, nogil=False)
def compare_held(codes: Any, queries: Any, radius: int) -> Any:
    """Compare every query with every code, without giving up the GIL.

    Args:
        codes: uint64 (n, w).
        queries: uint64 (q, w).
        radius: in bits.

    Returns:
        int64 (hits, 3): query, row and distance of each hit, by query and then by row.
    """
    found = np.empty((0, 3), np.int64)
    waiting = np.empty((_BATCH, 2), np.int64)
    total = 0
    for query in range(len(queries)):
        for first in range(0, len(codes), _BATCH):
            hits = _near_rows(codes, queries, query, radius, first, waiting)
            if hits:
                found = _with_room(found, total, hits)
                for hit in range(hits):
                    found[total, 0] = query
                    found[total, 1] = waiting[hit, 0]
                    found[total, 2] = waiting[hit, 1]
                    total += 1
    return found[:total]
