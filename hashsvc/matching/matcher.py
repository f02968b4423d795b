"""The matcher: fingerprints of uploads to verdicts. Reads the store only when something is near."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from hashsvc.config import Limits, Matching, Policy
from hashsvc.lists import rules
from hashsvc.lists.distrusted import Distrusted
from hashsvc.lists.indexer import Indexer, Place
from hashsvc.matching import policy as policies
from hashsvc.model import (
    Algorithm,
    Confidence,
    Coverage,
    Evidence,
    Fingerprint,
    KnownEntry,
    ListKind,
    Match,
    MediaType,
    OpinionCounts,
    Outcome,
    UndeterminedReason,
    Verdict,
)
from hashsvc.store.store import Store
from hashsvc.tokens import Revisions

_MAX_EVIDENCE = 100
_ENTRIES_PER_READ = 200
# About 0.1 ms, which is what the way to another thread and back costs: so many comparisons, or one
# fingerprint looked up by the tables that longer lists have.
_QUICK_COMPARISONS = 100_000
_TABLE_COMPARISONS = 50_000
_ALGORITHMS = tuple(Algorithm)


@dataclass(frozen=True, slots=True)
class Query:
    """One upload to check.

    `limitation` is what its hasher could not see, `detail` says it in words. `is_behind` says that
    the caller asked for a revision that the index has not reached. `may_match` tells of a list's
    name whether it is looked at, `may_count` of a feedback list's whether its opinions count; None
    for all.
    """

    media_type: MediaType
    fingerprints: tuple[Fingerprint, ...]
    limitation: UndeterminedReason | None = None
    detail: str = ""
    is_behind: bool = False
    may_match: Callable[[str], bool] | None = None
    may_count: Callable[[str], bool] | None = None


@dataclass(frozen=True, slots=True)
class _Hit:
    """A fingerprint of the upload, the `number`th to be searched, near one of an entry."""

    number: int
    fingerprint: Fingerprint
    ordinal: int
    distance: int

    @property
    def rank(self) -> tuple[bool, int, int]:
        """Sort key, best first: digests, then nearest, then by algorithm."""
        algorithm = self.fingerprint.algorithm
        return not algorithm.is_digest, self.distance, _ALGORITHMS.index(algorithm)


@dataclass(frozen=True, slots=True)
class Searched:
    """What the index says of some uploads: `hits` by upload and entry id.

    `usable` are the fingerprints of each upload that were searched with.
    """

    queries: Sequence[Query]
    usable: Sequence[Sequence[Fingerprint]]
    hits: Mapping[int, Mapping[int, Sequence[_Hit]]]
    revision: str

    @property
    def is_near(self) -> bool:
        """Whether anything known is near any of the uploads."""
        return bool(self.hits)


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
        self._store = store
        self._indexer = indexer
        self._matching = matching
        self._policy = policy
        self._max_matches = limits.max_matches
        self._distrusted = distrusted or Distrusted()
        self._revisions = Revisions(store.node_id)
        self._now = now

    def check(self, queries: Sequence[Query]) -> list[Verdict]:
        """Check uploads; one verdict each, in order. `search` and `judge` in one."""
        return self.judge(self.search(queries))

    def search(self, queries: Sequence[Query]) -> Searched:
        """Look uploads up in the index, with one search per algorithm for all of them."""
        revision = self._revisions.token(self._indexer.position)
        usable = [self._usable(query) for query in queries]
        return Searched(queries, usable, self._search(queries, usable), revision)

    def judge(self, searched: Searched) -> list[Verdict]:
        """Return the verdicts; reads the store for the uploads that something is near."""
        return [
            self._verdict(query, searched.usable[i], searched.hits.get(i, {}), searched.revision)
            for i, query in enumerate(searched.queries)
        ]

    def is_quick(self, queries: Sequence[Query]) -> bool:
        """Tell whether a search takes less time than handing it to another thread."""
        perceptual = sum(
            not fingerprint.algorithm.is_digest
            for query in queries
            for fingerprint in query.fingerprints
        )
        if perceptual * _TABLE_COMPARISONS <= _QUICK_COMPARISONS:
            return True
        return perceptual * len(self._indexer) <= _QUICK_COMPARISONS

    def _usable(self, query: Query) -> list[Fingerprint]:
        """Return what to search with: of a picture too plain for PDQ, only the digests."""
        usable = [f for f in query.fingerprints if self._is_searchable(f)]
        if _has_pdq(query.fingerprints) and not _has_pdq(usable):
            return [f for f in usable if f.algorithm.is_digest]
        return usable

    def _is_searchable(self, fingerprint: Fingerprint) -> bool:
        return rules.is_searchable(fingerprint, self._matching.min_pdq_quality)

    def _search(
        self, queries: Sequence[Query], usable: Sequence[Sequence[Fingerprint]]
    ) -> dict[int, dict[int, list[_Hit]]]:
        """Return the hits by query and entry id.

        Hits in lists that a query does not look at fall away here, before the store is read, so
        that the time of an answer does not tell of them.
        """
        asked: dict[Algorithm, list[tuple[int, int, Fingerprint]]] = defaultdict(list)
        for i, fingerprints in enumerate(usable):
            for number, fingerprint in enumerate(fingerprints):
                asked[fingerprint.algorithm].append((i, number, fingerprint))
        found: dict[int, dict[int, list[_Hit]]] = defaultdict(lambda: defaultdict(list))
        for algorithm, askers in asked.items():
            values = [fingerprint.value for _, _, fingerprint in askers]
            hits = self._indexer.search(algorithm, values, self._radius(algorithm))
            for asker, key, distance in zip(
                hits.query.tolist(), hits.key.tolist(), hits.distance.tolist(), strict=True
            ):
                i, number, fingerprint = askers[asker]
                place, may_match = Place.of(key), queries[i].may_match
                if may_match is None or may_match(self._indexer.list_name(place.list_id)):
                    hit = _Hit(number, fingerprint, place.ordinal, distance)
                    found[i][place.entry_id].append(hit)
        return found

    def _radius(self, algorithm: Algorithm) -> int:
        if algorithm is Algorithm.PDQ:
            return self._matching.pdq_radius
        return self._matching.hash64_radius

    def _verdict(
        self,
        query: Query,
        usable: Sequence[Fingerprint],
        hits: Mapping[int, Sequence[_Hit]],
        revision: str,
    ) -> Verdict:
        matches: list[Match] = []
        exemptions: list[Match] = []
        unread = len(hits)
        for number, (known, match) in enumerate(self._matches(query, usable, hits), 1):
            if match is not None:
                (exemptions if known.kind is ListKind.EXEMPTION else matches).append(match)
            unread = len(hits) - number
            if len(matches) >= self._max_matches:
                break
        else:
            unread = 0
        reason = None if matches else self._undetermined(query, usable)
        outcome = Outcome.NO_MATCH if reason is None else Outcome.UNDETERMINED
        outcome = Outcome.MATCH if matches else outcome
        matches.sort(key=_match_rank)
        return Verdict(
            outcome=outcome,
            action=policies.decide(self._policy, outcome, matches, exemptions),
            revision=revision,
            reason=reason,
            detail=_detail(reason, query),
            matches=tuple(matches),
            total_matches=len(matches) + unread,
            exemptions=tuple(sorted(exemptions, key=_match_rank)),
            searched=tuple(sorted({f.algorithm for f in usable}, key=_ALGORITHMS.index)),
        )

    def _matches(
        self, query: Query, usable: Sequence[Fingerprint], hits: Mapping[int, Sequence[_Hit]]
    ) -> Iterator[tuple[KnownEntry, Match | None]]:
        """Yield each entry that was hit, best first, with its match if the hits amount to one."""
        frames = [f for f in usable if f.algorithm is Algorithm.PDQ]
        ranked = sorted(hits, key=lambda entry_id: min(hit.rank for hit in hits[entry_id]))
        for start in range(0, len(ranked), _ENTRIES_PER_READ):
            ids = ranked[start : start + _ENTRIES_PER_READ]
            known = self._store.known_entries(ids)
            for entry_id in ids:
                if entry_id in known and self._counts(known[entry_id]):
                    yield (
                        known[entry_id],
                        self._match(query, known[entry_id], hits[entry_id], frames),
                    )

    def _counts(self, known: KnownEntry) -> bool:
        """Tell whether an entry has neither expired nor is distrusted."""
        expire_time = known.entry.description.expire_time
        if expire_time is not None and expire_time <= self._now():
            return False
        return not self._distrusted.covers(known.entry)

    def _match(
        self, query: Query, known: KnownEntry, hits: Sequence[_Hit], frames: Sequence[Fingerprint]
    ) -> Match | None:
        entry = known.entry
        known_frames = [
            f for f in entry.fingerprints if f.algorithm is Algorithm.PDQ and self._is_searchable(f)
        ]
        if _has_pdq(entry.fingerprints) and (frames or not known_frames):
            # A 64-bit hash only speaks for media that PDQ was not asked about.
            hits = [h for h in hits if h.fingerprint.algorithm.bits != 64]
        coverage = None
        if query.media_type is MediaType.VIDEO and known_frames and frames:
            coverage = _coverage(hits, entry.fingerprints, frames, known_frames)
            if not self._is_enough(coverage, entry.media_type):
                hits = [h for h in hits if h.fingerprint.algorithm.is_digest]
        if not hits:
            return None
        best = sorted(hits, key=lambda hit: hit.rank)[:_MAX_EVIDENCE]
        return Match(
            entry=entry.name,
            media_type=entry.media_type,
            description=entry.description,
            contributor=entry.contributor,
            algorithm=best[0].fingerprint.algorithm,
            variant=best[0].fingerprint.variant,
            confidence=self._confidence(best[0]),
            evidence=tuple(_evidence(hit, entry.fingerprints) for hit in best),
            coverage=coverage if entry.media_type is MediaType.VIDEO else None,
            names_contributor=known.names_contributors,
            canary_of=entry.canary_of,
            opinions=OpinionCounts.told(known.opinions, query.may_count),
        )

    def _confidence(self, best: _Hit) -> Confidence:
        """A class by thirds of the radius, so that it tells little of the distance."""
        algorithm = best.fingerprint.algorithm
        if algorithm.is_digest:
            return Confidence.EXACT
        share = best.distance / max(self._radius(algorithm), 1)
        if share <= 1 / 3:
            return Confidence.NEAR_CERTAIN
        return Confidence.LIKELY if share <= 2 / 3 else Confidence.WEAK

    def _is_enough(self, coverage: Coverage, known_type: MediaType) -> bool:
        # A known picture is not a clip: it must fill the upload, not flash by in it.
        known_percent = coverage.known_percent if known_type is MediaType.VIDEO else 0
        share = max(coverage.upload_percent, known_percent)
        return share >= self._matching.video_share_percent

    def _undetermined(
        self, query: Query, usable: Sequence[Fingerprint]
    ) -> UndeterminedReason | None:
        if query.is_behind:
            return UndeterminedReason.INDEX_BEHIND
        if query.limitation is not None:
            return query.limitation
        asked_for = any(not f.algorithm.is_digest for f in query.fingerprints)
        looked_up = any(not f.algorithm.is_digest for f in usable)
        return UndeterminedReason.LOW_INFORMATION if asked_for and not looked_up else None


def _has_pdq(fingerprints: Sequence[Fingerprint]) -> bool:
    return any(f.algorithm is Algorithm.PDQ for f in fingerprints)


def _match_rank(match: Match) -> tuple[bool, int, float]:
    coverage = match.coverage
    share = coverage.known_percent + coverage.upload_percent if coverage else 0
    return not match.is_exact, match.evidence[0].distance, -share


def _coverage(
    hits: Sequence[_Hit],
    known: Sequence[Fingerprint],
    upload_frames: Sequence[Fingerprint],
    known_frames: Sequence[Fingerprint],
) -> Coverage:
    """Count seconds; a frame without a time counts as a second of its own."""
    frames = [hit for hit in hits if hit.fingerprint.algorithm is Algorithm.PDQ]
    return Coverage(
        upload_matched_s=len({_second(hit.fingerprint, hit.number) for hit in frames}),
        upload_total_s=len({_second(frame, i) for i, frame in enumerate(upload_frames)}),
        known_matched_s=len({_second(known[hit.ordinal], hit.ordinal) for hit in frames}),
        known_total_s=len({_second(frame, i) for i, frame in enumerate(known_frames)}),
    )


def _second(frame: Fingerprint, number: int) -> int:
    return -1 - number if frame.time_ms is None else frame.time_ms // 1000


def _evidence(hit: _Hit, known: Sequence[Fingerprint]) -> Evidence:
    return Evidence(
        algorithm=hit.fingerprint.algorithm,
        distance=hit.distance,
        variant=hit.fingerprint.variant,
        upload_time_ms=hit.fingerprint.time_ms,
        known_time_ms=known[hit.ordinal].time_ms,
    )


_DETAILS = {
    UndeterminedReason.LOW_INFORMATION: "too plain for a perceptual hash; only digests were "
    "looked up",
    UndeterminedReason.UNREADABLE: "could not be decoded; only digests were looked up",
    UndeterminedReason.PARTLY_SEEN: "only a part could be decoded, and that part does not match",
    UndeterminedReason.INDEX_BEHIND: "the index has not reached the revision that was asked for",
}


def _detail(reason: UndeterminedReason | None, query: Query) -> str:
    if reason is None:
        return ""
    return query.detail if reason is query.limitation and query.detail else _DETAILS[reason]
