"""What the verbs print, and with which status they end."""

import json
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console
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
out = Console(highlight=False, width=None if sys.stdout.isatty() else 1_000)
errors = Console(stderr=True, highlight=False)


def print_json(document: Mapping[str, Any]) -> None:
    """Print one object on one line."""
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """Return an empty table; the `right` columns hold numbers."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
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
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
        console=errors,
        transient=True,
        disable=not (shown and errors.is_terminal),
    )
    bar.add_task(noun, total=total)
    return bar


def advance(bar: Progress, count: int = 1) -> None:
    """Move a bar made by `progress` on."""
    bar.advance(bar.task_ids[0], count)
