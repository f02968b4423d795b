"""PDQ, the perceptual hash of Meta's photo matching, in numpy.

The algorithm is that of "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing
Algorithm" (Facebook, 2019): luma, two passes of a box filter each way (a Jarosz or tent filter),
64 x 64 samples, a 16 x 16 corner of their discrete cosine transform, one bit for each
coefficient above the median. This reading of it never downsamples first; the C++ tool shrinks
to 512 x 512 by nearest neighbour before, so the two differ by a few bits on larger pictures.

Filtering and sampling are linear and separable: each of the 64 samples along a dimension is a
fixed weighted mean of about dimension / 64 neighbouring pixels. The picture is therefore read
once, window by window, and never copied whole.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

SAMPLES = 64
"""Samples taken along each dimension."""

MIN_SIDE_PIXELS = 5
"""A picture with a shorter side hashes to zeros with quality 0, as in the reference."""

_CORNER = 16
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)

Rows = Callable[[int, int], NDArray[np.uint8]]
"""Gives the pixel rows `first` up to but not including `last`: uint8, (rows, width, 3), RGB."""

_Windows = tuple[tuple[int, NDArray[np.float32]], ...]


def pdq(rgb: NDArray[np.uint8]) -> tuple[bytes, int]:
    """Hash a picture: uint8, shape (height, width, 3), RGB, C-contiguous.

    Returns the 32 bytes of the hash, most significant bit first, and its quality, 0..100. Raises
    ValueError when shape or type are not as said.
    """
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise ValueError(f"expected uint8 (height, width, 3), got {rgb.dtype} {rgb.shape}")
    return pdq_rows(rgb.shape[0], rgb.shape[1], lambda first, last: rgb[first:last])


def pdq_rows(height: int, width: int, rows: Rows) -> tuple[bytes, int]:
    """Hash a picture that is read by bands of rows, top to bottom; `pdq` is the plain form.

    `height` and `width` are in pixels. Each band is a small part of the picture, so that a large
    one needs no second copy in memory.
    """
    if min(height, width) < MIN_SIDE_PIXELS:
        return bytes(32), 0
    samples = _sample(height, width, rows)
    coefficients = _COSINES @ samples.astype(np.float64) @ _COSINES.T
    median = np.partition(coefficients, 127, axis=None)[127]
    bits = (coefficients > median).ravel()
    return np.packbits(bits[::-1]).tobytes(), _quality(samples)


def _sample(height: int, width: int, rows: Rows) -> NDArray[np.float32]:
    """Filter and sample the luma: float32, (64, 64), 0..255."""
    lines = np.empty((SAMPLES, width), dtype=np.float32)
    for line, (first, weights) in zip(lines, _windows(height), strict=True):
        band = rows(first, first + len(weights)).reshape(len(weights), width * 3)
        # Not `weights @ band`: BLAS would start threads, which fight on a busy upload host.
        colours = np.einsum("i,ij->j", weights, band.astype(np.float32))
        np.dot(colours.reshape(width, 3), _LUMA, out=line)
    samples = np.empty((SAMPLES, SAMPLES), dtype=np.float32)
    for column, (first, weights) in enumerate(_windows(width)):
        samples[:, column] = lines[:, first : first + len(weights)] @ weights
    return samples


@lru_cache(maxsize=64)
def _windows(length: int) -> _Windows:
    """For each of the 64 samples along `length` pixels: its first pixel and its weights.

    The weights are float32 and sum to 1. At exactly 64 pixels the reference does not filter.
    """
    width = 1 if length == SAMPLES else (length + 127) // 128
    windows = []
    for i in range(SAMPLES):
        centre = int((i + 0.5) * length / SAMPLES)
        outer_first, outer_last = _box(centre, length, width)
        first = _box(outer_first, length, width)[0]
        last = _box(outer_last - 1, length, width)[1]
        weights = np.zeros(last - first, dtype=np.float64)
        for position in range(outer_first, outer_last):
            inner_first, inner_last = _box(position, length, width)
            weights[inner_first - first : inner_last - first] += 1 / (inner_last - inner_first)
        weights /= outer_last - outer_first
        windows.append((first, weights.astype(np.float32)))
    return tuple(windows)


def _box(position: int, length: int, width: int) -> tuple[int, int]:
    """The range of pixels averaged at `position` by a box `width` wide, cut off at the edges.

    An even box reaches one pixel further right than left, as the reference's does.
    """
    right = (width + 2) // 2
    return max(0, position + right - width), min(length, position + right)


def _quality(samples: NDArray[np.float32]) -> int:
    """How much there is to see: the sum of the steps between neighbours, scaled to 0..100."""
    scale = np.float32(100) / np.float32(255)
    down = np.trunc(np.diff(samples, axis=0) * scale)
    across = np.trunc(np.diff(samples, axis=1) * scale)
    total = int(np.abs(down).sum() + np.abs(across).sum())
    return min(100, total // 90)


def _cosines() -> NDArray[np.float64]:
    frequency = np.arange(1, _CORNER + 1)[:, None]
    position = 2 * np.arange(SAMPLES)[None, :] + 1
    angles = (np.pi / (2 * SAMPLES)) * frequency * position
    return np.asarray(np.sqrt(2 / SAMPLES) * np.cos(angles), dtype=np.float64)


_COSINES = _cosines()
