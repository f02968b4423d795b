"""An index on disk: one folder of a manifest, a file for each segment, and one for the rest.

| file | holds | when it is lost or damaged |
|---|---|---|
| `manifest` | format, bits, revision, what it is of, count, file names; own CRC-32 | all is |
| `segment-*` | a segment as it is in memory; never changes under one name | all is |
| `rest-*` | what is removed from the segments; the newest keys and codes | all is |

All of it can be made again by the caller from what it was made from, so nothing is repaired:
whatever does not fit gives a `CorruptIndexError`. Only the manifest is replaced, last, at one
moment; files that it does not name are of no account, and go with the next `write`.
"""

import json
import secrets
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hashsvc_index.arrays import CodeArray
from hashsvc_index.container import (
    Array,
    read_arrays,
    replace_file,
    sync_folder,
    write_arrays,
)
from hashsvc_index.errors import CorruptIndexError
from hashsvc_index.merging import Snapshot
from hashsvc_index.segment import Segment, Tables
from hashsvc_index.tail import empty_tail

FORMAT = 1
_MANIFEST = "manifest"
_TABLES = ("offsets", "sketches", "low", "high")
# Small, and used as positions: damage there must not go further.
_ALWAYS = ("offsets", "extra_rows", "extra_order")
_ATTEMPTS = 5


@dataclass(frozen=True)
class Saved:
    """What a folder holds: the revision, and the file of each segment, known by its codes."""

    folder: Path
    revision: int
    about: str
    segments: tuple[tuple[CodeArray, str], ...]

    def name_of(self, folder: Path, segment: Segment) -> str | None:
        """The name of the file that holds this segment already."""
        if folder == self.folder:
            for codes, name in self.segments:
                if codes is segment.codes and (folder / name).exists():
                    return name
        return None


def write(
    folder: Path, bits: int, revision: int, about: str, now: Snapshot, known: Saved | None
) -> Saved:
    """Write a snapshot in the place of what is there; `known` is what this index saved before."""
    folder.mkdir(parents=True, exist_ok=True)
    segments: list[tuple[CodeArray, str]] = []
    rest: dict[str, Array] = {}
    for number, segment in enumerate(now.segments):
        name = known.name_of(folder, segment) if known else None
        if name is None:
            name = f"segment-{secrets.token_hex(8)}"
            write_arrays(folder / name, {"kind": "segment", "bits": bits}, _arrays(segment))
        segments.append((segment.codes, name))
        slots = np.arange(len(segment.keys))
        dead = slots[~segment.is_live(slots, now.version)]
        rest[f"removed-{number}"] = dead.astype(np.uint32)
    pairs = [part.live_pairs(now.version) for part in (*now.sealed, now.tail)]
    keys = np.concatenate([keys for keys, _ in pairs])
    order = np.argsort(keys)
    rest["keys"] = keys[order]
    rest["codes"] = np.concatenate([codes for _, codes in pairs])[order]
    rest_name = f"rest-{secrets.token_hex(8)}"
    write_arrays(folder / rest_name, {"kind": "rest", "bits": bits}, rest)
    sync_folder(folder)
    names = [name for _, name in segments]
    manifest = {
        "format": FORMAT,
        "bits": bits,
        "revision": revision,
        "about": about,
        "keys": now.live,
        "segments": names,
        "rest": rest_name,
    }
    text = json.dumps(manifest)
    replace_file(folder / _MANIFEST, f"{text}\n{zlib.crc32(text.encode()):08x}\n".encode())
    for path in folder.iterdir():
        if path.name.startswith(("segment-", "rest-")) and path.name not in (*names, rest_name):
            path.unlink()
    return Saved(folder, revision, about, tuple(segments))


def read(folder: Path, bits: int, *, verify: bool) -> tuple[Snapshot, Saved]:
    """Open what `write` wrote; `CorruptIndexError` if that is not there, whole and of `bits`."""
    for _ in range(_ATTEMPTS):
        try:
            content = (folder / _MANIFEST).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise CorruptIndexError("there is no manifest") from error
        try:
            return _read(folder, content, bits, verify=verify)
        except (CorruptIndexError, ValueError, TypeError, LookupError, AttributeError) as error:
            # Another process may have saved in between, and removed the old files.
            if (folder / _MANIFEST).read_bytes() != content:
                continue
            if isinstance(error, CorruptIndexError):
                raise
            raise CorruptIndexError(f"not what an index is made of: {error}") from error
    raise CorruptIndexError("the manifest changes all the time")


def _read(folder: Path, content: bytes, bits: int, *, verify: bool) -> tuple[Snapshot, Saved]:
    text, checksum, nothing = content.split(b"\n")
    if nothing or checksum != f"{zlib.crc32(text):08x}".encode():
        raise CorruptIndexError("the manifest is damaged")
    manifest = json.loads(text)
    if manifest["format"] != FORMAT:
        raise CorruptIndexError(f"format {manifest['format']} is not known here")
    if manifest["bits"] != bits:
        raise CorruptIndexError(f"codes of {manifest['bits']} bits, not {bits}")
    rest = _checked(folder / manifest["rest"], "rest", bits, verify=True)
    segments = []
    saved = []
    for number, name in enumerate(manifest["segments"]):
        segment = _segment(_checked(folder / name, "segment", bits, verify=verify), bits)
        removed = rest[f"removed-{number}"]
        if len(removed):
            segment = segment.with_removed(removed.astype(np.int64), 1)
        segments.append(segment)
        saved.append((segment.codes, name))
    keys = rest["keys"]
    tail = empty_tail(bits // 8, len(keys)).appended(keys, rest["codes"], 0)
    live = sum(segment.live for segment in segments) + tail.live
    if live != manifest["keys"]:
        raise CorruptIndexError(f"{live} keys instead of {manifest['keys']}")
    segments.sort(key=lambda segment: segment.live, reverse=True)
    # Stamps of the removals that were saved are of version 1.
    now = Snapshot(tuple(segments), (), tail, version=1, live=live)
    return now, Saved(folder, int(manifest["revision"]), str(manifest["about"]), tuple(saved))


def _checked(path: Path, kind: str, bits: int, *, verify: bool) -> dict[str, Array]:
    facts, arrays = read_arrays(path, verify=verify, always=_ALWAYS)
    if facts != {"kind": kind, "bits": bits}:
        raise CorruptIndexError(f"{path.name} is a file of {facts}")
    return arrays


def _arrays(segment: Segment) -> dict[str, Any]:
    arrays = {
        "codes": segment.codes,
        "keys": segment.keys,
        "extra_rows": segment.extra_rows,
        "extra_order": segment.extra_order,
    }
    if segment.tables is not None:
        arrays |= {name: getattr(segment.tables, name) for name in _TABLES}
    return arrays


def _segment(arrays: dict[str, Array], bits: int) -> Segment:
    """A segment of these arrays, if they fit together."""
    codes, keys = arrays["codes"], arrays["keys"]
    tables = None
    if "offsets" in arrays:
        tables = Tables(*(arrays[name] for name in _TABLES))
    segment = Segment(
        codes, keys, arrays["extra_rows"], arrays["extra_order"], tables, None, len(keys)
    )
    if codes.shape[1:] != (bits // 8,) or not segment.fits():
        raise CorruptIndexError("arrays of a segment do not fit together")
    return segment
