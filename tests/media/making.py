"""Makes pictures and videos, and looks into results."""

import io
import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream
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
    codec: str,
    *,
    seconds: float = 3,
    rate: int = 10,
    size: tuple[int, int] = (160, 120),
    **how: Any,
) -> bytes:
    """The bytes of a clip that shows another picture each second; `how` is for `film`."""
    frames = (scene(index // rate, size) for index in range(round(seconds * rate)))
    return film(path, codec, frames, rate=rate, **how)


def film(
    path: Path,
    codec: str,
    frames: Iterable[NDArray[np.uint8]],
    *,
    rate: int = 10,
    at: Sequence[int] | None = None,
    options: dict[str, str] | None = None,
    container: dict[str, str] | None = None,
) -> bytes:
    """The bytes of a clip of RGB frames; the suffix of `path` names the container.

    Frame n is shown from n / rate seconds on, or from at[n] / rate.
    """
    with av.open(str(path), "w", container_options=container) as clip:
        stream = None
        for index, pixels in enumerate(frames):
            if stream is None:
                stream = _stream(clip, codec, rate, pixels, options or {})
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame = frame.reformat(format=stream.pix_fmt)
            frame.pts, frame.time_base = at[index] if at else index, Fraction(1, rate)
            clip.mux(stream.encode(frame))
        assert stream is not None
        clip.mux(stream.encode())
    return path.read_bytes()


def repeated(path: Path, pixels: NDArray[np.uint8], count: int, *, rate: int) -> bytes:
    """The bytes of an AVI that shows one RGB frame over and over; it is encoded once."""
    with av.open(str(path), "w") as clip:
        stream = _stream(clip, "mjpeg", rate, pixels, {})
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuvj420p")
        encoded = bytes([*stream.encode(frame), *stream.encode()][0])
        for index in range(count):
            packet = av.Packet(encoded)
            packet.stream, packet.time_base = stream, Fraction(1, rate)
            packet.pts = packet.dts = index
            packet.is_keyframe = True
            clip.mux(packet)
    return path.read_bytes()


def _stream(
    clip: OutputContainer, codec: str, rate: int, first: NDArray[np.uint8], options: dict[str, str]
) -> VideoStream:
    stream = cast("VideoStream", clip.add_stream(codec, rate=rate, bit_rate=1_000_000))
    stream.height, stream.width = first.shape[:2]
    stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    stream.options = dict[str, object](options)
    stream.codec_context.thread_count = 1
    return stream


def scene(second: int, size: tuple[int, int] = (160, 120)) -> NDArray[np.uint8]:
    """The picture that `movie` shows in a second of the clip, RGB."""
    return photo(size[1], size[0], seed=100 + second)


class Pipe(io.BytesIO):
    """Bytes that come in pieces and cannot be read twice; `left` of them were not taken."""

    piece_bytes = 1 << 16

    @property
    def left(self) -> int:
        """How many bytes nobody has asked for yet."""
        return len(self.getvalue()) - self.tell()

    def seekable(self) -> bool:
        """It cannot."""
        return False

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Fail, as a pipe does."""
        raise io.UnsupportedOperation("seek")

    def read(self, size: int | None = -1, /) -> bytes:
        """The next piece, none at the end."""
        return super().read(min(size if size and size >= 0 else 1 << 62, self.piece_bytes))


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
