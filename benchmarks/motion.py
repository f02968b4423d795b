"""HammingIndex while it changes, and opened from its files.

One thread asks the same queries over and over, each when the one before is answered: idle, while
another thread adds single codes one after the other as fast as it can, and while a segment of a
third as many codes is merged with that of all others. Idle and merging take turns, each time with
an index that was just opened, until both have enough queries. `mapped_p50_us` is idle too, with one
segment opened from its file. Threads take turns at Python code every 0.5 ms, as in the service.
"""

import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np

from benchmarks import report
from benchmarks.datasets import Codes
from benchmarks.engines import Ours
from hashsvc_index import HammingIndex

TABLE = "hashsvc in motion"
_LEAST_ROUNDS = 2
_LEAST = 5_000
_MOST_ROUNDS = 50
_SEAL_ROWS = 1_000
_SWITCH_S = 0.0005
# Keys of what is added on the way.
_FIRST_FRESH = 1 << 40


def measure(codes: Codes, more: Codes, asked: Codes, radius: int) -> report.Row:
    """All of it; `more` are a third as many codes as there are, drawn alike."""
    bits = 8 * codes.shape[1]
    usual = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    try:
        idle, merging, rounds = _merging(codes, more, asked, radius)
        adding, added_per_s = _adding(_made(codes, bits, radius), more, asked)
    finally:
        sys.setswitchinterval(usual)
    with TemporaryDirectory() as folder:
        opened = _opened(_made(codes, bits, radius), Path(folder), asked)
    merging_p99 = report.percentile_us(merging, 99)
    idle_p99 = report.percentile_us(idle, 99)
    return {
        "idle_p50_us": report.percentile_us(idle, 50),
        "idle_p99_us": idle_p99,
        "adding_p50_us": report.percentile_us(adding, 50),
        "adding_p99_us": report.percentile_us(adding, 99),
        "added_per_s": added_per_s,
        "rounds": rounds,
        "merging_queries": len(merging),
        "merging_p50_us": report.percentile_us(merging, 50),
        "merging_p99_us": merging_p99,
        "merging_to_idle": merging_p99 / idle_p99,
        **opened,
    }


def _made(codes: Codes, bits: int, radius: int) -> Ours:
    ours = Ours(bits, radius)
    ours.add(0, codes)
    return ours


def _asking(ours: Ours, asked: Codes, enough: Callable[[int], bool]) -> list[float]:
    """Ask until so many answers are enough; at least one, seconds each."""
    times: list[float] = []
    while not times or not enough(len(times)):
        row = len(times) % len(asked)
        times.append(report.seconds(partial(ours.search, asked[row : row + 1])))
    return times


def _merging(
    codes: Codes, more: Codes, asked: Codes, radius: int
) -> tuple[list[float], list[float], int]:
    """Seconds of idle queries, of those during a merge, and how many rounds that took."""
    bits = 8 * codes.shape[1]
    idle: list[float] = []
    merging: list[float] = []
    rounds = 0
    with TemporaryDirectory() as name:
        folder = Path(name)
        # Two segments of these sizes are well by this growth, and to be merged by the usual one.
        apart = HammingIndex(bits, seal_rows=_SEAL_ROWS, growth=1, background=False)
        for first, part in ((0, codes), (_FIRST_FRESH, more)):
            apart.add(np.arange(first, first + len(part)), part)
            apart.settle()
        apart.save(folder, 1)
        ours = Ours(bits, radius)
        while rounds < _LEAST_ROUNDS or (len(merging) < _LEAST and rounds < _MOST_ROUNDS):
            ours.index = HammingIndex.open(folder, bits=bits, growth=1, background=False)
            idle += _asking(ours, asked, lambda count: count >= _LEAST // _LEAST_ROUNDS)
            ours.index = HammingIndex.open(folder, bits=bits)
            merging += _asking_while_merging(ours, asked)
            rounds += 1
    return idle, merging, rounds


def _asking_while_merging(ours: Ours, asked: Codes) -> list[float]:
    """Seconds of queries until all is merged."""
    merger = threading.Thread(target=ours.index.settle)
    merger.start()
    times = _asking(ours, asked, lambda _: not merger.is_alive())
    merger.join()
    return times


def _adding(ours: Ours, more: Codes, asked: Codes) -> tuple[list[float], float]:
    """Seconds of queries while another thread adds, and codes that it added in a second."""
    done = threading.Event()
    added = 0

    def add() -> None:
        nonlocal added
        while not done.is_set():
            row = added % len(more)
            ours.add(_FIRST_FRESH + added, more[row : row + 1])
            added += 1

    adder = threading.Thread(target=add)
    start = perf_counter()
    adder.start()
    try:
        times = _asking(ours, asked, lambda count: count >= _LEAST)
    finally:
        done.set()
        adder.join()
    took = perf_counter() - start
    ours.index.settle()
    return times, added / took


def _opened(ours: Ours, folder: Path, asked: Codes) -> report.Row:
    """Open with and without comparing checksums; the queries go to the former."""
    ours.save(folder)
    unverified = partial(HammingIndex.open, folder, bits=ours.index.bits, verify=False)
    open_unverified_s = report.seconds(unverified)
    open_s = report.seconds(lambda: ours.open(folder))
    ours.index = ours.open(folder)
    times = _asking(ours, asked, lambda count: count >= _LEAST)
    return {
        "mapped_p50_us": report.percentile_us(times, 50),
        "open_s": open_s,
        "open_unverified_s": open_unverified_s,
    }
