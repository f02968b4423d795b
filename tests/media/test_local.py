"""Which local features of a picture are kept: of all places and sizes, distinct, and no more."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from hashsvc import feature_values, features
from hashsvc.features import Features
from hashsvc.media import FOR_CHECKS, FOR_LISTS, for_checks
from hashsvc.media.local import local_features
from hashsvc.media.recipe import LOCAL_FOR_CHECKS, LOCAL_FOR_LISTS, Looking
from hashsvc.model import Algorithm, UndeterminedReason
from tests import plain
from tests.media.making import look, photo, saved
from tests.parts import letters, picture


def seen(shown: Image.Image, looking: Looking) -> Features:
    """The features of a picture."""
    value = local_features(shown.convert("L"), looking)
    assert value is not None
    return features.unpack(value)


def noise(width: int, height: int, dot: int = 4) -> Image.Image:
    """A picture with corners everywhere, about so many pixels apart."""
    chance = np.random.default_rng(0)
    dots = chance.integers(0, 256, (height // dot, width // dot), np.uint8)
    return Image.fromarray(dots).resize((width, height), Image.Resampling.BICUBIC)


def between(codes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Bits between each two different codes."""
    words = codes.view(np.uint64)
    bits = np.bitwise_count(words[:, None] ^ words[None]).sum(axis=2, dtype=np.int64)
    return np.asarray(bits[np.triu_indices(len(codes), 1)])


@pytest.mark.parametrize("looking", [LOCAL_FOR_LISTS, LOCAL_FOR_CHECKS])
def test_a_picture_has_the_same_features_each_time_and_no_more_than_asked(looking: Looking) -> None:
    """So that what is contributed twice is one entry, and memory is bounded."""
    grey = picture("meadow").convert("L")
    value = local_features(grey, looking)
    assert value is not None
    assert local_features(grey.copy(), looking) == value
    assert feature_values.count(value) == looking.most
    few = local_features(grey, Looking(most=20, side=256))
    assert few is not None
    assert feature_values.count(few) == 20


@pytest.mark.parametrize("shown", ["meadow", "letters"])
def test_no_two_features_of_a_list_look_alike(shown: str) -> None:
    """Within 24 bits: what is there twice speaks for neither place."""
    page = picture("meadow") if shown == "meadow" else letters("e", 40)
    codes = seen(page, LOCAL_FOR_LISTS).codes
    assert between(codes).min(initial=256) > 24
    assert between(seen(page, LOCAL_FOR_CHECKS).codes).min() <= 24


@pytest.mark.parametrize("kind", ["flat", "gradient"])
def test_plain_pictures_have_none(kind: str) -> None:
    """And are said to have too little information, not to have been looked at."""
    data = plain.picture(kind, 1)
    found = look(data, for_checks([Algorithm.ORB]))
    assert not any(f.algorithm.is_local for f in found.fingerprints)
    assert found.limitation is UndeterminedReason.LOW_INFORMATION


def test_parts_keep_their_share() -> None:
    """A half that is a little duller has nearly half, so has each size; by strength alone not."""
    shown = np.array(noise(512, 512, dot=12), np.float64)
    shown[:, :256] = 128 + (shown[:, :256] - 128) * 0.9
    found = seen(Image.fromarray(shown.astype(np.uint8)), LOCAL_FOR_LISTS)
    assert 0.4 < (found.places[:, 0] < 0.5).mean() < 0.6
    cells = (found.places * 4).astype(int)
    _, counts = np.unique(cells[:, 0] * 4 + cells[:, 1], return_counts=True)
    assert len(counts) == 16
    assert counts.min() >= 5
    is_large = found.sizes >= 2 * 0.99 * found.sizes.min()
    assert 0.4 < is_large.mean() < 0.6


def test_features_of_a_copy_are_where_they_were() -> None:
    """In shares of the longer side, whatever the size: sizes and angles too."""
    shown = picture("fig")
    small = shown.resize((shown.width * 3 // 4, shown.height * 3 // 4), Image.Resampling.LANCZOS)
    one, other = seen(shown, LOCAL_FOR_LISTS), seen(small, LOCAL_FOR_CHECKS)
    assert np.allclose(one.shape, other.shape, atol=0.002)
    bits = np.bitwise_count(one.codes.view(np.uint64)[:, None] ^ other.codes.view(np.uint64)[None])
    apart = bits.sum(axis=2, dtype=np.int64)
    nearest = apart.argmin(axis=1)
    same = apart.min(axis=1) <= 16
    assert same.sum() > 24
    assert np.median(np.abs(one.places[same] - other.places[nearest[same]])) < 0.003
    assert np.median(np.abs(np.log2(one.sizes[same] / other.sizes[nearest[same]]))) < 0.2
    turn = one.angles[same] - other.angles[nearest[same]]
    assert np.median(np.abs((turn + math.pi) % math.tau - math.pi)) < 0.1


@pytest.mark.parametrize("size", [(3000, 2000), (64, 64), (90, 900), (120, 90)])
def test_large_small_and_narrow_pictures_have_features(size: tuple[int, int]) -> None:
    """Whose places are within the picture."""
    for looking in (LOCAL_FOR_LISTS, LOCAL_FOR_CHECKS):
        found = seen(noise(*size), looking)
        assert len(found) >= 5
        assert np.allclose(found.shape, np.array(size) / max(size), atol=0.01)
        assert (found.places >= 0).all()
        assert (found.places <= found.shape).all()


@pytest.mark.parametrize("size", [(8, 8), (1, 1), (600, 8), (40, 900)])
def test_pictures_of_a_few_pixels_have_none(size: tuple[int, int]) -> None:
    """There is no room for a patch around a corner, nor in a strip of 1 to 20."""
    grey = Image.fromarray(photo(size[1], size[0], seed=1)).convert("L")
    assert local_features(grey, LOCAL_FOR_CHECKS) is None


def test_recipes_say_who_gets_them() -> None:
    """An upload where lists hold any, an entry where its list takes them; and else nobody."""
    data = saved(picture("coffee"), "JPEG", quality=90)
    checked = look(data, for_checks({Algorithm.PDQ, Algorithm.ORB})).fingerprints
    assert [f.algorithm for f in checked].count(Algorithm.ORB) == 1
    for recipe in (FOR_LISTS, FOR_CHECKS, for_checks(set(Algorithm) - {Algorithm.ORB})):
        assert not any(f.algorithm.is_local for f in look(data, recipe).fingerprints)
