"""JSON files of entries: one object a line, with the fields that `entry_fields` names."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn, TextIO

from hashsvc.cli import bounded, entry_fields
from hashsvc.cli.entry_fields import FieldError
from hashsvc.model import Description, Entry, EntryDraft

MAX_LINE_BYTES = 1 << 24
_MAX_PARTS = 1_000_000
_MAX_DIGITS = 18


def read_drafts(path: Path, defaults: Description) -> Iterator[EntryDraft]:
    """Yield the entries of a file; lines that are empty are skipped.

    Raises:
        InvalidRequest: something is wrong; the field names the file and the line.
    """
    with bounded.open_lines(path, MAX_LINE_BYTES) as lines:
        now = datetime.now(UTC)
        for line in lines:
            lines.begin_record()
            if not line.strip():
                continue
            try:
                draft = entry_fields.read_entry(_parse(line), defaults, now)
            except FieldError as error:
                raise lines.refusal(str(error)) from None
            yield draft


def write(file: TextIO, entries: Iterator[Entry]) -> Iterator[Entry]:
    """Write entries as lines; yields each when it is written."""
    for entry in entries:
        document = entry_fields.entry_document(entry)
        file.write(json.dumps(document, separators=(",", ":")) + "\n")
        yield entry


def _parse(line: str) -> dict[str, Any]:
    # Each part costs up to a hundred bytes once it is read, and as little as one before.
    if sum(map(line.count, "{[,")) > _MAX_PARTS:
        raise FieldError("entry", f"has more than {_MAX_PARTS:,} parts")
    try:
        document = json.loads(
            line,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_no_fraction,
            parse_constant=_no_constant,
        )
    except json.JSONDecodeError as error:
        raise FieldError(f"column {error.colno}", f"is not JSON: {error.msg}") from None
    except RecursionError:
        raise FieldError("entry", "is nested too deeply") from None
    if not isinstance(document, dict):
        raise FieldError("entry", "is not a JSON object")
    return document


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in pairs:
        if name in made:
            raise FieldError(name[:40], "is there more than once in an object")
        made[name] = value
    return made


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise FieldError("entry", f"holds a number of {len(text):,} digits")
    return int(text)


def _no_fraction(text: str) -> NoReturn:
    raise FieldError("entry", "holds a number with a fraction or an exponent; no field takes one")


def _no_constant(text: str) -> NoReturn:
    raise FieldError("entry", f"holds {text}, which is not JSON")
