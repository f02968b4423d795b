"""From bytes to fingerprints in the caller's own process."""

from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, cast

from hashsvc.errors import MediaError, MediaTooLarge, MediaUnreadable
from hashsvc.media.animation import fingerprint_animation, is_animated
from hashsvc.media.digest import CHUNK_BYTES, Digester, digests
from hashsvc.media.formats import SNIFF_BYTES, Format, sniff
from hashsvc.media.image import fingerprint_picture, open_picture, quiet
from hashsvc.media.limits import Limits, out_of_memory
from hashsvc.media.recipe import FOR_LISTS, Recipe
from hashsvc.media.scan import Judge
from hashsvc.media.source import CallerError, Upload
from hashsvc.media.video import fingerprint_video
from hashsvc.model import Fingerprint, MediaFingerprints, UndeterminedReason


def fingerprint(
    source: BinaryIO,
    limits: Limits | None = None,
    recipe: Recipe = FOR_LISTS,
    judge: Judge | None = None,
) -> MediaFingerprints:
    """Hash an image or a video: `source` is a binary file, read from its start.

    Gives sha256 and md5, then what the recipe asks for (`FOR_LISTS` to contribute, `FOR_CHECKS` to
    check): for an image its hashes (and all again as the variant `shown`, where transparency or
    deep grey make a viewer show something else), for a video the pdq of its frames in time order.
    A `judge` is told of a video's frames as they are decoded (see `scan`).

    A source that cannot seek is decoded as its bytes come where its format allows that, and is
    else read into memory. When the judge stops it, it is read no further, and has no digests.

    Raises MediaUnreadable or MediaTooLarge, with the digests where they are known. Errors of
    reading `source` and of the judge are passed on. Time and memory are bounded only in a
    `DecoderPool`.
    """
    limits = limits or Limits()
    if not source.seekable():
        return _fingerprint_stream(source, limits, recipe, judge)
    size = source.seek(0, 2)
    if size > limits.max_bytes:
        raise limits.exceeded("max_bytes", f"a file of {size} bytes")
    source.seek(0)
    exact = digests(source)
    try:
        seen = look(source, limits, recipe, judge)
    except MediaError as error:
        # The digest of no bytes identifies nothing.
        error.digests = exact if size else ()
        raise
    return replace(seen, fingerprints=(*exact, *seen.fingerprints))


def _fingerprint_stream(
    source: BinaryIO, limits: Limits, recipe: Recipe, judge: Judge | None
) -> MediaFingerprints:
    """Hash what cannot be read twice; its digests are known once all of it was read."""
    stream = _Digested(source)
    try:
        seen = look(cast("BinaryIO", stream), limits, recipe, judge)
    except MediaTooLarge:
        raise  # perhaps without end
    except MediaError as error:
        error.digests = stream.rest(limits)
        raise
    if seen.limitation is UndeterminedReason.PARTLY_SEEN and not stream.is_ended:
        return seen
    return replace(seen, fingerprints=(*stream.rest(limits), *seen.fingerprints))


class _Digested:
    """A source that cannot seek, digested as it is read."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._digester = Digester()
        self.is_ended = False

    def seekable(self) -> bool:
        """It cannot."""
        return False

    def read(self, size: int) -> bytes:
        """The next bytes, none at the end."""
        piece = self._source.read(size)
        self._digester.update(piece)
        self.is_ended = self.is_ended or not piece
        return piece

    def rest(self, limits: Limits) -> tuple[Fingerprint, ...]:
        """The digests of all of it; none of no bytes or of more than `max_stream_bytes`."""
        while not self.is_ended and self._digester.size_bytes <= limits.max_stream_bytes:
            self.read(CHUNK_BYTES)
        return self._digester.fingerprints() if self.is_ended and self._digester.size_bytes else ()


def fingerprint_file(
    path: str | Path,
    limits: Limits | None = None,
    recipe: Recipe = FOR_LISTS,
    judge: Judge | None = None,
) -> MediaFingerprints:
    """Hash the file at `path`, as `fingerprint` does. The name plays no part in it."""
    with Path(path).open("rb") as source:
        return fingerprint(source, limits, recipe, judge)


def look(
    source: BinaryIO, limits: Limits, recipe: Recipe, judge: Judge | None = None
) -> MediaFingerprints:
    """The perceptual fingerprints alone, without digests.

    `source` may be an upload on its way: it need not seek, and its `read` may block until bytes
    have come. Its result says whether the file could be decoded as it came (`progressive`). What
    a judge stopped is PARTLY_SEEN. Raises MediaError, and what `source` and `judge` raise.
    """
    stream: BinaryIO | Upload = source if source.seekable() else Upload(source, limits)
    try:
        form = sniff(_head(stream))
        return _guarded(stream, form, limits, recipe, judge)
    except CallerError as theirs:
        raise theirs.error from None


def _head(stream: BinaryIO | Upload) -> bytes:
    if isinstance(stream, Upload):
        return stream.peek(0, SNIFF_BYTES)
    stream.seek(0)
    return stream.read(SNIFF_BYTES)


def _guarded(
    stream: BinaryIO | Upload,
    form: Format,
    limits: Limits,
    recipe: Recipe,
    judge: Judge | None,
) -> MediaFingerprints:
    """Look, and turn whatever decoders raise into errors of ours."""
    try:
        with quiet():
            return _look(stream, form, limits, recipe, judge)
    except (MediaError, CallerError):
        raise
    except MemoryError as error:
        raise out_of_memory(limits) from error
    except Exception as error:
        # A damaged file can make a decoder raise anything at all.
        raise MediaUnreadable(
            f"this {form.upper()} cannot be decoded: {type(error).__name__}: {error}"
        ) from error


def _look(
    stream: BinaryIO | Upload,
    form: Format,
    limits: Limits,
    recipe: Recipe,
    judge: Judge | None,
) -> MediaFingerprints:
    if form.is_video:
        return fingerprint_video(stream, form, limits, recipe, judge)
    source = stream.whole() if isinstance(stream, Upload) else stream
    with open_picture(source, form, limits) as picture:
        if is_animated(picture, form):
            return fingerprint_animation(picture, form, limits, recipe, judge)
        return fingerprint_picture(picture, form, recipe)
