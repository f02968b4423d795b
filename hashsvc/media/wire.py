"""What a decoder pool and its workers say to each other, over a worker's stdin and stdout.

Everything is a frame: a byte of kind, four of length, most significant first, then so many bytes. A
frame is a message, which is a JSON object, or a piece of the file.

::

    worker -> pool   {"ready": true, "confined": [...]}   once, when the limits are set
    pool -> worker   {"path": null, "recipe": {...}, "judged": true}
    worker -> pool   any of these, again and again:
      {"wants": 1048576}         a piece, of so many bytes at most; an empty one ends the file
      {"seen": [[...], 1200]}    a judge's answer to new fingerprints, decoded through this ms
                                 <- {"closer": [[0, 2400], ...]}, or null for "enough, stop"
      {"through_ms": 1200}       nothing: the video was decoded so far
      {"digests": [...]}         nothing: they are those of the file at `path`
                     and one at the end: {"found": {...}}, {"error": {...}}, or
                     {"failed": [errno, message]}

Who wants something waits for it, and gets no more: so one piece and one message are under way at
the most, both sides hold bounded memory however long the file, the worker never has to read past
one thing to get at another, and the pool always knows whose turn it is. Only while it is the
worker's do its limits of time run.

The worker sends the digests of a path's file before it decodes it, so that they are known even
when that is its end; those of a stream are made by the pool (`supply`).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hashsvc.errors import MediaError, MediaTooLarge, MediaUnreadable
from hashsvc.media.scan import Seen, Span
from hashsvc.model import (
    Algorithm,
    Decoding,
    Fingerprint,
    MediaFingerprints,
    MediaType,
    UndeterminedReason,
)

HEAD_BYTES = 5
"""Size of the kind and length before each frame."""

MAX_FRAME_BYTES = 64 * 1024 * 1024
"""A longer frame is a fault of the protocol; 120,000 video frames take about 12 MB."""

MAX_PIECE_BYTES = 1024 * 1024
"""The most that a worker wants at a time."""

_MESSAGE, _PIECE = b"m", b"p"
_ERRORS = {"MediaUnreadable": MediaUnreadable, "MediaTooLarge": MediaTooLarge}


@dataclass(frozen=True, slots=True)
class Wants:
    """The worker waits for a piece of the file, of so many bytes at most."""

    most_bytes: int


@dataclass(frozen=True, slots=True)
class Reached:
    """The worker has decoded so far, in milliseconds from the start of the video."""

    through_ms: int


@dataclass(frozen=True, slots=True)
class Digests:
    """The digests of the file that the worker opened."""

    fingerprints: tuple[Fingerprint, ...]


Said = Wants | Seen | Reached | Digests | MediaFingerprints | MediaError | OSError
"""What a worker can say during a job; the last three end it."""


def message(content: dict[str, Any]) -> bytes:
    """A frame that holds `content` as JSON."""
    payload = json.dumps(content, separators=(",", ":")).encode()
    return _head(_MESSAGE, len(payload)) + payload


def piece(data: bytes | memoryview) -> tuple[bytes, bytes | memoryview]:
    """A frame that holds bytes of the file, in two parts so that they need no copy."""
    return _head(_PIECE, len(data)), data


def _head(kind: bytes, length: int) -> bytes:
    return kind + length.to_bytes(HEAD_BYTES - 1, "big")


def message_length(head: bytes) -> int:
    """The length of the message that begins so. Raises ValueError for what is no message."""
    return _length(head, _MESSAGE)


def piece_length(head: bytes) -> int:
    """The length of the piece that begins so. Raises ValueError for what is no piece."""
    return _length(head, _PIECE)


def _length(head: bytes, kind: bytes) -> int:
    length = int.from_bytes(head[1:], "big")
    if head[:1] != kind or length > MAX_FRAME_BYTES:
        raise ValueError(f"a frame {head[:1]!r} of {length} bytes")
    return length


def unpack_said(content: dict[str, Any]) -> Said:
    """What a message of the worker means.

    Raises KeyError, TypeError or ValueError for what no sound worker says.
    """
    if "wants" in content:
        return Wants(_between(content["wants"], 1, MAX_PIECE_BYTES))
    if "seen" in content:
        rows, through_ms = content["seen"]
        return Seen(unpack_fingerprints(rows), _between(through_ms, 0, 2**53))
    if "through_ms" in content:
        return Reached(_between(content["through_ms"], 0, 2**53))
    if "digests" in content:
        return Digests(unpack_fingerprints(content["digests"]))
    if "error" in content:
        return unpack_error(content["error"])
    if "failed" in content:
        number, text = content["failed"]
        return OSError(number, text)
    return unpack_found(content["found"])


def _between(value: Any, least: int, most: int) -> int:
    if not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{value!r} is not a number from {least} to {most}")
    return value


def pack_seen(seen: Seen) -> dict[str, Any]:
    """A step as JSON has it."""
    return {"seen": [pack_fingerprints(seen.fingerprints), seen.through_ms]}


def pack_spans(spans: Sequence[Span] | None) -> dict[str, Any]:
    """A judge's answer as JSON has it."""
    if spans is None:
        return {"closer": None}
    return {"closer": [[span.first_ms, span.last_ms] for span in spans]}


def unpack_spans(content: dict[str, Any]) -> tuple[Span, ...] | None:
    """The inverse of `pack_spans`."""
    rows = content["closer"]
    return None if rows is None else tuple(Span(first, last) for first, last in rows)


def pack_fingerprints(fingerprints: tuple[Fingerprint, ...]) -> list[list[Any]]:
    """Fingerprints as JSON has them."""
    return [
        [f.algorithm.value, f.value.hex(), f.quality, f.time_ms, f.decoding.value, f.variant]
        for f in fingerprints
    ]


def unpack_fingerprints(rows: list[list[Any]]) -> tuple[Fingerprint, ...]:
    """The inverse of `pack_fingerprints`. Raises ValueError for what it cannot have written."""
    return tuple(
        Fingerprint(Algorithm(name), bytes.fromhex(value), quality, time_ms, Decoding(how), variant)
        for name, value, quality, time_ms, how, variant in rows
    )


def pack_found(found: MediaFingerprints) -> dict[str, Any]:
    """A result as JSON has it."""
    return {
        "media_type": found.media_type.value,
        "format": found.format,
        "width": found.width,
        "height": found.height,
        "duration_ms": found.duration_ms,
        "fingerprints": pack_fingerprints(found.fingerprints),
        "limitation": found.limitation,
        "detail": found.detail,
        "progressive": found.progressive,
    }


def unpack_found(content: dict[str, Any]) -> MediaFingerprints:
    """The inverse of `pack_found`."""
    limitation = content["limitation"]
    return MediaFingerprints(
        media_type=MediaType(content["media_type"]),
        format=str(content["format"]),
        width=int(content["width"]),
        height=int(content["height"]),
        duration_ms=content["duration_ms"],
        fingerprints=unpack_fingerprints(content["fingerprints"]),
        limitation=UndeterminedReason(limitation) if limitation else None,
        detail=str(content["detail"]),
        progressive=bool(content["progressive"]),
    )


def pack_error(error: MediaError) -> dict[str, Any]:
    """A refusal as JSON has it, without digests."""
    return {
        "class": type(error).__name__,
        "message": str(error),
        "reason": error.reason,
        "metadata": error.metadata,
    }


def unpack_error(content: dict[str, Any]) -> MediaError:
    """The inverse of `pack_error`."""
    kind = _ERRORS.get(content["class"], MediaUnreadable)
    return kind(
        content["message"],
        reason=content["reason"],
        metadata=content["metadata"],
    )
