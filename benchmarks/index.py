"""Radius search: HammingIndex beside other exact engines, interleaved in one process.

All engines hold the same uniform 256-bit codes and get the same queries one at a time, each query
by every engine before the next one. Of 100 queries 99 are random, hence misses, and one is a stored
code with 0 to 31 bits flipped. What every engine answers is checked against brute force.
"""

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter
from typing import Any, Protocol

import faiss as typed_faiss
import numpy as np
import numpy.typing as npt

from benchmarks import peers, report
from benchmarks.datasets import (
    BITS,
    RADIUS,
    Codes,
    Found,
    make_codes,
    make_queries,
    score,
    truth_of,
)
from hashsvc_index import HammingIndex, brute_force

faiss: Any = typed_faiss

HELP = "radius search over 256-bit codes, beside FAISS, numpy and threatexchange"
SMALL: Sequence[str] = ("--n", "10000,100000", "--queries", "100")
CHANGES = 20


class Engine(Protocol):
    """A way to search; keys are row numbers in the order of adding."""

    name: str

    def add(self, first: int, codes: Codes) -> None:
        """Add codes (n, 32) under the keys from `first` on."""

    def search(self, code: Codes) -> Found:
        """The (key, distance) of every hit for one code (1, 32)."""


class Ours:
    """HammingIndex."""

    name = "hashsvc HammingIndex"

    def __init__(self) -> None:
        self.index = HammingIndex(BITS)

    def add(self, first: int, codes: Codes) -> None:
        """Add."""
        self.index.add(np.arange(first, first + len(codes)), codes)

    def remove(self, key: int) -> None:
        """Remove."""
        self.index.remove(np.array([key]))

    def search(self, code: Codes) -> Found:
        """Search."""
        hits = self.index.search(code, RADIUS)
        return set(zip(hits.key.tolist(), hits.distance.tolist(), strict=True))


class FaissFlat:
    """The flat index of FAISS, without keys of its own."""

    name = "faiss IndexBinaryFlat"

    def __init__(self) -> None:
        self.index = faiss.IndexBinaryFlat(BITS)

    def add(self, first: int, codes: Codes) -> None:
        """Add."""
        self.index.add(codes)

    def remove(self, key: int) -> None:
        """Remove; later rows move up."""
        self.index.remove_ids(np.array([key]))

    def search(self, code: Codes) -> Found:
        """Search."""
        # FAISS excludes the radius itself.
        _, distances, keys = self.index.range_search(code, RADIUS + 1)
        return set(zip(keys.tolist(), distances.astype(int).tolist(), strict=True))


class Numpy:
    """The reference of the library."""

    name = "numpy brute force"

    def __init__(self) -> None:
        self.codes: Codes = np.empty((0, BITS // 8), np.uint8)
        self.keys = np.empty(0, np.int64)

    def add(self, first: int, codes: Codes) -> None:
        """Add."""
        self.codes = np.concatenate([self.codes, codes])
        self.keys = np.arange(len(self.codes))

    def search(self, code: Codes) -> Found:
        """Search."""
        hits = brute_force(self.codes, self.keys, code, RADIUS)
        return set(zip(hits.key.tolist(), hits.distance.tolist(), strict=True))


ENGINES: tuple[Callable[[], Engine], ...] = (Ours, FaissFlat, Numpy, peers.ThreatExchange)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this benchmark."""
    sizes = "sizes of the index, with commas between (default 10000,100000)"
    parser.add_argument("--n", default="10000,100000", metavar="N,...", help=sizes)
    parser.add_argument("--queries", type=int, default=300, help="queries a size (default 300)")


def run(arguments: argparse.Namespace) -> list[report.Row]:
    """Measure every size."""
    rows: list[report.Row] = []
    faiss.omp_set_num_threads(1)
    for size in map(int, arguments.n.split(",")):
        rows += measure(size, arguments.queries, np.random.default_rng(arguments.seed))
    return rows


def measure(size: int, queries: int, rng: np.random.Generator) -> list[report.Row]:
    """Build, search, then change every engine at one size."""
    codes = make_codes(size, rng)
    asked = make_queries(codes, queries, rng)
    truth = truth_of(codes, asked)
    engines = [engine for make in ENGINES if (engine := peers.available(make)) is not None]
    built = [report.seconds(partial(engine.add, 0, codes)) for engine in engines]
    times, answers = interleave(engines, asked, rng)
    rows: list[report.Row] = []
    for number, engine in enumerate(engines):
        p50 = report.percentile_us(times[number], 50)
        rows.append(
            {
                "engine": engine.name,
                "n": size,
                **score(truth, answers[number]),
                "build_s": built[number],
                "add_us": add_us(engine, size, rng),
                "remove_us": remove_us(engine, rng.permutation(size)),
                "p50_us": p50,
                "p99_us": report.percentile_us(times[number], 99),
                "p50_to_ours": p50 / report.percentile_us(times[0], 50),
            }
        )
    return rows


def interleave(
    engines: list[Engine], asked: Codes, rng: np.random.Generator
) -> tuple[list[list[float]], list[list[Found]]]:
    """Seconds and answers, for each engine and query."""
    times: list[list[float]] = [[] for _ in engines]
    answers: list[list[Found]] = [[] for _ in engines]
    for engine in engines:
        engine.search(asked[:1])
    for row in range(len(asked)):
        # A new order each time: whoever follows the engine that empties the caches pays for it.
        for number in rng.permutation(len(engines)):
            start = perf_counter()
            answer = engines[number].search(asked[row : row + 1])
            times[number].append(perf_counter() - start)
            answers[number].append(answer)
    return times, answers


def add_us(engine: Engine, size: int, rng: np.random.Generator) -> float:
    """Median of adding one code; the growth of buffers comes before."""
    fresh = rng.integers(0, 256, (CHANGES + 1, 1, BITS // 8), dtype=np.uint8)
    times = [
        report.seconds(partial(engine.add, size + key, fresh[key])) for key in range(CHANGES + 1)
    ]
    return report.percentile_us(times[1:], 50)


def remove_us(engine: Engine, keys: npt.NDArray[np.int64]) -> float | None:
    """Median of removing one key, if the engine can."""
    remove = getattr(engine, "remove", None)
    if remove is None:
        return None
    times = [report.seconds(partial(remove, key)) for key in keys[:CHANGES].tolist()]
    return report.percentile_us(times, 50)
