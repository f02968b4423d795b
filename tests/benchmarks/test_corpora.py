"""The made-up codes are what they are said to be, and the truth about them is the truth."""

import numpy as np
import pytest

from benchmarks.corpora import CORPORA, queries_of
from benchmarks.datasets import RADIUS, Codes, make_codes, planted, truth_of
from hashsvc_index import brute_force


def drawn(kind: str, count: int, seed: int = 1) -> Codes:
    """Codes of a corpus."""
    return CORPORA[kind](256, np.random.default_rng(seed))(count)


def set_bits(codes: Codes) -> np.typing.NDArray[np.int64]:
    """How many bits are set in each code."""
    counts: np.typing.NDArray[np.int64] = np.bitwise_count(codes).sum(axis=1, dtype=np.int64)
    return counts


@pytest.mark.parametrize("kind", CORPORA)
@pytest.mark.parametrize("count", [0, 1, 7, 300])
def test_as_many_codes_as_asked_for(kind: str, count: int) -> None:
    """The same ones for the same seed."""
    codes = drawn(kind, count)
    assert codes.shape == (count, 32)
    assert codes.dtype == np.uint8
    assert np.array_equal(codes, drawn(kind, count))
    assert not count or not np.array_equal(codes, drawn(kind, count, seed=2))


@pytest.mark.parametrize("kind", ["biased", "clustered", "uniform"])
def test_codes_drawn_later_have_the_same_biases(kind: str) -> None:
    """Queries come from where the stored codes come from."""
    draw = CORPORA[kind](256, np.random.default_rng(1))
    first, later = (np.unpackbits(draw(3000), axis=1).mean(axis=0) for _ in range(2))
    alike = np.corrcoef(first, later)[0, 1]
    assert alike > 0.9 if kind != "uniform" else abs(alike) < 0.3


def test_clustered_codes_are_near_each_other() -> None:
    """A fifth of them is."""
    codes = drawn("clustered", 1000)
    near = [len(found) > 1 for found in truth_of(codes, codes, radius=80)]
    assert 0.15 < np.mean(near) < 0.35


def test_half_of_a_pdq_value_is_set() -> None:
    """The threshold is the median."""
    assert (set_bits(drawn("pdq", 500)) == 128).all()


def test_pdq_has_runs_of_frames_and_plain_ones() -> None:
    """Neighbours a few bits apart, some codes many times, and pictures like nothing else."""
    codes = drawn("pdq", 20_000)
    to_next = set_bits(codes[:-1] ^ codes[1:])
    close = (to_next > 0) & (to_next < 40)
    assert 0.2 < close.mean() < 0.26
    assert 4 < np.median(to_next[close]) < 12
    repeated = len(codes) - len(np.unique(codes, axis=0))
    assert 0.01 < repeated / len(codes) < 0.02
    alone = [len(found) == 1 for found in truth_of(codes, codes[:200])]
    assert np.mean(alone) > 0.95


def test_pdq_has_one_length() -> None:
    """Said to the user."""
    with pytest.raises(SystemExit, match="256 bits"):
        CORPORA["pdq"](64, np.random.default_rng(1))


@pytest.mark.parametrize("kind", CORPORA)
def test_one_query_in_a_hundred_hits(kind: str) -> None:
    """Of clustered codes every second one does."""
    rng = np.random.default_rng(1)
    draw = CORPORA[kind](256, rng)
    codes = draw(2000)
    asked = queries_of(kind, draw, codes, 300, RADIUS, rng)
    hit = sum(map(bool, truth_of(codes, asked)))
    assert hit == (150 if kind == "clustered" else 3)


@pytest.mark.parametrize(("bits", "radius"), [(256, 31), (64, 8), (64, 64)])
def test_truth_is_that_of_the_reference(bits: int, radius: int) -> None:
    """Also where everything hits."""
    rng = np.random.default_rng(1)
    codes = make_codes(300, rng, bits)
    asked = planted(make_codes(20, rng, bits), 2, codes, radius, rng)
    asked[1] = ~codes[0]
    hits = brute_force(codes, np.arange(len(codes)), asked, radius)
    expected = set(zip(hits.query.tolist(), hits.key.tolist(), hits.distance.tolist(), strict=True))
    truth = truth_of(codes, asked, radius)
    assert {(query, *hit) for query, found in enumerate(truth) for hit in found} == expected
