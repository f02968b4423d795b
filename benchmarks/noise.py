"""How steady the machine is: the same small work again and again, and what others take of it."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks import report
from hashsvc.cli.files import cores

_REPEAT = 15
_MOST_SPREAD = 1.25
_MOST_LOAD_PER_CORE = 0.3
_MOST_STEAL = 0.01
# Bytes that fit in the caches of one core, and bytes that fit in none.
_SMALL = 1 << 18
_LARGE = 1 << 28
_ROUNDS = 400


class Watch:
    """Looks at the machine at the start, whenever it is told to, and at the end."""

    def __init__(self) -> None:
        self._load = os.getloadavg()[0]
        self._ticks = _processor_ticks()
        self._cpu_ms: list[float] = []
        self._memory_ms: list[float] = []
        self._spread = 1.0
        self.probe()

    def probe(self) -> None:
        """Time the fixed work; takes about half a second."""
        small, large = (np.arange(size // 8, dtype=np.uint64) for size in (_SMALL, _LARGE))
        for work, medians in (
            (partial(_compute, small), self._cpu_ms),
            (partial(np.bitwise_xor.reduce, large), self._memory_ms),
        ):
            times = _timed(work)
            fast, slow = (report.percentile_ms(times, percent) for percent in (10, 90))
            medians.append(report.percentile_ms(times, 50))
            self._spread = max(self._spread, slow / fast)

    def facts(self) -> report.Row:
        """What was seen so far.

        `spread` is the worst 90th percentile of the work over its 10th, `drift` how much slower
        its slowest median is than its fastest, `steal` the share of processor time that the host
        gave to others, None where the system does not say.
        """
        facts: report.Row = {
            "cpu_ms": [round(value, 3) for value in self._cpu_ms],
            "memory_ms": [round(value, 3) for value in self._memory_ms],
            "spread": round(self._spread, 3),
            "drift": round(max(map(_drift, (self._cpu_ms, self._memory_ms))), 3),
            "load_1min_at_start": round(self._load, 2),
            "steal": _steal(self._ticks, _processor_ticks()),
        }
        return {**facts, "warnings": warnings(facts)}


def warnings(facts: report.Row) -> list[str]:
    """What makes the figures of such a run doubtful."""
    most_load = _MOST_LOAD_PER_CORE * cores()
    limits = {
        "spread": ("a tenth of the tries took {:.2f} times as long as another", _MOST_SPREAD),
        "drift": ("the same work was {:.2f} times as slow at another time", _MOST_SPREAD),
        "load_1min_at_start": ("the load average was {:.2f} before the start", most_load),
        "steal": ("the host gave {:.1%} of the processor time to others", _MOST_STEAL),
    }
    return [
        text.format(facts[name])
        for name, (text, most) in limits.items()
        if facts[name] is not None and facts[name] > most
    ]


def line_of(facts: report.Row) -> str:
    """All but the warnings."""
    return report.line_of({name: value for name, value in facts.items() if name != "warnings"})


def print_warnings(facts: report.Row) -> None:
    """One line each."""
    for text in facts["warnings"]:
        print(f"WARNING: noisy machine: {text}")


def _compute(words: npt.NDArray[np.uint64]) -> None:
    """Counts bits in the caches of one core."""
    for _ in range(_ROUNDS):
        np.bitwise_count(words)


def _timed(work: Callable[[], object]) -> list[float]:
    work()
    return [report.seconds(work) for _ in range(_REPEAT)]


def _drift(medians: list[float]) -> float:
    return max(medians) / min(medians)


def _processor_ticks() -> list[int]:
    """Ticks of all processors since the system started, by kind; none where it does not say."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return []
    kinds = stat.read_text(encoding="utf-8").partition("\n")[0].split()[1:]
    return [int(ticks) for ticks in kinds[:8]]


def _steal(before: list[int], after: list[int]) -> float | None:
    """The share of the last kind, time stolen, between two moments."""
    if len(before) < 8 or len(after) < 8:
        return None
    passed = [late - early for early, late in zip(before, after, strict=True)]
    return round(passed[7] / max(sum(passed), 1), 4)
