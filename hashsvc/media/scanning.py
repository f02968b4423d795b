"""From frames to fingerprints, and to the judge."""

from collections.abc import Iterable

from hashsvc.media.borders import Borders
from hashsvc.media.frame import Frame
from hashsvc.media.hashes import frame_forms, pdq_hashes
from hashsvc.media.limits import Limits
from hashsvc.media.local_frames import MOST_FRAMES, LocalFrames
from hashsvc.media.pdq import Spectrum, pdq_spectrum
from hashsvc.media.recipe import Recipe
from hashsvc.media.scan import Judge, Seen, Span
from hashsvc.media.source import CallerError
from hashsvc.media.variants import TRIMMED
from hashsvc.model import ORIGINAL, Fingerprint

INFORMATIVE = 50
"""A frame of less quality shows nothing that could be recognised."""

SAME_BITS = 6
"""Two frames this near show the same; compression alone moves PDQ that far."""

STEP_MS = 1000
"""The judge is told of frames that are seen closely once in so much of the video."""

_DISTINCT_MS = 1000


class Stopped(Exception):
    """The judge has seen enough."""


class Scan:
    """The fingerprints of a video so far, and the conversation about them.

    `news_ms` is the time of the last frame that showed something new, `news_count` how many did;
    `is_plain` says that the last one shows nothing at all, `was_asked` that the judge has asked for
    a closer look at anything. `size` is that of the first frame, width
    and height. `is_stopped` once the judge has seen enough.

    Local features that a judge was told of who looks by key frames are not kept: they are large,
    and may be many. Of others some are, spread over the video.
    """

    def __init__(self, limits: Limits, recipe: Recipe, judge: Judge | None) -> None:
        self._limits, self._recipe, self._judge = limits, recipe, judge
        self._forms = frame_forms(recipe)
        self._borders = Borders()
        self._local = LocalFrames(recipe)
        self._local_told = 0
        self._last: tuple[int, int] | None = None
        self._news = 0
        self._pending: list[Fingerprint] = []
        self._spans: set[Span] = set()
        self.news_ms = 0
        self.news_count = 0
        self.is_plain = False
        self.was_asked = False
        self.size = (0, 0)
        self._found: list[Fingerprint] = []
        self.is_stopped = False

    def add(self, frame: Frame, *, is_key: bool = False) -> None:
        """Hash a frame, unless it shows what the last one did.

        Raises MediaTooLarge past `max_frames`.
        """
        spectrum = pdq_spectrum(frame.pixels, is_limited=frame.is_limited)
        if not self._found:
            self.size = frame.size
        box = self._borders.inside(frame.luma, frame.time_ms) if self._recipe.trimmed else None
        value = int.from_bytes(spectrum.value(), "big")
        self.is_plain = spectrum.quality < INFORMATIVE
        if not self.is_plain and (value ^ self._news).bit_count() > SAME_BITS:
            self._news, self.news_ms = value, frame.time_ms
            self.news_count += 1
        if not is_key and self._is_repeated(value, frame.time_ms):
            return
        self._keep(spectrum, frame, ORIGINAL)
        if box is not None:
            inner = pdq_spectrum(box.cut(frame.pixels), is_limited=frame.is_limited)
            self._keep(inner, frame, TRIMMED)
        if not self.is_plain:
            self._look_for_parts(frame, value)
        total = len(self._found) + len(self._pending) + self._local_told
        if total > self._limits.max_frames:
            raise self._limits.exceeded("max_frames", f"{total} hashed frames")

    def _keep(self, spectrum: Spectrum, frame: Frame, variant: str) -> None:
        self._pending += pdq_hashes(
            spectrum, self._forms, variant, time_ms=frame.time_ms, decoding=frame.decoding
        )

    def _look_for_parts(self, frame: Frame, value: int) -> None:
        """Take the local features of a frame, in which borders do no harm, if it is its turn."""
        if sum(f.algorithm.is_local for f in self._pending) >= MOST_FRAMES:
            return
        local = self._local.of(frame, value)
        if local is None:
            return
        if self._judge is not None:
            self._pending.append(local)
        # A judge who looks by key frames has seen them; a sandbox has one that only counts time.
        if self._judge is None or not self._recipe.key_frames:
            self._local.keep(local)

    def _is_repeated(self, value: int, time_ms: int) -> bool:
        """Whether a frame within the last second was kept that shows the same."""
        bits = self._recipe.distinct_bits
        if bits and self._last is not None:
            last_value, last_ms = self._last
            is_near = (value ^ last_value).bit_count() <= bits
            if is_near and 0 <= time_ms - last_ms < _DISTINCT_MS:
                return True
        self._last = (value, time_ms)
        return False

    @property
    def fingerprints(self) -> tuple[Fingerprint, ...]:
        """What is kept, in the order of time; those of one frame stay as they are."""
        found = [*self._found, *self._local.kept]
        return tuple(sorted(found, key=lambda fingerprint: fingerprint.time_ms or 0))

    @property
    def has_news(self) -> bool:
        """Whether there are fingerprints that the judge was not told of."""
        return bool(self._pending)

    def tell(self, through_ms: int) -> None:
        """Tell the judge what is new, and remember what it asks for.

        Raises Stopped when it has seen enough, and CallerError for an error of its own.
        """
        told = tuple(self._pending)
        whole = [fingerprint for fingerprint in told if not fingerprint.algorithm.is_local]
        self._found += whole
        self._local_told += len(told) - len(whole)
        self._pending.clear()
        if self._judge is None or not told:
            return
        try:
            asked = self._judge(Seen(told, through_ms))
        except Exception as error:
            raise CallerError(error) from error
        if asked is None:
            self.is_stopped = True
            raise Stopped
        self.was_asked = self.was_asked or bool(asked)
        self._spans.update(asked)

    def is_asked(self, first_ms: int, last_ms: int) -> bool:
        """Whether a closer look at a part of what lies between two times was asked for."""
        return any(span.first_ms < last_ms and span.last_ms > first_ms for span in self._spans)

    def forget(self, before_ms: int) -> None:
        """Drop what was asked for of a time that is not held any more."""
        self._spans = {span for span in self._spans if span.last_ms > before_ms}


def scan_frames(frames: Iterable[Frame], scan: Scan) -> None:
    """Hash frames that are few and already sampled, and tell the judge of them in steps."""
    told_ms = through_ms = 0
    for frame in frames:
        if frame.time_ms - told_ms >= STEP_MS:
            scan.tell(through_ms)
            told_ms = frame.time_ms
        scan.add(frame)
        through_ms = frame.time_ms
    scan.tell(through_ms)
