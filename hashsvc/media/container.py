"""What a QuickTime or MP4 file says of its tracks, read from its boxes (ISO 14496-12).

OpenCV does not tell a track's kind or its length on screen; the frame count it gives is wrong
for a clip that was trimmed by an edit list.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_MAX_BOXES = 10_000
_MAX_MOOV_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Track:
    """One track: `kind` is its handler (`vide`, `soun`, ...), `duration_s` 0 when not stated."""

    kind: str
    duration_s: float


@dataclass(frozen=True, slots=True)
class Boxes:
    """What was found. `cut_short`: a box claims more bytes than the file has."""

    tracks: tuple[Track, ...]
    cut_short: bool

    def video_duration_s(self) -> float:
        """Length of the longest video track in seconds, 0 when not stated."""
        return max((track.duration_s for track in self.tracks if track.kind == "vide"), default=0)

    def kinds(self) -> set[str]:
        """The kinds of track present."""
        return {track.kind for track in self.tracks}


def read_boxes(source: BinaryIO) -> Boxes:
    """Read the top level of the file and its `moov` box. Damage is skipped, never raised."""
    end = source.seek(0, 2)
    tracks: tuple[Track, ...] = ()
    at, cut_short = 0, False
    for _ in range(_MAX_BOXES):
        source.seek(at)
        header = source.read(16)
        if len(header) < 8:
            break
        size, name = _box_header(header, end - at)
        if size < 8:
            break
        cut_short = at + size > end
        if name == b"moov":
            source.seek(at + 8)
            tracks = _tracks(source.read(min(size - 8, _MAX_MOOV_BYTES)))
        at += size
    return Boxes(tracks, cut_short)


def _box_header(header: bytes, remaining: int) -> tuple[int, bytes]:
    """Size in bytes, header included, and name of the box that begins with `header`."""
    size = int.from_bytes(header[:4], "big")
    if size == 1 and len(header) == 16:
        size = int.from_bytes(header[8:16], "big")
    return (remaining if size == 0 else size), header[4:8]


def _children(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of each box in `body`."""
    at = 0
    while at + 8 <= len(body):
        size, name = _box_header(body[at : at + 16], len(body) - at)
        if size < 8:
            return
        skip = 16 if body[at : at + 4] == b"\0\0\0\1" else 8
        yield name, body[at + skip : at + size]
        at += size


def _tracks(moov: bytes) -> tuple[Track, ...]:
    timescale = 0
    tracks = []
    for name, body in _children(moov):
        if name == b"mvhd":
            timescale, _ = _scale_and_duration(body, 12, 20)
        elif name == b"trak":
            tracks.append(_track(body))
    return tuple(Track(kind, ticks / timescale if timescale else 0.0) for kind, ticks in tracks)


def _track(trak: bytes) -> tuple[str, int]:
    """Handler of a track, and its length in the movie's time scale."""
    kind, ticks = "", 0
    for name, body in _children(trak):
        if name == b"tkhd":
            _, ticks = _scale_and_duration(body, 16, 24)
        elif name == b"mdia":
            for inner, content in _children(body):
                if inner == b"hdlr":
                    kind = content[8:12].decode("latin-1")
    return kind, ticks


def _scale_and_duration(body: bytes, short_at: int, long_at: int) -> tuple[int, int]:
    """The four bytes at an offset (the time scale, in `mvhd`) and the duration after them.

    The offsets are for the versions with 32-bit and with 64-bit times. An unknown duration, all
    ones, is given as 0.
    """
    long = body[:1] == b"\1"
    try:
        scale, ticks = struct.unpack_from(
            ">LQ" if long else ">LL", body, long_at if long else short_at
        )
    except struct.error:
        return 0, 0
    unknown = 2 ** (64 if long else 32) - 1
    return scale, 0 if ticks == unknown else ticks
