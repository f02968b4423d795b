import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Algorithm(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ALGORITHM_UNSPECIFIED: _ClassVar[Algorithm]
    ALGORITHM_SHA256: _ClassVar[Algorithm]
    ALGORITHM_MD5: _ClassVar[Algorithm]
    ALGORITHM_SHA1: _ClassVar[Algorithm]
    ALGORITHM_PDQ: _ClassVar[Algorithm]
    ALGORITHM_PHASH: _ClassVar[Algorithm]
    ALGORITHM_DHASH: _ClassVar[Algorithm]
    ALGORITHM_WHASH: _ClassVar[Algorithm]
    ALGORITHM_ORB: _ClassVar[Algorithm]

class Decoding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DECODING_UNSPECIFIED: _ClassVar[Decoding]
    DECODING_EXACT: _ClassVar[Decoding]
    DECODING_FAST: _ClassVar[Decoding]

class MediaType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MEDIA_TYPE_UNSPECIFIED: _ClassVar[MediaType]
    MEDIA_TYPE_IMAGE: _ClassVar[MediaType]
    MEDIA_TYPE_VIDEO: _ClassVar[MediaType]

class Basis(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BASIS_UNSPECIFIED: _ClassVar[Basis]
    BASIS_PLATFORM_MODERATION: _ClassVar[Basis]
    BASIS_TRUSTED_FLAGGER: _ClassVar[Basis]
    BASIS_GOVERNMENT_REFERRAL: _ClassVar[Basis]
    BASIS_REMOVAL_ORDER: _ClassVar[Basis]
    BASIS_COURT_ORDER: _ClassVar[Basis]
    BASIS_RESEARCH: _ClassVar[Basis]

class Severity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SEVERITY_UNSPECIFIED: _ClassVar[Severity]
    SEVERITY_LOW: _ClassVar[Severity]
    SEVERITY_MEDIUM: _ClassVar[Severity]
    SEVERITY_HIGH: _ClassVar[Severity]
    SEVERITY_CRITICAL: _ClassVar[Severity]

class ListKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LIST_KIND_UNSPECIFIED: _ClassVar[ListKind]
    LIST_KIND_KNOWN: _ClassVar[ListKind]
    LIST_KIND_EXEMPTION: _ClassVar[ListKind]
    LIST_KIND_FEEDBACK: _ClassVar[ListKind]

class OpinionKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OPINION_KIND_UNSPECIFIED: _ClassVar[OpinionKind]
    OPINION_KIND_CONFIRM: _ClassVar[OpinionKind]
    OPINION_KIND_DISPUTE: _ClassVar[OpinionKind]
    OPINION_KIND_OUT_OF_SCOPE: _ClassVar[OpinionKind]
    OPINION_KIND_SEEN: _ClassVar[OpinionKind]
    OPINION_KIND_PENDING: _ClassVar[OpinionKind]
ALGORITHM_UNSPECIFIED: Algorithm
ALGORITHM_SHA256: Algorithm
ALGORITHM_MD5: Algorithm
ALGORITHM_SHA1: Algorithm
ALGORITHM_PDQ: Algorithm
ALGORITHM_PHASH: Algorithm
ALGORITHM_DHASH: Algorithm
ALGORITHM_WHASH: Algorithm
ALGORITHM_ORB: Algorithm
DECODING_UNSPECIFIED: Decoding
DECODING_EXACT: Decoding
DECODING_FAST: Decoding
MEDIA_TYPE_UNSPECIFIED: MediaType
MEDIA_TYPE_IMAGE: MediaType
MEDIA_TYPE_VIDEO: MediaType
BASIS_UNSPECIFIED: Basis
BASIS_PLATFORM_MODERATION: Basis
BASIS_TRUSTED_FLAGGER: Basis
BASIS_GOVERNMENT_REFERRAL: Basis
BASIS_REMOVAL_ORDER: Basis
BASIS_COURT_ORDER: Basis
BASIS_RESEARCH: Basis
SEVERITY_UNSPECIFIED: Severity
SEVERITY_LOW: Severity
SEVERITY_MEDIUM: Severity
SEVERITY_HIGH: Severity
SEVERITY_CRITICAL: Severity
LIST_KIND_UNSPECIFIED: ListKind
LIST_KIND_KNOWN: ListKind
LIST_KIND_EXEMPTION: ListKind
LIST_KIND_FEEDBACK: ListKind
OPINION_KIND_UNSPECIFIED: OpinionKind
OPINION_KIND_CONFIRM: OpinionKind
OPINION_KIND_DISPUTE: OpinionKind
OPINION_KIND_OUT_OF_SCOPE: OpinionKind
OPINION_KIND_SEEN: OpinionKind
OPINION_KIND_PENDING: OpinionKind

class Fingerprint(_message.Message):
    __slots__ = ("algorithm", "value", "quality", "time_offset", "decoding", "variant")
    ALGORITHM_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    TIME_OFFSET_FIELD_NUMBER: _ClassVar[int]
    DECODING_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    algorithm: Algorithm
    value: bytes
    quality: int
    time_offset: _duration_pb2.Duration
    decoding: Decoding
    variant: str
    def __init__(self, algorithm: _Optional[_Union[Algorithm, str]] = ..., value: _Optional[bytes] = ..., quality: _Optional[int] = ..., time_offset: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., decoding: _Optional[_Union[Decoding, str]] = ..., variant: _Optional[str] = ...) -> None: ...

class HashList(_message.Message):
    __slots__ = ("name", "kind", "purpose", "size", "active_entries", "create_time", "readers", "names_contributors", "key", "local_features")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_ENTRIES_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    READERS_FIELD_NUMBER: _ClassVar[int]
    NAMES_CONTRIBUTORS_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    LOCAL_FEATURES_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: ListKind
    purpose: str
    size: int
    active_entries: int
    create_time: _timestamp_pb2.Timestamp
    readers: _containers.RepeatedScalarFieldContainer[str]
    names_contributors: bool
    key: str
    local_features: bool
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[_Union[ListKind, str]] = ..., purpose: _Optional[str] = ..., size: _Optional[int] = ..., active_entries: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., readers: _Optional[_Iterable[str]] = ..., names_contributors: bool = ..., key: _Optional[str] = ..., local_features: bool = ...) -> None: ...

class Entry(_message.Message):
    __slots__ = ("name", "media_type", "fingerprints", "labels", "entities", "basis", "severity", "incident", "expire_time", "note", "contributor", "create_time", "update_time", "withdraw_time", "withdraw_reason", "canary_of", "opinions", "distrusted", "erased")
    NAME_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINTS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    ENTITIES_FIELD_NUMBER: _ClassVar[int]
    BASIS_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    INCIDENT_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTOR_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    WITHDRAW_TIME_FIELD_NUMBER: _ClassVar[int]
    WITHDRAW_REASON_FIELD_NUMBER: _ClassVar[int]
    CANARY_OF_FIELD_NUMBER: _ClassVar[int]
    OPINIONS_FIELD_NUMBER: _ClassVar[int]
    DISTRUSTED_FIELD_NUMBER: _ClassVar[int]
    ERASED_FIELD_NUMBER: _ClassVar[int]
    name: str
    media_type: MediaType
    fingerprints: _containers.RepeatedCompositeFieldContainer[Fingerprint]
    labels: _containers.RepeatedScalarFieldContainer[str]
    entities: _containers.RepeatedScalarFieldContainer[str]
    basis: Basis
    severity: Severity
    incident: str
    expire_time: _timestamp_pb2.Timestamp
    note: str
    contributor: str
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    withdraw_time: _timestamp_pb2.Timestamp
    withdraw_reason: str
    canary_of: str
    opinions: OpinionCounts
    distrusted: bool
    erased: bool
    def __init__(self, name: _Optional[str] = ..., media_type: _Optional[_Union[MediaType, str]] = ..., fingerprints: _Optional[_Iterable[_Union[Fingerprint, _Mapping]]] = ..., labels: _Optional[_Iterable[str]] = ..., entities: _Optional[_Iterable[str]] = ..., basis: _Optional[_Union[Basis, str]] = ..., severity: _Optional[_Union[Severity, str]] = ..., incident: _Optional[str] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., note: _Optional[str] = ..., contributor: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., withdraw_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., withdraw_reason: _Optional[str] = ..., canary_of: _Optional[str] = ..., opinions: _Optional[_Union[OpinionCounts, _Mapping]] = ..., distrusted: bool = ..., erased: bool = ...) -> None: ...

class Opinion(_message.Message):
    __slots__ = ("entry", "partner", "opinion", "reason", "time")
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    PARTNER_FIELD_NUMBER: _ClassVar[int]
    OPINION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    entry: str
    partner: str
    opinion: OpinionKind
    reason: str
    time: _timestamp_pb2.Timestamp
    def __init__(self, entry: _Optional[str] = ..., partner: _Optional[str] = ..., opinion: _Optional[_Union[OpinionKind, str]] = ..., reason: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class OpinionCounts(_message.Message):
    __slots__ = ("confirm", "dispute", "out_of_scope", "seen", "pending")
    CONFIRM_FIELD_NUMBER: _ClassVar[int]
    DISPUTE_FIELD_NUMBER: _ClassVar[int]
    OUT_OF_SCOPE_FIELD_NUMBER: _ClassVar[int]
    SEEN_FIELD_NUMBER: _ClassVar[int]
    PENDING_FIELD_NUMBER: _ClassVar[int]
    confirm: int
    dispute: int
    out_of_scope: int
    seen: int
    pending: int
    def __init__(self, confirm: _Optional[int] = ..., dispute: _Optional[int] = ..., out_of_scope: _Optional[int] = ..., seen: _Optional[int] = ..., pending: _Optional[int] = ...) -> None: ...
