"""What a recipe asks for is what comes out, and from how many pixels."""

import io
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import imagehash
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageCms

from hashsvc.errors import MediaTooLarge
from hashsvc.media import FOR_CHECKS, FOR_LISTS, Limits, Recipe, fingerprint_file, for_checks
from hashsvc.media.image import SHOWN
from hashsvc.media.pdq import FORMS
from hashsvc.media.raster import draft
from hashsvc.media.recipe import PERCEPTUAL
from hashsvc.media.variants import SHRUNK512
from hashsvc.model import Algorithm, Decoding, MediaFingerprints, UndeterminedReason
from tests.media.making import distance, look, movie, pdq_of, photo, saved

FAST = Recipe(decoding=Decoding.FAST)
EVERYTHING = Recipe(
    decoding=Decoding.FAST,
    algorithms=PERCEPTUAL,
    dihedral=True,
    dihedral_frames=True,
    shrunk512=True,
    rate=2.0,
)
ORIENTATION = 0x0112
FAST_BITS = 6


@pytest.fixture(scope="module")
def large() -> Image.Image:
    """Large enough for a quarter of its size, and of no round one: 1373 x 1027."""
    grain = np.random.default_rng(3).normal(0, 8, (1027, 1373, 1))
    return Image.fromarray((photo(1027, 1373, seed=8) + grain).clip(0, 255).astype(np.uint8))


def names(found: MediaFingerprints) -> list[str]:
    """Algorithms, with the variant where it is not the original."""
    return [
        f.algorithm if f.variant == "original" else f"{f.algorithm} {f.variant}"
        for f in found.fingerprints
    ]


def test_the_recipe_for_lists(large: Image.Image) -> None:
    """Exact, and nothing but what a list needs."""
    found = look(saved(large, "jpeg"), FOR_LISTS)
    assert names(found) == ["sha256", "md5", "pdq", "phash"]
    assert {f.decoding for f in found.fingerprints} == {Decoding.EXACT}
    assert found == look(saved(large, "jpeg"))


def test_the_recipe_for_checks(large: Image.Image) -> None:
    """Fast, in eight forms, and what the C++ tool would make as well; digests are exact anyway."""
    found = look(saved(large, "jpeg"), FOR_CHECKS)
    forms = ["pdq", *(f"pdq {form}" for form in FORMS[1:])]
    shrunk = [f"pdq {SHRUNK512}", *(f"pdq {SHRUNK512}_{form}" for form in FORMS[1:])]
    assert names(found) == ["sha256", "md5", *forms, *shrunk, "phash"]
    assert [f.decoding for f in found.fingerprints] == ["exact"] * 2 + ["fast"] * 17
    assert (found.width, found.height) == large.size
    whole = look(saved(large, "jpeg"), for_checks([Algorithm.ORB]))
    # Local features need more pixels than a picture of this size has to spare.
    assert names(whole) == [*names(found), "orb"]
    assert whole.fingerprints[-1].decoding is Decoding.EXACT


def test_all_that_can_be_asked_for(large: Image.Image) -> None:
    """Every algorithm, and both looks at PDQ in every form; the 64-bit ones have no forms."""
    found = look(saved(large, "png"), EVERYTHING)
    forms = [f"pdq {form}" for form in FORMS[1:]]
    shrunk = [f"pdq {SHRUNK512}_{form}" for form in FORMS[1:]]
    assert names(found) == [
        *("sha256", "md5", "pdq", *forms, f"pdq {SHRUNK512}", *shrunk, "phash", "dhash", "whash")
    ]
    assert {f.quality for f in found.fingerprints if f.algorithm is Algorithm.PDQ} == {100}


def test_only_what_is_asked_for_is_made(large: Image.Image) -> None:
    """In the order it is asked for, and nothing at all but digests if nothing is."""
    data = saved(large, "png")
    only = Recipe(algorithms=(Algorithm.DHASH, Algorithm.PDQ), shrunk512=True)
    assert names(look(data, only))[2:] == ["dhash", "pdq", "pdq shrunk512"]
    assert names(look(data, Recipe(algorithms=()))) == ["sha256", "md5"]


def test_the_shown_look_has_forms_and_is_not_shrunk(large: Image.Image) -> None:
    """The tool that shrinks knows no transparency."""
    glass = large.copy()
    glass.putalpha(large.convert("L"))
    found = names(look(saved(glass, "png"), EVERYTHING))
    assert found.count("pdq shown") == found.count(f"pdq {SHOWN}_flip_horizontal") == 1
    assert found.count("whash shown") == 1
    assert found.count(f"pdq {SHRUNK512}") == 1


@pytest.mark.parametrize("form", ["png", "jpeg"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_64_bit_hashes_are_those_of_imagehash(large: Image.Image, form: str, mode: str) -> None:
    """The same bits, although the picture is made grey only once."""
    data = saved(large.convert(mode), form)
    found = {f.algorithm: f.value for f in look(data, Recipe(algorithms=PERCEPTUAL)).fingerprints}
    with reopened(data) as picture:
        assert found[Algorithm.PHASH].hex() == str(imagehash.phash(picture))
        assert found[Algorithm.DHASH].hex() == str(imagehash.dhash(picture))
        assert found[Algorithm.WHASH].hex() == str(imagehash.whash(picture))


def reopened(data: bytes) -> Image.Image:
    """The picture in some bytes, decoded by Pillow alone."""
    return Image.open(io.BytesIO(data))


def test_a_video_is_hashed_in_every_form(tmp_path: Path) -> None:
    """Eight values for each sampled frame, with its time; all count against the limit."""
    movie(tmp_path / "clip.mp4", "mpeg4", seconds=2)
    path = tmp_path / "clip.mp4"
    plain = fingerprint_file(path, recipe=replace(FAST, rate=2.0)).fingerprints[2:]
    found = fingerprint_file(path, recipe=EVERYTHING).fingerprints[2:]
    assert [f for f in found if f.variant == "original"] == list(plain)
    assert len(found) == 8 * len(plain) == 32
    assert {f.decoding for f in found} == {Decoding.FAST}
    assert fingerprint_file(path, Limits(max_frames=32), EVERYTHING)
    with pytest.raises(MediaTooLarge, match="max_frames"):
        fingerprint_file(path, Limits(max_frames=31), EVERYTHING)


def progressive(picture: Image.Image) -> bytes:
    """A JPEG that is sent from coarse to fine."""
    return saved(picture, "jpeg", progressive=True, quality=85)


def full_colour(picture: Image.Image) -> bytes:
    """A JPEG that keeps as much colour as light."""
    return saved(picture, "jpeg", subsampling=0)


def with_profile(picture: Image.Image) -> bytes:
    """A JPEG with a colour profile, which the reference tools do not apply either."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    return saved(picture, "jpeg", icc_profile=profile)


JPEGS: dict[str, Callable[[Image.Image], bytes]] = {
    "baseline": lambda picture: saved(picture, "jpeg"),
    "progressive": progressive,
    "4:4:4": full_colour,
    "grey": lambda picture: saved(picture.convert("L"), "jpeg"),
    "CMYK, inverted by Adobe": lambda picture: saved(picture.convert("CMYK"), "jpeg"),
    "profile": with_profile,
}


@pytest.mark.parametrize("kind", JPEGS)
def test_every_kind_of_jpeg_can_be_scaled(large: Image.Image, kind: str) -> None:
    """Near the hashes of all its pixels, and these near those of the picture."""
    data = JPEGS[kind](large)
    exact, fast = look(data), look(data, FAST)
    assert (fast.width, fast.height) == (exact.width, exact.height) == large.size
    assert {f.decoding for f in fast.fingerprints[2:]} == {Decoding.FAST}
    assert distance(pdq_of(fast).value, pdq_of(exact).value) <= FAST_BITS
    assert abs((pdq_of(fast).quality or 0) - (pdq_of(exact).quality or 0)) <= 2
    assert distance(fast.fingerprints[3].value, exact.fingerprints[3].value) <= 4
    plain = pdq_of(look(saved(large.convert("L") if kind == "grey" else large, "png")))
    assert distance(pdq_of(exact).value, plain.value) <= 16


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(1373, 1027), (600, 1025)])
def test_scaled_pictures_are_set_upright(
    large: Image.Image, orientation: int, size: tuple[int, int]
) -> None:
    """All eight EXIF orientations, with cells that the picture's edge cuts at either end."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    data = saved(large.resize(size), "jpeg", exif=exif, quality=95)
    exact, fast = look(data, Recipe(shrunk512=True)), look(data, FOR_CHECKS)
    assert fast.fingerprints[2].decoding is Decoding.FAST
    assert (fast.width, fast.height) == (exact.width, exact.height)
    assert distance(pdq_of(fast).value, pdq_of(exact).value) <= 2
    shrunk = (pdq_of(found, SHRUNK512).value for found in (fast, exact))
    assert distance(*shrunk) <= 12


@pytest.mark.parametrize("form", ["png", "gif", "webp", "bmp", "tiff", "avif"])
def test_other_formats_are_always_exact(large: Image.Image, form: str) -> None:
    """There is no way to decode a part of them, and nothing claims so."""
    data = saved(large, form)
    assert look(data, FAST) == look(data)


def test_deep_grey_is_the_same_in_both_modes(pixels: NDArray[np.uint8]) -> None:
    """A 16-bit PNG is clipped as the reference does, and scaled for the look as shown."""
    grey = np.asarray(Image.fromarray(pixels).convert("L")).astype(np.uint16) * 257
    data = saved(Image.fromarray(grey), "png")
    assert look(data, FAST) == look(data, Recipe())
    assert names(look(data, FAST))[2:] == ["pdq", "phash", "pdq shown", "phash shown"]


@pytest.mark.parametrize(("shorter", "scale"), [(511, 1), (512, 2), (1024, 4), (2048, 8)])
def test_scaling_begins_at_512_pixels(shorter: int, scale: int) -> None:
    """At least 256 cells are left along the shorter side, so a smaller picture is exact."""
    data = saved(Image.new("RGB", (shorter * 2, shorter)), "jpeg")
    with reopened(data) as picture:
        assert draft(picture) == scale
        assert picture.height == math.ceil(shorter / scale) >= 256
    decoding = look(data, FAST).fingerprints[2].decoding
    assert decoding is (Decoding.EXACT if scale == 1 else Decoding.FAST)


def test_a_cut_jpeg_is_seen_as_far_as_it_goes(large: Image.Image) -> None:
    """In the fast mode too."""
    data = saved(large, "jpeg")
    found = look(data[: len(data) * 3 // 4], FAST)
    assert found.limitation is UndeterminedReason.UNREADABLE
    assert found.fingerprints[2].decoding is Decoding.FAST


@settings(max_examples=20, deadline=None)
@given(width=st.integers(512, 700), height=st.integers(512, 700), seed=st.integers(0, 1000))
def test_scaled_is_near_exact_at_any_size(width: int, height: int, seed: int) -> None:
    """The weights of a cell's pixels add up, wherever the cells end."""
    data = saved(Image.fromarray(photo(height, width, seed)), "jpeg", quality=95)
    assert distance(pdq_of(look(data, FAST)).value, pdq_of(look(data)).value) <= FAST_BITS


def test_scaled_is_near_exact_on_photographs(shared_media: Path) -> None:
    """A median of at most 2 bits and 6 at most; every third JPEG that is large enough."""
    bits = []
    for path in sorted((shared_media / "images").glob("*.jpg"))[::3]:
        fast = pdq_of(fingerprint_file(path, recipe=FAST))
        if fast.decoding is Decoding.FAST:
            bits.append(distance(fast.value, pdq_of(fingerprint_file(path)).value))
    assert len(bits) > 25
    assert np.median(bits) <= 2
    assert max(bits) <= FAST_BITS


def test_the_whole_is_hashed_as_without_a_closer_look_at_its_parts(large: Image.Image) -> None:
    """Insets are looked for in more cells; the whole is hashed in as few."""
    data = saved(large.resize((1100, 900)), "jpeg", quality=95)
    close, plain = (look(data, replace(FOR_CHECKS, insets=on)) for on in (True, False))
    assert names(close) == names(plain)
    for one, other in zip(close.fingerprints, plain.fingerprints, strict=True):
        assert one.decoding is other.decoding
        assert distance(one.value, other.value) <= 4
    assert pdq_of(close).decoding is Decoding.FAST


def test_a_recipe_survives_the_way_to_the_worker() -> None:
    """As JSON and back."""
    for recipe in (FOR_LISTS, FOR_CHECKS, for_checks([Algorithm.ORB]), EVERYTHING):
        assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


@pytest.mark.parametrize("rate", [0, -1, math.inf, math.nan])
def test_senseless_recipes_are_refused(rate: float) -> None:
    """A mistake of the caller."""
    with pytest.raises(ValueError, match="frames a second"):
        Recipe(rate=rate)
    with pytest.raises(ValueError, match="257 bits"):
        Recipe(distinct_bits=257)
    with pytest.raises(ValueError, match="digests come anyway"):
        Recipe(algorithms=(Algorithm.SHA256,))


def test_inverted_cmyk_is_noticed(large: Image.Image) -> None:
    """The control for the kinds of JPEG: the same inks the other way round are far away."""
    inverted = ImageChops.invert(large.convert("CMYK"))
    jpegs = (saved(picture, "jpeg") for picture in (inverted, large.convert("CMYK")))
    wrong, right = (pdq_of(look(jpeg, Recipe())).value for jpeg in jpegs)
    assert distance(wrong, right) > 100
