"""Plots of `latency`: latency by percentile, the far ones spread out as HdrHistogram does."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.loops import CHECK, FLOOR, ONE, OPEN, STUB
from benchmarks.report import Row

_TICKS = (50, 90, 99, 99.9, 99.99)
_STYLES = {CHECK: "-", FLOOR: "--"}
_SVG = {"svg.fonttype": "none", "svg.hashsalt": "hashsvc"}
_PANEL_INCHES = (6.5, 5.0)


def plot(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Draw Check by the raw stub and the floor, one figure for each loop; return the files."""
    shown = [row for row in rows if row["way"] in _STYLES and row["client"] == STUB]
    closed = [row for row in shown if row["load"] == ONE]
    opened = [row for row in shown if row["load"] == OPEN]
    figures = {
        "latency-closed.svg": [("one call in flight", closed, "n")],
        "latency-open.svg": [
            (f"{size:,} entries", [row for row in opened if row["n"] == size], "offered_per_s")
            for size in sorted({row["n"] for row in opened})
        ],
    }
    return [_draw(folder / name, panels) for name, panels in figures.items() if panels[0][1]]


def _draw(path: Path, panels: Sequence[tuple[str, Sequence[Row], str]]) -> Path:
    """Panels beside each other: a title, rows, and the column that tells their colours."""
    matplotlib: Any = importlib.import_module("matplotlib")
    make_figure: Any = importlib.import_module("matplotlib.figure").Figure
    width, height = _PANEL_INCHES
    with matplotlib.rc_context(_SVG):
        figure = make_figure(figsize=(width * len(panels), height), layout="constrained")
        axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for panel, (title, rows, key) in zip(axes, panels, strict=True):
            _fill(panel, rows, key)
            panel.set_title(title)
        axes[0].set_ylabel("latency (ms)")
        # Without a date the same figures give the same file.
        figure.savefig(path, format="svg", metadata={"Date": None})
    return path


def _fill(panel: Any, rows: Sequence[Row], key: str) -> None:
    colours = {value: f"C{number}" for number, value in enumerate(sorted({r[key] for r in rows}))}
    unit = "entries" if key == "n" else "calls a second"
    for row in rows:
        # Percentiles that one call in all decides are left out, and the maximum is at infinity.
        points = [
            (1 / (1 - percent / 100), ms)
            for percent, ms in row["percentiles"]
            if percent < 100 and row["calls"] * (1 - percent / 100) >= 1
        ]
        label = f"{row['way']}, {row[key]:,.0f} {unit}"
        panel.plot(
            *zip(*points, strict=True), _STYLES[row["way"]], c=colours[row[key]], label=label
        )
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_xticks([1 / (1 - percent / 100) for percent in _TICKS])
    panel.set_xticklabels([f"{percent:g} %" for percent in _TICKS])
    ticker: Any = importlib.import_module("matplotlib.ticker")
    panel.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    panel.yaxis.set_major_formatter("{x:g}")
    panel.minorticks_off()
    panel.set_xlabel("percentile of calls")
    panel.grid(visible=True, alpha=0.3)
    panel.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2)
