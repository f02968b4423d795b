"""Videos: each frame looked at is hashed with PDQ, as in vPDQ.

Without a judge a video is sampled evenly; with one, where the recipe says so, by its key frames.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from hashsvc.errors import MediaUnreadable
from hashsvc.media.container import Reader, opened
from hashsvc.media.formats import Format
from hashsvc.media.frame import Frame
from hashsvc.media.groups import KeyFrames
from hashsvc.media.limits import Limits
from hashsvc.media.recipe import Recipe
from hashsvc.media.sampling import Sampler, Timed
from hashsvc.media.scan import Judge
from hashsvc.media.scanning import Scan, Stopped, scan_frames
from hashsvc.media.source import Upload, prepare
from hashsvc.model import MediaFingerprints, MediaType, UndeterminedReason

MISSING_S = 1.5
"""A clip that ends this much before its stated duration is reported as partly seen."""

MISSING_SHARE = 0.05
"""The same as a share of the stated duration; the larger of the two counts."""


@dataclass(slots=True)
class Clip:
    """How much of a clip was seen; filled in while it is decoded.

    `stated_ms` is the container's word, 0 when it gives none. `decoded_ms` is how far decoding
    came, the last frame's time on screen included, `unseen_ms` how much before that could not be
    decoded. `fault` says what could not be seen, where the decoder itself noticed.
    """

    stated_ms: int = 0
    decoded_ms: int = 0
    unseen_ms: int = 0
    fault: str = ""

    def missing(self) -> str:
        """Say how much was not decoded; empty when that is little."""
        missing_ms = self.unseen_ms + max(0, self.stated_ms - self.decoded_ms)
        if missing_ms <= max(MISSING_S * 1000, MISSING_SHARE * self.stated_ms):
            return ""
        return f"decoded {self._seen_s():.1f} s of {self._whole_s():.1f} s"

    def stopped(self) -> str:
        """Say how far decoding came before the judge ended it."""
        seen, whole = self._seen_s(), self._whole_s()
        of = f" of {whole:.1f} s" if whole > seen else ""
        return f"enough was seen after {seen:.1f} s{of}; decoding was stopped there"

    def _seen_s(self) -> float:
        return max(0, self.decoded_ms - self.unseen_ms) / 1000

    def _whole_s(self) -> float:
        return max(self.stated_ms, self.decoded_ms) / 1000


def result(scan: Scan, clip: Clip, form: Format, *, progressive: bool) -> MediaFingerprints:
    """What a scan has found, and whether the clip was seen to its end.

    Raises MediaUnreadable when there is no frame at all.
    """
    fingerprints = scan.fingerprints
    if not fingerprints:
        why = f": {clip.fault}" if clip.fault else ""
        raise MediaUnreadable(f"this {form.upper()} has no frames that can be decoded{why}")
    unseen = clip.stopped() if scan.is_stopped else clip.fault or clip.missing()
    width, height = scan.size
    return MediaFingerprints(
        media_type=MediaType.VIDEO,
        format=form.value,
        width=width,
        height=height,
        duration_ms=max(clip.stated_ms, clip.decoded_ms),
        fingerprints=fingerprints,
        limitation=UndeterminedReason.PARTLY_SEEN if unseen else None,
        detail=unseen,
        progressive=progressive,
    )


def fingerprint_video(
    source: BinaryIO | Upload,
    form: Format,
    limits: Limits,
    recipe: Recipe,
    judge: Judge | None = None,
) -> MediaFingerprints:
    """Hash the frames of a video. Raises MediaUnreadable and MediaTooLarge."""
    source, progressive = prepare(source, form)
    scan, clip = Scan(limits, recipe, judge), Clip()
    with opened(source, form, limits) as reader:
        clip.stated_ms = reader.stated_ms
        limits.check_duration(clip.stated_ms / 1000)
        limits.check_size(*reader.size)
        try:
            if judge is not None and recipe.key_frames:
                _by_key_frames(reader, scan, clip, limits, recipe)
            else:
                scan_frames(_evenly(reader, clip, recipe), scan)
        except Stopped:
            pass
        finally:
            clip.fault = reader.faults()
    return result(scan, clip, form, progressive=progressive)


def _by_key_frames(reader: Reader, scan: Scan, clip: Clip, limits: Limits, recipe: Recipe) -> None:
    looks = KeyFrames(reader, scan, limits, recipe)
    try:
        for packet in reader.packets():
            looks.take(packet)
        looks.end()
    finally:
        clip.decoded_ms, clip.unseen_ms = looks.through_ms, looks.unseen_ms


def _evenly(reader: Reader, clip: Clip, recipe: Recipe) -> Iterator[Frame]:
    """The frames of a video at the recipe's rate."""
    for time_ms, decoded in _sampled(reader, clip, recipe):
        frame = reader.picture(decoded, time_ms, recipe.decoding)
        if frame is not None:
            yield frame


def _sampled(reader: Reader, clip: Clip, recipe: Recipe) -> Iterator[Timed]:
    sampler = Sampler(recipe.rate, reader.frame_ms)
    for decoded in reader.frames():
        yield from sampler.take(reader.time_ms(decoded), decoded)
        clip.decoded_ms = sampler.end_ms
    yield from sampler.end(max(clip.stated_ms, clip.decoded_ms))
