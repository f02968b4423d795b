"""What runs around every call: who calls and may it, a turn, a place or a refusal, errors to
statuses, the audit log, a log line.

The methods of servicers are wrapped once, when they are registered. A check spends most of its time
in Python, and this is on the way of each, so it is flat and the log is written after the answer has
gone out.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import aclosing, suppress
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import grpc
import grpc.aio
import structlog
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from hashsvc.access.audit import Audited
from hashsvc.errors import HashsvcError, Overloaded
from hashsvc.metrics import Metrics
from hashsvc.rpc import access
from hashsvc.rpc.access import Gate, Session
from hashsvc.rpc.admission import Admission
from hashsvc.rpc.errors import code_name, end_with_status
from hashsvc.rpc.streams import OpenStreams, Unheard
from hashsvc.rpc.turns import Turns

_log = structlog.get_logger()

Context = grpc.aio.ServicerContext[Any, Any]


class AroundCalls:
    """Wraps servicers."""

    def __init__(
        self,
        gate: Gate,
        admission: Admission,
        streams: OpenStreams,
        metrics: Metrics,
        keep: Callable[[Audited], Awaitable[None]],
    ) -> None:
        self._gate = gate
        self._admission = admission
        self._streams = streams
        self._turns = Turns()
        self._metrics = metrics
        self._keep = keep
        self._keeping: set[asyncio.Task[None]] = set()

    def servicer(self, service: ServiceDescriptor, servicer: object) -> Any:
        """An object to register in the servicer's place: all methods of the service, wrapped."""
        wrapped = {
            method.name: self._wrapped(method, getattr(servicer, method.name))
            for method in service.methods
        }
        return SimpleNamespace(**wrapped)

    def _wrapped(
        self, method: MethodDescriptor, behaviour: Callable[..., Any]
    ) -> Callable[..., Any]:
        name = f"/{method.containing_service.full_name}/{method.name}"
        enter, let_in = self._gate.enter, self._gate.let_in
        run = self._turns.run if self._gate.knows_partners else _at_once
        arrive = self._admission.arrive
        admit, fail, end = self._admission.door(method.name), self._fail, self._end
        cost = self._admission.cost(method.name) if method.client_streaming else None

        async def answer(
            session: Session, refusal: HashsvcError | None, request: Any, context: Context
        ) -> Any:
            started = perf_counter()
            try:
                if refusal is not None:
                    raise refusal
                with admit(access.caller()):
                    if cost is None:
                        response = await behaviour(request, context)
                    else:
                        with self._streams.open(session) as stream:
                            response = await behaviour(stream.messages(request, cost), context)
                await self._audit(session, "OK")
            except BaseException as error:
                await fail(session, error, context, started)
            end(name, "OK", started)
            return response

        async def answers(
            session: Session, refusal: HashsvcError | None, request: Any, context: Context
        ) -> AsyncGenerator[Any, None]:
            started = perf_counter()
            try:
                if refusal is not None:
                    raise refusal
                with admit(access.caller()), self._streams.open(session) as stream:
                    taken = request if cost is None else stream.messages(request, cost)
                    async with aclosing(behaviour(taken, context)) as responses:
                        async for response in responses:
                            with stream.offering():
                                yield response
                await self._audit(session, "OK")
            except BaseException as error:
                await fail(session, error, context, started)
            end(name, "OK", started)

        async def unary(request: Any, context: Context) -> Any:
            session = enter(name, context)
            refusal = let_in(session, context)
            try:
                with arrive(session.caller):
                    return await run(session.partner, answer(session, refusal, request, context))
            except Overloaded as error:
                await fail(session, error, context, perf_counter())

        async def stream(request: Any, context: Context) -> AsyncIterator[Any]:
            session = enter(name, context)
            refusal = let_in(session, context)
            try:
                with arrive(session.caller):
                    async with aclosing(answers(session, refusal, request, context)) as responses:
                        while True:
                            try:
                                response = await run(session.partner, anext(responses))
                            except StopAsyncIteration:
                                return
                            yield response
            except Overloaded as error:
                await fail(session, error, context, perf_counter())

        return stream if method.server_streaming else unary

    async def _fail(
        self, session: Session, error: BaseException, context: Context, started: float
    ) -> None:
        """End a call with the status of what it raised; always raises."""
        # A caller that went away, or whose deadline is over, gets no status.
        if isinstance(error, asyncio.CancelledError | GeneratorExit):
            status = "CANCELLED"
            if isinstance(error, Unheard):
                status = code_name(error.because)
                self._later(_tell_unheard(error.because, session.method, context))
            self._end(session.method, status, started)
            self._later(self._audit(session, status))
            raise error
        status = code_name(error)
        self._end(session.method, status, started)
        await self._audit(session, status)
        await end_with_status(error, session.method, context)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what the end of a call does not wait for; `settle` does."""
        task = asyncio.get_running_loop().create_task(work)
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    async def _audit(self, session: Session, status: str) -> None:
        """Put a call that changes something, or tried to, into the audit log; before its answer."""
        call = access.audited(session, status)
        if call is not None:
            await self._keep(call)

    async def settle(self) -> None:
        """Wait until the audit log has all calls that ended."""
        while self._keeping:
            await asyncio.wait(set(self._keeping))

    def _end(self, name: str, status: str, started: float) -> None:
        """Log and count the call, once its answer is on its way."""
        seconds = perf_counter() - started
        asyncio.get_running_loop().call_soon(self._tell, name, status, seconds)

    def _tell(self, name: str, status: str, seconds: float) -> None:
        """One line: never a hash value, a file name or media."""
        self._metrics.call_ended(name, status, seconds)
        _log.info("call", method=name, status=status, ms=round(seconds * 1000, 2))


async def _tell_unheard(error: HashsvcError, method: str, context: Context) -> None:
    """Put a status behind what a caller has yet to take; done when it has, or the call ends."""
    with suppress(Exception):
        await end_with_status(error, method, context)


def _at_once(_: str, work: Awaitable[Any]) -> Awaitable[Any]:
    """Where there is one partner, nobody takes turns."""
    return work
