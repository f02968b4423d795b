"""Animated GIF, WebP, PNG and AVIF: Pillow gives the frames, hashed as a video's."""

import math
from collections.abc import Iterator
from contextlib import suppress
from itertools import count

from PIL import Image

from hashsvc.media.formats import Format
from hashsvc.media.frame import Frame
from hashsvc.media.image import as_shown, channels
from hashsvc.media.limits import Limits
from hashsvc.media.recipe import Recipe
from hashsvc.media.scan import Judge
from hashsvc.media.scanning import Scan, Stopped, scan_frames
from hashsvc.media.video import Clip, result
from hashsvc.model import MediaFingerprints

ANIMATED = frozenset({Format.GIF, Format.WEBP, Format.PNG, Format.AVIF})
"""Formats whose further frames follow in time; those of a TIFF or a JPEG are pages or views."""

_SHORTEST_MS = 10
_INSTEAD_OF_SHORTEST_MS = 100  # what browsers make of a frame of 10 ms or less


def is_animated(picture: Image.Image, form: Format) -> bool:
    """Whether the picture moves, or is damaged behind its first frame."""
    try:
        return form in ANIMATED and bool(getattr(picture, "is_animated", False))
    except MemoryError:
        raise
    except Exception:
        # The first frame may be sound; `frames` notes the others as not seen.
        return True


def fingerprint_animation(
    picture: Image.Image,
    form: Format,
    limits: Limits,
    recipe: Recipe,
    judge: Judge | None = None,
) -> MediaFingerprints:
    """Hash the frame on show at each of the recipe's moments; the judge is told of all of them.

    Raises MediaUnreadable and MediaTooLarge.
    """
    scan, clip = Scan(limits, recipe, judge), Clip()
    with suppress(Stopped):
        scan_frames(frames(picture, clip, limits, recipe.rate), scan)
    return result(scan, clip, form, progressive=False)


def frames(picture: Image.Image, clip: Clip, limits: Limits, rate: float) -> Iterator[Frame]:
    """Give the frame on show at each wanted moment, as seen on a white page.

    A frame that cannot be decoded ends the clip and is noted in it.
    """
    interval_ms = 1000 / rate
    due_ms = 0.0
    for index in count():
        if not _seek(picture, index, clip):
            return
        if index == limits.max_decoded_frames:
            raise limits.exceeded("max_decoded_frames", f"{index + 1} frames")
        start_ms, clip.decoded_ms = clip.decoded_ms, clip.decoded_ms + _duration_ms(picture)
        limits.check_duration(clip.decoded_ms / 1000)
        if clip.decoded_ms > due_ms:
            rgb = as_shown(picture) or channels(picture)
            yield Frame.of_rgb(start_ms, rgb)
            due_ms = math.ceil(clip.decoded_ms / interval_ms) * interval_ms


def _seek(picture: Image.Image, index: int, clip: Clip) -> bool:
    """Go to the next frame and decode it; False when there is none."""
    try:
        picture.seek(index)
        picture.load()
    except EOFError:
        return False
    except MemoryError:
        raise
    except Exception as error:
        # Whatever a damaged file made the decoder raise.
        clip.fault = f"frame {index + 1} could not be decoded: {error}"
        return False
    return True


def _duration_ms(picture: Image.Image) -> int:
    """Time on screen of the present frame."""
    stated = round(picture.info.get("duration", 0) or 0)
    return stated if stated > _SHORTEST_MS else _INSTEAD_OF_SHORTEST_MS
