"""Any order of adds, removes and searches, against a dictionary and brute force."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hashsvc_index import DigestIndex, DuplicateKeyError, HammingIndex, Hits, brute_force
from hashsvc_index.arrays import CodeArray, Int64Array
from tests.index.support import clumped_codes, rows


def _interrupted(*_: Any) -> None:
    raise InterruptedError


SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.one_of(st.integers(0, 5), st.integers(60, 300))


class Machine(RuleBasedStateMachine):
    """The rules that both kinds of index obey."""

    bits = 0
    exact = False

    def __init__(self) -> None:
        super().__init__()
        self.make: Any = DigestIndex if self.exact else HammingIndex
        # Small enough that every run has segments, and merges wait for their rule.
        self.options: dict[str, Any] = {"seal_rows": 40, "background": False}
        self.index: Any = self.make(self.bits, **self.options)
        self.model: dict[int, bytes] = {}
        self.saved: tuple[int, dict[int, bytes]] | None = None
        self.folder = tempfile.TemporaryDirectory()

    def arrays(self) -> tuple[Int64Array, CodeArray]:
        """The model as keys and codes."""
        joined = np.frombuffer(b"".join(self.model.values()), np.uint8)
        return np.array(list(self.model), np.int64), joined.reshape(-1, self.bits // 8)

    def look(self, queries: CodeArray, radius: int) -> Hits:
        """Search the index under test."""
        hits: Hits = (
            self.index.search(queries) if self.exact else self.index.search(queries, radius)
        )
        return hits

    def add(self, keys: Int64Array, seed: int) -> None:
        """Add clumped codes under these keys to the index and, if allowed, to the model."""
        codes = clumped_codes(np.random.default_rng(seed), len(keys), self.bits)
        present = {key for key in keys.tolist() if key in self.model}
        if present:
            with pytest.raises(DuplicateKeyError) as caught:
                self.index.add(keys, codes)
            assert set(caught.value.keys) == present
            return
        self.index.add(keys, codes)
        self.model.update(zip(keys.tolist(), map(bytes, codes), strict=True))

    @rule(size=SIZES, seed=SEEDS)
    def add_ascending(self, size: int, seed: int) -> None:
        """Keys above all that are live."""
        self.add(max(self.model, default=-1) + 1 + np.arange(size, dtype=np.int64), seed)

    @rule(size=SIZES, seed=SEEDS)
    def add_free(self, size: int, seed: int) -> None:
        """Keys that are free, perhaps removed before, in any order."""
        rng = np.random.default_rng(seed)
        free = np.setdiff1d(rng.integers(-800, 800, size), list(self.model))
        self.add(rng.permutation(free).astype(np.int64), seed)

    @rule(keys=st.lists(st.integers(-800, 800), unique=True, max_size=5), seed=SEEDS)
    def add_any(self, keys: list[int], seed: int) -> None:
        """Keys that may be taken."""
        self.add(np.array(keys, np.int64), seed)

    @rule(seed=SEEDS, share=st.sampled_from([0.0, 0.02, 0.5, 1.0]))
    def remove(self, seed: int, share: float) -> None:
        """A share of the live keys, and some unknown and repeated ones."""
        rng = np.random.default_rng(seed)
        live = rng.permutation(np.array(list(self.model), np.int64))
        gone = live[: int(np.ceil(share * len(live)))]
        unknown = np.array([10**12, -(2**63)], np.int64)
        assert self.index.remove(np.concatenate([gone, unknown, gone[:3]])) == len(gone)
        for key in gone.tolist():
            del self.model[key]

    @rule(seed=SEEDS, radius=st.integers(0, 300), queries=st.integers(0, 6))
    def search(self, seed: int, radius: int, queries: int) -> None:
        """Queries as clumped as the codes, and one that is in the index."""
        keys, codes = self.arrays()
        wanted = clumped_codes(np.random.default_rng(seed), queries, self.bits)
        wanted = np.concatenate([wanted, codes[-1:]])
        truth = brute_force(codes, keys, wanted, 0 if self.exact else radius)
        assert rows(self.look(wanted, radius)) == rows(truth)

    @rule()
    def merge(self) -> None:
        """Make segments of what is sealed, and merge them."""
        self.index.settle()

    @rule(revision=st.integers(-(2**63), 2**63 - 1))
    def save(self, revision: int) -> None:
        """Save; later changes are not part of it."""
        self.index.save(Path(self.folder.name), revision)
        self.saved = (revision, dict(self.model))

    @precondition(lambda self: self.saved is not None)
    @rule(verify=st.booleans())
    def crash(self, *, verify: bool) -> None:
        """Lose what is in memory, and open what was saved last."""
        assert self.saved is not None
        path = Path(self.folder.name)
        self.index = self.make.open(path, bits=self.bits, verify=verify, **self.options)
        revision, model = self.saved
        assert self.index.revision == revision
        self.model = dict(model)

    @precondition(lambda self: self.saved is not None)
    @rule()
    def interrupted_save(self) -> None:
        """A save that ends before the manifest is replaced changes nothing that is saved."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("hashsvc_index.files.replace_file", _interrupted)
            with pytest.raises(InterruptedError):
                self.index.save(Path(self.folder.name), 0)

    def teardown(self) -> None:
        """Remove what was saved."""
        self.folder.cleanup()

    @invariant()
    def same_length(self) -> None:
        """The index counts live keys, and tells them."""
        assert len(self.index) == len(self.model)
        assert sorted(self.index.keys().tolist()) == sorted(self.model)


class HammingMachine(Machine):
    """Readers still read the snapshots that they took long ago; ranges of keys are told."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[tuple[Any, dict[int, bytes]]] = []

    @rule(first=st.integers(-810, 1_500), count=st.sampled_from([0, 1, 7, 300, 3_000]))
    def keys_between(self, first: int, count: int) -> None:
        """All live keys of a range are told, and none from outside of it."""
        told = self.index.keys_between(first, first + count).tolist()
        wanted = {key for key in self.model if first <= key < first + count}
        assert wanted <= set(told)
        assert all(first <= key < first + count for key in told)

    @rule(first=st.integers(-810, 1_500), count=st.sampled_from([1, 7, 100]))
    def remove_between(self, first: int, count: int) -> None:
        """What is told of a range and removed is what was live of it, and nothing else."""
        wanted = {key for key in self.model if first <= key < first + count}
        assert self.index.remove(self.index.keys_between(first, first + count)) == len(wanted)
        for key in wanted:
            del self.model[key]

    @precondition(lambda self: len(self.held) < 5)
    @rule()
    def hold(self) -> None:
        """Take a snapshot, as a search does when it begins."""
        self.held.append((self.index._snapshot, dict(self.model)))

    @invariant()
    def held_snapshots_stay(self) -> None:
        """Nothing that came later shows in a snapshot: no add, remove, growth or compaction."""
        for snapshot, model in self.held:
            keys, codes = snapshot.pairs()
            assert len(keys) == len(model)
            assert dict(zip(keys.tolist(), map(bytes, codes), strict=True)) == model
            assert snapshot.live == len(model)


class Hamming64(HammingMachine):
    """64 bits."""

    bits = 64


class Hamming256(HammingMachine):
    """256 bits."""

    bits = 256


class Digest256(Machine):
    """Exact lookup."""

    bits = 256
    exact = True


class Digest160(Machine):
    """Exact lookup of what is not a whole number of words."""

    bits = 160
    exact = True


SETTINGS = settings(max_examples=100, stateful_step_count=25, deadline=None)
TestHamming64 = Hamming64.TestCase
TestHamming64.settings = SETTINGS
TestHamming256 = Hamming256.TestCase
TestHamming256.settings = SETTINGS
TestDigest256 = Digest256.TestCase
TestDigest256.settings = SETTINGS
TestDigest160 = Digest160.TestCase
TestDigest160.settings = SETTINGS
