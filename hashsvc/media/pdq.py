"""PDQ, the perceptual hash of Meta's photo matching, in numpy.

The algorithm is that of "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing
Algorithm" (Facebook, 2019): luma, two passes of a box filter each way (a Jarosz or tent filter),
64 x 64 samples, a 16 x 16 corner of their discrete cosine transform, one bit for each
coefficient above the median. This reading of it never downsamples first; the C++ tool shrinks
to 512 x 512 by nearest neighbour before (see `raster`), so the two differ by a few bits on larger
pictures.

Filtering and sampling are linear and separable: each of the 64 samples along a dimension is a
fixed weighted mean of about dimension / 64 neighbouring pixels. The picture is therefore read
once, window by window, and never copied whole. It also follows that a picture of which only the
means of small squares are known can be hashed almost as exactly: the weights of the pixels in a
square are added up (see `Side`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

SAMPLES = 64
"""Samples taken along each dimension."""

MIN_SIDE_PIXELS = 5
"""A picture with a shorter side hashes to zeros with quality 0, as in the reference."""

FORMS = (
    "original",
    "rotate90",
    "rotate180",
    "rotate270",
    "flip_vertical",
    "flip_horizontal",
    "transpose",
    "transverse",
)
"""The eight dihedral forms, in the order of the reference tools: what is done to the picture.

Rotations are counter-clockwise. `flip_vertical` swaps top and bottom (the C++ tool's flipx),
`flip_horizontal` left and right (flipy). `transpose` swaps rows and columns, so that the corner at
the top left stays (flipplus1), and `transverse` does so about the other diagonal (flipminus1).
"""

_HOW = {
    "original": (False, False, False),
    "rotate90": (False, True, True),
    "rotate180": (True, True, False),
    "rotate270": (True, False, True),
    "flip_vertical": (True, False, False),
    "flip_horizontal": (False, True, False),
    "transpose": (False, False, True),
    "transverse": (True, True, True),
}
PLAIN_PATTERNS = 6
"""So many patterns, each of rows times columns, make up all that a plain picture shows."""

PLAIN_REST = 12.0
"""How strong the next pattern of a plain picture may be, in levels of luma times its samples' root.

A test card is made of two patterns, a page with a few lines of three, a logo or some words of five;
compression adds the rest. Of 960 such pictures the seventh has 11 at most, of 187 out of 188
photographs, drawings and screenshots 19 at least: the last one is a small bird in an empty sky.
"""

_CORNER = 16
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
# A picture read backwards has its cosines of odd frequency negated; the first frequency is 1.
_MIRRORED = np.where(np.arange(_CORNER) % 2 == 0, -1.0, 1.0)

Rows = Callable[[int, int], NDArray[np.uint8]]
"""Gives the rows of cells `first` up to but not including `last`.

uint8, (rows, cells, 3) for RGB or (rows, cells) for luma.
"""

_Windows = tuple[tuple[int, NDArray[np.float32]], ...]


@dataclass(frozen=True, slots=True)
class Side:
    """One dimension of a picture: `length` in pixels, known as the means of `scale` pixels each.

    The first of these cells has `lead` pixels less, the last one may have less too. A picture
    decoded at full size has cells of one pixel.
    """

    length: int
    scale: int = 1
    lead: int = 0

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return -(-(self.lead + self.length) // self.scale)


@dataclass(frozen=True, slots=True)
class Spectrum:
    """The corner of the cosine transform: float64, (16, 16), and the picture's quality, 0..100."""

    coefficients: NDArray[np.float64]
    quality: int

    @property
    def is_plain(self) -> bool:
        """Whether there is too little to see to tell the picture from others by its hash.

        That is so for flat and shaded grounds, bars, grids, test cards, a logo or a few words on a
        plain ground: their quality may be 100, but the transform has few independent patterns. They
        are counted by its singular values.
        """
        strengths = np.linalg.svd(self.coefficients, compute_uv=False)
        return bool(strengths[PLAIN_PATTERNS] < PLAIN_REST)

    def value(self) -> bytes:
        """The 32 bytes of the hash, most significant bit first."""
        return _packed(self.coefficients.reshape(1, -1))[0]

    def forms(self, names: Sequence[str] = FORMS) -> Mapping[str, bytes]:
        """The hash of the picture in each of these FORMS, which all have its quality.

        They are the forms of the picture's 64 x 64 samples: they may differ by a
        few bits from the hash of the mirrored picture, which is sampled at other pixels.
        """
        made = np.stack([self._form(*_HOW[name]) for name in names])
        return dict(zip(names, _packed(made.reshape(len(names), -1)), strict=True))

    def _form(self, down: bool, across: bool, transposed: bool) -> NDArray[np.float64]:
        """The corner with its rows, or its columns, mirrored, and then transposed."""
        made = self.coefficients * _MIRRORED[:, None] if down else self.coefficients
        made = made * _MIRRORED if across else made
        return made.T if transposed else made


def pdq(rgb: NDArray[np.uint8]) -> tuple[bytes, int]:
    """Hash a picture: uint8, shape (height, width, 3), RGB, C-contiguous.

    Returns the 32 bytes of the hash, most significant bit first, and its quality, 0..100. Raises
    ValueError when shape or type are not as said.
    """
    found = _rgb_spectrum(rgb)
    return found.value(), found.quality


def pdq_dihedral(rgb: NDArray[np.uint8]) -> tuple[Mapping[str, bytes], int]:
    """Hash a picture, as `pdq` takes it, in its eight FORMS; returns these and the quality."""
    found = _rgb_spectrum(rgb)
    return found.forms(), found.quality


def _rgb_spectrum(rgb: NDArray[np.uint8]) -> Spectrum:
    if rgb.ndim != 3:
        raise ValueError(f"expected uint8 (height, width, 3), got {rgb.dtype} {rgb.shape}")
    return pdq_spectrum(rgb)


def pdq_spectrum(pixels: NDArray[np.uint8], *, is_limited: bool = False) -> Spectrum:
    """What the hash of a picture and of its forms are made of.

    `pixels` is RGB, as `pdq` takes it, or luma: uint8, shape (height, width). Luma that
    `is_limited` goes from 16 to 235, as most video has it. Raises ValueError when shape or type
    are not as said.
    """
    if pixels.dtype != np.uint8 or (pixels.ndim != 2 and pixels.shape[2:] != (3,)):
        raise ValueError(
            f"expected uint8 (height, width, 3) or (height, width), got {pixels.dtype} "
            f"{pixels.shape}"
        )
    down, across = Side(pixels.shape[0]), Side(pixels.shape[1])
    return spectrum(
        down,
        across,
        lambda first, last: pixels[first:last],
        3 if pixels.ndim == 3 else 1,
        is_limited,
    )


def spectrum(
    down: Side, across: Side, rows: Rows, colours: int = 3, is_limited: bool = False
) -> Spectrum:
    """Transform a picture of 3 or 1 `colours` that is read by bands of rows, top to bottom.

    Each band is a small part of the picture, so that a large one needs no second copy in memory.
    """
    if min(down.length, across.length) < MIN_SIDE_PIXELS:
        return Spectrum(np.zeros((_CORNER, _CORNER)), 0)
    samples = _sample(down, across, rows, colours)
    if is_limited:
        samples = (samples - np.float32(16)) * np.float32(255 / 219)
    coefficients = _COSINES @ samples.astype(np.float64) @ _COSINES.T
    return Spectrum(coefficients, _quality(samples))


def _packed(coefficients: NDArray[np.float64]) -> list[bytes]:
    """The hash of each row of 256 coefficients."""
    medians = np.partition(coefficients, 127, axis=1)[:, 127:128]
    bits = np.packbits((coefficients > medians)[:, ::-1], axis=1)
    return [row.tobytes() for row in bits]


def _sample(down: Side, across: Side, rows: Rows, colours: int) -> NDArray[np.float32]:
    """Filter and sample the luma: float32, (64, 64), 0..255."""
    cells = across.cells
    windows = _windows(down)
    lines = np.empty((SAMPLES, cells), dtype=np.float32)
    tallest = max(len(weights) for _, weights in windows)
    buffer = np.empty((tallest, colours * cells), dtype=np.float32)
    for line, (first, weights) in zip(lines, windows, strict=True):
        band = buffer[: len(weights)]
        np.copyto(band, rows(first, first + len(weights)).reshape(band.shape))
        # Not `weights @ band`: BLAS would start threads, which fight on a busy upload host.
        if colours == 1:
            np.einsum("i,ij->j", weights, band, out=line)
        else:
            mixed = np.einsum("i,ij->j", weights, band)
            np.dot(mixed.reshape(cells, colours), _LUMA, out=line)
    samples = np.empty((SAMPLES, SAMPLES), dtype=np.float32)
    for column, (first, weights) in enumerate(_windows(across)):
        samples[:, column] = lines[:, first : first + len(weights)] @ weights
    return samples


@lru_cache(maxsize=64)
def _windows(side: Side) -> _Windows:
    """For each of the 64 samples along a side: its first cell and the weights of the cells.

    The weights are float32 and sum to 1. At exactly 64 pixels the reference does not filter.
    """
    length = side.length
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
        cells = (np.arange(first, last) + side.lead) // side.scale
        folded = np.bincount(cells - cells[0], weights)
        windows.append((int(cells[0]), folded.astype(np.float32)))
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
