"""CSV files of entries: one fingerprint a row.

Columns by name, in any order: `algorithm` and `value` (hexadecimal), and if wanted `quality`,
`time_ms`, `decoding`, `variant`, `media_type` (image or video; image is the default), `labels`
(separated by spaces), `entities` (separated by `;`, or a JSON array), `basis`, `severity`,
`incident`, `expire_time`, `note` and `entry`. Rows that follow each other with the same `entry` are
one entry, which its first row describes. A cell overrides what the command line says of all rows.
The header of `threatexchange`'s data sets (`signal_type,signal_str`) works too.

A spreadsheet may take a cell that begins with `=`, `+`, `-`, `@`, a tab or a line break for a
formula. Such a cell is written with an apostrophe before it; reading takes off an apostrophe that
stands before such a beginning, and no other.
"""

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from hashsvc.cli import bounded, entry_fields
from hashsvc.cli.bounded import Lines
from hashsvc.cli.entry_fields import DESCRIPTION, FINGERPRINT, FieldError
from hashsvc.model import Description, Entry, EntryDraft, Fingerprint, MediaType

COLUMNS = ("entry", "media_type", *FINGERPRINT, *DESCRIPTION)
MAX_ROW_BYTES = 1 << 16

_OTHER_NAMES = {"signal_type": "algorithm", "signal_str": "value", "hash": "value"}
_OTHER_ALGORITHMS = {"video_md5": "md5", "video_sha256": "sha256"}
# Texts are kept to the letter; what else is in a cell may have spaces around it.
_TEXTS = {"entities", "incident", "note"}
_NUMBER = re.compile("[0-9]{1,15}")
# The last four are the full-width forms, which some spreadsheets take for the others.
_FORMULA = re.compile(r"'*(?:[\t\r\n]|\s*[=+\-@\uff1d\uff0b\uff0d\uff20])")

Cells = dict[str, str]


def read_drafts(path: Path, defaults: Description) -> Iterator[EntryDraft]:
    """Yield the entries of a file.

    Raises:
        InvalidRequest: something is wrong; the field names the file and the line.
    """
    now = datetime.now(UTC)
    with bounded.open_lines(path, MAX_ROW_BYTES) as lines:
        entry: _Rows | None = None
        for cells in _rows(lines):
            try:
                if entry is not None and entry.goes_on(cells):
                    entry.add(cells, lines.number)
                    continue
                following = _Rows(cells, defaults, now, lines.number)
            except FieldError as error:
                raise lines.refusal(str(error)) from None
            if entry is not None:
                yield entry.draft(lines)
            entry = following
        if entry is not None:
            yield entry.draft(lines)


def write(file: TextIO, entries: Iterator[Entry]) -> Iterator[Entry]:
    """Write entries as rows; yields each when it is written."""
    rows = csv.writer(file)
    rows.writerow(COLUMNS)
    for entry in entries:
        document = entry_fields.entry_document(entry)
        said = {name: _cell(name, document[name]) for name in DESCRIPTION if name in document}
        for fingerprint in document["fingerprints"]:
            cells = {name: str(value) for name, value in fingerprint.items()}
            cells |= {"entry": entry.name, "media_type": document["media_type"], **said}
            rows.writerow([_guarded(cells.get(name, "")) for name in COLUMNS])
            said = {}
        yield entry


def _rows(lines: Lines) -> Iterator[Cells]:
    """Yield the cells of each row that are not empty, by the names of their columns."""
    rows = csv.reader(lines, strict=True)
    try:
        names = _columns(next(rows, []), lines)
        for row in rows:
            lines.begin_record()
            if len(row) > len(names):
                told = f"has {len(row):,} cells, the header names {len(names)} columns"
                raise lines.refusal(told)
            if cells := _cells(names, row):
                yield cells
    except csv.Error as error:
        raise lines.refusal(f"is not CSV: {error}") from None


def _columns(found: list[str], lines: Lines) -> list[str]:
    lines.begin_record()
    names = [name.strip().lower() for name in found]
    names = [_OTHER_NAMES.get(name, name) for name in names]
    missing = sorted({"algorithm", "value"} - set(names))
    if missing:
        raise lines.refusal(f"the header names no column {' and '.join(missing)}")
    try:
        entry_fields.check_known(names, COLUMNS, "column ")
    except FieldError as error:
        raise lines.refusal(str(error)) from None
    for name in names:
        if names.count(name) > 1:
            raise lines.refusal(f"the header names the column {name} more than once")
    return names


def _cells(names: list[str], row: list[str]) -> Cells:
    cells = {}
    for name, text in zip(names, row, strict=False):
        bare = text[1:] if text.startswith("'") and _FORMULA.match(text[1:]) else text
        value = bare if name in _TEXTS else bare.strip()
        if value:
            cells[name] = value
    return cells


class _Rows:
    """The rows of one entry, as they come."""

    def __init__(self, cells: Cells, defaults: Description, now: datetime, line: int) -> None:
        self._name = cells.get("entry")
        self._now = now
        self._line = line
        self._first = _first(cells, defaults, now)
        self._fingerprints = list(self._first.fingerprints)

    def goes_on(self, cells: Cells) -> bool:
        """Tell whether a row is of the same entry."""
        return self._name is not None and cells.get("entry") == self._name

    def add(self, cells: Cells, line: int) -> None:
        """Take another row."""
        for name in DESCRIPTION:
            if name in cells:
                raise FieldError(name, "the first row of an entry describes it; leave it empty")
        if cells.get("media_type", self._first.media_type) != self._first.media_type:
            raise FieldError("media_type", "is another than in the first row of the entry")
        if len(self._fingerprints) == entry_fields.MAX_FINGERPRINTS:
            most = f"{entry_fields.MAX_FINGERPRINTS:,}"
            raise FieldError("entry", f"has more than {most} fingerprints")
        self._fingerprints.append(_fingerprint(cells))
        self._line = line

    def draft(self, lines: Lines) -> EntryDraft:
        """Return the entry."""
        if len(self._fingerprints) == 1:
            return self._first
        made = replace(self._first, fingerprints=tuple(self._fingerprints))
        try:
            entry_fields.check(made, self._now)
        except FieldError as error:
            raise lines.refusal(str(error), self._line) from None
        return made


def _first(cells: Cells, defaults: Description, now: datetime) -> EntryDraft:
    """Return what the first row of an entry says."""
    document: dict[str, Any] = {name: cells[name] for name in DESCRIPTION if name in cells}
    if "labels" in cells:
        document["labels"] = cells["labels"].split()
    if "entities" in cells:
        document["entities"] = _entities(cells["entities"])
    is_video = "video" in cells.get("algorithm", "").lower()
    media_type = entry_fields.read_media_type(cells) or (
        MediaType.VIDEO if is_video else MediaType.IMAGE
    )
    said = entry_fields.read_description(document, defaults)
    draft = EntryDraft(media_type, (_fingerprint(cells),), said)
    entry_fields.check(draft, now)
    return draft


def _fingerprint(cells: Cells) -> Fingerprint:
    document: dict[str, Any] = {name: cells[name] for name in FINGERPRINT if name in cells}
    name = document.get("algorithm", "").lower()
    document["algorithm"] = _OTHER_ALGORITHMS.get(name, name)
    for field in ("quality", "time_ms"):
        if field in document:
            if not _NUMBER.fullmatch(document[field]):
                raise FieldError(field, "is not a whole number from 0 on")
            document[field] = int(document[field])
    return entry_fields.read_fingerprint(document, "")


def _entities(cell: str) -> list[str]:
    if not cell.startswith("["):
        return [entity.strip() for entity in cell.split(";")]
    try:
        found = json.loads(cell)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list):
        raise FieldError("entities", "begins with [ and is not a JSON array of texts")
    return found


def _cell(name: str, value: Any) -> str:
    if name == "labels":
        return " ".join(value)
    if name == "entities":
        joined = ";".join(value)
        is_plain = not joined.startswith("[") and _entities(joined) == value
        return joined if is_plain else json.dumps(value, ensure_ascii=False)
    return str(value)


def _guarded(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text
