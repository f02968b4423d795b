"""Other people's software for the same task; none of it is needed to run the service."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from benchmarks import report
from benchmarks.datasets import Codes, Found

Peer = TypeVar("Peer")


class ThreatExchange:
    """PDQIndex of threatexchange; it takes and looks up hexadecimal text."""

    name = "threatexchange PDQIndex"
    is_exact = True

    def __init__(self) -> None:
        module = importlib.import_module("threatexchange.signal_type.pdq.pdq_index")
        self.index: Any = module.PDQIndex()

    def add(self, first: int, codes: Codes) -> None:
        """Add codes (n, 32) under the keys from `first` on."""
        self.index.add_all((bytes(code).hex(), first + row) for row, code in enumerate(codes))

    def search(self, code: Codes) -> Found:
        """The (key, distance) of every hit for one code (1, 32)."""
        return self.query(bytes(code[0]).hex())

    def query(self, text: str) -> Found:
        """The same for a code in hexadecimal."""
        matches = self.index.query(text)
        return {(match.metadata, match.similarity_info.distance) for match in matches}

    def save(self, folder: Path) -> None:
        """Write the index to a file."""
        with (folder / "index").open("wb") as file:
            self.index.serialize(file)

    def open(self, folder: Path) -> object:
        """Read the file."""
        with (folder / "index").open("rb") as file:
            return self.index.deserialize(file)


class Usearch:
    """The graph of usearch; it knows the nearest codes only, so those too far are dropped."""

    is_exact = False

    def __init__(self, bits: int, radius: int, nearest: int) -> None:
        self._library: Any = importlib.import_module("usearch.index")
        self.name = f"usearch HNSW M16 ef {nearest}"
        self._radius = radius
        self._nearest = nearest
        self.index: Any = self._library.Index(
            ndim=bits,
            metric=self._library.MetricKind.Hamming,
            dtype=self._library.ScalarKind.B1,
            connectivity=16,
            expansion_search=nearest,
        )

    def add(self, first: int, codes: Codes) -> None:
        """Add codes (n, w) under the keys from `first` on."""
        self.index.add(np.arange(first, first + len(codes)), codes, threads=1)

    def remove(self, key: int) -> None:
        """Remove."""
        self.index.remove(key)

    def search(self, code: Codes) -> Found:
        """The (key, distance) of the nearest hits for one code (1, w)."""
        matches = self.index.search(code[0], self._nearest, threads=1)
        near = matches.distances <= self._radius
        distances = matches.distances[near].astype(int)
        return set(zip(matches.keys[near].tolist(), distances.tolist(), strict=True))

    def batch(self, codes: Codes) -> object:
        """Search for many codes in one call."""
        return self.index.search(codes, self._nearest, threads=1)

    def save(self, folder: Path) -> None:
        """Write the index to a file."""
        self.index.save(str(folder / "index"))

    def open(self, folder: Path) -> object:
        """Read the file."""
        return self._library.Index.restore(str(folder / "index"))


def available(make: Callable[[], Peer]) -> Peer | None:
    """The peer, or None with a remark where its package is missing."""
    try:
        return make()
    except ImportError as missing:
        report.note(f"skipped: {missing.name} is not installed (extra `bench`)")
        return None
