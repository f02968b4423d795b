"""What a decoder pool and its workers say to each other, over a worker's stdin and stdout.

Everything is a frame: four bytes of length, most significant first, then that many bytes.

::

    worker -> pool   {"ready": true}              once, when the limits are set
    pool -> worker   {"path": null, "recipe": {...}} or {"path": "/...", "recipe": {...}}
                     the file in frames, ended by an empty one (not for a path)
    worker -> pool   {"digests": [...]}           as soon as the bytes are there, if they are
                     {"found": {...}}, {"error": {...}}, or {"failed": [errno, message]}

The digests go first so that they are known even when decoding kills the worker.
"""

import json
from typing import Any

from hashsvc.errors import MediaError, MediaTooLarge, MediaUnreadable
from hashsvc.model import (
    Algorithm,
    Decoding,
    Fingerprint,
    MediaFingerprints,
    MediaType,
    UndeterminedReason,
)

LENGTH_BYTES = 4
"""Size of the length before each frame."""

MAX_FRAME_BYTES = 64 * 1024 * 1024
"""A longer frame is a fault of the protocol; 120,000 video frames take about 12 MB."""

_ERRORS = {"MediaUnreadable": MediaUnreadable, "MediaTooLarge": MediaTooLarge}


def frame(payload: bytes) -> bytes:
    """`payload` with its length before it."""
    return len(payload).to_bytes(LENGTH_BYTES, "big") + payload


def frame_length(prefix: bytes) -> int:
    """The length in a frame's first four bytes. Raises ValueError past MAX_FRAME_BYTES."""
    length = int.from_bytes(prefix, "big")
    if length > MAX_FRAME_BYTES:
        raise ValueError(f"a frame of {length} bytes")
    return length


def message(content: dict[str, Any]) -> bytes:
    """A frame that holds `content` as JSON."""
    return frame(json.dumps(content, separators=(",", ":")).encode())


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
    """A refusal as JSON has it; its digests went before."""
    return {
        "class": type(error).__name__,
        "message": str(error),
        "reason": error.reason,
        "metadata": error.metadata,
    }


def unpack_error(content: dict[str, Any], digests: tuple[Fingerprint, ...]) -> MediaError:
    """The inverse of `pack_error`."""
    kind = _ERRORS.get(content["class"], MediaUnreadable)
    return kind(
        content["message"],
        digests=digests,
        reason=content["reason"],
        metadata=content["metadata"],
    )
