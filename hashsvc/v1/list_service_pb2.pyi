import datetime

from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from hashsvc.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateListRequest(_message.Message):
    __slots__ = ("request_id", "list")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    list: _types_pb2.HashList
    def __init__(self, request_id: _Optional[str] = ..., list: _Optional[_Union[_types_pb2.HashList, _Mapping]] = ...) -> None: ...

class CreateListResponse(_message.Message):
    __slots__ = ("list", "revision")
    LIST_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    list: _types_pb2.HashList
    revision: str
    def __init__(self, list: _Optional[_Union[_types_pb2.HashList, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...

class UpdateListRequest(_message.Message):
    __slots__ = ("request_id", "list", "update_mask")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    list: _types_pb2.HashList
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, request_id: _Optional[str] = ..., list: _Optional[_Union[_types_pb2.HashList, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class UpdateListResponse(_message.Message):
    __slots__ = ("list", "revision")
    LIST_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    list: _types_pb2.HashList
    revision: str
    def __init__(self, list: _Optional[_Union[_types_pb2.HashList, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...

class RotateKeyRequest(_message.Message):
    __slots__ = ("request_id", "list")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    list: str
    def __init__(self, request_id: _Optional[str] = ..., list: _Optional[str] = ...) -> None: ...

class RotateKeyResponse(_message.Message):
    __slots__ = ("list", "revision")
    LIST_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    list: _types_pb2.HashList
    revision: str
    def __init__(self, list: _Optional[_Union[_types_pb2.HashList, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...

class GetListRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetListResponse(_message.Message):
    __slots__ = ("list", "revision")
    LIST_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    list: _types_pb2.HashList
    revision: str
    def __init__(self, list: _Optional[_Union[_types_pb2.HashList, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...

class ListListsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListListsResponse(_message.Message):
    __slots__ = ("lists", "next_page_token", "revision")
    LISTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    lists: _containers.RepeatedCompositeFieldContainer[_types_pb2.HashList]
    next_page_token: str
    revision: str
    def __init__(self, lists: _Optional[_Iterable[_Union[_types_pb2.HashList, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., revision: _Optional[str] = ...) -> None: ...

class AddEntriesRequest(_message.Message):
    __slots__ = ("request_id", "list", "entries")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    list: str
    entries: _containers.RepeatedCompositeFieldContainer[_types_pb2.Entry]
    def __init__(self, request_id: _Optional[str] = ..., list: _Optional[str] = ..., entries: _Optional[_Iterable[_Union[_types_pb2.Entry, _Mapping]]] = ...) -> None: ...

class AddedEntry(_message.Message):
    __slots__ = ("name", "already_present", "matchable")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ALREADY_PRESENT_FIELD_NUMBER: _ClassVar[int]
    MATCHABLE_FIELD_NUMBER: _ClassVar[int]
    name: str
    already_present: bool
    matchable: bool
    def __init__(self, name: _Optional[str] = ..., already_present: bool = ..., matchable: bool = ...) -> None: ...

class AddEntriesResponse(_message.Message):
    __slots__ = ("request_id", "entries", "revision")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    entries: _containers.RepeatedCompositeFieldContainer[AddedEntry]
    revision: str
    def __init__(self, request_id: _Optional[str] = ..., entries: _Optional[_Iterable[_Union[AddedEntry, _Mapping]]] = ..., revision: _Optional[str] = ...) -> None: ...

class AmendEntryRequest(_message.Message):
    __slots__ = ("request_id", "entry", "update_mask")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    entry: _types_pb2.Entry
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, request_id: _Optional[str] = ..., entry: _Optional[_Union[_types_pb2.Entry, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class AmendEntryResponse(_message.Message):
    __slots__ = ("entry", "revision")
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    entry: _types_pb2.Entry
    revision: str
    def __init__(self, entry: _Optional[_Union[_types_pb2.Entry, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...

class WithdrawEntryRequest(_message.Message):
    __slots__ = ("request_id", "name", "reason")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    name: str
    reason: str
    def __init__(self, request_id: _Optional[str] = ..., name: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class WithdrawEntryResponse(_message.Message):
    __slots__ = ("entry", "revision")
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    entry: _types_pb2.Entry
    revision: str
    def __init__(self, entry: _Optional[_Union[_types_pb2.Entry, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...

class EraseEntryRequest(_message.Message):
    __slots__ = ("request_id", "name", "reason")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    name: str
    reason: str
    def __init__(self, request_id: _Optional[str] = ..., name: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class EraseEntryResponse(_message.Message):
    __slots__ = ("entry", "revision")
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    entry: _types_pb2.Entry
    revision: str
    def __init__(self, entry: _Optional[_Union[_types_pb2.Entry, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...

class PlantCanariesRequest(_message.Message):
    __slots__ = ("request_id", "list", "partner", "count")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    PARTNER_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    list: str
    partner: str
    count: int
    def __init__(self, request_id: _Optional[str] = ..., list: _Optional[str] = ..., partner: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class PlantCanariesResponse(_message.Message):
    __slots__ = ("entries", "revision")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedScalarFieldContainer[str]
    revision: str
    def __init__(self, entries: _Optional[_Iterable[str]] = ..., revision: _Optional[str] = ...) -> None: ...

class GetEntryRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetEntryResponse(_message.Message):
    __slots__ = ("entry", "revision")
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    entry: _types_pb2.Entry
    revision: str
    def __init__(self, entry: _Optional[_Union[_types_pb2.Entry, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...

class ListEntriesRequest(_message.Message):
    __slots__ = ("list", "page_size", "page_token", "show_withdrawn", "show_fingerprints", "only_canaries")
    LIST_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SHOW_WITHDRAWN_FIELD_NUMBER: _ClassVar[int]
    SHOW_FINGERPRINTS_FIELD_NUMBER: _ClassVar[int]
    ONLY_CANARIES_FIELD_NUMBER: _ClassVar[int]
    list: str
    page_size: int
    page_token: str
    show_withdrawn: bool
    show_fingerprints: bool
    only_canaries: bool
    def __init__(self, list: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., show_withdrawn: bool = ..., show_fingerprints: bool = ..., only_canaries: bool = ...) -> None: ...

class ListEntriesResponse(_message.Message):
    __slots__ = ("entries", "next_page_token", "revision")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[_types_pb2.Entry]
    next_page_token: str
    revision: str
    def __init__(self, entries: _Optional[_Iterable[_Union[_types_pb2.Entry, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., revision: _Optional[str] = ...) -> None: ...

class GiveOpinionRequest(_message.Message):
    __slots__ = ("request_id", "entry", "opinion", "reason", "partner")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    OPINION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PARTNER_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    entry: str
    opinion: _types_pb2.OpinionKind
    reason: str
    partner: str
    def __init__(self, request_id: _Optional[str] = ..., entry: _Optional[str] = ..., opinion: _Optional[_Union[_types_pb2.OpinionKind, str]] = ..., reason: _Optional[str] = ..., partner: _Optional[str] = ...) -> None: ...

class GiveOpinionResponse(_message.Message):
    __slots__ = ("opinion", "revision")
    OPINION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    opinion: _types_pb2.Opinion
    revision: str
    def __init__(self, opinion: _Optional[_Union[_types_pb2.Opinion, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...

class ListOpinionsRequest(_message.Message):
    __slots__ = ("list", "entry", "page_size", "page_token", "show_history")
    LIST_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SHOW_HISTORY_FIELD_NUMBER: _ClassVar[int]
    list: str
    entry: str
    page_size: int
    page_token: str
    show_history: bool
    def __init__(self, list: _Optional[str] = ..., entry: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., show_history: bool = ...) -> None: ...

class ListOpinionsResponse(_message.Message):
    __slots__ = ("opinions", "next_page_token", "revision")
    OPINIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    opinions: _containers.RepeatedCompositeFieldContainer[_types_pb2.Opinion]
    next_page_token: str
    revision: str
    def __init__(self, opinions: _Optional[_Iterable[_Union[_types_pb2.Opinion, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., revision: _Optional[str] = ...) -> None: ...

class Incident(_message.Message):
    __slots__ = ("list", "incident", "title", "open_time", "conclude_time")
    LIST_FIELD_NUMBER: _ClassVar[int]
    INCIDENT_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    OPEN_TIME_FIELD_NUMBER: _ClassVar[int]
    CONCLUDE_TIME_FIELD_NUMBER: _ClassVar[int]
    list: str
    incident: str
    title: str
    open_time: _timestamp_pb2.Timestamp
    conclude_time: _timestamp_pb2.Timestamp
    def __init__(self, list: _Optional[str] = ..., incident: _Optional[str] = ..., title: _Optional[str] = ..., open_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., conclude_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class OpenIncidentRequest(_message.Message):
    __slots__ = ("request_id", "list", "incident", "title")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    INCIDENT_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    list: str
    incident: str
    title: str
    def __init__(self, request_id: _Optional[str] = ..., list: _Optional[str] = ..., incident: _Optional[str] = ..., title: _Optional[str] = ...) -> None: ...

class OpenIncidentResponse(_message.Message):
    __slots__ = ("incident", "revision")
    INCIDENT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    incident: Incident
    revision: str
    def __init__(self, incident: _Optional[_Union[Incident, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...

class ConcludeIncidentRequest(_message.Message):
    __slots__ = ("request_id", "list", "incident")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    INCIDENT_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    list: str
    incident: str
    def __init__(self, request_id: _Optional[str] = ..., list: _Optional[str] = ..., incident: _Optional[str] = ...) -> None: ...

class ConcludeIncidentResponse(_message.Message):
    __slots__ = ("incident", "revision")
    INCIDENT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    incident: Incident
    revision: str
    def __init__(self, incident: _Optional[_Union[Incident, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...

class ListIncidentsRequest(_message.Message):
    __slots__ = ("list", "page_size", "page_token")
    LIST_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    list: str
    page_size: int
    page_token: str
    def __init__(self, list: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListIncidentsResponse(_message.Message):
    __slots__ = ("incidents", "next_page_token", "revision")
    INCIDENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    incidents: _containers.RepeatedCompositeFieldContainer[Incident]
    next_page_token: str
    revision: str
    def __init__(self, incidents: _Optional[_Iterable[_Union[Incident, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., revision: _Optional[str] = ...) -> None: ...
