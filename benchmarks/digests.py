"""Exact lookup of digests: DigestIndex beside a dict of Python and SQLite, all in memory.

All hold the same SHA-256 values and get the same queries one at a time, in turns of twenty. Of 100
queries 99 hit nothing and one is a stored digest. Every answer is checked against brute force.

The dict and the table hold one key a digest and look it up alone; DigestIndex holds any number, and
answers while it changes. `bytes_per_code` counts the dict with the objects in it.
"""

import argparse
import sqlite3
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks import measuring, plots, report
from benchmarks.datasets import BITS, Codes, Found, make_codes, make_queries, truth_of
from benchmarks.engines import Engine, OurIndex, pairs
from hashsvc_index import DigestIndex, Hits

HELP = "exact lookup of SHA-256 digests, beside a dict and SQLite"
SMALL: Sequence[str] = ("--n", "10000,100000", "--queries", "1000")


class OurDigests(OurIndex):
    """DigestIndex."""

    name = "hashsvc DigestIndex"
    index: DigestIndex

    def __init__(self) -> None:
        super().__init__(DigestIndex(BITS))

    def search(self, code: Codes) -> Found:
        """Look up."""
        return pairs(self.index.search(code))

    def batch(self, codes: Codes) -> Hits:
        """Look up many."""
        return self.index.search(codes)

    def open(self, folder: Path) -> DigestIndex:
        """Open with all checksums compared."""
        return DigestIndex.open(folder, bits=BITS)


class Dict:
    """A dict from digest to key."""

    name = "dict of bytes"
    is_exact = True

    def __init__(self) -> None:
        self.keys: dict[bytes, int] = {}

    def add(self, first: int, codes: Codes) -> None:
        """Add."""
        self.keys.update((code.tobytes(), first + row) for row, code in enumerate(codes))

    def search(self, code: Codes) -> Found:
        """Look up."""
        key = self.keys.get(code.tobytes())
        return set() if key is None else {(key, 0)}

    @property
    def nbytes(self) -> int:
        """Bytes of the table, and of the objects in it."""
        digest, key = next(iter(self.keys.items()))
        return sys.getsizeof(self.keys) + len(self.keys) * sum(map(sys.getsizeof, (digest, key)))


class Sqlite:
    """A table of SQLite in memory, ordered by digest."""

    name = "sqlite3 in memory"
    is_exact = True

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:")
        self.connection.execute(
            "CREATE TABLE digests (value BLOB PRIMARY KEY, key INTEGER) WITHOUT ROWID"
        )

    def add(self, first: int, codes: Codes) -> None:
        """Add."""
        entries = ((code.tobytes(), first + row) for row, code in enumerate(codes))
        with self.connection:
            self.connection.executemany("INSERT INTO digests VALUES (?, ?)", entries)

    def search(self, code: Codes) -> Found:
        """Look up."""
        asked = "SELECT key FROM digests WHERE value = ?"
        return {(key, 0) for (key,) in self.connection.execute(asked, (code.tobytes(),))}

    @property
    def nbytes(self) -> int:
        """Bytes of all pages."""
        ((pages,),) = self.connection.execute("PRAGMA page_count")
        ((size,),) = self.connection.execute("PRAGMA page_size")
        return int(pages) * int(size)


ENGINES: tuple[Callable[[], Engine], ...] = (OurDigests, Dict, Sqlite)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this benchmark."""
    sizes = "digests, with commas between (default 10000,1000000)"
    parser.add_argument("--n", default="10000,1000000", metavar="N,...", help=sizes)
    parser.add_argument("--queries", type=int, default=10_000, help="queries (default 10000)")


def run(arguments: argparse.Namespace) -> list[report.Row]:
    """Measure every size."""
    rows: list[report.Row] = []
    for size in map(int, arguments.n.split(",")):
        arguments.watch.probe()
        rows += measure(size, arguments.queries, np.random.default_rng(arguments.seed))
    return rows


def measure(size: int, queries: int, rng: np.random.Generator) -> list[report.Row]:
    """Build, look up, then change every engine at one size."""
    codes = make_codes(size, rng)
    asked = make_queries(codes, queries, rng, radius=0)
    truth = truth_of(codes, asked, radius=0)
    engines = [make() for make in ENGINES]
    builds = measuring.built(engines, codes)
    times, answers = measuring.interleave(engines, asked, rng)
    rows = []
    for engine, build_s, own, answer in zip(engines, builds, times, answers, strict=True):
        bytes_per_code, open_s = measuring.kept(engine, size)
        rows.append(
            {
                "engine": engine.name,
                "n": size,
                **measuring.row_of(engine, own, times[0], truth, answer),
                "batch256_us_per_query": measuring.batch_us(engine, asked),
                "build_s": build_s,
                "add_us": measuring.add_us(engine, size, BITS, rng),
                "remove_us": measuring.remove_us(engine, rng.permutation(size)),
                "bytes_per_code": bytes_per_code,
                "open_s": open_s,
            }
        )
    return rows


def plot(rows: Sequence[report.Row], folder: Path) -> list[Path]:
    """Latency by size."""
    title = "Latency of one lookup, SHA-256"
    return [
        plots.by_size(rows, f"{percentile}_us", title, folder / f"digests-{percentile}.svg")
        for percentile in ("p50", "p99")
    ]
