"""The server: health, reflection, bounded concurrency, deadlines, drain, refusals."""

import asyncio
import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool, message_factory
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from grpc_status import rpc_status
from PIL import Image

from hashsvc import testpattern
from hashsvc.app import Node
from hashsvc.config import load
from hashsvc.errors import ConfigError, StoreError
from hashsvc.model import OPERATOR
from hashsvc.rpc import access
from hashsvc.rpc.access import ANYBODY
from hashsvc.rpc.admission import Admission
from hashsvc.v1 import list_service_pb2 as lists
from hashsvc.v1 import match_service_pb2 as pb
from hashsvc.v1.match_service_pb2_grpc import MatchServiceStub
from hashsvc_client import Client, DeadlineExceeded, LimitReached, ServiceUnavailable
from tests.harness import pdq_draft, running_node
from tests.processes import hashsvc, serving


def test_health_says_serving(node: str) -> None:
    """For the whole node and for each service."""
    with grpc.insecure_channel(node) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for service in ("", "hashsvc.v1.MatchService", "hashsvc.v1.ListService"):
            answer = stub.Check(health_pb2.HealthCheckRequest(service=service))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_reflection_is_enough_to_call_it(node: str) -> None:
    """As grpcurl does: nothing of hashsvc is imported, all comes from the server."""
    with grpc.insecure_channel(node) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert {"hashsvc.v1.MatchService", "hashsvc.v1.ListService"} <= set(database.get_services())
        pool = descriptor_pool.DescriptorPool(database)
        method = pool.FindServiceByName("hashsvc.v1.MatchService").methods_by_name["Check"]
        request: Any = message_factory.GetMessageClass(method.input_type)()
        request.media_type = 1
        request.fingerprints.add(algorithm=1, value=bytes(32))
        call: Any = channel.unary_unary(
            "/hashsvc.v1.MatchService/Check",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
        )
        assert call(request).verdict.outcome == 1


def test_overload_is_refused_at_once(tmp_path: Path) -> None:
    """With a hint when to come back; a place that is freed is given again."""
    with (
        running_node(tmp_path, limits={"max_concurrent_streams": 1}) as node,
        Client(node) as client,
    ):
        client.create_list("acme/known")
        held: queue.Queue[lists.AddEntriesRequest | None] = queue.Queue()
        stream = client._lists.AddEntries(iter(held.get, None))
        entry = lists.AddEntriesRequest(request_id="1", list="acme/known")
        from hashsvc import translate

        entry.entries.append(translate.draft_to_proto(pdq_draft(1)))
        held.put(entry)
        next(stream)
        client.create_list("acme/other")
        with pytest.raises(LimitReached) as caught:
            client.add_entries("acme/other", [pdq_draft(2)])
        assert caught.value.reason == "OVERLOADED"
        assert caught.value.retry_after_s
        held.put(None)
        assert list(stream) == []
        client.add_entries("acme/other", [pdq_draft(2)])


def test_admission_counts_each_kind_apart() -> None:
    """Writes do not take the places of checks."""
    admission = Admission(load(None, {"limits": {"max_concurrent_writes": 1}}).limits)
    admission.is_ready = True
    write, check = admission.door("WithdrawEntry"), admission.door("Check")
    with write(OPERATOR):
        with check(OPERATOR):
            pass
        with pytest.raises(Exception, match="too many writes"), write(OPERATOR):
            pass
    with write(OPERATOR):
        pass


def test_every_method_has_its_place() -> None:
    """A method that admission does not know could not be called."""
    known = Admission(load(None, {}).limits)._rooms
    named = {path.rpartition("/")[2] for path, need in access.NEEDS.items() if need != ANYBODY}
    assert named == set(known)


def test_a_client_that_gives_up_frees_its_place(tmp_path: Path, shared_media: Path) -> None:
    """The decoder of an abandoned upload is free for the next one."""
    limits = {"max_concurrent_media": 1}
    with running_node(tmp_path, limits=limits, decoding={"workers": 1}) as node:
        never = threading.Event()

        def parts() -> Iterator[pb.CheckMediaRequest]:
            yield pb.CheckMediaRequest(chunk=b"\xff\xd8\xff")
            never.wait()

        with grpc.insecure_channel(node) as channel:
            with pytest.raises(grpc.RpcError) as caught:
                MatchServiceStub(channel).CheckMedia(parts(), timeout=0.2)
            assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        never.set()
        with Client(node) as client:
            path = shared_media / "images" / "kodak_1.jpg"
            for _ in range(100):
                try:
                    client.check_file(path, send_media=True)
                    break
                except LimitReached:
                    continue
            else:
                pytest.fail("the place was never freed")


def test_deadlines_end_a_check_in_a_busy_decoder(tmp_path: Path) -> None:
    """The caller hears in time, and the node serves the next one."""
    large = tmp_path / "large.png"
    Image.new("RGB", (9_000, 9_000), "teal").save(large, compress_level=1)
    with running_node(tmp_path / "data", decoding={"workers": 1}) as node:
        with Client(node, timeout_s=0.15) as hasty, pytest.raises(DeadlineExceeded):
            hasty.check_file(large, send_media=True)
        with Client(node) as client:
            client.check_file(testpattern.PATH, send_media=True)


def test_errors_carry_standard_details(node: str) -> None:
    """ErrorInfo with domain and reason, BadRequest with the field."""
    with grpc.insecure_channel(node) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            MatchServiceStub(channel).Check(pb.CheckRequest())
        status = rpc_status.from_call(caught.value)
    assert status is not None
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(bad)
    assert (info.domain, info.reason) == ("hashsvc", "INVALID_FIELD")
    assert bad.field_violations[0].field == "media_type"


def test_a_fault_never_shows_its_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller gets an id to ask the operator with."""
    from hashsvc.matching.matcher import Matcher

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(Matcher, "search", fail)
    with running_node(tmp_path) as node, Client(node) as client:
        with pytest.raises(Exception, match="call_id") as caught:
            client.check(pdq_draft(1).fingerprints)
        assert "secret" not in str(caught.value)


def test_sigterm_lets_calls_under_way_end(tmp_path: Path) -> None:
    """An open contribution is answered; new calls are refused; the exit status is 0."""
    with serving(tmp_path / "data") as server, Client(server.address) as client:
        client.create_list("acme/known")
        waiting, seen = threading.Event(), threading.Event()

        def batches() -> Iterator[list]:  # type: ignore[type-arg]
            yield [pdq_draft(1)]
            waiting.wait(20)
            yield [pdq_draft(2)]

        answers = client.add_batches("acme/known", batches())
        next(answers)
        server.process.terminate()
        with grpc.insecure_channel(server.address) as channel:
            for _ in range(10_000):
                try:
                    MatchServiceStub(channel).Check(pb.CheckRequest(), timeout=5)
                except grpc.RpcError as error:
                    if error.code() is grpc.StatusCode.UNAVAILABLE:
                        seen.set()
                        break
        assert seen.is_set()
        waiting.set()
        assert next(answers).entries[0].name == "acme/known#2"
        assert server.process.wait(30) == 0


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "10.1.2.3:50051", "example.org:80"])
def test_it_refuses_to_listen_where_others_reach_it(tmp_path: Path, listen: str) -> None:
    """Without TLS and authentication, loopback only."""
    done = hashsvc("serve", "--data", tmp_path / "data", "--listen", listen)
    assert done.returncode == 1
    assert "without TLS and authentication" in done.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("listen", ["localhost:0", "[::1]:0", "unix:SOCKET"])
def test_it_listens_on_loopback_and_unix_sockets(
    tmp_path: Path, listen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every loopback form works."""
    monkeypatch.chdir(tmp_path)
    settings = load(None, {"data": tmp_path / "data", "listen": listen})

    async def main() -> None:
        async with Node(settings) as node, grpc.aio.insecure_channel(node.address) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            answer = await stub.Check(health_pb2.HealthCheckRequest())
            assert answer.status == health_pb2.HealthCheckResponse.SERVING

    asyncio.run(main())


def test_a_port_in_use_is_told(node: str, tmp_path: Path) -> None:
    """In one line, with status 1."""
    done = hashsvc("serve", "--data", tmp_path / "other", "--listen", node)
    assert done.returncode == 1
    assert f"cannot listen on {node}" in done.stderr


def test_a_data_folder_belongs_to_one_node(node: str, tmp_path: Path) -> None:
    """The `node` fixture holds it."""
    done = hashsvc("serve", "--data", tmp_path / "data", "--listen", "127.0.0.1:0")
    assert done.returncode == 1
    assert "another hashsvc" in done.stderr


def test_a_newer_or_foreign_database_is_refused(tmp_path: Path) -> None:
    """It is left as it is."""
    import sqlite3

    from hashsvc.store.store import Store

    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    with pytest.raises(StoreError, match="not hashsvc's"):
        Store(f"sqlite:///{foreign}")
    newer = tmp_path / "newer.db"
    Store(f"sqlite:///{newer}").close()
    with sqlite3.connect(newer) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(StoreError, match="newer"):
        Store(f"sqlite:///{newer}")
    garbage = tmp_path / "garbage.db"
    garbage.write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError, match="cannot use"):
        Store(f"sqlite:///{garbage}")


def test_settings_come_from_file_environment_and_flags(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In rising order of weight; what is unknown or wrong is named."""
    file = tmp_path / "hashsvc.toml"
    file.write_text(
        'listen = "127.0.0.1:1"\n[matching]\npdq_radius = 20\n'
        '[[policy.rules]]\naction = "block"\nexact = true\n'
        '[[matching.lists]]\nname = "acme/*"\npdq_radius = 10\n'
    )
    monkeypatch.setenv("HASHSVC_MATCHING__PDQ_RADIUS", "25")
    settings = load(file, {"listen": "127.0.0.1:2"})
    assert (settings.listen, settings.matching.pdq_radius) == ("127.0.0.1:2", 25)
    assert settings.policy.rules[0].exact is True
    assert settings.matching.lists[0].pdq_radius == 10
    file.write_text('[[matching.lists]]\nname = "acme/known"\nmin_pdq_quality = 40\n')
    with pytest.raises(ConfigError, match="acme/known is 40, below that of all lists"):
        load(file, {})
    file.write_text("[matching]\npdq_raduis = 20\n")
    with pytest.raises(ConfigError, match="pdq_raduis"):
        load(file, {})
    file.write_text("not toml")
    with pytest.raises(ConfigError, match="cannot read"):
        load(file, {})


def test_an_absent_node_is_told(tmp_path: Path) -> None:
    """After the client's retries."""
    with Client(f"unix:{tmp_path / 'nobody'}") as client, pytest.raises(ServiceUnavailable):
        client.get_list("acme/known")
