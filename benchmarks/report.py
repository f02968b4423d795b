"""What every benchmark prints: where it ran, a table, and the same as JSON."""

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from hashsvc.cli.files import cores

Row = dict[str, Any]
Numbers = npt.NDArray[np.int64]

TABLE = "table"
"""What a row calls the table it stands in, where a benchmark prints several."""

_PACKAGES = (
    "hashsvc",
    "numpy",
    "numba",
    "faiss-cpu",
    "grpcio",
    "threatexchange",
    "pdqhash",
    "av",
    "vpdq",
    "usearch",
)


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that all benchmarks share."""
    parser.add_argument("--seed", type=int, default=1, help="seed of all data (default 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")


def environment(seed: int) -> Row:
    """The facts that a figure means nothing without."""
    return {
        "cpu": _cpu_model(),
        "cores": cores(),
        "memory_gb": _memory_gb(),
        "os": platform.platform(),
        "python": platform.python_version(),
        **{name.removesuffix("-cpu"): _version(name) for name in _PACKAGES},
        "seed": seed,
    }


def print_environment(facts: Row) -> None:
    """All facts on one line."""
    print(line_of(facts))


def line_of(facts: Row) -> str:
    """Names and values with commas between."""
    return ", ".join(f"{name} {value}" for name, value in facts.items())


def print_tables(rows: Sequence[Row]) -> None:
    """The tables of these rows, each under its name if it has one."""
    print("\n\n".join(f"{name}\n\n{table(part)}".strip() for name, part in tables_of(rows)))


def tables_of(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """Rows by the table that they name under TABLE, which is then no column of theirs."""
    parts: dict[str, list[Row]] = {}
    for row in rows:
        parts.setdefault(row.get(TABLE, ""), []).append(
            {name: value for name, value in row.items() if name != TABLE}
        )
    return list(parts.items())


def table(rows: Sequence[Row]) -> str:
    """A Markdown table with the columns of the first row; what a row lacks is a dash."""
    names = list(rows[0])
    cells = [names, *([_cell(row.get(name)) for name in names] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(names))]
    lines = [
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def write_json(path: Path | None, run: Row, rows: Sequence[Row]) -> None:
    """Write the facts of a run and its rows, if a path is given."""
    if path is not None:
        text = json.dumps({**run, "rows": list(rows)}, indent=2)
        path.write_text(text + "\n", encoding="utf-8")


def run_facts(name: str, arguments: Sequence[str]) -> Row:
    """Which benchmark with which arguments, when, and of which commit if git knows one."""
    return {
        "benchmark": name,
        "arguments": list(arguments),
        "date": datetime.now(UTC).date().isoformat(),
        "commit": _commit(),
    }


def seconds(act: Callable[[], object]) -> float:
    """How long one call takes."""
    start = perf_counter()
    act()
    return perf_counter() - start


def percentile_us(times: Sequence[float], percent: float) -> float:
    """A percentile of times in seconds, as microseconds."""
    return float(np.percentile(times, percent)) * 1e6


def percentile_ms(times: Sequence[float], percent: float) -> float:
    """The same as milliseconds."""
    return percentile_us(times, percent) / 1e3


def note(text: str) -> None:
    """Progress and remarks, beside the results."""
    print(text, file=sys.stderr, flush=True)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    return str(value)


def _commit() -> str | None:
    """The commit of the files beside this one, with a mark if they were changed since."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return done.stdout.strip() or None


def _memory_gb() -> float | None:
    if "SC_PHYS_PAGES" not in os.sysconf_names:
        return None
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
