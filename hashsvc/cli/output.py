"""What the verbs print, and with which status they end.

Names, notes and purposes come from others: what they could tell a terminal is shown, not obeyed.
"""

import json
import sys
import unicodedata
from collections.abc import Mapping
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

# 2 is a usage error, and the command line library's own.
CLEAN, ERROR, MATCHED = 0, 1, 3

MANY_FILES = 5
"""More files than this get a progress bar."""

# A file or a pipe has no width: never fold what a program may read.
_out = Console(highlight=False, width=None if sys.stdout.isatty() else 1_000)
_errors = Console(stderr=True, highlight=False)

# Controls, formats (those that turn the direction of text among them), halves of surrogate pairs,
# ends of lines and paragraphs.
_OBEYED = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_JOINERS = "\u200c\u200d"
"""Formats that Persian, Indic and other scripts are spelled with."""


def visible(text: str) -> str:
    """Return a text with every character that a terminal would obey as its escape: \\x1b."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char.encode("unicode_escape").decode()
        if unicodedata.category(char) in _OBEYED and char not in _JOINERS
        else char
        for char in text
    )


def say(*lines: str) -> None:
    """Print lines on stdout."""
    _print(_out, lines)


def warn(*lines: str) -> None:
    """Print lines on stderr."""
    _print(_errors, lines)


def show(filled: Table) -> None:
    """Print a table on stdout."""
    _out.print(filled)


def _print(console: Console, lines: tuple[str, ...]) -> None:
    for line in lines:
        console.print(Text(visible(line)), soft_wrap=True)


def print_json(document: Mapping[str, Any]) -> None:
    """Print one object on one line."""
    print_plain(json.dumps(document) + "\n")


def print_plain(text: str) -> None:
    """Print what programs read, as it is."""
    sys.stdout.write(text)
    sys.stdout.flush()


class _PlainTable(Table):
    """A table whose cells are text as it is, not the markup of the library."""

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        """Add a row."""
        plain = (Text(visible(cell)) if isinstance(cell, str) else cell for cell in cells)
        super().add_row(*plain, **options)


def table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """Return an empty table; the `right` columns hold numbers."""
    made = _PlainTable(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return made


class _Rate(ProgressColumn):
    """How many are done a second."""

    def render(self, task: Task) -> Text:
        """Say it, once it can be known."""
        return Text(f"{task.speed:.0f}/s" if task.speed else "")


def progress(noun: str, total: int | None, *, shown: bool) -> Progress:
    """Return a progress bar on stderr with one task; it shows only on a terminal."""
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
        console=_errors,
        transient=True,
        disable=not (shown and _errors.is_terminal),
    )
    bar.add_task(noun, total=total)
    return bar


def describe(bar: Progress, what: str) -> None:
    """Say on a bar made by `progress` what is being done."""
    bar.update(bar.task_ids[0], description=visible(what))


def advance(bar: Progress, count: int = 1) -> None:
    """Move a bar made by `progress` on."""
    bar.advance(bar.task_ids[0], count)
