"""Plots of rows as SVG files that are the same whenever the rows are; needs matplotlib."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.report import Row

_INCHES = (7.0, 4.2)
_MARKERS = "osD^v<>PX*"
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "hashsvc",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "axes.grid": True,
    "grid.alpha": 0.3,
}
_LABELS = {
    "p50_us": "50th percentile (microseconds)",
    "p99_us": "99th percentile (microseconds)",
    "bytes_per_code": "bytes a code (hashsvc, numpy: memory; others: saved file)",
}


def by_size(rows: Sequence[Row], column: str, title: str, path: Path) -> Path:
    """A column against the number of codes, a line for each engine, both axes logarithmic."""
    with _axes(title, path) as axes:
        for number, engine in enumerate(_engines(rows)):
            points = sorted((row["n"], row[column]) for row in rows if row["engine"] == engine)
            sizes, values = zip(*points, strict=True)
            axes.plot(sizes, values, marker=_marker(number), label=engine)
        axes.set(xscale="log", yscale="log", xlabel="codes", ylabel=_LABELS[column])
        _legend(axes)
    return path


def recall(rows: Sequence[Row], title: str, path: Path) -> Path:
    """Recall against the median latency, a point for each engine."""
    with _axes(title, path) as axes:
        for number, row in enumerate(rows):
            axes.plot(row["p50_us"], row["recall"], _marker(number), label=row["engine"])
        axes.set(xscale="log", xlabel=_LABELS["p50_us"], ylabel="recall (share of true hits)")
        axes.set_ylim(-0.03, 1.03)
        _legend(axes)
    return path


def bars(rows: Sequence[Row], column: str, title: str, path: Path) -> Path:
    """A column as a bar for each engine that has it."""
    known = [row for row in reversed(rows) if row[column] is not None]
    with _axes(title, path) as axes:
        axes.barh([row["engine"] for row in known], [row[column] for row in known])
        axes.set(xlabel=_LABELS[column])
    return path


@contextmanager
def _axes(title: str, path: Path) -> Iterator[Any]:
    """The axes of a picture that is written at the end."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=_INCHES, layout="constrained")
        axes = figure.add_subplot()
        axes.set_title(title)
        yield axes
        # A date would make every file differ from the last.
        figure.savefig(path, format="svg", metadata={"Date": None})


def _engines(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row["engine"] for row in rows))


def _marker(number: int) -> str:
    return _MARKERS[number % len(_MARKERS)]


def _legend(axes: Any) -> None:
    axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
