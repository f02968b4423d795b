"""The indexer: follows the log into the index. Start, catch-up and recovery are one routine."""

import asyncio
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashsvc import features
from hashsvc.lists import plainness, rules
from hashsvc.lists.index_files import IndexFiles
from hashsvc.model import Algorithm
from hashsvc.store.store import IndexedRow, Store
from hashsvc_index import DigestIndex, HammingIndex, Hits

_ORDINAL_BITS, _LIST_BITS = 20, 12
_ORDINALS = 1 << _ORDINAL_BITS
_ENTRY_SHIFT = _ORDINAL_BITS + _LIST_BITS
_ROWS = {algorithm: row for row, algorithm in enumerate(Algorithm)}
_RECORDS_PER_READ = 20_000
_CORES = os.cpu_count() or 1
# So many codes are searched by each core, where there are more.
_MANY = 500

assert rules.MAX_FINGERPRINTS_PER_ENTRY <= _ORDINALS
assert rules.MAX_LISTS < 1 << _LIST_BITS
assert rules.MAX_LOCAL_PER_ENTRY << features.GEOMETRY_BITS <= _ORDINALS


class Place(NamedTuple):
    """Whose fingerprint a key stands for: ids of the list and the entry, and its ordinal there.

    Of a local feature the ordinal is made of that of its fingerprint among the local ones of the
    entry, and of where it is (`features.geometry`).
    """

    list_id: int
    entry_id: int
    ordinal: int

    @property
    def key(self) -> int:
        """The key: a positive int64, for up to two thousand million records."""
        return self.entry_id << _ENTRY_SHIFT | self.list_id << _ORDINAL_BITS | self.ordinal

    @classmethod
    def of(cls, key: int) -> "Place":
        """The inverse."""
        return cls(
            key >> _ORDINAL_BITS & (1 << _LIST_BITS) - 1,
            key >> _ENTRY_SHIFT,
            key & (1 << _ORDINAL_BITS) - 1,
        )

    @staticmethod
    def lists_of(keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """The ids of the lists of many keys, int64 (n,)."""
        return keys >> _ORDINAL_BITS & (1 << _LIST_BITS) - 1


class Indexer:
    """Holds one index per algorithm, and the log position that they have all reached.

    A key is the ids of an entry and of its list and a fingerprint's ordinal in one number, so a hit
    names its entry and its list without a look-up, and keys ascend with the log. `_lock` guards the
    writer side; searches take no lock. `_counts` has the number of keys by algorithm and list id.

    The indexes are opened from `folder` as far as they were saved there, each at its own position.
    """

    def __init__(self, store: Store, folder: Path, *, min_pdq_quality: int) -> None:
        self._store = store
        self._files = IndexFiles(folder, store, min_pdq_quality=min_pdq_quality)
        self._min_pdq_quality = min_pdq_quality
        self._indexes = {algorithm: self._files.open(algorithm) for algorithm in Algorithm}
        self._opened_at = {a: index.revision for a, index in self._indexes.items()}
        self._lock = threading.Lock()
        self._position = self._saved_position = min(self._opened_at.values())
        self._list_names: dict[int, str] = {}
        self._counts = np.stack([_by_list(index.keys()) for index in self._indexes.values()])
        self._holds = np.zeros(self._counts.shape, np.bool_)
        self._held: Mapping[frozenset[Algorithm], Sequence[str]] = {}
        self._tell_held()
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._searchers = ThreadPoolExecutor(_CORES, "search")

    @property
    def position(self) -> int:
        """The log position that every search sees at least."""
        return self._position

    @property
    def saved_position(self) -> int:
        """The log position that the next start goes on from."""
        return self._saved_position

    def sizes(self) -> dict[str, tuple[int, int]]:
        """By algorithm: fingerprints that can match, and bytes of memory and mapped files."""
        return {
            algorithm.value: (len(index), index.nbytes)
            for algorithm, index in self._indexes.items()
        }

    def __len__(self) -> int:
        """Number of fingerprints that can match."""
        return sum(len(index) for index in self._indexes.values())

    def follow(self) -> None:
        """Apply all records after `position`."""
        with self._lock:
            while True:
                changes = self._store.index_changes(self._position, _RECORDS_PER_READ)
                if changes.position == self._position:
                    return
                self._add(changes.added)
                self._remove(changes.removed)
                # First: who sees the position is told of what is held there.
                self._tell_held()
                self._position = changes.position
                self._wake()

    def save(self) -> None:
        """Save all indexes as they are at one position, if that is not saved already.

        Raises:
            OSError: the disk; what was saved before stays good.
        """
        with self._lock:
            position = self._position
            moments = {a: (index, index.snapshot) for a, index in self._indexes.items()}
        if position == self._saved_position:
            return
        self._files.save(moments, position)
        self._saved_position = position

    def list_name(self, list_id: int) -> str:
        """The name of a list that a hit is in."""
        try:
            return self._list_names[list_id]
        except KeyError:
            # A list is never renamed, so this happens once for each.
            self._list_names = self._store.list_names()
            return self._list_names[list_id]

    def settle(self) -> None:
        """Wait until the indexes have arranged what they hold; they search fastest then."""
        for index in self._indexes.values():
            index.settle()

    def close(self) -> None:
        """End the work that indexes do in the background."""
        self._searchers.shutdown()
        for index in self._indexes.values():
            index.close()

    async def reached(self, position: int, wait_s: float) -> bool:
        """Wait until the index has reached a position; tell whether it did in time."""
        if self._position >= position:
            return True
        waiter = (asyncio.get_running_loop(), asyncio.Event())
        self._waiting.add(waiter)
        try:
            async with asyncio.timeout(wait_s):
                while self._position < position:
                    waiter[1].clear()
                    # Looked at again after the clear, so that no wake-up is lost.
                    if self._position < position:
                        await waiter[1].wait()
        except TimeoutError:
            return False
        finally:
            self._waiting.discard(waiter)
        return True

    def count(self, algorithm: Algorithm) -> int:
        """Number of fingerprints, or local features, of an algorithm that can match."""
        return len(self._indexes[algorithm])

    def held(self, may_match: Callable[[str], bool] | None) -> frozenset[Algorithm]:
        """Algorithms of which some lists hold fingerprints that can match.

        `may_match` tells of a list's name whether it is looked at; None for all. At least as new as
        the `position` that was read before.
        """
        found: frozenset[Algorithm] = frozenset()
        for algorithms, list_names in self._held.items():
            if not algorithms <= found and (may_match is None or any(map(may_match, list_names))):
                found |= algorithms
        return found

    def search(self, algorithm: Algorithm, values: Sequence[bytes], radius: int) -> Hits:
        """Search one algorithm for many values, which are of its width, at once.

        `radius` is in bits and ignored for digests. The hits' `query` counts in `values`;
        `Place.of` reads their keys.
        """
        return self.search_codes(algorithm, _codes(values, algorithm), radius)

    def search_codes(self, algorithm: Algorithm, codes: NDArray[np.uint8], radius: int) -> Hits:
        """Search one algorithm for many codes, uint8 (n, its width), at once; see `search`."""
        index = self._indexes[algorithm]
        if isinstance(index, DigestIndex):
            return index.search(codes)
        parts = min(_CORES, len(codes) // _MANY)
        if parts < 2:
            return index.search(codes, radius)
        # As of an hour of video, whose caller waits for all of it.
        pieces = np.array_split(codes, parts)
        found = list(self._searchers.map(lambda piece: index.search(piece, radius), pieces))
        starts = np.cumsum([0, *map(len, pieces[:-1])])
        return Hits(
            np.concatenate([hits.query + start for hits, start in zip(found, starts, strict=True)]),
            np.concatenate([hits.key for hits in found]),
            np.concatenate([hits.distance for hits in found]),
        )

    def _add(self, rows: Iterable[IndexedRow]) -> None:
        groups: dict[str, list[IndexedRow]] = defaultdict(list)
        for row in rows:
            groups[row.algorithm].append(row)
        for name, group in groups.items():
            algorithm = Algorithm(name)
            if algorithm.is_local:
                self._add_local(group)
                continue
            opened_at, least = self._opened_at[algorithm], self._min_pdq_quality
            new = [
                (Place(list_id, entry_id, ordinal).key, value)
                for list_id, entry_id, ordinal, _, value, quality in group
                if entry_id > opened_at and rules.carries_enough(algorithm, value, quality, least)
            ]
            if new:
                keys, values = zip(*new, strict=True)
                places, codes = np.array(keys, np.int64), _codes(values, algorithm)
                if algorithm is Algorithm.PDQ:
                    tells = ~plainness.are_plain(codes)
                    places, codes = places[tells], codes[tells]
                self._put(algorithm, places, codes)

    def _add_local(self, rows: Iterable[IndexedRow]) -> None:
        """Add the features of each row; those of one entry are together, in their order."""
        opened_at = self._opened_at[Algorithm.ORB]
        keys: list[NDArray[np.int64]] = []
        codes: list[NDArray[np.uint8]] = []
        before, number = -1, 0
        for list_id, entry_id, _, _, value, _ in rows:
            number = number + 1 if entry_id == before else 0
            before = entry_id
            if entry_id <= opened_at:
                continue
            known = features.unpack(value)
            # Where two cannot be told apart by their keys, one is enough.
            where, chosen = np.unique(features.geometry(known), return_index=True)
            first = Place(list_id, entry_id, number << features.GEOMETRY_BITS).key
            keys.append(where + first)
            codes.append(known.codes[chosen])
        if keys:
            self._put(Algorithm.ORB, np.concatenate(keys), np.concatenate(codes))

    def _put(self, algorithm: Algorithm, keys: NDArray[np.int64], codes: NDArray[np.uint8]) -> None:
        self._indexes[algorithm].add(keys, codes)
        self._counts[_ROWS[algorithm]] += _by_list(keys)

    def _remove(self, entries: Iterable[tuple[int, int, int]]) -> None:
        lists: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for list_id, entry_id, count in entries:
            lists[list_id].append((Place(list_id, entry_id, 0).key, count))
        for list_id, spans in lists.items():
            for algorithm, index in self._indexes.items():
                row = _ROWS[algorithm]
                if not self._counts[row, list_id]:
                    continue
                if algorithm.is_local:
                    assert isinstance(index, HammingIndex)
                    # How many keys an entry has here cannot be told from its fingerprints' number.
                    keys = [index.keys_between(first, first + _ORDINALS) for first, _ in spans]
                else:
                    keys = [np.arange(count) + first for first, count in spans]
                self._counts[row, list_id] -= index.remove(np.concatenate(keys))

    def _tell_held(self) -> None:
        """Let `held` tell what lists hold now: their names by algorithms, few groups of many."""
        holds = self._counts > 0
        if np.array_equal(holds, self._holds):
            return
        found: dict[frozenset[Algorithm], list[str]] = defaultdict(list)
        for list_id in np.flatnonzero(holds.any(axis=0)).tolist():
            algorithms = frozenset(a for a, row in _ROWS.items() if holds[row, list_id])
            found[algorithms].append(self.list_name(list_id))
        self._holds, self._held = holds, dict(found)

    def _wake(self) -> None:
        for loop, event in list(self._waiting):
            loop.call_soon_threadsafe(event.set)


def _by_list(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many of these keys are of each list, by its id: int64 (4096,)."""
    return np.bincount(Place.lists_of(keys), minlength=1 << _LIST_BITS)


def _codes(values: Sequence[bytes], algorithm: Algorithm) -> NDArray[np.uint8]:
    width = algorithm.bits // 8
    return np.frombuffer(b"".join(values), dtype=np.uint8).reshape(-1, width)
