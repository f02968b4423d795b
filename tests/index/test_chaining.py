"""Chains of near pairs, beside what plain loops over everything give."""

import json
import os
import subprocess
import sys

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hashsvc_index import chaining
from hashsvc_index.compiled import WITHOUT

REACH, APART = 64, 0.2
COSTS = np.array([REACH, 0.3, 0.1, 12.0, 96, 0.2, 0.5, 0.05])


def codes(count: int, seed: int, near: int = 256) -> np.ndarray:
    """Codes uint64 (count, 4), each up to `near` random bits from the one before."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2, 256, dtype=np.uint8)
    rows = []
    for _ in range(count):
        bits = bits.copy()
        bits[rng.choice(256, int(rng.integers(0, near)), replace=False)] ^= 1
        rows.append(np.packbits(bits).tobytes())
    return np.frombuffer(b"".join(rows), np.uint64).reshape(-1, 4)


def looks(some: np.ndarray) -> np.ndarray:
    """The same as moments of one look each."""
    return np.repeat(some[:, None], chaining.LOOKS, axis=1)


def distances(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Bits between all of them."""
    bits: np.ndarray = np.bitwise_count(some[:, None] ^ others[None]).sum(axis=2)
    return bits


@settings(max_examples=40)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 60), st.integers(0, 99))
def test_pairs_are_the_nearest_ones(n: int, m: int, near: int, seed: int) -> None:
    """All are within reach, apart in time, in order, and nothing nearer was left out."""
    known, upload = codes(m, seed, near), codes(n, seed, near)
    times = np.arange(m) / 4
    pairs = chaining.nearest(looks(upload), known, times, REACH, APART)
    for moment, bits in enumerate(distances(upload, known)):
        rows = [int(row) for row, _ in pairs[moment] if row >= 0]
        assert rows == sorted(rows)
        assert [int(b) for row, b in pairs[moment] if row >= 0] == bits[rows].tolist()
        within = np.flatnonzero(bits <= REACH)
        assert len(rows) == min(len(within), chaining.PAIRS)
        if len(within) > chaining.PAIRS:
            assert bits[rows].max() <= np.sort(bits[within])[chaining.PAIRS - 1]


def test_of_pairs_at_one_moment_the_nearer_counts() -> None:
    """Frames a fifth of a second apart show the same."""
    known = codes(3, seed=1, near=20)
    pairs = chaining.nearest(looks(known[1:2]), known, np.array([0.0, 0.1, 0.2]), REACH, APART)
    assert pairs[0, :2].tolist() == [[1, 0], [-1, -1]]


def test_a_second_look_counts_where_it_is_nearer() -> None:
    """A moment is as near as the nearest of its looks."""
    known, other = codes(1, seed=1), codes(1, seed=2)
    both = np.stack((other, known), axis=1)
    assert chaining.nearest(both, known, np.zeros(1), REACH, APART)[0, 0].tolist() == [0, 0]


def linked(
    moments: np.ndarray, pairs: np.ndarray, times: np.ndarray, until: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Scores and predecessors, from arrays full of rubbish."""
    score = np.full((len(moments), chaining.PAIRS), 1e9)
    before = np.full((len(moments), chaining.PAIRS, 2), 12345, np.int64)
    chaining.link(moments, pairs, times, until, 0, COSTS, score, before)
    return score, before


@settings(max_examples=40)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 99))
def test_chains_go_forward_on_both_sides_at_the_same_pace(n: int, m: int, seed: int) -> None:
    """Every link fits; and whatever was in the arrays before plays no part."""
    known = codes(m, seed, near=30)
    upload = known[np.sort(np.random.default_rng(seed).integers(0, m, n))]
    times = np.arange(m) / 2
    until = times + 0.5
    moments = np.arange(n) / 2
    pairs = chaining.nearest(looks(upload), known, times, REACH, APART)
    score, before = linked(moments, pairs, times, until)
    for moment in range(n):
        for pair in range(chaining.PAIRS):
            row = pairs[moment, pair, 0]
            earlier, other = before[moment, pair]
            if row < 0:
                assert (score[moment, pair], earlier, other) == (0, -1, -1)
                continue
            own = 1 - pairs[moment, pair, 1] / REACH
            assert score[moment, pair] >= own - 1e-9
            if earlier >= 0:
                past = pairs[earlier, other, 0]
                passed = moments[moment] - moments[earlier]
                assert passed > 0
                assert times[row] - until[past] - 0.3 <= 1.1 * passed + 1e-9
                assert until[row] - times[past] + 0.3 >= 0.9 * passed - 1e-9


def test_a_copy_is_one_chain() -> None:
    """From its first to its last moment."""
    known = codes(40, seed=3)
    times = np.arange(40) / 4
    pairs = chaining.nearest(looks(known), known, times, REACH, APART)
    score, before = linked(times, pairs, times, times + 0.25)
    moment, pair, length = 39, int(score[39].argmax()), 1
    while before[moment, pair, 0] >= 0:
        moment, pair = (int(x) for x in before[moment, pair])
        length += 1
    assert (moment, length) == (0, 40)
    assert score.max() == score[39].max()


def test_along_a_line_the_place_and_the_rest_are_told_apart() -> None:
    """The bits to the frame there, its row, and the median of those to all that is elsewhere."""
    known = codes(30, seed=5)
    times = np.arange(30.0)
    found = chaining.along(looks(known), times, known, times, times + 1, 0.15, 2.0)
    bits = distances(known, known)
    for moment in range(30):
        away = np.sort(bits[moment][np.abs(times - moment) >= 2])
        assert found[moment].tolist() == [0, moment, away[(len(away) - 1) // 2]]
    outside = chaining.along(looks(known[:1]), np.array([99.0]), known, times, times + 1, 0.15, 2.0)
    assert outside[0, :2].tolist() == [-1, -1]


_EVERYTHING = """
import json
import numpy as np
from hashsvc_index import chaining
rng = np.random.default_rng(7)
known = rng.integers(0, 2**63, (12, 4), dtype=np.uint64)
looks = np.repeat(known[3:9, None], chaining.LOOKS, axis=1)
times = np.arange(12.0)
pairs = chaining.nearest(looks, known, times, 64, 0.2)
score = np.empty((6, chaining.PAIRS))
before = np.empty((6, chaining.PAIRS, 2), np.int64)
costs = np.array([64, 0.3, 0.1, 12.0, 96, 0.2, 0.5, 0.05])
chaining.link(times[:6], pairs, times, times + 1, 0, costs, score, before)
found = chaining.along(looks, times[3:9], known, times, times + 1, 0.15, 2.0)
print(json.dumps([x.tolist() for x in (pairs, score, before, found)]))
"""


def test_without_numba_the_answers_are_the_same() -> None:
    """Only slower."""
    answers = []
    for value in ("", "1"):
        run = subprocess.run(
            [sys.executable, "-c", _EVERYTHING],
            env=os.environ | {WITHOUT: value},
            capture_output=True,
            text=True,
            check=True,
        )
        answers.append(json.loads(run.stdout))
    assert answers[0] == answers[1]
