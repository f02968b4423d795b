"""Radius search: HammingIndex beside other exact engines, interleaved in one process.

All engines hold the same 256-bit codes and get the same queries one at a time, twenty by one engine
before they are the next one's. `cold_us` is the first of each twenty, when the caches are full of
what the others read. Of 100 queries 99 are random, hence misses, and one is a stored
code with 0 to 31 bits flipped. What every engine answers is checked against brute force.
"""

import argparse
import tempfile
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
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
    make_clustered_codes,
    make_codes,
    make_near_queries,
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
        """Add; many at once are made a segment before this returns."""
        self.index.add(np.arange(first, first + len(codes)), codes)
        if len(codes) > 1:
            self.index.settle()

    def remove(self, key: int) -> None:
        """Remove."""
        self.index.remove(np.array([key]))

    def batch(self, codes: Codes) -> None:
        """Search for many codes in one call."""
        self.index.search(codes, RADIUS)

    def bytes_per_code(self) -> float:
        """Memory by the code."""
        return self.index.nbytes / max(len(self.index), 1)

    def open_s(self) -> float:
        """Save, and open with all checksums compared."""
        with tempfile.TemporaryDirectory() as folder:
            self.index.save(Path(folder), 1)
            return report.seconds(lambda: HammingIndex.open(Path(folder), bits=BITS))

    def merging_p99_us(self, asked: Codes, rng: np.random.Generator) -> float:
        """Search while a third as many codes are added and merged with all others."""
        more = make_codes(len(self.index) // 3 + 1, rng)
        done = threading.Event()

        def grow() -> None:
            self.add(1 << 40, more)
            done.set()

        grower = threading.Thread(target=grow)
        grower.start()
        times: list[float] = []
        while not done.is_set() or not times:
            row = len(times) % len(asked)
            times.append(report.seconds(partial(self.search, asked[row : row + 1])))
        grower.join()
        return report.percentile_us(times, 99)

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

    def batch(self, codes: Codes) -> None:
        """Search for many codes in one call."""
        self.index.range_search(codes, RADIUS + 1)

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


# Queries that an engine answers before it is the turn of the next.
ROUND = 20
# Beyond this the slow ones are left out.
LARGEST_OF_SLOW = 1_000_000
SLOW = (Numpy, peers.ThreatExchange)
CORPORA = ("uniform", "clustered")
ENGINES: tuple[Callable[[], Engine], ...] = (Ours, FaissFlat, Numpy, peers.ThreatExchange)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this benchmark."""
    sizes = "sizes of the index, with commas between (default 10000,100000)"
    parser.add_argument("--n", default="10000,100000", metavar="N,...", help=sizes)
    corpora = "kinds of codes, with commas between (default uniform)"
    parser.add_argument("--corpus", default="uniform", metavar="KIND,...", help=corpora)
    parser.add_argument("--queries", type=int, default=300, help="queries a size (default 300)")


def run(arguments: argparse.Namespace) -> list[report.Row]:
    """Measure every size."""
    rows: list[report.Row] = []
    faiss.omp_set_num_threads(1)
    for corpus in arguments.corpus.split(","):
        if corpus not in CORPORA:
            raise SystemExit(f"--corpus: {corpus} is none of {', '.join(CORPORA)}")
        for size in map(int, arguments.n.split(",")):
            rng = np.random.default_rng(arguments.seed)
            rows += measure(corpus, size, arguments.queries, rng)
    return rows


def measure(corpus: str, size: int, queries: int, rng: np.random.Generator) -> list[report.Row]:
    """Build, search, then change every engine at one size."""
    if corpus == "uniform":
        codes = make_codes(size, rng)
        asked = make_queries(codes, queries, rng)
    else:
        codes = make_clustered_codes(size, rng)
        asked = make_near_queries(codes, queries, rng)
    truth = truth_of(codes, asked)
    makes = [make for make in ENGINES if size <= LARGEST_OF_SLOW or make not in SLOW]
    engines = [engine for make in makes if (engine := peers.available(make)) is not None]
    built = [report.seconds(partial(engine.add, 0, codes)) for engine in engines]
    times, answers = interleave(engines, asked, rng)
    rows: list[report.Row] = []
    for number, engine in enumerate(engines):
        p50 = report.percentile_us(times[number], 50)
        weigh = getattr(engine, "bytes_per_code", None)
        bytes_per_code = weigh() if weigh else None
        rows.append(
            {
                "engine": engine.name,
                "corpus": corpus,
                "n": size,
                **score(truth, answers[number]),
                "build_s": built[number],
                "add_us": add_us(engine, size, rng),
                "remove_us": remove_us(engine, rng.permutation(size)),
                "p50_us": p50,
                "p99_us": report.percentile_us(times[number], 99),
                "cold_us": report.percentile_us(times[number][::ROUND], 50),
                "p50_to_ours": p50 / report.percentile_us(times[0], 50),
                "batch256_us_per_query": batch_us(engine, asked),
                "bytes_per_code": bytes_per_code,
                "open_s": engine.open_s() if isinstance(engine, Ours) else None,
                "merging_p99_us": (
                    engine.merging_p99_us(asked, rng) if isinstance(engine, Ours) else None
                ),
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
    for first in range(0, len(asked), ROUND):
        # A new order each time: whoever follows the engine that empties the caches pays for it.
        for number in rng.permutation(len(engines)):
            for row in range(first, min(first + ROUND, len(asked))):
                start = perf_counter()
                answer = engines[number].search(asked[row : row + 1])
                times[number].append(perf_counter() - start)
                answers[number].append(answer)
    return times, answers


def batch_us(engine: Engine, asked: Codes) -> float | None:
    """A query's share of a call with 256, if the engine has such a call."""
    batch = getattr(engine, "batch", None)
    if batch is None:
        return None
    many = np.resize(asked, (256, asked.shape[1]))
    return report.seconds(partial(batch, many)) / len(many) * 1e6


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
