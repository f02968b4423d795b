"""The gRPC server: sockets, health, reflection, drain.

A gRPC server of Python takes in one call at a time in each round of the event loop, in the order of
arrival, before anybody can say whose it is: a few hundred calls of one partner that wait there hold
up all others. So a node with several partners has many *acceptors*, servers on one port, over which
the kernel spreads the connections.
"""

import asyncio
import socket

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

from hashsvc.config import Settings
from hashsvc.errors import ConfigError
from hashsvc.rpc.admin import AdminServicer
from hashsvc.rpc.admission import Admission
from hashsvc.rpc.calls import AroundCalls
from hashsvc.rpc.health import Health
from hashsvc.rpc.lists import ListServicer
from hashsvc.rpc.match import MatchServicer
from hashsvc.rpc.sync import SyncServicer
from hashsvc.tls import server_credentials
from hashsvc.v1 import (
    admin_service_pb2,
    list_service_pb2,
    match_service_pb2,
    sync_service_pb2,
)
from hashsvc.v1.admin_service_pb2_grpc import add_AdminServiceServicer_to_server
from hashsvc.v1.list_service_pb2_grpc import add_ListServiceServicer_to_server
from hashsvc.v1.match_service_pb2_grpc import add_MatchServiceServicer_to_server
from hashsvc.v1.sync_service_pb2_grpc import add_SyncServiceServicer_to_server

_MATCH = match_service_pb2.DESCRIPTOR.services_by_name["MatchService"]
_LISTS = list_service_pb2.DESCRIPTOR.services_by_name["ListService"]
_SYNC = sync_service_pb2.DESCRIPTOR.services_by_name["SyncService"]
_ADMIN = admin_service_pb2.DESCRIPTOR.services_by_name["AdminService"]
_REFLECTION = reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"]
_SERVICES = (_MATCH.full_name, _LISTS.full_name, _SYNC.full_name, _ADMIN.full_name)
_OVERALL = ""
_KEEPALIVE_MS = 30_000
_METADATA_BYTES = 8_192


class Server:
    """Listens, says whether the node is ready, and drains."""

    def __init__(self, settings: Settings, admission: Admission) -> None:
        self._listen = settings.listen
        self._admission = admission
        is_shared = settings.authentication and not settings.listen.startswith("unix:")
        count = settings.limits.acceptors if is_shared else 1
        limits = settings.limits
        options = [
            ("grpc.max_receive_message_length", limits.max_message_bytes),
            ("grpc.max_send_message_length", limits.max_message_bytes),
            ("grpc.max_metadata_size", _METADATA_BYTES),
            ("grpc.absolute_max_metadata_size", 2 * _METADATA_BYTES),
            ("grpc.so_reuseport", int(count > 1)),
            ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
            ("grpc.http2.min_ping_interval_without_data_ms", _KEEPALIVE_MS // 3),
            ("grpc.max_connection_idle_ms", round(limits.max_idle_connection_s * 1000)),
            ("grpc.server_handshake_timeout_ms", round(limits.max_handshake_s * 1000)),
        ]
        self._credentials = server_credentials(settings.tls, count) if settings.tls.key else []
        self._servers = [grpc.aio.server(options=options) for _ in range(count)]
        self._health = Health()
        self._is_started = False
        self.address = settings.listen

    def add(
        self,
        around: AroundCalls,
        match: MatchServicer,
        lists: ListServicer,
        sync: SyncServicer,
        admin: AdminServicer,
    ) -> None:
        """Register the servicers; before `start`."""
        names = (*_SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflected = around.servicer(_REFLECTION, reflection.aio.ReflectionServicer(names))
        wrapped = [
            around.servicer(*one)
            for one in ((_MATCH, match), (_LISTS, lists), (_SYNC, sync), (_ADMIN, admin))
        ]
        for server in self._servers:
            add_MatchServiceServicer_to_server(wrapped[0], server)
            add_ListServiceServicer_to_server(wrapped[1], server)
            add_SyncServiceServicer_to_server(wrapped[2], server)
            add_AdminServiceServicer_to_server(wrapped[3], server)
            health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
            reflection_pb2_grpc.add_ServerReflectionServicer_to_server(reflected, server)

    async def start(self) -> None:
        """Open the port, not ready yet.

        Raises:
            ConfigError: it cannot be opened.
        """
        if len(self._servers) > 1:
            _check_free(self._listen)
        for number, server in enumerate(self._servers):
            try:
                if self._credentials:
                    port = server.add_secure_port(self.address, self._credentials[number])
                else:
                    port = server.add_insecure_port(self.address)
            except RuntimeError:
                port = 0
            if port == 0:
                raise ConfigError(f"cannot listen on {self._listen}: is it in use?")
            if not self._listen.startswith("unix:"):
                self.address = f"{self._listen.rpartition(':')[0]}:{port}"
        await self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)
        for server in self._servers:
            await server.start()
        self._is_started = True

    async def set_ready(self) -> None:
        """Let calls in."""
        self._admission.is_ready = True
        await self._set_health(health_pb2.HealthCheckResponse.SERVING)

    async def wait_closed(self) -> None:
        """Wait until the server has stopped."""
        for server in self._servers:
            await server.wait_for_termination()

    async def stop(self, drain_s: float) -> None:
        """Say NOT_SERVING, refuse new calls, and give those under way `drain_s` seconds."""
        if self._is_started:
            self._is_started = False
            await self._health.enter_graceful_shutdown()
            await asyncio.gather(*(server.stop(drain_s) for server in self._servers))

    async def _set_health(self, status: int) -> None:
        for name in (_OVERALL, *_SERVICES):
            await self._health.set(name, status)


def _check_free(listen: str) -> None:
    """Refuse a port that somebody has: two nodes on one port would share its calls at random.

    Raises:
        ConfigError: somebody has it.
    """
    host, _, port = listen.rpartition(":")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]"), int(port), type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            # Connections that were closed a moment ago do not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
    except OSError as error:
        raise ConfigError(f"cannot listen on {listen}: is it in use? ({error.strerror})") from None
