"""Local features of a picture as one fingerprint: what its corners look like, and where they are.

Each is an ORB descriptor (Rublee et al., "ORB: an efficient alternative to SIFT or SURF", ICCV
2011), a code of 256 bits, with its place, size and angle. A value has 4 bytes, then 38 for each
feature, all numbers big-endian:

::

    u16 width, u16 height     of the picture, in 65,535ths of its longer side
    each: 32 bytes            the descriptor
          u16 x, u16 y        its middle, in 65,535ths of the longer side
          u8 size             16 * log2(1024 * diameter / longer side), rounded
          u8 angle            in 256ths of a turn, clockwise from the x axis
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hashsvc.feature_values import CODE_BYTES, FEATURE_BYTES, HEAD_BYTES, problem

GEOMETRY_BITS = 13
"""Of `geometry`: 3 of size in half octaves, 4 of angle in sixteenths, 3 each of x and y."""

_FULL = 65_535
_LAYOUT = np.dtype(
    [("code", "u1", CODE_BYTES), ("x", ">u2"), ("y", ">u2"), ("size", "u1"), ("angle", "u1")]
)
_SIZE_STEPS, _SIZE_UNIT = 16, 1024
# Half octaves of the smallest ones that lists have: 31 pixels of 400, or of 512.
_SMALLEST, _SIZES, _TURNS, _EIGHTHS = 12, 8, 16, 8

assert _LAYOUT.itemsize == FEATURE_BYTES


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """The features of a picture.

    `codes` are uint8 (n, 32), `places` float64 (n, 2), x and y from the upper left corner, `sizes`
    float64 (n,), all in units of the longer side, and `angles` float64 (n,) in radians, clockwise
    from the x axis. `shape` is the width and height in the same units.
    """

    codes: NDArray[np.uint8]
    places: NDArray[np.float64]
    sizes: NDArray[np.float64]
    angles: NDArray[np.float64]
    shape: tuple[float, float]

    def __len__(self) -> int:
        return len(self.codes)


def pack(features: Features) -> bytes:
    """Return the value of some features; there must be one at least."""
    rows = np.empty(len(features), _LAYOUT)
    rows["code"] = features.codes
    for axis, name in enumerate("xy"):
        rows[name] = np.rint(features.places[:, axis] * _FULL).clip(0, _FULL)
    steps = _SIZE_STEPS * np.log2(np.maximum(features.sizes * _SIZE_UNIT, 1))
    rows["size"] = np.rint(steps).clip(0, 255)
    rows["angle"] = np.rint(features.angles * (128 / math.pi)).astype(np.int64) % 256
    width, height = (max(1, round(side * _FULL)) for side in features.shape)
    return width.to_bytes(2) + height.to_bytes(2) + rows.tobytes()


def unpack(value: bytes) -> Features:
    """The inverse.

    Raises ValueError for what `feature_values.problem` finds wrong.
    """
    wrong = problem(value, len(value))
    if wrong:
        raise ValueError(wrong)
    rows = np.frombuffer(value, _LAYOUT, offset=HEAD_BYTES)
    places = np.stack([rows["x"], rows["y"]], axis=1).astype(np.float64) / _FULL
    return Features(
        codes=np.ascontiguousarray(rows["code"]),
        places=places,
        sizes=np.exp2(rows["size"] / _SIZE_STEPS) / _SIZE_UNIT,
        angles=rows["angle"] * (math.pi / 128),
        shape=(int.from_bytes(value[:2]) / _FULL, int.from_bytes(value[2:4]) / _FULL),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Roughly:
    """Places, sizes and angles of features, as `geometry` keeps them; arrays as in `Features`."""

    places: NDArray[np.float64]
    sizes: NDArray[np.float64]
    angles: NDArray[np.float64]


def geometry(features: Features) -> NDArray[np.int64]:
    """Where features are, roughly, in `GEOMETRY_BITS`: int64 (n,)."""
    halves = np.rint(2 * np.log2(features.sizes * _SIZE_UNIT)).astype(np.int64)
    size = (halves - _SMALLEST).clip(0, _SIZES - 1)
    turn = np.rint(features.angles * (_TURNS / 2 / math.pi)).astype(np.int64) % _TURNS
    place = (features.places * _EIGHTHS).astype(np.int64).clip(0, _EIGHTHS - 1)
    packed: NDArray[np.int64] = size << 10 | turn << 6 | place[:, 0] << 3 | place[:, 1]
    return packed


def roughly(geometry: NDArray[np.int64]) -> Roughly:
    """The inverse, as near as it can be."""
    place = np.stack([geometry >> 3 & _EIGHTHS - 1, geometry & _EIGHTHS - 1], axis=1)
    turns = (geometry >> 6 & _TURNS - 1).astype(np.float64)
    return Roughly(
        places=(place + 0.5) / _EIGHTHS,
        sizes=np.exp2(((geometry >> 10 & _SIZES - 1) + _SMALLEST) / 2) / _SIZE_UNIT,
        angles=turns * (2 * math.pi / _TURNS),
    )
