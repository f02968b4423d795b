"""Runs one piece of code around every call, whatever its kind of streaming."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio


@dataclass(frozen=True, slots=True)
class Call:
    """One call: its method, such as `/hashsvc.v1.MatchService/Check`, and gRPC's context."""

    method: str
    context: grpc.aio.ServicerContext[Any, Any]

    @property
    def name(self) -> str:
        """The method without its service."""
        return self.method.rpartition("/")[2]


Around = Callable[[Call], AbstractAsyncContextManager[None]]


class AroundCalls(grpc.aio.ServerInterceptor):
    """Runs `arounds`, the first outermost, around each call to a hashsvc service."""

    def __init__(self, *arounds: Around) -> None:
        self._arounds = arounds

    async def intercept_service(
        self,
        continuation: Callable[
            [grpc.HandlerCallDetails], Awaitable["grpc.RpcMethodHandler[Any, Any] | None"]
        ],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """Wrap the handler of one call."""
        handler: Any = await continuation(handler_call_details)
        method = str(handler_call_details.method)
        if handler is None or not method.startswith("/hashsvc."):
            return handler  # type: ignore[no-any-return]
        coders = {
            "request_deserializer": handler.request_deserializer,
            "response_serializer": handler.response_serializer,
        }
        kind = f"{_arity(handler.request_streaming)}_{_arity(handler.response_streaming)}"
        behaviour = getattr(handler, kind)
        wrap = self._stream if handler.response_streaming else self._unary
        make: Any = getattr(grpc, f"{kind}_rpc_method_handler")
        return make(wrap(method, behaviour), **coders)  # type: ignore[no-any-return]

    def _unary(self, method: str, behaviour: Callable[..., Any]) -> Callable[..., Any]:
        async def wrapped(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            async with self._entered(Call(method, context)):
                return await behaviour(request, context)

        return wrapped

    def _stream(self, method: str, behaviour: Callable[..., Any]) -> Callable[..., Any]:
        async def wrapped(
            request: Any, context: grpc.aio.ServicerContext[Any, Any]
        ) -> AsyncIterator[Any]:
            async with self._entered(Call(method, context)):
                async for response in behaviour(request, context):
                    yield response

        return wrapped

    @asynccontextmanager
    async def _entered(self, call: Call) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for around in self._arounds:
                await stack.enter_async_context(around(call))
            yield


def _arity(streaming: bool) -> str:
    return "stream" if streaming else "unary"
