"""One structured log line a call. Never a hash value, never a file name, never media."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import structlog

from hashsvc.rpc.calls import Call

_log = structlog.get_logger()


@asynccontextmanager
async def log_calls(call: Call) -> AsyncIterator[None]:
    """Log method, status and milliseconds when a call ends."""
    started = time.perf_counter()
    outcome = "CANCELLED"
    with structlog.contextvars.bound_contextvars(call_id=secrets.token_hex(6)):
        try:
            yield
            outcome = "OK"
        except asyncio.CancelledError:
            raise
        except BaseException:
            outcome = _code_name(call)
            raise
        finally:
            ms = round((time.perf_counter() - started) * 1000, 2)
            _log.info("call", method=call.name, status=outcome, ms=ms)


def _code_name(call: Call) -> str:
    code = call.context.code()
    return code.name if isinstance(code, grpc.StatusCode) else str(code)
