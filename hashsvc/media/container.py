"""A video's packets and frames, by PyAV: FFmpeg decodes, in one thread, and says nothing.

What FFmpeg makes of a damaged file never leaves this module as an error of its own.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, NoReturn, TypeAlias

import av
import av.error
import av.logging
import av.subtitles.codeccontext  # PyAV would load these two when it meets such a track,
import av.subtitles.stream  # when a confined decoder may open no files any more
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from hashsvc.errors import MediaUnreadable
from hashsvc.media.formats import Format
from hashsvc.media.frame import Frame, Turns, frame_of
from hashsvc.media.limits import Limits, out_of_memory
from hashsvc.media.source import PIECE_BYTES, Tap, Upload, is_cut_short
from hashsvc.model import Decoding

av.logging.set_level(None)

VideoPacket: TypeAlias = "Packet[VideoStream]"
Stamped: TypeAlias = "Packet[VideoStream] | VideoFrame"

MOST_FAULTS = 0.05
"""A larger share of packets that cannot be decoded is reported."""

_DEMUXERS = {
    Format.MP4: "mov",
    Format.MOV: "mov",
    Format.M4V: "mov",
    Format.WEBM: "matroska",
    Format.MKV: "matroska",
    Format.AVI: "avi",
    Format.TS: "mpegts",
}
_TAGGED_DURATION = re.compile(r"(\d{1,4}):(\d\d):(\d\d(?:\.\d{1,12})?)", re.ASCII)
_SANE_RATE = 1000.0
_USUAL_RATE = 25.0


class Reader:
    """One video of a file, from its start.

    Times are milliseconds from the first moment shown. `stated_ms` is the container's word on the
    length, 0 when it gives none; `size` that on width and height in pixels, as stored. `frame_ms`
    is how long a frame is shown, where nothing says otherwise.
    """

    def __init__(
        self, container: Any, stream: VideoStream, tap: Tap, form: Format, limits: Limits
    ) -> None:
        self._container = container
        self._stream = stream
        self._tap = tap
        self._limits = limits
        self._trusts_times = form.is_iso
        self._base_ms = float(stream.time_base or 0) * 1000
        self._zero = stream.start_time
        self._shift = 0
        self._last_dts: int | None = None
        self._packets = 0
        self._fed = self._faults = 0
        self.fault = ""
        rate = float(stream.average_rate or stream.guessed_rate or 0)
        self.frame_ms = 1000 / (rate if 0 < rate <= _SANE_RATE else _USUAL_RATE)
        self.stated_ms = _stated_ms(container, stream)
        self._decoder = stream.codec_context
        self.size = self._decoder.width, self._decoder.height
        self._decoder.thread_count = 1
        self._turns = Turns()

    def packets(self) -> Iterator[VideoPacket]:
        """The video's packets in their order in the file, with times that go on.

        A file that is damaged ends there; `fault` says so. Raises MediaTooLarge past
        `max_decoded_frames` and `max_duration_s`.
        """
        try:
            for packet in self._container.demux(self._stream):
                self._tap.check()
                if packet.size:
                    yield self._counted(packet)
        except av.error.FFmpegError as error:
            _pass_on_memory(error, self._limits)
            self.fault = self.fault or f"the file is damaged: {error.strerror}"
        self._tap.check()

    def _counted(self, packet: VideoPacket) -> VideoPacket:
        self._packets += 1
        if self._packets > self._limits.max_decoded_frames:
            raise self._limits.exceeded("max_decoded_frames", f"{self._packets} frames")
        self._mend(packet)
        self._limits.check_duration(self.time_ms(packet) / 1000)
        return packet

    def _mend(self, packet: VideoPacket) -> None:
        """Let times that begin anew, as those of joined streams do, go on from where they were."""
        dts = packet.dts
        if dts is None or self._trusts_times:
            return
        frame = max(1, round(self.frame_ms / self._base_ms)) if self._base_ms else 1
        if self._last_dts is not None and dts + self._shift < self._last_dts:
            self._shift = self._last_dts + frame - dts
        self._last_dts = dts + self._shift
        if self._shift:
            packet.pts = None if packet.pts is None else packet.pts + self._shift
            packet.dts = None if packet.dts is None else packet.dts + self._shift

    def time_ms(self, shown: Stamped) -> int:
        """When a packet's or a frame's picture is shown; negative for what is hidden before."""
        stamp = shown.pts if shown.pts is not None else shown.dts
        if self._zero is None:
            self._zero = stamp
        return 0 if stamp is None else round((stamp - (self._zero or 0)) * self._base_ms)

    def decode(self, packet: "VideoPacket | None") -> list[VideoFrame]:
        """The frames that a packet completes, or all that remain without one.

        None for what cannot be decoded, which is counted. Raises MediaTooLarge for a frame that
        does not fit the memory.
        """
        self._fed += packet is not None
        try:
            return self._decoder.decode(packet)
        except av.error.EOFError:
            return []
        except (av.error.FFmpegError, ValueError) as error:
            _pass_on_memory(error, self._limits)
            self._faults += packet is not None
            return []

    def frames(self) -> Iterator[VideoFrame]:
        """All frames, in the order of time. Raises what `packets` raises."""
        for packet in self.packets():
            yield from self.decode(packet)
        yield from self.decode(None)

    def picture(self, decoded: VideoFrame, time_ms: int, decoding: Decoding) -> Frame | None:
        """The pixels of a decoded frame; None where they cannot be converted, which is counted.

        Raises MediaTooLarge for a frame larger than allowed.
        """
        try:
            return frame_of(decoded, time_ms, decoding, self._limits, self._turns)
        except (av.error.FFmpegError, ValueError) as error:
            _pass_on_memory(error, self._limits)
            self._faults += 1
            return None

    def restart(self) -> None:
        """Forget all frames: the next packet is a key frame from somewhere else."""
        self._decoder.flush_buffers()

    def faults(self) -> str:
        """Say what could not be decoded; empty when that is little."""
        if self._faults <= MOST_FAULTS * self._fed:
            return self.fault
        return f"{self._faults} of {self._fed} pieces of the video could not be decoded"


@contextmanager
def opened(source: BinaryIO | Upload, form: Format, limits: Limits) -> Iterator[Reader]:
    """The video in a source that stands at its start.

    Raises MediaUnreadable for a file without one, which says why as far as it can be told.
    """
    # Where it sees the end of a cut AVI, FFmpeg takes that for its whole length.
    tap = Tap(source, only_forward=form is Format.AVI)
    try:
        container = av.open(
            tap,
            "r",
            format=_DEMUXERS[form],
            metadata_errors="ignore",
            buffer_size=PIECE_BYTES,
            io_open=_refuse,
        )
    except (av.error.FFmpegError, ValueError) as error:
        tap.check()
        _pass_on_memory(error, limits)
        what = "no frames that can be decoded"
        cut = ": the file is cut short" if form.is_iso and is_cut_short(source) else ""
        raise MediaUnreadable(f"this {form.upper()} has {what}{cut}") from error
    with container:
        tap.check()
        yield Reader(container, _video(container, form), tap, form, limits)


def _refuse(url: str, flags: int, options: dict[str, str]) -> NoReturn:
    """No file that a file names is opened."""
    raise PermissionError("a media file asked for another file")


def _video(container: Any, form: Format) -> VideoStream:
    """The stream that a player would show. Raises MediaUnreadable when there is none."""
    streams = [s for s in container.streams.video if not _is_cover(s)]
    if not streams:
        kinds = {stream.type for stream in container.streams if not _is_cover(stream)}
        what = "only audio" if kinds == {"audio"} else "no video track" if kinds else "nothing"
        raise MediaUnreadable(f"this {form.upper()} has no frames: it holds {what}")
    known = [stream for stream in streams if stream.codec_context is not None]
    if not known:
        raise MediaUnreadable(f"this {form.upper()} has no frames of a codec that is known")
    best = container.streams.best("video")
    chosen: VideoStream = next((s for s in known if best and s.index == best.index), known[0])
    return chosen


def _is_cover(stream: Any) -> bool:
    """Whether the stream is a picture that belongs to audio."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _stated_ms(container: Any, stream: VideoStream) -> int:
    if stream.duration and stream.time_base:
        return max(0, round(stream.duration * stream.time_base * 1000))
    # Matroska has the length of a track as a tag; sound may go on for longer than its pictures.
    tagged = _TAGGED_DURATION.fullmatch(stream.metadata.get("DURATION", ""))
    if tagged is not None:
        hours, minutes, seconds = tagged.groups()
        return round((int(hours) * 3600 + int(minutes) * 60 + float(seconds)) * 1000)
    return max(0, (container.duration or 0) // 1000)


def _pass_on_memory(error: Exception, limits: Limits) -> None:
    if isinstance(error, MemoryError):
        raise out_of_memory(limits) from error
