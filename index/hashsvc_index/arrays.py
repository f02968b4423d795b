"""Array types, and checks that turn a wrong argument into a clear error."""

import operator
from typing import SupportsIndex, TypeAlias

import numpy as np
import numpy.typing as npt

from hashsvc_index.errors import InvalidInputError

Int32Array: TypeAlias = npt.NDArray[np.int32]
Int64Array: TypeAlias = npt.NDArray[np.int64]
CodeArray: TypeAlias = npt.NDArray[np.uint8]

_INT64, _UINT8 = np.dtype(np.int64), np.dtype(np.uint8)


def code_width(bits: int) -> int:
    """Bytes in a code of `bits` bits; `InvalidInputError` unless a positive multiple of 8."""
    if bits <= 0 or bits % 8:
        raise InvalidInputError(f"bits must be a positive multiple of 8, not {bits}")
    return bits // 8


def checked_keys(keys: Int64Array) -> Int64Array:
    """The keys, if they are an int64 array (n,); else `InvalidInputError`."""
    _check_array("keys", keys, _INT64, 1)
    return keys


def checked_codes(codes: CodeArray, width: int) -> CodeArray:
    """The codes as a contiguous array, if they are uint8 (n, width); else `InvalidInputError`."""
    _check_array("codes", codes, _UINT8, 2)
    if codes.shape[1] != width:
        raise InvalidInputError(
            f"codes must be {width} bytes wide ({8 * width} bits), not {codes.shape[1]}"
        )
    return np.ascontiguousarray(codes)


def checked_pairs(keys: Int64Array, codes: CodeArray, width: int) -> tuple[Int64Array, CodeArray]:
    """Keys and codes, if both are right and equally many; else `InvalidInputError`."""
    keys, codes = checked_keys(keys), checked_codes(codes, width)
    if len(keys) != len(codes):
        raise InvalidInputError(f"{len(keys)} keys do not go with {len(codes)} codes")
    return keys, codes


def checked_radius(radius: SupportsIndex) -> int:
    """The radius in bits, if it is a whole number of 0 or more; else `InvalidInputError`."""
    try:
        value = operator.index(radius)
    except TypeError:
        raise InvalidInputError(f"radius must be a whole number of bits, not {radius!r}") from None
    if value < 0:
        raise InvalidInputError(f"radius must be 0 or more, not {value}")
    return value


def _check_array(name: str, array: object, dtype: np.dtype[np.generic], dimensions: int) -> None:
    if not isinstance(array, np.ndarray):
        got = type(array).__name__
    elif array.dtype != dtype:
        got = f"dtype {array.dtype}"
    elif array.ndim != dimensions:
        got = f"shape {array.shape}"
    else:
        return
    shape = "(n,)" if dimensions == 1 else "(n, bytes of a code)"
    raise InvalidInputError(f"{name} must be a numpy array of {dtype}, shape {shape}; got {got}")
