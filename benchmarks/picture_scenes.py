"""What people put on a picture, around it, and beside it; all of it is drawn here.

Each takes an RGB picture and gives another; those by chance take a generator too.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from benchmarks.edits import logo
from benchmarks.picture_changes import (
    Rng,
    blurred,
    brightened,
    covering,
    scaled,
    sized,
    warped,
)
from benchmarks.picture_text import font_of, line_of, text_in

_PAPER, _INK = "white", "black"
_COLOURS = ("#d62828", "#1d3557", "#2a9d8f", "#f4a261", "#6a4c93", "#ffca3a")
_INSIDE_PIXELS = 1080
"""The longer side of the picture that others are set in."""


def captioned(picture: Image.Image, rng: Rng, share: float, *, above: bool) -> Image.Image:
    """A bar with words above or below, a share of the picture's height high."""
    height = max(8, round(picture.height * share))
    paper, ink = (_PAPER, _INK) if rng.integers(4) else (_INK, _PAPER)
    page = Image.new("RGB", (picture.width, picture.height + height), paper)
    page.paste(picture, (0, height if above else 0))
    top = 0 if above else picture.height
    box = (0, top, picture.width, top + height)
    lines = max(1, min(3, round(height / (0.09 * picture.width + 1))))
    text_in(ImageDraw.Draw(page), box, [line_of(rng, 5) for _ in range(lines)], ink)
    return page


def lettered(picture: Image.Image, rng: Rng, share: float) -> Image.Image:
    """White words with a dark edge over the picture, at the top and at the bottom.

    Each of both takes a share of the height.
    """
    made = picture.copy()
    draw = ImageDraw.Draw(made)
    height = round(picture.height * share)
    margin = round(picture.height * 0.03)
    for top in (margin, picture.height - margin - height):
        box = (0, top, picture.width, top + height)
        text_in(draw, box, [line_of(rng, 3).upper()], "white", edge="black")
    return made


def with_logo(picture: Image.Image, rng: Rng, share: float) -> Image.Image:
    """A solid badge in a corner, a share of the longer side wide."""
    side = max(8, round(max(picture.size) * share))
    badge = Image.new("RGBA", (side, side))
    ImageDraw.Draw(badge).ellipse((0, 0, side - 1, side - 1), fill=_colour(rng))
    inner = logo(round(side * 0.8))
    badge.alpha_composite(inner, ((side - inner.width) // 2,) * 2)
    margin = round(0.03 * max(picture.size))
    places = [(margin, length - side - margin) for length in picture.size]
    made = picture.copy()
    made.paste(badge, (places[0][rng.integers(2)], places[1][rng.integers(2)]), badge)
    return made


def watermarked(picture: Image.Image, rng: Rng, opacity: float) -> Image.Image:
    """The same slanted words all over it, that show through."""
    word = line_of(rng, 1)
    font = font_of(max(10, round(0.06 * max(picture.size))))
    left, top, right, bottom = font.getbbox(word)
    step = round((right - left) * 1.4), round((bottom - top) * 3.5)
    side = round(2**0.5 * max(picture.size)) + max(step)
    mask = Image.new("L", (side, side))
    draw = ImageDraw.Draw(mask)
    for row, y in enumerate(range(0, side, step[1])):
        for x in range(-(row % 2) * step[0] // 2, side, step[0]):
            draw.text((x, y), word, fill=round(255 * opacity), font=font)
    mask = mask.rotate(30, Image.Resampling.BICUBIC)
    left, top = (side - picture.width) // 2, (side - picture.height) // 2
    mask = mask.crop((left, top, left + picture.width, top + picture.height))
    return Image.composite(Image.new("RGB", picture.size, "white"), picture, mask)


def bordered(picture: Image.Image, rng: Rng, share: float) -> Image.Image:
    """A frame of one colour, a share of the longer side wide on each side."""
    width = round(max(picture.size) * share)
    fill = str(rng.choice(("black", "white", _colour(rng))))
    return on_page(picture, (picture.width + 2 * width, picture.height + 2 * width), fill)


def letterboxed(picture: Image.Image, share: float) -> Image.Image:
    """Black bars above and below, each a share of the height."""
    height = round(picture.height * share)
    return on_page(picture, (picture.width, picture.height + 2 * height), "black")


def letterboxed_by_itself(picture: Image.Image, share: float) -> Image.Image:
    """The same with bars that are the picture itself, larger, blurred and darker."""
    height = picture.height + 2 * round(picture.height * share)
    page = brightened(blurred(covering(picture, picture.width, height), 0.03), -0.1)
    page.paste(picture, (0, (height - picture.height) // 2))
    return page


def rounded(picture: Image.Image, rng: Rng, share: float) -> Image.Image:
    """Corners cut round, the radius being a share of the shorter side."""
    mask = Image.new("L", picture.size)
    box = (0, 0, picture.width - 1, picture.height - 1)
    radius = round(share * min(picture.size))
    ImageDraw.Draw(mask).rounded_rectangle(box, radius, fill=255)
    page = Image.new("RGB", picture.size, str(rng.choice(("white", "black"))))
    page.paste(picture, mask=mask)
    return page


def on_page(picture: Image.Image, size: tuple[int, int], fill: str) -> Image.Image:
    """In the middle of a page of one colour."""
    page = Image.new("RGB", size, fill)
    page.paste(picture, ((size[0] - picture.width) // 2, (size[1] - picture.height) // 2))
    return page


def stickered(picture: Image.Image, rng: Rng, share: float, count: int) -> Image.Image:
    """Faces, hearts and stars over it, each a share of the shorter side wide."""
    made = picture.copy()
    side = max(12, round(share * min(picture.size)))
    for number in range(count):
        sticker = _STICKERS[(number + int(rng.integers(3))) % len(_STICKERS)](side)
        sticker = sticker.rotate(float(rng.uniform(-30, 30)), Image.Resampling.BICUBIC)
        at = [int(rng.integers(max(1, length - side))) for length in picture.size]
        made.paste(sticker, (at[0], at[1]), sticker)
    return made


def collage(
    picture: Image.Image, others: Sequence[Image.Image], rng: Rng, across: int, down: int
) -> Image.Image:
    """A grid of pictures of the same size, this one at a place that chance picks.

    The cells have its aspect, so that it is whole; others are cut to fill theirs.
    """
    gap = max(2, round(0.01 * max(picture.size)))
    cell = picture.size
    page = Image.new("RGB", (across * (cell[0] + gap) + gap, down * (cell[1] + gap) + gap), _PAPER)
    place = int(rng.integers(across * down))
    beside = iter(rng.permutation(len(others)).tolist() * (across * down))
    for number in range(across * down):
        one = picture if number == place else covering(others[next(beside)], *cell)
        row, column = divmod(number, across)
        page.paste(one, (gap + column * (cell[0] + gap), gap + row * (cell[1] + gap)))
    return scaled(page, min(1.0, 1.5 * _INSIDE_PIXELS / max(page.size)))


def in_picture(
    picture: Image.Image, others: Sequence[Image.Image], rng: Rng, share: float
) -> Image.Image:
    """Somewhere over another picture of the same aspect, a share of its width and height."""
    page_share = max(1.0, _INSIDE_PIXELS / max(picture.size))
    size = [round(length * page_share) for length in picture.size]
    page = covering(others[int(rng.integers(len(others)))], size[0], size[1])
    inner = sized(picture, size[0] * share, size[1] * share)
    at = [int(rng.uniform(0.05, 0.95) * (size[i] - inner.size[i])) for i in range(2)]
    page.paste(inner, (at[0], at[1]))
    return page


def photographed(picture: Image.Image, rng: Rng, tilt: float, moire: float) -> Image.Image:
    """A photo of a screen that shows it: seen from the side, a little blurred, with moire.

    `tilt` is how far corners are from where they would be seen from the front, as a share of the
    longer side; `moire` the height of its waves, as a share of the light.
    """
    screen = on_page(_with_moire(picture, rng, moire), _wider(picture.size, 0.06), "#0b0b0d")
    room = _wider(screen.size, 0.16)
    low, high = (np.array(room) - screen.size) / 2, (np.array(room) + screen.size) / 2
    corners = np.array([low, (high[0], low[1]), high, (low[0], high[1])])
    corners += rng.uniform(-tilt, tilt, (4, 2)) * max(picture.size)
    seen = warped(screen, corners, room)
    behind = Image.linear_gradient("L").resize(room)
    behind = Image.merge("RGB", [behind.point(partial(_lit, top=top)) for top in (96, 88, 80)])
    mask = warped(Image.new("RGB", screen.size, "white"), corners, room).convert("L")
    behind.paste(seen, mask=mask)
    return behind.filter(ImageFilter.GaussianBlur(0.0012 * max(room)))


def _lit(value: float, top: int) -> int:
    return round(24 + value / 255 * (top - 24))


def _wider(size: tuple[int, int], share: float) -> tuple[int, int]:
    by = 2 * round(share * max(size) / 2)
    return size[0] + by, size[1] + by


def _with_moire(picture: Image.Image, rng: Rng, height: float) -> Image.Image:
    """Waves where the grids of a screen and of a camera nearly meet, each colour's elsewhere."""
    down, across = np.mgrid[0 : picture.height, 0 : picture.width].astype(np.float32)
    light = np.ones((picture.height, picture.width, 3), np.float32)
    for _ in range(2):
        angle, length = rng.uniform(0, np.pi), rng.uniform(4, 14)
        phase = (across * np.cos(angle) + down * np.sin(angle)) * np.float32(2 * np.pi / length)
        # A slow bend, as the screen is not quite flat for the camera.
        phase += np.float32(3) * np.sin(down / np.float32(0.4 * picture.height))
        for colour, shift in enumerate((0.0, 2.1, 4.2)):
            light[..., colour] += np.float32(height / 2) * np.sin(phase + np.float32(shift))
    pixels = np.asarray(picture, np.float32) * light
    return Image.fromarray(pixels.clip(0, 255).round().astype(np.uint8))


def _colour(rng: Rng) -> str:
    return str(rng.choice(_COLOURS))


def _face(side: int) -> Image.Image:
    made = Image.new("RGBA", (side, side))
    draw = ImageDraw.Draw(made)
    draw.ellipse((0, 0, side - 1, side - 1), fill="#ffd43b", outline="#c99700", width=side // 24)
    for x in (0.33, 0.67):
        draw.ellipse(_within(side, x - 0.07, 0.3, x + 0.07, 0.46), fill="#4a3500")
    mouth = _within(side, 0.25, 0.35, 0.75, 0.8)
    draw.chord(mouth, 10, 170, fill="#7a2e1d")
    return made


def _heart(side: int) -> Image.Image:
    made = Image.new("RGBA", (side, side))
    t = np.linspace(0, 2 * np.pi, 60)
    x = 16 * np.sin(t) ** 3
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return _drawn(made, x / 34 + 0.5, 0.47 - y / 34, "#e63946")


def _star(side: int) -> Image.Image:
    made = Image.new("RGBA", (side, side))
    angle = np.pi * np.arange(10) / 5
    length = np.where(np.arange(10) % 2 == 0, 0.5, 0.2)
    return _drawn(made, 0.5 + length * np.sin(angle), 0.5 - length * np.cos(angle), "#ff9f1c")


def _drawn(
    made: Image.Image, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], fill: str
) -> Image.Image:
    points = [
        (a * made.width, b * made.height) for a, b in zip(x.tolist(), y.tolist(), strict=True)
    ]
    ImageDraw.Draw(made).polygon(points, fill=fill)
    return made


def _within(side: int, *shares: float) -> tuple[float, float, float, float]:
    left, top, right, bottom = (side * share for share in shares)
    return left, top, right, bottom


_STICKERS = (_face, _heart, _star)
