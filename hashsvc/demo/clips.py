"""Clips made on the spot: altered copies of a known one, and one that shows something else."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from cv2.typing import MatLike

from hashsvc.errors import OperatorError

_PAN_FPS = 10.0
_PAN_FRAMES = 30
_PAN_SIZE = (640, 360)


def write_half_size(
    original: Path, path: Path, *, first_s: float = 0.0, last_s: float = 0.0
) -> None:
    """Write a clip again at half its size, without its first and last seconds given."""
    source = cv2.VideoCapture(str(original))
    try:
        fps = source.get(cv2.CAP_PROP_FPS)
        width, height = (
            int(source.get(side)) // 2
            for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
        )
        total = round(source.get(cv2.CAP_PROP_FRAME_COUNT))
        frames = islice(_frames(source), round(first_s * fps), total - round(last_s * fps))
        _write(path, fps, (width, height), frames)
    finally:
        source.release()


def write_pan(pictures: Sequence[Path], path: Path) -> None:
    """Write a clip in which the camera wanders over one picture after the other."""
    frames = (frame for picture in pictures for frame in _pan(picture))
    _write(path, _PAN_FPS, _PAN_SIZE, frames)


def _frames(source: cv2.VideoCapture) -> Iterator[MatLike]:
    while source.grab():
        yield source.retrieve()[1]


def _pan(picture: Path) -> Iterator[MatLike]:
    pixels = cv2.imread(str(picture))
    if pixels is None:
        raise OperatorError(f"cannot read {picture}")
    height, width = pixels.shape[:2]
    part_width, part_height = width * 2 // 3, height * 2 // 3
    for share in np.linspace(0, 1, _PAN_FRAMES):
        x, y = int(share * (width - part_width)), int(share * (height - part_height))
        yield pixels[y : y + part_height, x : x + part_width]


def _write(path: Path, fps: float, size: tuple[int, int], frames: Iterable[MatLike]) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, size)
    if not writer.isOpened():
        raise OperatorError("this build of OpenCV cannot write MPEG-4 video")
    try:
        for frame in frames:
            writer.write(cv2.resize(frame, size, interpolation=cv2.INTER_AREA))
    finally:
        writer.release()
