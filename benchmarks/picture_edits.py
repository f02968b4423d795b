"""The catalogue of what uploaders do to a picture, each at graded strengths.

An edit is made of a picture by seeded chance, so that it is the same in every run, and gives the
bytes of a file to upload: JPEG of quality 85 unless it says otherwise.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from zlib import crc32

import numpy as np
from PIL import Image

from benchmarks import adversarial, picture_changes, picture_scenes, picture_screens
from benchmarks.picture_changes import Rng, encoded

_Change = Callable[[Image.Image], Image.Image]
_Chance = Callable[[Image.Image, Rng], Image.Image]


@dataclass(frozen=True, slots=True)
class Material:
    """What an edit has to work with: its picture, unrelated ones, and a known one to look like.

    `data` is the file of its picture; all others are RGB. The known one is of use to edits of
    unrelated pictures alone.
    """

    data: bytes
    picture: Image.Image
    others: Sequence[Image.Image]
    known: Image.Image


@dataclass(frozen=True, slots=True)
class Edit:
    """One thing done to a picture, at one strength.

    `of_known` says that it is done to known pictures, to see what is still found, `of_unrelated`
    that it is done to others, to see what is found in error: those that take away what tells
    pictures apart, or add what many have. An attack is by somebody who knows the hash.
    """

    name: str
    strength: str
    change: Callable[[Material, Rng], bytes]
    of_known: bool = True
    of_unrelated: bool = False
    is_attack: bool = False

    def make(self, material: Material, seed: int, picture: str) -> bytes:
        """The upload; `picture` names its picture. The same for the same arguments."""
        name = f"{self.name} {self.strength} {picture}"
        return self.change(material, np.random.default_rng([seed, crc32(name.encode())]))


PLAIN_COPY = Edit("plain copy", "as found", lambda material, _: material.data, of_unrelated=True)


def catalogue() -> list[Edit]:
    """All edits, in the order of the table."""
    return [
        PLAIN_COPY,
        *_formats(),
        *_sizes(),
        *_light(),
        *_sharpness(),
        *_overlays(),
        *_frames(),
        *_screenshots(),
        *_geometry(),
        *_composites(),
        *_chains(),
        *_attacks(),
    ]


def _formats() -> Iterator[Edit]:
    for quality in (90, 70, 50, 30, 10):
        yield _simple("JPEG", f"quality {quality}", _same, quality=quality, risky=quality == 10)
    for form in ("WEBP", "AVIF"):
        for quality in (90, 50, 10):
            name = {"WEBP": "WebP"}.get(form, form)
            yield _simple(name, f"quality {quality}", _same, form=form, quality=quality)


def _sizes() -> Iterator[Edit]:
    for percent in (75, 50, 25, 12):
        change = partial(picture_changes.scaled, share=percent / 100)
        yield _simple("resize", f"{percent} %", change, risky=percent == 12)
    for across, down in ((80, 100), (100, 60)):
        change = partial(picture_changes.stretched, across=across / 100, down=down / 100)
        yield _simple("resize to another aspect", f"{across} % x {down} %", change)
    yield _simple("resize to another aspect", "square", picture_changes.squared)


def _light() -> Iterator[Edit]:
    for percent in (-40, -20, 20, 40):
        change = partial(picture_changes.brightened, by=percent / 100)
        yield _simple("brightness", f"{percent:+} %", change)
    for factor in (0.3, 0.6, 1.5, 2.0):
        change = partial(picture_changes.contrasted, factor=factor)
        yield _simple("contrast", f"x {factor}", change, risky=factor == 2)
    for gamma in (0.5, 0.7, 1.5, 2.2):
        yield _simple("gamma", f"{gamma}", partial(picture_changes.with_gamma, gamma=gamma))
    for factor in (0.3, 1.7, 3.0):
        change = partial(picture_changes.saturated, factor=factor)
        yield _simple("saturation", f"x {factor}", change)
    yield _simple("greyscale", "-", picture_changes.grey)
    for percent in (-30, -15, 15, 30):
        change = partial(picture_changes.warmed, by=percent / 100)
        yield _simple("colour temperature", f"{percent:+} %", change)


def _sharpness() -> Iterator[Edit]:
    for percent in (0.2, 0.5, 1.0):
        change = partial(picture_changes.blurred, share=percent / 100)
        yield _simple("blur", f"{percent} % of the side", change, risky=percent == 1)
    for steps in (5, 15, 30):
        yield _chance("noise", f"{steps} steps", partial(picture_changes.noisy, deviation=steps))
    for percent in (100, 300):
        change = partial(picture_changes.sharpened, percent=percent)
        yield _simple("sharpen", f"{percent} %", change)


def _overlays() -> Iterator[Edit]:
    for percent in (8, 15, 25):
        change = partial(picture_scenes.lettered, share=percent / 100)
        yield _chance("text over it", f"2 x {percent} %", change, risky=percent == 25)
    for percent in (10, 20, 30):
        change = partial(picture_scenes.with_logo, share=percent / 100)
        yield _chance("logo", f"{percent} %", change, risky=percent == 30)
    for percent in (15, 30, 60):
        change = partial(picture_scenes.watermarked, opacity=percent / 100)
        yield _chance("watermark", f"{percent} % opaque", change, risky=percent == 60)
    for count, percent in ((1, 20), (3, 25), (6, 30)):
        change = partial(picture_scenes.stickered, share=percent / 100, count=count)
        yield _chance("stickers", f"{count} of {percent} %", change, risky=count == 6)


def _frames() -> Iterator[Edit]:
    for above, name in ((True, "caption above"), (False, "caption below")):
        for percent in (10, 20, 30):
            change = partial(picture_scenes.captioned, share=percent / 100, above=above)
            yield _chance(name, f"{percent} %", change, risky=percent == 30)
    for percent in (3, 10, 20):
        change = partial(picture_scenes.bordered, share=percent / 100)
        yield _chance("border", f"{percent} %", change, risky=percent == 20)
    for percent in (10, 20, 40):
        bars = partial(picture_scenes.letterboxed, share=percent / 100)
        yield _simple("letterbox", f"{percent} %", bars, risky=percent == 40)
    for percent in (10, 40):
        bars = partial(picture_scenes.letterboxed_by_itself, share=percent / 100)
        yield _simple("letterbox of itself", f"{percent} %", bars)
    for percent in (5, 15, 50):
        change = partial(picture_scenes.rounded, share=percent / 100)
        yield _chance("rounded corners", f"{percent} %", change, risky=percent == 50)


def _screenshots() -> Iterator[Edit]:
    ways: dict[str, _Chance] = {
        "feed, light": partial(picture_screens.feed, theme=picture_screens.LIGHT),
        "feed, dark": partial(picture_screens.feed, theme=picture_screens.DARK),
        "viewer": picture_screens.viewer,
        "browser": picture_screens.browser,
    }
    for strength, change in ways.items():
        yield _chance("screenshot", strength, change, risky=True)


def _geometry() -> Iterator[Edit]:
    for percent in (5, 10, 20, 30, 50):
        centred = partial(picture_changes.cropped, share=percent / 100)
        yield _simple("crop", f"{percent} %", centred, risky=percent == 50)
    for percent in (5, 10, 20, 30, 50):
        cornered = partial(picture_changes.cornered, share=percent / 100)
        yield _chance("crop to a corner", f"{percent} %", cornered, risky=percent == 50)
    for degrees in (1, 2, 5, 10, 15):
        turned = partial(picture_changes.rotated, degrees=degrees)
        yield _chance("rotation", f"{degrees} degrees", turned)
    for degrees in (1, 2, 5, 10, 15):
        inside = partial(picture_changes.rotated_inside, degrees=degrees)
        yield _chance("rotation inside", f"{degrees} degrees", inside, risky=degrees == 15)
    quarters = {
        "90 degrees": Image.Transpose.ROTATE_90,
        "180 degrees": Image.Transpose.ROTATE_180,
        "270 degrees": Image.Transpose.ROTATE_270,
    }
    for strength, how in quarters.items():
        yield _simple("quarter turns", strength, partial(picture_changes.turned_about, how=how))
    across = partial(picture_changes.turned_about, how=Image.Transpose.FLIP_LEFT_RIGHT)
    yield _simple("mirror", "-", across)
    for strength, tilt, moire in (("from the front", 0.01, 0.05), ("aside", 0.05, 0.1)):
        photo = partial(picture_scenes.photographed, tilt=tilt, moire=moire)
        yield _chance("photo of a screen", strength, photo, risky=True)
    far = partial(picture_scenes.photographed, tilt=0.1, moire=0.2)
    yield _chance("photo of a screen", "far aside", far, risky=True)


def _composites() -> Iterator[Edit]:
    for strength, across, down in (("2", 2, 1), ("4", 2, 2), ("9", 3, 3)):
        yield _composed("collage", strength, picture_scenes.collage, across=across, down=down)
    sizes = {"half": 1 / 2, "a third": 1 / 3, "a quarter": 1 / 4}
    for strength, share in sizes.items():
        made = picture_scenes.in_picture
        yield _composed("picture in picture", f"{strength} of the width", made, share=share)


def _chains() -> Iterator[Edit]:
    resize, crop = picture_changes.scaled, picture_changes.cropped
    caption = partial(picture_scenes.captioned, share=0.15, above=True)
    yield _chain("resize 60 %, crop 5 %, caption, JPEG 40", 40)(
        lambda p, rng: caption(crop(resize(p, 0.6), 0.05), rng)
    )
    yield _chain("JPEG 50, resize 70 %, JPEG 50, resize 140 %, JPEG 50", 50)(
        lambda p, _: resize(_again(resize(_again(p, 50), 0.7), 50), 1.4)
    )
    yield _chain("mirror, brightness +15 %, logo, WebP 60", 60, "WEBP")(
        lambda p, rng: picture_scenes.with_logo(
            picture_changes.brightened(
                picture_changes.turned_about(p, Image.Transpose.FLIP_LEFT_RIGHT), 0.15
            ),
            rng,
            0.15,
        )
    )
    yield _chain("rotation 3 degrees, crop 10 %, gamma, stickers, JPEG 60", 60)(
        lambda p, rng: picture_scenes.stickered(
            picture_changes.with_gamma(crop(picture_changes.rotated_inside(p, rng, 3), 0.1), 0.8),
            rng,
            0.2,
            2,
        )
    )
    yield _chain("caption, screenshot, crop 5 %, JPEG 50", 50)(
        lambda p, rng: crop(picture_screens.feed(caption(p, rng), rng, picture_screens.DARK), 0.05)
    )
    yield _chain("crop to a corner 20 %, greyscale, text, border, JPEG 40", 40)(
        lambda p, rng: picture_scenes.bordered(
            picture_scenes.lettered(
                picture_changes.grey(picture_changes.cornered(p, rng, 0.2)), rng, 0.12
            ),
            rng,
            0.05,
        )
    )


def _attacks() -> Iterator[Edit]:
    ways: dict[str, tuple[adversarial.Hash, ...]] = {
        "PDQ moved": (adversarial.PDQ,),
        "pHash moved": (adversarial.PHASH,),
        "PDQ and pHash moved": (adversarial.PDQ, adversarial.PHASH),
    }
    for name, hashes in ways.items():
        for decibels in (44, 40, 36, 32):
            moved = partial(_moved, hashes=hashes, decibels=decibels)
            yield Edit(name, f"{decibels} dB", moved, is_attack=True)
    aims = {
        "PDQ": ((adversarial.PDQ,), (24 / 256,)),
        "PDQ and pHash": ((adversarial.PDQ, adversarial.PHASH), (24 / 256, 4 / 64)),
    }
    for strength, (hashes, shares) in aims.items():
        made = partial(_collided, hashes=hashes, shares=shares)
        yield Edit(
            "hash collision", strength, made, of_known=False, of_unrelated=True, is_attack=True
        )


def _moved(
    material: Material, _: Rng, hashes: Sequence[adversarial.Hash], decibels: float
) -> bytes:
    return encoded(adversarial.moved(material.picture, hashes, decibels))


def _collided(
    material: Material, _: Rng, hashes: Sequence[adversarial.Hash], shares: Sequence[float]
) -> bytes:
    return encoded(adversarial.collided(material.picture, material.known, hashes, shares))


def _same(picture: Image.Image) -> Image.Image:
    return picture


def _again(picture: Image.Image, quality: int) -> Image.Image:
    return picture_changes.decoded(encoded(picture, quality=quality))


def _simple(
    name: str, strength: str, change: _Change, *, risky: bool = False, **encoding: Any
) -> Edit:
    """An edit of the picture alone, without chance."""
    return Edit(
        name,
        strength,
        lambda material, _: encoded(change(material.picture), **encoding),
        of_unrelated=risky,
    )


def _chance(
    name: str, strength: str, change: _Chance, *, risky: bool = False, **encoding: Any
) -> Edit:
    """An edit of the picture alone, by chance."""
    return Edit(
        name,
        strength,
        lambda material, rng: encoded(change(material.picture, rng), **encoding),
        of_unrelated=risky,
    )


def _composed(name: str, strength: str, change: Callable[..., Image.Image], **how: Any) -> Edit:
    """An edit that shows others beside the picture."""
    return Edit(
        name,
        strength,
        lambda material, rng: encoded(change(material.picture, material.others, rng, **how)),
        of_unrelated=True,
    )


def _chain(steps: str, quality: int, form: str = "JPEG") -> Callable[[_Chance], Edit]:
    """Several one after the other, as on the way from one platform to the next."""
    return lambda change: _chance("chain", steps, change, risky=True, quality=quality, form=form)
