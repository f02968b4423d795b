"""What a client raises, and how a gRPC error becomes it.

::

    ClientError
    ├── RequestRefused       the request is wrong: fix it, do not retry
    ├── LimitReached         a limit, or too much at once: `retry_after_s` says when, if ever
    ├── ServiceUnavailable   the node is away: retry; an upload check is undetermined
    ├── DeadlineExceeded     no answer in time: as above
    └── ServiceFault         a fault of the node
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import grpc
from google.rpc import error_details_pb2, status_pb2

from hashsvc.errors import Violation

_DETAILS_KEY = "grpc-status-details-bin"


class ClientError(Exception):
    """A call failed. `reason` is a name of `hashsvc.v1.ErrorReason`, or empty."""

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode,
        reason: str = "",
        metadata: dict[str, str] | None = None,
        violations: tuple[Violation, ...] = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.metadata = metadata or {}
        self.violations = violations
        self.retry_after_s = retry_after_s


class RequestRefused(ClientError):
    """The request is wrong; `violations` name the fields."""


class LimitReached(ClientError):
    """Past a limit, or too many calls at once; `retry_after_s` is None for the former."""


class ServiceUnavailable(ClientError):
    """The node cannot be reached, or is starting or stopping."""


class DeadlineExceeded(ClientError):
    """No answer came in time."""


class ServiceFault(ClientError):
    """A fault of the node."""


_CLASSES: dict[grpc.StatusCode, type[ClientError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: RequestRefused,
    grpc.StatusCode.NOT_FOUND: RequestRefused,
    grpc.StatusCode.ALREADY_EXISTS: RequestRefused,
    grpc.StatusCode.FAILED_PRECONDITION: RequestRefused,
    grpc.StatusCode.PERMISSION_DENIED: RequestRefused,
    grpc.StatusCode.UNAUTHENTICATED: RequestRefused,
    grpc.StatusCode.UNIMPLEMENTED: RequestRefused,
    grpc.StatusCode.RESOURCE_EXHAUSTED: LimitReached,
    grpc.StatusCode.UNAVAILABLE: ServiceUnavailable,
    grpc.StatusCode.CANCELLED: ServiceUnavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
}


@contextmanager
def raised_as_client_errors() -> Iterator[None]:
    """Turn gRPC errors raised in the block into client errors."""
    try:
        yield
    except grpc.RpcError as error:
        raise from_rpc_error(error) from error


def broken_off() -> ClientError:
    """Return the error for a stream that ended well, but without the answer that was due."""
    return ServiceFault("the node ended the call without an answer", code=grpc.StatusCode.UNKNOWN)


def from_rpc_error(error: Any) -> ClientError:
    """Return the client error for a `grpc.RpcError` or `grpc.aio.AioRpcError`."""
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS_KEY:
            return from_status(status_pb2.Status.FromString(value), error.code())
    return _CLASSES.get(error.code(), ServiceFault)(error.details() or "", code=error.code())


def from_status(status: Any, code: grpc.StatusCode | None = None) -> ClientError:
    """Return the client error for a `google.rpc.Status`."""
    code = code or _code(status.code)
    info = _unpack(status, error_details_pb2.ErrorInfo)
    bad = _unpack(status, error_details_pb2.BadRequest)
    retry = _unpack(status, error_details_pb2.RetryInfo)
    return _CLASSES.get(code, ServiceFault)(
        status.message,
        code=code,
        reason=info.reason if info else "",
        metadata=dict(info.metadata) if info else {},
        violations=tuple(Violation(v.field, v.description) for v in bad.field_violations)
        if bad
        else (),
        retry_after_s=retry.retry_delay.ToMilliseconds() / 1000 if retry else None,
    )


_M = TypeVar("_M")


def _unpack(status: Any, kind: Callable[[], _M]) -> _M | None:
    message = kind()
    for detail in status.details:
        if detail.Unpack(message):
            return message
    return None


def _code(number: int) -> grpc.StatusCode:
    codes = {code.value[0]: code for code in grpc.StatusCode}
    return codes.get(number, grpc.StatusCode.UNKNOWN)
