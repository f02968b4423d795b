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


def recall_by_edit(rows: Sequence[Row], path: Path) -> Path:
    """What is found of known videos after each edit, ours and the vPDQ way's, as two bars."""
    names = [f"{row['edit']}, {row['strength']}" for row in rows]
    height = max(_INCHES[1], 0.22 * len(rows))
    with _axes("known videos found in edited uploads", path, (_INCHES[0], height)) as axes:
        for column, label, offset in (("recall", "hashsvc", 0.2), ("recall_vpdq", "vPDQ", -0.2)):
            places = [len(rows) - number + offset for number in range(len(rows))]
            axes.barh(places, [row[column] or 0 for row in rows], height=0.4, label=label)
        axes.set_yticks([len(rows) - number for number in range(len(rows))], names)
        axes.tick_params(axis="y", labelsize="x-small")
        axes.set(xlabel="recall (share of known videos found)", xlim=(0, 1))
        _legend(axes)
    return path


def recall_of_engines(rows: Sequence[Row], path: Path) -> Path:
    """Recall after each edit, a column for each engine: yellow is all, dark is none."""
    engines = _engines(rows)
    names = list(dict.fromkeys((row["edit"], row["strength"]) for row in rows))
    cells = {(row["edit"], row["strength"], row["engine"]): row["recall"] for row in rows}
    values = [[cells.get((*name, engine), float("nan")) for engine in engines] for name in names]
    inches = (2.5 + 0.75 * len(engines), max(_INCHES[1], 1.5 + 0.16 * len(names)))
    with _axes("known pictures found in edited uploads (recall)", path, inches) as axes:
        axes.pcolormesh(values, cmap="viridis", vmin=0, vmax=1, edgecolors="white", linewidth=0.5)
        for row, line in enumerate(values):
            for column, value in enumerate(line):
                ink, text = ("black" if value > 0.6 else "white"), f"{value:.2f}"
                place = (column + 0.5, row + 0.5)
                axes.text(*place, text, color=ink, ha="center", va="center", fontsize=6)
        axes.set_xticks([n + 0.5 for n in range(len(engines))], engines, rotation=30, ha="left")
        labels = [f"{edit}, {strength}" for edit, strength in names]
        axes.set_yticks([n + 0.5 for n in range(len(names))], labels)
        axes.tick_params(labelsize="x-small", labeltop=True, labelbottom=False, length=0)
        axes.grid(visible=False)
        axes.invert_yaxis()
    return path


@contextmanager
def _axes(title: str, path: Path, inches: tuple[float, float] = _INCHES) -> Iterator[Any]:
    """The axes of a picture that is written at the end."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=inches, layout="constrained")
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
