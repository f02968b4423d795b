"""What the demo prints."""

import shlex
import shutil
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from hashsvc.demo.checks import LIST, Contribution, Result, Results
from hashsvc.demo.samples import LICENCES
from hashsvc.model import Verdict
from hashsvc.wording import segment_line

_HEADER = (
    "\nfile",
    "\nalteration",
    "\nverdict",
    "distance\n(bits)",
    "\naction",
    "hash\nms",
    "check\nms",
)
_ALTERATION, _HASH = 1, 5
_MIN_ALTERATION = 12
_ROOMY_COLUMNS, _PROSE_COLUMNS = 96, 96

Row = tuple[Text, ...]

out = Console(highlight=False, width=None if sys.stdout.isatty() else 100)
errors = Console(stderr=True, highlight=False)


def progress() -> Progress:
    """Return a progress bar without a task; it shows only on a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=errors,
        transient=True,
        disable=not errors.is_terminal,
    )


def print_start() -> None:
    """Say what is about to happen."""
    say(
        "This starts a server in a temporary folder, contributes a few media to it as known, and "
        "checks uploads against them. All media are harmless stand-ins under open licences: see "
        f"{shown(LICENCES)}\n"
    )


def print_results(results: Results) -> None:
    """Print one table, with a title over the rows of each section."""
    head = tuple(Text(name, style="bold") for name in _HEADER)
    sections = [
        (section, [(_row(r, counted=section.counted), r.verdict) for r in rows])
        for section, rows in results
    ]
    gap = 2 if out.width >= _ROOMY_COLUMNS else 1
    widths = _widths([head, *(row for _, rows in sections for row, _ in rows)], gap)
    out.print(_table(widths, gap, [head]))
    for section, rows in sections:
        out.print(Text(f"\n{section.title}", style="bold"))
        for row, verdict in rows:
            out.print(_table(widths, gap, [row]))
            for line in _segment_lines(verdict):
                out.print(Text(f"  {line}", style="dim"))
    out.print()


def print_contribution(contribution: Contribution) -> None:
    """Say what was contributed and how long it took."""
    clips = "1 clip" if contribution.clips == 1 else f"{contribution.clips} clips"
    say(
        f"Contributed {contribution.pictures} photos and {clips} to {LIST}: hashed in "
        f"{contribution.hash_s * 1000:.0f} ms, durable and matchable "
        f"{contribution.send_s * 1000:.0f} ms after sending."
    )


def print_count(results: Results, *, seconds: float) -> bool:
    """Print how many verdicts are right and which are not; returns whether all are."""
    counted = [result for section, rows in results if section.counted for result in rows]
    wrong = [result for result in counted if not result.is_right]
    for result in wrong:
        case, verdict = result.case, result.verdict
        found = ", ".join(match.entry for match in verdict.matches) or verdict.detail
        text = f"Wrong: {case.name} ({case.alteration}) is {_outcome(verdict)} {found}".rstrip()
        expected = f"; right is {case.expected.name.replace('_', ' ')} {case.original}".rstrip()
        out.print(Text(text + expected, style="red"))
    style = "bold red" if wrong else "bold green"
    text = f"{len(counted) - len(wrong)} of {len(counted)} verdicts right"
    out.print(
        Text(text, style=style).append(f" ({seconds:.0f} s in all)", style="not bold default")
    )
    return not wrong


def print_next_steps(folder: Path | None) -> None:
    """Say how to go on; `folder` is the demo's, if it was kept."""
    hashsvc = _invocation()
    data = "hashsvc-data" if folder is None else shlex.quote(str(folder / "data"))
    if folder is not None:
        out.print(f"\nKept in {folder}: data, uploads, server.log", markup=False, soft_wrap=True)
    say("\nNext, with files of your own: start a server here, go on in a second terminal.")
    for command in (
        f"serve --data {data}",
        "check --test-pattern",
        "contribute --list my/known --label propaganda --basis research PHOTO.jpg",
        "check PHOTO.jpg",
    ):
        out.print(f"  {hashsvc} {command}", markup=False, soft_wrap=True)


def say(text: str) -> None:
    """Print a paragraph."""
    out.print(text, markup=False, width=min(out.width, _PROSE_COLUMNS))


def _row(result: Result, *, counted: bool) -> Row:
    case, verdict = result.case, result.verdict
    is_wrong = counted and not result.is_right
    style = "red" if is_wrong else ""
    mark = Text("  ")
    if counted:
        mark = Text(sign("✗", "NO"), "bold red") if is_wrong else Text(sign("✓", "ok"), "green")
        mark.append(" ")
    best = verdict.matches[0] if verdict.matches else None
    return (
        Text(case.name, style=style),
        Text(case.alteration, style=style),
        mark.append(_outcome(verdict), style or "default"),
        Text("-" if best is None else f"{best.algorithm} {best.distance}"),
        Text(verdict.action),
        Text(_hash_ms(result)),
        Text(f"{result.check_s * 1000:.1f}"),
    )


def _hash_ms(result: Result) -> str:
    if result.hash_s is not None:
        return f"{result.hash_s * 1000:.0f}"
    return "server" if result.case.send_media else "in turns"


def _segment_lines(verdict: Verdict) -> list[str]:
    """Which seconds of a clip are known."""
    return [segment_line(m.entry, segment) for m in verdict.matches for segment in m.segments]


def _outcome(verdict: Verdict) -> str:
    return verdict.outcome.name.replace("_", " ")


def sign(mark: str, plain: str) -> str:
    """Return a mark, or what stands for it where the terminal does not have it."""
    return mark if out.encoding.lower().startswith("utf") else plain


def _widths(rows: list[Row], gap: int) -> list[int]:
    """Return a width for each column; a narrow terminal folds the alterations."""
    wide = [
        max(len(line) for row in rows for line in row[column].plain.splitlines())
        for column in range(len(_HEADER))
    ]
    excess = sum(wide) + gap * (len(wide) - 1) - out.width
    wide[_ALTERATION] -= min(max(excess, 0), wide[_ALTERATION] - _MIN_ALTERATION)
    return wide


def _table(widths: list[int], gap: int, rows: list[Row]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, gap, 0, 0))
    for column, width in enumerate(widths):
        right = column >= _HASH
        table.add_column(width=width, justify="right" if right else "left")
    for row in rows:
        table.add_row(*row)
    return table


def _invocation() -> str:
    """Return what to type to run `hashsvc` again from here."""
    program = Path(sys.argv[0])
    if program.name != "hashsvc":  # run as a module
        program = Path(sys.executable).with_name("hashsvc")
    found = shutil.which("hashsvc")
    if not program.exists() or (found is not None and Path(found).samefile(program)):
        return "hashsvc"
    return shlex.quote(shown(program.absolute()))


def shown(path: Path) -> str:
    """Return a path, short where it is below the folder that this runs in."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
