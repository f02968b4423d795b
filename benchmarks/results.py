"""A report of runs that were written with `--json`: tables, plots, and what they were made with."""

import json
from collections.abc import Mapping, Sequence
from inspect import cleandoc
from pathlib import Path
from typing import Any

from benchmarks import noise, report

HELP = "a Markdown report with plots, made of the files that --json wrote"

_NEEDED = {"benchmark", "arguments", "date", "commit", "environment", "noise", "rows"}


def write(folder: Path, files: Sequence[Path], benchmarks: Mapping[str, Any]) -> Path:
    """Write FOLDER/README.md and the plots beside it; plots are left out without matplotlib."""
    runs = [run for file in files for run in _split(_read(file))]
    folder.mkdir(parents=True, exist_ok=True)
    by_name: dict[str, list[report.Row]] = {}
    for run in runs:
        if run["benchmark"] not in benchmarks:
            raise SystemExit(f"no benchmark is called {run['benchmark']}")
        by_name.setdefault(run["benchmark"], []).append(run)
    parts = [f"# Benchmarks, {max(run['date'] for run in runs)}"]
    for name, module in benchmarks.items():
        if name in by_name:
            pictures = _plotted(module, by_name[name], folder)
            parts += _section(name, module, by_name[name], pictures)
    path = folder / "README.md"
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return path


def _read(file: Path) -> report.Row:
    try:
        run: report.Row = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise SystemExit(f"{file}: {problem}") from problem
    if not isinstance(run, dict) or not run.keys() >= _NEEDED or not run["rows"]:
        raise SystemExit(f"{file}: not a file that --json wrote")
    return run


def _split(run: report.Row) -> list[report.Row]:
    """A run of all benchmarks as a run of each."""
    if run["benchmark"] != "all":
        return [run]
    parts: dict[str, list[report.Row]] = {}
    for row in run["rows"]:
        own = {name: value for name, value in row.items() if name != "benchmark"}
        parts.setdefault(row["benchmark"], []).append(own)
    return [{**run, "benchmark": name, "rows": rows} for name, rows in parts.items()]


def _plotted(module: Any, runs: Sequence[report.Row], folder: Path) -> list[Path]:
    """The pictures that the benchmark makes of all rows of its runs."""
    if not hasattr(module, "plot"):
        return []
    try:
        pictures: list[Path] = module.plot([row for run in runs for row in run["rows"]], folder)
    except ImportError as missing:
        report.note(f"no plots: {missing.name} is not installed (extra `bench`)")
        return []
    return pictures


def _section(
    name: str, module: Any, runs: Sequence[report.Row], pictures: Sequence[Path]
) -> list[str]:
    parts = [f"## {name}", cleandoc(module.__doc__)]
    for run in runs:
        parts.append("\n".join(_facts(run)))
        for title, rows in report.tables_of(run["rows"]):
            parts += [f"### {title}"] if title else []
            parts.append(report.table(rows))
    return [*parts, *(f"![{picture.stem}]({picture.name})" for picture in pictures)]


def _facts(run: report.Row) -> list[str]:
    """How to run it again, and where and when it ran."""
    return [
        f"- `{' '.join(['python -m benchmarks', *run['arguments']])}`",
        f"- {run['date']}, commit {run['commit'] or 'unknown'}",
        f"- {report.line_of(run['environment'])}",
        f"- noise: {noise.line_of(run['noise'])}",
        *(f"- WARNING: noisy machine: {text}" for text in run["noise"]["warnings"]),
    ]
