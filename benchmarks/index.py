"""Radius search: HammingIndex beside other exact engines, interleaved in one process.

All engines hold the same uniform 256-bit codes and get the same queries one at a time, each query
by every engine before the next one. Of 100 queries 99 are random, hence misses, and one is a stored
code with 0 to 31 bits flipped. What every engine answers is checked against brute force.
"""

import argparse
import importlib
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any, Protocol

import faiss as typed_faiss
import numpy as np
import numpy.typing as npt
from hashsvc_index import HammingIndex, brute_force

from benchmarks import report

faiss: Any = typed_faiss

HELP = "radius search over 256-bit codes, beside FAISS, numpy and threatexchange"
BITS = 256
RADIUS = 31
CHANGES = 20

Codes = npt.NDArray[np.uint8]
Found = set[tuple[int, int]]


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


class ThreatExchange:
    """PDQIndex of threatexchange; it takes and looks up hexadecimal text."""

    name = "threatexchange PDQIndex"

    def __init__(self) -> None:
        module = importlib.import_module("threatexchange.signal_type.pdq.pdq_index")
        self.index: Any = module.PDQIndex()

    def add(self, first: int, codes: Codes) -> None:
        """Add."""
        self.index.add_all((bytes(code).hex(), first + row) for row, code in enumerate(codes))

    def search(self, code: Codes) -> Found:
        """Search."""
        matches = self.index.query(bytes(code[0]).hex())
        return {(match.metadata, match.similarity_info.distance) for match in matches}


ENGINES: tuple[Callable[[], Engine], ...] = (Ours, FaissFlat, Numpy, ThreatExchange)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this benchmark."""
    sizes = "sizes of the index, with commas between (default 10000,100000)"
    parser.add_argument("--n", default="10000,100000", metavar="N,...", help=sizes)
    parser.add_argument("--queries", type=int, default=300, help="queries a size (default 300)")
    report.add_common_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure every size; exit status 1 if an engine missed or invented a match."""
    facts = report.environment(arguments.seed)
    report.print_environment(facts)
    rows: list[report.Row] = []
    faiss.omp_set_num_threads(1)
    for size in map(int, arguments.n.split(",")):
        rows += measure(size, arguments.queries, np.random.default_rng(arguments.seed))
    report.print_table(rows)
    report.write_json(arguments.json, facts, rows)
    return int(any(row["recall"] < 1 or row["wrong"] for row in rows))


def measure(size: int, queries: int, rng: np.random.Generator) -> list[report.Row]:
    """Build, search, then change every engine at one size."""
    codes = rng.integers(0, 256, (size, BITS // 8), dtype=np.uint8)
    asked = make_queries(codes, queries, rng)
    truth = truth_of(codes, asked)
    engines = available()
    built = [report.seconds(partial(engine.add, 0, codes)) for engine in engines]
    times, answers = interleave(engines, asked, rng)
    expected = sum(map(len, truth))
    rows: list[report.Row] = []
    for number, engine in enumerate(engines):
        found = sum(len(a & t) for a, t in zip(answers[number], truth, strict=True))
        p50 = report.percentile_us(times[number], 50)
        rows.append(
            {
                "engine": engine.name,
                "n": size,
                "recall": found / expected if expected else 1.0,
                "wrong": sum(map(len, answers[number])) - found,
                "build_s": built[number],
                "add_us": add_us(engine, size, rng),
                "remove_us": remove_us(engine, rng.permutation(size)),
                "p50_us": p50,
                "p99_us": report.percentile_us(times[number], 99),
                "p50_to_ours": p50 / report.percentile_us(times[0], 50),
            }
        )
    return rows


def available() -> list[Engine]:
    """Every engine whose packages are here, ours first."""
    engines: list[Engine] = []
    for make in ENGINES:
        try:
            engines.append(make())
        except ImportError as missing:
            report.note(f"skipped: {missing.name} is not installed (extra `bench`)")
    return engines


def make_queries(codes: Codes, count: int, rng: np.random.Generator) -> Codes:
    """Random codes; one in a hundred, and at least one, is planted near a stored code."""
    asked = rng.integers(0, 256, (count, BITS // 8), dtype=np.uint8)
    for row in range(0, count, 100):
        flips = np.zeros(BITS, np.uint8)
        flips[rng.permutation(BITS)[: rng.integers(0, RADIUS + 1)]] = 1
        asked[row] = codes[rng.integers(len(codes))] ^ np.packbits(flips)
    return rng.permutation(asked)


def truth_of(codes: Codes, asked: Codes) -> list[Found]:
    """What each query must find."""
    truth: list[Found] = [set() for _ in asked]
    hits = brute_force(codes, np.arange(len(codes)), asked, RADIUS)
    for query, key, distance in zip(hits.query, hits.key, hits.distance, strict=True):
        truth[query].add((int(key), int(distance)))
    return truth


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
