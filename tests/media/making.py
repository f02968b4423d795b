"""Makes pictures and videos, and looks into results."""

import io
import struct
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hashsvc.media import FOR_LISTS, Recipe, fingerprint
from hashsvc.model import ORIGINAL, Algorithm, Fingerprint, MediaFingerprints


def photo(height: int, width: int, seed: int) -> NDArray[np.uint8]:
    """A smooth, colourful picture: uint8 (height, width, 3)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def saved(picture: Image.Image, form: str, **options: Any) -> bytes:
    """The bytes of `picture` in a Pillow format."""
    stream = io.BytesIO()
    picture.save(stream, form, **options)
    return stream.getvalue()


def movie(
    path: Path,
    code: str,
    *,
    seconds: float = 3,
    rate: float = 10,
    size: tuple[int, int] = (160, 120),
) -> bytes:
    """The bytes of a clip written by OpenCV: another picture each second, with some movement."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), rate, size)
    assert writer.isOpened()
    for index in range(round(seconds * rate)):
        writer.write(scene(int(index / rate), size)[:, :, ::-1])
    writer.release()
    return path.read_bytes()


def scene(second: int, size: tuple[int, int] = (160, 120)) -> NDArray[np.uint8]:
    """The picture that `movie` shows in a second of the clip, RGB."""
    return photo(size[1], size[0], seed=100 + second)


def look(data: bytes, recipe: Recipe = FOR_LISTS) -> MediaFingerprints:
    """Fingerprint bytes in this process."""
    return fingerprint(io.BytesIO(data), recipe=recipe)


def pdq_of(found: MediaFingerprints, variant: str = ORIGINAL) -> Fingerprint:
    """The only (or first) PDQ of a result."""
    return next(
        f for f in found.fingerprints if f.algorithm is Algorithm.PDQ and f.variant == variant
    )


def frames_of(found: MediaFingerprints) -> list[Fingerprint]:
    """The timed PDQ of a video."""
    return [f for f in found.fingerprints if f.algorithm is Algorithm.PDQ]


def distance(one: bytes | str, other: bytes | str) -> int:
    """Differing bits; text is taken as hexadecimal."""
    a, b = (bytes.fromhex(x) if isinstance(x, str) else x for x in (one, other))
    return (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).bit_count()


def hollow_png(width: int, height: int) -> bytes:
    """A PNG of a few hundred bytes that claims to be this large."""
    data = zlib.compress(bytes(1000))
    header = struct.pack(">LLBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">L", len(body)) + name + body + struct.pack(">L", zlib.crc32(name + body))
        for name, body in parts
    )


def box(name: bytes, *content: bytes) -> bytes:
    """An ISO base media box."""
    body = b"".join(content)
    return struct.pack(">L", len(body) + 8) + name + body


def audio_only_mp4(handler: bytes = b"soun") -> bytes:
    """An MP4 whose one track is of this kind and holds no samples."""
    mvhd = box(b"mvhd", bytes(12), struct.pack(">LL", 1000, 2000), bytes(80))
    tkhd = box(b"tkhd", bytes(12), struct.pack(">LLL", 1, 0, 2000), bytes(60))
    hdlr = box(b"hdlr", bytes(8), handler, bytes(13))
    moov = box(b"moov", mvhd, box(b"trak", tkhd, box(b"mdia", hdlr)))
    return box(b"ftyp", b"isom", bytes(4), b"isommp42") + moov + box(b"mdat", bytes(64))


def rotated(data: bytes, matrix: Iterable[int]) -> bytes:
    """An MP4 with the 3 x 3 display matrix of its first track replaced (16.16 and 2.30 fixed)."""
    at = data.index(b"tkhd") + 4 + 40
    return data[:at] + struct.pack(">9l", *matrix) + data[at + 36 :]


def mutated(data: bytes, cuts: Callable[[bytearray], None]) -> bytes:
    """A copy of `data` after `cuts` has had its way with it."""
    copy = bytearray(data)
    cuts(copy)
    return bytes(copy)
