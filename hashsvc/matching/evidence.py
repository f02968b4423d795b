"""What a match rests on: evidence, segments and coverage, as the model has them. No I/O."""

import math
from collections.abc import Iterable, Sequence

from hashsvc.matching import alignment
from hashsvc.matching.alignment import Known
from hashsvc.matching.query import Hit
from hashsvc.matching.sightings import Found, runs
from hashsvc.matching.watch import MOST_HITS, Watch
from hashsvc.model import (
    ORIGINAL,
    Algorithm,
    Coverage,
    Evidence,
    Fingerprint,
    Located,
    Segment,
)


def coverage(watch: Watch, known: Known, segments: Sequence[Segment]) -> Coverage:
    """How much of an upload, as far as it was seen, and of a known video is in segments."""
    ends_s = (segment.upload_end_ms / 1000 for segment in segments)
    seen_s = max(watch.seen_ms / 1000, *ends_s, 1.0)
    total_s, known_s = math.ceil(seen_s), max(1, round(known.length_s + 0.5))
    upload = _covered_s((s.upload_start_ms, s.upload_end_ms) for s in segments)
    theirs = _covered_s((s.known_start_ms or 0, s.known_end_ms or 0) for s in segments)
    return Coverage(
        upload_matched_s=min(total_s, upload),
        upload_total_s=total_s,
        known_matched_s=min(known_s, theirs),
        known_total_s=known_s,
    )


def _covered_s(parts: Iterable[tuple[int, int]]) -> int:
    """Whole seconds that parts, in milliseconds, cover together."""
    return len({s for first, last in parts for s in range(first // 1000, math.ceil(last / 1000))})


def told(segment: alignment.Segment) -> Segment:
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


def located(series: Sequence[Found]) -> list[Segment]:
    """The parts of an upload through which the frames of a known video were located."""
    return [
        Segment(
            upload_start_ms=run[0].upload_ms,
            upload_end_ms=run[-1].upload_ms,
            known_start_ms=run[0].known_ms,
            known_end_ms=run[-1].known_ms,
            pace=(run[-1].known_ms - run[0].known_ms) / (run[-1].upload_ms - run[0].upload_ms),
            distance=sum(one.agreement.mean_bits for one in run) / len(run),
            variant=ORIGINAL,
        )
        for run in runs(series)
    ]


def pairs(segments: Sequence[alignment.Segment]) -> list[Evidence]:
    """The frames of segments that are nearest to one another."""
    found = [
        Evidence(Algorithm.PDQ, bits, segment.variant, round(upload * 1000), round(known * 1000))
        for segment in segments
        for upload, known, bits in segment.pairs
    ]
    return sorted(found, key=lambda evidence: evidence.distance)[:MOST_HITS]


def of_hit(hit: Hit, known: Sequence[Fingerprint]) -> Evidence:
    """A hit, with the fingerprints of the known entry."""
    return Evidence(
        algorithm=hit.fingerprint.algorithm,
        distance=hit.distance,
        variant=hit.fingerprint.variant,
        upload_time_ms=hit.fingerprint.time_ms,
        known_time_ms=known[hit.ordinal].time_ms,
    )


def of_found(found: Found) -> Evidence:
    """A known picture or frame that was located."""
    agreement = found.agreement
    return Evidence(
        algorithm=found.upload.algorithm,
        distance=round(agreement.mean_bits),
        variant=found.upload.variant,
        upload_time_ms=found.upload.time_ms,
        known_time_ms=found.known.time_ms,
        located=Located(agreement.count, agreement.corners, agreement.visible),
    )
