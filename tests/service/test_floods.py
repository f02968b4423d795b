"""Floods of connections and streams are bounded; others are served, and nothing is left behind."""

import queue
import resource
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from hashsvc.v1 import match_service_pb2
from hashsvc.v1.match_service_pb2_grpc import MatchServiceStub
from tests.harness import running_node
from tests.service.tls_files import Tls
from tests.service.town import Town, check, refused, set_up

# The beginning of HTTP/2, and an empty frame of SETTINGS.
_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
_SPARE_DESCRIPTORS = 500
_UNKNOWN = 99
_DESCRIPTORS = Path("/proc/self/fd")

pytestmark = pytest.mark.skipif(not _DESCRIPTORS.exists(), reason="needs /proc of Linux")


def descriptors() -> int:
    """How many this process has open: the node's and the test's."""
    return len(list(_DESCRIPTORS.iterdir()))


def resident_bytes() -> int:
    """Memory of this process: the node's and the test's."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.fixture
def room() -> Iterator[int]:
    """For how many connections, both ends in this process, there are descriptors: 2,000 at most."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    free = 1 << 20 if hard == resource.RLIM_INFINITY else hard - descriptors() - _SPARE_DESCRIPTORS
    count = min(2_000, free // 2)
    if count < 100:
        pytest.skip(f"needs more open files than {hard:,}")
    yield count
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def connections(address: str, count: int) -> Iterator[list[socket.socket]]:
    """So many connections on which nothing is said."""
    host, _, port = address.rpartition(":")
    with ExitStack() as open_ones:
        yield [
            open_ones.enter_context(socket.create_connection((host, int(port))))
            for _ in range(count)
        ]


def is_closed_by_peer(connection: socket.socket) -> bool:
    """Wait until the other side has closed a connection."""
    connection.settimeout(60)
    try:
        while connection.recv(4_096):
            pass
    except ConnectionResetError:
        pass
    return True


def comes_true(condition: Callable[[], bool], town: Town) -> bool:
    """Whether a condition comes true while a partner goes on calling."""
    for _ in range(2_000):
        if condition():
            return True
        town.match.Check(check(_UNKNOWN), **town.by("bolt"))
    return False


def test_connections_that_say_nothing(tmp_path: Path, room: int) -> None:
    """Thousands hold little memory and no place; a partner's checks go on, over new ones too."""
    keys = set_up(tmp_path / "data")
    limits = {"max_handshake_s": 600}
    with running_node(tmp_path / "data", authentication=True, limits=limits) as address:
        town = Town(address, keys)
        town.match.Check(check(_UNKNOWN), **town.by("acme"))
        files, memory = descriptors(), resident_bytes()
        with connections(address, room) as silent:
            # Half of them begin to speak.
            for connection in silent[::2]:
                connection.sendall(_HELLO)
            assert comes_true(lambda: descriptors() >= 2 * room, town)
            for _ in range(20):
                with grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]) as new:
                    stub = MatchServiceStub(new)
                    assert stub.Check(check(_UNKNOWN), **town.by("acme")).verdict.revision
            # Measured: 13 KiB, both ends.
            assert resident_bytes() - memory < room * 64 * 1024
        assert comes_true(lambda: descriptors() <= files, town)
        town.channel.close()


@pytest.mark.parametrize("has_tls", [False, True])
def test_the_silent_are_closed(tmp_path: Path, room: int, has_tls: bool) -> None:
    """Those that never speak when their handshake is due, those that fall silent when idle."""
    limits = {"max_handshake_s": 0.5, "max_idle_connection_s": 0.5}
    flags: dict[str, Any] = {"limits": limits}
    if has_tls:
        flags |= {"tls": Tls(tmp_path / "tls").settings(client_ca=False)}
    set_up(tmp_path / "data")
    with (
        running_node(tmp_path / "data", authentication=True, **flags) as address,
        connections(address, min(room, 300)) as silent,
    ):
        for connection in silent[::2]:
            connection.sendall(_HELLO)
        assert all(map(is_closed_by_peer, silent))


def test_idle_streams_of_one_partner(tmp_path: Path) -> None:
    """Beyond its share it is told when to come back; others, and its other calls, get in."""
    keys = set_up(tmp_path / "data")
    limits = {"max_concurrent_streams": 800}
    with running_node(tmp_path / "data", authentication=True, limits=limits) as address:
        town = Town(address, keys)
        ended: queue.Queue[Any] = queue.Queue()
        silence = threading.Event()

        def nothing() -> Iterator[match_service_pb2.CheckBatchRequest]:
            silence.wait()
            yield from ()

        def batch(partner: str) -> None:
            one = match_service_pb2.CheckBatchRequest(checks=[check(_UNKNOWN)])
            (answer,) = town.match.CheckBatch(iter([one]), **town.by(partner))
            assert answer.results[0].verdict.revision

        streams = []
        for _ in range(600):
            stream: Any = town.match.CheckBatch(nothing(), **town.by("acme") | {"timeout": None})
            stream.add_done_callback(ended.put)
            streams.append(stream)
        refusals = [ended.get() for _ in range(200)]
        for refusal in refusals:
            assert refusal.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert _retry_delay_ms(refusal) > 0
        assert refused(lambda: batch("acme")) is grpc.StatusCode.RESOURCE_EXHAUSTED
        batch("bolt")
        assert town.match.Check(check(_UNKNOWN), **town.by("acme")).verdict.revision
        assert ended.empty()
        # Those that are in end as streams do, and make room.
        silence.set()
        assert {ended.get().code() for _ in range(400)} == {grpc.StatusCode.OK}
        batch("acme")
        town.channel.close()


def _retry_delay_ms(call: Any) -> int:
    """When a refused caller may come back."""
    status = rpc_status.from_call(call)
    retry = error_details_pb2.RetryInfo()
    assert any(detail.Unpack(retry) for detail in status.details)
    return int(retry.retry_delay.ToMilliseconds())


def test_a_storm_of_new_connections(town: Town) -> None:
    """Each call on one of its own is answered or refused; nothing stays open in the node."""
    _storm(town, 20)
    files = descriptors()
    told = _storm(town, 600)
    assert set(told) <= {"OK", "RESOURCE_EXHAUSTED", "UNAUTHENTICATED"}
    assert told["UNAUTHENTICATED"] == 200
    assert told["OK"] > 0
    _break_off(town.address, 300)
    assert comes_true(lambda: descriptors() <= files, town)


def _storm(town: Town, count: int) -> Counter[str]:
    """Call over new connections, a third one after the other, the rest at once; statuses."""

    def call(number: int) -> str:
        arguments = town.by("acme" if number % 3 else "bolt")
        if number % 3 == 2:
            arguments["metadata"] = [("authorization", "Bearer hsk_unknown_key")]
        options = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(town.address, options) as channel:
            try:
                MatchServiceStub(channel).Check(check(_UNKNOWN), **arguments | {"timeout": 60})
            except grpc.RpcError as error:
                return str(error.code().name)
            return "OK"

    told = Counter(map(call, range(count // 3)))
    with ThreadPoolExecutor(64) as at_once:
        told.update(at_once.map(call, range(count // 3, count)))
    return told


def _break_off(address: str, count: int) -> None:
    """Begin to speak on new connections, and reset them."""
    with connections(address, count) as broken:
        for connection in broken:
            connection.sendall(_HELLO)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
