import datetime

from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from hashsvc.v1 import sync_service_pb2 as _sync_service_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CredentialKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CREDENTIAL_KIND_UNSPECIFIED: _ClassVar[CredentialKind]
    CREDENTIAL_KIND_API_KEY: _ClassVar[CredentialKind]
    CREDENTIAL_KIND_CERTIFICATE: _ClassVar[CredentialKind]
CREDENTIAL_KIND_UNSPECIFIED: CredentialKind
CREDENTIAL_KIND_API_KEY: CredentialKind
CREDENTIAL_KIND_CERTIFICATE: CredentialKind

class Partner(_message.Message):
    __slots__ = ("id", "name", "grants", "suspended", "create_time")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    GRANTS_FIELD_NUMBER: _ClassVar[int]
    SUSPENDED_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    grants: _containers.RepeatedScalarFieldContainer[str]
    suspended: bool
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., grants: _Optional[_Iterable[str]] = ..., suspended: bool = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Credential(_message.Message):
    __slots__ = ("id", "partner", "kind", "label", "create_time", "expire_time", "revoke_time")
    ID_FIELD_NUMBER: _ClassVar[int]
    PARTNER_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    REVOKE_TIME_FIELD_NUMBER: _ClassVar[int]
    id: str
    partner: str
    kind: CredentialKind
    label: str
    create_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    revoke_time: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., partner: _Optional[str] = ..., kind: _Optional[_Union[CredentialKind, str]] = ..., label: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., revoke_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CreatePartnerRequest(_message.Message):
    __slots__ = ("partner",)
    PARTNER_FIELD_NUMBER: _ClassVar[int]
    partner: Partner
    def __init__(self, partner: _Optional[_Union[Partner, _Mapping]] = ...) -> None: ...

class CreatePartnerResponse(_message.Message):
    __slots__ = ("partner",)
    PARTNER_FIELD_NUMBER: _ClassVar[int]
    partner: Partner
    def __init__(self, partner: _Optional[_Union[Partner, _Mapping]] = ...) -> None: ...

class UpdatePartnerRequest(_message.Message):
    __slots__ = ("partner", "update_mask")
    PARTNER_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    partner: Partner
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, partner: _Optional[_Union[Partner, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class UpdatePartnerResponse(_message.Message):
    __slots__ = ("partner",)
    PARTNER_FIELD_NUMBER: _ClassVar[int]
    partner: Partner
    def __init__(self, partner: _Optional[_Union[Partner, _Mapping]] = ...) -> None: ...

class ListPartnersRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListPartnersResponse(_message.Message):
    __slots__ = ("partners",)
    PARTNERS_FIELD_NUMBER: _ClassVar[int]
    partners: _containers.RepeatedCompositeFieldContainer[Partner]
    def __init__(self, partners: _Optional[_Iterable[_Union[Partner, _Mapping]]] = ...) -> None: ...

class CreateApiKeyRequest(_message.Message):
    __slots__ = ("partner", "label", "expire_time")
    PARTNER_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    partner: str
    label: str
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, partner: _Optional[str] = ..., label: _Optional[str] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CreateApiKeyResponse(_message.Message):
    __slots__ = ("credential", "api_key")
    CREDENTIAL_FIELD_NUMBER: _ClassVar[int]
    API_KEY_FIELD_NUMBER: _ClassVar[int]
    credential: Credential
    api_key: str
    def __init__(self, credential: _Optional[_Union[Credential, _Mapping]] = ..., api_key: _Optional[str] = ...) -> None: ...

class AddCertificateRequest(_message.Message):
    __slots__ = ("partner", "label", "expire_time", "certificate")
    PARTNER_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    partner: str
    label: str
    expire_time: _timestamp_pb2.Timestamp
    certificate: str
    def __init__(self, partner: _Optional[str] = ..., label: _Optional[str] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., certificate: _Optional[str] = ...) -> None: ...

class AddCertificateResponse(_message.Message):
    __slots__ = ("credential",)
    CREDENTIAL_FIELD_NUMBER: _ClassVar[int]
    credential: Credential
    def __init__(self, credential: _Optional[_Union[Credential, _Mapping]] = ...) -> None: ...

class RevokeCredentialRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class RevokeCredentialResponse(_message.Message):
    __slots__ = ("credential",)
    CREDENTIAL_FIELD_NUMBER: _ClassVar[int]
    credential: Credential
    def __init__(self, credential: _Optional[_Union[Credential, _Mapping]] = ...) -> None: ...

class ListCredentialsRequest(_message.Message):
    __slots__ = ("partner",)
    PARTNER_FIELD_NUMBER: _ClassVar[int]
    partner: str
    def __init__(self, partner: _Optional[str] = ...) -> None: ...

class ListCredentialsResponse(_message.Message):
    __slots__ = ("credentials",)
    CREDENTIALS_FIELD_NUMBER: _ClassVar[int]
    credentials: _containers.RepeatedCompositeFieldContainer[Credential]
    def __init__(self, credentials: _Optional[_Iterable[_Union[Credential, _Mapping]]] = ...) -> None: ...

class ListAuditRecordsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListAuditRecordsResponse(_message.Message):
    __slots__ = ("records", "next_page_token", "size", "root", "signed_head", "verifier_key")
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    SIGNED_HEAD_FIELD_NUMBER: _ClassVar[int]
    VERIFIER_KEY_FIELD_NUMBER: _ClassVar[int]
    records: _containers.RepeatedScalarFieldContainer[bytes]
    next_page_token: str
    size: int
    root: bytes
    signed_head: bytes
    verifier_key: str
    def __init__(self, records: _Optional[_Iterable[bytes]] = ..., next_page_token: _Optional[str] = ..., size: _Optional[int] = ..., root: _Optional[bytes] = ..., signed_head: _Optional[bytes] = ..., verifier_key: _Optional[str] = ...) -> None: ...

class PutSubscriptionRequest(_message.Message):
    __slots__ = ("subscription",)
    SUBSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    subscription: _sync_service_pb2.Subscription
    def __init__(self, subscription: _Optional[_Union[_sync_service_pb2.Subscription, _Mapping]] = ...) -> None: ...

class PutSubscriptionResponse(_message.Message):
    __slots__ = ("subscription",)
    SUBSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    subscription: _sync_service_pb2.Subscription
    def __init__(self, subscription: _Optional[_Union[_sync_service_pb2.Subscription, _Mapping]] = ...) -> None: ...

class DeleteSubscriptionRequest(_message.Message):
    __slots__ = ("list",)
    LIST_FIELD_NUMBER: _ClassVar[int]
    list: str
    def __init__(self, list: _Optional[str] = ...) -> None: ...

class DeleteSubscriptionResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListSubscriptionsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListSubscriptionsResponse(_message.Message):
    __slots__ = ("subscriptions",)
    SUBSCRIPTIONS_FIELD_NUMBER: _ClassVar[int]
    subscriptions: _containers.RepeatedCompositeFieldContainer[_sync_service_pb2.Subscription]
    def __init__(self, subscriptions: _Optional[_Iterable[_Union[_sync_service_pb2.Subscription, _Mapping]]] = ...) -> None: ...

class AcceptAlarmsRequest(_message.Message):
    __slots__ = ("list",)
    LIST_FIELD_NUMBER: _ClassVar[int]
    list: str
    def __init__(self, list: _Optional[str] = ...) -> None: ...

class AcceptAlarmsResponse(_message.Message):
    __slots__ = ("subscription",)
    SUBSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    subscription: _sync_service_pb2.Subscription
    def __init__(self, subscription: _Optional[_Union[_sync_service_pb2.Subscription, _Mapping]] = ...) -> None: ...

class ImportBundleRequest(_message.Message):
    __slots__ = ("start", "message")
    START_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    start: BundleStart
    message: _sync_service_pb2.FollowResponse
    def __init__(self, start: _Optional[_Union[BundleStart, _Mapping]] = ..., message: _Optional[_Union[_sync_service_pb2.FollowResponse, _Mapping]] = ...) -> None: ...

class BundleStart(_message.Message):
    __slots__ = ("list", "key", "size")
    LIST_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    list: str
    key: str
    size: int
    def __init__(self, list: _Optional[str] = ..., key: _Optional[str] = ..., size: _Optional[int] = ...) -> None: ...

class ImportBundleResponse(_message.Message):
    __slots__ = ("subscription", "added", "bundle_size")
    SUBSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    ADDED_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_SIZE_FIELD_NUMBER: _ClassVar[int]
    subscription: _sync_service_pb2.Subscription
    added: int
    bundle_size: int
    def __init__(self, subscription: _Optional[_Union[_sync_service_pb2.Subscription, _Mapping]] = ..., added: _Optional[int] = ..., bundle_size: _Optional[int] = ...) -> None: ...

class DistrustedEntries(_message.Message):
    __slots__ = ("id", "list", "contributor", "since_sequence", "reason", "place", "create_time", "undo_time")
    ID_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTOR_FIELD_NUMBER: _ClassVar[int]
    SINCE_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UNDO_TIME_FIELD_NUMBER: _ClassVar[int]
    id: int
    list: str
    contributor: str
    since_sequence: int
    reason: str
    place: int
    create_time: _timestamp_pb2.Timestamp
    undo_time: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[int] = ..., list: _Optional[str] = ..., contributor: _Optional[str] = ..., since_sequence: _Optional[int] = ..., reason: _Optional[str] = ..., place: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., undo_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class DistrustPreview(_message.Message):
    __slots__ = ("list", "entries", "since_sequence", "kept_here")
    LIST_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    SINCE_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    KEPT_HERE_FIELD_NUMBER: _ClassVar[int]
    list: str
    entries: int
    since_sequence: int
    kept_here: bool
    def __init__(self, list: _Optional[str] = ..., entries: _Optional[int] = ..., since_sequence: _Optional[int] = ..., kept_here: bool = ...) -> None: ...

class PreviewDistrustRequest(_message.Message):
    __slots__ = ("partner", "since", "list")
    PARTNER_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    partner: str
    since: _timestamp_pb2.Timestamp
    list: str
    def __init__(self, partner: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., list: _Optional[str] = ...) -> None: ...

class PreviewDistrustResponse(_message.Message):
    __slots__ = ("lists", "plan")
    LISTS_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    lists: _containers.RepeatedCompositeFieldContainer[DistrustPreview]
    plan: str
    def __init__(self, lists: _Optional[_Iterable[_Union[DistrustPreview, _Mapping]]] = ..., plan: _Optional[str] = ...) -> None: ...

class DistrustRequest(_message.Message):
    __slots__ = ("plan", "partner", "since", "list", "reason", "suspend")
    PLAN_FIELD_NUMBER: _ClassVar[int]
    PARTNER_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SUSPEND_FIELD_NUMBER: _ClassVar[int]
    plan: str
    partner: str
    since: _timestamp_pb2.Timestamp
    list: str
    reason: str
    suspend: bool
    def __init__(self, plan: _Optional[str] = ..., partner: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., list: _Optional[str] = ..., reason: _Optional[str] = ..., suspend: bool = ...) -> None: ...

class DistrustResponse(_message.Message):
    __slots__ = ("distrusts",)
    DISTRUSTS_FIELD_NUMBER: _ClassVar[int]
    distrusts: _containers.RepeatedCompositeFieldContainer[DistrustedEntries]
    def __init__(self, distrusts: _Optional[_Iterable[_Union[DistrustedEntries, _Mapping]]] = ...) -> None: ...

class RestoreTrustRequest(_message.Message):
    __slots__ = ("id", "partner", "reason", "resume")
    ID_FIELD_NUMBER: _ClassVar[int]
    PARTNER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RESUME_FIELD_NUMBER: _ClassVar[int]
    id: int
    partner: str
    reason: str
    resume: bool
    def __init__(self, id: _Optional[int] = ..., partner: _Optional[str] = ..., reason: _Optional[str] = ..., resume: bool = ...) -> None: ...

class RestoreTrustResponse(_message.Message):
    __slots__ = ("distrusts",)
    DISTRUSTS_FIELD_NUMBER: _ClassVar[int]
    distrusts: _containers.RepeatedCompositeFieldContainer[DistrustedEntries]
    def __init__(self, distrusts: _Optional[_Iterable[_Union[DistrustedEntries, _Mapping]]] = ...) -> None: ...

class ListDistrustsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "partner", "show_undone")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    PARTNER_FIELD_NUMBER: _ClassVar[int]
    SHOW_UNDONE_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    partner: str
    show_undone: bool
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., partner: _Optional[str] = ..., show_undone: bool = ...) -> None: ...

class ListDistrustsResponse(_message.Message):
    __slots__ = ("distrusts", "next_page_token")
    DISTRUSTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    distrusts: _containers.RepeatedCompositeFieldContainer[DistrustedEntries]
    next_page_token: str
    def __init__(self, distrusts: _Optional[_Iterable[_Union[DistrustedEntries, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
