"""What is inside of borders, captions and screenshots is found to the pixel, or left alone."""

import csv
import io
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from hashsvc.demo import samples
from hashsvc.media import FOR_CHECKS, FOR_LISTS, Recipe, fingerprint
from hashsvc.media.borders import Box
from hashsvc.media.framing import insides
from hashsvc.media.pdq import FORMS
from hashsvc.media.raster import Raster, draft, sides
from hashsvc.media.variants import FRAMED, TRIMMED, variant_of
from hashsvc.model import Algorithm, Decoding, MediaFingerprints
from tests.media.making import distance, look, pdq_of, photo, saved

BOTH = (TRIMMED, FRAMED)
PHOTOGRAPHS = ("fig.jpg", "wine.jpg", "coffee.jpg")
Placed = tuple[Image.Image, Box]
Colour = tuple[int, int, int]


def known(name: str) -> Image.Image:
    """A photograph of the demo."""
    with Image.open(samples.KNOWN / name) as picture:
        return picture.convert("RGB")


def placed(picture: Image.Image, page: Image.Image, left: int, top: int) -> Placed:
    """A picture put on a page, and where it is."""
    page.paste(picture, (left, top))
    return page, Box(top, top + picture.height, left, left + picture.width)


def bordered(picture: Image.Image, colour: Colour, across: int, down: int) -> Placed:
    """A picture with borders of so many pixels."""
    size = (picture.width + 2 * across, picture.height + 2 * down)
    return placed(picture, Image.new("RGB", size, colour), across, down)


def write(page: Image.Image, left: int, top: int, size: int, text: str, colour: str) -> None:
    """Write a line of text."""
    ImageDraw.Draw(page).text((left, top), text, colour, ImageFont.load_default(size))


def captioned(picture: Image.Image, above: int, below: int, dark: bool) -> Placed:
    """A picture with bars of so many lines of text."""
    paper, ink = ("black", "white") if dark else ("white", "black")
    line = picture.height // 10
    size = (picture.width, picture.height + line * (above + below))
    page = Image.new("RGB", size, paper)
    for number in range(above + below):
        top = line * number + (picture.height if number >= above else 0)
        write(page, line, top + line // 5, line // 2, "everybody has to look at this", ink)
    return placed(picture, page, 0, line * above)


def screenshot(picture: Image.Image, dark: bool, margin: int) -> Placed:
    """A telephone's screen: status bar, a name, the picture, buttons, comments, navigation."""
    paper, ink = ("black", "white") if dark else ("white", "black")
    page = Image.new("RGB", (720, 1560), paper)
    draw = ImageDraw.Draw(page)
    write(page, 30, 14, 26, "9:41", ink)
    draw.rectangle((640, 18, 690, 36), fill=ink)
    draw.rectangle((0, 56, 720, 130), fill=(60, 90, 150))
    draw.ellipse((24, 150, 84, 210), fill=(200, 120, 80))
    write(page, 100, 160, 26, "somebody.else", ink)
    shown = ImageOps.contain(picture, (720 - 2 * margin, 820))
    left, top = (720 - shown.width) // 2, 230
    for number in range(3):
        at = 30 + 70 * number, top + shown.height + 22
        draw.ellipse((*at, at[0] + 40, at[1] + 40), outline=ink, width=4)
    for y in range(top + shown.height + 90, 1400, 40):
        write(page, 30, y, 24, "one more word about this picture"[: 12 + y % 17], ink)
    draw.line((0, 1450, 720, 1450), fill="grey", width=2)
    for number in range(5):
        draw.rectangle((50 + 140 * number, 1480, 90 + 140 * number, 1520), outline=ink, width=4)
    return placed(shown, page, left, top)


def website(picture: Image.Image, dark: bool) -> Placed:
    """A browser's window: a bar above, lists at both sides, the picture on a card between."""
    paper, card, ink = ("#18191a", "#242526", "white") if dark else ("#f0f2f5", "white", "black")
    page = Image.new("RGB", (1280, 800), paper)
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 0, 1280, 50), fill=card)
    draw.rectangle((320, 60, 900, 800), fill=card)
    for y in range(70, 780, 50):
        draw.ellipse((12, y, 44, y + 32), fill=(y % 256, 90, 140))
        write(page, 60, y, 18, "another group", ink)
        write(page, 950, y, 18, "somebody else", ink)
    write(page, 340, 72, 20, "somebody", ink)
    shown = ImageOps.contain(picture, (580, 560))
    write(page, 340, 130 + shown.height, 18, "many people like this", ink)
    return placed(shown, page, 320 + (580 - shown.width) // 2, 110)


def on_itself(picture: Image.Image) -> Placed:
    """A picture on a blurred copy of itself, as wide screens and high ones get it."""
    wide = picture.width < picture.height
    size = (picture.height * 16 // 9, picture.height)
    size = size if wide else (picture.width, picture.width * 16 // 9)
    page = ImageOps.fit(picture, size).filter(ImageFilter.GaussianBlur(min(size) / 25))
    return placed(picture, page, (size[0] - picture.width) // 2, (size[1] - picture.height) // 2)


def found_in(page: Image.Image, quality: int) -> dict[str, Box]:
    """What is found after the page was stored as a JPEG."""
    with Image.open(io.BytesIO(saved(page, "jpeg", quality=quality))) as picture:
        return dict(insides(picture.convert("L"), BOTH))


def is_exact(found: Box, true: Box) -> bool:
    """Whether no edge is off by more than 0.5 % of its side, or two pixels."""
    height, width = true.bottom - true.top, true.right - true.left
    most = [max(2.0, 0.005 * side) for side in (height, height, width, width)]
    pairs = zip(astuple(found), astuple(true), most, strict=True)
    return all(abs(one - other) <= bound for one, other, bound in pairs)


@pytest.mark.parametrize("quality", [90, 40])
@pytest.mark.parametrize(
    "colour", [(0, 0, 0), (255, 255, 255), (200, 30, 40), (128, 128, 128)], ids=str
)
def test_empty_borders_are_trimmed_exactly(colour: Colour, quality: int) -> None:
    """Of any colour, all around, above and below, or at the sides; there is no second look."""
    for name in PHOTOGRAPHS:
        for across, down in ((30, 30), (0, 120), (140, 0), (200, 200)):
            page, box = bordered(known(name), colour, across, down)
            found = found_in(page, quality)
            assert list(found) == [TRIMMED], (name, across, down)
            assert is_exact(found[TRIMMED], box), (name, across, down)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(("above", "below"), [(1, 0), (0, 2), (2, 1)])
def test_captions_are_cut_off_for_the_framed_look_alone(above: int, below: int, dark: bool) -> None:
    """The bar is not empty: what is trimmed, as for lists too, keeps the words."""
    for name in PHOTOGRAPHS:
        page, box = captioned(known(name), above, below, dark)
        found = found_in(page, 80)
        assert list(found) == [FRAMED], name
        assert is_exact(found[FRAMED], box), name


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("make", [lambda p, dark: screenshot(p, dark, 0), website])
def test_the_picture_in_a_screenshot_is_found(
    make: Callable[[Image.Image, bool], Placed], dark: bool
) -> None:
    """Amid bars, buttons, names and comments, light and dark, on a telephone and a computer."""
    for name in PHOTOGRAPHS:
        page, box = make(known(name), dark)
        assert is_exact(found_in(page, 75)[FRAMED], box), name


def test_a_picture_on_a_margin_is_found_in_a_screenshot() -> None:
    """Columns are cut as rows are."""
    page, box = screenshot(known("fig.jpg"), dark=False, margin=40)
    assert is_exact(found_in(page, 75)[FRAMED], box)


def test_a_picture_on_a_blurred_copy_of_itself_is_found() -> None:
    """The blur has no colour of its own but is as wide on either side; else it is a picture's."""
    for name in ("fig.jpg", "wine.jpg"):
        page, box = on_itself(known(name))
        assert is_exact(found_in(page, 85)[FRAMED], box), name
        uneven = page.crop((page.width // 12, page.height // 12, page.width, page.height))
        assert found_in(uneven, 85) == {}, name


def test_a_plain_sky_belongs_to_the_picture() -> None:
    """Its lines are as empty as those of the border, whose straight edge is further out."""
    picture = known("fig.jpg")
    ImageDraw.Draw(picture).polygon(
        [(0, 0), (1024, 0), (1024, 180), (500, 260), (0, 200)], fill=(110, 150, 220)
    )
    page, box = bordered(picture, (255, 255, 255), 60, 90)
    assert is_exact(found_in(page, 80)[TRIMMED], box)
    assert found_in(picture, 80) == {}


def test_plain_photographs_are_left_alone() -> None:
    """None of the demo's, at full size or small."""
    for folder in (samples.KNOWN, samples.UNRELATED):
        for path in folder.glob("*.jpg"):
            with Image.open(path) as picture:
                grey = picture.convert("L")
            assert not insides(grey, BOTH), path.name
            assert not insides(ImageOps.scale(grey, 0.4), BOTH), path.name


def test_few_plain_photographs_are_cut(shared_media: Path) -> None:
    """No more than 4 % of those that are no screenshots themselves."""
    cut, seen = 0, 0
    with (shared_media / "MANIFEST.tsv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if row["kind"] == "image" and not row["group"].startswith("gb82sc"):
                with Image.open(shared_media / row["file"]) as picture:
                    cut += bool(insides(picture.convert("L"), BOTH))
                seen += 1
    assert seen > 150
    assert cut <= 0.04 * seen


@pytest.mark.parametrize("inner", [(60, 300), (120, 120)])
def test_slight_borders_and_small_pictures_do_not_count(inner: tuple[int, int]) -> None:
    """Less than 64 pixels a side or 15 % of the area is a part, 2 % too little to move a hash."""
    small = known("fig.jpg").resize(inner)
    page, _ = placed(small, Image.new("RGB", (800, 800), "white"), 200, 200)
    assert found_in(page, 90) == {}
    assert found_in(bordered(known("fig.jpg"), (0, 0, 0), 4, 4)[0], 90) == {}


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 300),
    height=st.integers(1, 300),
    border=st.integers(0, 90),
    seed=st.integers(0, 99),
)
def test_what_is_found_is_a_part(width: int, height: int, border: int, seed: int) -> None:
    """Whatever the size, and however large the border."""
    page, _ = bordered(Image.fromarray(photo(height, width, seed)), (250, 250, 250), border, border)
    for box in insides(page.convert("L"), BOTH).values():
        assert 0 <= box.top < box.bottom <= page.height
        assert 0 <= box.left < box.right <= page.width
        assert min(box.bottom - box.top, box.right - box.left) >= 64


def test_huge_pictures_are_looked_at_thinned() -> None:
    """Of 6000 pixels a side every third is enough for the edges."""
    picture = known("fig.jpg").resize((4000, 2700))
    page, box = bordered(picture, (0, 0, 0), 1000, 700)
    assert is_exact(insides(page.convert("L"), BOTH)[TRIMMED], box)


def variants(found: MediaFingerprints, algorithm: Algorithm) -> list[str]:
    """The variants of one algorithm, in order."""
    return [f.variant for f in found.fingerprints if f.algorithm is algorithm]


def test_each_look_has_its_hashes() -> None:
    """A check gets PDQ in eight forms and pHash; both are near those of the picture alone."""
    page, _ = captioned(known("fig.jpg"), 1, 0, dark=False)
    found, plain = look(saved(page, "jpeg"), FOR_CHECKS), look(saved(known("fig.jpg"), "jpeg"))
    assert [v for v in variants(found, Algorithm.PDQ) if v.startswith(FRAMED)] == [
        variant_of(FRAMED, form) for form in FORMS
    ]
    assert variants(found, Algorithm.PHASH) == ["original", FRAMED]
    assert distance(pdq_of(found, FRAMED).value, pdq_of(plain).value) <= 16
    framed, alone = (
        next(f for f in of.fingerprints if f.algorithm is Algorithm.PHASH and f.variant == variant)
        for of, variant in ((found, FRAMED), (plain, "original"))
    )
    assert distance(framed.value, alone.value) <= 4


def test_lists_trim_what_is_empty_and_no_more() -> None:
    """A known post is known by what it says, too: the photograph in it is perhaps anybody's."""
    page, _ = captioned(known("fig.jpg"), 1, 0, dark=False)
    assert variants(look(saved(page, "jpeg"), FOR_LISTS), Algorithm.PDQ) == ["original"]
    page, _ = bordered(known("fig.jpg"), (0, 0, 0), 0, 90)
    assert variants(look(saved(page, "jpeg"), FOR_LISTS), Algorithm.PDQ) == ["original", TRIMMED]
    assert variants(look(saved(page, "jpeg"), Recipe(framed=True)), Algorithm.PDQ) == [
        "original",
        FRAMED,
    ]


def test_transparent_borders_are_trimmed_as_shown() -> None:
    """A viewer shows them white, whatever colour they hide."""
    page, _ = bordered(known("wine.jpg"), (90, 20, 20), 80, 80)
    mask = Image.new("L", page.size, 0)
    mask.paste(255, (80, 80, page.width - 80, page.height - 80))
    page.putalpha(mask)
    found = look(saved(page, "png"), FOR_LISTS)
    assert variants(found, Algorithm.PDQ) == ["original", "shown", TRIMMED]
    plain = look(saved(known("wine.jpg"), "png"), FOR_LISTS)
    assert distance(pdq_of(found, TRIMMED).value, pdq_of(plain).value) <= 4


# In cells of a picture of 1373 x 1027 at a quarter of its size, to its edges and not.
PARTS = (Box(0, 257, 0, 344), Box(20, 257, 30, 344), Box(0, 200, 0, 300), Box(31, 190, 17, 260))


@pytest.mark.parametrize("orientation", [1, 3])
@pytest.mark.parametrize("box", PARTS, ids=str)
def test_a_part_is_hashed_as_the_picture_of_it(box: Box, orientation: int) -> None:
    """At 0 bits from all its pixels, and at 8 from a scaled one, which may cut a cell at an end."""
    grain = np.random.default_rng(3).normal(0, 8, (1027, 1373, 1))
    pixels = (photo(1027, 1373, seed=8) + grain).clip(0, 255).astype(np.uint8)
    with Image.open(io.BytesIO(saved(Image.fromarray(pixels), "jpeg", quality=95))) as picture:
        size, scale = picture.size, draft(picture)
        scaled = picture.convert("RGB")
    with Image.open(io.BytesIO(saved(Image.fromarray(pixels), "jpeg", quality=95))) as picture:
        whole = picture.convert("RGB")
    if orientation == 3:
        scaled, whole = (one.transpose(Image.Transpose.ROTATE_180) for one in (scaled, whole))
    across, down = sides(size, scale, orientation)
    part = Raster(scaled, across, down).part(box)
    left, top = (
        max(0, at * scale - side.lead) for at, side in ((box.left, across), (box.top, down))
    )
    area = (left, top, left + part.across.length, top + part.down.length)
    exact = Raster.of(whole).part(Box(area[1], area[3], area[0], area[2]))
    alone = Raster.of(whole.crop(area))
    assert scale == 4
    assert exact.spectrum().value() == alone.spectrum().value()
    assert exact.grey.tobytes() == alone.grey.tobytes()
    assert distance(part.spectrum().value(), alone.spectrum().value()) <= 8
    assert part.grey.size == (box.right - box.left, box.bottom - box.top)


def test_a_scaled_jpeg_is_trimmed_as_well() -> None:
    """Edges are found in the cells that there are."""
    page, _ = bordered(known("wine.jpg").resize((1500, 2250)), (255, 255, 255), 300, 300)
    found = fingerprint(io.BytesIO(saved(page, "jpeg")), None, FOR_CHECKS)
    plain = look(saved(known("wine.jpg"), "jpeg"))
    assert pdq_of(found, TRIMMED).decoding is Decoding.FAST
    assert distance(pdq_of(found, TRIMMED).value, pdq_of(plain).value) <= 16
