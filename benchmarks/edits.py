"""What uploaders do to a video, each at graded strengths, and what has nothing to do with any.

An edit is made of a known film by seeded chance, so that it is the same in every run. What comes
of it is a film that still knows what it shows.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.footage import (
    Encoding,
    Film,
    Pixels,
    encoded,
    joined,
    painted,
    part,
    retimed,
    shrunk,
    sized,
    whole,
)

Rng = np.random.Generator

MAX_S = 20.0
"""No more of a known film than this is uploaded by edits that keep it whole, to save time."""

_SCENE_S = 4.0
_LINE_S = 2.5
WORDS = (
    *("garden", "morning", "river", "yellow", "window", "seldom", "walking", "together", "under"),
    *("seven", "bridges", "after", "rain", "kitchen", "quiet", "market", "letters", "and", "the"),
)


@dataclass(frozen=True, slots=True)
class Material:
    """What an edit has to work with: a known film, other known ones, and unknown footage."""

    film: Film
    peers: Sequence[Film]
    other: Film


@dataclass(frozen=True, slots=True)
class Made:
    """An upload: a film and how it is encoded."""

    film: Film
    encoding: Encoding = field(default_factory=Encoding.x264)

    def data(self) -> bytes:
        """The bytes of its file."""
        return encoded(self.film, self.encoding)


@dataclass(frozen=True, slots=True)
class Edit:
    """One thing done to a known film, at one strength.

    `of_long` says that it is done to a film that was joined of several: a part is cut out of it.
    """

    name: str
    strength: str
    make: Callable[[Material, Rng], Made]
    of_long: bool = False


def catalogue(*, other_s: float = 180.0) -> list[Edit]:
    """All edits; `other_s` is how long the other material is that a known clip is hidden in."""
    return [
        *_encodings(),
        *_sizes(),
        *_paintings(),
        *_timings(),
        *_key_frames(),
        *_cuttings(other_s),
    ]


def _encodings() -> Iterator[Edit]:
    yield _simple("plain copy", "crf 23", _same)
    for crf in (28, 35, 42):
        yield _simple("low bit rate", f"crf {crf}", _same, Encoding.x264(crf))
    fast = {"deadline": "realtime", "cpu-used": "8"}
    vp8 = Encoding("libvpx", "webm", bit_rate=150_000, options=fast)
    yield _simple("low bit rate", "VP8, 150 kbit/s", _same, vp8)


def _sizes() -> Iterator[Edit]:
    for name, share in (("half", 1 / 2), ("quarter", 1 / 4)):
        yield _simple("resize", name, partial(resized, share=share))
    for percent in (10, 20):
        bars = partial(bordered, across=0, down=percent / 100)
        yield _simple("letterbox", f"{percent} %", bars)
    for percent in (10, 20):
        bars = partial(bordered, across=percent / 100, down=percent / 100)
        yield _simple("border", f"{percent} %", bars)
    for percent in (2, 5, 10):
        yield _simple("crop", f"{percent} %", partial(cropped, share=percent / 100))
    yield _simple("mirrored", "-", mirrored)


def _paintings() -> Iterator[Edit]:
    yield _chance("subtitles", "1 line", partial(subtitled, lines=1))
    yield _chance("subtitles", "2 lines", partial(subtitled, lines=2))
    for percent in (10, 20, 30):
        yield _simple("watermark", f"{percent} %", partial(watermarked, share=percent / 100))
    for percent in (-40, -20, 20, 40):
        brighter = partial(lit, factor=1, offset=255 * percent / 100)
        yield _simple("brightness", f"{percent:+} %", brighter)
    for factor in (0.6, 1.5):
        harder = partial(lit, factor=factor, offset=128 * (1 - factor))
        yield _simple("contrast", f"x {factor}", harder)
    for seconds in (1, 2):
        yield _simple("fade in and out", f"{seconds} s", partial(faded, seconds=seconds))
    for share, name in ((3 / 4, "three quarters"), (1 / 2, "half")):
        yield Edit("picture in picture", f"{name} of the size", partial(_in_picture, share=share))
    strength = "mirrored, letterbox 10 %, watermark 10 %, crf 35"
    yield _simple("all at once", strength, _all_at_once, Encoding.x264(35))


def _timings() -> Iterator[Edit]:
    for rate in (60, 15, 12, 10):
        yield _simple("frame rate", f"{rate}/s", partial(retimed, rate=rate))
    for speed in (0.95, 1.05):
        yield _simple("speed", f"x {speed}", partial(sped, speed=speed))
    for percent in (20, 50):
        yield _chance("dropped frames", f"{percent} %", partial(stuttering, share=percent / 100))


def _key_frames() -> Iterator[Edit]:
    for seconds in (1, 2, 10):
        for at_cuts, name in ((True, "and at cuts"), (False, "alone")):
            keyed = partial(_keyed, seconds=seconds, at_cuts=at_cuts)
            yield Edit("key frames", f"each {seconds} s {name}", keyed)
    yield Edit("key frames", "the first alone", partial(_keyed, seconds=3600, at_cuts=False))


def _cuttings(other_s: float) -> Iterator[Edit]:
    for seconds in (10, 5, 3):
        cut = partial(_cut, seconds=seconds)
        yield Edit("clip of a longer video", f"{seconds} s", cut, of_long=True)
    in_other = partial(_in_other, other_s=other_s)
    yield Edit("hidden in other material", f"10 s in {other_s:.0f} s", in_other, of_long=True)
    yield Edit("compilation", "8 s of each of 3", _compiled)
    order = f"{_SCENE_S:.0f} s each"
    yield Edit("scenes in another order", order, _reordered, of_long=True)


def _simple(
    name: str, strength: str, change: Callable[[Film], Film], encoding: Encoding | None = None
) -> Edit:
    """An edit of the film alone, without chance."""

    def make(material: Material, _: Rng) -> Made:
        return Made(change(_beginning(material)), encoding or Encoding.x264())

    return Edit(name, strength, make)


def _chance(name: str, strength: str, change: Callable[[Film, Rng], Film]) -> Edit:
    """An edit of the film alone, by chance."""
    return Edit(name, strength, lambda material, rng: Made(change(_beginning(material), rng)))


def _beginning(material: Material) -> Film:
    return part(material.film, 0, MAX_S)


def _same(film: Film) -> Film:
    return film


def _all_at_once(film: Film) -> Film:
    return watermarked(bordered(mirrored(film), 0, 0.1), 0.1)


def _in_picture(material: Material, _: Rng, share: float) -> Made:
    return Made(inset(_beginning(material), material.other, share))


def _keyed(material: Material, _: Rng, seconds: float, *, at_cuts: bool) -> Made:
    film = _beginning(material)
    cuts = {} if at_cuts else {"sc_threshold": 0}
    return Made(film, Encoding.x264(g=round(seconds * film.rate), **cuts))


def _cut(material: Material, rng: Rng, seconds: float) -> Made:
    return Made(some(material.film, seconds, rng))


def _in_other(material: Material, rng: Rng, other_s: float) -> Made:
    return Made(hidden(some(material.film, 10, rng), looped(material.other, other_s), rng))


def _compiled(material: Material, rng: Rng) -> Made:
    films = (material.film, *material.peers[:2])
    return Made(joined([some(film, 8, rng) for film in films]))


def _reordered(material: Material, rng: Rng) -> Made:
    return Made(shuffled(some(material.film, 6 * _SCENE_S, rng), rng))


def some(film: Film, seconds: float, rng: Rng) -> Film:
    """So many seconds at a place that chance picks."""
    return part(film, rng.uniform(0, max(0.0, film.seconds - seconds)), seconds)


def looped(film: Film, seconds: float) -> Film:
    """A film again and again until it is so long."""
    times = int(seconds // film.seconds) + 1
    return part(joined([film] * times), 0, seconds)


def hidden(film: Film, other: Film, rng: Rng) -> Film:
    """A film in the middle of another, with cuts, at a place that chance picks."""
    at_s = rng.uniform(0.1, 0.9) * other.seconds
    parts = [part(other, 0, at_s), film, part(other, at_s, other.seconds)]
    return joined(parts, like=film)


def resized(film: Film, share: float) -> Film:
    """A share of its width and height."""
    return sized(film, whole(film.width * share), whole(film.height * share))


def sped(film: Film, speed: float) -> Film:
    """Faster by a factor, with as many frames a second."""
    return retimed(film, film.rate, speed)


def shuffled(film: Film, rng: Rng) -> Film:
    """Its scenes, cut every few seconds, in another order."""
    starts = np.arange(0, film.seconds - 1, _SCENE_S)
    order = rng.permutation(len(starts))
    while len(starts) > 1 and (order == np.arange(len(starts))).all():
        order = rng.permutation(len(starts))
    return joined([part(film, float(starts[number]), _SCENE_S) for number in order])


def stuttering(film: Film, rng: Rng, share: float) -> Film:
    """A share of frames is lost, and the one before stays."""
    lost = rng.random(film.frames + 1) < share

    def play() -> Iterator[Pixels]:
        shown: Pixels | None = None
        for number, pixels in enumerate(film.play()):
            shown = pixels if shown is None or not lost[number % len(lost)] else shown
            yield shown

    return replace(film, play=play)


def bordered(film: Film, across: float, down: float) -> Film:
    """Black bars, each such a share of the width and height of what is in the middle."""
    left, top = round(film.width * across), round(film.height * down)
    width, height = whole(film.width + 2 * left), whole(film.height + 2 * top)
    left, top = (width - film.width) // 2, (height - film.height) // 2

    def paint(pixels: Pixels, _: float) -> Pixels:
        frame = np.zeros((height, width, 3), np.uint8)
        frame[top : top + film.height, left : left + film.width] = pixels
        return frame

    return painted(film, paint, (width, height))


def cropped(film: Film, share: float) -> Film:
    """A share of the width and height cut off, half of it on either side."""
    left, top = round(film.width * share / 2), round(film.height * share / 2)

    def paint(pixels: Pixels, _: float) -> Pixels:
        inner = pixels[top : film.height - top, left : film.width - left]
        return shrunk(np.ascontiguousarray(inner), film.width, film.height)

    return painted(film, paint)


def mirrored(film: Film) -> Film:
    """Left is right."""
    return painted(film, lambda pixels, _: pixels[:, ::-1])


def lit(film: Film, factor: float, offset: float) -> Film:
    """Every value times a factor, and more by an offset."""
    table = np.clip(np.arange(256) * factor + offset, 0, 255).astype(np.uint8)
    return painted(film, lambda pixels, _: table[pixels])


def faded(film: Film, seconds: float) -> Film:
    """From black at the start, to black at the end."""

    def paint(pixels: Pixels, time_s: float) -> Pixels:
        share = min(1.0, time_s / seconds, (film.seconds - time_s) / seconds)
        return pixels if share >= 1 else (pixels * max(0.0, share)).astype(np.uint8)

    return painted(film, paint)


def inset(film: Film, other: Film, share: float) -> Film:
    """A film in a corner of another one, at a share of its width and height."""
    width, height = round(film.width * share), round(film.height * share)
    behind = looped(retimed(sized(other, film.width, film.height), film.rate), film.seconds + 1)
    left, top = round((film.width - width) * 0.9), round((film.height - height) * 0.1)

    def play() -> Iterator[Pixels]:
        for pixels, around in zip(film.play(), behind.play(), strict=False):
            frame = around.copy()
            frame[top : top + height, left : left + width] = shrunk(pixels, width, height)
            yield frame

    return replace(film, play=play)


def subtitled(film: Film, rng: Rng, lines: int) -> Film:
    """White words with a dark edge at the bottom, others every few seconds."""
    count = int(film.seconds / _LINE_S) + 1
    texts = [
        "\n".join(" ".join(rng.choice(WORDS, size=5)) for _ in range(lines)) for _ in range(count)
    ]
    size = max(9, round(film.height / 14))
    font = ImageFont.load_default(size)

    def paint(pixels: Pixels, time_s: float) -> Pixels:
        picture = Image.fromarray(pixels)
        ImageDraw.Draw(picture).multiline_text(
            (film.width / 2, film.height * 0.97),
            texts[min(int(time_s / _LINE_S), count - 1)],
            font=font,
            fill="white",
            anchor="md",
            align="center",
            stroke_width=max(1, size // 10),
            stroke_fill="black",
        )
        return np.asarray(picture)

    return painted(film, paint)


def watermarked(film: Film, share: float) -> Film:
    """A half transparent logo in a corner, a share of the width wide."""
    side = round(film.width * share)
    mark = np.asarray(logo(side), np.float32)
    colour, alpha = mark[..., :3], mark[..., 3:] / 255 * 0.7
    top, left = round(film.height * 0.05), film.width - side - round(film.width * 0.03)
    alpha, colour = alpha[: film.height - top], colour[: film.height - top]

    def paint(pixels: Pixels, _: float) -> Pixels:
        frame = pixels.copy()
        under = frame[top : top + side, left : left + side]
        under[:] = (under * (1 - alpha) + colour * alpha).astype(np.uint8)
        return frame

    return painted(film, paint)


def logo(side: int) -> Image.Image:
    """A ring with a bar through it: RGBA, square."""
    picture = Image.new("RGBA", (side, side))
    draw = ImageDraw.Draw(picture)
    edge = max(1, side // 8)
    draw.ellipse((0, 0, side - 1, side - 1), outline=(240, 90, 40, 255), width=edge)
    draw.rectangle(
        (side // 5, side * 3 // 7, side * 4 // 5, side * 4 // 7), fill=(250, 250, 250, 255)
    )
    return picture
