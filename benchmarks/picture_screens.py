"""Screenshots: a picture as an app on a phone, or a page in a browser, shows it."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from benchmarks.picture_changes import Rng, sized
from benchmarks.picture_text import font_of, line_of

PHONE = (720, 1560)
BROWSER = (1280, 800)

_MARGIN = 24
_STATUS, _HEADER, _NAVIGATION = 48, 96, 84
_ICON = 36


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours of an app."""

    paper: str
    ink: str
    faint: str
    shape: str


LIGHT = Theme("#ffffff", "#111111", "#77777c", "#dcdce0")
DARK = Theme("#101014", "#f2f2f2", "#8e8e96", "#33333a")


def feed(picture: Image.Image, rng: Rng, theme: Theme) -> Image.Image:
    """A post: who, the picture as wide as the screen, icons, what others say of it."""
    page = Image.new("RGB", PHONE, theme.paper)
    draw = ImageDraw.Draw(page)
    _status(draw, rng, theme)
    _person(draw, rng, theme, (_MARGIN, _STATUS + 12), 72)
    _dots(draw, theme, (PHONE[0] - 60, _STATUS + 48))
    top = _STATUS + _HEADER
    shown = _fitted(picture, PHONE[0], 980)
    draw.rectangle((0, top, PHONE[0], top + shown.height), fill=theme.shape)
    page.paste(shown, ((PHONE[0] - shown.width) // 2, top))
    y = top + shown.height + 20
    _icons(draw, theme, y)
    y += _ICON + 24
    while y < PHONE[1] - _NAVIGATION - 60:
        y = _comment(draw, rng, theme, y)
    _navigation(draw, theme)
    return page


def viewer(picture: Image.Image, rng: Rng) -> Image.Image:
    """The picture alone in the middle of a black screen, with buttons above and below."""
    page = Image.new("RGB", PHONE, "black")
    draw = ImageDraw.Draw(page)
    _status(draw, rng, DARK)
    draw.line((_MARGIN + 18, 90, _MARGIN, 108, _MARGIN + 18, 126), fill="white", width=5)
    draw.text((_MARGIN + 50, 108), line_of(rng, 2), fill="white", font=font_of(30), anchor="lm")
    shown = _fitted(picture, PHONE[0], 1200)
    page.paste(shown, ((PHONE[0] - shown.width) // 2, (PHONE[1] - shown.height) // 2))
    _icons(draw, DARK, PHONE[1] - 90)
    return page


def browser(picture: Image.Image, rng: Rng) -> Image.Image:
    """An article in a browser: the picture in its column, text around it, a column beside it."""
    page = Image.new("RGB", BROWSER, "#ffffff")
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 0, BROWSER[0], 76), fill="#e4e5e9")
    for number, colour in enumerate(("#f25f58", "#fbbe3c", "#58cb42")):
        draw.ellipse((16 + 24 * number, 12, 30 + 24 * number, 26), fill=colour)
    draw.rounded_rectangle((120, 38, 900, 68), 15, fill="#ffffff")
    draw.text((140, 53), f"https://{line_of(rng, 1)}.example", "#555555", font_of(17), "lm")
    draw.text((60, 100), line_of(rng, 5).capitalize(), "#111111", font_of(38))
    shown = _fitted(picture, 760, 480)
    page.paste(shown, (60, 165))
    y = 165 + shown.height + 18
    while y < BROWSER[1] - 24:
        draw.text((60, y), line_of(rng, 10), "#333333", font_of(20))
        y += 30
    for number in range(4):
        top = 165 + 150 * number
        draw.rectangle((880, top, 1220, top + 90), fill=_tint(rng))
        draw.text((880, top + 98), line_of(rng, 4), "#333333", font_of(18))
    return page


def _fitted(picture: Image.Image, width: int, height: int) -> Image.Image:
    share = min(width / picture.width, height / picture.height)
    return sized(picture, picture.width * share, picture.height * share)


def _status(draw: ImageDraw.ImageDraw, rng: Rng, theme: Theme) -> None:
    clock = f"{rng.integers(24):02}:{rng.integers(60):02}"
    draw.text((_MARGIN + 16, _STATUS // 2), clock, theme.ink, font_of(26), "lm")
    for number in range(4):
        left = PHONE[0] - 150 + 11 * number
        draw.rectangle((left, 32 - 5 * number, left + 7, 36), fill=theme.ink)
    left = PHONE[0] - 84
    draw.rounded_rectangle((left, 14, left + 50, 36), 5, outline=theme.ink, width=2)
    charge = int(rng.integers(6, 42))
    draw.rectangle((left + 4, 18, left + 4 + charge, 32), fill=theme.ink)


def _person(
    draw: ImageDraw.ImageDraw, rng: Rng, theme: Theme, at: tuple[int, int], side: int
) -> None:
    x, y = at
    draw.ellipse((x, y, x + side, y + side), fill=_tint(rng))
    draw.ellipse((x + side * 0.32, y + side * 0.18, x + side * 0.68, y + side * 0.54), "#f5d6b8")
    draw.chord((x + side * 0.14, y + side * 0.6, x + side * 0.86, y + side * 1.3), 180, 360, "#333")
    draw.text((x + side + 18, y + side * 0.3), line_of(rng, 2), theme.ink, font_of(28), "lm")
    draw.text((x + side + 18, y + side * 0.75), line_of(rng, 2), theme.faint, font_of(22), "lm")


def _dots(draw: ImageDraw.ImageDraw, theme: Theme, at: tuple[int, int]) -> None:
    for number in range(3):
        x = at[0] + 12 * number
        draw.ellipse((x, at[1], x + 6, at[1] + 6), fill=theme.ink)


def _icons(draw: ImageDraw.ImageDraw, theme: Theme, y: int) -> None:
    """A heart of two circles, a bubble, an arrow, and a flag at the right."""
    x, side = _MARGIN, _ICON
    draw.ellipse((x, y, x + side / 2, y + side / 2), fill="#e63946")
    draw.ellipse((x + side / 2, y, x + side, y + side / 2), fill="#e63946")
    draw.polygon(
        [(x + 2, y + side * 0.38), (x + side - 2, y + side * 0.38), (x + side / 2, y + side)],
        fill="#e63946",
    )
    x += 2 * side
    draw.ellipse((x, y, x + side, y + side - 4), outline=theme.ink, width=4)
    draw.polygon([(x + 6, y + side - 9), (x, y + side), (x + 16, y + side - 6)], fill=theme.ink)
    x += 2 * side
    draw.polygon([(x, y), (x + side, y + side / 2), (x, y + side)], outline=theme.ink, width=4)
    x = PHONE[0] - _MARGIN - side
    flag = [(x + 4, y), (x + side - 4, y), (x + side - 4, y + side), (x + side / 2, y + side - 12)]
    draw.polygon([*flag, (x + 4, y + side)], outline=theme.ink, width=4)


def _comment(draw: ImageDraw.ImageDraw, rng: Rng, theme: Theme, y: int) -> int:
    """A name and some words; gives where the next one begins."""
    draw.ellipse((_MARGIN, y, _MARGIN + 44, y + 44), fill=_tint(rng))
    draw.text((_MARGIN + 60, y), line_of(rng, 2), theme.faint, font_of(20))
    draw.text((_MARGIN + 60, y + 24), line_of(rng, int(rng.integers(3, 8))), theme.ink, font_of(24))
    return y + 68


def _navigation(draw: ImageDraw.ImageDraw, theme: Theme) -> None:
    top = PHONE[1] - _NAVIGATION
    draw.rectangle((0, top, *PHONE), fill=theme.paper)
    draw.line((0, top, PHONE[0], top), fill=theme.shape, width=2)
    for number in range(5):
        x, y = PHONE[0] * (number + 0.5) / 5, top + _NAVIGATION / 2
        box = (x - 16, y - 16, x + 16, y + 16)
        if number % 2:
            draw.ellipse(box, outline=theme.ink, width=4)
        else:
            draw.rounded_rectangle(box, 6, outline=theme.ink, width=4)


def _tint(rng: Rng) -> tuple[int, int, int]:
    red, green, blue = np.asarray(rng.integers(90, 230, 3)).tolist()
    return red, green, blue
