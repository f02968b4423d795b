"""HammingIndex: the edges of its contract."""

import doctest
from typing import Any

import numpy as np
import pytest

import hashsvc_index
from hashsvc_index import (
    CodeIndexError,
    DuplicateKeyError,
    HammingIndex,
    InvalidInputError,
    brute_force,
)
from tests.index.support import flipped, keys_of, random_codes, rows, spread


def test_example_in_the_docstring_runs() -> None:
    """What the package's docstring shows is what happens."""
    failed, tried = doctest.testmod(hashsvc_index)
    assert (failed, tried) == (0, 8)


@pytest.mark.parametrize("bits", [8, 16, 24, 64, 72, 128, 256, 320, 512])
@pytest.mark.parametrize("radius", [0, 1, 8, 31])
def test_every_distance_up_to_the_radius_and_none_beyond(bits: int, radius: int) -> None:
    """Flips spread over all words, at each distance from 0 to one past the radius."""
    centre = random_codes(np.random.default_rng(bits), 1, bits)
    distances = np.arange(min(radius + 1, bits) + 1)
    codes = np.array([flipped(centre[0], spread(int(d), bits)) for d in distances])
    index = HammingIndex(bits)
    index.add(distances + 100, codes)
    expected = [(0, int(d) + 100, int(d)) for d in distances if d <= radius]
    assert rows(index.search(centre, radius)) == expected
    assert rows(brute_force(codes, distances + 100, centre, radius)) == expected


@pytest.mark.parametrize("bits", [64, 256])
def test_runs_of_flips_at_every_place(bits: int) -> None:
    """A run of flips that starts at any bit counts in full, across the borders of words."""
    centre = random_codes(np.random.default_rng(1), 1, bits)
    codes = np.array([flipped(centre[0], (start + np.arange(9)) % bits) for start in range(bits)])
    index = HammingIndex(bits)
    index.add(np.arange(bits), codes)
    assert len(index.search(centre, 8)) == 0
    assert rows(index.search(centre, 9)) == [(0, key, 9) for key in range(bits)]


@pytest.mark.parametrize("bits", [64, 256])
def test_empty_index_and_no_queries(bits: int) -> None:
    """Nothing in, or nothing asked: no hits, with the documented dtypes."""
    index = HammingIndex(bits)
    query = np.zeros((2, bits // 8), np.uint8)
    assert (len(index), index.remove(keys_of(1)), index.bits) == (0, 0, bits)
    index.add(keys_of(), query[:0])
    for hits in (index.search(query, 0), index.search(query[:0], bits)):
        assert len(hits) == 0
        assert str(hits.query.dtype) == str(hits.key.dtype) == "int64"
        assert str(hits.distance.dtype) == "int32"
    index.add(keys_of(1), query[:1])
    assert len(index.search(query[:0], bits)) == 0


@pytest.mark.parametrize("bits", [64, 256])
def test_radius_beyond_the_length_finds_everything(bits: int) -> None:
    """Opposite codes are `bits` apart; a greater radius is the same as `bits`."""
    index = HammingIndex(bits)
    codes = np.array([[0] * (bits // 8), [255] * (bits // 8)], np.uint8)
    index.add(keys_of(1, 2), codes)
    everything = [(0, 1, 0), (0, 2, bits), (1, 2, 0), (1, 1, bits)]
    assert rows(index.search(codes, bits - 1)) == [(0, 1, 0), (1, 2, 0)]
    for radius in (bits, bits + 1, 10**30):
        assert rows(index.search(codes, radius)) == everything
        assert rows(brute_force(codes, keys_of(1, 2), codes, radius)) == everything


def test_keys_that_share_a_code_are_all_found() -> None:
    """Each key of a repeated code is a hit, ascending, until it is removed."""
    index = HammingIndex(64)
    code = random_codes(np.random.default_rng(2), 1, 64)
    index.add(keys_of(30, 10, 20), np.repeat(code, 3, axis=0))
    assert rows(index.search(code, 0)) == [(0, 10, 0), (0, 20, 0), (0, 30, 0)]
    assert index.remove(keys_of(20, 20, 99)) == 1
    assert rows(index.search(code, 0)) == [(0, 10, 0), (0, 30, 0)]
    index.add(keys_of(20), ~code)
    assert rows(index.search(code, 64)) == [(0, 10, 0), (0, 30, 0), (0, 20, 64)]


def test_extreme_keys() -> None:
    """The whole range of int64 is allowed."""
    index = HammingIndex(64)
    keys = keys_of(2**63 - 1, -(2**63), 0, -1)
    code = random_codes(np.random.default_rng(3), 1, 64)
    index.add(keys, np.repeat(code, 4, axis=0))
    assert index.search(code, 0).key.tolist() == sorted(keys.tolist())
    assert index.remove(keys) == 4


def test_arrays_that_are_views_or_read_only() -> None:
    """Strided and read-only input is read as what it says, and is not kept."""
    rng = np.random.default_rng(4)
    wide = random_codes(rng, 20, 128)
    codes, keys = wide[::2, 4:12], np.arange(20)[::2]
    index = HammingIndex(64)
    query = np.frombuffer(codes[3].tobytes(), np.uint8).reshape(1, 8)
    index.add(keys, codes)
    wide[:] = 0
    assert rows(index.search(query, 0)) == [(0, 6, 0)]


@pytest.mark.parametrize("live", [keys_of(1, 2, 3), keys_of(3, 1, 2)])
def test_duplicate_keys_change_nothing(live: Any) -> None:
    """One bad key refuses the call, names itself, and leaves no trace."""
    index = HammingIndex(64)
    codes = random_codes(np.random.default_rng(5), 4, 64)
    index.add(live, codes[:3])
    before = rows(index.search(codes, 64))
    for keys, bad in [((4, 2), (2,)), ((5, 4, 5), (5,)), ((1, 2, 3), (1, 2, 3)), ((9, 9), (9,))]:
        with pytest.raises(DuplicateKeyError, match=str(bad[0])) as caught:
            index.add(keys_of(*keys), codes[: len(keys)])
        assert caught.value.keys == bad
        assert isinstance(caught.value, CodeIndexError)
    assert rows(index.search(codes, 64)) == before
    assert len(index) == 3


def test_growth_keeps_rows_and_counts_bytes() -> None:
    """One row at a time over several growths; the memory follows, and shrinks with removal."""
    index, codes = HammingIndex(64), random_codes(np.random.default_rng(6), 1000, 64)
    for key in range(1000):
        index.add(keys_of(key), codes[key : key + 1])
    full = index.nbytes
    assert 1000 * 20 <= full <= 1000 * 20 * 1.3
    assert rows(index.search(codes, 0)) == [(key, key, 0) for key in range(1000)]
    assert index.remove(np.arange(900)) == 900
    assert index.nbytes < full / 5
    assert rows(index.search(codes, 0)) == [(key, key, 0) for key in range(900, 1000)]


GOOD_CODES = np.zeros((2, 8), np.uint8)


@pytest.mark.parametrize(
    ("keys", "codes", "says"),
    [
        (keys_of(1, 2), np.zeros((2, 7), np.uint8), "8 bytes wide .* not 7"),
        (keys_of(1, 2), np.zeros((2, 8), np.int8), "got dtype int8"),
        (keys_of(1, 2), np.zeros(8, np.uint8), r"got shape \(8,\)"),
        (keys_of(1, 2), [[0] * 8] * 2, "got list"),
        (np.array([1, 2], np.int32), GOOD_CODES, "got dtype int32"),
        (np.array([1, 2], np.uint64), GOOD_CODES, "got dtype uint64"),
        (np.array([[1, 2]]), GOOD_CODES, r"got shape \(1, 2\)"),
        ([1, 2], GOOD_CODES, "got list"),
        (keys_of(1), GOOD_CODES, "1 keys do not go with 2 codes"),
    ],
)
def test_wrong_input_is_named(keys: Any, codes: Any, says: str) -> None:
    """Every wrong array gives a ValueError that says what is wrong, and nothing is applied."""
    index = HammingIndex(64)
    with pytest.raises(ValueError, match=says) as caught:
        index.add(keys, codes)
    assert isinstance(caught.value, InvalidInputError)
    assert len(index) == 0


@pytest.mark.parametrize("radius", [-1, 1.0, "1", None])
def test_wrong_radius(radius: Any) -> None:
    """A radius is a whole number of 0 or more."""
    with pytest.raises(ValueError, match="radius must be"):
        HammingIndex(64).search(GOOD_CODES, radius)


@pytest.mark.parametrize("bits", [0, -8, 7, 65])
def test_wrong_length(bits: int) -> None:
    """A code is a whole number of bytes."""
    with pytest.raises(ValueError, match="multiple of 8"):
        HammingIndex(bits)


def test_wrong_arrays_elsewhere() -> None:
    """Search, remove and the reference check as add does."""
    index = HammingIndex(64)
    with pytest.raises(ValueError, match="8 bytes wide"):
        index.search(np.zeros((1, 32), np.uint8), 1)
    wrong: Any = np.array([1.0])
    with pytest.raises(ValueError, match="float64"):
        index.remove(wrong)
    with pytest.raises(ValueError, match="8 bytes wide"):
        brute_force(GOOD_CODES, keys_of(1, 2), np.zeros((1, 32), np.uint8), 1)
    with pytest.raises(ValueError, match="1 keys do not go with 2 codes"):
        brute_force(GOOD_CODES, keys_of(1), GOOD_CODES, 1)
