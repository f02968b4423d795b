import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FollowState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FOLLOW_STATE_UNSPECIFIED: _ClassVar[FollowState]
    FOLLOW_STATE_PAUSED: _ClassVar[FollowState]
    FOLLOW_STATE_CONNECTING: _ClassVar[FollowState]
    FOLLOW_STATE_CATCHING_UP: _ClassVar[FollowState]
    FOLLOW_STATE_LIVE: _ClassVar[FollowState]
    FOLLOW_STATE_WAITING: _ClassVar[FollowState]
    FOLLOW_STATE_REFUSED: _ClassVar[FollowState]
    FOLLOW_STATE_OFFLINE: _ClassVar[FollowState]
FOLLOW_STATE_UNSPECIFIED: FollowState
FOLLOW_STATE_PAUSED: FollowState
FOLLOW_STATE_CONNECTING: FollowState
FOLLOW_STATE_CATCHING_UP: FollowState
FOLLOW_STATE_LIVE: FollowState
FOLLOW_STATE_WAITING: FollowState
FOLLOW_STATE_REFUSED: FollowState
FOLLOW_STATE_OFFLINE: FollowState

class Selection(_message.Message):
    __slots__ = ("labels", "entities", "bases", "incidents")
    LABELS_FIELD_NUMBER: _ClassVar[int]
    ENTITIES_FIELD_NUMBER: _ClassVar[int]
    BASES_FIELD_NUMBER: _ClassVar[int]
    INCIDENTS_FIELD_NUMBER: _ClassVar[int]
    labels: _containers.RepeatedScalarFieldContainer[str]
    entities: _containers.RepeatedScalarFieldContainer[str]
    bases: _containers.RepeatedScalarFieldContainer[str]
    incidents: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, labels: _Optional[_Iterable[str]] = ..., entities: _Optional[_Iterable[str]] = ..., bases: _Optional[_Iterable[str]] = ..., incidents: _Optional[_Iterable[str]] = ...) -> None: ...

class FollowRequest(_message.Message):
    __slots__ = ("list", "size", "selection", "to_head")
    LIST_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    SELECTION_FIELD_NUMBER: _ClassVar[int]
    TO_HEAD_FIELD_NUMBER: _ClassVar[int]
    list: str
    size: int
    selection: Selection
    to_head: bool
    def __init__(self, list: _Optional[str] = ..., size: _Optional[int] = ..., selection: _Optional[_Union[Selection, _Mapping]] = ..., to_head: bool = ...) -> None: ...

class FollowResponse(_message.Message):
    __slots__ = ("started", "leaves", "signed", "ahead", "heartbeat", "rotated")
    STARTED_FIELD_NUMBER: _ClassVar[int]
    LEAVES_FIELD_NUMBER: _ClassVar[int]
    SIGNED_FIELD_NUMBER: _ClassVar[int]
    AHEAD_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    ROTATED_FIELD_NUMBER: _ClassVar[int]
    started: Started
    leaves: Leaves
    signed: Signed
    ahead: Ahead
    heartbeat: Heartbeat
    rotated: Rotated
    def __init__(self, started: _Optional[_Union[Started, _Mapping]] = ..., leaves: _Optional[_Union[Leaves, _Mapping]] = ..., signed: _Optional[_Union[Signed, _Mapping]] = ..., ahead: _Optional[_Union[Ahead, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ..., rotated: _Optional[_Union[Rotated, _Mapping]] = ...) -> None: ...

class Started(_message.Message):
    __slots__ = ("head", "first_key", "rotations", "is_home")
    HEAD_FIELD_NUMBER: _ClassVar[int]
    FIRST_KEY_FIELD_NUMBER: _ClassVar[int]
    ROTATIONS_FIELD_NUMBER: _ClassVar[int]
    IS_HOME_FIELD_NUMBER: _ClassVar[int]
    head: bytes
    first_key: str
    rotations: _containers.RepeatedScalarFieldContainer[str]
    is_home: bool
    def __init__(self, head: _Optional[bytes] = ..., first_key: _Optional[str] = ..., rotations: _Optional[_Iterable[str]] = ..., is_home: bool = ...) -> None: ...

class Leaves(_message.Message):
    __slots__ = ("first", "leaves")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    LEAVES_FIELD_NUMBER: _ClassVar[int]
    first: int
    leaves: _containers.RepeatedCompositeFieldContainer[Leaf]
    def __init__(self, first: _Optional[int] = ..., leaves: _Optional[_Iterable[_Union[Leaf, _Mapping]]] = ...) -> None: ...

class Leaf(_message.Message):
    __slots__ = ("body", "salt", "hash")
    BODY_FIELD_NUMBER: _ClassVar[int]
    SALT_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    body: bytes
    salt: bytes
    hash: bytes
    def __init__(self, body: _Optional[bytes] = ..., salt: _Optional[bytes] = ..., hash: _Optional[bytes] = ...) -> None: ...

class Signed(_message.Message):
    __slots__ = ("note", "head_size")
    NOTE_FIELD_NUMBER: _ClassVar[int]
    HEAD_SIZE_FIELD_NUMBER: _ClassVar[int]
    note: bytes
    head_size: int
    def __init__(self, note: _Optional[bytes] = ..., head_size: _Optional[int] = ...) -> None: ...

class Ahead(_message.Message):
    __slots__ = ("place", "body", "salt", "note", "proof")
    PLACE_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    SALT_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    place: int
    body: bytes
    salt: bytes
    note: bytes
    proof: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, place: _Optional[int] = ..., body: _Optional[bytes] = ..., salt: _Optional[bytes] = ..., note: _Optional[bytes] = ..., proof: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("head_size",)
    HEAD_SIZE_FIELD_NUMBER: _ClassVar[int]
    head_size: int
    def __init__(self, head_size: _Optional[int] = ...) -> None: ...

class Rotated(_message.Message):
    __slots__ = ("statement",)
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    statement: str
    def __init__(self, statement: _Optional[str] = ...) -> None: ...

class GetCheckpointRequest(_message.Message):
    __slots__ = ("list",)
    LIST_FIELD_NUMBER: _ClassVar[int]
    list: str
    def __init__(self, list: _Optional[str] = ...) -> None: ...

class GetCheckpointResponse(_message.Message):
    __slots__ = ("note", "cosigned", "first_key", "rotations")
    NOTE_FIELD_NUMBER: _ClassVar[int]
    COSIGNED_FIELD_NUMBER: _ClassVar[int]
    FIRST_KEY_FIELD_NUMBER: _ClassVar[int]
    ROTATIONS_FIELD_NUMBER: _ClassVar[int]
    note: bytes
    cosigned: _containers.RepeatedScalarFieldContainer[bytes]
    first_key: str
    rotations: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, note: _Optional[bytes] = ..., cosigned: _Optional[_Iterable[bytes]] = ..., first_key: _Optional[str] = ..., rotations: _Optional[_Iterable[str]] = ...) -> None: ...

class GetInclusionProofRequest(_message.Message):
    __slots__ = ("list", "place")
    LIST_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    list: str
    place: int
    def __init__(self, list: _Optional[str] = ..., place: _Optional[int] = ...) -> None: ...

class GetInclusionProofResponse(_message.Message):
    __slots__ = ("note", "leaf", "proof", "first_key", "rotations")
    NOTE_FIELD_NUMBER: _ClassVar[int]
    LEAF_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    FIRST_KEY_FIELD_NUMBER: _ClassVar[int]
    ROTATIONS_FIELD_NUMBER: _ClassVar[int]
    note: bytes
    leaf: Leaf
    proof: _containers.RepeatedScalarFieldContainer[bytes]
    first_key: str
    rotations: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, note: _Optional[bytes] = ..., leaf: _Optional[_Union[Leaf, _Mapping]] = ..., proof: _Optional[_Iterable[bytes]] = ..., first_key: _Optional[str] = ..., rotations: _Optional[_Iterable[str]] = ...) -> None: ...

class GetConsistencyProofRequest(_message.Message):
    __slots__ = ("list", "old_size", "new_size")
    LIST_FIELD_NUMBER: _ClassVar[int]
    OLD_SIZE_FIELD_NUMBER: _ClassVar[int]
    NEW_SIZE_FIELD_NUMBER: _ClassVar[int]
    list: str
    old_size: int
    new_size: int
    def __init__(self, list: _Optional[str] = ..., old_size: _Optional[int] = ..., new_size: _Optional[int] = ...) -> None: ...

class GetConsistencyProofResponse(_message.Message):
    __slots__ = ("proof",)
    PROOF_FIELD_NUMBER: _ClassVar[int]
    proof: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, proof: _Optional[_Iterable[bytes]] = ...) -> None: ...

class AddCosignatureRequest(_message.Message):
    __slots__ = ("list", "note", "witness")
    LIST_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    WITNESS_FIELD_NUMBER: _ClassVar[int]
    list: str
    note: bytes
    witness: str
    def __init__(self, list: _Optional[str] = ..., note: _Optional[bytes] = ..., witness: _Optional[str] = ...) -> None: ...

class AddCosignatureResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Subscription(_message.Message):
    __slots__ = ("list", "source", "key", "selection", "state", "size", "head_size", "ahead", "verify_time", "detail", "alarms", "paused")
    LIST_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    SELECTION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    HEAD_SIZE_FIELD_NUMBER: _ClassVar[int]
    AHEAD_FIELD_NUMBER: _ClassVar[int]
    VERIFY_TIME_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    ALARMS_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    list: str
    source: str
    key: str
    selection: Selection
    state: FollowState
    size: int
    head_size: int
    ahead: int
    verify_time: _timestamp_pb2.Timestamp
    detail: str
    alarms: _containers.RepeatedCompositeFieldContainer[Alarm]
    paused: bool
    def __init__(self, list: _Optional[str] = ..., source: _Optional[str] = ..., key: _Optional[str] = ..., selection: _Optional[_Union[Selection, _Mapping]] = ..., state: _Optional[_Union[FollowState, str]] = ..., size: _Optional[int] = ..., head_size: _Optional[int] = ..., ahead: _Optional[int] = ..., verify_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., detail: _Optional[str] = ..., alarms: _Optional[_Iterable[_Union[Alarm, _Mapping]]] = ..., paused: bool = ...) -> None: ...

class Alarm(_message.Message):
    __slots__ = ("reason", "held", "offered", "source", "time")
    REASON_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    OFFERED_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    reason: str
    held: bytes
    offered: bytes
    source: str
    time: _timestamp_pb2.Timestamp
    def __init__(self, reason: _Optional[str] = ..., held: _Optional[bytes] = ..., offered: _Optional[bytes] = ..., source: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
