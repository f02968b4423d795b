"""The gRPC server: sockets, health, reflection, drain."""

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

from hashsvc.config import Settings
from hashsvc.errors import ConfigError
from hashsvc.rpc.admin import AdminServicer
from hashsvc.rpc.admission import Admission
from hashsvc.rpc.calls import AroundCalls
from hashsvc.rpc.lists import ListServicer
from hashsvc.rpc.match import MatchServicer
from hashsvc.tls import server_credentials
from hashsvc.v1 import admin_service_pb2, list_service_pb2, match_service_pb2
from hashsvc.v1.admin_service_pb2_grpc import add_AdminServiceServicer_to_server
from hashsvc.v1.list_service_pb2_grpc import add_ListServiceServicer_to_server
from hashsvc.v1.match_service_pb2_grpc import add_MatchServiceServicer_to_server

_MATCH = match_service_pb2.DESCRIPTOR.services_by_name["MatchService"]
_LISTS = list_service_pb2.DESCRIPTOR.services_by_name["ListService"]
_ADMIN = admin_service_pb2.DESCRIPTOR.services_by_name["AdminService"]
_REFLECTION = reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"]
_SERVICES = (_MATCH.full_name, _LISTS.full_name, _ADMIN.full_name)
_OVERALL = ""
_KEEPALIVE_MS = 30_000


class Server:
    """Listens, says whether the node is ready, and drains."""

    def __init__(self, settings: Settings, admission: Admission) -> None:
        self._listen = settings.listen
        self._credentials = server_credentials(settings.tls) if settings.tls.key else None
        self._admission = admission
        limit = settings.limits.max_message_bytes
        self._server = grpc.aio.server(
            maximum_concurrent_rpcs=settings.limits.max_concurrent_calls,
            options=[
                ("grpc.max_receive_message_length", limit),
                ("grpc.max_send_message_length", limit),
                # Two servers on one port would share its calls at random.
                ("grpc.so_reuseport", 0),
                ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
                ("grpc.http2.min_ping_interval_without_data_ms", _KEEPALIVE_MS // 3),
            ],
        )
        self._health = health.aio.HealthServicer()
        self._is_started = False
        self.address = settings.listen

    def add(
        self, around: AroundCalls, match: MatchServicer, lists: ListServicer, admin: AdminServicer
    ) -> None:
        """Register the servicers; before `start`."""
        add_MatchServiceServicer_to_server(around.servicer(_MATCH, match), self._server)
        add_ListServiceServicer_to_server(around.servicer(_LISTS, lists), self._server)
        add_AdminServiceServicer_to_server(around.servicer(_ADMIN, admin), self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (*_SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflected = around.servicer(_REFLECTION, reflection.aio.ReflectionServicer(names))
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(reflected, self._server)

    async def start(self) -> None:
        """Open the port, not ready yet.

        Raises:
            ConfigError: it cannot be opened.
        """
        try:
            if self._credentials is None:
                port = self._server.add_insecure_port(self._listen)
            else:
                port = self._server.add_secure_port(self._listen, self._credentials)
        except RuntimeError:
            port = 0
        if port == 0:
            raise ConfigError(f"cannot listen on {self._listen}: is it in use?")
        if not self._listen.startswith("unix:"):
            self.address = f"{self._listen.rpartition(':')[0]}:{port}"
        await self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)
        await self._server.start()
        self._is_started = True

    async def set_ready(self) -> None:
        """Let calls in."""
        self._admission.is_ready = True
        await self._set_health(health_pb2.HealthCheckResponse.SERVING)

    async def wait_closed(self) -> None:
        """Wait until the server has stopped."""
        await self._server.wait_for_termination()

    async def stop(self, drain_s: float) -> None:
        """Say NOT_SERVING, refuse new calls, and give those under way `drain_s` seconds."""
        if self._is_started:
            self._is_started = False
            await self._health.enter_graceful_shutdown()
            await self._server.stop(drain_s)

    async def _set_health(self, status: int) -> None:
        for name in (_OVERALL, *_SERVICES):
            await self._health.set(name, status)
