"""One video under way: its frames so far, which known videos they come near, and how they align."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from hashsvc.matching import alignment
from hashsvc.matching.alignment import Alignment, Known, Rules, Segment
from hashsvc.matching.query import Hit, HitsByEntry
from hashsvc.matching.sightings import MOST_OF_ONE, Found, Moment, in_order, is_evidence, moments
from hashsvc.media.scan import Span
from hashsvc.media.variants import TRIMMED, look_and_form, variant_of
from hashsvc.model import ORIGINAL, Algorithm, Fingerprint, KnownEntry

MOST_CANDIDATES = 64
"""Entries that one upload is looked at beside at once: those of which most frames are near it."""

MOST_HITS = 100
"""Hits kept of each, the best ones."""

MOST_LOCATED = 2_000
"""Known pictures and frames that are looked for in the frames of one upload, each for about 3 ms:
four in each of 500 frames, which are 25 minutes of video in which a list seems to be everywhere."""

MOST_SIGHTINGS = 32
"""Frames of a known video that are located before no more are looked for."""

MOST_LOOKS = 16
"""Closer looks asked for because of one entry while there is no evidence. Each tells a caller that
hashes itself that something known is near, which is not to be asked without end."""

MOST_ROWS = 20_000
"""Moments of an upload kept, in each form, for entries that later ones come near; about 8 MB."""

_BEFORE_MS = 12_000
_AFTER_MS = 6_000
# Asked for again when no more than this is left of what was asked for.
_LEFT_MS = 2_000
_IDLE_MS = 60_000
_STANDS_MS = 1000


@dataclass(slots=True)
class Candidate:
    """An entry that frames of the upload, or its digests, came near.

    `hits` are the best ones. `ordinals` are the entry's frames that were near, `seconds` the
    upload's, in whole seconds, that were near enough to speak for themselves. `entry` is what was
    read of it last, `known` its frames, where it is a video. `segments` are evidence, in the order
    of the upload. `looks` counts the closer looks that were asked for because of it, the last one
    up to `looked_ms`.

    `unlooked` are hits of local features, which say nothing until they are looked at; `found` is
    what that gave, by the ordinal of the best, `moments` when in the upload, in milliseconds, and
    `series` what that amounts to of a known video, where it is evidence.
    """

    hits: list[Hit] = field(default_factory=list)
    ordinals: set[int] = field(default_factory=set)
    seconds: set[int] = field(default_factory=set)
    forms: set[str] = field(default_factory=set)
    latest_ms: int = -1
    entry: KnownEntry | None = None
    known: Known | None = None
    alignments: dict[str, Alignment] = field(default_factory=dict)
    fed: dict[str, int] = field(default_factory=dict)
    segments: tuple[Segment, ...] = ()
    looks: int = 0
    looked_ms: int = -1
    closed_ms: int = -1
    unlooked: list[Hit] = field(default_factory=list)
    found: dict[int, list[Moment]] = field(default_factory=dict)
    moments: set[int] = field(default_factory=set)
    series: tuple[Found, ...] = ()

    @property
    def is_certain(self) -> bool:
        """Whether there is evidence in time."""
        return bool(self.segments or self.series)

    @property
    def is_exact(self) -> bool:
        """Whether the very file is known."""
        return bool(self.hits) and self.hits[0].fingerprint.algorithm.is_digest

    @property
    def sightings(self) -> list[Moment]:
        """All moments of `found`."""
        return [one for some in self.found.values() for one in some]

    @property
    def shows(self) -> tuple[int, int, int]:
        """How much speaks for it, for comparison."""
        return len(self.ordinals), len(self.found), len(self.unlooked)

    def see(self, some: Iterable[Found]) -> None:
        """Take in what was located: the first ones of each known picture or frame, and the last."""
        for moment in moments(some):
            kept = self.found.setdefault(moment.best.ordinal, [])
            if len(kept) == MOST_OF_ONE:
                kept.pop()
            kept.append(moment)
            self.moments.add(moment.best.upload_ms)
        if self.known is not None:
            series = in_order(self.sightings)
            self.series = series if is_evidence(series) else ()

    @property
    def end_ms(self) -> int:
        """Where in the upload the evidence ends."""
        return max((round(1000 * segment.upload_end_s) for segment in self.segments), default=-1)


class Watch:
    """The frames of one upload, in any order, beside what they come near. For one thread at a time.

    `seconds` are those of the upload with a frame good enough to search with; `through_ms` is how
    far it is said to have been seen. `local_ms` are the moments whose local features were looked
    up, `locating` counts down from MOST_LOCATED. `alike` is what was found out about pairs of known
    videos.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._rows: dict[str, list[tuple[float, list[bytes]]]] = defaultdict(list)
        self._forgotten: Counter[str] = Counter()
        self._newest_ms = -1
        self._new_seeds: dict[int, list[int]] = {}
        self.candidates: dict[int, Candidate] = {}
        self.seconds: set[int] = set()
        self.through_ms = 0
        self.local_ms: set[int] = set()
        self.locating = MOST_LOCATED
        self.looked_at: set[str] = set()
        self.alike: dict[tuple[Known, Known], bool] = {}

    @property
    def seen_ms(self) -> int:
        """How far the upload was seen: the last frame stands as long as others do."""
        count = max((len(rows) for rows in self._rows.values()), default=0)
        step_ms = self._newest_ms // (count - 1) if count > 1 else _STANDS_MS
        return max(self.through_ms, self._newest_ms + min(step_ms, _STANDS_MS))

    def add(self, fingerprints: Iterable[Fingerprint], hits: HitsByEntry) -> None:
        """Take in frames that were searched with, and what the index says of them."""
        looks: dict[tuple[int, str], dict[str, bytes]] = defaultdict(dict)
        for fingerprint in fingerprints:
            if fingerprint.algorithm.is_local:
                self.local_ms.add(_time_ms(fingerprint))
            if fingerprint.algorithm is Algorithm.PDQ:
                look, form = look_and_form(fingerprint.variant)
                looks[_time_ms(fingerprint), form].setdefault(look, fingerprint.value)
        for (time_ms, form), values in sorted(looks.items()):
            self._rows[form].append((time_ms / 1000, _in_order(values)))
            self.seconds.add(time_ms // 1000)
            self._newest_ms = max(self._newest_ms, time_ms)
        for entry_id, near in hits.items():
            self._meet(entry_id, near)

    def align(self, candidate: Candidate, *, is_last: bool = False) -> None:
        """Bring a candidate's segments up to date; `is_last` at the end of the upload."""
        if candidate.known is None or not len(candidate.known.times_s):
            return
        for form in candidate.forms:
            aligned = candidate.alignments.setdefault(form, Alignment(candidate.known))
            forgotten = self._forgotten[form]
            rows = self._rows[form][max(0, candidate.fed.get(form, 0) - forgotten) :]
            candidate.fed[form] = forgotten + len(self._rows[form])
            if rows:
                times, looks = zip(*rows, strict=True)
                aligned.add(np.array(times), alignment.as_looks(looks))
        # While all goes on as it did there is nothing new to say.
        if is_last or not candidate.segments or candidate.latest_ms < self._newest_ms:
            candidate.segments = self._evidence(candidate)

    def to_locate(self, candidate: Candidate) -> list[Hit]:
        """The hits of local features of a candidate that are to be looked at now, and then done."""
        hits, candidate.unlooked = candidate.unlooked, []
        if candidate.known is not None and len(candidate.sightings) >= MOST_SIGHTINGS:
            return []
        hits = hits[: self.locating]
        self.locating -= len(hits)
        return hits

    def see(self, entry_id: int, found: Sequence[Found]) -> None:
        """Take in what of a candidate was located; it is worth a closer look there."""
        self.candidates[entry_id].see(found)
        if found:
            self._new_seeds.setdefault(entry_id, []).extend(one.upload_ms for one in found)

    def closer(self) -> tuple[Span, ...]:
        """What to look at more closely, given what came in since this was last asked.

        That is where something may be known but is not certain yet, and where what is known ends.
        `looked_at` then are the entries that may be known.
        """
        self.looked_at = set()
        spans: list[Span] = []
        for entry_id, times in self._new_seeds.items():
            candidate = self.candidates.get(entry_id)
            if candidate is not None and candidate.known is not None and not candidate.is_certain:
                looks = _looks(candidate, times)
                spans += looks
                if looks and candidate.entry is not None:
                    self.looked_at.add(candidate.entry.entry.name)
        for candidate in self.candidates.values():
            is_over = candidate.latest_ms < self._newest_ms
            if is_over and candidate.closed_ms < candidate.end_ms < self._newest_ms:
                candidate.closed_ms = candidate.end_ms
                spans.append(Span(candidate.end_ms, self._newest_ms))
        self._new_seeds.clear()
        return _merged(spans)

    def forget(self) -> None:
        """Let go of entries that were not located after all, and of a long video's oldest frames,
        which are for entries not met so far."""
        for entry_id, candidate in list(self.candidates.items()):
            if not (candidate.hits or candidate.found or candidate.unlooked):
                del self.candidates[entry_id]
        for form, rows in self._rows.items():
            if len(rows) > MOST_ROWS:
                self._forgotten[form] += len(rows) // 2
                del rows[: len(rows) // 2]

    def _meet(self, entry_id: int, hits: Sequence[Hit]) -> None:
        candidate = self.candidates.get(entry_id)
        if candidate is None:
            if len(self.candidates) >= MOST_CANDIDATES and not self._make_room(hits):
                return
            candidate = self.candidates[entry_id] = Candidate()
        local = [hit for hit in hits if hit.fingerprint.algorithm.is_local]
        whole = [hit for hit in hits if not hit.fingerprint.algorithm.is_local]
        candidate.unlooked += local
        candidate.hits = sorted((*candidate.hits, *whole), key=lambda hit: hit.rank)[:MOST_HITS]
        for hit in local:
            candidate.latest_ms = max(candidate.latest_ms, _time_ms(hit.fingerprint))
        for hit in whole:
            if hit.fingerprint.algorithm is Algorithm.PDQ:
                time_ms = _time_ms(hit.fingerprint)
                candidate.ordinals.add(hit.ordinal)
                candidate.latest_ms = max(candidate.latest_ms, time_ms)
                candidate.forms.add(look_and_form(hit.fingerprint.variant)[1])
                if hit.speaks:
                    candidate.seconds.add(time_ms // 1000)
                self._new_seeds.setdefault(entry_id, []).append(time_ms)

    def _make_room(self, hits: Sequence[Hit]) -> bool:
        """Give up the candidate with least to show, if it has less than these hits or is old."""
        uncertain = {
            entry_id: candidate
            for entry_id, candidate in self.candidates.items()
            if not candidate.is_certain and not candidate.is_exact
        }
        if not uncertain:
            return False
        weakest = min(uncertain, key=lambda i: (uncertain[i].shows, uncertain[i].latest_ms))
        is_digest = any(hit.fingerprint.algorithm.is_digest for hit in hits)
        is_old = self.seen_ms - uncertain[weakest].latest_ms > _IDLE_MS
        # Of a still however many frames are near one.
        ordinals = {hit.ordinal for hit in hits if not hit.fingerprint.algorithm.is_local}
        local = sum(hit.fingerprint.algorithm.is_local for hit in hits)
        if is_digest or is_old or uncertain[weakest].shows < (len(ordinals), 0, local):
            del self.candidates[weakest]
            return True
        return False

    def _evidence(self, candidate: Candidate) -> tuple[Segment, ...]:
        assert candidate.known is not None
        found = [
            replace(segment, variant=variant_of(ORIGINAL if segment.is_whole else TRIMMED, form))
            for form, aligned in candidate.alignments.items()
            for segment in aligned.segments()
            if segment.is_evidence(self._rules, candidate.known.length_s)
        ]
        return tuple(sorted(found, key=lambda segment: segment.upload_start_s))


def _looks(candidate: Candidate, times_ms: Iterable[int]) -> list[Span]:
    """Spans around frames that came near an entry, where they were not asked for already."""
    spans = []
    for time_ms in sorted(times_ms):
        is_asked = candidate.looked_ms - _BEFORE_MS <= time_ms <= candidate.looked_ms - _LEFT_MS
        if candidate.looks < MOST_LOOKS and not is_asked:
            candidate.looks += 1
            candidate.looked_ms = time_ms + _AFTER_MS
            spans.append(Span(max(0, time_ms - _BEFORE_MS), candidate.looked_ms))
    return spans


def _time_ms(frame: Fingerprint) -> int:
    return frame.time_ms or 0


def _in_order(looks: Mapping[str, bytes]) -> list[bytes]:
    """The looks at one moment, the original first."""
    return [looks[look] for look in sorted(looks, key=lambda look: (look != ORIGINAL, look))]


def _merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    merged: list[Span] = []
    for span in sorted(spans, key=lambda span: span.first_ms):
        if merged and span.first_ms <= merged[-1].last_ms:
            last_ms = max(span.last_ms, merged[-1].last_ms)
            merged[-1] = Span(merged[-1].first_ms, last_ms)
        else:
            merged.append(span)
    return tuple(merged)
