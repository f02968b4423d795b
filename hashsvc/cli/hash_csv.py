"""CSV files of hashes: one entry a row.

Columns by name, in any order: `algorithm` and `value` (hex), and if wanted `quality`,
`media_type` (image or video; image is the default), `labels` (separated by spaces), `entities`
(separated by `;`), `basis`, `severity`, `incident`, `note`. A cell overrides what the command line
says of all rows. The header of `threatexchange`'s data sets (`signal_type,signal_str`) works too.

A file may come from anywhere and have no end: it is read a row at a time, and a row is bounded.
"""

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from hashsvc.errors import InvalidRequest
from hashsvc.model import (
    Algorithm,
    Basis,
    Description,
    EntryDraft,
    Fingerprint,
    MediaType,
    Severity,
)

_OTHER_NAMES = {"signal_type": "algorithm", "signal_str": "value", "hash": "value"}
_OTHER_ALGORITHMS = {"video_md5": "md5", "video_sha256": "sha256"}


MAX_LINE = 100_000
"""Characters in a line; a row with the longest note has some thousand."""


def count_rows(path: Path) -> int | None:
    """Return about how many rows a file has, for a progress bar; None for a pipe or a device."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        lines = sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))
    return max(0, lines - 1)


def read_drafts(path: Path, defaults: Description) -> Iterator[EntryDraft]:
    """Yield one entry a row.

    Raises:
        InvalidRequest: a row is wrong; the field names the file and the line.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        try:
            rows = csv.DictReader(_lines(file, path), strict=True)
            rows.fieldnames = _columns(rows.fieldnames, path)
            for row in rows:
                try:
                    if None in row:
                        raise ValueError("has more cells than the header")
                    yield _draft(row, defaults)
                except ValueError as error:
                    raise InvalidRequest.of(f"{path}:{rows.line_num}", str(error)) from None
        except (UnicodeDecodeError, csv.Error) as error:
            raise InvalidRequest.of(str(path), f"is not CSV in UTF-8: {error}") from None


def _lines(file: TextIO, path: Path) -> Iterator[str]:
    number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            text = f"has more than {MAX_LINE:,} characters: is this a table of hashes?"
            raise InvalidRequest.of(f"{path}:{number}", text)
        yield line


def _columns(found: object, path: Path) -> list[str]:
    names = [str(name).strip().lower() for name in found] if isinstance(found, list) else []
    names = [_OTHER_NAMES.get(name, name) for name in names]
    if twice := sorted({name for name in names if name and names.count(name) > 1}):
        raise InvalidRequest.of(f"{path}:1", f"the header names {', '.join(twice)} twice")
    missing = {"algorithm", "value"} - set(names)
    if missing:
        needed = " and ".join(sorted(missing))
        raise InvalidRequest.of(f"{path}:1", f"the header names no column {needed}")
    return names


def _draft(row: dict[str, str | None], defaults: Description) -> EntryDraft:
    cells = {key: value.strip() for key, value in row.items() if key and value and value.strip()}
    name = cells.get("algorithm", "").lower()
    algorithm = Algorithm(_OTHER_ALGORITHMS.get(name, name))
    value = bytes.fromhex(cells.get("value", ""))
    if len(value) * 8 != algorithm.bits:
        raise ValueError(f"a {algorithm} value has {algorithm.bits // 4} hexadecimal digits")
    quality = int(cells["quality"]) if "quality" in cells else None
    media_type = MediaType(cells.get("media_type", "video" if "video" in name else "image"))
    fingerprint = Fingerprint(algorithm, value, quality=quality)
    return EntryDraft(media_type, (fingerprint,), _description(cells, defaults))


def _description(cells: dict[str, str], defaults: Description) -> Description:
    description = defaults
    if "labels" in cells:
        description = replace(description, labels=tuple(cells["labels"].split()))
    if "entities" in cells:
        entities = tuple(entity.strip() for entity in cells["entities"].split(";"))
        description = replace(description, entities=entities)
    if "basis" in cells:
        description = replace(description, basis=Basis(cells["basis"]))
    if "severity" in cells:
        severity = cells["severity"].upper()
        if severity not in Severity.__members__:
            raise ValueError(f"{cells['severity']!r} is not a severity")
        description = replace(description, severity=Severity[severity])
    if "incident" in cells:
        description = replace(description, incident=cells["incident"])
    if "note" in cells:
        description = replace(description, note=cells["note"])
    return description
