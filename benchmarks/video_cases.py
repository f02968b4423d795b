"""Uploads whose truth is known, and how an answer about one is judged."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from zlib import crc32

import numpy as np

from benchmarks import unrelated
from benchmarks.clips import Clip, Library
from benchmarks.edits import MAX_S, Edit, Made, Material, catalogue, some
from benchmarks.footage import Encoding, Film, Overlap, Shown, encoded, joined, overlaps, part
from benchmarks.video_engines import Answer, Segment

LEAST_S = 1.0
"""So many seconds of an entry in an upload make it one that should be found."""

WHOLE, LONG, OPENINGS = "whole", "long", "openings"

_OPENING_S, _BODY_S, _PLAIN_S = 4.0, 8.0, 10.0
_FINE = Encoding.x264(18)


@dataclass(frozen=True, slots=True)
class Known:
    """An entry: its file, and what that shows."""

    data: Callable[[], bytes]
    shows: Sequence[Shown]


@dataclass(frozen=True, slots=True)
class Upload:
    """The bytes of a file, and what it shows."""

    data: bytes
    shows: Sequence[Shown]
    has_times: bool = True


@dataclass(frozen=True, slots=True)
class Case:
    """An upload to make and check against one set of entries."""

    edit: str
    strength: str
    entries: str
    make: Callable[[], Upload]


@dataclass(frozen=True, slots=True)
class Judged:
    """What an answer is worth: `wanted` entries, `found` of them, `wrong` ones, and errors in s."""

    wanted: int
    found: int
    wrong: int
    errors_s: Sequence[float] = ()


def judge(upload: Upload, entries: Mapping[str, Known], answers: Sequence[Answer]) -> Judged:
    """Hold an answer against the truth.

    An entry that is shown for less than `LEAST_S` need not be found, and is not wrong.
    """
    truth = {name: overlaps(upload.shows, known.shows) for name, known in entries.items()}
    seconds = {name: sum(_length(one) for one in some_) for name, some_ in truth.items()}
    wanted = {name for name, length in seconds.items() if length >= LEAST_S}
    found = {answer.entry for answer in answers}
    errors = [
        error
        for answer in answers
        if upload.has_times and answer.entry in wanted
        for error in _errors(truth[answer.entry], answer)
    ]
    wrong = sum(seconds[name] == 0 for name in found)
    return Judged(len(wanted), len(wanted & found), wrong, errors)


def _errors(truth: Sequence[Overlap], answer: Answer) -> Iterator[float]:
    """How far both ends of what is said are from the truth, for what is found of it at all."""
    for true in truth:
        inside = [segment for segment in answer.segments if _is_of(segment, true)]
        if inside and _length(true) >= LEAST_S:
            first = min(segment.upload_first_s for segment in inside)
            last = max(segment.upload_last_s for segment in inside)
            yield (abs(first - true.upload_first_s) + abs(last - true.upload_last_s)) / 2


def _is_of(segment: Segment, true: Overlap) -> bool:
    """Whether they have half of the shorter one in common: beside a cut they merely touch."""
    first = max(segment.upload_first_s, true.upload_first_s)
    last = min(segment.upload_last_s, true.upload_last_s)
    shorter = min(segment.upload_last_s - segment.upload_first_s, _length(true))
    return last - first > shorter / 2


def _length(overlap: Overlap) -> float:
    return overlap.upload_last_s - overlap.upload_first_s


@dataclass(frozen=True)
class Scene:
    """All sets of entries and all cases for a library; the same whenever it is made anew.

    `other_s` is how long the material is that known clips are hidden in, `repeat` how often an edit
    that cuts by chance is done to each film, and `edits` those that are named, or all.
    """

    library: Library
    seed: int
    other_s: float
    repeat: int
    edits: Sequence[str] = ()

    @cached_property
    def other(self) -> Film:
        """Material that nothing known is in."""
        return self.library.other(self.other_s, self._rng("other"))

    @cached_property
    def long(self) -> list[Clip]:
        """Known clips joined to longer ones, three by three."""
        clips = sorted(self.library.known, key=lambda clip: -clip.film.seconds)
        count = -(-len(clips) // 3)
        made = []
        for number in range(count):
            parts = clips[number::count]
            film = joined([part(clip.film, 0, MAX_S) for clip in parts])
            name = " + ".join(clip.group for clip in parts)
            made.append(Clip(name, name, film, partial(encoded, film, _FINE)))
        return made

    @cached_property
    def openings(self) -> dict[str, Film]:
        """What many videos begin with."""
        films = {name: make(_OPENING_S) for name, make in unrelated.PLAIN.items()}
        films["still picture"] = unrelated.still(self.library.pictures[0], _OPENING_S)
        films["intro"] = unrelated.intro(_OPENING_S)
        return films

    @cached_property
    def entries(self) -> dict[str, dict[str, Known]]:
        """The sets of entries by name."""
        return {
            WHOLE: {clip.group: _known(clip) for clip in self.library.known},
            LONG: {clip.group: _known(clip) for clip in self.long},
            OPENINGS: {
                name: Known(partial(encoded, film, _FINE), film.shows)
                for name, film in self._opened()
            },
        }

    @cached_property
    def cases(self) -> list[Case]:
        """All uploads; what is made of the same film is together."""
        cases = [*self._edited(WHOLE, self.library.known), *self._copied()]
        cases += [*self._edited(LONG, self.long), *self._unrelated(), *self._opening()]
        return [case for case in cases if not self.edits or case.edit in self.edits]

    def _rng(self, name: str) -> np.random.Generator:
        return np.random.default_rng([self.seed, crc32(name.encode())])

    def _edited(self, entries: str, clips: Sequence[Clip]) -> Iterator[Case]:
        for number, clip in enumerate(clips):
            peers = [*clips[number + 1 :], *clips[:number]]
            material = Material(clip.film, [peer.film for peer in peers], self.other)
            for edit in catalogue(other_s=self.other_s):
                if edit.of_long is (entries is LONG):
                    for turn in range(self.repeat if edit.of_long else 1):
                        rng = f"{edit.name} {edit.strength} {clip.group} {turn}"
                        make = partial(self._make, edit, material, rng)
                        yield Case(edit.name, edit.strength, entries, make)

    def _make(self, edit: Edit, material: Material, rng: str) -> Upload:
        return _upload(edit.make(material, self._rng(rng)))

    def _copied(self) -> Iterator[Case]:
        for clip in self.library.copies:
            yield Case("other copy of it", "as found", WHOLE, partial(_file, clip))

    def _unrelated(self) -> Iterator[Case]:
        for clip in self.library.unrelated:
            yield Case("unrelated: clips", "as found", WHOLE, partial(_file, clip, shows=()))
            film = replace(clip.film, shows=())
            make = partial(_made, film, Encoding.x264(35))
            yield Case("unrelated: clips", "crf 35", WHOLE, make)
        other = part(self.other, 0, 60)
        yield Case("unrelated: clips", "60 s of many", WHOLE, partial(_made, other))
        for name, plain in unrelated.PLAIN.items():
            make = partial(_made, plain(_PLAIN_S))
            yield Case(f"unrelated: {name}", f"{_PLAIN_S:.0f} s", WHOLE, make)
        for clip in self.library.known:
            make = partial(_held, clip.film)
            name = "unrelated: a known frame held"
            yield Case(name, f"{_PLAIN_S:.0f} s", WHOLE, make)

    def _opened(self) -> Iterator[tuple[str, Film]]:
        """Every opening in front of two known bodies."""
        clips = self.library.known
        for number, (name, opening) in enumerate(self.openings.items()):
            for other in range(2):
                clip = clips[(2 * number + other) % len(clips)]
                film = joined([opening, part(clip.film, 0, _BODY_S)], like=opening)
                yield f"{name}, {clip.group}", film

    def _opening(self) -> Iterator[Case]:
        coarse, strength = Encoding.x264(28), f"{_OPENING_S:.0f} s"
        for name, film in self._opened():
            opening = f"same opening: {name.partition(', ')[0]}"
            yield Case(opening, f"{strength}, known", OPENINGS, partial(_made, film, coarse))
        for name, first in self.openings.items():
            body = some(self.other, _BODY_S, self._rng(name))
            unknown = joined([first, body], like=first)
            for film, what in ((unknown, "unknown"), (first, "alone")):
                make = partial(_made, film, coarse)
                yield Case(f"same opening: {name}", f"{strength}, {what}", OPENINGS, make)


def _known(clip: Clip) -> Known:
    return Known(clip.data, clip.film.shows)


def _upload(made: Made) -> Upload:
    return Upload(made.data(), made.film.shows)


def _made(film: Film, encoding: Encoding | None = None) -> Upload:
    return _upload(Made(film, encoding or Encoding.x264()))


def _file(clip: Clip, shows: Sequence[Shown] | None = None) -> Upload:
    return Upload(clip.data(), clip.film.shows if shows is None else shows, has_times=False)


def _held(film: Film) -> Upload:
    """The frame in the middle of a film: it shows no second of it."""
    frames = film.play()
    pixels = next(frame for number, frame in enumerate(frames) if number >= film.frames // 2)
    return _made(unrelated.held(pixels, _PLAIN_S))
