"""Which frames of a video are hashed where it is looked at closely."""

from av.video.frame import VideoFrame

Timed = tuple[int, VideoFrame]
"""A frame with its time in milliseconds."""


class Sampler:
    """Chooses `rate` frames a second; given frames in the order of time, with `frame_ms` between.

    Chosen are the first frame at or after each whole interval (a second, at a rate of 1), and
    after those any other frame that stays on screen for a whole interval. A frame stands until
    the next one. `start_ms` is the first moment that is wanted.
    """

    def __init__(self, rate: float, frame_ms: float, start_ms: int = 0) -> None:
        self._interval_ms = 1000 / rate
        self._frame_ms = frame_ms
        self._start_ms = start_ms
        self._due_ms = float(start_ms)
        self._passed: Timed | None = None
        self._last_ms: int | None = None

    def take(self, time_ms: int | None, frame: VideoFrame) -> list[Timed]:
        """The frames that are known to be chosen once this one has come."""
        time_ms = self._mended(time_ms)
        if time_ms < self._start_ms:
            return []  # shown before the place that decoding began at, and so not whole
        chosen = self.end(time_ms)
        self._last_ms = time_ms
        if time_ms < self._due_ms:
            self._passed = (time_ms, frame)
            return chosen
        self._due_ms = (time_ms // self._interval_ms + 1) * self._interval_ms
        return [*chosen, (time_ms, frame)]

    def end(self, end_ms: int) -> list[Timed]:
        """The last frame, if it was passed over and stays on screen until then."""
        passed, self._passed = self._passed, None
        if passed is None or end_ms - passed[0] < self._interval_ms:
            return []
        return [passed]

    @property
    def end_ms(self) -> int:
        """The end of the last frame's time on screen, as far as it is known."""
        return 0 if self._last_ms is None else round(self._last_ms + self._frame_ms)

    def _mended(self, time_ms: int | None) -> int:
        """The frame's time; frames without usable times go by their rate."""
        if self._last_ms is None:
            return self._start_ms if time_ms is None else time_ms
        if time_ms is not None and time_ms > self._last_ms:
            return time_ms
        return self._last_ms + max(1, round(self._frame_ms))
