"""Open streams: what ends them, and what each message of theirs costs.

A stream outlives the moment at which its caller was let in. So the credential and the role are
looked at again before each message, and for all open streams whenever partners or credentials have
changed and every second (for those that expire); and a stream whose caller neither sends nor takes
anything for too long is ended, since it holds a place. One that is ended while gRPC waits for its
caller to take a message gives its place back at once; its caller is told behind that message.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from types import TracebackType
from typing import Any, Self

from hashsvc.errors import HashsvcError, StreamIdle
from hashsvc.rpc.access import Gate, Session
from hashsvc.rpc.admission import Admission

_LOOK_EVERY_S = 1.0
_NEVER = float("inf")


class Unheard(GeneratorExit):
    """A stream is ended while its caller takes nothing; `because` is what it is to be told."""

    def __init__(self, because: HashsvcError) -> None:
        super().__init__(str(because))
        self.because = because


class OpenStreams:
    """The open streams of a node. Used on the event loop, but for `look_soon`."""

    def __init__(self, gate: Gate, admission: Admission, *, max_idle_s: float) -> None:
        self.gate = gate
        self.admission = admission
        self._max_idle_s = max_idle_s
        self.all: set[_Stream] = set()
        self._looking: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def open(self, session: Session) -> "_Stream":
        """A context for the whole of a stream, in the task that serves it.

        Raises, out of the context:
            Unauthenticated, PermissionDenied: its caller is no longer let in.
            StreamIdle: nothing came in for too long.
        """
        if self._looking is None:
            self._loop = asyncio.get_running_loop()
            self._looking = self._loop.create_task(self._look_now_and_then())
        return _Stream(self, session)

    def look_soon(self) -> None:
        """Look whether every caller is still let in; from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._look)

    async def close(self) -> None:
        """Stop looking."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])

    async def _look_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            self._look()

    def _look(self) -> None:
        now = monotonic()
        for stream in list(self.all):
            try:
                self.gate.look_again(stream.session)
                if now - stream.waits_since > self._max_idle_s:
                    raise StreamIdle(f"nothing moved for {self._max_idle_s:g} s")
            except HashsvcError as error:
                stream.end(error)


class _Stream:
    """One open stream. It may wait for its caller to send and to take at the same time."""

    def __init__(self, streams: OpenStreams, session: Session) -> None:
        self._streams = streams
        self._task = asyncio.current_task()
        self._ended_by: HashsvcError | None = None
        self.session = session
        self._asks_since = self._offers_since = _NEVER

    def __enter__(self) -> Self:
        self._streams.all.add(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._streams.all.discard(self)
        if self._ended_by is None:
            return
        if isinstance(error, asyncio.CancelledError):
            assert self._task is not None
            self._task.uncancel()
            raise self._ended_by from None
        # gRPC was sending when the task was cancelled, and so gives up the generator of answers.
        if isinstance(error, GeneratorExit):
            raise Unheard(self._ended_by) from None

    @property
    def waits_since(self) -> float:
        """When it began to wait for its caller."""
        return min(self._asks_since, self._offers_since)

    @contextmanager
    def offering(self) -> Iterator[None]:
        """Within the block it waits for its caller to take what is sent to it."""
        self._offers_since = monotonic()
        try:
            yield
        finally:
            self._offers_since = _NEVER

    def end(self, error: HashsvcError) -> None:
        """Let it end with an error, wherever it waits."""
        if self._ended_by is None and self._task is not None:
            self._ended_by = error
            self._task.cancel()

    async def messages(
        self, requests: AsyncIterator[Any], cost: Callable[[Any], float]
    ) -> AsyncIterator[Any]:
        """Yield what comes in, at the pace that its partner is entitled to."""
        is_first = True
        while True:
            self._asks_since = monotonic()
            try:
                request = await anext(requests)
            except StopAsyncIteration:
                return
            finally:
                self._asks_since = _NEVER
            if not is_first:
                self._streams.gate.look_again(self.session)
            # The call itself has paid for one.
            await self._streams.admission.pay(self.session.caller, cost(request) - is_first)
            is_first = False
            yield request
