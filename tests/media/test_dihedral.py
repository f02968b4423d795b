"""The eight forms of a PDQ hash, and the step that Meta's C++ tool takes first."""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from hashsvc.media import Recipe, fingerprint_file
from hashsvc.media.pdq import FORMS, Spectrum, pdq, pdq_dihedral, pdq_spectrum
from hashsvc.media.raster import Raster
from hashsvc.media.variants import SHRUNK512
from tests.media.making import distance, pdq_of, photo

T = Image.Transpose
# What each form does to a picture, in Pillow's words, which are counter-clockwise too.
DONE: dict[str, Image.Transpose | None] = {
    "original": None,
    "rotate90": T.ROTATE_90,
    "rotate180": T.ROTATE_180,
    "rotate270": T.ROTATE_270,
    "flip_vertical": T.FLIP_TOP_BOTTOM,
    "flip_horizontal": T.FLIP_LEFT_RIGHT,
    "transpose": T.TRANSPOSE,
    "transverse": T.TRANSVERSE,
}
# The C++ tool's names, in our order.
PUBLISHED_NAMES = ("orig", "rot90", "rot180", "rot270", "flipx", "flipy", "flipp", "flipm")
# Its hash of a whole picture, at 0 bits from ours where it shrinks as it does; a JPEG decoder's
# rounding makes one differ.
SHRINKS_OTHERWISE = {"bridge-mods__sharpen-a-lot.jpg": 2}


def turned(rgb: NDArray[np.uint8], form: str) -> NDArray[np.uint8]:
    """A picture with a form's change made to it."""
    change = DONE[form]
    if change is None:
        return rgb
    return np.ascontiguousarray(Image.fromarray(rgb).transpose(change))


def photographs(shared_media: Path, step: int) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Some of the pictures of the stand-in media, as RGB."""
    for path in sorted((shared_media / "images").iterdir())[::step]:
        with Image.open(path) as picture:
            yield path.name, np.ascontiguousarray(picture.convert("RGB"))


def test_the_forms_have_pillows_names() -> None:
    """Every form is told by what it does."""
    assert tuple(DONE) == FORMS


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_the_hash_of_the_changed_picture(form: str) -> None:
    """But for the pixels that are sampled: an even box reaches one further right than left."""
    rgb = photo(300, 300, seed=5)
    forms, quality = pdq_dihedral(rgb)
    value, other_quality = pdq(turned(rgb, form))
    assert distance(forms[form], value) <= 10
    assert abs(quality - other_quality) <= 1
    assert all(distance(forms[form], forms[other]) > 60 for other in FORMS if other != form)


@given(seed=st.integers(0, 2**32 - 1), first=st.sampled_from(FORMS), second=st.sampled_from(FORMS))
def test_forms_compose_as_their_changes_do(seed: int, first: str, second: str) -> None:
    """A form of a changed picture is one of the original: the laws of the dihedral group."""
    marks = np.arange(9, dtype=np.uint8).reshape(3, 3, 1).repeat(3, axis=2)
    twice = turned(turned(marks, first), second)
    (both,) = (form for form in FORMS if np.array_equal(turned(marks, form), twice))
    spectrum = Spectrum(np.random.default_rng(seed).normal(size=(16, 16)), 100)
    assert changed(changed(spectrum, first), second).value() == spectrum.forms()[both]


def changed(spectrum: Spectrum, form: str) -> Spectrum:
    """The transform of the changed picture, from that of the picture by the definition."""
    frequency = np.arange(1, 17)[:, None]
    cosines = np.cos(np.pi / 128 * frequency * (2 * np.arange(64)[None, :] + 1))
    samples = cosines.T @ spectrum.coefficients @ cosines
    done = DONE[form]
    if done is not None:
        samples = np.asarray(Image.fromarray(samples.astype(np.float32)).transpose(done))
    return Spectrum(cosines @ samples.astype(np.float64) @ cosines.T / 32**2, spectrum.quality)


@given(height=st.integers(5, 200), width=st.integers(5, 200), seed=st.integers(0, 1000))
def test_the_original_form_is_the_hash(height: int, width: int, seed: int) -> None:
    """Whatever the size; and half of the bits are ones, but for ties at the median."""
    rgb = photo(height, width, seed)
    forms, quality = pdq_dihedral(rgb)
    assert (forms["original"], quality) == pdq(rgb)
    assert set(map(len, forms.values())) == {32}
    if quality:
        assert {int.from_bytes(value).bit_count() for value in forms.values()} <= {126, 127, 128}


def test_tiny_pictures_have_the_forms_of_nothing() -> None:
    """As their hash is zeros, so are all its forms."""
    assert pdq_dihedral(photo(4, 90, seed=1)) == (dict.fromkeys(FORMS, bytes(32)), 0)


def test_forms_are_those_of_pdqhash(shared_media: Path) -> None:
    """At 0 bits, but for ties at the median: 2 bits on at most one in a hundred."""
    oracle = pytest.importorskip("pdqhash")
    bits = []
    for _, rgb in photographs(shared_media, step=3):
        expected, _ = oracle.compute_dihedral(rgb)
        found, _ = pdq_dihedral(rgb)
        for value, reference in zip(found.values(), expected, strict=True):
            bits.append(distance(value, np.packbits(reference).tobytes()))
    assert len(bits) >= 8 * 60
    assert max(bits) <= 2
    assert sum(map(bool, bits)) <= 0.01 * len(bits)


def test_forms_are_those_of_the_cpp_tool(shared_media: Path) -> None:
    """Its published dihedral vectors: at 0, shrunk as it does; 8 on whole pictures, as upstream."""
    rows = table(shared_media / "vectors/pdq/dihedral_hashes.tsv")
    assert {row["transform"] for row in rows} == set(PUBLISHED_NAMES)
    recipe = Recipe(dihedral=True, shrunk512=True)
    for row in rows:
        path = shared_media / "vectors" / row["file"]
        form = FORMS[PUBLISHED_NAMES.index(row["transform"])]
        found = fingerprint_file(path, recipe=recipe)
        whole = pdq_of(found, form).value
        assert distance(whole, row["pdq_pypi_compute_dihedral"]) == 0, row
        assert distance(whole, row["pdq_cpp_reference"]) <= 8, row
        if max(found.width, found.height) > 512:
            shrunk = SHRUNK512 if form == "original" else f"{SHRUNK512}_{form}"
            assert distance(pdq_of(found, shrunk).value, row["pdq_cpp_reference"]) == 0, row


def test_shrunk_pictures_are_those_of_the_cpp_tool(shared_media: Path) -> None:
    """Every published value of its own, and what it made of every third stand-in picture."""
    references = [
        (shared_media / "vectors" / row["file"], row["expected_pdq"])
        for row in table(shared_media / "vectors/pdq/reference_hashes.tsv")
        if "C++" in row["implementation_note"] and row["file"] != "-"
    ]
    references += [
        (shared_media / row["file"], row["pdq_cpp_reference"])
        for row in table(shared_media / "vectors/dev_set/image_hashes.tsv")[::3]
    ]
    assert len(references) > 70
    shrunk = 0
    for path, expected in references:
        with Image.open(path) as picture:
            raster = Raster.of(picture.convert("RGB"))
        spectrum = raster.shrunk512()
        shrunk += spectrum is not None
        value = (spectrum or raster.spectrum()).value()
        assert distance(value, expected) <= SHRINKS_OTHERWISE.get(path.name, 0), path.name
    assert shrunk > 40


def table(path: Path) -> list[dict[str, str]]:
    """The rows of a table of reference values."""
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


@given(height=st.integers(1, 700), width=st.integers(513, 900))
def test_the_rule_of_shrinking(height: int, width: int) -> None:
    """Pixel x comes from pixel floor(x * width / 512), whatever the shape."""
    rgb = photo(height, width, seed=9)
    rows, columns = (np.arange(512) * length // 512 for length in (height, width))
    expected = pdq_spectrum(np.ascontiguousarray(rgb[rows][:, columns]))
    found = Raster.of(Image.fromarray(rgb)).shrunk512()
    assert found is not None
    assert np.array_equal(found.coefficients, expected.coefficients)


def test_what_fits_is_not_shrunk() -> None:
    """512 on both sides is what the tool hashes as it is."""
    assert Raster.of(Image.new("RGB", (512, 512))).shrunk512() is None
    assert Raster.of(Image.new("RGB", (30, 513))).shrunk512() is not None
