"""PDQ against published values and against another implementation."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from hashsvc.media import Recipe, fingerprint_file
from hashsvc.media.pdq import Side, pdq, pdq_spectrum, spectrum
from tests.media.making import distance, pdq_of, photo

# (file, hash, quality or None, most bits apart). Java and python-threatexchange read whole
# pictures as we do; the C++ and Python tools shrink larger ones first.
PUBLISHED = [
    ("dih__bridge-1-original.jpg", None, 0, "f8f8f0cee0f4a84f06370a22038f63f0"
     "b36e2ed596621e1d33e6b39c4e9c9b22"),
    ("dih__bridge-2-rotate-90.jpg", None, 0, "30a10efd71cc3d429013d48d0ffffc52"
     "e34e0e17ada952a9d29685211ea9e5af"),
    ("ptx__LA.png", 100, 0, "accb6d39648035f8125c8ce6ba65007d"
     "e7b54c67a2d93ef7b8f33b0611306715"),
    ("ptx__I16.png", 36, 0, "de2ef0e99ecdfc1d248a0eb055f023d1"
     "d61e79c3920cbb55d561c02accab1763"),
    ("ptx__rgb.jpeg", 100, 0, "fb4eed46cb8a6c78819ca06b756c541f"
     "7b07ef6d02c82fccd00f862166272cda"),
    ("bridge-mods__square-128x128.jpg", None, 0, "d8f8f1eec0f4a84f0e37022a078f63f0"
     "b36e2ed596621e1d33e6239c4e9c9b22"),
    ("bridge-mods__square-256x256.jpg", None, 0, "d8f8f0cec4f4a84f0637022a078f67f0"
     "b36e2ee5b6621e1d33e6239c4e9c9b22"),
    ("bridge-mods__square-512x512.jpg", None, 0, "d8f8f0cec0f4a84f0637022a278f67f0"
     "b36e2ed596621e1d33e6339c4e9c9b22"),
    ("misc-images__small.jpg", None, 16, "0007001f003f003f007f00ff00ff00ff"
     "01ff01ff01ff03ff03ff03ff03ff03ff"),
    ("misc-images__c.png", None, 16, "e4cc89d91c623842f8d1f1d9a398e78c"
     "9f199a3bf87925f2b7e11e0bf061b064"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "quality", "most", "expected"), PUBLISHED)
def test_published_hash(
    shared_media: Path, name: str, quality: int | None, most: int, expected: str
) -> None:
    """A value somebody else published comes out, at 0 bits where the reading is the same."""
    found = pdq_of(fingerprint_file(shared_media / "vectors/pdq/images" / name, recipe=Recipe()))
    assert distance(found.value, expected) <= most
    assert quality in (None, found.quality)


def test_all_published_hashes_within_upstream_tolerance(shared_media: Path) -> None:
    """Every published value is within the 16 bits that upstream allows its own tools."""
    vectors = shared_media / "vectors"
    with (vectors / "pdq" / "reference_hashes.tsv").open(encoding="utf-8") as table:
        rows = [row for row in csv.DictReader(table, delimiter="\t") if row["file"] != "-"]
    assert len(rows) > 30
    for row in rows:
        found = pdq_of(fingerprint_file(vectors / row["file"], recipe=Recipe()))
        assert distance(found.value, row["expected_pdq"]) <= 16, row["file"]


def test_dev_set_is_as_another_implementation_hashes_it(shared_media: Path) -> None:
    """A quarter of the real pictures, against values that pdqhash gave for them."""
    with (shared_media / "vectors/dev_set/image_hashes.tsv").open(encoding="utf-8") as table:
        rows = list(csv.DictReader(table, delimiter="\t"))[::4]
    exact = 0
    for row in rows:
        with Image.open(shared_media / row["file"]) as image:
            value, quality = pdq(np.asarray(image.convert("RGB")))
        bits = distance(value, row["pdq_pypi_pdqhash_0.2.8_rgb"])
        assert bits <= 2, row["file"]
        assert abs(quality - int(row["quality_pypi"])) <= 1, row["file"]
        exact += bits == 0
    assert exact >= 0.99 * len(rows)


@pytest.mark.parametrize(
    "size", [(240, 320), (480, 641), (64, 64), (64, 65), (5, 5), (300, 17), (129, 127), (4, 90)]
)
def test_oracle(size: tuple[int, int]) -> None:
    """Odd sizes against pdqhash itself, where it is installed."""
    oracle = pytest.importorskip("pdqhash")
    pixels = grainy(*size)
    bits, quality = oracle.compute(pixels)
    value, own_quality = pdq(pixels)
    assert distance(value, np.packbits(bits).tobytes()) <= 2
    assert abs(own_quality - quality) <= 1


def test_whole_and_by_bands_are_the_same(pixels: NDArray[np.uint8]) -> None:
    """Reading a picture by bands changes nothing, and no band is a large part of it."""
    bands = []

    def rows(first: int, last: int) -> NDArray[np.uint8]:
        bands.append(last - first)
        return pixels[first:last].copy()

    whole, by_bands = pdq_spectrum(pixels), spectrum(Side(240), Side(320), rows)
    assert (by_bands.value(), by_bands.quality) == (whole.value(), whole.quality) == pdq(pixels)
    assert max(bands) <= 240 // 64 + 2  # no band is more than a sliver of the picture


def grainy(height: int, width: int) -> NDArray[np.uint8]:
    """A picture so rough that it matters how it is filtered."""
    grain = np.random.default_rng(4).integers(0, 160, (height, width, 3))
    return (photo(height, width, seed=3) * 0.35 + grain).astype(np.uint8)


def test_direct_computation_by_the_definition() -> None:
    """The filter written out as the paper has it, without any of our shortcuts."""
    pixels = grainy(240, 320)
    luma = pixels.astype(np.float64) @ [0.299, 0.587, 0.114]
    for _ in range(2):
        for axis in (1, 0):
            luma = np.apply_along_axis(_box_filter, axis, luma)
    rows, columns = ([int((i + 0.5) * n / 64) for i in range(64)] for n in luma.shape)
    samples = luma[np.ix_(rows, columns)]
    i, j = np.arange(1, 17)[:, None], np.arange(64)[None, :]
    cosines = np.sqrt(2 / 64) * np.cos(np.pi / 128 * i * (2 * j + 1))
    coefficients = (cosines @ samples @ cosines.T).ravel()
    median = np.sort(coefficients)[127]
    expected = sum(1 << k for k in range(256) if coefficients[k] > median)
    assert distance(pdq(pixels)[0], expected.to_bytes(32, "big")) <= 2


def _box_filter(line: NDArray[np.float64]) -> NDArray[np.float64]:
    width = (len(line) + 127) // 128
    right = (width + 2) // 2
    starts = [max(0, k + right - width) for k in range(len(line))]
    return np.array([line[s : k + right].mean() for k, s in enumerate(starts)])


def test_flat_and_tiny_pictures_have_no_quality() -> None:
    """Nothing to see gives quality 0; less than five pixels gives zeros."""
    assert pdq(np.full((100, 100, 3), 90, np.uint8))[1] == 0
    assert pdq(photo(4, 200, seed=1)) == (bytes(32), 0)


@pytest.mark.parametrize(
    "wrong", [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 4), np.uint8), np.zeros((9, 9, 3))]
)
def test_wrong_arrays_are_refused(wrong: NDArray[np.uint8]) -> None:
    """Arrays of another type or shape are a mistake of the caller."""
    with pytest.raises(ValueError, match="expected uint8"):
        pdq(wrong)


@given(
    lengths=st.tuples(st.integers(16, 400), st.integers(16, 400)),
    scale=st.sampled_from([1, 2, 4, 8]),
    leads=st.tuples(st.integers(0, 7), st.integers(0, 7)),
    seed=st.integers(0, 1000),
)
def test_cells_of_equal_pixels_are_as_good_as_the_pixels(
    lengths: tuple[int, int], scale: int, leads: tuple[int, int], seed: int
) -> None:
    """A picture of blocks has the same transform from its blocks as from all its pixels."""
    down, across = (Side(n, scale, lead % scale) for n, lead in zip(lengths, leads, strict=True))
    shape = (down.cells, across.cells, 3)
    cells = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    blocks = cells.repeat(scale, axis=0).repeat(scale, axis=1)
    rows, columns = (slice(side.lead, side.lead + side.length) for side in (down, across))
    whole = pdq_spectrum(np.ascontiguousarray(blocks[rows, columns]))
    scaled = spectrum(down, across, lambda first, last: cells[first:last])
    assert np.allclose(scaled.coefficients, whole.coefficients, atol=0.01)
    assert abs(scaled.quality - whole.quality) <= 1
