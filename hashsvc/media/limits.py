"""What one file may cost before it is refused."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from hashsvc.errors import MediaTooLarge

MIB = 1024 * 1024

MOST_STEP_S = 10.0
"""Between two looks at a video, no more of it counts as decoded. Key frames are seldom further
apart, and a file whose clock jumps by an hour has not cost an hour."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one file. A file past any of them is refused whole with MediaTooLarge.

    `max_bytes`: size of the file; of a stream, what has to be held because it cannot be decoded
    as it comes. A larger one is not decoded; the sandbox still gives its digests.

    `max_stream_bytes`: bytes of a video that is decoded while they come, and of any stream that
    is digested.

    `max_held_bytes`: packets of a video that are held undecoded, for a closer look at what has
    passed. Where one group of pictures is larger, it is decoded whole as it comes.

    `max_pixels`: width times height. Memory and time of a picture grow with it: 5 to 9 bytes a
    pixel while it is decoded, 17 for WebP. Pillow itself refuses more than 178,956,970 whatever
    is set here.

    `max_side_pixels`: width and height each.

    `max_duration_s`: length of a video, as stated by its container and as decoded.

    `max_frames`: hashed frames of a video, each form of a frame counted; each adds about 40 bytes
    to an entry or a check. At the default the longest video may have four a frame, four times a
    second.

    `max_decoded_frames`: all frames of a video, decoded or passed over. Bounds files with very
    high frame rates.

    The rest is enforced by the sandbox only (`DecoderPool`), not by `fingerprint` in the caller's
    own process:

    `decode_wall_s`: seconds for which the decoder may be at work; it is then killed. What it waits
    for bytes or for a judge's answer does not count.

    `decode_cpu_s`: seconds of processor time, rounded up to whole seconds.

    `decode_share`: seconds that each second of video decoded so far adds to both of these.

    `decode_memory_bytes`: address space on top of what an idle decoder has, the received file
    included. At the default a picture of 100 megapixels fits in every format; the largest
    measured were WebP with transparency (1640 MiB), progressive CMYK JPEG (1140) and AVIF (860).
    """

    max_bytes: int = 512 * MIB
    max_stream_bytes: int = 16 * 1024 * MIB
    max_held_bytes: int = 64 * MIB
    max_pixels: int = 100_000_000
    max_side_pixels: int = 50_000
    max_duration_s: float = 4 * 3600.0
    max_frames: int = 240_000
    max_decoded_frames: int = 1_000_000
    decode_wall_s: float = 60.0
    decode_cpu_s: float = 60.0
    decode_share: float = 1.0
    decode_memory_bytes: int = 2048 * MIB

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                raise ValueError(f"{field.name} must be positive")

    def to_dict(self) -> dict[str, float]:
        """The limits by name, for a message to the decoder."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, float]) -> "Limits":
        """The inverse of `to_dict`. Raises TypeError for an unknown name."""
        return cls(**values)  # type: ignore[arg-type]

    def check_size(self, width: int, height: int) -> None:
        """Raise MediaTooLarge when a picture of this size in pixels is not allowed."""
        if max(width, height) > self.max_side_pixels:
            raise self.exceeded("max_side_pixels", f"{width} x {height} pixels")
        if width * height > self.max_pixels:
            raise self.exceeded("max_pixels", f"{width} x {height} pixels")

    def check_duration(self, seconds: float) -> None:
        """Raise MediaTooLarge when a video is longer than allowed."""
        if seconds > self.max_duration_s:
            raise self.exceeded("max_duration_s", f"{seconds:.0f} s of video")

    def exceeded(self, name: str, found: str) -> MediaTooLarge:
        """Build the error for passing the limit `name`; `found` says what was met, in words."""
        value = getattr(self, name)
        return MediaTooLarge(
            f"{found}: more than the limit {name} = {value:g}"
            if isinstance(value, float)
            else f"{found}: more than the limit {name} = {value}",
            metadata={"limit": name, "value": str(value)},
        )


class Allowance:
    """How long decoding one file may take: longer, the more video has been decoded.

    What a file claims gives nothing: a step counts for MOST_STEP_S at most, and all of them for no
    more than `max_duration_s`.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._through_ms = 0
        self._video_s = 0.0

    def reach(self, through_ms: int) -> None:
        """Take note that decoding has come so far, in milliseconds from the video's start."""
        step_s = max(0, through_ms - self._through_ms) / 1000
        self._through_ms = max(through_ms, self._through_ms)
        self._video_s = min(self._video_s + min(step_s, MOST_STEP_S), self._limits.max_duration_s)

    @property
    def wall_s(self) -> float:
        """Seconds for which the decoder may have been at work by now."""
        return self._limits.decode_wall_s + self._limits.decode_share * self._video_s

    @property
    def cpu_s(self) -> float:
        """Seconds of processor time that may have been used by now."""
        return self._limits.decode_cpu_s + self._limits.decode_share * self._video_s

    def exceeded(self, name: str, found: str) -> MediaTooLarge:
        """Build the error for passing `decode_wall_s` or `decode_cpu_s`."""
        after = f" after {self._video_s:.0f} s of video" if self._video_s else ""
        return self._limits.exceeded(name, found + after)


def out_of_memory(limits: Limits) -> MediaTooLarge:
    """The error for a file whose decoding needs more memory than allowed."""
    return limits.exceeded("decode_memory_bytes", "decoding this file takes more memory")
