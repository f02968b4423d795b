"""What every benchmark prints: where it ran, a table, and the same as JSON."""

import argparse
import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

Row = dict[str, Any]
Numbers = npt.NDArray[np.int64]


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that all benchmarks share."""
    parser.add_argument("--seed", type=int, default=1, help="seed of all data (default 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")


def environment(seed: int) -> Row:
    """The facts that a figure means nothing without; the load is what ran before the start."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "python": platform.python_version(),
        "numpy": _version("numpy"),
        "faiss": _version("faiss-cpu"),
        "grpcio": _version("grpcio"),
        "threatexchange": _version("threatexchange"),
        "pdqhash": _version("pdqhash"),
        "hashsvc": _version("hashsvc"),
        "load_1min": round(os.getloadavg()[0], 2),
        "seed": seed,
    }


def print_environment(facts: Row) -> None:
    """All facts on one line."""
    print(", ".join(f"{name} {value}" for name, value in facts.items()))


def print_table(rows: Sequence[Row]) -> None:
    """A Markdown table with the columns of the first row; what a row lacks is a dash."""
    if not rows:
        return
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
    print("\n".join(lines))


def write_json(path: Path | None, facts: Row, rows: Sequence[Row]) -> None:
    """Write the environment and the rows, if a path is given."""
    if path is not None:
        text = json.dumps({"environment": facts, "rows": list(rows)}, indent=2)
        path.write_text(text + "\n", encoding="utf-8")


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
