"""Judging: what is near an upload, to a verdict. Reads the store for what is near, and no more."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from hashsvc import features
from hashsvc.config import Limits, Matching, Policy
from hashsvc.features import Features
from hashsvc.lists.distrusted import Distrusted
from hashsvc.matching import alignment, confidence
from hashsvc.matching import policy as policies
from hashsvc.matching.alignment import Known, Rules
from hashsvc.matching.confidence import Sureness
from hashsvc.matching.located import Agreement, locate
from hashsvc.matching.openings import shared_openings
from hashsvc.matching.query import Hit, HitsByEntry, Query, has_pdq
from hashsvc.matching.thresholds import Thresholds
from hashsvc.matching.watch import MOST_HITS, Candidate, Watch
from hashsvc.model import (
    Algorithm,
    Coverage,
    Evidence,
    Fingerprint,
    KnownEntry,
    ListKind,
    Located,
    Match,
    MediaType,
    OpinionCounts,
    Outcome,
    Segment,
    UndeterminedReason,
    Verdict,
)
from hashsvc.store.store import Store

_ENTRIES_PER_READ = 200
_ALGORITHMS = tuple(Algorithm)

Judged = Iterator[tuple[KnownEntry, Match | None]]
"""Entries that are near, best first, each with its match if there is enough for one."""


@dataclass(frozen=True, slots=True)
class Found:
    """A known picture that is in an upload, both by the fingerprints of their local features."""

    agreement: Agreement
    upload: Fingerprint
    known: Fingerprint


class Judge:
    """Makes verdicts. Safe to call from many threads."""

    def __init__(
        self,
        store: Store,
        *,
        matching: Matching,
        policy: Policy,
        limits: Limits,
        distrusted: Distrusted | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._matching = matching
        self._thresholds = Thresholds(matching)
        self._rules = Rules(
            evidence_s=matching.video_evidence_s,
            likeness=matching.video_likeness_percent / 100,
            bits=matching.video_bits,
            moments=matching.video_moments,
        )
        self._policy = policy
        self._max_matches = limits.max_matches
        self._distrusted = distrusted or Distrusted()
        self._now = now

    def watch(self) -> Watch:
        """A video of which nothing was seen yet."""
        return Watch(self._rules)

    def picture(
        self, query: Query, usable: Sequence[Fingerprint], hits: HitsByEntry, revision: str
    ) -> Verdict:
        """The verdict on an upload that is no video."""
        return self._verdict(
            query, usable, self._pictures(query, usable, hits), len(hits), revision
        )

    def video(
        self,
        query: Query,
        usable: Sequence[Fingerprint],
        watch: Watch,
        revision: str,
        *,
        is_last: bool = True,
    ) -> Verdict:
        """The verdict on a video, as far as it was seen; with `is_last` that is all of it."""
        judged = list(self._videos(query, watch, is_last=is_last))
        candidates = [candidate for _, _, candidate in judged]
        shared = shared_openings(candidates, self._rules, watch.alike)
        told = (
            (known, None if number in shared and match and not match.is_exact else match)
            for number, (known, match, _) in enumerate(judged)
        )
        verdict = self._verdict(query, usable, told, len(watch.candidates), revision)
        if shared and verdict.outcome is Outcome.NO_MATCH:
            return replace(verdict, detail=_SHARED_OPENING)
        return verdict

    def _verdict(
        self,
        query: Query,
        usable: Sequence[Fingerprint],
        judged: Judged,
        near: int,
        revision: str,
    ) -> Verdict:
        matches: list[Match] = []
        exemptions: list[Match] = []
        unread = near
        for number, (known, match) in enumerate(judged, 1):
            if match is not None:
                (exemptions if known.kind is ListKind.EXEMPTION else matches).append(match)
            unread = near - number
            if len(matches) >= self._max_matches:
                break
        else:
            unread = 0
        reason = None if matches else _undetermined(query, usable)
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

    def _entries(self, ranked: Sequence[int]) -> Iterator[tuple[int, KnownEntry]]:
        """Read entries, leaving out those that do not count."""
        for start in range(0, len(ranked), _ENTRIES_PER_READ):
            ids = ranked[start : start + _ENTRIES_PER_READ]
            known = self._store.known_entries(ids)
            for entry_id in ids:
                if entry_id in known and self._counts(known[entry_id]):
                    yield entry_id, known[entry_id]

    def _counts(self, known: KnownEntry) -> bool:
        """Tell whether an entry has neither expired nor is distrusted."""
        expire_time = known.entry.description.expire_time
        if expire_time is not None and expire_time <= self._now():
            return False
        return not self._distrusted.covers(known.entry)

    def _pictures(self, query: Query, usable: Sequence[Fingerprint], hits: HitsByEntry) -> Judged:
        asked_pdq = has_pdq(usable)
        ranked = sorted(hits, key=lambda entry_id: min(hit.rank for hit in hits[entry_id]))
        read: dict[bytes, Features] = {}
        for entry_id, known in self._entries(ranked):
            whole = [hit for hit in hits[entry_id] if not hit.fingerprint.algorithm.is_local]
            local = [hit for hit in hits[entry_id] if hit.fingerprint.algorithm.is_local]
            counting = self._speaking(known, whole, asked_pdq=asked_pdq) if whole else []
            found = self._found(entry_id, local, read) if local else None
            is_match = bool(counting) or found is not None
            yield known, self._match(query, known, counting, found=found) if is_match else None

    def _found(
        self, entry_id: int, hits: Sequence[Hit], read: dict[bytes, Features]
    ) -> Found | None:
        """The best of the known pictures that local features speak for, where it is evidence.

        `read` are the upload's features by their fingerprint's value.
        """
        known = self._store.known_features(entry_id)
        best: Found | None = None
        # Of an entry that was erased since it was looked up there are none.
        for hit in hits if known else ():
            value = hit.fingerprint.value
            if value not in read:
                read[value] = features.unpack(value)
            one = known[hit.ordinal]
            agreed = locate(features.unpack(one.value), read[value], self._matching.local_radius)
            if agreed is None or not agreed.is_evidence:
                continue
            if best is None or agreed.score > best.agreement.score:
                best = Found(agreed, hit.fingerprint, one)
        return best

    def _speaking(self, known: KnownEntry, hits: Sequence[Hit], *, asked_pdq: bool) -> list[Hit]:
        """Leave out hits of 64-bit hashes where PDQ was asked: they speak only where it cannot.

        And those of known PDQ values that are not good enough for the entry's list.
        """
        fingerprints = known.entry.fingerprints
        threshold = self._thresholds.of(known.entry.list_name)
        is_searchable = any(
            f.algorithm is Algorithm.PDQ and threshold.is_good(f.algorithm, f.quality)
            for f in fingerprints
        )
        good = [
            hit
            for hit in hits
            if threshold.is_good(hit.fingerprint.algorithm, fingerprints[hit.ordinal].quality)
        ]
        if has_pdq(fingerprints) and (asked_pdq or not is_searchable):
            return [hit for hit in good if hit.fingerprint.algorithm.bits != 64]
        return good

    def _videos(
        self, query: Query, watch: Watch, *, is_last: bool
    ) -> Iterator[tuple[KnownEntry, Match | None, Candidate]]:
        near = watch.candidates
        ranked = sorted(near, key=lambda i: (near[i].hits[0].rank[0], -len(near[i].ordinals)))
        # While the video comes in what was read once will do; at the end it is read anew.
        unread = [entry_id for entry_id in ranked if is_last or near[entry_id].entry is None]
        read = dict(self._entries(unread))
        for entry_id in ranked:
            candidate = near[entry_id]
            known = read.get(entry_id) if is_last else read.get(entry_id, candidate.entry)
            if known is None:
                continue
            candidate.entry = known
            if candidate.known is None and known.entry.media_type is MediaType.VIDEO:
                candidate.known = self._known(entry_id, known.entry.list_name)
            watch.align(candidate, is_last=is_last)
            yield known, self._video_match(query, watch, known, candidate), candidate

    def _known(self, entry_id: int, list_name: str) -> Known:
        least = self._thresholds.of(list_name).min_pdq_quality
        times_ms, codes = self._store.known_frames(entry_id, least)
        return Known(times_ms / 1000, codes)

    def _video_match(
        self, query: Query, watch: Watch, known: KnownEntry, candidate: Candidate
    ) -> Match | None:
        hits = self._speaking(known, candidate.hits, asked_pdq=bool(watch.seconds))
        digests = [hit for hit in hits if hit.fingerprint.algorithm.is_digest]
        if candidate.known is not None and len(candidate.known.times_s):
            if not digests and not candidate.segments:
                return None
            coverage = _coverage(watch, candidate.known, candidate.segments)
            # Of the very file the frames that are near are evidence too, whatever their order.
            near = [hit for hit in hits if hit.speaks] if digests else []
            return self._match(query, known, near, candidate.segments, coverage)
        # A known picture is not a clip: it must fill the upload, not flash by in it.
        share = 100 * len(candidate.seconds) / max(len(watch.seconds), 1)
        if watch.seconds and share < self._matching.video_share_percent:
            hits = digests
        hits = [hit for hit in hits if hit.speaks]
        return self._match(query, known, hits) if hits else None

    def _match(
        self,
        query: Query,
        known: KnownEntry,
        hits: Sequence[Hit],
        segments: Sequence[alignment.Segment] = (),
        coverage: Coverage | None = None,
        found: Found | None = None,
    ) -> Match:
        entry = known.entry
        best = sorted(hits, key=lambda hit: hit.rank)
        evidence = [_evidence(hit, entry.fingerprints) for hit in best]
        evidence += _pairs(segments)
        if found is not None:
            evidence.append(_located(found))
        sureness = self._sureness(best, segments, found)
        return Match(
            entry=entry.name,
            media_type=entry.media_type,
            description=entry.description,
            contributor=entry.contributor,
            algorithm=evidence[0].algorithm,
            variant=evidence[0].variant,
            confidence=sureness.confidence,
            confidence_basis=sureness.basis,
            evidence=tuple(evidence[:MOST_HITS]),
            coverage=coverage,
            segments=tuple(_told(segment) for segment in segments),
            names_contributor=known.names_contributors,
            canary_of=entry.canary_of,
            opinions=OpinionCounts.told(known.opinions, query.may_count),
        )

    def _sureness(
        self,
        hits: Sequence[Hit],
        segments: Sequence[alignment.Segment],
        found: Found | None,
    ) -> Sureness:
        """How sure a match is, by the best of its evidence."""
        sure = [confidence.of_hit(hit) for hit in hits]
        if segments:
            sure.append(confidence.of_segments(segments, self._rules))
        if found is not None:
            sure.append(confidence.of_agreement(found.agreement))
        return min(sure, key=lambda one: one.rank)


def _undetermined(query: Query, usable: Sequence[Fingerprint]) -> UndeterminedReason | None:
    if query.is_behind:
        return UndeterminedReason.INDEX_BEHIND
    if query.limitation is not None:
        return query.limitation
    asked_for = any(f.algorithm.is_of_whole for f in query.fingerprints)
    looked_up = any(f.algorithm.is_of_whole for f in usable)
    return UndeterminedReason.LOW_INFORMATION if asked_for and not looked_up else None


def _match_rank(match: Match) -> tuple[bool, float, float]:
    """Sort key, best first: the very file, then most seconds, then nearest."""
    ms = sum(segment.length_ms * (1 - (segment.likeness or 0)) for segment in match.segments)
    return not match.is_exact, -ms, match.evidence[0].distance


def _coverage(watch: Watch, known: Known, segments: Sequence[alignment.Segment]) -> Coverage:
    seen_s = max(watch.seen_ms / 1000, *(segment.upload_end_s for segment in segments), 1.0)
    total_s, known_s = math.ceil(seen_s), max(1, round(known.length_s + 0.5))
    upload = _covered_s((s.upload_start_s, s.upload_end_s) for s in segments)
    return Coverage(
        upload_matched_s=min(total_s, upload),
        upload_total_s=total_s,
        known_matched_s=min(
            known_s, _covered_s((s.known_start_s, s.known_end_s) for s in segments)
        ),
        known_total_s=known_s,
    )


def _covered_s(parts: Iterable[tuple[float, float]]) -> int:
    """Whole seconds that parts cover together."""
    return len({s for first, last in parts for s in range(int(first), math.ceil(last))})


def _told(segment: alignment.Segment) -> Segment:
    """A segment as the model has it."""
    return Segment(
        upload_start_ms=round(segment.upload_start_s * 1000),
        upload_end_ms=round(segment.upload_end_s * 1000),
        known_start_ms=round(segment.known_start_s * 1000),
        known_end_ms=round(segment.known_end_s * 1000),
        pace=segment.pace,
        distance=segment.distance,
        likeness=segment.likeness,
        variant=segment.variant,
    )


def _pairs(segments: Sequence[alignment.Segment]) -> list[Evidence]:
    """The frames of segments that are nearest to one another."""
    found = [
        Evidence(Algorithm.PDQ, bits, segment.variant, round(upload * 1000), round(known * 1000))
        for segment in segments
        for upload, known, bits in segment.pairs
    ]
    return sorted(found, key=lambda evidence: evidence.distance)[:MOST_HITS]


def _evidence(hit: Hit, known: Sequence[Fingerprint]) -> Evidence:
    return Evidence(
        algorithm=hit.fingerprint.algorithm,
        distance=hit.distance,
        variant=hit.fingerprint.variant,
        upload_time_ms=hit.fingerprint.time_ms,
        known_time_ms=known[hit.ordinal].time_ms,
    )


def _located(found: Found) -> Evidence:
    agreement = found.agreement
    return Evidence(
        algorithm=found.upload.algorithm,
        distance=round(agreement.mean_bits),
        variant=found.upload.variant,
        upload_time_ms=found.upload.time_ms,
        known_time_ms=found.known.time_ms,
        located=Located(agreement.count, agreement.corners, agreement.visible),
    )


_SHARED_OPENING = "shares only an opening or an ending that several known videos have"
_DETAILS: Mapping[UndeterminedReason, str] = {
    UndeterminedReason.LOW_INFORMATION: "not enough information for a perceptual hash to tell "
    "it from others; only digests were looked up",
    UndeterminedReason.UNREADABLE: "could not be decoded; only digests were looked up",
    UndeterminedReason.PARTLY_SEEN: "only a part could be decoded, and that part does not match",
    UndeterminedReason.INDEX_BEHIND: "the index has not reached the revision that was asked for",
}


def _detail(reason: UndeterminedReason | None, query: Query) -> str:
    if reason is None:
        return ""
    return query.detail if reason is query.limitation and query.detail else _DETAILS[reason]
