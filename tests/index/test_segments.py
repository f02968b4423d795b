"""Segments: exact at every distance, through sealing and merging, with skew, and without numba."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hashsvc_index import (
    DigestIndex,
    HammingIndex,
    brute_force,
    compiled,
    hamming,
    kernels,
    merging,
    scan,
    segment,
)
from hashsvc_index.arrays import CodeArray, Int64Array
from tests.index.support import clumped_codes, flipped, keys_of, random_codes, rows, spread


def sealed(bits: int, codes: CodeArray, **options: Any) -> HammingIndex:
    """An index in which all of these codes, under their row numbers, are in segments."""
    index = HammingIndex(bits, seal_rows=1, **options)
    index.add(np.arange(len(codes)), codes)
    index.settle()
    assert index._snapshot.segments
    assert not index._snapshot.tail.count
    assert not index._snapshot.sealed
    return index


def same_as_brute_force(
    index: HammingIndex, keys: Int64Array, codes: CodeArray, queries: CodeArray, radius: int
) -> None:
    """Ask for the same rows."""
    truth = brute_force(codes, keys, queries, radius)
    assert rows(index.search(queries, radius)) == rows(truth)


def flips_of(distance: int, bits: int, rng: np.random.Generator) -> list[Int64Array]:
    """Bit positions at random, spread, in every word alike, and in runs."""
    words = bits // 16
    order = np.arange(bits).reshape(words, 16)
    return [
        rng.permutation(bits)[:distance],
        spread(distance, bits),
        rng.permuted(order, axis=1).T.reshape(-1)[:distance],
        rng.permuted(order, axis=1)[rng.permutation(words)].T.reshape(-1)[:distance],
        (rng.integers(bits) + np.arange(distance)) % bits,
    ]


@pytest.mark.parametrize(("bits", "radii"), [(64, range(13)), (128, range(25)), (256, range(50))])
def test_every_distance_at_every_radius(bits: int, radii: range) -> None:
    """At each radius, all distances up to it and one more; also beyond what the tables serve."""
    rng = np.random.default_rng(bits)
    centre = random_codes(rng, 1, bits)
    codes = np.array(
        [
            flipped(centre[0], flips)
            for distance in range(max(radii) + 2)
            for _ in range(4)
            for flips in flips_of(distance, bits, rng)
        ]
    )
    codes = np.concatenate([codes, random_codes(rng, 500, bits)])
    index = sealed(bits, codes)
    assert segment.allowances(max(radii), bits // 16) is None
    assert segment.allowances(max(radii) - 3, bits // 16) is not None
    for radius in radii:
        same_as_brute_force(index, np.arange(len(codes)), codes, centre, radius)


@pytest.mark.parametrize("bits", [64, 256])
def test_the_conditions_hold_for_all_ways_to_differ(bits: int) -> None:
    """For any distances of the words within the radius there is a table that meets both."""
    rng = np.random.default_rng(7)
    words = bits // 16
    for radius in range(3 * words - 1):
        allowance = segment.allowances(radius, words)
        assert allowance is not None
        assert allowance.sum() == radius + 1
        assert 0 <= allowance.min() <= allowance.max() <= kernels.MAX_ALLOWANCE
        weights = rng.dirichlet(np.full(words, rng.choice([0.1, 1, 10])), 200)
        differing = np.minimum(np.array([rng.multinomial(radius, share) for share in weights]), 16)
        here = differing < allowance
        both = differing + np.roll(differing, -1, 1) < allowance + np.roll(allowance, -1)
        assert (here & both).any(axis=1).all()


@pytest.mark.parametrize("bits", [64, 256, 512])
@pytest.mark.parametrize("skew", ["uniform", "same word", "few bits", "cluster", "one code"])
def test_skewed_codes(bits: int, skew: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Buckets far too full, with the cost guard as it is, always and never."""
    rng = np.random.default_rng(8)
    codes = random_codes(rng, 1500, bits)
    if skew == "same word":
        codes[:, 4:6] = 7
    elif skew == "few bits":
        codes &= random_codes(rng, 1500, bits) & random_codes(rng, 1500, bits)
    elif skew == "cluster":
        noise = np.packbits(rng.random((1500, bits)) < 0.07, axis=1)
        codes = codes[:3].repeat(500, axis=0) ^ noise
    elif skew == "one code":
        codes[100:] = codes[0]
    index = sealed(bits, codes)
    queries = np.concatenate([codes[:20], codes[-3:], random_codes(rng, 3, bits)])
    keys = np.arange(len(codes))
    for entries, checks in [(8, 16), (0, 16), (8, 10**9), (10**9, 1)]:
        monkeypatch.setattr(segment, "_ENTRIES_PER_CODE", entries)
        monkeypatch.setattr(segment, "_CODES_PER_CHECK", checks)
        for radius in (0, bits // 16 - 1, bits // 8 - 1):
            same_as_brute_force(index, keys, codes, queries, radius)
    monkeypatch.setattr(segment, "_ENTRIES_PER_CODE", 8)
    monkeypatch.setattr(segment, "_CODES_PER_CHECK", 16)
    # Two queries and fewer are tried with the GIL held, within bounds of their own.
    for entries, checks in [(250_000, 2_000), (0, 2_000), (250_000, 0), (60, 5)]:
        monkeypatch.setattr(segment, "_SHORT_ENTRIES", entries)
        monkeypatch.setattr(segment, "_SHORT_CHECKS", checks)
        for row in range(0, len(queries), 2):
            some = queries[row : row + 2]
            same_as_brute_force(index, keys, codes, some, bits // 8 - 1)


@pytest.mark.parametrize("bits", [64, 128, 256, 512])
@pytest.mark.parametrize("count", [0, 1, 511, 512, 513, 3_000])
def test_what_is_short_is_compared_alike(
    bits: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the kernel and by FAISS: the same hits in the same order."""
    rng = np.random.default_rng(count)
    codes = clumped_codes(rng, count, bits)
    queries = np.concatenate([codes[:2], clumped_codes(rng, 3, bits)])
    for radius in (0, 1, bits // 8, bits // 2, bits):
        found = []
        for short in (0, 10**9):
            monkeypatch.setattr(scan, "_SHORT", short)
            found.append([array.tolist() for array in scan.scan(codes, queries, radius)])
        assert found[0] == found[1]


def test_keys_that_share_codes_are_stored_once() -> None:
    """Further keys cost little, are found, and can be removed in any order, the first one too."""
    rng = np.random.default_rng(9)
    distinct = random_codes(rng, 50, 256)
    codes = distinct[rng.integers(50, size=5000)]
    index = sealed(256, codes)
    part = index._snapshot.segments[0]
    assert len(part.codes) == 50
    keys = np.arange(5000)
    same_as_brute_force(index, keys, codes, distinct, 31)
    gone = rng.permutation(5000)[:1000]
    assert index.remove(gone) == 1000
    assert index.remove(gone) == 0
    left = np.setdiff1d(keys, gone)
    same_as_brute_force(index, left, codes[left], distinct, 31)
    index.add(gone, codes[gone])
    same_as_brute_force(index, keys, codes, distinct, 31)


def test_segments_stay_few_and_dead_keys_go() -> None:
    """After many adds, a handful of segments; after many removals, no memory for the dead."""
    codes = random_codes(np.random.default_rng(10), 4000, 64)
    index = HammingIndex(64, seal_rows=10, background=False)
    for first in range(0, 4000, 10):
        index.add(np.arange(first, first + 10), codes[first : first + 10])
        index.settle()
        lengths = [part.live for part in index._snapshot.segments]
        assert len(lengths) <= 6
        assert lengths == sorted(lengths, reverse=True)
    assert index.remove(np.arange(1000, 4000)) == 3000
    index.settle()
    assert sum(len(part.keys) for part in index._snapshot.segments) < 1500
    same_as_brute_force(index, np.arange(1000), codes[:1000], codes, 5)
    assert index.remove(np.arange(1000)) == 1000
    index.settle()
    assert len(index) == 0
    assert not index._snapshot.segments


@pytest.mark.parametrize("bits", [64, 256])
def test_changes_while_a_merge_is_under_way(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is removed, and added again, between a merge's first step and its last, counts."""
    codes = random_codes(np.random.default_rng(11), 300, bits)
    index = HammingIndex(bits, seal_rows=50, background=False)
    model = set(range(200))
    index.add(np.arange(200), codes[:200])
    plain = merging.merged
    held = []

    def merged_late(*arguments: Any) -> Any:
        made = list(plain(*arguments))
        held.append((index._snapshot, rows(index.search(codes, 0))))
        for gone in (keys_of(3, 5, 250), keys_of(5, 7, 199)):
            index.remove(gone)
            model.difference_update(gone.tolist())
        index.add(keys_of(3, 299), codes[[3, 299]])
        index.remove(keys_of(3))
        index.add(keys_of(3), codes[[3]])
        index.add(np.arange(200, 260), codes[200:260])
        model.update([3, 299], range(200, 260))
        monkeypatch.undo()
        return iter(made)

    monkeypatch.setattr(hamming, "merged", merged_late)
    index.settle()
    assert len(index) == len(model)
    assert rows(index.search(codes, 0)) == [(key, key, 0) for key in sorted(model)]
    keys, _ = held[0][0].pairs()
    assert [(key, key, 0) for key in sorted(keys.tolist())] == held[0][1]


def test_readers_during_seals_and_merges() -> None:
    """Threads search while the background seals and merges: an acknowledged key is found."""
    total, step = 30_000, 100
    codes = random_codes(np.random.default_rng(12), total, 256)
    index = HammingIndex(256, seal_rows=500)
    added = removed = 0
    done = threading.Event()
    failures: list[BaseException] = []

    def read(seed: int) -> None:
        rng = np.random.default_rng(seed)
        try:
            while not done.is_set():
                gone, there = removed, added
                asked = np.unique(rng.integers(0, max(there, 1), 8))
                hits = index.search(codes[asked], 31)
                kept = asked[(asked % 2 == 0) & (asked < there)]
                assert np.isin(kept, hits.key).all()
                assert not (hits.key[hits.key % 2 == 1] < gone).any()
                assert len(np.unique(hits.key)) == len(hits)
        except BaseException as failure:
            failures.append(failure)

    readers = [threading.Thread(target=read, args=(seed,)) for seed in range(3)]
    for reader in readers:
        reader.start()
    for first in range(0, total, step):
        index.add(np.arange(first, first + step), codes[first : first + step])
        added = first + step
        index.remove(np.arange(max(first - 700, 0) | 1, max(first - 600, 0), 2))
        removed = max(first - 600, 0)
    index.settle()
    done.set()
    for reader in readers:
        reader.join()
    assert not failures
    assert index._snapshot.segments
    index.close()


def test_a_failing_merge_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory runs out in a merge: searches go on, settle tells, and the next one succeeds."""
    codes = random_codes(np.random.default_rng(13), 400, 64)

    def fail(*_: Any) -> Any:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("hashsvc_index.merging.build_segment", fail)
        index = HammingIndex(64, seal_rows=100)
        index.add(np.arange(300), codes[:300])
        with pytest.raises(MemoryError):
            index.settle()
        assert rows(index.search(codes, 0)) == [(key, key, 0) for key in range(300)]
    index.add(np.arange(300, 400), codes[300:])
    while worker := index._worker:
        worker.join()
    index._failure = None
    index.settle()
    assert index._snapshot.segments
    assert rows(index.search(codes, 0)) == [(key, key, 0) for key in range(400)]


@pytest.fixture
def _without_numba(monkeypatch: pytest.MonkeyPatch) -> Any:
    """As on a machine without numba."""
    monkeypatch.setenv(compiled.WITHOUT, "1")
    compiled.kernels.cache_clear()
    segment.allowances.cache_clear()
    yield
    compiled.kernels.cache_clear()
    segment.allowances.cache_clear()


@pytest.mark.usefixtures("_without_numba")
@pytest.mark.parametrize("make", [HammingIndex, DigestIndex])
def test_without_numba(make: Callable[..., Any]) -> None:
    """All the same, without segments."""
    assert compiled.kernels() is None
    codes = random_codes(np.random.default_rng(14), 300, 256)
    index = make(256)
    index.add(np.arange(300), codes)
    assert index.remove(np.arange(100)) == 100
    found = index.search(codes) if make is DigestIndex else index.search(codes, 31)
    assert rows(found) == [(key, key, 0) for key in range(100, 300)]
