"""Searching while others add and remove."""

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from hashsvc_index import DigestIndex, DuplicateKeyError, HammingIndex, Hits
from hashsvc_index.arrays import CodeArray
from hashsvc_index.scan import scan
from tests.index.support import keys_of, random_codes, rows

READERS = 3
LEAST_SEARCHES = 50


@pytest.fixture(autouse=True)
def _switch_often() -> Iterator[None]:
    """Let threads take turns far more often than usual."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(usual)


def race(write: Callable[[], None], read: Callable[[np.random.Generator], None]) -> None:
    """Run `write` once while readers repeat `read`; whatever fails in a thread fails here."""
    start, done = threading.Barrier(READERS + 1), threading.Event()

    def writer() -> None:
        start.wait()
        try:
            write()
        finally:
            done.set()

    def reader(number: int) -> None:
        rng = np.random.default_rng(number)
        start.wait()
        searches = 0
        while searches < LEAST_SEARCHES or not done.is_set():
            read(rng)
            searches += 1

    with ThreadPoolExecutor(READERS + 1) as pool:
        running = [pool.submit(writer), *(pool.submit(reader, n) for n in range(READERS))]
        for future in running:
            future.result()


def searcher(index: HammingIndex | DigestIndex) -> Callable[[CodeArray], Hits]:
    """Search with a small radius, or exactly."""
    if isinstance(index, DigestIndex):
        return index.search
    return lambda codes: index.search(codes, 31)


@pytest.mark.parametrize("make", [HammingIndex, DigestIndex])
@pytest.mark.parametrize("ascending", [True, False])
def test_acknowledged_keys_are_found(make: Any, *, ascending: bool) -> None:
    """Even keys are added and stay, odd ones go again; growth and compaction on the way."""
    total, step = 6000, 6
    codes = random_codes(np.random.default_rng(1), total, 256)
    order = np.arange(total)
    if not ascending:
        order = np.random.default_rng(2).permutation(total)
    index = make(256)
    search = searcher(index)
    added = removed = 0

    def write() -> None:
        nonlocal added, removed
        for first in range(0, total, step):
            keys = order[first : first + step]
            index.add(keys, codes[keys])
            added = first + step
            old = order[: max(added - 10 * step, 0)][-step:]
            index.remove(old[old % 2 == 1])
            removed = max(added - 10 * step, 0)

    def read(rng: np.random.Generator) -> None:
        gone, there = order[:removed], order[:added]
        if not len(there):
            return
        asked = np.unique(rng.choice(there, 8))
        hits = search(codes[asked])
        distance = np.bitwise_count(codes[asked][hits.query] ^ codes[hits.key]).sum(axis=1)
        assert (distance == hits.distance).all()
        assert (hits.distance == 0).all()
        kept = asked[asked % 2 == 0]
        assert np.isin(kept, hits.key).all()
        assert not np.isin(hits.key, gone[gone % 2 == 1]).any()

    race(write, read)
    live = np.sort(order[(order % 2 == 0) | (np.argsort(order)[order] >= removed)])
    assert np.unique(searcher(index)(codes).key).tolist() == live.tolist()


@pytest.mark.parametrize("make", [HammingIndex, DigestIndex])
def test_a_code_that_moves_to_a_new_key_is_never_lost(make: Any) -> None:
    """The new key is added before the old one is removed: a search finds one of them at least."""
    index = make(256)
    search = searcher(index)
    codes = random_codes(np.random.default_rng(3), 100, 256)
    index.add(np.arange(100), codes)

    def write() -> None:
        for key in range(100, 3000):
            index.add(keys_of(key), codes[key % 100 : key % 100 + 1])
            index.remove(keys_of(key - 100))

    def read(rng: np.random.Generator) -> None:
        number = int(rng.integers(100))
        hits = search(codes[number : number + 1])
        assert len(hits) in (1, 2)
        assert (hits.key % 100 == number).all()

    race(write, read)
    assert len(index) == 100


def test_a_batch_is_seen_whole_or_not_at_all() -> None:
    """Ten keys are added in one call and removed in one call, again and again."""
    index = HammingIndex(64)
    code = random_codes(np.random.default_rng(4), 1, 64)
    same = np.repeat(code, 10, axis=0)

    def write() -> None:
        for first in range(0, 20_000, 10):
            keys = np.arange(first, first + 10)
            index.add(keys, same)
            index.remove(keys)

    def read(_: np.random.Generator) -> None:
        keys = index.search(code, 0).key
        assert len(keys) in (0, 10)
        assert np.unique(keys // 10).size <= 1

    race(write, read)
    assert len(index) == 0


@pytest.mark.parametrize("bits", [64, 256])
def test_a_search_under_way_sees_the_moment_it_began(
    bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Removal, growth, reordering and compaction happen between its first step and its last."""
    index = HammingIndex(bits)
    codes = random_codes(np.random.default_rng(5), 1000, bits)
    index.add(np.arange(500, 900), codes[500:900])
    before = rows(index.search(codes, bits))

    def scan_late(*arguments: Any) -> Any:
        monkeypatch.undo()
        buffers = {id(index._snapshot.tail.codes)}
        for change in (
            lambda: index.remove(np.arange(500, 520)),
            lambda: index.add(np.arange(900, 1000), codes[900:]),
            lambda: index.add(np.arange(300), codes[:300]),
            lambda: index.remove(np.arange(500, 900)),
        ):
            change()
            buffers.add(id(index._snapshot.tail.codes))
        assert len(buffers) >= 3
        return scan(*arguments)

    monkeypatch.setattr("hashsvc_index.tail.scan", scan_late)
    assert rows(index.search(codes, bits)) == before
    assert len(index) == 400


@pytest.mark.parametrize("make", [HammingIndex, DigestIndex])
def test_writers_take_turns(make: Any) -> None:
    """Of several writers that add the same batches, one wins each batch; nothing is lost."""
    index = make(64)
    codes = random_codes(np.random.default_rng(6), 2000, 64)
    start = threading.Barrier(4)

    def write(_: int) -> int:
        start.wait()
        won = 0
        for first in range(0, 2000, 10):
            try:
                index.add(np.arange(first, first + 10), codes[first : first + 10])
            except DuplicateKeyError:
                continue
            won += 1
        return won

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(write, range(4))) == 200
    assert len(index) == 2000
    found = index.search(codes) if make is DigestIndex else index.search(codes, 0)
    assert rows(found) == [(key, key, 0) for key in range(2000)]
