"""Partners and credentials: proto messages to domain values and back."""

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from hashsvc.errors import InvalidRequest
from hashsvc.model import (
    Credential,
    CredentialKind,
    Distrust,
    DistrustPreview,
    Grant,
    Partner,
    Role,
)
from hashsvc.translate import EnumMap, read_time, timestamp
from hashsvc.v1 import admin_service_pb2 as pb

_KIND = EnumMap(CredentialKind, pb.CredentialKind)


def partner_to_proto(partner: Partner) -> pb.Partner:
    """Write a partner."""
    return pb.Partner(
        id=partner.id,
        name=partner.name,
        grants=map(str, partner.grants),
        suspended=partner.is_suspended,
        create_time=timestamp(partner.create_time),
    )


def partner_from_proto(message: pb.Partner) -> Partner:
    """Read a partner that a node wrote; roles that are not known here are left out."""
    parts = [text.partition(":") for text in message.grants]
    return Partner(
        id=message.id,
        name=message.name,
        grants=tuple(Grant(Role(role), lists) for role, _, lists in parts if role in set(Role)),
        is_suspended=message.suspended,
        create_time=read_time(message.create_time, "create_time"),
    )


def credential_to_proto(credential: Credential) -> pb.Credential:
    """Write a credential."""
    return pb.Credential(
        id=credential.id,
        partner=credential.partner,
        kind=_KIND.to_proto[credential.kind],
        label=credential.label,
        create_time=timestamp(credential.create_time),
        expire_time=optional_timestamp(credential.expire_time),
        revoke_time=optional_timestamp(credential.revoke_time),
    )


def credential_from_proto(message: pb.Credential) -> Credential:
    """Read a credential that a node wrote."""
    return Credential(
        id=message.id,
        partner=message.partner,
        kind=_KIND.require(message.kind, "kind"),
        label=message.label,
        create_time=read_time(message.create_time, "create_time"),
        expire_time=_if_set(message, "expire_time"),
        revoke_time=_if_set(message, "revoke_time"),
    )


def expire_time_from_proto(
    message: pb.CreateApiKeyRequest | pb.AddCertificateRequest,
) -> datetime | None:
    """Read when a new credential is to expire; None for never.

    Raises:
        InvalidRequest: it is out of range.
    """
    return _if_set(message, "expire_time")


def optional_timestamp(time: datetime | None) -> Timestamp | None:
    """Write a time, or nothing."""
    return None if time is None else timestamp(time)


def _if_set(
    message: pb.Credential | pb.CreateApiKeyRequest | pb.AddCertificateRequest, name: str
) -> datetime | None:
    is_set = any(field.name == name for field, _ in message.ListFields())
    return read_time(getattr(message, name), name) if is_set else None


def distrust_to_proto(distrust: Distrust) -> pb.DistrustedEntries:
    """Write a distrust."""
    undone = distrust.undo_time
    return pb.DistrustedEntries(
        id=distrust.id,
        list=distrust.list_name,
        contributor=distrust.contributor,
        since_sequence=distrust.since_sequence,
        reason=distrust.reason,
        place=distrust.place or 0,
        create_time=timestamp(distrust.create_time),
        undo_time=None if undone is None else timestamp(undone),
    )


def distrust_from_proto(message: pb.DistrustedEntries) -> Distrust:
    """Read a distrust."""
    is_undone = message.HasField("undo_time")
    return Distrust(
        id=message.id,
        list_name=message.list,
        contributor=message.contributor,
        since_sequence=message.since_sequence,
        reason=message.reason,
        create_time=read_time(message.create_time, "create_time"),
        place=message.place or None,
        undo_time=read_time(message.undo_time, "undo_time") if is_undone else None,
    )


def preview_to_proto(preview: DistrustPreview) -> pb.DistrustPreview:
    """Write what distrust would do in a list."""
    return pb.DistrustPreview(
        list=preview.list_name,
        entries=preview.entries,
        since_sequence=preview.since_sequence,
        kept_here=preview.is_kept_here,
    )


def preview_from_proto(message: pb.DistrustPreview) -> DistrustPreview:
    """Read what distrust would do in a list."""
    return DistrustPreview(message.list, message.entries, message.since_sequence, message.kept_here)


def since_from_proto(message: pb.PreviewDistrustRequest | pb.DistrustRequest) -> datetime:
    """Read since when, which must be set.

    Raises:
        InvalidRequest: it is not, or out of range.
    """
    if not message.HasField("since"):
        raise InvalidRequest.of("since", "say since when")
    return read_time(message.since, "since")
