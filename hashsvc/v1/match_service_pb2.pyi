import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from hashsvc.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    OUTCOME_NO_MATCH: _ClassVar[Outcome]
    OUTCOME_MATCH: _ClassVar[Outcome]
    OUTCOME_UNDETERMINED: _ClassVar[Outcome]

class UndeterminedReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UNDETERMINED_REASON_UNSPECIFIED: _ClassVar[UndeterminedReason]
    UNDETERMINED_REASON_LOW_INFORMATION: _ClassVar[UndeterminedReason]
    UNDETERMINED_REASON_UNREADABLE: _ClassVar[UndeterminedReason]
    UNDETERMINED_REASON_PARTLY_SEEN: _ClassVar[UndeterminedReason]
    UNDETERMINED_REASON_INDEX_BEHIND: _ClassVar[UndeterminedReason]

class Action(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACTION_UNSPECIFIED: _ClassVar[Action]
    ACTION_ALLOW: _ClassVar[Action]
    ACTION_LOG: _ClassVar[Action]
    ACTION_REVIEW: _ClassVar[Action]
    ACTION_BLOCK: _ClassVar[Action]

class Confidence(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONFIDENCE_UNSPECIFIED: _ClassVar[Confidence]
    CONFIDENCE_EXACT: _ClassVar[Confidence]
    CONFIDENCE_NEAR_CERTAIN: _ClassVar[Confidence]
    CONFIDENCE_LIKELY: _ClassVar[Confidence]
    CONFIDENCE_WEAK: _ClassVar[Confidence]
OUTCOME_UNSPECIFIED: Outcome
OUTCOME_NO_MATCH: Outcome
OUTCOME_MATCH: Outcome
OUTCOME_UNDETERMINED: Outcome
UNDETERMINED_REASON_UNSPECIFIED: UndeterminedReason
UNDETERMINED_REASON_LOW_INFORMATION: UndeterminedReason
UNDETERMINED_REASON_UNREADABLE: UndeterminedReason
UNDETERMINED_REASON_PARTLY_SEEN: UndeterminedReason
UNDETERMINED_REASON_INDEX_BEHIND: UndeterminedReason
ACTION_UNSPECIFIED: Action
ACTION_ALLOW: Action
ACTION_LOG: Action
ACTION_REVIEW: Action
ACTION_BLOCK: Action
CONFIDENCE_UNSPECIFIED: Confidence
CONFIDENCE_EXACT: Confidence
CONFIDENCE_NEAR_CERTAIN: Confidence
CONFIDENCE_LIKELY: Confidence
CONFIDENCE_WEAK: Confidence

class Evidence(_message.Message):
    __slots__ = ("algorithm", "distance", "variant", "upload_time_offset", "known_time_offset", "located")
    ALGORITHM_FIELD_NUMBER: _ClassVar[int]
    DISTANCE_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    UPLOAD_TIME_OFFSET_FIELD_NUMBER: _ClassVar[int]
    KNOWN_TIME_OFFSET_FIELD_NUMBER: _ClassVar[int]
    LOCATED_FIELD_NUMBER: _ClassVar[int]
    algorithm: _types_pb2.Algorithm
    distance: int
    variant: str
    upload_time_offset: _duration_pb2.Duration
    known_time_offset: _duration_pb2.Duration
    located: Located
    def __init__(self, algorithm: _Optional[_Union[_types_pb2.Algorithm, str]] = ..., distance: _Optional[int] = ..., variant: _Optional[str] = ..., upload_time_offset: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., known_time_offset: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., located: _Optional[_Union[Located, _Mapping]] = ...) -> None: ...

class Located(_message.Message):
    __slots__ = ("features", "corners", "visible_percent")
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    CORNERS_FIELD_NUMBER: _ClassVar[int]
    VISIBLE_PERCENT_FIELD_NUMBER: _ClassVar[int]
    features: int
    corners: _containers.RepeatedCompositeFieldContainer[Corner]
    visible_percent: float
    def __init__(self, features: _Optional[int] = ..., corners: _Optional[_Iterable[_Union[Corner, _Mapping]]] = ..., visible_percent: _Optional[float] = ...) -> None: ...

class Corner(_message.Message):
    __slots__ = ("x", "y")
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    x: float
    y: float
    def __init__(self, x: _Optional[float] = ..., y: _Optional[float] = ...) -> None: ...

class Coverage(_message.Message):
    __slots__ = ("upload_matched_seconds", "upload_total_seconds", "known_matched_seconds", "known_total_seconds", "upload_percent", "known_percent")
    UPLOAD_MATCHED_SECONDS_FIELD_NUMBER: _ClassVar[int]
    UPLOAD_TOTAL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    KNOWN_MATCHED_SECONDS_FIELD_NUMBER: _ClassVar[int]
    KNOWN_TOTAL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    UPLOAD_PERCENT_FIELD_NUMBER: _ClassVar[int]
    KNOWN_PERCENT_FIELD_NUMBER: _ClassVar[int]
    upload_matched_seconds: int
    upload_total_seconds: int
    known_matched_seconds: int
    known_total_seconds: int
    upload_percent: float
    known_percent: float
    def __init__(self, upload_matched_seconds: _Optional[int] = ..., upload_total_seconds: _Optional[int] = ..., known_matched_seconds: _Optional[int] = ..., known_total_seconds: _Optional[int] = ..., upload_percent: _Optional[float] = ..., known_percent: _Optional[float] = ...) -> None: ...

class Segment(_message.Message):
    __slots__ = ("upload_start", "upload_end", "known_start", "known_end", "pace", "mean_distance", "likeness", "variant")
    UPLOAD_START_FIELD_NUMBER: _ClassVar[int]
    UPLOAD_END_FIELD_NUMBER: _ClassVar[int]
    KNOWN_START_FIELD_NUMBER: _ClassVar[int]
    KNOWN_END_FIELD_NUMBER: _ClassVar[int]
    PACE_FIELD_NUMBER: _ClassVar[int]
    MEAN_DISTANCE_FIELD_NUMBER: _ClassVar[int]
    LIKENESS_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    upload_start: _duration_pb2.Duration
    upload_end: _duration_pb2.Duration
    known_start: _duration_pb2.Duration
    known_end: _duration_pb2.Duration
    pace: float
    mean_distance: float
    likeness: float
    variant: str
    def __init__(self, upload_start: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., upload_end: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., known_start: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., known_end: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., pace: _Optional[float] = ..., mean_distance: _Optional[float] = ..., likeness: _Optional[float] = ..., variant: _Optional[str] = ...) -> None: ...

class Match(_message.Message):
    __slots__ = ("entry", "list", "media_type", "algorithm", "distance", "variant", "labels", "entities", "basis", "severity", "incident", "contributor", "evidence", "coverage", "confidence", "opinions", "segments", "confidence_basis", "contradicted")
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    ALGORITHM_FIELD_NUMBER: _ClassVar[int]
    DISTANCE_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    ENTITIES_FIELD_NUMBER: _ClassVar[int]
    BASIS_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    INCIDENT_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTOR_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    OPINIONS_FIELD_NUMBER: _ClassVar[int]
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_BASIS_FIELD_NUMBER: _ClassVar[int]
    CONTRADICTED_FIELD_NUMBER: _ClassVar[int]
    entry: str
    list: str
    media_type: _types_pb2.MediaType
    algorithm: _types_pb2.Algorithm
    distance: int
    variant: str
    labels: _containers.RepeatedScalarFieldContainer[str]
    entities: _containers.RepeatedScalarFieldContainer[str]
    basis: _types_pb2.Basis
    severity: _types_pb2.Severity
    incident: str
    contributor: str
    evidence: _containers.RepeatedCompositeFieldContainer[Evidence]
    coverage: Coverage
    confidence: Confidence
    opinions: _types_pb2.OpinionCounts
    segments: _containers.RepeatedCompositeFieldContainer[Segment]
    confidence_basis: str
    contradicted: bool
    def __init__(self, entry: _Optional[str] = ..., list: _Optional[str] = ..., media_type: _Optional[_Union[_types_pb2.MediaType, str]] = ..., algorithm: _Optional[_Union[_types_pb2.Algorithm, str]] = ..., distance: _Optional[int] = ..., variant: _Optional[str] = ..., labels: _Optional[_Iterable[str]] = ..., entities: _Optional[_Iterable[str]] = ..., basis: _Optional[_Union[_types_pb2.Basis, str]] = ..., severity: _Optional[_Union[_types_pb2.Severity, str]] = ..., incident: _Optional[str] = ..., contributor: _Optional[str] = ..., evidence: _Optional[_Iterable[_Union[Evidence, _Mapping]]] = ..., coverage: _Optional[_Union[Coverage, _Mapping]] = ..., confidence: _Optional[_Union[Confidence, str]] = ..., opinions: _Optional[_Union[_types_pb2.OpinionCounts, _Mapping]] = ..., segments: _Optional[_Iterable[_Union[Segment, _Mapping]]] = ..., confidence_basis: _Optional[str] = ..., contradicted: bool = ...) -> None: ...

class Verdict(_message.Message):
    __slots__ = ("outcome", "undetermined_reason", "detail", "action", "matches", "total_matches", "exemptions", "searched", "revision", "check_time", "held")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    UNDETERMINED_REASON_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    MATCHES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_MATCHES_FIELD_NUMBER: _ClassVar[int]
    EXEMPTIONS_FIELD_NUMBER: _ClassVar[int]
    SEARCHED_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    CHECK_TIME_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    outcome: Outcome
    undetermined_reason: UndeterminedReason
    detail: str
    action: Action
    matches: _containers.RepeatedCompositeFieldContainer[Match]
    total_matches: int
    exemptions: _containers.RepeatedCompositeFieldContainer[Match]
    searched: _containers.RepeatedScalarFieldContainer[_types_pb2.Algorithm]
    revision: str
    check_time: _timestamp_pb2.Timestamp
    held: _containers.RepeatedScalarFieldContainer[_types_pb2.Algorithm]
    def __init__(self, outcome: _Optional[_Union[Outcome, str]] = ..., undetermined_reason: _Optional[_Union[UndeterminedReason, str]] = ..., detail: _Optional[str] = ..., action: _Optional[_Union[Action, str]] = ..., matches: _Optional[_Iterable[_Union[Match, _Mapping]]] = ..., total_matches: _Optional[int] = ..., exemptions: _Optional[_Iterable[_Union[Match, _Mapping]]] = ..., searched: _Optional[_Iterable[_Union[_types_pb2.Algorithm, str]]] = ..., revision: _Optional[str] = ..., check_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., held: _Optional[_Iterable[_Union[_types_pb2.Algorithm, str]]] = ...) -> None: ...

class CheckRequest(_message.Message):
    __slots__ = ("media_type", "fingerprints", "limitation", "min_revision")
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINTS_FIELD_NUMBER: _ClassVar[int]
    LIMITATION_FIELD_NUMBER: _ClassVar[int]
    MIN_REVISION_FIELD_NUMBER: _ClassVar[int]
    media_type: _types_pb2.MediaType
    fingerprints: _containers.RepeatedCompositeFieldContainer[_types_pb2.Fingerprint]
    limitation: UndeterminedReason
    min_revision: str
    def __init__(self, media_type: _Optional[_Union[_types_pb2.MediaType, str]] = ..., fingerprints: _Optional[_Iterable[_Union[_types_pb2.Fingerprint, _Mapping]]] = ..., limitation: _Optional[_Union[UndeterminedReason, str]] = ..., min_revision: _Optional[str] = ...) -> None: ...

class CheckResponse(_message.Message):
    __slots__ = ("verdict",)
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    verdict: Verdict
    def __init__(self, verdict: _Optional[_Union[Verdict, _Mapping]] = ...) -> None: ...

class CheckMediaOptions(_message.Message):
    __slots__ = ("min_revision",)
    MIN_REVISION_FIELD_NUMBER: _ClassVar[int]
    min_revision: str
    def __init__(self, min_revision: _Optional[str] = ...) -> None: ...

class CheckMediaRequest(_message.Message):
    __slots__ = ("options", "chunk")
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    options: CheckMediaOptions
    chunk: bytes
    def __init__(self, options: _Optional[_Union[CheckMediaOptions, _Mapping]] = ..., chunk: _Optional[bytes] = ...) -> None: ...

class CheckMediaResponse(_message.Message):
    __slots__ = ("verdict", "media_type")
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    verdict: Verdict
    media_type: _types_pb2.MediaType
    def __init__(self, verdict: _Optional[_Union[Verdict, _Mapping]] = ..., media_type: _Optional[_Union[_types_pb2.MediaType, str]] = ...) -> None: ...

class CheckVideoOptions(_message.Message):
    __slots__ = ("min_revision",)
    MIN_REVISION_FIELD_NUMBER: _ClassVar[int]
    min_revision: str
    def __init__(self, min_revision: _Optional[str] = ...) -> None: ...

class VideoFrames(_message.Message):
    __slots__ = ("fingerprints", "seen_through")
    FINGERPRINTS_FIELD_NUMBER: _ClassVar[int]
    SEEN_THROUGH_FIELD_NUMBER: _ClassVar[int]
    fingerprints: _containers.RepeatedCompositeFieldContainer[_types_pb2.Fingerprint]
    seen_through: _duration_pb2.Duration
    def __init__(self, fingerprints: _Optional[_Iterable[_Union[_types_pb2.Fingerprint, _Mapping]]] = ..., seen_through: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class VideoEnd(_message.Message):
    __slots__ = ("digests", "limitation", "detail", "seen_through")
    DIGESTS_FIELD_NUMBER: _ClassVar[int]
    LIMITATION_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    SEEN_THROUGH_FIELD_NUMBER: _ClassVar[int]
    digests: _containers.RepeatedCompositeFieldContainer[_types_pb2.Fingerprint]
    limitation: UndeterminedReason
    detail: str
    seen_through: _duration_pb2.Duration
    def __init__(self, digests: _Optional[_Iterable[_Union[_types_pb2.Fingerprint, _Mapping]]] = ..., limitation: _Optional[_Union[UndeterminedReason, str]] = ..., detail: _Optional[str] = ..., seen_through: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class CheckVideoRequest(_message.Message):
    __slots__ = ("options", "chunk", "frames", "end")
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    options: CheckVideoOptions
    chunk: bytes
    frames: VideoFrames
    end: VideoEnd
    def __init__(self, options: _Optional[_Union[CheckVideoOptions, _Mapping]] = ..., chunk: _Optional[bytes] = ..., frames: _Optional[_Union[VideoFrames, _Mapping]] = ..., end: _Optional[_Union[VideoEnd, _Mapping]] = ...) -> None: ...

class TimeSpan(_message.Message):
    __slots__ = ("start", "end")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    start: _duration_pb2.Duration
    end: _duration_pb2.Duration
    def __init__(self, start: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., end: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class CheckVideoResponse(_message.Message):
    __slots__ = ("verdict", "is_certain", "is_final", "seen_through", "frames", "look_closer", "is_progressive")
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    IS_CERTAIN_FIELD_NUMBER: _ClassVar[int]
    IS_FINAL_FIELD_NUMBER: _ClassVar[int]
    SEEN_THROUGH_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    LOOK_CLOSER_FIELD_NUMBER: _ClassVar[int]
    IS_PROGRESSIVE_FIELD_NUMBER: _ClassVar[int]
    verdict: Verdict
    is_certain: bool
    is_final: bool
    seen_through: _duration_pb2.Duration
    frames: int
    look_closer: _containers.RepeatedCompositeFieldContainer[TimeSpan]
    is_progressive: bool
    def __init__(self, verdict: _Optional[_Union[Verdict, _Mapping]] = ..., is_certain: bool = ..., is_final: bool = ..., seen_through: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., frames: _Optional[int] = ..., look_closer: _Optional[_Iterable[_Union[TimeSpan, _Mapping]]] = ..., is_progressive: bool = ...) -> None: ...

class CheckBatchRequest(_message.Message):
    __slots__ = ("checks",)
    CHECKS_FIELD_NUMBER: _ClassVar[int]
    checks: _containers.RepeatedCompositeFieldContainer[CheckRequest]
    def __init__(self, checks: _Optional[_Iterable[_Union[CheckRequest, _Mapping]]] = ...) -> None: ...

class CheckResult(_message.Message):
    __slots__ = ("verdict", "error")
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    verdict: Verdict
    error: _status_pb2.Status
    def __init__(self, verdict: _Optional[_Union[Verdict, _Mapping]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class CheckBatchResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[CheckResult]
    def __init__(self, results: _Optional[_Iterable[_Union[CheckResult, _Mapping]]] = ...) -> None: ...
