"""Bundles: what a node sends of a list, in one file, for partners without a link.

A line that says what the file is, and then frames:

    hashsvc bundle 1 acme/known 0

The format's version, the list, and the place that the bundle begins at. A frame is the length of a
serialized `FollowResponse`, 4 bytes, most significant first, and the message. A frame of length 0
ends the file. Nothing in it is trusted, and nothing in it names a file. No I/O but on open files.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from hashsvc import translate_sync as translate
from hashsvc.errors import BundleError
from hashsvc.model_sync import FollowMessage

VERSION = 1
MAX_FRAME_BYTES = (16 << 20) - 1_000
"""The largest frame: what fits into a message of gRPC, by which bundles come in."""
MAX_FRAMES = 1_000_000

_MAX_HEADER_BYTES = 300
_LENGTH_BYTES = 4
_MAGIC = b"hashsvc bundle "
_NAME = r"[a-z0-9-]{1,100}/[a-z0-9-]{1,100}"
_HEADER = re.compile(rf"hashsvc bundle ([0-9]{{1,9}}) ({_NAME}) (0|[1-9][0-9]{{0,17}})\n")


@dataclass(frozen=True, slots=True)
class Header:
    """What a bundle says it is: of which list, and from which place on."""

    list_name: str
    size: int


def write(file: BinaryIO, header: Header, messages: Iterable[FollowMessage]) -> None:
    """Write a bundle.

    Raises:
        BundleError: a message, or all of them, are larger than a bundle can hold.
        OSError: the disk.
    """
    beginning = f"hashsvc bundle {VERSION} {header.list_name} {header.size}\n".encode()
    for number, message in enumerate(messages, 1):
        frame = translate.message_to_bytes(message)
        if len(frame) > MAX_FRAME_BYTES or number > MAX_FRAMES:
            raise BundleError(
                f"a bundle has {MAX_FRAMES:,} messages of {MAX_FRAME_BYTES:,} bytes at most: "
                "this list has more"
            )
        # With the first frame, so that a node that refuses leaves nothing on standard output.
        file.write(beginning + len(frame).to_bytes(_LENGTH_BYTES) + frame)
        beginning = b""
    file.write(beginning + bytes(_LENGTH_BYTES))


def read_header(file: BinaryIO) -> Header:
    """Return what a bundle says it is.

    Raises:
        BundleError: it is none, or of a version that is not known here.
        OSError: the disk.
    """
    line = file.readline(_MAX_HEADER_BYTES)
    if not line.startswith(_MAGIC):
        raise BundleError("this is not a bundle: it does not begin with `hashsvc bundle`")
    found = _HEADER.fullmatch(line.decode("ascii", "replace"))
    if found is None:
        raise BundleError("the first line of the bundle is damaged")
    if int(found[1]) != VERSION:
        raise BundleError(
            f"the bundle is of version {int(found[1])}, this hashsvc reads version {VERSION}"
        )
    return Header(found[2], int(found[3]))


def read_messages(file: BinaryIO) -> Iterator[FollowMessage]:
    """Yield the messages of a bundle of which the header was read; those of no known kind are left
    out.

    Raises:
        BundleError: a frame is too long, cut, or no message; or the file does not end as it must.
        OSError: the disk.
    """
    for number in range(1, MAX_FRAMES + 2):
        prefix = file.read(_LENGTH_BYTES)
        length = int.from_bytes(prefix)
        if len(prefix) < _LENGTH_BYTES:
            raise BundleError(f"the bundle is cut: it ends before frame {number:,}")
        if not length:
            break
        if length > MAX_FRAME_BYTES or number > MAX_FRAMES:
            raise BundleError(
                f"frame {number:,} of the bundle is damaged: it would have {length:,} bytes; "
                f"there are {MAX_FRAMES:,} frames of {MAX_FRAME_BYTES:,} bytes at most"
            )
        frame = file.read(length)
        if len(frame) < length:
            raise BundleError(f"the bundle is cut within frame {number:,}")
        try:
            message = translate.message_from_bytes(frame)
        except ValueError as error:
            raise BundleError(f"frame {number:,} of the bundle is damaged: {error}") from None
        if message is not None:
            yield message
    if file.read(1):
        raise BundleError("the bundle goes on after its end")


def head_size(note: bytes) -> int:
    """Return the size that a checkpoint says it is of; nothing is verified.

    Raises:
        BundleError: it is no checkpoint.
    """
    lines = note.split(b"\n", 3)
    if len(lines) < 4 or not re.fullmatch(rb"0|[1-9][0-9]{0,17}", lines[1]):
        raise BundleError("the node's checkpoint is malformed")
    return int(lines[1])
