"""Open streams: they end with their caller's rights, when nothing comes, and go at its pace."""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from hashsvc.app import Node
from hashsvc.config import load
from hashsvc.errors import ConfigError
from hashsvc.v1 import admin_service_pb2, match_service_pb2
from tests.harness import running_node
from tests.service.town import Town, add, check, refused, set_up

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
DENIED = grpc.StatusCode.PERMISSION_DENIED


class Stream:
    """A stream that stays open, fed by hand."""

    def __init__(self, call: Callable[..., Any], arguments: dict[str, Any]) -> None:
        self.requests: queue.Queue[Any] = queue.Queue()
        self.call = call(iter(self.requests.get, None), **arguments)

    def ask(self, request: Any) -> Any:
        """Send a message and wait for its answer."""
        self.requests.put(request)
        return next(self.call)

    def ended(self) -> grpc.StatusCode:
        """Wait until it ends by itself, and say how."""
        status = refused(lambda: next(self.call))
        self.requests.put(None)
        return status


@pytest.fixture
def checks(town: Town) -> Iterator[Stream]:
    """An open CheckBatch stream of eve, which works."""
    stream = Stream(town.match.CheckBatch, town.by("eve"))
    stream.ask(batch(1))
    yield stream
    stream.call.cancel()
    stream.requests.put(None)


def batch(count: int) -> match_service_pb2.CheckBatchRequest:
    """So many checks."""
    return match_service_pb2.CheckBatchRequest(checks=[check(1)] * count)


def change(town: Town, partner: str, **values: Any) -> None:
    """Change a partner as the administrator."""
    request = admin_service_pb2.UpdatePartnerRequest(
        partner={"id": partner, **values}, update_mask={"paths": list(values)}
    )
    town.admin.UpdatePartner(request, **town.by("hub"))


def test_revoking_ends_a_stream_on_which_nothing_moves(town: Town, checks: Stream) -> None:
    """At once, not with the next message; streams of others go on."""
    other = Stream(town.match.CheckBatch, town.by("bolt"))
    other.ask(batch(1))
    listed = town.admin.ListCredentials(
        admin_service_pb2.ListCredentialsRequest(partner="eve"), **town.by("hub")
    )
    revoke = admin_service_pb2.RevokeCredentialRequest(id=listed.credentials[0].id)
    town.admin.RevokeCredential(revoke, **town.by("hub"))
    assert checks.ended() is UNAUTHENTICATED
    assert len(other.ask(batch(2)).results) == 2
    other.requests.put(None)


def test_suspending_ends_streams(town: Town, checks: Stream) -> None:
    """As revoking does."""
    change(town, "eve", suspended=True)
    assert checks.ended() is UNAUTHENTICATED


def test_taking_the_role_away_ends_a_stream(town: Town, checks: Stream) -> None:
    """The caller is known, and told what it lacks."""
    change(town, "eve", grants=["follow:acme/known"])
    assert checks.ended() is DENIED


def test_grants_count_for_the_next_message(town: Town, checks: Stream) -> None:
    """For which lists a partner checks is looked at anew, and the stream goes on."""
    assert checks.ask(batch(1)).results[0].verdict.matches
    change(town, "eve", grants=["check:acme/other"])
    assert not checks.ask(batch(1)).results[0].verdict.matches
    stream = Stream(town.lists.AddEntries, town.by("bolt"))
    assert stream.ask(add("acme/shared", 2)).entries
    change(town, "bolt", grants=["follow:acme/shared", "contribute:bolt/own"])
    stream.requests.put(add("acme/shared", 3))
    assert stream.ended() is DENIED


def test_an_upload_ends_with_its_callers_rights(town: Town) -> None:
    """A call that only receives is no exception."""
    requests: queue.Queue[Any] = queue.Queue()
    requests.put(match_service_pb2.CheckMediaRequest(chunk=b"GIF89a"))
    call = town.match.CheckMedia.future(iter(requests.get, None), **town.by("eve"))
    # Its first message is there before the next call is served.
    town.match.Check(check(1), **town.by("eve"))
    change(town, "eve", suspended=True)
    assert refused(call.result) is UNAUTHENTICATED
    requests.put(None)


def test_idle_streams_and_slow_uploads_end(tmp_path: Path) -> None:
    """They would hold a place for ever; each is told in its own words."""
    keys = set_up(tmp_path / "data")
    limits = {"max_idle_stream_s": 0.2, "max_upload_s": 0.3}
    with running_node(tmp_path / "data", authentication=True, limits=limits) as address:
        town = Town(address, keys)
        stream = Stream(town.match.CheckBatch, town.by("eve"))
        stream.ask(batch(1))
        assert stream.ended() is grpc.StatusCode.UNAVAILABLE
        stop = threading.Event()

        def trickle() -> Iterator[match_service_pb2.CheckMediaRequest]:
            while not stop.wait(0.05):
                yield match_service_pb2.CheckMediaRequest(chunk=b"x")

        status = refused(lambda: town.match.CheckMedia(trickle(), **town.by("eve")))
        stop.set()
        assert status is grpc.StatusCode.DEADLINE_EXCEEDED
        town.channel.close()


def test_a_caller_that_takes_nothing_loses_its_place(tmp_path: Path) -> None:
    """Its silence counts as idleness. It is told behind what came before, if it ever takes that."""
    keys = set_up(tmp_path / "data")
    limits: dict[str, Any] = {"max_idle_stream_s": 0.5, "max_concurrent_streams": 2}
    limits["max_partner_calls_per_s"] = 1_000_000
    with running_node(tmp_path / "data", authentication=True, limits=limits) as address:
        town = Town(address, keys)

        def always() -> Iterator[match_service_pb2.CheckBatchRequest]:
            while True:
                yield batch(500)

        def again(partner: str) -> None:
            list(town.match.CheckBatch(iter([batch(1)]), **town.by(partner)))

        deaf = {}
        for partner in ("eve", "bolt"):
            call = town.match.CheckBatch(always(), **town.by(partner) | {"timeout": 100})
            next(call)
            deaf[partner] = call
            # Half of two places, and it has that one.
            assert refused(partial(again, partner)) is grpc.StatusCode.RESOURCE_EXHAUSTED
        for partner in deaf:
            while True:
                with suppress(grpc.RpcError):
                    again(partner)
                    break
        with pytest.raises(grpc.RpcError, match=r"nothing moved for 0\.5 s") as caught:
            list(deaf["eve"])
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    # The node has stopped, although one of them never took anything.
    assert refused(lambda: list(deaf["bolt"])) is grpc.StatusCode.UNAVAILABLE
    town.channel.close()


def test_watching_health_is_bounded(node: str) -> None:
    """Anybody may, without a credential; a hundred at once."""
    with grpc.insecure_channel(node) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest()
        calls = [health.Watch(request, timeout=30) for _ in range(100)]
        for call in calls:
            assert next(call).status == health_pb2.HealthCheckResponse.SERVING
        status = refused(lambda: next(health.Watch(request, timeout=30)))
        assert status is grpc.StatusCode.RESOURCE_EXHAUSTED
        calls[0].cancel()


def test_a_stream_goes_at_its_partners_pace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it brings beyond the rate waits, and is not lost; the waits add up to what is due."""
    keys = set_up(tmp_path / "data")
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("hashsvc.rpc.admission.asyncio", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr("hashsvc.rpc.admission.monotonic", lambda: 1.0)
    limits = {"max_partner_calls_per_s": 10}
    with running_node(tmp_path / "data", authentication=True, limits=limits) as address:
        town = Town(address, keys)
        stream = Stream(town.match.CheckBatch, town.by("eve"))
        for _ in range(3):
            assert len(stream.ask(batch(50)).results) == 50
        stream.requests.put(None)
        town.channel.close()
    # Each is 1 + 50 / 10 calls; ten were there; one call pays for the stream itself.
    assert waits == pytest.approx([0.2, 0.8])


def test_two_nodes_do_not_share_a_port(tmp_path: Path) -> None:
    """Though a node's own acceptors do."""
    set_up(tmp_path / "one")
    set_up(tmp_path / "two")
    with running_node(tmp_path / "one", authentication=True) as address:
        flags = {"data": tmp_path / "two", "listen": address, "authentication": True}
        with pytest.raises(ConfigError, match="is it in use"):
            _start(flags)


def _start(flags: dict[str, Any]) -> None:
    import asyncio

    async def start() -> None:
        async with Node(load(None, flags)):
            pass

    asyncio.run(start())


def test_giant_messages_and_metadata_are_refused(town: Town) -> None:
    """Before they are read."""
    giant = match_service_pb2.CheckMediaRequest(chunk=bytes(17 << 20))
    status = refused(lambda: town.match.CheckMedia(iter([giant]), **town.by("eve")))
    assert status is grpc.StatusCode.RESOURCE_EXHAUSTED
    arguments = town.by("eve")
    arguments["metadata"].append(("x-giant", "x" * 40_000))
    status = refused(lambda: town.match.Check(check(1), **arguments))
    assert status is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert town.match.Check(check(1), **town.by("eve")).verdict.matches
