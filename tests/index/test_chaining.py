"""Chains of near codes: what `link` leaves in the arrays that it fills."""

import numpy as np

from hashsvc_index import chaining


def test_places_without_a_pair_are_no_part_of_a_chain() -> None:
    """Whatever was in the arrays, a moment with fewer pairs than there is room for says so."""
    moments = np.arange(3.0)
    times = np.arange(3.0)
    pairs = np.full((3, chaining.PAIRS, 2), -1, np.int64)
    pairs[:, 0] = [[0, 0], [1, 0], [2, 0]]
    score = np.full((3, chaining.PAIRS), 9.0)
    before = np.full((3, chaining.PAIRS, 2), 7, np.int64)
    costs = np.array([64, 0.3, 0.1, 12.0, 24, 0.2, 0.5, 0.05])
    chaining.link(moments, pairs, times, times + 1, 0, costs, score, before)
    assert score[:, 0].tolist() == [1, 2, 3]
    assert before[:, 0].tolist() == [[-1, -1], [0, 0], [1, 0]]
    assert not score[:, 1:].any()
    assert (before[:, 1:] == -1).all()
