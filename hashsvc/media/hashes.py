"""The perceptual hashes of one picture: all that a recipe asks for, from one decoding of it."""

from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from hashsvc.media.framing import insides
from hashsvc.media.insets import insets
from hashsvc.media.local import local_features
from hashsvc.media.pdq import FORMS, Spectrum
from hashsvc.media.raster import Raster
from hashsvc.media.recipe import Recipe
from hashsvc.media.variants import FRAMED, INSET, SHRUNK512, TRIMMED, variant_of
from hashsvc.model import ORIGINAL, Algorithm, Decoding, Fingerprint

MIRRORED = "flip_horizontal"
"""The form that is the picture with left and right swapped."""


def picture_hashes(
    raster: Raster, recipe: Recipe, variant: str = ORIGINAL
) -> Iterator[Fingerprint]:
    """All that the recipe asks for of one look at a picture, in the recipe's order.

    The 64-bit hashes are those of `imagehash`. PDQ is given with its forms, and that of the
    picture shrunk to 512 x 512 for the original variant alone: the tool that shrinks sees no other.
    Nothing is given of a plain look unless the recipe says so.
    """
    spectrum = raster.spectrum()
    if not recipe.plain and spectrum.is_plain:
        return
    decoding = Decoding.FAST if raster.is_scaled else Decoding.EXACT
    forms = FORMS if recipe.dihedral else (ORIGINAL,)
    for algorithm in recipe.algorithms:
        if algorithm is Algorithm.PDQ:
            yield from pdq_hashes(spectrum, forms, variant, decoding=decoding)
            shrunk = raster.shrunk512() if recipe.shrunk512 and variant == ORIGINAL else None
            if shrunk is not None:
                yield from pdq_hashes(shrunk, forms, SHRUNK512, decoding=decoding)
        else:
            value = _hash64(raster.grey, algorithm)
            yield Fingerprint(algorithm, value, None, None, decoding, variant)


def inner_hashes(raster: Raster, recipe: Recipe) -> Iterator[Fingerprint]:
    """The same of what is inside of borders and pages, and of what is set into the picture."""
    looks = [
        look
        for look, is_wanted in ((TRIMMED, recipe.trimmed), (FRAMED, recipe.framed))
        if is_wanted and recipe.algorithms
    ]
    found = insides(raster.grey, looks) if looks else {}
    for look, box in found.items():
        yield from picture_hashes(raster.part(box), recipe, look)
    for box in insets(raster.grey) if recipe.insets and recipe.algorithms else ():
        if not any(box.is_near(other) for other in found.values()):
            yield from picture_hashes(raster.shrunk_part(box), recipe, INSET)


def local_hashes(raster: Raster, recipe: Recipe, variant: str = ORIGINAL) -> Iterator[Fingerprint]:
    """The local features of one look at a picture, where the recipe asks for them."""
    value = None if recipe.local is None else local_features(raster.grey, recipe.local)
    if value is not None:
        decoding = Decoding.FAST if raster.is_scaled else Decoding.EXACT
        yield Fingerprint(Algorithm.ORB, value, None, None, decoding, variant)


def frame_forms(recipe: Recipe) -> Sequence[str]:
    """The forms in which a recipe wants the frames of a video."""
    if recipe.dihedral_frames:
        return FORMS
    return (ORIGINAL, MIRRORED) if recipe.mirrored else (ORIGINAL,)


def pdq_hashes(
    spectrum: Spectrum,
    forms: Sequence[str],
    variant: str = ORIGINAL,
    *,
    time_ms: int | None = None,
    decoding: Decoding = Decoding.EXACT,
) -> Iterator[Fingerprint]:
    """PDQ of one look at a picture or a frame, in each of these `pdq.FORMS`."""
    for form, value in spectrum.forms(forms).items():
        yield Fingerprint(
            Algorithm.PDQ, value, spectrum.quality, time_ms, decoding, variant_of(variant, form)
        )


def _hash64(grey: Image.Image, algorithm: Algorithm) -> bytes:
    import imagehash  # brings scipy, which a video does not need

    make = {
        Algorithm.PHASH: imagehash.phash,
        Algorithm.DHASH: imagehash.dhash,
        Algorithm.WHASH: imagehash.whash,
    }[algorithm]
    return np.packbits(make(grey).hash).tobytes()
