"""Pictures: Pillow decodes, and what a viewer would see is found out.

The fingerprints of the original variant follow the reference tools, which take a picture's colour
channels and nothing else, so that the values are those of other parties: transparency is ignored,
and samples of more than 8 bits are clipped where Pillow clips them. Where a viewer would show
something else, the picture as shown is hashed too, as the variant `SHOWN`: on white, and scaled
to 8 bits.
"""

import math
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from hashsvc.errors import MediaUnreadable
from hashsvc.media.formats import Format
from hashsvc.media.hashes import inner_hashes, local_hashes, picture_hashes
from hashsvc.media.limits import Limits
from hashsvc.media.pdq import Side
from hashsvc.media.raster import FAST_SIDE, INSET_SIDE, Raster, draft, fast_scale, sides
from hashsvc.media.recipe import Recipe
from hashsvc.model import (
    Decoding,
    Fingerprint,
    MediaFingerprints,
    MediaType,
    UndeterminedReason,
)

SHOWN = "shown"
"""The variant that is the picture as a viewer shows it, where that differs from its channels."""

PLUGINS = {
    Format.JPEG: ("JPEG",),
    Format.PNG: ("PNG",),
    Format.GIF: ("GIF",),
    Format.WEBP: ("WEBP",),
    Format.BMP: ("BMP",),
    Format.TIFF: ("TIFF",),
    Format.AVIF: ("AVIF",),
}
"""The only Pillow readers that are let near each format's bytes."""

TOO_PLAIN = "not enough information: too plain for a hash of the whole"
"""The detail of the limitation LOW_INFORMATION."""

_BAND_ROWS = 256
_DEEP_MODES = frozenset({"I", "F", "I;16", "I;16B", "I;16L", "I;16N"})


class _Quiet:
    """Silences Pillow's warnings while any thread is inside; safe to enter from many."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._saved: warnings.catch_warnings[None] | None = None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if self._inside == 0:
                self._saved = warnings.catch_warnings()
                self._saved.__enter__()
                warnings.simplefilter("ignore")
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0 and self._saved is not None:
                    self._saved.__exit__(None, None, None)


quiet = _Quiet()


def open_picture(source: BinaryIO, form: Format, limits: Limits) -> Image.Image:
    """Read a picture's header, and no pixels yet.

    Raises MediaUnreadable for a damaged header and MediaTooLarge for a size past the limits.
    """
    source.seek(0)
    try:
        picture = Image.open(source, formats=PLUGINS[form])
    except UnidentifiedImageError as error:
        raise MediaUnreadable(f"this begins as {form.upper()} but is damaged") from error
    except Image.DecompressionBombError as error:
        raise limits.exceeded("max_pixels", "a picture") from error
    limits.check_size(*picture.size)
    return picture


def fingerprint_picture(picture: Image.Image, form: Format, recipe: Recipe) -> MediaFingerprints:
    """Hash a picture from `open_picture` that does not move.

    Gives what the recipe asks for, then the same of the variant SHOWN where it differs, then that
    of what is inside of borders and pages and of insets, in the picture as shown. A picture whose
    data end early is hashed as far as it goes, with UNREADABLE as its limitation, one of several
    pages by its first, with PARTLY_SEEN. One of which no look is to be hashed, for all are too
    plain, has LOW_INFORMATION. Raises MediaUnreadable when nothing can be decoded.
    """
    detail = _other_pages(picture, form)
    limitation = UndeterminedReason.PARTLY_SEEN if detail else None
    size = picture.size
    is_fast = recipe.decoding is Decoding.FAST
    scale = draft(picture, _least(size, recipe)) if is_fast else 1
    # Parts need more cells than the whole, which is hashed as if there were no more than it needs.
    coarse = fast_scale(size) if is_fast and form is Format.JPEG else 1
    if not _load(picture, form):
        limitation = UndeterminedReason.UNREADABLE
        detail = f"this {form.upper()} is cut short or damaged"
    across, down = sides(size, scale, _set_upright(picture))
    fingerprints = _hashes(picture, across, down, recipe, coarse)
    if recipe.algorithms and not any(one.algorithm.is_of_whole for one in fingerprints):
        limitation = limitation or UndeterminedReason.LOW_INFORMATION
        detail = "; ".join(filter(None, (detail, TOO_PLAIN)))
    return MediaFingerprints(
        media_type=MediaType.IMAGE,
        format=form.value,
        width=across.length,
        height=down.length,
        duration_ms=None,
        fingerprints=fingerprints,
        limitation=limitation,
        detail=detail,
    )


def _hashes(
    picture: Image.Image, across: Side, down: Side, recipe: Recipe, coarse: int
) -> tuple[Fingerprint, ...]:
    """All looks at a picture that is decoded; no more than one copy of it is held at a time.

    The whole is hashed in cells of `coarse` pixels a side, or in those that there are.
    """
    seen: list[Fingerprint] = []
    shown = as_shown(picture)
    if shown is not None:
        page = Raster(shown, across, down)
        seen = [*picture_hashes(page, recipe, SHOWN)]
        # What is inside of a plain picture is a word or a line of it.
        seen += inner_hashes(page, recipe) if seen else ()
        seen += local_hashes(page, recipe, SHOWN)
        del page
    is_as_shown = shown is None
    del shown
    raster = Raster(channels(picture), across, down)
    whole = [*picture_hashes(raster.coarser(coarse), recipe)]
    if is_as_shown:
        seen = [*inner_hashes(raster, recipe)] if whole else []
        seen += local_hashes(raster, recipe)
    return (*whole, *seen)


def _least(size: tuple[int, int], recipe: Recipe) -> int:
    """How many cells fast decoding leaves along the shorter side."""
    least = INSET_SIDE if recipe.insets else FAST_SIDE
    if recipe.local is None:
        return least
    return max(least, round(recipe.local.side * min(size) / max(size)))


def _set_upright(picture: Image.Image) -> int:
    """Turn the pixels as EXIF says, and return the orientation that they were stored in."""
    orientation: int = picture.getexif().get(ExifTags.Base.Orientation, 1)
    ImageOps.exif_transpose(picture, in_place=True)
    return orientation


def _other_pages(picture: Image.Image, form: Format) -> str:
    """Say how much of a TIFF with several pages was not looked at."""
    pages = getattr(picture, "n_frames", 1) if form is Format.TIFF else 1
    return f"only the first of {pages} pages was seen" if pages > 1 else ""


def _load(picture: Image.Image, form: Format) -> bool:
    """Decode the pixels; False when only part of them could be."""
    try:
        picture.load()
    except MemoryError:
        raise
    except Exception as error:
        # Whatever a damaged file made a decoder raise; the rows before that are in the picture.
        if not _keep_decoded_part(picture):
            raise MediaUnreadable(f"this {form.upper()} is damaged: {error}") from error
        return False
    return True


def _keep_decoded_part(picture: Image.Image) -> bool:
    """Make the part decoded before a failure the whole; False when there is nothing to see."""
    picture.tile = []  # type: ignore[attr-defined]
    try:
        extrema = picture.convert("L").getextrema()
    except (OSError, ValueError):
        return False  # there is no pixel memory yet
    return extrema[0] != extrema[1]


def channels(picture: Image.Image) -> Image.Image:
    """The colour channels as 8-bit RGB, as the reference tools read them."""
    if picture.mode == "RGB":
        return picture
    if picture.mode == "P" and isinstance(picture.info.get("transparency"), bytes):
        return picture.convert("RGBA").convert("RGB")
    return picture.convert("RGB")


def as_shown(picture: Image.Image) -> Image.Image | None:
    """The picture as 8-bit RGB as a viewer shows it; None when `channels` is the same."""
    if picture.mode in _DEEP_MODES:
        return _scaled(picture)
    if not picture.has_transparency_data:
        return None
    layered = picture if picture.mode == "RGBA" else picture.convert("RGBA")
    alpha = layered.getchannel("A")
    if alpha.getextrema() == (255, 255):
        return None
    page = Image.new("RGB", layered.size, "white")
    page.paste(layered, mask=alpha)
    return page


def _scaled(picture: Image.Image) -> Image.Image | None:
    """Deep grey as 8 bits: 16-bit by its full range, others from darkest to lightest."""
    extrema = picture.getextrema()
    low, high = (float(value) for value in extrema if isinstance(value, int | float))
    if picture.mode.startswith("I;16"):
        low, high = 0.0, 65535.0
    elif picture.mode == "I" and low >= 0 and high <= 255:
        return None
    grey = Image.new("L", picture.size)
    for first in range(0, picture.height, _BAND_ROWS):
        last = min(first + _BAND_ROWS, picture.height)
        values = np.asarray(picture.crop((0, first, picture.width, last)))
        grey.paste(Image.fromarray(_to_8_bits(values, low, high)), (0, first))
    return grey.convert("RGB")


def _to_8_bits(values: NDArray[np.generic], low: float, high: float) -> NDArray[np.uint8]:
    """Map low..high to 0..255. What is not a number becomes 0, and all of it without a range."""
    scale = 255 / (high - low) if math.isfinite(high - low) and high > low else 0.0
    with np.errstate(all="ignore"):
        levels = (values.astype(np.float32) - (low if scale else 0.0)) * scale
    tamed: NDArray[np.float32] = np.nan_to_num(levels, posinf=255.0).clip(0, 255)
    return tamed.round().astype(np.uint8)
