"""Makes the media and expected values of `hashsvc selftest`: `python -m tests.media.make_vectors`.

The pictures are drawn here, each from a seed of its own, so that no two are alike. To change any
of them changes what nodes hold in their built-in list: give that a new request id in
`hashsvc/app.py` then, and leave the old entries to it.
"""

import io
import json
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageOps

from hashsvc.media import Recipe, fingerprint_file
from hashsvc.media.image import channels
from hashsvc.media.pdq import pdq
from hashsvc.media.raster import Raster
from hashsvc.media.recipe import PERCEPTUAL
from hashsvc.model import Algorithm, Decoding, Fingerprint
from hashsvc.testpattern import vectors
from tests.media.making import film

LOSSLESS, LOSSY, VIDEO = 2, 6, 10
"""Bits of PDQ by which two sound decoders of such a format may differ."""

_ORIENTATION = 0x0112
_GREY = frozenset({"L", "I;16"})
_SIZE = (320, 240)
_LARGE = (1100, 700)
_CLIP = (192, 144)
_FRAMES_A_SECOND = 5

Mistake = tuple[str, Image.Image]


@dataclass(frozen=True, slots=True)
class Made:
    """A vector to be: its file's content, and pictures that hashers see when they go wrong."""

    file: str
    about: str
    tolerance: int
    content: bytes
    mistakes: tuple[Mistake, ...] = ()


def drawn(seed: int, size: tuple[int, int] = _SIZE, levels: Sequence[int] = ()) -> Image.Image:
    """Shapes on a gradient: an RGB picture that hashes well and compresses well.

    `levels` are the only ones that a channel of a shape may have; all of them if none are given.
    """
    rng = random.Random(seed)
    width, height = size
    tint = tuple(rng.randrange(90, 256) for _ in range(3))
    ramp = Image.linear_gradient("L").rotate(rng.choice((0, 90, 180, 270))).resize(size)
    picture = Image.merge("RGB", [ramp.point(lambda v, t=t: v * t // 255) for t in tint])
    draw = ImageDraw.Draw(picture)
    for _ in range(28):
        x, y = rng.randrange(-40, width), rng.randrange(-40, height)
        box = (x, y, x + rng.randrange(width // 8, width // 3), y + rng.randrange(20, height // 3))
        fill = tuple(rng.choice(levels or range(256)) for _ in range(3))
        rng.choice((draw.ellipse, draw.rectangle))(box, fill=fill)
    return picture


def made() -> Iterator[Made]:
    """All vectors, in their order."""
    plain = drawn(1)
    yield Made("png_rgb.png", "plain RGB", LOSSLESS, _saved(plain, "png", optimize=True))
    yield _palette()
    yield _deep()
    yield Made("gif_still.gif", "a GIF that does not move", LOSSLESS, _saved(drawn(4), "gif"))
    yield _jpeg("jpeg_baseline.jpg", "baseline, 4:2:0", drawn(5))
    yield _jpeg("jpeg_progressive.jpg", "sent from coarse to fine", drawn(6), progressive=True)
    yield _cmyk()
    yield _rotated()
    yield _large()
    webp = _saved(drawn(10), "webp", quality=80, method=6)
    yield Made("webp_lossy.webp", "lossy WebP", LOSSY, webp)
    yield _animation()
    yield _clip()


def _saved(picture: Image.Image, form: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, form, **options)
    return stream.getvalue()


def _jpeg(file: str, about: str, picture: Image.Image, **options: Any) -> Made:
    return Made(file, about, LOSSY, _saved(picture, "jpeg", quality=85, **options))


def _palette() -> Made:
    """The transparent colour is a strong one, so that it matters what is made of it."""
    picture = drawn(2).quantize(32)
    colours = picture.getpalette() or []
    picture.putpalette([*colours[:93], 255, 0, 160])
    indices = np.asarray(picture).copy()
    mask = np.asarray(drawn(22).convert("L")) > 150
    indices[mask] = 31
    picture.putdata(indices.ravel().tolist())
    data = _saved(picture, "png", transparency=31, optimize=True)
    grey = Image.fromarray(indices * 8).convert("RGB")
    mistakes = (("the palette's indices were hashed, not its colours", grey),)
    return Made("png_palette.png", "palette with a transparent colour", LOSSLESS, data, mistakes)


def _deep() -> Made:
    """16 bits, with shapes of less than 256 among the brighter ones: the rest is clipped."""
    grey = np.asarray(drawn(3, levels=(0, 90, 170, 255)).convert("L")).astype(np.uint16)
    deep = np.where(grey < 100, grey, grey * 257).astype(np.uint16)
    low = Image.fromarray((deep & 255).astype(np.uint8)).convert("RGB")
    mistakes = (("the low byte of each 16-bit sample was hashed", low),)
    return Made(
        "png_grey16.png",
        "16-bit grey; the original variant is clipped at 255, the variant shown is divided by 257",
        LOSSLESS,
        _saved(Image.fromarray(deep), "png", optimize=True),
        mistakes,
    )


def _cmyk() -> Made:
    inks = drawn(7).convert("CMYK")
    data = _saved(inks, "jpeg", quality=85)
    mistakes = (("the inks of Adobe's CMYK are stored inverted", _rgb(ImageChops.invert(inks))),)
    return Made("jpeg_cmyk.jpg", "CMYK as Adobe writes it", LOSSY, data, mistakes)


def _rotated() -> Made:
    exif = Image.Exif()
    exif[_ORIENTATION] = 6
    picture = drawn(8)
    lying = _jpeg("jpeg_exif.jpg", "to be turned: EXIF orientation 6", picture, exif=exif)
    mistakes = (("EXIF orientation was not applied", picture),)
    return Made(lying.file, lying.about, lying.tolerance, lying.content, mistakes)


def _large() -> Made:
    picture = drawn(9, _LARGE)
    about = "larger than 512 pixels: the variant shrunk512 too; the fast mode may scale it"
    return _jpeg("jpeg_large.jpg", about, picture)


def _animation() -> Made:
    frames = [drawn(seed, _CLIP).quantize(16) for seed in (11, 12)]
    data = _saved(frames[0], "gif", save_all=True, append_images=frames[1:], duration=1000)
    return Made("gif_animated.gif", "two frames of a second: a video", LOSSLESS, data)


def _clip() -> Made:
    shown = [np.asarray(drawn(seed, _CLIP)) for seed in (13, 14) for _ in range(_FRAMES_A_SECOND)]
    with TemporaryDirectory() as scratch:
        data = film(Path(scratch) / "clip.mp4", "mpeg4", shown, rate=_FRAMES_A_SECOND)
    return Made("mp4_clip.mp4", "MPEG-4 video, two seconds", VIDEO, data)


def _rgb(picture: Image.Image) -> Image.Image:
    return picture.convert("RGB")


def write(folder: Path) -> None:
    """Write all media and `vectors.json`."""
    described = []
    for vector in made():
        path = folder / vector.file
        path.write_bytes(vector.content)
        described.append(_described(path, vector))
    document = {"version": 1, "fast_tolerance_bits": 6, "vectors": described}
    text = json.dumps(document, indent=1)
    (folder / "vectors.json").write_text(text + "\n", encoding="utf-8")


def _described(path: Path, vector: Made) -> dict[str, Any]:
    # One vector with all forms is enough to test them.
    recipe = Recipe(algorithms=PERCEPTUAL, shrunk512=True, dihedral=path.name.startswith("png_rgb"))
    found = fingerprint_file(path, recipe=recipe)
    return {
        "name": path.stem,
        "file": path.name,
        "about": vector.about,
        "media_type": found.media_type,
        "width": found.width,
        "height": found.height,
        "may_be_scaled": _may_be_scaled(path),
        "expected": [_expected(f, vector.tolerance) for f in found.fingerprints],
        "mistakes": [] if path.suffix == ".mp4" else [*_mistakes(path, vector)],
    }


def _may_be_scaled(path: Path) -> bool:
    scaled = fingerprint_file(path, recipe=Recipe(decoding=Decoding.FAST))
    return any(f.decoding is Decoding.FAST for f in scaled.fingerprints)


def _expected(fingerprint: Fingerprint, tolerance: int) -> dict[str, Any]:
    algorithm = fingerprint.algorithm
    bits = 0 if algorithm.is_digest else tolerance * algorithm.bits // Algorithm.PDQ.bits
    return {
        "algorithm": algorithm,
        "value": fingerprint.value.hex(),
        "quality": fingerprint.quality,
        "variant": fingerprint.variant,
        "time_ms": fingerprint.time_ms,
        "tolerance_bits": bits if algorithm.is_digest else max(2, bits),
    }


def _mistakes(path: Path, vector: Made) -> Iterator[dict[str, str]]:
    """PDQ of the original variant as it comes out of what people get wrong."""
    for cause, picture in vector.mistakes:
        yield _mistake(cause, pdq_of(picture))
    with Image.open(path) as opened:
        if opened.mode in _GREY or getattr(opened, "is_animated", False):
            return
        rgb = channels(ImageOps.exif_transpose(opened))
        rgb.load()
    yield _mistake("red and blue were swapped", pdq_of(Image.merge("RGB", rgb.split()[::-1])))
    shrunk = Raster.of(rgb).shrunk512()
    if shrunk is not None:
        yield _mistake("the picture was shrunk to 512 x 512 first", shrunk.value())


def _mistake(cause: str, value: bytes) -> dict[str, str]:
    return {"cause": cause, "value": value.hex()}


def pdq_of(picture: Image.Image) -> bytes:
    """PDQ of an RGB picture."""
    return pdq(np.ascontiguousarray(picture))[0]


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else vectors.FOLDER)
