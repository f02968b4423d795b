"""Pictures that say too little to be told from others, made by seed: sixteen kinds of them."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Rng = np.random.Generator
Colour = tuple[int, int, int]

_WORDS = (
    *("garden", "morning", "river", "yellow", "window", "seldom", "walking", "together", "under"),
    *("seven", "bridges", "after", "rain", "kitchen", "quiet", "market", "letters", "and", "the"),
)
_BARS = ("white", "yellow", "cyan", "lime", "magenta", "red", "blue", "black")


def picture(kind: str, seed: int) -> bytes:
    """One of KINDS as a JPEG."""
    rng = np.random.default_rng([seed, *kind.encode()])
    stream = BytesIO()
    quality = int(rng.choice([60, 75, 90]))
    KINDS[kind](rng).convert("RGB").save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def _size(rng: Rng) -> tuple[int, int]:
    width, height = rng.integers(120, 260, 2).tolist()
    return width, height


def _colour(rng: Rng) -> Colour:
    red, green, blue = rng.integers(0, 256, 3).tolist()
    return red, green, blue


def _ground(rng: Rng) -> tuple[Image.Image, ImageDraw.ImageDraw, str]:
    """White or black, and the other of the two."""
    colours = rng.permutation(["white", "black"]).tolist()
    made = Image.new("RGB", _size(rng), colours[0])
    return made, ImageDraw.Draw(made), colours[1]


def _shaded(
    rng: Rng, shade: Callable[[NDArray[np.float64], NDArray[np.float64]], object]
) -> Image.Image:
    """From one colour to another; `shade` makes what is scaled to 0..1 of places across and down.

    These go from -1 to 1.
    """
    width, height = _size(rng)
    down, across = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    level = np.asarray(shade(across, down), np.float64)
    level = (level - level.min()) / (level.max() - level.min())
    first, last = np.array(_colour(rng)), np.array(_colour(rng))
    return Image.fromarray((first + (last - first) * level[..., None]).astype(np.uint8))


def _flat(rng: Rng) -> Image.Image:
    return Image.new("RGB", _size(rng), _colour(rng))


def _grainy(rng: Rng) -> Image.Image:
    width, height = _size(rng)
    grain = rng.normal(0, rng.uniform(1, 6), (height, width, 1))
    return Image.fromarray((np.array(_colour(rng)) + grain).clip(0, 255).astype(np.uint8))


def _gradient(rng: Rng) -> Image.Image:
    angle, power = rng.uniform(0, np.pi), rng.uniform(0.5, 2)
    return _shaded(rng, lambda x, y: (2 + x * np.cos(angle) + y * np.sin(angle)) ** power)


def _glow(rng: Rng) -> Image.Image:
    left, top = rng.uniform(-0.5, 0.5, 2)
    return _shaded(rng, lambda x, y: np.hypot(x - left, y - top))


def _vignette(rng: Rng) -> Image.Image:
    power = rng.uniform(1, 3)
    return _shaded(rng, lambda x, y: -((x * x + y * y) ** power))


def _bars(rng: Rng, *, upright: bool = True) -> Image.Image:
    made = Image.new("RGB", _size(rng))
    draw, count = ImageDraw.Draw(made), int(rng.integers(3, 13))
    for number in range(count):
        first, last = number / count, (number + 1) / count
        box = (first, 0, last, 1) if upright else (0, first, 1, last)
        draw.rectangle([v * made.size[i % 2] for i, v in enumerate(box)], fill=_colour(rng))
    return made


def _test_card(rng: Rng) -> Image.Image:
    made = Image.new("RGB", _size(rng))
    draw, (width, height) = ImageDraw.Draw(made), made.size
    middle = height * rng.uniform(0.55, 0.75)
    last = middle + height * rng.uniform(0.05, 0.15)
    for number, colour in enumerate(_BARS):
        left, right = (width * n / len(_BARS) for n in (number, number + 1))
        draw.rectangle((left, 0, right, middle), fill=colour)
        draw.rectangle((left, middle, right, last), fill=_BARS[-1 - number])
        grey = 255 * number // (len(_BARS) - 1)
        draw.rectangle((left, last, right, height), fill=(grey, grey, grey))
    return made


def _checkers(rng: Rng) -> Image.Image:
    rows, columns = rng.integers(2, 13, 2)
    squares = np.add.outer(np.arange(rows), np.arange(columns)) % 2 * 255
    return Image.fromarray(squares.astype(np.uint8)).resize(_size(rng), Image.Resampling.NEAREST)


def _lines(rng: Rng, *, crossed: bool = False) -> Image.Image:
    made, draw, ink = _ground(rng)
    width, height = made.size
    count = int(rng.integers(6, 25))
    for number in range(count):
        draw.line((0, height * number / count, width, height * number / count), fill=ink)
        if crossed:
            draw.line((width * number / count, 0, width * number / count, height), fill=ink)
    return made


def _words(rng: Rng) -> Image.Image:
    made, draw, ink = _ground(rng)
    font = ImageFont.load_default(float(rng.integers(8, 15)))
    for _ in range(int(rng.integers(1, 4))):
        text = " ".join(rng.choice(_WORDS, int(rng.integers(1, 4))))
        place = (made.width / 2, made.height * rng.uniform(0.2, 0.8))
        draw.text(place, text, fill=ink, font=font, anchor="mm")
    return made


def _page(rng: Rng) -> Image.Image:
    made = Image.new("RGB", (340, 440), "white")
    draw, font = ImageDraw.Draw(made), ImageFont.load_default(float(rng.integers(8, 13)))
    top = 440 * rng.uniform(0.05, 0.2)
    for _ in range(int(rng.integers(2, 6))):
        text = " ".join(rng.choice(_WORDS, int(rng.integers(4, 8))))
        draw.text((34, top), text, fill="black", font=font)
        top += 15
    return made


def _logo(rng: Rng, *, sides: int = 0) -> Image.Image:
    """A disc, or a polygon; of another colour inside."""
    made, draw, _ = _ground(rng)
    place = tuple(side / 2 * rng.uniform(0.8, 1.2) for side in made.size)
    radius = min(made.size) * rng.uniform(0.1, 0.22)
    if sides:
        draw.regular_polygon((*place, radius), sides, fill=_colour(rng))
    else:
        draw.circle(place, radius, fill=_colour(rng))
    draw.circle(place, radius / 2, fill=_colour(rng))
    return made


KINDS: dict[str, Callable[[Rng], Image.Image]] = {
    "flat": _flat,
    "grainy": _grainy,
    "gradient": _gradient,
    "glow": _glow,
    "vignette": _vignette,
    "bars": _bars,
    "stripes": lambda rng: _bars(rng, upright=False),
    "test card": _test_card,
    "checkers": _checkers,
    "lines": _lines,
    "grid": lambda rng: _lines(rng, crossed=True),
    "words": _words,
    "page": _page,
    "logo": _logo,
    "square": lambda rng: _logo(rng, sides=4),
    "star": lambda rng: _logo(rng, sides=5),
}
