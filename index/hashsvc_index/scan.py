"""The flat scan: the only module that knows FAISS."""

from typing import Any

import faiss as typed_faiss
import numpy as np

from hashsvc_index.arrays import CodeArray, Int32Array, Int64Array

# Its type stubs leave out the functions over raw arrays.
faiss: Any = typed_faiss


def scan(
    codes: CodeArray, queries: CodeArray, radius: int
) -> tuple[Int64Array, Int64Array, Int32Array]:
    """Compare every query with every code; reads the arrays in place and releases the GIL.

    Args:
        codes: uint8 (n, w), contiguous.
        queries: uint8 (q, w), contiguous.
        radius: the greatest Hamming distance to report, in bits, 0 or more.

    Returns:
        Three parallel arrays: row among the queries int64, row among the codes int64 and
        distance int32, ordered by query and then by code row.
    """
    count, width = codes.shape
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
