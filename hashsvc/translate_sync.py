"""Lists' logs and subscriptions: proto messages to domain values and back."""

from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from hashsvc import model_sync as model
from hashsvc.errors import InvalidRequest
from hashsvc.model import Basis
from hashsvc.translate import EnumMap, read_time, timestamp
from hashsvc.v1 import admin_service_pb2 as admin_pb
from hashsvc.v1 import sync_service_pb2 as pb

_STATE = EnumMap(model.FollowState, pb.FollowState)
_MOST_SELECTED = 100


def wanted_to_proto(wanted: model.Wanted) -> pb.FollowRequest:
    """Write what a follower asks for."""
    return pb.FollowRequest(
        list=wanted.list_name,
        size=wanted.size,
        selection=selection_to_proto(wanted.selection),
        to_head=wanted.is_to_head,
    )


def selection_to_proto(selection: model.Selection) -> pb.Selection:
    """Write what is taken of a list."""
    return pb.Selection(
        labels=selection.labels,
        entities=selection.entities,
        bases=selection.bases,
        incidents=selection.incidents,
    )


def selection_from_proto(message: pb.Selection, field: str) -> model.Selection:
    """Read what is taken of a list; `field` is its path in the request.

    Raises:
        InvalidRequest: it names too much, or a basis that there is not.
    """
    found = model.Selection(
        tuple(message.labels),
        tuple(message.entities),
        tuple(message.bases),
        tuple(message.incidents),
    )
    for name, values in found.to_document().items():
        if len(values) > _MOST_SELECTED:
            raise InvalidRequest.of(f"{field}.{name}", f"more than {_MOST_SELECTED}")
    for i, basis in enumerate(found.bases):
        if basis not in set(Basis):
            known = ", ".join(Basis)
            raise InvalidRequest.of(f"{field}.bases[{i}]", f"is unknown; give some of {known}")
    return found


def message_to_proto(message: model.FollowMessage) -> pb.FollowResponse:
    """Write one message of a log."""
    match message:
        case model.Started():
            started = pb.Started(
                head=message.head,
                first_key=message.first_key,
                rotations=message.rotations,
                is_home=message.is_home,
            )
            return pb.FollowResponse(started=started)
        case model.Leaves():
            leaves = pb.Leaves(first=message.first, leaves=map(leaf_to_proto, message.leaves))
            return pb.FollowResponse(leaves=leaves)
        case model.Signed():
            signed = pb.Signed(note=message.note, head_size=message.head_size)
            return pb.FollowResponse(signed=signed)
        case model.Ahead():
            ahead = pb.Ahead(
                place=message.place,
                body=message.body,
                salt=message.salt,
                note=message.note,
                proof=message.proof,
            )
            return pb.FollowResponse(ahead=ahead)
        case model.Heartbeat():
            return pb.FollowResponse(heartbeat=pb.Heartbeat(head_size=message.head_size))
        case model.Rotated():
            return pb.FollowResponse(rotated=pb.Rotated(statement=message.statement))


def message_from_proto(message: pb.FollowResponse) -> model.FollowMessage | None:
    """Read one message of a log; None for a kind that is not known here."""
    match message.WhichOneof("message"):
        case "started":
            return started_from_proto(message.started)
        case "leaves":
            leaves = tuple(leaf_from_proto(leaf) for leaf in message.leaves.leaves)
            return model.Leaves(message.leaves.first, leaves)
        case "signed":
            return model.Signed(message.signed.note, message.signed.head_size)
        case "ahead":
            ahead = message.ahead
            proof = tuple(ahead.proof)
            return model.Ahead(ahead.place, ahead.body, ahead.salt, ahead.note, proof)
        case "heartbeat":
            return model.Heartbeat(message.heartbeat.head_size)
        case "rotated":
            return model.Rotated(message.rotated.statement)
    return None


def message_to_bytes(message: model.FollowMessage) -> bytes:
    """Write one message of a log as the bytes of its proto."""
    return message_to_proto(message).SerializeToString()


def message_from_bytes(data: bytes) -> model.FollowMessage | None:
    """Read one message of a log; None for a kind that is not known here.

    Raises:
        ValueError: these are not the bytes of one.
    """
    try:
        return message_from_proto(pb.FollowResponse.FromString(data))
    except DecodeError:
        raise ValueError("it is no message of a log") from None


def started_from_proto(message: pb.Started) -> model.Started:
    """Read where a log stands."""
    rotations = tuple(message.rotations)
    return model.Started(message.head, message.first_key, rotations, message.is_home)


def leaf_to_proto(leaf: model.Leaf) -> pb.Leaf:
    """Write one place of a log."""
    return pb.Leaf(body=leaf.body, salt=leaf.salt, hash=leaf.hash)


def leaf_from_proto(message: pb.Leaf) -> model.Leaf:
    """Read one place of a log."""
    return model.Leaf(message.body, message.salt, message.hash)


def status_to_proto(status: model.FollowStatus) -> pb.Subscription:
    """Write how a subscription stands."""
    one = status.subscription
    return pb.Subscription(
        list=one.list_name,
        source=one.source,
        key=one.key,
        selection=selection_to_proto(one.selection),
        state=_STATE.to_proto[status.state],
        size=status.size,
        head_size=status.head_size,
        ahead=status.ahead,
        verify_time=None if one.verify_time is None else timestamp(one.verify_time),
        detail=status.detail,
        alarms=[_alarm_to_proto(alarm) for alarm in status.alarms],
        paused=one.is_paused,
    )


def status_from_proto(message: pb.Subscription) -> model.FollowStatus:
    """Read how a subscription stands."""
    is_verified = message.HasField("verify_time")
    one = model.Subscription(
        list_name=message.list,
        source=message.source,
        key=message.key,
        selection=selection_from_proto(message.selection, "selection"),
        create_time=read_time(Timestamp(), "create_time"),
        verify_time=read_time(message.verify_time, "verify_time") if is_verified else None,
        is_paused=message.paused,
    )
    alarms = tuple(
        model.Alarm(
            id=0,
            list_name=message.list,
            source=alarm.source,
            reason=alarm.reason,
            held=alarm.held,
            offered=alarm.offered,
            time=read_time(alarm.time, "time"),
        )
        for alarm in message.alarms
    )
    return model.FollowStatus(
        one,
        _STATE.to_domain.get(message.state, model.FollowState.WAITING),
        message.size,
        message.head_size,
        message.ahead,
        message.detail,
        alarms,
    )


def imported_to_proto(found: model.Imported) -> admin_pb.ImportBundleResponse:
    """Write what came of a bundle."""
    return admin_pb.ImportBundleResponse(
        subscription=status_to_proto(found.status),
        added=found.added,
        bundle_size=found.bundle_size,
    )


def imported_from_proto(message: admin_pb.ImportBundleResponse) -> model.Imported:
    """Read what came of a bundle."""
    status = status_from_proto(message.subscription)
    return model.Imported(status, message.added, message.bundle_size)


def checkpoint_to_proto(shown: model.ShownCheckpoint) -> pb.GetCheckpointResponse:
    """Write a list's newest checkpoint."""
    return pb.GetCheckpointResponse(
        note=shown.note,
        cosigned=shown.cosigned,
        first_key=shown.first_key,
        rotations=shown.rotations,
    )


def checkpoint_from_proto(message: pb.GetCheckpointResponse) -> model.ShownCheckpoint:
    """Read a list's newest checkpoint."""
    return model.ShownCheckpoint(
        message.note, tuple(message.cosigned), message.first_key, tuple(message.rotations)
    )


def proof_to_proto(proof: model.InclusionProof) -> pb.GetInclusionProofResponse:
    """Write the proof that a record is in a log."""
    return pb.GetInclusionProofResponse(
        note=proof.note,
        leaf=leaf_to_proto(proof.leaf),
        proof=proof.hashes,
        first_key=proof.first_key,
        rotations=proof.rotations,
    )


def proof_from_proto(message: pb.GetInclusionProofResponse) -> model.InclusionProof:
    """Read the proof that a record is in a log."""
    return model.InclusionProof(
        message.note,
        leaf_from_proto(message.leaf),
        tuple(message.proof),
        message.first_key,
        tuple(message.rotations),
    )


def _alarm_to_proto(alarm: model.Alarm) -> pb.Alarm:
    return pb.Alarm(
        reason=alarm.reason,
        held=alarm.held,
        offered=alarm.offered,
        source=alarm.source,
        time=timestamp(alarm.time),
    )
