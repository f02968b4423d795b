"""Moving pictures to work on: read with PyAV, changed frame by frame, encoded into memory.

A `Film` knows which seconds of which content it shows, so that whatever is cut and joined of films
brings the truth with it that an answer about it is held against.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]
"""One frame: RGB (height, width, 3)."""

LONG_SIDE = 480
"""What a frame read from a file is brought to, in pixels: hundreds of edits take minutes then."""

MAX_RATE = 30.0
_JOIN_S = 0.05


@dataclass(frozen=True, slots=True)
class Shown:
    """A film shows, from `at_s` on and for `seconds`, a content from its second `first_s` on.

    `speed` is how many seconds of content pass in one of the film.
    """

    content: str
    at_s: float
    seconds: float
    first_s: float = 0.0
    speed: float = 1.0

    def cut(self, first_s: float, last_s: float) -> "Shown | None":
        """What is left of it between two moments of the film; times stay those of the film."""
        start, end = max(self.at_s, first_s), min(self.at_s + self.seconds, last_s)
        if end <= start:
            return None
        skipped = (start - self.at_s) * self.speed
        return replace(self, at_s=start, seconds=end - start, first_s=self.first_s + skipped)


@dataclass(frozen=True, slots=True)
class Film:
    """Frames at a constant `rate` a second; `play` gives them from the start, each time anew."""

    width: int
    height: int
    rate: float
    seconds: float
    play: Callable[[], Iterator[Pixels]]
    shows: tuple[Shown, ...] = ()

    @property
    def frames(self) -> int:
        """How many."""
        return max(1, round(self.seconds * self.rate))


@dataclass(frozen=True, slots=True)
class Overlap:
    """The same content in two films: from when to when in each, in seconds."""

    upload_first_s: float
    upload_last_s: float
    known_first_s: float
    known_last_s: float


def overlaps(upload: Sequence[Shown], known: Sequence[Shown]) -> list[Overlap]:
    """Which seconds of one film are which of another; what goes on in both without a gap is one."""
    found = []
    for mine in upload:
        for theirs in known:
            first = max(mine.first_s, theirs.first_s)
            last = min(
                mine.first_s + mine.seconds * mine.speed,
                theirs.first_s + theirs.seconds * theirs.speed,
            )
            if mine.content == theirs.content and last > first:
                at = mine.at_s + (first - mine.first_s) / mine.speed
                of = theirs.at_s + (first - theirs.first_s) / theirs.speed
                span = last - first
                found.append(Overlap(at, at + span / mine.speed, of, of + span / theirs.speed))
    joined: list[Overlap] = []
    for one in sorted(found, key=lambda o: (o.upload_first_s, o.known_first_s)):
        last_one = joined[-1] if joined else None
        if last_one and _goes_on(last_one, one):
            joined[-1] = replace(
                last_one, upload_last_s=one.upload_last_s, known_last_s=one.known_last_s
            )
        else:
            joined.append(one)
    return joined


def _goes_on(one: Overlap, other: Overlap) -> bool:
    return (
        abs(one.upload_last_s - other.upload_first_s) < _JOIN_S
        and abs(one.known_last_s - other.known_first_s) < _JOIN_S
    )


def read(path: Path, content: str = "", *, long_side: int = LONG_SIDE, keep: bool = True) -> Film:
    """The film in a file, its longer side at most so many pixels; it shows all of a content.

    What is kept is decoded once and held in memory while the next few films are played.
    """
    facts = _facts(path)
    scale = min(1.0, long_side / max(facts.width, facts.height))
    width, height = whole(facts.width * scale), whole(facts.height * scale)

    def play() -> Iterator[Pixels]:
        frames = _kept(path, width, height) if keep else _steady(path, width, height)
        for frame in frames:
            yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)

    shown = Shown(content or path.name, 0.0, facts.seconds)
    return Film(width, height, facts.rate, facts.seconds, play, (shown,))


@dataclass(frozen=True, slots=True)
class _Facts:
    width: int
    height: int
    rate: float
    seconds: float


@lru_cache(maxsize=256)
def _facts(path: Path) -> _Facts:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        base = float(stream.time_base or 0)
        spans = [
            (p.pts * base, (p.duration or 0) * base)
            for p in container.demux(stream)
            if p.pts is not None
        ]
        rate = min(MAX_RATE, float(stream.average_rate or 25))
        first = min(start for start, _ in spans)
        last = max(start + (length or 1 / rate) for start, length in spans)
        return _Facts(stream.width, stream.height, rate, last - first)


@lru_cache(maxsize=4)
def _kept(path: Path, width: int, height: int) -> list[av.VideoFrame]:
    """All frames, as they take the least memory."""
    return list(_steady(path, width, height))


def _steady(path: Path, width: int, height: int) -> Iterator[av.VideoFrame]:
    """Frames of a file at a constant rate: a frame stays until the next one is due."""
    facts = _facts(path)
    count, given = max(1, round(facts.seconds * facts.rate)), 0
    last: av.VideoFrame | None = None
    for time_s, frame in _frames(path):
        while last is not None and given < count and time_s > (given + 0.5) / facts.rate:
            yield last
            given += 1
        last = frame.reformat(width, height, "yuv420p", interpolation="AREA")
    assert last is not None
    for _ in range(count - given):
        yield last


def decoded(
    source: Path | bytes, *, only_keys: bool = False, threads: int = 1
) -> Iterator[tuple[float, Pixels]]:
    """The frames of a file with the seconds since the first; key frames alone if asked to."""
    for time_s, frame in _frames(source, only_keys=only_keys, threads=threads):
        yield time_s, np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


def sampled(
    source: Path | bytes, rate: float, *, threads: int = 1
) -> Iterator[tuple[float, Pixels]]:
    """Of all frames, the first at or after each moment of so many a second."""
    due = 0
    for time_s, frame in _frames(source, threads=threads):
        if time_s * rate >= due - 1e-6:
            yield time_s, np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
            due = int(time_s * rate + 1e-6) + 1


def _frames(
    source: Path | bytes, *, only_keys: bool = False, threads: int = 1
) -> Iterator[tuple[float, av.VideoFrame]]:
    file: Any = io.BytesIO(source) if isinstance(source, bytes) else str(source)
    with av.open(file, "r") as container:
        stream = container.streams.video[0]
        stream.thread_count = threads
        if only_keys:
            stream.codec_context.skip_frame = "NONKEY"
        start: float | None = None
        for frame in container.decode(stream):
            time_s = float(frame.time or 0.0)
            start = time_s if start is None else start
            yield time_s - start, frame


def whole(pixels: float) -> int:
    """The nearest multiple of 16 pixels: with others x264 does not repeat itself to the bit."""
    return max(16, round(pixels / 16) * 16)


def part(film: Film, first_s: float, seconds: float) -> Film:
    """Some seconds out of a film."""
    first = round(first_s * film.rate)
    count = max(1, min(round(seconds * film.rate), film.frames - first))
    start, length = first / film.rate, count / film.rate
    cuts = [shown.cut(start, start + length) for shown in film.shows]
    return replace(
        film,
        seconds=length,
        play=lambda: islice(film.play(), first, first + count),
        shows=tuple(replace(cut, at_s=cut.at_s - start) for cut in cuts if cut),
    )


def retimed(film: Film, rate: float, speed: float = 1.0) -> Film:
    """A film at another number of frames a second, and faster by a factor."""
    seconds = film.seconds / speed
    count = max(1, round(seconds * rate))

    def play() -> Iterator[Pixels]:
        source = enumerate(film.play())
        at, pixels = next(source)
        for number in range(count):
            wanted = int(number / rate * speed * film.rate + 1e-6)
            while at < wanted:
                step = next(source, None)
                if step is None:
                    break
                at, pixels = step
            yield pixels

    shows = tuple(
        replace(
            shown,
            at_s=shown.at_s / speed,
            seconds=shown.seconds / speed,
            speed=shown.speed * speed,
        )
        for shown in film.shows
    )
    return replace(film, rate=rate, seconds=seconds, play=play, shows=shows)


def painted(
    film: Film,
    paint: Callable[[Pixels, float], Pixels],
    size: tuple[int, int] | None = None,
) -> Film:
    """Each frame changed; `paint` is given it and its second. `size` is width, height after it."""
    width, height = size or (film.width, film.height)

    def play() -> Iterator[Pixels]:
        for number, pixels in enumerate(film.play()):
            yield paint(pixels, number / film.rate)

    return replace(film, width=width, height=height, play=play)


def sized(film: Film, width: int, height: int) -> Film:
    """A film stretched to a size."""
    if (film.width, film.height) == (width, height):
        return film
    return painted(film, lambda pixels, _: shrunk(pixels, width, height), (width, height))


def shrunk(pixels: Pixels, width: int, height: int) -> Pixels:
    """A frame at another size."""
    picture = Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(picture)


def joined(films: Sequence[Film], like: Film | None = None) -> Film:
    """Films one after the other, with the size and rate of one of them (by default the first)."""
    like = like or films[0]
    parts = [sized(retimed(film, like.rate), like.width, like.height) for film in films]
    shows: list[Shown] = []
    at_s = 0.0
    for film in parts:
        shows += [replace(shown, at_s=shown.at_s + at_s) for shown in film.shows]
        # Frames are whole, so that the seconds of many parts would drift from them.
        at_s += film.frames / film.rate

    def play() -> Iterator[Pixels]:
        for film in parts:
            yield from film.play()

    return replace(like, seconds=at_s, play=play, shows=tuple(shows))


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a film becomes a file: `options` are the codec's own, `bit_rate` bits a second or 0."""

    codec: str = "libx264"
    container: str = "mp4"
    bit_rate: int = 0
    options: dict[str, str] = field(default_factory=dict)

    @classmethod
    def x264(cls, crf: int = 23, **options: Any) -> "Encoding":
        """H.264, by default with key frames as x264 sets them: at cuts, or every 250 frames."""
        named = {name.replace("_", "-"): str(value) for name, value in options.items()}
        return cls(options={"preset": "veryfast", "crf": str(crf), **named})


def encoded(film: Film, encoding: Encoding | None = None) -> bytes:
    """The film as the bytes of a file, the same each time: one thread encodes."""
    encoding = encoding or Encoding.x264()
    file = io.BytesIO()
    options = {"fflags": "+bitexact"}
    with av.open(file, "w", format=encoding.container, options=options) as container:
        rate = Fraction(film.rate).limit_denominator(1001)
        stream: Any = container.add_stream(encoding.codec, rate=rate, options=encoding.options)
        stream.width, stream.height, stream.pix_fmt = film.width, film.height, "yuv420p"
        stream.codec_context.thread_count = 1
        if encoding.bit_rate:
            stream.bit_rate = encoding.bit_rate
        for number, pixels in enumerate(film.play()):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()
