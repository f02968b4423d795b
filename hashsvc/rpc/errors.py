"""Exceptions to gRPC statuses, in one place."""

import secrets
from typing import Any

import grpc
import grpc.aio
import structlog
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from hashsvc import errors
from hashsvc.v1 import error_reason_pb2

DOMAIN = "hashsvc"

_log = structlog.get_logger()

# The first class that fits decides.
_CODES: tuple[tuple[type[errors.HashsvcError], int], ...] = (
    (errors.Unauthenticated, code_pb2.UNAUTHENTICATED),
    (errors.PermissionDenied, code_pb2.PERMISSION_DENIED),
    (errors.NotFound, code_pb2.NOT_FOUND),
    (errors.AlreadyExists, code_pb2.ALREADY_EXISTS),
    (errors.PreconditionFailed, code_pb2.FAILED_PRECONDITION),
    (errors.LimitExceeded, code_pb2.RESOURCE_EXHAUSTED),
    (errors.MediaTooLarge, code_pb2.RESOURCE_EXHAUSTED),
    (errors.UploadTooSlow, code_pb2.DEADLINE_EXCEEDED),
    (errors.RequestError, code_pb2.INVALID_ARGUMENT),
    (errors.Overloaded, code_pb2.RESOURCE_EXHAUSTED),
    (errors.ProbingSuspected, code_pb2.RESOURCE_EXHAUSTED),
    (errors.NodeBusy, code_pb2.UNAVAILABLE),
    (errors.LogBehind, code_pb2.OUT_OF_RANGE),
    (errors.LogRefused, code_pb2.FAILED_PRECONDITION),
    (errors.HashsvcError, code_pb2.INTERNAL),
)


async def end_with_status(
    error: BaseException, method: str, context: grpc.aio.ServicerContext[Any, Any]
) -> None:
    """End a call with the status of what it raised; a bug never shows its text. Always raises."""
    if isinstance(error, errors.HashsvcError):
        await context.abort_with_status(rpc_status.to_status(status(error)))
    if isinstance(error, grpc.aio.AbortError) or not isinstance(error, Exception):
        raise error
    call_id = secrets.token_hex(6)
    _log.error("call failed", method=method, call_id=call_id, exc_info=error)
    fault = errors.HashsvcError(
        f"a fault of this node; its log has the details under call_id {call_id}",
        metadata={"call_id": call_id},
    )
    await context.abort_with_status(rpc_status.to_status(status(fault)))


def code_name(error: BaseException) -> str:
    """Return the name of the status code that an error ends a call with."""
    if not isinstance(error, errors.HashsvcError):
        return "INTERNAL"
    return str(code_pb2.Code.Name(_code(error)))


def _code(error: errors.HashsvcError) -> int:
    return next(code for kind, code in _CODES if isinstance(error, kind))


def status(error: errors.HashsvcError) -> Status:
    """Return the `google.rpc.Status` of an error, with its details."""
    code = _code(error)
    reason = f"ERROR_REASON_{error.reason}"
    if reason not in error_reason_pb2.ErrorReason.keys():  # noqa: SIM118 (a proto enum, not a dict)
        reason = "ERROR_REASON_INTERNAL"
    info = error_details_pb2.ErrorInfo(
        reason=reason.removeprefix("ERROR_REASON_"), domain=DOMAIN, metadata=error.metadata
    )
    details: list[Message] = [info]
    if isinstance(error, errors.InvalidRequest):
        bad = error_details_pb2.BadRequest()
        for violation in error.violations:
            bad.field_violations.add(field=violation.field, description=violation.description)
        details.append(bad)
    if isinstance(error, errors.NodeBusy):
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(round(error.retry_after_s * 1000))
        details.append(retry)
    packed = [AnyMessage() for _ in details]
    for holder, detail in zip(packed, details, strict=True):
        holder.Pack(detail)
    return Status(code=code, message=str(error), details=packed)
