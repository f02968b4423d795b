"""The standard health service, within bounds."""

from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2

_MOST_WATCHING = 100


class Health(health.aio.HealthServicer):  # type: ignore[misc]  # it has no types
    """Health, which anybody may ask for: so those who watch are bounded."""

    def __init__(self) -> None:
        super().__init__()
        self._watching = 0

    async def Watch(
        self,
        request: health_pb2.HealthCheckRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> None:
        """Tell a service's health whenever it changes."""
        if self._watching >= _MOST_WATCHING:
            text = f"{_MOST_WATCHING} watch already: ask by Check"
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, text)
        self._watching += 1
        try:
            await super().Watch(request, context)
        finally:
            self._watching -= 1
