"""Pictures that show a known one in part, turned or small, and where it is in them."""

import functools
from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks import adversarial
from hashsvc.demo import samples
from hashsvc.media.local import local_features
from hashsvc.media.recipe import LOCAL_FOR_CHECKS, LOCAL_FOR_LISTS
from hashsvc.model import Algorithm, Fingerprint

Corners = list[tuple[float, float]]
"""Of the known picture in the upload, in shares of its width and height."""

Shown = tuple[Image.Image, Corners]

_SIDE = 640
_FOLDERS = {
    path.stem: path.parent
    for folder in (samples.KNOWN, samples.UNRELATED)
    for path in samples.files(folder)
}


@functools.lru_cache(maxsize=32)
def picture(stem: str) -> Image.Image:
    """A picture of the demo, of 640 pixels at most; not to be changed."""
    with Image.open(_FOLDERS[stem] / f"{stem}.jpg") as opened:
        opened.thumbnail((_SIDE, _SIDE))
        return opened.convert("RGB")


def collided(shown: Image.Image, target: Image.Image) -> Image.Image:
    """A picture that was given the PDQ of another one, to 16 bits before it is encoded."""
    return adversarial.collided(shown, target, (adversarial.PDQ,), (16 / Algorithm.PDQ.bits,))


def known(shown: Image.Image) -> Fingerprint:
    """A picture's local features as an entry has them."""
    value = local_features(shown.convert("L"), LOCAL_FOR_LISTS)
    assert value is not None
    return Fingerprint(Algorithm.ORB, value)


def asked(shown: Image.Image) -> Fingerprint:
    """A picture's local features as a check has them."""
    value = local_features(shown.convert("L"), LOCAL_FOR_CHECKS)
    assert value is not None
    return Fingerprint(Algorithm.ORB, value)


def _placed(box: tuple[float, float, float, float], size: tuple[int, int]) -> Corners:
    """Corners of a box of pixels: left, upper, right, lower."""
    left, upper, right, lower = box
    width, height = size
    places = ((left, upper), (right, upper), (right, lower), (left, lower))
    return [(x / width, y / height) for x, y in places]


def corner(shown: Image.Image) -> Shown:
    """The lower right part of it: a third."""
    width, height = shown.size
    left, upper = round(0.4 * width), round(0.45 * height)
    part = shown.crop((left, upper, width, height))
    return part, _placed((-left, -upper, width - left, height - upper), part.size)


def _on(page: Image.Image, shown: Image.Image, left: int, upper: int, width: int) -> Shown:
    small = shown.resize((width, round(width * shown.height / shown.width)))
    page.paste(small, (left, upper))
    right, lower = left + small.width, upper + small.height
    return page, _placed((left, upper, right, lower), page.size)


def collage(shown: Image.Image) -> Shown:
    """It among three others, at half the width."""
    page = Image.new("RGB", (1000, 800), "white")
    for number, stem in enumerate(("dogs", "rocket", "pagoda")):
        page.paste(picture(stem).resize((500, 400)), (number % 2 * 500, number // 2 * 400))
    page.paste(Image.new("RGB", (500, 400), "white"), (500, 400))
    return _on(page, shown, 500, 400, 500)


def inset(shown: Image.Image) -> Shown:
    """It in another picture, at a third of the width."""
    return _on(picture("astronaut").resize((960, 720)), shown, 560, 330, 320)


def turned(shown: Image.Image) -> Shown:
    """Turned by 15 degrees, against the clock, with black corners."""
    page = shown.rotate(15, Image.Resampling.BICUBIC, expand=True)
    middle = np.array(shown.size) / 2
    places = np.array([(0, 0), (2, 0), (2, 2), (0, 2)]) * middle - middle
    angle = np.deg2rad(-15)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    where = places @ turn / page.size + 0.5
    return page, [(float(x), float(y)) for x, y in where]


def slanted(shown: Image.Image) -> Shown:
    """As a photograph of a screen, taken from the side."""
    width, height = shown.size
    shares = [(0.05, 0.1), (0.92, 0.03), (0.97, 0.95), (0.08, 0.88)]
    rows, there = [], []
    for (across, down), (x, y) in zip(shares, ((0, 0), (1, 0), (1, 1), (0, 1)), strict=True):
        u, v, x, y = across * width, down * height, x * width, y * height
        rows += [(u, v, 1, 0, 0, 0, -u * x, -v * x), (0, 0, 0, u, v, 1, -u * y, -v * y)]
        there += [x, y]
    back = np.linalg.solve(np.array(rows), np.array(there))
    page = shown.transform(
        shown.size, Image.Transform.PERSPECTIVE, back.tolist(), Image.Resampling.BICUBIC
    )
    return page, shares


EDITS: Mapping[str, Callable[[Image.Image], Shown]] = {
    "corner": corner,
    "collage": collage,
    "inset": inset,
    "turned": turned,
    "slanted": slanted,
}
"""What no hash of the whole can see."""


def letters(letter: str, pitch: int, slip: int = 0) -> Image.Image:
    """A page of one letter over and over, so many pixels apart; each line slips by so many more."""
    page = Image.new("RGB", (_SIDE, 480), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(pitch * 0.8)
    for line in range(480 // pitch):
        for column in range(_SIDE // pitch):
            draw.text((column * pitch + slip * line, line * pitch), letter, "black", font)
    return page


def grid(pitch: int, thickness: int) -> Image.Image:
    """A page of squares."""
    page = Image.new("RGB", (_SIDE, 480), "white")
    draw = ImageDraw.Draw(page)
    for at in range(pitch // 2, _SIDE, pitch):
        draw.line((at, 0, at, 480), "black", thickness)
        draw.line((0, at, _SIDE, at), "black", thickness)
    return page


def branded(shown: Image.Image, size: int) -> Image.Image:
    """It with a logo of so many pixels in its upper left corner."""
    page = shown.copy()
    logo = letters("&", 60).crop((0, 0, 120, 120))
    draw = ImageDraw.Draw(logo)
    draw.regular_polygon((60, 60, 50), 5, fill="red", outline="blue")
    draw.text((24, 40), "NEWS", "yellow", ImageFont.load_default(28))
    page.paste(logo.resize((size, size)), (12, 12))
    return page
