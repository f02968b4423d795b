"""The pixels of a decoded frame as the hashes see them: upright, as RGB or as luma alone.

Video is stored as luma and colour, and the luma of BT.601 is what PDQ is made of. It is taken as
it was decoded where the recipe allows that: RGB made by the same matrix, whatever the file says of
its own, gives the same luma back, as the reference tools do it.
"""

import struct
from dataclasses import dataclass

import numpy as np
from av.sidedata.sidedata import SideData
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray
from PIL import Image

from hashsvc.media.limits import Limits
from hashsvc.model import Decoding

_MATRIX = struct.Struct("=9i")


@dataclass(frozen=True, slots=True)
class Frame:
    """One sampled frame: `time_ms` from the start, and its pixels, upright.

    `pixels` is uint8, (height, width, 3) for RGB or (height, width) for luma. `luma` is always
    the latter; where it `is_limited` it goes from 16 to 235. `pixels` is limited where it is luma.
    """

    time_ms: int
    pixels: NDArray[np.uint8]
    luma: NDArray[np.uint8]
    is_limited: bool = False

    @classmethod
    def of_rgb(cls, time_ms: int, rgb: Image.Image) -> "Frame":
        """A frame that Pillow decoded."""
        return cls(time_ms, np.asarray(rgb), np.asarray(rgb.convert("L")))

    @property
    def decoding(self) -> Decoding:
        """FAST where colours were never made."""
        return Decoding.FAST if self.pixels.ndim == 2 else Decoding.EXACT

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.luma.shape[1], self.luma.shape[0]


def frame_of(
    decoded: VideoFrame, time_ms: int, decoding: Decoding, limits: Limits, turns: "Turns"
) -> Frame:
    """The pixels of a frame as decoded, with `turns` of its video.

    Raises MediaTooLarge for one that is larger than allowed, and FFmpeg's own errors for one that
    cannot be converted.
    """
    limits.check_size(decoded.width, decoded.height)
    turn = turns.of(decoded)
    luma, is_limited = _luma(decoded)
    upright = turn.apply(luma)
    if decoding is Decoding.FAST:
        return Frame(time_ms, upright, upright, is_limited)
    rgb = decoded.reformat(format="rgb24", src_colorspace=Colorspace.ITU601, threads=1)
    return Frame(time_ms, turn.apply(_plane(rgb, colours=3)), upright, is_limited)


def _luma(decoded: VideoFrame) -> tuple[NDArray[np.uint8], bool]:
    """The luma of a frame, 8 bits deep, and whether it goes from 16 to 235."""
    form = decoded.format
    first = form.components[0]
    if form.name.startswith(("yuv", "nv", "gray")) and first.bits == 8 and first.is_luma:
        plain = form.name.startswith(("yuvj", "gray")) or decoded.color_range == ColorRange.JPEG
        return _plane(decoded), not plain
    return _plane(decoded.reformat(format="gray", threads=1)), False


def _plane(decoded: VideoFrame, colours: int = 1) -> NDArray[np.uint8]:
    """The first plane; it lives as long as the frame, which the array keeps alive."""
    plane = decoded.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    pixels = rows[: decoded.height, : decoded.width * colours]
    return pixels if colours == 1 else pixels.reshape(decoded.height, decoded.width, colours)


@dataclass(frozen=True, slots=True)
class _Turn:
    """How stored pixels are set upright: perhaps transposed, then mirrored."""

    transposed: bool = False
    down: bool = False
    across: bool = False

    def apply(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The same pixels, as a view."""
        if self.transposed:
            pixels = pixels.swapaxes(0, 1)
        return pixels[:: -1 if self.down else 1, :: -1 if self.across else 1]


class Turns:
    """How the frames of a video are set upright, by their display matrix.

    It is read once for each rotation and size: PyAV's view of a frame's side data keeps the frame
    alive until the garbage collector finds the two, which may be a hundred frames later.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, int, int], _Turn] = {}

    def of(self, decoded: VideoFrame) -> _Turn:
        """What the matrix asks for, to the nearest quarter turn."""
        key = (decoded.rotation, decoded.width, decoded.height)
        if key not in self._known:
            self._known[key] = _turn(decoded)
        return self._known[key]


def _turn(decoded: VideoFrame) -> _Turn:
    """What the file's display matrix asks for, to the nearest quarter turn."""
    matrix = decoded.side_data.get("DISPLAYMATRIX")
    content = bytes(matrix) if isinstance(matrix, SideData) else b""
    if len(content) < _MATRIX.size:
        return _Turn()
    a, b, _, c, d, *_ = _MATRIX.unpack_from(content)
    if abs(b) > abs(a):
        return _Turn(transposed=True, down=b < 0, across=c < 0)
    return _Turn(down=d < 0, across=a < 0)
