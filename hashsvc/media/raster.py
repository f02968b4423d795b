"""A picture's pixels as the hashes see them: upright 8-bit RGB, perhaps of a fraction of its size.

JPEG stores squares of 8 x 8 pixels by their cosines, so a decoder can give the means of squares
of 2, 4 or 8 pixels a side without computing the pixels. `FAST_SIDE` says how far that may go.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hashsvc.media.borders import Box
from hashsvc.media.pdq import Side, Spectrum, pdq_spectrum, spectrum

SHRUNK_SIDE = 512
"""Both sides of the variant `shrunk512`, in pixels."""

FAST_SIDE = 256
"""Fast decoding leaves at least this many cells along the shorter side.

Of 119 photographs that are then scaled, PDQ differs from that of all pixels by a median of 0 bits
and by 6 at most. With 192 it is 2 and 6, with 128 2 and 24, with 384 0 and 2; the benchmark
`hashing` measures it.
"""

INSET_SIDE = 512
"""The same where insets are looked for, which are small parts with thin edges.

Of 51 insets of a quarter of the width 38 are found with 384 cells, 42 with 512, and 44 with 720.
"""

PART_SIDE, PART_PIXELS = 256, 1024
"""Both sides of a part that is shrunk, in cells, and in pixels that it might have had."""

_FEW_CELLS = 512  # along the longer side: so small a picture is read at once, not in bands
_SCALES = (8, 4, 2)
# EXIF orientations under which the stored picture's right edge comes first along a side.
_ACROSS_REVERSED = frozenset({2, 3, 6, 7})
_DOWN_REVERSED = frozenset({3, 4, 7, 8})
_TURNED = frozenset({5, 6, 7, 8})


@dataclass(frozen=True)
class Raster:
    """A picture, or a part of one: `rgb` has a pixel for each cell of the two sides of `whole`.

    `left` and `top` are where the part begins in it, in cells; of a picture that is no part of
    another `whole` is None.
    """

    rgb: Image.Image
    across: Side
    down: Side
    left: int = 0
    top: int = 0
    whole: "Raster | None" = None

    @classmethod
    def of(cls, rgb: Image.Image) -> "Raster":
        """An RGB picture at its full size."""
        return cls(rgb, Side(rgb.width), Side(rgb.height))

    @property
    def is_scaled(self) -> bool:
        """Whether the pixels themselves were never decoded."""
        return self.across.scale > 1 or self.down.scale > 1

    @cached_property
    def grey(self) -> Image.Image:
        """The cells as 8-bit grey."""
        if self.whole is None:
            return self.rgb.convert("L")
        return self.whole.grey.crop(
            (self.left, self.top, self.left + self.across.cells, self.top + self.down.cells)
        )

    def coarser(self, scale: int) -> "Raster":
        """The whole picture in cells of so many pixels a side, a multiple of those that it has."""
        by = scale // self.across.scale
        if by <= 1:
            return self
        across, down = replace(self.across, scale=scale), replace(self.down, scale=scale)
        return Raster(self.rgb.reduce(by), across, down)

    def part(self, box: Box) -> "Raster":
        """A part of a whole picture, in cells."""
        return Raster(
            self.rgb,
            _part(self.across, box.left, box.right),
            _part(self.down, box.top, box.bottom),
            box.left,
            box.top,
            self,
        )

    def shrunk_part(self, box: Box) -> "Raster":
        """A part of a whole picture, in cells, as a square of PART_SIDE cells.

        It is hashed as a picture of PART_PIXELS a side of which just these means are known: what
        was shrunk to become a part was about as large. That brings it nearer to that by a bit in
        the mean (7.8 instead of 9.1, of 255 insets and cells), and is several times as fast as the
        part itself, as each has another size.
        """
        area = (box.left, box.top, box.right, box.bottom)
        square = self.rgb.resize((PART_SIDE, PART_SIDE), Image.Resampling.BILINEAR, area)
        side = Side(PART_PIXELS, PART_PIXELS // PART_SIDE)
        return Raster(square, side, side)

    def spectrum(self) -> Spectrum:
        """What PDQ is made of; read by bands, so that no whole array of the picture is made."""
        return spectrum(self.down, self.across, self._rows)

    def shrunk512(self) -> Spectrum | None:
        """The same of a whole picture after Meta's first step; None where this changes nothing.

        Their C++ reader makes a picture with a side of more than 512 pixels 512 x 512, whatever
        its shape: pixel x of the result is pixel floor(x * width / 512). All 188 pictures of our
        test set get the hash of their tool by this rule.
        """
        if max(self.across.length, self.down.length) <= SHRUNK_SIDE:
            return None
        step_x, start_x = _steps(self.across)
        step_y, start_y = _steps(self.down)
        shrunk = self.rgb.transform(
            (SHRUNK_SIDE, SHRUNK_SIDE),
            Image.Transform.AFFINE,
            (step_x, 0, start_x, 0, step_y, start_y),
            Image.Resampling.NEAREST,
        )
        return pdq_spectrum(np.asarray(shrunk))

    @cached_property
    def _pixels(self) -> NDArray[np.uint8]:
        return np.asarray(self.rgb)

    def _rows(self, first: int, last: int) -> NDArray[np.uint8]:
        if self.whole is None and max(self.rgb.size) <= _FEW_CELLS:
            return self._pixels[first:last]
        left, top = self.left, self.top
        box = (left, top + first, left + self.across.cells, top + last)
        return np.asarray(self.rgb.crop(box))


def draft(picture: Image.Image, least: int = FAST_SIDE) -> int:
    """Have a JPEG that is not decoded yet decoded at a fraction of its size; returns its scale.

    That is 1, and nothing changes, for other formats and for small pictures: at least `least`
    cells are left along the shorter side.
    """
    scale = fast_scale(picture.size, least)
    width = picture.width
    if scale > 1:
        picture.draft(None, (picture.width // scale, picture.height // scale))
    return 1 if picture.width == width else scale


def fast_scale(size: tuple[int, int], least: int = FAST_SIDE) -> int:
    """The scale that leaves at least `least` cells along the shorter side."""
    return next((scale for scale in _SCALES if min(size) >= scale * least), 1)


def sides(size: tuple[int, int], scale: int, orientation: int) -> tuple[Side, Side]:
    """Both sides of a picture that was stored with this size in pixels, and set upright since.

    `orientation` is EXIF's, 1 to 8; returns the side across, then the one down.
    """
    across, down = reversed(size) if orientation in _TURNED else size
    return (
        _side(across, scale, is_reversed=orientation in _ACROSS_REVERSED),
        _side(down, scale, is_reversed=orientation in _DOWN_REVERSED),
    )


def _side(length: int, scale: int, *, is_reversed: bool) -> Side:
    return Side(length, scale, lead=-length % scale if is_reversed else 0)


def _part(side: Side, first: int, last: int) -> Side:
    """The cells of a side from `first` up to but not including `last`."""
    start, end = (min(max(0, at * side.scale - side.lead), side.length) for at in (first, last))
    return Side(end - start, side.scale, lead=side.lead if first == 0 else 0)


def _steps(side: Side) -> tuple[float, float]:
    """Cells from one of 512 samples to the next, and to the first less half a step.

    Pillow adds that half, for it takes pixels at their middle. All are exact in binary.
    """
    step = side.length / SHRUNK_SIDE / side.scale
    return step, side.lead / side.scale - step / 2
