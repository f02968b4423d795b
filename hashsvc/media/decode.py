"""From bytes to fingerprints in the caller's own process."""

from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from hashsvc.errors import MediaError, MediaUnreadable
from hashsvc.media.animation import fingerprint_animation, is_animated
from hashsvc.media.digest import digests, read_whole
from hashsvc.media.formats import SNIFF_BYTES, Format, sniff
from hashsvc.media.image import fingerprint_picture, open_picture, quiet
from hashsvc.media.limits import Limits, out_of_memory
from hashsvc.media.recipe import FOR_LISTS, Recipe
from hashsvc.media.scan import Judge
from hashsvc.media.video import fingerprint_video
from hashsvc.model import MediaFingerprints


def fingerprint(
    source: BinaryIO, limits: Limits | None = None, recipe: Recipe = FOR_LISTS
) -> MediaFingerprints:
    """Hash an image or a video: `source` is a binary file, read from its start.

    Gives sha256 and md5, then what the recipe asks for (`FOR_LISTS` to contribute, `FOR_CHECKS` to
    check): for an image its hashes (and all again as the variant `shown`, where transparency or
    deep grey make a viewer show something else), for a video the pdq of its frames in time order.
    A source that cannot seek is read into memory.

    Raises MediaUnreadable or MediaTooLarge, with the digests where they are known. Errors of
    reading `source` are passed on. Time and memory are bounded only in a `DecoderPool`.
    """
    limits = limits or Limits()
    if not source.seekable():
        source = read_whole(source, limits)
    size = source.seek(0, 2)
    if size > limits.max_bytes:
        raise limits.exceeded("max_bytes", f"a file of {size} bytes")
    source.seek(0)
    exact = digests(source)
    try:
        seen = look(source, limits, recipe)
    except MediaError as error:
        # The digest of no bytes identifies nothing.
        error.digests = exact if size else ()
        raise
    return replace(seen, fingerprints=(*exact, *seen.fingerprints))


def fingerprint_file(
    path: str | Path, limits: Limits | None = None, recipe: Recipe = FOR_LISTS
) -> MediaFingerprints:
    """Hash the file at `path`, as `fingerprint` does. The name plays no part in it."""
    with Path(path).open("rb") as source:
        return fingerprint(source, limits, recipe)


def look(
    source: BinaryIO, limits: Limits, recipe: Recipe, judge: Judge | None = None
) -> MediaFingerprints:
    """The perceptual fingerprints alone, without digests; raises nothing but MediaError.

    A source that cannot seek is read into memory.
    """
    try:
        source = source if source.seekable() else read_whole(source, limits)
    except MemoryError as error:
        raise out_of_memory(limits) from error
    source.seek(0)
    form = sniff(source.read(SNIFF_BYTES))
    try:
        with quiet():
            return _look(source, form, limits, recipe, judge)
    except MediaError:
        raise
    except MemoryError as error:
        raise out_of_memory(limits) from error
    except Exception as error:
        # A damaged file can make a decoder raise anything at all.
        raise MediaUnreadable(
            f"this {form.upper()} cannot be decoded: {type(error).__name__}: {error}"
        ) from error


def _look(
    source: BinaryIO, form: Format, limits: Limits, recipe: Recipe, judge: Judge | None
) -> MediaFingerprints:
    if form.is_video:
        return fingerprint_video(source, form, limits, recipe, judge)
    with open_picture(source, form, limits) as picture:
        if is_animated(picture, form):
            return fingerprint_animation(picture, form, limits, recipe)
        return fingerprint_picture(picture, form, recipe)
