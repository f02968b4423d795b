"""Footage that is made here: what no known video should be found in, and what many have alike."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.edits import logo
from benchmarks.footage import Film, Pixels, Shown, shrunk

WIDTH, HEIGHT, RATE = 480, 272, 25.0

_ZOOM = 0.6
"""How much of a picture, by width and height, is in view."""

_COLOURS = ("white", "yellow", "cyan", "lime", "magenta", "red", "blue", "black")


def pan(picture: Path, seconds: float, seed: int, *, content: str = "") -> Film:
    """The camera wanders over a picture, on a way that chance picks."""
    shows = (Shown(content, 0.0, seconds),) if content else ()

    def play() -> Iterator[Pixels]:
        rng = np.random.default_rng(seed)
        width, height = round(WIDTH / _ZOOM), round(HEIGHT / _ZOOM)
        with Image.open(picture) as image:
            pixels = shrunk(np.asarray(image.convert("RGB")), width, height)
        first, last = rng.random(2), rng.random(2)
        count = round(seconds * RATE)
        for number in range(count):
            x, y = first + (last - first) * number / count
            left, top = int(x * (width - WIDTH)), int(y * (height - HEIGHT))
            yield pixels[top : top + HEIGHT, left : left + WIDTH]

    return Film(WIDTH, HEIGHT, RATE, seconds, play, shows)


def held(pixels: Pixels, seconds: float) -> Film:
    """One frame that stays."""
    frame = shrunk(pixels, WIDTH, HEIGHT)
    return Film(WIDTH, HEIGHT, RATE, seconds, lambda: iter([frame] * round(seconds * RATE)))


def still(picture: Path, seconds: float) -> Film:
    """A picture that stays."""
    with Image.open(picture) as image:
        return held(np.asarray(image.convert("RGB")), seconds)


def black(seconds: float) -> Film:
    """Nothing."""
    return held(np.zeros((HEIGHT, WIDTH, 3), np.uint8), seconds)


def card_of_bars(seconds: float) -> Film:
    """Bars of colour over a ramp of grey."""
    picture = Image.new("RGB", (WIDTH, HEIGHT))
    draw = ImageDraw.Draw(picture)
    width = WIDTH / len(_COLOURS)
    for number, colour in enumerate(_COLOURS):
        draw.rectangle((number * width, 0, (number + 1) * width, HEIGHT * 0.7), fill=colour)
        grey = 255 * number // (len(_COLOURS) - 1)
        box = (number * width, HEIGHT * 0.7, (number + 1) * width, HEIGHT)
        draw.rectangle(box, fill=(grey, grey, grey))
    return held(np.asarray(picture), seconds)


def logo_on_black(seconds: float) -> Film:
    """A logo in the middle."""
    picture = Image.new("RGB", (WIDTH, HEIGHT))
    mark = logo(HEIGHT // 2)
    picture.paste(mark, ((WIDTH - mark.width) // 2, HEIGHT // 4), mark)
    return held(np.asarray(picture), seconds)


def intro(seconds: float) -> Film:
    """What a channel begins with: its logo grows over a moving ground, and its name appears."""
    font = ImageFont.load_default(HEIGHT // 8)

    def play() -> Iterator[Pixels]:
        count = round(seconds * RATE)
        across, down = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
        for number in range(count):
            share = number / count
            wave = np.sin(across / 60 + 5 * share) + np.cos(down / 35 - 3 * share)
            ground = np.stack([90 + 40 * wave, 60 + 25 * wave, 130 - 35 * wave], axis=-1)
            picture = Image.fromarray(ground.astype(np.uint8))
            mark = logo(int(HEIGHT * (0.2 + 0.5 * share)))
            place = ((WIDTH - mark.width) // 2, (HEIGHT - mark.height) // 3)
            picture.paste(mark, place, mark)
            if share > 1 / 3:
                draw = ImageDraw.Draw(picture)
                draw.text((WIDTH / 2, HEIGHT * 0.9), "evening news", font=font, anchor="ms")
            yield np.asarray(picture)

    return Film(WIDTH, HEIGHT, RATE, seconds, play)


PLAIN: dict[str, Callable[[float], Film]] = {
    "black": black,
    "test card": card_of_bars,
    "logo on black": logo_on_black,
}
"""What stays the same for as long as it is shown, and is shown by many."""
