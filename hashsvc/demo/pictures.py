"""What people do to a picture before they upload it again."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

from hashsvc.demo import samples

Change = Callable[[Image.Image], Image.Image]


@dataclass(frozen=True, slots=True)
class Alteration:
    """One change, and how the result is stored."""

    name: str
    change: Change
    suffix: str = ".jpg"
    quality: int = 85

    def write(self, original: Path, folder: Path) -> Path:
        """Write the altered copy of a picture and return its path."""
        path = folder / f"{original.stem}, {self.name}{self.suffix}"
        with Image.open(original) as opened:
            self.change(opened.convert("RGB")).save(path, quality=self.quality)
        return path


def _unchanged(picture: Image.Image) -> Image.Image:
    return picture


def _scaled(factor: float) -> Change:
    return lambda picture: ImageOps.scale(picture, factor)


def _captioned(picture: Image.Image) -> Image.Image:
    size = max(14, picture.height // 18)
    ImageDraw.Draw(picture).text(
        (size, picture.height - 2 * size),
        "SHARE THIS BEFORE IT IS GONE",
        fill="white",
        font=ImageFont.load_default(size),
        stroke_width=size // 12,
        stroke_fill="black",
    )
    return picture


def _below_a_bar(picture: Image.Image) -> Image.Image:
    bar = max(40, picture.height // 8)
    page = Image.new("RGB", (picture.width, picture.height + bar), "white")
    page.paste(picture, (0, bar))
    ImageDraw.Draw(page).text(
        (picture.width // 2, bar // 2),
        "look at this",
        fill="black",
        font=ImageFont.load_default(bar // 2),
        anchor="mm",
    )
    return page


def _corner(share: float) -> Change:
    def cut(picture: Image.Image) -> Image.Image:
        width, height = picture.size
        return picture.crop((round(share * width), round(share * height), width, height))

    return cut


def _turned(picture: Image.Image) -> Image.Image:
    return picture.rotate(8, Image.Resampling.BICUBIC, expand=True)


def _in_collage(picture: Image.Image) -> Image.Image:
    side = 500
    page = Image.new("RGB", (2 * side, 2 * side))
    others = [_opened(name) for name in ("pagoda", "sunset", "cat")]
    for number, one in enumerate([*others, picture]):
        page.paste(ImageOps.fit(one, (side, side)), (number % 2 * side, number // 2 * side))
    return page


def _in_picture(picture: Image.Image) -> Image.Image:
    page = ImageOps.contain(_opened("mountains"), (1080, 1080))
    small = ImageOps.contain(picture, (page.width // 3, page.height // 3))
    page.paste(small, (page.width - small.width - 30, 30))
    return page


def _opened(name: str) -> Image.Image:
    with Image.open(samples.UNRELATED / f"{name}.jpg") as opened:
        return opened.convert("RGB")


JPEG_30 = Alteration("JPEG quality 30", _unchanged, quality=30)
HALF = Alteration("half size", _scaled(1 / 2))
QUARTER = Alteration("quarter size", _scaled(1 / 4))
BRIGHTER = Alteration("30% brighter", lambda p: ImageEnhance.Brightness(p).enhance(1.3))
CONTRAST = Alteration("40% more contrast", lambda p: ImageEnhance.Contrast(p).enhance(1.4))
GREY = Alteration("greyscale", ImageOps.grayscale)
CAPTION = Alteration("caption written on", _captioned)
BLUR = Alteration("slightly blurred", lambda p: p.filter(ImageFilter.GaussianBlur(2)))
WEBP = Alteration("stored as WebP", _unchanged, suffix=".webp", quality=75)
COMBINED = Alteration("caption, half, q 30", lambda p: _scaled(1 / 2)(_captioned(p)), quality=30)
MIRROR = Alteration("mirrored", ImageOps.mirror)
BAR = Alteration("below a caption bar", _below_a_bar)

CROP = Alteration("15% cropped off", _corner(0.15))
CORNER = Alteration("40% cropped off", _corner(0.4))
TURNED = Alteration("turned by 8 degrees", _turned)
COLLAGE = Alteration("one of four", _in_collage)
INSET = Alteration("inset, a third wide", _in_picture)
MIRRORED_INSET = Alteration("inset, mirrored", lambda p: _in_picture(ImageOps.mirror(p)))
MIRRORED_CROP = Alteration("mirrored, 15% cropped", lambda p: _corner(0.15)(ImageOps.mirror(p)))


def write_plain(path: Path) -> None:
    """Write a picture with nothing in it to recognise."""
    Image.new("RGB", (640, 480), (128, 128, 128)).save(path)
