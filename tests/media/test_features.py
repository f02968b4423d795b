"""Local features as one value: what is read is what was written, as near as its steps are."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashsvc import feature_values, features
from hashsvc.features import Features
from tests import strategies

_STEP = 1 / 65_535


@st.composite
def found(draw: st.DrawFn) -> Features:
    """Features of any place, size and angle that a picture can have."""
    count = draw(st.integers(1, 30))
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shorter = draw(st.floats(_STEP, 1))
    shape = draw(st.sampled_from([(1.0, shorter), (shorter, 1.0)]))
    return Features(
        codes=chance.integers(0, 256, (count, feature_values.CODE_BYTES), np.uint8),
        places=chance.random((count, 2)) * shape,
        sizes=np.exp2(chance.uniform(-10, 5.9, count)),
        angles=chance.uniform(-math.tau, math.tau, count),
        shape=shape,
    )


def apart(one: np.ndarray, other: np.ndarray, turn: float) -> np.ndarray:
    """How far numbers are from each other where `turn` is as good as 0."""
    return np.asarray(np.abs((one - other + turn / 2) % turn - turn / 2))


@given(found())
def test_what_was_packed_is_unpacked_within_half_a_step(made: Features) -> None:
    """Codes as they were; places, sizes, angles and shape to the nearest step."""
    read = features.unpack(features.pack(made))
    assert feature_values.count(features.pack(made)) == len(read) == len(made)
    assert np.array_equal(read.codes, made.codes)
    assert np.abs(read.places - made.places).max() <= 0.501 * _STEP
    assert np.abs(np.log2(read.sizes / made.sizes)).max() <= 0.501 / 16
    assert apart(read.angles, made.angles, math.tau).max() <= 0.501 * math.tau / 256
    assert np.allclose(read.shape, made.shape, rtol=0, atol=0.501 * _STEP)


@given(strategies.local_values(most=30))
def test_any_value_of_whole_features_is_read_and_written_again(value: bytes) -> None:
    """To the byte, whatever its numbers are."""
    assert feature_values.problem(value, feature_values.MOST_KNOWN) == ""
    assert features.pack(features.unpack(value)) == value


@given(found())
def test_a_key_says_roughly_where_a_feature_is(made: Features) -> None:
    """Within half a step: an eighth of the picture, half an octave, a sixteenth of a turn."""
    keys = features.geometry(made)
    assert keys.min() >= 0
    assert keys.max() < 1 << features.GEOMETRY_BITS
    near = features.roughly(keys)
    assert np.abs(near.places - made.places).max() <= 1 / 16 + 1e-9
    assert apart(near.angles, made.angles, math.tau).max() <= math.tau / 32 + 1e-9
    # Sizes that ORB has, from 31 of 512 pixels on for eight half octaves.
    kept = (made.sizes >= 2**-4) & (made.sizes <= 2**-0.5)
    assert np.all(np.abs(np.log2(near.sizes / made.sizes))[kept] <= 0.25 + 1e-9)


_ONE = bytes([255, 255, 128, 0]) + bytes(feature_values.FEATURE_BYTES)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b"", "has 4 bytes and 38 for each feature, this one has 0"),
        (_ONE[:4], "this one has 4"),
        (_ONE[:-1], "this one has 41"),
        (_ONE + b"\0", "this one has 43"),
        (bytes(32), "this one has 32"),
        (_ONE + 256 * _ONE[4:], "has 257 features, 256 at most"),
        (bytes(2) + _ONE[2:], "without width or height"),
        (_ONE[:2] + bytes(2) + _ONE[4:], "without width or height"),
    ],
)
def test_what_is_no_value_is_said_to_be_wrong(value: bytes, words: str) -> None:
    """Not whole, empty, too long, or of a picture that has no shape; and it cannot be unpacked."""
    assert words in feature_values.problem(value, feature_values.MOST_KNOWN)
    if "at most" not in words:
        with pytest.raises(ValueError, match=words):
            features.unpack(value)
    assert feature_values.problem(_ONE, 1) == ""
