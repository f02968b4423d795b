"""Every engine of the index benchmark does what its row says, where its package is installed."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import measuring, peers
from benchmarks.datasets import make_codes, planted, score, truth_of
from benchmarks.engines import KINDS, Engine, Removing, Storing
from benchmarks.index import RADII

SIZE = 400
PAIRS = [
    (name, bits)
    for name, kind in KINDS.items()
    for bits in RADII
    if kind.bits is None or kind.bits == bits
]


def made(name: str, bits: int) -> Engine:
    """The engine, or a skipped test."""
    engine = peers.available(lambda: KINDS[name].make(bits, RADII[bits]))
    if engine is None:
        pytest.skip(f"the package of {name} is not installed")
    return engine


@pytest.mark.parametrize(("name", "bits"), PAIRS)
def test_what_an_engine_finds(name: str, bits: int) -> None:
    """An exact one everything, at its distance; an approximate one most, and nothing wrong."""
    rng = np.random.default_rng(1)
    codes = make_codes(SIZE, rng, bits)
    asked = planted(make_codes(50, rng, bits), 2, codes, RADII[bits], rng)
    engine = made(name, bits)
    engine.add(0, codes[:-1])
    engine.add(SIZE - 1, codes[-1:])
    answers = [engine.search(asked[row : row + 1]) for row in range(len(asked))]
    truth = truth_of(codes, asked, RADII[bits])
    assert sum(map(len, truth)) >= 25
    got = score(truth, answers)
    assert got["wrong"] == 0
    assert got["recall"] == 1 if engine.is_exact else got["recall"] > 0.8
    assert engine.search(codes[-1:]) >= {(SIZE - 1, 0)}


@pytest.mark.parametrize("name", KINDS)
def test_what_an_engine_can_besides(name: str, tmp_path: Path) -> None:
    """Batches, changes and files work, or are not said to."""
    rng = np.random.default_rng(1)
    codes = make_codes(SIZE, rng)
    engine = made(name, 256)
    engine.add(0, codes)
    if isinstance(engine, Storing):
        engine.save(tmp_path)
        assert engine.open(tmp_path) is not None
    nbytes, open_s = measuring.kept(engine, SIZE)
    assert (open_s is None) == (name == "numpy")
    assert nbytes is not None
    assert nbytes >= 32
    batch_us = measuring.batch_us(engine, codes[:3])
    assert (batch_us is None) == (name in ("numpy", "threatexchange"))
    assert measuring.add_us(engine, SIZE, 256, rng) > 0
    removes = isinstance(engine, Removing)
    assert removes == (name in ("hashsvc", "flat", "ivf", "usearch"))
    assert (measuring.remove_us(engine, np.arange(3)) is not None) == removes
    if removes:
        assert (1, 0) not in engine.search(codes[1:2])
