"""Proto messages to domain values and back: the one file that knows both.

The servicers and the Python client share it. Reading checks what the proto alone can break
(missing or unknown enum values, times out of range); the rules of a list are `lists.rules`'.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Generic, TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from hashsvc.errors import InvalidRequest
from hashsvc.model import (
    EVERYONE,
    ORIGINAL,
    AddedEntry,
    Algorithm,
    Basis,
    Decoding,
    Description,
    Entry,
    EntryDraft,
    Fingerprint,
    HashList,
    Incident,
    ListKind,
    MediaType,
    Opinion,
    OpinionCounts,
    OpinionKind,
    Severity,
)
from hashsvc.v1 import list_service_pb2, types_pb2

_E = TypeVar("_E", bound=Enum)


class EnumMap(Generic[_E]):
    """The two-way mapping between a domain enum and a proto enum, by name."""

    def __init__(self, domain: type[_E], proto: Any) -> None:
        prefix = proto.DESCRIPTOR.values[0].name.removesuffix("UNSPECIFIED")
        self.to_proto = {member: proto.Value(prefix + member.name) for member in domain}
        self.to_domain = {number: member for member, number in self.to_proto.items()}
        self.names = ", ".join(prefix + member.name for member in domain)

    def require(self, number: int, field: str) -> _E:
        """Return the domain value.

        Raises:
            InvalidRequest: the number is UNSPECIFIED or unknown.
        """
        try:
            return self.to_domain[number]
        except KeyError:
            raise InvalidRequest.of(
                field, f"is missing or unknown; give one of {self.names}"
            ) from None


ALGORITHM = EnumMap(Algorithm, types_pb2.Algorithm)
_DECODING = EnumMap(Decoding, types_pb2.Decoding)
MEDIA_TYPE = EnumMap(MediaType, types_pb2.MediaType)
BASIS = EnumMap(Basis, types_pb2.Basis)
SEVERITY = EnumMap(Severity, types_pb2.Severity)
_LIST_KIND = EnumMap(ListKind, types_pb2.ListKind)
_OPINION_KIND = EnumMap(OpinionKind, types_pb2.OpinionKind)


# Fingerprints


def fingerprint_to_proto(fingerprint: Fingerprint) -> types_pb2.Fingerprint:
    """Write a fingerprint."""
    message = types_pb2.Fingerprint(
        algorithm=ALGORITHM.to_proto[fingerprint.algorithm],
        value=fingerprint.value,
        decoding=_DECODING.to_proto[fingerprint.decoding],
        variant="" if fingerprint.variant == ORIGINAL else fingerprint.variant,
    )
    if fingerprint.quality is not None:
        message.quality = fingerprint.quality
    if fingerprint.time_ms is not None:
        message.time_offset.CopyFrom(duration(fingerprint.time_ms))
    return message


def fingerprint_from_proto(message: types_pb2.Fingerprint, field: str) -> Fingerprint:
    """Read a fingerprint; `field` is its path in the request.

    Raises:
        InvalidRequest: the algorithm is missing or unknown, or the offset is out of range.
    """
    return Fingerprint(
        ALGORITHM.require(message.algorithm, f"{field}.algorithm"),
        message.value,
        quality=message.quality if message.HasField("quality") else None,
        time_ms=milliseconds(message.time_offset) if message.HasField("time_offset") else None,
        decoding=_DECODING.to_domain.get(message.decoding, Decoding.EXACT),
        variant=message.variant or ORIGINAL,
    )


def fingerprints_from_proto(
    messages: Iterable[types_pb2.Fingerprint], field: str
) -> tuple[Fingerprint, ...]:
    """Read fingerprints; `field` is their path in the request."""
    return tuple(
        fingerprint_from_proto(message, f"{field}[{i}]") for i, message in enumerate(messages)
    )


def media_type_from_proto(number: int, field: str) -> MediaType:
    """Read a media type.

    Raises:
        InvalidRequest: it is missing or unknown.
    """
    return MEDIA_TYPE.require(number, field)


def media_type_to_proto(media_type: MediaType) -> types_pb2.MediaType:
    """Write a media type."""
    number: types_pb2.MediaType = MEDIA_TYPE.to_proto[media_type]
    return number


# Lists and entries


def list_kind_from_proto(number: int) -> ListKind:
    """Read a list kind; unspecified means known.

    Raises:
        InvalidRequest: it is unknown.
    """
    if number == types_pb2.LIST_KIND_UNSPECIFIED:
        return ListKind.KNOWN
    return _LIST_KIND.require(number, "list.kind")


def list_to_proto(hash_list: HashList) -> types_pb2.HashList:
    """Write a list."""
    return types_pb2.HashList(
        name=hash_list.name,
        kind=_LIST_KIND.to_proto[hash_list.kind],
        purpose=hash_list.purpose,
        size=hash_list.size,
        active_entries=hash_list.active_entries,
        create_time=timestamp(hash_list.create_time),
        readers=hash_list.readers,
        names_contributors=hash_list.names_contributors,
        local_features=hash_list.local_features,
        key=hash_list.key,
    )


def new_list_to_proto(name: str, kind: ListKind, purpose: str) -> types_pb2.HashList:
    """Write a list to create."""
    return types_pb2.HashList(name=name, kind=_LIST_KIND.to_proto[kind], purpose=purpose)


def list_from_proto(message: types_pb2.HashList) -> HashList:
    """Read a list."""
    return HashList(
        name=message.name,
        kind=_LIST_KIND.to_domain.get(message.kind, ListKind.KNOWN),
        purpose=message.purpose,
        size=message.size,
        active_entries=message.active_entries,
        create_time=read_time(message.create_time, "create_time"),
        readers=tuple(message.readers) or EVERYONE,
        names_contributors=message.names_contributors,
        local_features=message.local_features,
        key=message.key,
    )


def draft_from_proto(message: types_pb2.Entry, field: str) -> EntryDraft:
    """Read an entry to add; `field` is its path in the request.

    Raises:
        InvalidRequest: an enum is missing or unknown, or a time is out of range.
    """
    return EntryDraft(
        MEDIA_TYPE.require(message.media_type, f"{field}.media_type"),
        fingerprints_from_proto(message.fingerprints, f"{field}.fingerprints"),
        description_from_proto(message, field),
    )


def draft_to_proto(draft: EntryDraft) -> types_pb2.Entry:
    """Write an entry to add."""
    message = types_pb2.Entry(
        media_type=media_type_to_proto(draft.media_type),
        fingerprints=[fingerprint_to_proto(f) for f in draft.fingerprints],
    )
    write_description(draft.description, message)
    return message


def description_from_proto(message: types_pb2.Entry, field: str) -> Description:
    """Read what is said of an entry.

    Raises:
        InvalidRequest: an enum is unknown or a time is out of range.
    """
    expires = message.HasField("expire_time")
    return Description(
        labels=tuple(message.labels),
        entities=tuple(message.entities),
        basis=BASIS.require(message.basis, f"{field}.basis") if message.basis else None,
        severity=_severity(message.severity, field),
        incident=message.incident,
        expire_time=read_time(message.expire_time, f"{field}.expire_time") if expires else None,
        note=message.note,
    )


def write_description(description: Description, message: types_pb2.Entry) -> None:
    """Write what is said of an entry into its message."""
    message.labels[:] = description.labels
    message.entities[:] = description.entities
    if description.basis is not None:
        message.basis = BASIS.to_proto[description.basis]
    message.severity = SEVERITY.to_proto[description.severity]
    message.incident = description.incident
    message.note = description.note
    if description.expire_time is not None:
        message.expire_time.CopyFrom(timestamp(description.expire_time))


def entry_to_proto(entry: Entry) -> types_pb2.Entry:
    """Write an entry."""
    message = draft_to_proto(EntryDraft(entry.media_type, entry.fingerprints, entry.description))
    message.name = entry.name
    message.contributor = entry.contributor
    message.create_time.CopyFrom(timestamp(entry.create_time))
    message.update_time.CopyFrom(timestamp(entry.update_time))
    if entry.withdraw_time is not None:
        message.withdraw_time.CopyFrom(timestamp(entry.withdraw_time))
        message.withdraw_reason = entry.withdraw_reason
    message.canary_of = entry.canary_of
    if entry.opinions is not None:
        message.opinions.CopyFrom(counts_to_proto(entry.opinions))
    message.distrusted = entry.is_distrusted
    message.erased = entry.is_erased
    return message


def entry_from_proto(message: types_pb2.Entry) -> Entry:
    """Read an entry that a node sent."""
    withdrawn = message.HasField("withdraw_time")
    draft = draft_from_proto(message, "entry")
    return Entry(
        name=message.name,
        media_type=draft.media_type,
        description=draft.description,
        contributor=message.contributor,
        fingerprints=draft.fingerprints,
        create_time=read_time(message.create_time, "create_time"),
        update_time=read_time(message.update_time, "update_time"),
        withdraw_time=read_time(message.withdraw_time, "withdraw_time") if withdrawn else None,
        withdraw_reason=message.withdraw_reason,
        canary_of=message.canary_of,
        opinions=counts_from_proto(message.opinions) if message.HasField("opinions") else None,
        is_distrusted=message.distrusted,
        is_erased=message.erased,
    )


def incident_to_proto(incident: Incident) -> list_service_pb2.Incident:
    """Write an incident."""
    concluded = incident.conclude_time
    return list_service_pb2.Incident(
        list=incident.list_name,
        incident=incident.incident,
        title=incident.title,
        open_time=timestamp(incident.open_time),
        conclude_time=None if concluded is None else timestamp(concluded),
    )


def incident_from_proto(message: list_service_pb2.Incident) -> Incident:
    """Read an incident."""
    is_over = message.HasField("conclude_time")
    return Incident(
        list_name=message.list,
        incident=message.incident,
        title=message.title,
        open_time=read_time(message.open_time, "open_time"),
        conclude_time=read_time(message.conclude_time, "conclude_time") if is_over else None,
    )


def added_to_proto(added: AddedEntry) -> list_service_pb2.AddedEntry:
    """Write what became of a contributed entry."""
    return list_service_pb2.AddedEntry(
        name=added.name, already_present=added.already_present, matchable=added.matchable
    )


def added_from_proto(message: list_service_pb2.AddedEntry) -> AddedEntry:
    """Read what became of a contributed entry."""
    return AddedEntry(message.name, message.already_present, message.matchable)


# Opinions


def opinion_kind_from_proto(number: int, field: str) -> OpinionKind:
    """Read what somebody holds of an entry.

    Raises:
        InvalidRequest: it is missing or unknown.
    """
    return _OPINION_KIND.require(number, field)


def opinion_kind_to_proto(kind: OpinionKind) -> types_pb2.OpinionKind:
    """Write what somebody holds of an entry."""
    number: types_pb2.OpinionKind = _OPINION_KIND.to_proto[kind]
    return number


def opinion_to_proto(opinion: Opinion) -> types_pb2.Opinion:
    """Write an opinion."""
    return types_pb2.Opinion(
        entry=opinion.entry,
        partner=opinion.partner,
        opinion=opinion_kind_to_proto(opinion.opinion),
        reason=opinion.reason,
        time=timestamp(opinion.time),
    )


def opinion_from_proto(message: types_pb2.Opinion) -> Opinion:
    """Read an opinion that a node sent; one of an unknown kind is taken as pending."""
    return Opinion(
        entry=message.entry,
        partner=message.partner,
        opinion=_OPINION_KIND.to_domain.get(message.opinion, OpinionKind.PENDING),
        reason=message.reason,
        time=read_time(message.time, "time"),
    )


def counts_to_proto(counts: OpinionCounts) -> types_pb2.OpinionCounts:
    """Write how many partners hold what."""
    return types_pb2.OpinionCounts(
        confirm=counts.confirm,
        dispute=counts.dispute,
        out_of_scope=counts.out_of_scope,
        seen=counts.seen,
        pending=counts.pending,
    )


def counts_from_proto(message: types_pb2.OpinionCounts) -> OpinionCounts:
    """Read how many partners hold what."""
    return OpinionCounts(
        message.confirm, message.dispute, message.out_of_scope, message.seen, message.pending
    )


def _severity(number: int, field: str) -> Severity:
    if number == types_pb2.SEVERITY_UNSPECIFIED:
        return Severity.UNSPECIFIED
    return SEVERITY.require(number, f"{field}.severity")


def duration(milliseconds: int) -> Duration:
    """Write milliseconds."""
    return Duration(seconds=milliseconds // 1000, nanos=milliseconds % 1000 * 1_000_000)


def milliseconds(duration: Duration) -> int:
    """Read a duration in whole milliseconds."""
    return duration.seconds * 1000 + duration.nanos // 1_000_000


def timestamp(time: datetime) -> Timestamp:
    """Write a time."""
    message = Timestamp()
    message.FromDatetime(time)
    return message


def read_time(message: Timestamp, field: str) -> datetime:
    """Read a time; `field` is its path in the request.

    Raises:
        InvalidRequest: it is out of range.
    """
    try:
        return message.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InvalidRequest.of(field, "is not a time between the years 1 and 9999") from None
