"""The flat scan; the only module that knows FAISS."""

from typing import Any

import faiss as typed_faiss
import numpy as np

from hashsvc_index.arrays import CodeArray, Int32Array, Int64Array
from hashsvc_index.compiled import kernels

# Its type stubs leave out the functions over raw arrays.
faiss: Any = typed_faiss

# Comparisons that take about 20 us: less than giving up the GIL can cost.
_SHORT = 16_384


def scan(
    codes: CodeArray, queries: CodeArray, radius: int
) -> tuple[Int64Array, Int64Array, Int32Array]:
    """Compare every query with every code; reads the arrays in place.

    Releases the GIL, unless there is so little to compare that a kernel is done before.

    Args:
        codes: uint8 (n, w), contiguous.
        queries: uint8 (q, w), contiguous.
        radius: the greatest Hamming distance to report, in bits, 0 or more.

    Returns:
        Three parallel arrays: row among the queries int64, row among the codes int64 and
        distance int32, ordered by query and then by code row.
    """
    count, width = codes.shape
    if count * len(queries) <= _SHORT and width % 8 == 0 and (compiled := kernels()) is not None:
        found = compiled.compare_held(codes.view(np.uint64), queries.view(np.uint64), radius)
        return found[:, 0], found[:, 1], found[:, 2].astype(np.int32)
    result = faiss.RangeSearchResult(len(queries))
    # FAISS wants the first distance that is too far, as a C int.
    too_far = min(radius, 8 * width) + 1
    # A team of threads slows a single query down; the setting belongs to the calling thread.
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        faiss.hamming_range_search(
            faiss.swig_ptr(queries),
            faiss.swig_ptr(codes),
            len(queries),
            count,
            too_far,
            width,
            result,
        )
    finally:
        faiss.omp_set_num_threads(threads)
    ends: Int64Array = faiss.rev_swig_ptr(result.lims, len(queries) + 1).astype(np.int64)
    total = int(ends[-1])
    if not total:
        nothing = np.empty(0, np.int64)
        return nothing, nothing, np.empty(0, np.int32)
    query = np.repeat(np.arange(len(queries), dtype=np.int64), np.diff(ends))
    # The result object owns its memory, hence the copies.
    row = faiss.rev_swig_ptr(result.labels, total).copy()
    distance = faiss.rev_swig_ptr(result.distances, total).astype(np.int32)
    return query, row, distance
