"""The matcher: fingerprints of uploads to verdicts. Reads the store only when something is near."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from hashsvc import feature_values, features
from hashsvc.config import Limits, Matching, Policy
from hashsvc.lists import rules
from hashsvc.lists.distrusted import Distrusted
from hashsvc.lists.indexer import Indexer, Place
from hashsvc.matching.judging import Judge
from hashsvc.matching.query import Hit, HitsByEntry, Query, Searched
from hashsvc.matching.thresholds import Thresholds
from hashsvc.matching.voting import voted
from hashsvc.media.scan import Span
from hashsvc.media.variants import look_and_form
from hashsvc.model import (
    Algorithm,
    Fingerprint,
    LocalFeatures,
    MediaType,
    UndeterminedReason,
    Verdict,
)
from hashsvc.store.store import Store
from hashsvc.tokens import Revisions
from hashsvc_index import Hits

# About 0.1 ms, which is what the way to another thread and back costs: so many comparisons, or one
# fingerprint looked up by the tables that longer lists have.
_QUICK_COMPARISONS = 100_000
_TABLE_COMPARISONS = 50_000
# Known pictures or frames that each frame of a video is looked at beside: those with most votes.
_MOST_OF_FRAME = 4
# A frame that does not say when it is shown is taken for one of one a second.
_UNTIMED_MS = 1000


class Matcher:
    """Checks uploads against the index. Safe to call from many threads."""

    def __init__(
        self,
        store: Store,
        indexer: Indexer,
        *,
        matching: Matching,
        policy: Policy,
        limits: Limits,
        distrusted: Distrusted | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._indexer = indexer
        self._matching = matching
        self._thresholds = Thresholds(matching)
        self._revisions = Revisions(store.node_id)
        never = matching.local_features is LocalFeatures.NEVER
        self._looked_up = frozenset(
            a for a in Algorithm if self._thresholds.widest(a) >= 0 and not (a.is_local and never)
        )
        self.judge_ = Judge(
            store,
            matching=matching,
            thresholds=self._thresholds,
            policy=policy,
            limits=limits,
            distrusted=distrusted,
            now=now,
        )

    def check(self, queries: Sequence[Query]) -> list[Verdict]:
        """Check uploads; one verdict each, in order. `search` and `judge` in one."""
        return self.judge(self.search(queries))

    def search(self, queries: Sequence[Query]) -> Searched:
        """Look uploads up in the index, with one search per algorithm for all of them."""
        revision = self._revisions.token(self._indexer.position)
        # Once for all uploads of a caller.
        held = {may_match: self.held(may_match) for may_match in {q.may_match for q in queries}}
        usable = [self._usable(query) for query in queries]
        hits = self._search(queries, usable)
        self._search_local(queries, usable, hits)
        held_of = [held[query.may_match] for query in queries]
        return Searched(queries, usable, hits, held_of, revision)

    def held(self, may_match: Callable[[str], bool] | None) -> frozenset[Algorithm]:
        """Algorithms that are looked up, and of which there is anything to be found.

        `may_match` tells of a list's name whether it is looked at; None for all.
        """
        return self._looked_up & self._indexer.held(may_match)

    def judge(self, searched: Searched) -> list[Verdict]:
        """Return the verdicts; reads the store for the uploads that something is near."""
        return [self._judge(searched, number) for number in range(len(searched.queries))]

    def open(self, query: Query) -> "OpenCheck":
        """Begin to check a video that comes in by and by; the query has no fingerprints yet."""
        return OpenCheck(self, query)

    def is_quick(self, queries: Sequence[Query]) -> bool:
        """Tell whether a search takes less time than handing it to another thread."""
        perceptual = sum(
            self._weight(fingerprint) for query in queries for fingerprint in query.fingerprints
        )
        if perceptual * _TABLE_COMPARISONS <= _QUICK_COMPARISONS:
            return True
        return perceptual * len(self._indexer) <= _QUICK_COMPARISONS

    def _weight(self, fingerprint: Fingerprint) -> int:
        """How many codes are looked up for a fingerprint, but for digests, which cost nothing."""
        if fingerprint.algorithm.is_local:
            is_there = self._indexer.count(Algorithm.ORB) > 0
            return feature_values.count(fingerprint.value) if is_there else 0
        return int(fingerprint.algorithm.is_of_whole)

    def _judge(self, searched: Searched, number: int) -> Verdict:
        query, usable = searched.queries[number], searched.usable[number]
        hits = searched.hits.get(number, {})
        if query.media_type is MediaType.VIDEO:
            watch = self.judge_.watch()
            watch.add(usable, hits)
            verdict = self.judge_.video(query, usable, watch, searched.revision)
        else:
            verdict = self._picture(query, usable, hits, searched.revision)
        return replace(verdict, held=searched.held[number])

    def _picture(
        self, query: Query, usable: Sequence[Fingerprint], hits: HitsByEntry, revision: str
    ) -> Verdict:
        """The verdict on a picture; by local features too if they were not looked up for near
        hashes, and nothing came of these.

        They may be of entries that do not count, or of another entry that the picture was given
        the hash of, to hide behind it or behind an exemption.
        """
        verdict = self.judge_.picture(query, usable, hits, revision)
        is_answered = any(not match.contradicted for match in verdict.matches)
        if not hits or is_answered or Algorithm.ORB not in self._looked_up:
            return verdict
        local = [f for f in query.fingerprints if f.algorithm.is_local and f not in usable]
        if not local:
            return verdict
        found = {0: {entry_id: list(near) for entry_id, near in hits.items()}}
        self._add_local([query], [(0, one) for one in local], found)
        return self.judge_.picture(query, [*usable, *local], found[0], revision)

    def _usable(self, query: Query) -> list[Fingerprint]:
        """Return what to search with: no hash of a look that is too plain, and all the rest."""
        usable = rules.searchable(query.fingerprints, self._matching.min_pdq_quality)
        if query.limitation is UndeterminedReason.LOW_INFORMATION:
            return [f for f in usable if not f.algorithm.is_of_whole]
        if len(usable) < len(query.fingerprints):
            plain = _looks_by_pdq(query.fingerprints) - _looks_by_pdq(usable)
            usable = [f for f in usable if not f.algorithm.is_of_whole or _look(f) not in plain]
        if query.media_type is MediaType.VIDEO:
            return _timed(usable)
        return usable

    def _search(
        self, queries: Sequence[Query], usable: Sequence[Sequence[Fingerprint]]
    ) -> dict[int, dict[int, list[Hit]]]:
        """Return the hits by query and entry id.

        Hits in lists that a query does not look at fall away here, before the store is read, so
        that the time of an answer does not tell of them.
        """
        asked: dict[tuple[Algorithm, int], list[tuple[int, Fingerprint]]] = defaultdict(list)
        for i, fingerprints in enumerate(usable):
            for fingerprint in fingerprints:
                algorithm = fingerprint.algorithm
                if algorithm.is_local:
                    continue
                radius = self._radius(algorithm, queries[i].media_type)
                asked[algorithm, radius].append((i, fingerprint))
        found: dict[int, dict[int, list[Hit]]] = defaultdict(lambda: defaultdict(list))
        for (algorithm, radius), askers in asked.items():
            values = [fingerprint.value for _, fingerprint in askers]
            hits = self._indexer.search(algorithm, values, radius)
            for asker, key, distance in zip(
                hits.query.tolist(), hits.key.tolist(), hits.distance.tolist(), strict=True
            ):
                i, fingerprint = askers[asker]
                place, may_match = Place.of(key), queries[i].may_match
                list_name = self._indexer.list_name(place.list_id)
                threshold = self._thresholds.of(list_name)
                if not threshold.is_good(algorithm, fingerprint.quality):
                    continue
                speaks = distance <= threshold.radius(algorithm)
                is_near = speaks or queries[i].media_type is MediaType.VIDEO
                if is_near and (may_match is None or may_match(list_name)):
                    hit = Hit(fingerprint, place.ordinal, distance, speaks)
                    found[i][place.entry_id].append(hit)
        return found

    def _search_local(
        self,
        queries: Sequence[Query],
        usable: Sequence[list[Fingerprint]],
        found: dict[int, dict[int, list[Hit]]],
    ) -> None:
        """Add to `found` what local features speak for, where they are to be looked up.

        Else they are taken out of what is `usable`.
        """
        wanted: list[tuple[int, Fingerprint]] = []
        for i, fingerprints in enumerate(usable):
            local = [f for f in fingerprints if f.algorithm.is_local]
            if local and self._wants_local(queries[i], is_near=bool(found.get(i))):
                wanted += [(i, one) for one in local]
            elif local:
                fingerprints[:] = [f for f in fingerprints if not f.algorithm.is_local]
        self._add_local(queries, wanted, found)

    def _add_local(
        self,
        queries: Sequence[Query],
        wanted: Sequence[tuple[int, Fingerprint]],
        found: dict[int, dict[int, list[Hit]]],
    ) -> None:
        """Add to `found` what the local features that are `wanted`, by query, speak for."""
        if not wanted or not self._indexer.count(Algorithm.ORB):
            return
        asked = [(i, one, features.unpack(one.value)) for i, one in wanted]
        codes = np.concatenate([one.codes for _, _, one in asked])
        hits = self._indexer.search_codes(Algorithm.ORB, codes, self._matching.local_radius)
        ends = np.cumsum([len(one) for _, _, one in asked])
        bounds = [0, *np.searchsorted(hits.query, ends).tolist()]
        for number, (i, fingerprint, upload) in enumerate(asked):
            part = slice(bounds[number], bounds[number + 1])
            theirs = self._readable(
                Hits(
                    hits.query[part] - (ends[number] - len(upload)),
                    hits.key[part],
                    hits.distance[part],
                ),
                queries[i].may_match,
            )
            is_frame = queries[i].media_type is MediaType.VIDEO
            for one in voted(upload, theirs)[: _MOST_OF_FRAME if is_frame else None]:
                place = Place.of(one.picture << features.GEOMETRY_BITS)
                hit = Hit(fingerprint, place.ordinal >> features.GEOMETRY_BITS, one.distance)
                found.setdefault(i, {}).setdefault(place.entry_id, []).append(hit)

    def _wants_local(self, query: Query, *, is_near: bool) -> bool:
        when = self._matching.local_features
        if when is not LocalFeatures.AFTER:
            return when is LocalFeatures.ALWAYS
        # That frames are near something says little; what matters is what they amount to.
        return not (query.is_matched if query.media_type is MediaType.VIDEO else is_near)

    def _readable(self, hits: Hits, may_match: Callable[[str], bool] | None) -> Hits:
        """Leave out hits in lists that a query does not look at."""
        if may_match is None or not len(hits):
            return hits
        lists = Place.lists_of(hits.key)
        ids = np.unique(lists)
        allowed = [i for i in ids.tolist() if may_match(self._indexer.list_name(i))]
        kept = np.isin(lists, allowed)
        return Hits(hits.query[kept], hits.key[kept], hits.distance[kept])

    def _radius(self, algorithm: Algorithm, media_type: MediaType) -> int:
        widest = self._thresholds.widest(algorithm)
        if algorithm is Algorithm.PDQ and media_type is MediaType.VIDEO:
            return max(self._matching.video_frame_radius, widest)
        return widest


@dataclass(frozen=True, slots=True)
class Progress:
    """What is known of a video so far, and where a closer look would help to decide.

    `near` are the entries because of which a closer look is asked for: that alone tells something.
    """

    verdict: Verdict
    closer: tuple[Span, ...]
    near: frozenset[str] = frozenset()


class OpenCheck:
    """The check of one video whose frames come in by and by. For one thread at a time.

    Each step is a `search`, which touches the index alone, and a `judge`, which reads the store if
    anything was near so far.
    """

    def __init__(self, matcher: Matcher, query: Query) -> None:
        self._matcher = matcher
        self._query = query
        self._watch = matcher.judge_.watch()
        self._revision = ""
        self._held: frozenset[Algorithm] = frozenset()
        self._asked: set[Algorithm] = set()
        self._usable: dict[Algorithm, Fingerprint] = {}
        self.frames = 0

    def search(self, fingerprints: Sequence[Fingerprint], through_ms: int = 0) -> bool:
        """Look more frames, or digests, up; tell whether anything is near, now or before.

        `through_ms` is how far the video was seen.
        """
        near = self._watch.candidates.values()
        is_matched = any(one.segments or one.is_exact for one in near)
        query = replace(self._query, fingerprints=tuple(fingerprints), is_matched=is_matched)
        searched = self._matcher.search([query])
        self._revision = searched.revision
        (self._held,) = searched.held
        self._asked |= {f.algorithm for f in fingerprints}
        self._usable |= {f.algorithm: f for f in searched.usable[0]}
        self._watch.add(searched.usable[0], searched.hits.get(0, {}))
        self._watch.through_ms = max(self._watch.through_ms, through_ms)
        self.frames += sum(not f.algorithm.is_digest for f in fingerprints)
        return bool(self._watch.candidates)

    def judge(self) -> Progress:
        """Return what is known so far."""
        verdict = self._verdict(self._query, is_last=False)
        self._watch.forget()
        closer = self._watch.closer()
        return Progress(verdict, closer, frozenset(self._watch.looked_at))

    def finish(self, limitation: UndeterminedReason | None = None, detail: str = "") -> Verdict:
        """Return the verdict on the whole video, of which so much could not be seen."""
        query = replace(self._query, limitation=limitation, detail=detail)
        return self._verdict(query, is_last=True)

    def _verdict(self, query: Query, *, is_last: bool) -> Verdict:
        asked = tuple(Fingerprint(algorithm, b"") for algorithm in self._asked)
        verdict = self._matcher.judge_.video(
            replace(query, fingerprints=asked),
            tuple(self._usable.values()),
            self._watch,
            self._revision,
            is_last=is_last,
        )
        return replace(verdict, held=self._held)


def _look(fingerprint: Fingerprint) -> str:
    return look_and_form(fingerprint.variant)[0]


def _looks_by_pdq(fingerprints: Iterable[Fingerprint]) -> set[str]:
    return {_look(f) for f in fingerprints if f.algorithm is Algorithm.PDQ}


def _timed(frames: Iterable[Fingerprint]) -> list[Fingerprint]:
    """Give each frame a time that has none."""
    return [
        frame
        if frame.time_ms is not None or frame.algorithm.is_digest
        else replace(frame, time_ms=number * _UNTIMED_MS)
        for number, frame in enumerate(frames)
    ]
