"""What a tool for pictures does to one: sizes, light, colour, sharpness, geometry, file formats.

Each takes an RGB picture and gives another; those by chance take a generator too.
"""

import io
from collections.abc import Callable
from math import cos, radians, sin

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from hashsvc.media.image import as_shown, channels

Rng = np.random.Generator
Box = tuple[int, int, int, int]

JPEG_QUALITY = 85
"""Of an upload of which nothing else is said."""

LEAST_SIDE = 16
"""No side of an edited picture is shorter, in pixels."""

_FILLS = ("black", "white", "#808080")


def encoded(picture: Image.Image, form: str = "JPEG", quality: int = JPEG_QUALITY) -> bytes:
    """The bytes of a file in a format of Pillow's that loses detail."""
    # Speed and threads as given, so that AVIF is quick and the same everywhere.
    options = {"AVIF": {"speed": 9, "max_threads": 1}, "WEBP": {"method": 2}}.get(form, {})
    stream = io.BytesIO()
    picture.save(stream, form, quality=quality, **options)
    return stream.getvalue()


def decoded(data: bytes) -> Image.Image:
    """A file as an upright RGB picture; what is transparent is white."""
    with Image.open(io.BytesIO(data)) as opened:
        upright = ImageOps.exif_transpose(opened)
        return as_shown(upright) or channels(upright)


def sized(picture: Image.Image, width: float, height: float) -> Image.Image:
    """At a size, whatever the aspect."""
    size = max(LEAST_SIDE, round(width)), max(LEAST_SIDE, round(height))
    return picture.resize(size, Image.Resampling.LANCZOS)


def scaled(picture: Image.Image, share: float) -> Image.Image:
    """A share of its width and height."""
    return sized(picture, picture.width * share, picture.height * share)


def stretched(picture: Image.Image, across: float, down: float) -> Image.Image:
    """A share of its width and another of its height."""
    return sized(picture, picture.width * across, picture.height * down)


def squared(picture: Image.Image) -> Image.Image:
    """As high as it is wide, without cutting anything off."""
    side = (picture.width * picture.height) ** 0.5
    return sized(picture, side, side)


def covering(picture: Image.Image, width: int, height: int) -> Image.Image:
    """Fills a size and keeps its aspect: what is too much is cut off on two sides."""
    share = max(width / picture.width, height / picture.height)
    whole = sized(picture, picture.width * share, picture.height * share)
    left, top = (whole.width - width) // 2, (whole.height - height) // 2
    return whole.crop((left, top, left + width, top + height))


def toned(picture: Image.Image, tone: Callable[[npt.NDArray[np.float64]], object]) -> Image.Image:
    """Every value, 0..1, by a function of it."""
    made = np.asarray(tone(np.arange(256) / 255), np.float64) * 255
    return picture.point((made.clip(0, 255).round().astype(int).tolist()) * 3)


def brightened(picture: Image.Image, by: float) -> Image.Image:
    """Every value, 0..1, more by so much."""
    return toned(picture, lambda value: value + by)


def contrasted(picture: Image.Image, factor: float) -> Image.Image:
    """Every value further from the middle by a factor."""
    return toned(picture, lambda value: 0.5 + (value - 0.5) * factor)


def with_gamma(picture: Image.Image, gamma: float) -> Image.Image:
    """Every value, 0..1, to a power: below 1 is lighter."""
    return toned(picture, lambda value: value**gamma)


def saturated(picture: Image.Image, factor: float) -> Image.Image:
    """Colours further from grey by a factor."""
    return ImageEnhance.Color(picture).enhance(factor)


def grey(picture: Image.Image) -> Image.Image:
    """Without colours."""
    return picture.convert("L").convert("RGB")


def warmed(picture: Image.Image, by: float) -> Image.Image:
    """More red and less blue by a share of them; below 0 the other way round."""
    red, green, blue = picture.split()
    shares = ((red, 1 + by), (green, 1.0), (blue, 1 - by))
    bands = [band.point([min(255, round(v * share)) for v in range(256)]) for band, share in shares]
    return Image.merge("RGB", bands)


def blurred(picture: Image.Image, share: float) -> Image.Image:
    """By a Gaussian whose deviation is a share of the longer side."""
    return picture.filter(ImageFilter.GaussianBlur(share * max(picture.size)))


def sharpened(picture: Image.Image, percent: int) -> Image.Image:
    """By an unsharp mask of so many percent."""
    return picture.filter(ImageFilter.UnsharpMask(radius=2, percent=percent, threshold=0))


def noisy(picture: Image.Image, rng: Rng, deviation: float) -> Image.Image:
    """With Gaussian noise of so many of 255 steps in each channel."""
    pixels = np.asarray(picture, np.float32)
    noise = rng.standard_normal(pixels.shape, dtype=np.float32) * np.float32(deviation)
    return Image.fromarray((pixels + noise).clip(0, 255).round().astype(np.uint8))


def cropped(picture: Image.Image, share: float) -> Image.Image:
    """The middle: a share of each side's length is cut off, half of it at either end."""
    left, top = round(picture.width * share / 2), round(picture.height * share / 2)
    return picture.crop((left, top, picture.width - left, picture.height - top))


def cornered(picture: Image.Image, rng: Rng, share: float) -> Image.Image:
    """A corner: a share of each side's length is cut off, all of it at one end."""
    width, height = round(picture.width * share), round(picture.height * share)
    left, top = (int(rng.integers(2)) * length for length in (width, height))
    right, bottom = picture.width - width + left, picture.height - height + top
    return picture.crop((left, top, right, bottom))


def rotated(picture: Image.Image, rng: Rng, degrees: float) -> Image.Image:
    """One way or the other, on a larger page of one colour."""
    fill = str(rng.choice(_FILLS))
    return picture.rotate(
        _either(rng) * degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=fill
    )


def rotated_inside(picture: Image.Image, rng: Rng, degrees: float) -> Image.Image:
    """One way or the other, and of that the largest part of the same aspect without corners."""
    turned = picture.rotate(_either(rng) * degrees, Image.Resampling.BICUBIC, expand=True)
    width, height, angle = picture.width, picture.height, radians(degrees)
    share = min(
        width / (width * cos(angle) + height * sin(angle)),
        height / (width * sin(angle) + height * cos(angle)),
    )
    inner = int(width * share) - 2, int(height * share) - 2
    left, top = (turned.width - inner[0]) // 2, (turned.height - inner[1]) // 2
    return turned.crop((left, top, left + inner[0], top + inner[1]))


def turned_about(picture: Image.Image, how: Image.Transpose) -> Image.Image:
    """Mirrored, or turned by quarters."""
    return picture.transpose(how)


def warped(
    picture: Image.Image, corners: npt.NDArray[np.float64], size: tuple[int, int]
) -> Image.Image:
    """With its four corners at these places, (4, 2) pixels, of a black page of a size.

    Corners are top left, top right, bottom right, bottom left.
    """
    width, height = picture.size
    own = ((0, 0), (width, 0), (width, height), (0, height))
    lines, wanted = [], []
    for (x, y), (u, v) in zip(corners.tolist(), own, strict=True):
        lines += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        wanted += [u, v]
    found = np.linalg.solve(np.array(lines), np.array(wanted))
    return picture.transform(
        size, Image.Transform.PERSPECTIVE, found.tolist(), Image.Resampling.BICUBIC
    )


def _either(rng: Rng) -> int:
    return int(rng.choice((-1, 1)))
