"""Checks and verdicts: proto messages to domain values and back."""

import time
from collections.abc import Iterable

from hashsvc.model import (
    ORIGINAL,
    Action,
    Algorithm,
    Confidence,
    Coverage,
    Description,
    Evidence,
    Fingerprint,
    Located,
    Match,
    MediaType,
    Outcome,
    Segment,
    Severity,
    UndeterminedReason,
    Verdict,
)
from hashsvc.translate import (
    ALGORITHM,
    BASIS,
    MEDIA_TYPE,
    SEVERITY,
    EnumMap,
    counts_from_proto,
    counts_to_proto,
    duration,
    fingerprint_to_proto,
    media_type_to_proto,
    milliseconds,
)
from hashsvc.v1 import match_service_pb2 as pb

_OUTCOME = EnumMap(Outcome, pb.Outcome)
_CONFIDENCE = EnumMap(Confidence, pb.Confidence)
_REASON = EnumMap(UndeterminedReason, pb.UndeterminedReason)
_ACTION = EnumMap(Action, pb.Action)


def check_request(
    media_type: MediaType,
    fingerprints: Iterable[Fingerprint],
    limitation: UndeterminedReason | None,
    min_revision: str,
) -> pb.CheckRequest:
    """Write a CheckRequest."""
    return pb.CheckRequest(
        media_type=media_type_to_proto(media_type),
        fingerprints=[fingerprint_to_proto(fingerprint) for fingerprint in fingerprints],
        limitation=limitation_to_proto(limitation),
        min_revision=min_revision,
    )


def limitation_to_proto(limitation: UndeterminedReason | None) -> pb.UndeterminedReason | None:
    """Write what a caller could not see."""
    return _REASON.to_proto[limitation] if limitation else None


def limitation_from_proto(number: int) -> UndeterminedReason | None:
    """Read what a caller could not see."""
    return _REASON.to_domain.get(number)


def verdict_to_proto(verdict: Verdict) -> pb.Verdict:
    """Write a verdict, made now."""
    message = pb.Verdict(
        outcome=_OUTCOME.to_proto[verdict.outcome],
        undetermined_reason=_REASON.to_proto[verdict.reason] if verdict.reason else None,
        detail=verdict.detail,
        action=_ACTION.to_proto[verdict.action],
        matches=[_match_to_proto(match) for match in verdict.matches],
        total_matches=verdict.total_matches,
        exemptions=[_match_to_proto(match) for match in verdict.exemptions],
        searched=[ALGORITHM.to_proto[algorithm] for algorithm in verdict.searched],
        revision=verdict.revision,
        held=sorted(ALGORITHM.to_proto[algorithm] for algorithm in verdict.held),
    )
    message.check_time.FromNanoseconds(time.time_ns())
    return message


def verdict_from_proto(message: pb.Verdict) -> Verdict:
    """Read a verdict; unknown enum values become the cautious ones."""
    return Verdict(
        outcome=_OUTCOME.to_domain.get(message.outcome, Outcome.UNDETERMINED),
        action=_ACTION.to_domain.get(message.action, Action.REVIEW),
        revision=message.revision,
        reason=_REASON.to_domain.get(message.undetermined_reason),
        detail=message.detail,
        matches=tuple(_match_from_proto(match) for match in message.matches),
        total_matches=message.total_matches,
        exemptions=tuple(_match_from_proto(match) for match in message.exemptions),
        searched=tuple(
            ALGORITHM.to_domain[number]
            for number in message.searched
            if number in ALGORITHM.to_domain
        ),
        held=frozenset(
            ALGORITHM.to_domain[number] for number in message.held if number in ALGORITHM.to_domain
        ),
    )


def _match_to_proto(match: Match) -> pb.Match:
    description = match.description
    message = pb.Match(
        entry=match.entry,
        list=match.list_name,
        media_type=media_type_to_proto(match.media_type),
        algorithm=ALGORITHM.to_proto[match.algorithm],
        distance=match.distance,
        variant=match.variant,
        confidence=_CONFIDENCE.to_proto[match.confidence],
        confidence_basis=match.confidence_basis,
        contradicted=match.contradicted,
        labels=description.labels,
        entities=description.entities,
        basis=BASIS.to_proto[description.basis] if description.basis else None,
        severity=SEVERITY.to_proto[description.severity],
        incident=description.incident,
        contributor=match.contributor,
        evidence=[_evidence_to_proto(evidence) for evidence in match.evidence],
        opinions=counts_to_proto(match.opinions),
        segments=[_segment_to_proto(segment) for segment in match.segments],
    )
    if coverage := match.coverage:
        message.coverage.CopyFrom(
            pb.Coverage(
                upload_matched_seconds=coverage.upload_matched_s,
                upload_total_seconds=coverage.upload_total_s,
                known_matched_seconds=coverage.known_matched_s,
                known_total_seconds=coverage.known_total_s,
                upload_percent=coverage.upload_percent,
                known_percent=coverage.known_percent,
            )
        )
    return message


def _match_from_proto(message: pb.Match) -> Match:
    coverage = message.coverage
    return Match(
        entry=message.entry,
        media_type=MEDIA_TYPE.to_domain.get(message.media_type, MediaType.IMAGE),
        description=Description(
            labels=tuple(message.labels),
            entities=tuple(message.entities),
            basis=BASIS.to_domain.get(message.basis),
            severity=SEVERITY.to_domain.get(message.severity, Severity.UNSPECIFIED),
            incident=message.incident,
        ),
        contributor=message.contributor,
        algorithm=ALGORITHM.to_domain.get(message.algorithm, Algorithm.PDQ),
        variant=message.variant or ORIGINAL,
        confidence=_CONFIDENCE.to_domain.get(message.confidence, Confidence.WEAK),
        confidence_basis=message.confidence_basis,
        contradicted=message.contradicted,
        evidence=tuple(
            _evidence_from_proto(evidence)
            for evidence in message.evidence
            if evidence.algorithm in ALGORITHM.to_domain
        ),
        coverage=Coverage(
            coverage.upload_matched_seconds,
            coverage.upload_total_seconds,
            coverage.known_matched_seconds,
            coverage.known_total_seconds,
        )
        if message.HasField("coverage")
        else None,
        opinions=counts_from_proto(message.opinions),
        segments=tuple(_segment_from_proto(segment) for segment in message.segments),
    )


def _segment_to_proto(segment: Segment) -> pb.Segment:
    message = pb.Segment(
        upload_start=duration(segment.upload_start_ms),
        upload_end=duration(segment.upload_end_ms),
        pace=segment.pace,
        mean_distance=segment.distance,
        likeness=segment.likeness,
        variant=segment.variant,
    )
    if segment.known_start_ms is not None and segment.known_end_ms is not None:
        message.known_start.CopyFrom(duration(segment.known_start_ms))
        message.known_end.CopyFrom(duration(segment.known_end_ms))
    return message


def _segment_from_proto(message: pb.Segment) -> Segment:
    start, end = message.known_start, message.known_end
    return Segment(
        milliseconds(message.upload_start),
        milliseconds(message.upload_end),
        known_start_ms=milliseconds(start) if message.HasField("known_start") else None,
        known_end_ms=milliseconds(end) if message.HasField("known_end") else None,
        pace=message.pace if message.HasField("pace") else None,
        distance=message.mean_distance if message.HasField("mean_distance") else None,
        likeness=message.likeness if message.HasField("likeness") else None,
        variant=message.variant or ORIGINAL,
    )


def _evidence_to_proto(evidence: Evidence) -> pb.Evidence:
    message = pb.Evidence(
        algorithm=ALGORITHM.to_proto[evidence.algorithm],
        distance=evidence.distance,
        variant=evidence.variant,
    )
    if evidence.upload_time_ms is not None:
        message.upload_time_offset.CopyFrom(duration(evidence.upload_time_ms))
    if evidence.known_time_ms is not None:
        message.known_time_offset.CopyFrom(duration(evidence.known_time_ms))
    if located := evidence.located:
        message.located.features = located.features
        message.located.visible_percent = 100 * located.visible
        for x, y in located.corners:
            message.located.corners.add(x=x, y=y)
    return message


def _evidence_from_proto(message: pb.Evidence) -> Evidence:
    upload, known = message.upload_time_offset, message.known_time_offset
    return Evidence(
        ALGORITHM.to_domain[message.algorithm],
        message.distance,
        variant=message.variant or ORIGINAL,
        upload_time_ms=milliseconds(upload) if message.HasField("upload_time_offset") else None,
        known_time_ms=milliseconds(known) if message.HasField("known_time_offset") else None,
        located=_located_from_proto(message.located) if message.HasField("located") else None,
    )


def _located_from_proto(message: pb.Located) -> Located:
    corners = tuple((corner.x, corner.y) for corner in message.corners)
    return Located(message.features, corners, message.visible_percent / 100)
