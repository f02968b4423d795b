"""Moving pictures: sampled, by default once a second, each sample hashed with PDQ, as in vPDQ.

`frames` is the seam: another decoder has to give the same stream of `Frame` and set `Clip`.
"""

import io
import math
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

# Read once, when FFmpeg is first used; damaged files would fill the caller's stderr.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

import cv2
import numpy as np
from numpy.typing import NDArray

from hashsvc.errors import MediaTooLarge, MediaUnreadable
from hashsvc.media.container import Boxes, read_boxes
from hashsvc.media.formats import Format
from hashsvc.media.hashes import pdq_hashes
from hashsvc.media.limits import Limits
from hashsvc.media.pdq import pdq_spectrum
from hashsvc.media.recipe import Recipe
from hashsvc.media.scan import Judge, Seen
from hashsvc.model import Fingerprint, MediaFingerprints, MediaType, UndeterminedReason

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

MAX_VIDEO_BYTES = 2**31 - 1
"""OpenCV cuts off larger file offsets."""

MISSING_S = 1.5
"""A clip that ends this much before its stated duration is reported as partly seen."""

MISSING_SHARE = 0.05
"""The same as a share of the stated duration; the larger of the two counts."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One sampled frame: `time_ms` from the start, `rgb` uint8 (height, width, 3) upright."""

    time_ms: int
    rgb: NDArray[np.uint8]


@dataclass(slots=True)
class Clip:
    """What is known of a clip; the decoder fills it in while its frames are taken.

    `rate` is how many frames a second are wanted.
    `stated_ms` is the container's word, 0 when it gives none. `decoded_ms` is how far decoding
    came, the last frame's time on screen included. `decoded` counts frames, sampled or not.
    `fault` says what could not be seen, where the decoder itself noticed.
    """

    rate: float
    width: int = 0
    height: int = 0
    stated_ms: int = 0
    decoded_ms: int = 0
    decoded: int = 0
    fault: str = ""


def fingerprint_frames(
    frames: Iterator[Frame],
    clip: Clip,
    form: Format,
    limits: Limits,
    recipe: Recipe,
    judge: Judge | None = None,
) -> MediaFingerprints:
    """Hash every frame as the recipe says, and say whether the clip was seen to its end.

    Raises MediaTooLarge past `max_frames` and MediaUnreadable when there is no frame at all.
    """
    hashed: list[Fingerprint] = []
    for frame in frames:
        new = tuple(pdq_hashes(pdq_spectrum(frame.rgb), recipe, time_ms=frame.time_ms))
        hashed += new
        if len(hashed) > limits.max_frames:
            raise limits.exceeded("max_frames", f"{len(hashed)} hashed frames")
        if judge is not None and judge(Seen(new, clip.decoded_ms)) is None:
            break
    if not hashed:
        raise MediaUnreadable(f"this {form.upper()} has no frames that can be decoded")
    unseen = clip.fault or _missing(clip)
    return MediaFingerprints(
        media_type=MediaType.VIDEO,
        format=form.value,
        width=clip.width,
        height=clip.height,
        duration_ms=max(clip.stated_ms, clip.decoded_ms),
        fingerprints=tuple(sorted(hashed, key=lambda fingerprint: fingerprint.time_ms or 0)),
        limitation=UndeterminedReason.PARTLY_SEEN if unseen else None,
        detail=unseen,
    )


def _missing(clip: Clip) -> str:
    """Say how much of the stated duration was not decoded; empty when that is little."""
    missing_ms = clip.stated_ms - clip.decoded_ms
    if missing_ms <= max(MISSING_S * 1000, MISSING_SHARE * clip.stated_ms):
        return ""
    return f"decoded {clip.decoded_ms / 1000:.1f} s of {clip.stated_ms / 1000:.1f} s"


def fingerprint_video(
    source: BinaryIO, form: Format, limits: Limits, recipe: Recipe, judge: Judge | None = None
) -> MediaFingerprints:
    """Hash the frames of a video file. Raises MediaUnreadable and MediaTooLarge."""
    if source.seek(0, io.SEEK_END) > MAX_VIDEO_BYTES:
        raise MediaTooLarge("a video of more than 2 GiB cannot be read")
    boxes = read_boxes(source) if form.is_iso else Boxes((), cut_short=False)
    clip = Clip(recipe.rate, stated_ms=round(boxes.video_duration_s() * 1000))
    limits.check_duration(clip.stated_ms / 1000)
    try:
        decoded = frames(source, clip, limits)
        return fingerprint_frames(decoded, clip, form, limits, recipe, judge)
    except MediaUnreadable as error:
        raise _explained(error, boxes, form) from error


def _explained(error: MediaUnreadable, boxes: Boxes, form: Format) -> MediaUnreadable:
    """Say why there are no frames, where the boxes tell."""
    kinds = boxes.kinds()
    if kinds and "vide" not in kinds:
        what = "only audio" if kinds == {"soun"} else "no video track"
        return MediaUnreadable(f"this {form.upper()} has no frames: it holds {what}")
    if boxes.cut_short:
        return MediaUnreadable(f"{error}: the file is cut short")
    return error


def frames(source: BinaryIO, clip: Clip, limits: Limits) -> Iterator[Frame]:
    """Decode with OpenCV's FFmpeg and give the sampled frames.

    Sampled are the first frame at or after each whole interval (a second, at a rate of 1), and
    after those any other frame that stayed on screen for a whole interval. Raises MediaTooLarge
    for size, duration or number of frames past the limits.
    """
    with _opened(source) as capture:
        _describe(capture, clip, limits)
        stayed = yield from _sample(capture, clip, limits)
    if stayed:
        with _opened(source) as capture:
            yield from _pick(capture, stayed, limits)


class _Stream(io.BufferedIOBase):
    """A binary file as OpenCV has to be given it.

    OpenCV takes only this base class, trusts the length of what `read` returns, and crashes on
    any exception; it drops its reference without holding the interpreter's lock, so that a
    stream has to outlive its capture.
    """

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self.interrupted: BaseException | None = None

    def read(self, size: int | None = -1, /) -> bytes:
        """At most `size` bytes; none at the end of the file and where it cannot be read."""
        try:
            return self._source.read(size)[:size] if size and size > 0 else b""
        except Exception:
            return b""
        except BaseException as error:
            self.interrupted = error
            return b""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """The new position, or -1 for a position that a damaged file made up."""
        try:
            return self._source.seek(offset, whence)
        except Exception:
            return -1
        except BaseException as error:
            self.interrupted = error
            return -1


@contextmanager
def _opened(source: BinaryIO) -> Iterator[cv2.VideoCapture]:
    """A capture that reads `source` from its start."""
    source.seek(0)
    stream = _Stream(source)
    options = [cv2.CAP_PROP_N_THREADS, 1]
    try:
        capture = cv2.VideoCapture(cast("Any", stream), cv2.CAP_FFMPEG, options)
        try:
            if not capture.isOpened():
                raise MediaUnreadable("no frames can be decoded")
            yield capture
        finally:
            capture.release()
    except cv2.error as error:
        raise _translated(error) from error
    finally:
        if stream.interrupted is not None:
            raise stream.interrupted


def _describe(capture: cv2.VideoCapture, clip: Clip, limits: Limits) -> None:
    clip.width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
    clip.height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    limits.check_size(clip.width, clip.height)
    if not clip.stated_ms:
        count, rate = capture.get(cv2.CAP_PROP_FRAME_COUNT), _rate(capture)
        # Streamed files state nothing, and OpenCV then makes up a number outside all reason.
        if rate and 0 < count < 1e9:
            clip.stated_ms = round(count / rate * 1000)
    limits.check_duration(clip.stated_ms / 1000)


def _rate(capture: cv2.VideoCapture) -> float:
    """Frames a second as stated, 0 when not stated or absurd."""
    rate = capture.get(cv2.CAP_PROP_FPS)
    return rate if math.isfinite(rate) and 0 < rate <= 1000 else 0.0


def _sample(
    capture: cv2.VideoCapture, clip: Clip, limits: Limits
) -> Generator[Frame, None, dict[int, int]]:
    """Give the frames due, and return those that turned out to stay on screen: index to time."""
    rate, interval_ms = _rate(capture), 1000 / clip.rate
    due_ms, time_ms, sampled = 0.0, -1, True
    stayed: dict[int, int] = {}
    while capture.grab():
        if clip.decoded == limits.max_decoded_frames:
            raise limits.exceeded("max_decoded_frames", f"{clip.decoded + 1} frames")
        last_ms, time_ms = time_ms, _time(capture, time_ms, rate)
        if not sampled and time_ms - last_ms >= interval_ms:
            stayed[clip.decoded - 1] = last_ms
        clip.decoded += 1
        clip.decoded_ms = time_ms + round(1000 / rate if rate else 0)
        limits.check_duration(time_ms / 1000)
        rgb = _retrieve(capture, limits) if time_ms >= due_ms else None
        sampled = rgb is not None
        if rgb is not None:
            yield Frame(time_ms, rgb)
            due_ms = (time_ms // interval_ms + 1) * interval_ms
    if not sampled and clip.stated_ms - time_ms >= interval_ms:
        stayed[clip.decoded - 1] = time_ms
    return stayed


def _time(capture: cv2.VideoCapture, last_ms: int, rate: float) -> int:
    """The grabbed frame's time; a stream without usable timestamps goes by its frame rate."""
    stamp = capture.get(cv2.CAP_PROP_POS_MSEC)
    if math.isfinite(stamp) and round(stamp) > last_ms:
        return round(stamp)
    return last_ms + max(1, round(1000 / (rate or 25)))


def _retrieve(capture: cv2.VideoCapture, limits: Limits) -> NDArray[np.uint8] | None:
    """The grabbed frame's pixels as RGB, None when they cannot be converted."""
    found, bgr = capture.retrieve()
    if not found or bgr is None or bgr.ndim != 3:
        return None
    limits.check_size(bgr.shape[1], bgr.shape[0])
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _pick(capture: cv2.VideoCapture, wanted: dict[int, int], limits: Limits) -> Iterator[Frame]:
    """Decode again and give the frames at these indices, with the times they had."""
    for index in range(max(wanted) + 1):
        if not capture.grab():
            return
        if index in wanted and (rgb := _retrieve(capture, limits)) is not None:
            yield Frame(wanted[index], rgb)


def _translated(error: cv2.error) -> MediaTooLarge | MediaUnreadable:
    if error.code == cv2.Error.StsNoMem:
        return MediaTooLarge("a frame does not fit the memory a decoder may use")
    return MediaUnreadable(f"the video decoder failed: {error.err}")
