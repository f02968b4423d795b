"""Pictures that are set into others are found, however dull, and ordinary ones have few."""

import csv
import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from hashsvc.demo import samples
from hashsvc.media import FOR_CHECKS, FOR_LISTS, Recipe
from hashsvc.media.borders import Box
from hashsvc.media.insets import LEAST_INSET, insets, is_same
from hashsvc.media.pdq import FORMS
from hashsvc.media.raster import Raster
from hashsvc.media.variants import FRAMED, INSET, MOST_INSETS, variant_of
from hashsvc.model import Algorithm, Decoding, MediaFingerprints
from tests.media.making import distance, look, photo, saved

MATCH_BITS = 31
CHECKS = Recipe(insets=True, dihedral=True, plain=False)
BY_PDQ = Recipe(insets=True, algorithms=(Algorithm.PDQ,), plain=False, decoding=Decoding.FAST)
KNOWN = sorted(samples.KNOWN.glob("*.jpg"))
OTHERS = [path for path in sorted(samples.UNRELATED.glob("*.jpg")) if path.stem != "gradient"]


@functools.cache
def opened(path: Path) -> Image.Image:
    """A picture of the demo, of 800 pixels at most; not to be changed."""
    with Image.open(path) as picture:
        picture.thumbnail((800, 800))
        return picture.convert("RGB")


def set_into(
    picture: Image.Image, other: Image.Image, share: float, border: int = 0
) -> Image.Image:
    """A picture in another one, at a share of its width, off the middle."""
    page = ImageOps.fit(other, (900, 675))
    inset = ImageOps.contain(picture, (round(900 * share), round(675 * share)))
    inset = ImageOps.expand(inset, border, "white")
    page.paste(inset, ((900 - inset.width) // 3, (675 - inset.height) * 3 // 5))
    return page


def collage(pictures: Sequence[Image.Image], across: int, gap: int) -> Image.Image:
    """Pictures side by side in rows, the first one whole and the others cut to its shape."""
    width, height = ImageOps.contain(pictures[0], (400, 400)).size
    down = -(-len(pictures) // across)
    size = (across * (width + gap) - gap, down * (height + gap) - gap)
    page = Image.new("RGB", size, "white")
    for number, picture in enumerate(pictures):
        row, column = divmod(number, across)
        cell = ImageOps.fit(picture, (width, height))
        page.paste(cell, (column * (width + gap), row * (height + gap)))
    return page


def pdq_values(found: MediaFingerprints, variant: str) -> list[bytes]:
    """PDQ of all looks of one variant."""
    return [
        f.value for f in found.fingerprints if f.algorithm is Algorithm.PDQ and f.variant == variant
    ]


def is_found(picture: Image.Image, page: Image.Image, quality: int = 80) -> bool:
    """Whether an inset of the page matches the picture as a list has it."""
    value = Raster.of(picture).spectrum().value()
    looks = pdq_values(look(saved(page, "jpeg", quality=quality), BY_PDQ), INSET)
    assert len(looks) <= MOST_INSETS
    return any(distance(value, one) <= MATCH_BITS for one in looks)


def unrelated(number: int) -> Image.Image:
    """One of the unrelated pictures, by turns."""
    return opened(OTHERS[number % len(OTHERS)])


@pytest.mark.parametrize(
    ("share", "quality", "border", "most_missed"),
    [(0.5, 80, 0, 1), (0.35, 60, 0, 1), (0.35, 80, 3, 1), (0.25, 80, 0, 2)],
)
def test_a_picture_in_a_picture_is_found(
    share: float, quality: int, border: int, most_missed: int
) -> None:
    """At half and a third of the width all but one at most; at a quarter, two."""
    found = [
        is_found(opened(path), set_into(opened(path), unrelated(number), share, border), quality)
        for number, path in enumerate(KNOWN)
    ]
    assert sum(found) >= len(KNOWN) - most_missed


@pytest.mark.parametrize(
    ("across", "count", "gap"), [(2, 2, 8), (1, 2, 8), (2, 4, 0), (2, 4, 8), (3, 9, 0), (3, 9, 6)]
)
def test_a_picture_in_a_collage_is_found(across: int, count: int, gap: int) -> None:
    """With gaps and without, all but one at most."""
    found = [
        is_found(
            opened(path),
            collage([opened(path), *(unrelated(n + k) for k in range(1, count))], across, gap),
        )
        for n, path in [*enumerate(KNOWN)][::2]
    ]
    assert sum(found) >= len(found) - 1


def test_all_cells_of_a_grid_are_found() -> None:
    """Nine of nine, each where it is, and nothing else."""
    page = collage([opened(path) for path in (*KNOWN, *OTHERS[:2])], 3, 6)
    width, height = (page.width - 12) // 3, (page.height - 12) // 3
    found = insets(page.convert("L"))
    for row in range(3):
        for column in range(3):
            left, top = column * (width + 6), row * (height + 6)
            true = Box(top, top + height, left, left + width)
            assert any(is_same(true, box) for box in found), (row, column)
    assert len(found) == MOST_INSETS == 9


def test_dull_pictures_are_found() -> None:
    """In a mist that leaves no corner or texture, by their sides alone."""
    for path in KNOWN[:3]:
        blurred = opened(path).filter(ImageFilter.GaussianBlur(9))
        mist = blurred.point(lambda value: 100 + value * 2 // 5)
        assert is_found(mist, set_into(mist, unrelated(3), 0.5)), path.stem


def test_an_inset_is_mirrored_and_turned_as_the_whole_is() -> None:
    """PDQ in eight forms, and pHash, each under the same name for every inset."""
    page = collage([opened(path) for path in KNOWN[:4]], 2, 8)
    found = look(saved(page, "jpeg", quality=80), CHECKS).fingerprints
    names = [variant_of(INSET, form) for form in FORMS]
    given = [f.variant for f in found if f.algorithm is Algorithm.PDQ][len(FORMS) :]
    assert given == names * (len(given) // len(FORMS))
    assert len(given) >= 4 * len(FORMS)
    hashes = [f for f in found if f.algorithm is Algorithm.PHASH and f.variant == INSET]
    assert len(hashes) * len(FORMS) == len(given)


def test_an_inset_is_as_near_to_the_picture_as_its_own_pixels_are() -> None:
    """Shrunk to one size it is within a few bits, whatever size and shape it has in the page."""
    for number, path in enumerate(KNOWN):
        picture = opened(path)
        width = 150 + 70 * number
        small = picture.resize((width, round(width * picture.height / picture.width)))
        page = Raster.of(ImageOps.expand(small, 40, "grey"))
        part = page.shrunk_part(Box(40, 40 + small.height, 40, 40 + small.width))
        value = Raster.of(picture).spectrum().value()
        assert distance(part.spectrum().value(), value) <= 16, path.stem
        assert part.is_scaled


def test_plain_insets_are_not_hashed() -> None:
    """A coloured box in a picture is a box, and tells nothing."""
    page = ImageOps.fit(opened(KNOWN[0]), (900, 675))
    ImageDraw.Draw(page).rectangle((200, 150, 699, 524), fill=(200, 40, 30))
    raster = Raster.of(page)
    plain = [box for box in insets(raster.grey) if raster.part(box).spectrum().is_plain]
    assert any(is_same(box, Box(150, 525, 200, 700)) for box in plain)
    looks = pdq_values(look(saved(page, "png"), CHECKS), INSET)
    assert len(looks) == len(insets(raster.grey)) - len(plain)


def test_what_a_page_shows_is_looked_at_once() -> None:
    """The picture in a page is a box in it as well, but the same."""
    page = Image.new("RGB", (900, 1400), "white")
    page.paste(ImageOps.fit(opened(KNOWN[1]), (900, 700)), (0, 300))
    found = look(saved(page, "jpeg", quality=90), FOR_CHECKS)
    (framed,) = pdq_values(found, "trimmed") or pdq_values(found, FRAMED)
    assert all(distance(framed, one) > MATCH_BITS for one in pdq_values(found, INSET))


def test_lists_have_no_insets() -> None:
    """What is in a known picture is perhaps anybody's."""
    page = set_into(opened(KNOWN[0]), unrelated(0), 0.5)
    assert pdq_values(look(saved(page, "jpeg"), FOR_LISTS), INSET) == []
    assert pdq_values(look(saved(page, "jpeg"), FOR_CHECKS), INSET)


def test_ordinary_pictures_have_few_insets(shared_media: Path) -> None:
    """About one in a picture, and none in most; pictures of screens are full of them."""
    counts = []
    with (shared_media / "MANIFEST.tsv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["kind"] == "image"]
    for row in rows[::3]:
        if not row["group"].startswith("gb82sc"):
            with Image.open(shared_media / row["file"]) as picture:
                counts.append(len(insets(picture.convert("L"))))
    assert len(counts) > 50
    assert np.mean(counts) <= 1.2
    assert np.median(counts) == 0


def test_windows_of_different_screens_are_not_alike(shared_media: Path) -> None:
    """Boxes with the same bars and buttons are as far apart as any other pictures."""
    screens = [
        pdq_values(look(path.read_bytes(), BY_PDQ), INSET)
        for path in sorted((shared_media / "images").glob("gb82sc_*"))
    ]
    assert sum(map(len, screens)) > 20
    for number, boxes in enumerate(screens):
        others = [value for some in screens[number + 1 :] for value in some]
        for value in boxes:
            assert all(distance(value, other) > 2 * MATCH_BITS for other in others)


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 400),
    height=st.integers(1, 400),
    part=st.floats(0.1, 1),
    seed=st.integers(0, 99),
)
def test_what_is_found_is_a_part(width: int, height: int, part: float, seed: int) -> None:
    """Whatever the size; no more than so many, not too small, and none twice."""
    page = Image.fromarray(photo(height, width, seed))
    inner = round(width * part), round(height * part)
    if min(inner) > 0:
        page.paste(Image.fromarray(photo(inner[1], inner[0], seed + 1)), (width // 9, height // 9))
    found = insets(page.convert("L"))
    assert len(found) <= MOST_INSETS
    for number, box in enumerate(found):
        assert 0 <= box.top < box.bottom <= height
        assert 0 <= box.left < box.right <= width
        assert min(box.bottom - box.top, box.right - box.left) >= LEAST_INSET
        assert not any(is_same(box, other) for other in found[:number])
