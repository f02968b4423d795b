"""Named arrays in one file that is opened by mapping it, and small files that change at once.

A file is a magic, the length and the CRC-32 of a header, the header (JSON: what the file is, and
for each array its type, shape, place and CRC-32), then the arrays, little-endian, each at a
multiple of a page. CRC-32 finds every damage by torn writes, lost pages and flipped bits that is
likely; it is no defence against who can write the file.
"""

import json
import mmap
import os
import struct
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from hashsvc_index.errors import CorruptIndexError

Array: TypeAlias = npt.NDArray[Any]

_MAGIC = b"hashidx1"
_START = struct.Struct("<8sII")
_PAGE = 4096
# A checksum releases the GIL while it runs, and a piece of this size stays in the cache.
_PIECE = 1 << 20


def write_arrays(path: Path, facts: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """Write a file under a name that is not in use, through to the disk."""
    header: dict[str, Any] = {"facts": dict(facts), "arrays": []}
    raw: list[memoryview] = []
    at = 0
    for name, array in arrays.items():
        little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        data = little.reshape(-1).view(np.uint8).data
        place = {"name": name, "type": little.dtype.str, "shape": list(array.shape), "at": at}
        header["arrays"].append({**place, "crc": _checksum(data)})
        raw.append(data)
        at += _whole_pages(data.nbytes)
    header["size"] = at
    text = json.dumps(header).encode()
    first = _START.pack(_MAGIC, len(text), zlib.crc32(text)) + text
    with path.open("wb") as file:
        file.write(first + bytes(_whole_pages(len(first)) - len(first)))
        for data in raw:
            file.write(data)
            file.write(bytes(_whole_pages(data.nbytes) - data.nbytes))
        file.flush()
        os.fsync(file.fileno())


def read_arrays(
    path: Path, *, verify: bool, always: Collection[str] = ()
) -> tuple[dict[str, Any], dict[str, Array]]:
    """Map a file: what it says that it is, and its arrays, read-only.

    Args:
        path: the file.
        verify: compare the checksum of every array; else only of those named in `always`.
        always: see `verify`.

    Raises:
        CorruptIndexError: it is missing, not such a file, or damaged.
    """
    try:
        with path.open("rb") as file:
            mapped = np.frombuffer(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ), np.uint8)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, ValueError) as error:
        raise CorruptIndexError(f"{path.name}: missing or empty") from error
    if len(mapped) < _START.size:
        raise CorruptIndexError(f"{path.name}: too short")
    magic, length, checksum = _START.unpack(mapped[: _START.size].tobytes())
    text = mapped[_START.size : _START.size + length].tobytes()
    if magic != _MAGIC or len(text) < length or zlib.crc32(text) != checksum:
        raise CorruptIndexError(f"{path.name}: not an index file, or its header is damaged")
    header = json.loads(text)
    start = _whole_pages(_START.size + length)
    if len(mapped) != start + header["size"]:
        raise CorruptIndexError(f"{path.name}: {len(mapped)} bytes long, not as it says")
    arrays: dict[str, Array] = {}
    for entry in header["arrays"]:
        kind = np.dtype(entry["type"])
        first = start + entry["at"]
        size = kind.itemsize * int(np.prod(entry["shape"], dtype=np.int64))
        data = mapped[first : first + size]
        if (verify or entry["name"] in always) and _checksum(data.data) != entry["crc"]:
            raise CorruptIndexError(f"{path.name}: {entry['name']} is damaged")
        native = data.view(kind).reshape(entry["shape"])
        arrays[entry["name"]] = native.astype(kind.newbyteorder("="), copy=False)
    return header["facts"], arrays


def replace_file(path: Path, content: bytes) -> None:
    """Put a file in the place of another at one moment that outlasts a power cut."""
    fresh = path.with_name(path.name + ".new")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder outlast a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _whole_pages(size: int) -> int:
    return -(-size // _PAGE) * _PAGE


def _checksum(data: memoryview) -> int:
    checksum = 0
    for start in range(0, len(data), _PIECE):
        checksum = zlib.crc32(data[start : start + _PIECE], checksum)
    return checksum
