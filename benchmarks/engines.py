"""Ways to search codes, each behind the same few calls.

Keys are row numbers in the order of adding. FAISS excludes the radius itself from its range
searches, so it is asked for one more. The graphs know only the nearest codes: they are asked for
64, and what is too far is dropped.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import log2
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import faiss as typed_faiss
import numpy as np

from benchmarks import peers
from benchmarks.datasets import BITS, Codes, Found
from hashsvc_index import DigestIndex, HammingIndex, Hits, brute_force

faiss: Any = typed_faiss

NEAREST = 64
_PROBES = 16


class Engine(Protocol):
    """A way to search."""

    name: str
    is_exact: bool

    def add(self, first: int, codes: Codes) -> None:
        """Add codes (n, w) under the keys from `first` on."""

    def search(self, code: Codes) -> Found:
        """The (key, distance) of every hit for one code (1, w)."""


@runtime_checkable
class Removing(Protocol):
    """What can forget."""

    def remove(self, key: int) -> None:
        """Remove one key."""


@runtime_checkable
class Batching(Protocol):
    """What takes many queries in one call."""

    def batch(self, codes: Codes) -> object:
        """Search for many codes."""


@runtime_checkable
class Storing(Protocol):
    """What can be kept in files."""

    def save(self, folder: Path) -> None:
        """Write all to an empty folder."""

    def open(self, folder: Path) -> object:
        """Read it again, as something of its own."""


@runtime_checkable
class Weighing(Protocol):
    """What knows the size of its arrays in memory."""

    @property
    def nbytes(self) -> int:
        """Bytes of all."""


class OurIndex:
    """What HammingIndex and DigestIndex have in common."""

    is_exact = True

    def __init__(self, index: HammingIndex | DigestIndex) -> None:
        self.index = index

    def add(self, first: int, codes: Codes) -> None:
        """Add; many at once are made a segment before this returns."""
        self.index.add(np.arange(first, first + len(codes)), codes)
        if len(codes) > 1:
            self.index.settle()

    def remove(self, key: int) -> None:
        """Remove."""
        self.index.remove(np.array([key]))

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return self.index.nbytes

    def save(self, folder: Path) -> None:
        """Save."""
        self.index.save(folder, 1)


class Ours(OurIndex):
    """HammingIndex."""

    name = "hashsvc HammingIndex"
    index: HammingIndex

    def __init__(self, bits: int, radius: int) -> None:
        super().__init__(HammingIndex(bits))
        self._radius = radius

    def search(self, code: Codes) -> Found:
        """Search."""
        return pairs(self.index.search(code, self._radius))

    def batch(self, codes: Codes) -> Hits:
        """Search for many."""
        return self.index.search(codes, self._radius)

    def open(self, folder: Path) -> HammingIndex:
        """Open with all checksums compared."""
        return HammingIndex.open(folder, bits=self.index.bits)


class Numpy:
    """The reference of the library."""

    name = "numpy brute force"
    is_exact = True

    def __init__(self, bits: int, radius: int) -> None:
        self.codes: Codes = np.empty((0, bits // 8), np.uint8)
        self.keys = np.empty(0, np.int64)
        self._radius = radius

    def add(self, first: int, codes: Codes) -> None:
        """Add."""
        self.codes = np.concatenate([self.codes, codes])
        self.keys = np.arange(len(self.codes))

    def search(self, code: Codes) -> Found:
        """Search."""
        return pairs(brute_force(self.codes, self.keys, code, self._radius))

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return self.codes.nbytes + self.keys.nbytes


class Faiss:
    """An index of FAISS that searches by radius."""

    def __init__(self, name: str, index: Any, radius: int, *, is_exact: bool = True) -> None:
        self.name = name
        self.is_exact = is_exact
        self.index = index
        self._radius = radius

    def add(self, first: int, codes: Codes) -> None:
        """Add."""
        self.index.add(codes)

    def search(self, code: Codes) -> Found:
        """Search."""
        _, distances, keys = self.batch(code)
        return set(zip(keys.tolist(), distances.astype(int).tolist(), strict=True))

    def batch(self, codes: Codes) -> Any:
        """Search for many."""
        return self.index.range_search(codes, self._radius + 1)

    def save(self, folder: Path) -> None:
        """Write the index to a file."""
        faiss.write_index_binary(self.index, str(folder / "index"))

    def open(self, folder: Path) -> Any:
        """Read the file."""
        return faiss.read_index_binary(str(folder / "index"))


class FaissFlat(Faiss):
    """All codes are compared."""

    def __init__(self, bits: int, radius: int) -> None:
        super().__init__("faiss IndexBinaryFlat", faiss.IndexBinaryFlat(bits), radius)

    def remove(self, key: int) -> None:
        """Remove; later rows move up."""
        self.index.remove_ids(np.array([key]))


class FaissMultiHash(Faiss):
    """Tables by parts of the code; enough bits are flipped in each part to miss nothing."""

    def __init__(self, tables: int, part_bits: int, bits: int, radius: int) -> None:
        index = faiss.IndexBinaryMultiHash(bits, tables, part_bits)
        index.nflip = radius // tables
        super().__init__(f"faiss MultiHash {tables}x{part_bits}", index, radius)


class FaissIVF(Faiss):
    """Lists by nearest centre, about as many as the root of the number of codes; 16 are read."""

    def __init__(self, bits: int, radius: int) -> None:
        name = f"faiss IVF nprobe {_PROBES}"
        super().__init__(name, None, radius, is_exact=False)
        self._centres = faiss.IndexBinaryFlat(bits)

    def add(self, first: int, codes: Codes) -> None:
        """Add; the first ones choose the centres."""
        if self.index is None:
            lists = 2 ** round(log2(len(codes)) / 2)
            self.index = faiss.IndexBinaryIVF(self._centres, self._centres.d, lists)
            self.index.nprobe = _PROBES
            self.index.train(codes)
        self.index.add(codes)

    def remove(self, key: int) -> None:
        """Remove."""
        self.index.remove_ids(np.array([key]))


class FaissHNSW(Faiss):
    """A graph of near neighbours."""

    def __init__(self, bits: int, radius: int) -> None:
        index = faiss.IndexBinaryHNSW(bits, 16)
        index.hnsw.efSearch = NEAREST
        super().__init__(f"faiss HNSW M16 ef {NEAREST}", index, radius, is_exact=False)

    def search(self, code: Codes) -> Found:
        """Search."""
        (distances,), (keys,) = self.batch(code)
        near = (distances <= self._radius) & (keys >= 0)
        return set(zip(keys[near].tolist(), distances[near].tolist(), strict=True))

    def batch(self, codes: Codes) -> Any:
        """Search for many."""
        return self.index.search(codes, NEAREST)


@dataclass(frozen=True)
class Kind:
    """How to make an engine for codes of so many bits and a radius, and what it is good for.

    Attributes:
        make: takes bits and radius.
        largest: the greatest number of codes that it is measured with; None for any.
        bits: the only length of a code that it takes; None for any.
    """

    make: Callable[[int, int], Engine]
    largest: int | None = None
    bits: int | None = None


# Beyond this the slow ones are left out.
_LARGEST_OF_SLOW = 1_000_000
OURS = "hashsvc"
KINDS: dict[str, Kind] = {
    OURS: Kind(Ours),
    "flat": Kind(FaissFlat),
    "multihash16": Kind(lambda bits, radius: FaissMultiHash(bits // 16, 16, bits, radius)),
    "multihash23": Kind(
        lambda bits, radius: FaissMultiHash(bits // 23, 23, bits, radius), bits=BITS
    ),
    "ivf": Kind(FaissIVF),
    "hnsw": Kind(FaissHNSW, _LARGEST_OF_SLOW),
    "usearch": Kind(lambda bits, radius: peers.Usearch(bits, radius, NEAREST), _LARGEST_OF_SLOW),
    "threatexchange": Kind(lambda bits, radius: peers.ThreatExchange(), _LARGEST_OF_SLOW, BITS),
    "numpy": Kind(Numpy, _LARGEST_OF_SLOW),
}


def pairs(hits: Hits) -> Found:
    """The hits of one query as a set."""
    return set(zip(hits.key.tolist(), hits.distance.tolist(), strict=True))
