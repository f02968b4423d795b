"""Clips made on the spot: altered copies of a known one, and one that shows something else."""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageOps

SUFFIX = ".mp4"
"""Of all clips here."""

PAN_S = 3
"""Seconds that the camera takes for a picture."""

_PAN_FPS = Fraction(10)
_PAN_SIZE = (640, 360)
_BITS_A_SECOND = 2_000_000


def write_half_size(
    original: Path, path: Path, *, first_s: float = 0.0, last_s: float = 0.0
) -> None:
    """Write a clip again at half its size, without its first and last seconds given."""
    with av.open(str(original)) as source:
        stream = source.streams.video[0]
        fps = stream.average_rate or Fraction(25)
        size = (stream.width // 2, stream.height // 2)
        pictures = (_picture(frame) for frame in source.decode(stream))
        kept = islice(pictures, round(first_s * fps), stream.frames - round(last_s * fps))
        _write(path, fps, size, kept)


def _picture(frame: av.VideoFrame) -> Image.Image:
    return Image.fromarray(frame.to_ndarray(format="rgb24"))


def write_pan(pictures: Sequence[Path], path: Path) -> None:
    """Write a clip in which the camera wanders over one picture after the other."""
    frames = (frame for picture in pictures for frame in _pan(picture, _PAN_FPS))
    _write(path, _PAN_FPS, _PAN_SIZE, frames)


def write_quoted(original: Path, path: Path, *, before: Path, after: Path) -> None:
    """Write a clip at half its size and mirrored, between two others made of a picture each."""
    with av.open(str(original)) as source:
        stream = source.streams.video[0]
        fps = stream.average_rate or Fraction(25)
        size = (stream.width // 2, stream.height // 2)
        mirrored = (ImageOps.mirror(_picture(frame)) for frame in source.decode(stream))
        _write(path, fps, size, chain(_pan(before, fps), mirrored, _pan(after, fps)))


def _pan(picture: Path, fps: Fraction) -> Iterator[Image.Image]:
    with Image.open(picture) as opened:
        pixels = opened.convert("RGB")
    part_width, part_height = pixels.width * 2 // 3, pixels.height * 2 // 3
    for share in np.linspace(0, 1, round(PAN_S * fps)):
        x, y = int(share * (pixels.width - part_width)), int(share * (pixels.height - part_height))
        yield pixels.crop((x, y, x + part_width, y + part_height))


def _write(path: Path, fps: Fraction, size: tuple[int, int], frames: Iterable[Image.Image]) -> None:
    """Encode frames as MPEG-4 video, which every build of FFmpeg can."""
    with av.open(str(path), "w") as clip:
        stream = clip.add_stream("mpeg4", rate=fps, bit_rate=_BITS_A_SECOND)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            resized = frame.resize(size, Image.Resampling.BOX)
            pixels = av.VideoFrame.from_ndarray(np.asarray(resized), format="rgb24")
            clip.mux(stream.encode(pixels))
        clip.mux(stream.encode())
