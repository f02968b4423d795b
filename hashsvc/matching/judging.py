"""Judging: what is near an upload, to a verdict. Reads the store for what is near, and no more."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from hashsvc import features
from hashsvc.config import Limits, Matching, Policy
from hashsvc.features import Features
from hashsvc.lists.distrusted import Distrusted
from hashsvc.matching import alignment, confidence, evidence, second_look, sightings
from hashsvc.matching import policy as policies
from hashsvc.matching.alignment import Known, Rules
from hashsvc.matching.confidence import Sureness
from hashsvc.matching.located import locate
from hashsvc.matching.openings import shared_openings
from hashsvc.matching.query import Hit, HitsByEntry, Query, has_pdq
from hashsvc.matching.second_look import SecondLook
from hashsvc.matching.sightings import Found
from hashsvc.matching.thresholds import Thresholds
from hashsvc.matching.watch import MOST_HITS, Candidate, Watch
from hashsvc.model import (
    Algorithm,
    Fingerprint,
    KnownEntry,
    ListKind,
    LocalFeatures,
    Match,
    MediaType,
    OpinionCounts,
    Outcome,
    UndeterminedReason,
    Verdict,
)
from hashsvc.store.store import Store

_ENTRIES_PER_READ = 200
_ALGORITHMS = tuple(Algorithm)

Judged = Iterator[tuple[KnownEntry, Match | None]]
"""Entries that are near, best first, each with its match if there is enough for one."""


class Judge:
    """Makes verdicts. Safe to call from many threads."""

    def __init__(
        self,
        store: Store,
        *,
        matching: Matching,
        thresholds: Thresholds,
        policy: Policy,
        limits: Limits,
        distrusted: Distrusted | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._matching = matching
        self._thresholds = thresholds
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
        second = SecondLook(self._asked_again(query))
        for entry_id, known in self._entries(ranked):
            whole = [hit for hit in hits[entry_id] if not hit.fingerprint.algorithm.is_local]
            local = [hit for hit in hits[entry_id] if hit.fingerprint.algorithm.is_local]
            counting = self._speaking(known, whole, asked_pdq=asked_pdq) if whole else []
            again = second.pairs(known.entry, counting)
            theirs = self._store.known_features(entry_id) if again or local else []
            radius = second_look.RADIUS if again else self._matching.local_radius
            seen = self._located(theirs, again or local, read, radius)
            found = [one for one in seen if one.agreement.is_evidence]
            if counting or found:
                contradicted = bool(again) and second_look.contradicts(theirs, seen)
                yield (
                    known,
                    self._match(query, known, counting, found=found[:1], contradicted=contradicted),
                )
            else:
                yield known, None

    def _asked_again(self, query: Query) -> list[Fingerprint]:
        """The local features that hashes of the whole get a second look by."""
        if self._matching.local_features is LocalFeatures.NEVER:
            return []
        return [fingerprint for fingerprint in query.fingerprints if fingerprint.algorithm.is_local]

    def _located(
        self,
        known: Sequence[Fingerprint],
        hits: Sequence[Hit],
        read: dict[bytes, Features],
        radius: int,
    ) -> list[Found]:
        """Where an entry's local features agree on a place, be it evidence or not, surest first.

        `read` are the upload's features by their fingerprint's value, `radius` is as in `locate`.
        """
        found: list[Found] = []
        # Of an entry that was erased since it was looked up there are none.
        for hit in hits if known else ():
            value = hit.fingerprint.value
            if value not in read:
                read[value] = features.unpack(value)
            one = known[hit.ordinal]
            agreed = locate(features.unpack(one.value), read[value], radius)
            if agreed is not None:
                upload, known_one = replace(hit.fingerprint, value=b""), replace(one, value=b"")
                found.append(Found(agreed, upload, known_one, hit.ordinal))
        return sorted(found, key=lambda one: -one.agreement.score)

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
        ranked = sorted(near, key=lambda i: (not near[i].is_exact, -len(near[i].ordinals)))
        # While the video comes in what was read once will do; at the end it is read anew.
        unread = [entry_id for entry_id in ranked if is_last or near[entry_id].entry is None]
        read = dict(self._entries(unread))
        uploaded: dict[bytes, Features] = {}
        for entry_id in ranked:
            candidate = near[entry_id]
            known = read.get(entry_id) if is_last else read.get(entry_id, candidate.entry)
            if known is None:
                continue
            candidate.entry = known
            if candidate.known is None and known.entry.media_type is MediaType.VIDEO:
                candidate.known = self._known(entry_id, known.entry.list_name)
            local = watch.to_locate(candidate)
            if local:
                theirs = self._store.known_features(entry_id)
                seen = self._located(theirs, local, uploaded, self._matching.local_radius)
                watch.see(entry_id, [one for one in seen if one.agreement.is_evidence])
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
        if candidate.known is not None and (len(candidate.known.times_s) or candidate.series):
            if not digests and not candidate.is_certain:
                return None
            # Of the very file the frames that are near are evidence too, whatever their order.
            near = [hit for hit in hits if hit.speaks] if digests else []
            matched = self._match(query, known, near, candidate.segments, candidate.series)
            if not matched.segments and not digests:
                return matched
            told = evidence.coverage(watch, candidate.known, matched.segments)
            return replace(matched, coverage=told)
        # A known picture is not a clip: it must fill the upload, not flash by in it.
        share = 100 * len(candidate.seconds) / max(len(watch.seconds), 1)
        if watch.seconds and share < self._matching.video_share_percent:
            hits = digests
        hits = [hit for hit in hits if hit.speaks]
        is_located = self._is_located(watch, candidate)
        found = [moment.best for moment in candidate.sightings] if is_located else []
        return self._match(query, known, hits, found=found) if hits or found else None

    def _is_located(self, watch: Watch, candidate: Candidate) -> bool:
        """Whether a known picture was located all through a video."""
        moments = candidate.moments
        share = 100 * len(moments) / max(len(watch.local_ms), 1)
        return (
            len(moments) >= sightings.LEAST_MOMENTS
            and max(moments) - min(moments) >= sightings.APART_MS
            and share >= self._matching.video_share_percent
        )

    def _match(
        self,
        query: Query,
        known: KnownEntry,
        hits: Sequence[Hit],
        segments: Sequence[alignment.Segment] = (),
        found: Sequence[Found] = (),
        *,
        contradicted: bool = False,
    ) -> Match:
        """A match; of a known video `found` is in the order of the upload."""
        entry = known.entry
        best = sorted(hits, key=lambda hit: hit.rank)
        pieces = [evidence.of_hit(hit, entry.fingerprints) for hit in best]
        pieces += evidence.pairs(segments)
        surest = sorted(found, key=lambda one: -one.agreement.score)
        pieces += [evidence.of_found(one) for one in surest]
        sureness = (
            confidence.contradicted(best[0])
            if contradicted
            else self._sureness(best, segments, found)
        )
        told = [evidence.told(segment) for segment in segments]
        if not told and entry.media_type is MediaType.VIDEO:
            told = evidence.located(found)
        return Match(
            entry=entry.name,
            media_type=entry.media_type,
            description=entry.description,
            contributor=entry.contributor,
            algorithm=pieces[0].algorithm,
            variant=pieces[0].variant,
            confidence=sureness.confidence,
            confidence_basis=sureness.basis,
            evidence=tuple(pieces[:MOST_HITS]),
            segments=tuple(told),
            names_contributor=known.names_contributors,
            canary_of=entry.canary_of,
            opinions=OpinionCounts.told(known.opinions, query.may_count),
            contradicted=contradicted,
        )

    def _sureness(
        self,
        hits: Sequence[Hit],
        segments: Sequence[alignment.Segment],
        found: Sequence[Found],
    ) -> Sureness:
        """How sure a match is, by the best of its evidence."""
        sure = [confidence.of_hit(hit) for hit in hits]
        if segments:
            sure.append(confidence.of_segments(segments, self._rules))
        if found:
            sure.append(confidence.of_agreements([one.agreement for one in found]))
        return min(sure, key=lambda one: one.rank)


def _undetermined(query: Query, usable: Sequence[Fingerprint]) -> UndeterminedReason | None:
    if query.is_behind:
        return UndeterminedReason.INDEX_BEHIND
    if query.limitation is not None:
        return query.limitation
    if query.fingerprints and not usable:
        return UndeterminedReason.LOW_INFORMATION
    asked_for = any(f.algorithm.is_of_whole for f in query.fingerprints)
    looked_up = any(f.algorithm.is_of_whole for f in usable)
    return UndeterminedReason.LOW_INFORMATION if asked_for and not looked_up else None


def _match_rank(match: Match) -> tuple[bool, bool, float, bool, float]:
    """Sort key, best first: the very file, what is contradicted last, then most seconds, hashes of
    the whole, then nearest."""
    ms = sum(segment.length_ms * (1 - (segment.likeness or 0)) for segment in match.segments)
    best = match.evidence[0]
    is_part = best.algorithm.is_local
    return not match.is_exact, match.contradicted, -ms, is_part, best.distance


_SHARED_OPENING = "shares only an opening or an ending that several known videos have"
_DETAILS: Mapping[UndeterminedReason, str] = {
    UndeterminedReason.LOW_INFORMATION: "not enough information for a hash of the whole to "
    "tell it from others, and nothing else that was looked up is known",
    UndeterminedReason.UNREADABLE: "could not be decoded; only digests were looked up",
    UndeterminedReason.PARTLY_SEEN: "only a part could be decoded, and that part does not match",
    UndeterminedReason.INDEX_BEHIND: "the index has not reached the revision that was asked for",
}


def _detail(reason: UndeterminedReason | None, query: Query) -> str:
    if reason is None:
        return ""
    return query.detail if reason is query.limitation and query.detail else _DETAILS[reason]
