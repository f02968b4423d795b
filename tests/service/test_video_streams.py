"""CheckVideo as a stream: what it holds, who it lets in, and that it always ends."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
import pytest

from hashsvc.app import Node
from hashsvc.config import load
from hashsvc.v1.match_service_pb2_grpc import MatchServiceStub
from hashsvc_client import AsyncClient, Client, LimitReached, ServiceUnavailable, VideoProgress
from hashsvc_client.errors import from_rpc_error
from tests.harness import running_node
from tests.media.puppet import is_there, until
from tests.service.footage import Studio, chunk, clip, frames
from tests.service.test_streams import Stream
from tests.service.town import Town, set_up

EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
MIB = 1024 * 1024
_FILLING = (b"\x47\x1f\xff\x10" + b"\xff" * 184) * 5000
"""Bytes of an MPEG-TS that show nothing."""

# A program that sends the start of a video, says so when it is answered, and sends no more.
_UPLOADER = """
import sys, threading
from pathlib import Path
from hashsvc_client import Client

def chunks():
    yield Path(sys.argv[2]).read_bytes()
    threading.Event().wait()

for progress in Client(sys.argv[1]).check_video(chunks()):
    print("answered", flush=True)
"""


class Open:
    """What a node holds for videos that are being checked."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._pool = node._stream_decoders
        assert node._streams is not None
        self._streams = node._streams

    @property
    def decoder(self) -> int:
        """The process of the one decoder."""
        (starting, *_) = [*self._pool._busy, *self._pool._idle]
        return starting.result().pid

    def is_nothing(self) -> bool:
        """Whether there is no stream, no place taken, no busy decoder and none that is ending."""
        room = self._node._admission._rooms["CheckVideo"]
        held = (self._streams.all, room.inside, self._pool.busy, self._pool._endings)
        return not any(held)


@asynccontextmanager
async def one_decoder(data: Path) -> AsyncIterator[Node]:
    """A node with one decoder for streams."""
    own: dict[str, Any] = {"data": data, "listen": "127.0.0.1:0", "drain_s": 0.1}
    own |= {"decoding": {"workers": 1, "stream_workers": 1}}
    async with Node(load(None, own)) as node:
        yield node


async def test_an_abandoned_stream_frees_everything(tmp_path: Path, studio: Studio) -> None:
    """Whether its caller ends it, or its caller's process is gone; the next one is served."""
    begun = studio()[: len(studio()) // 2]
    path = tmp_path / "begun"
    path.write_bytes(begun)
    async with one_decoder(tmp_path / "data") as node, AsyncClient(node.address) as client:
        held = Open(node)

        async def chunks() -> AsyncIterator[bytes]:
            yield begun
            await asyncio.Future()

        async with aclosing(client.check_video(chunks())) as answers:
            await anext(answers)
            decoder = held.decoder
            assert not held.is_nothing()
        await until(held.is_nothing)
        assert not is_there(decoder)

        uploader = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _UPLOADER, node.address, path, stdout=subprocess.PIPE
        )
        assert uploader.stdout is not None
        assert await uploader.stdout.readline() == b"answered\n"
        decoder = held.decoder
        assert not held.is_nothing()
        uploader.kill()
        await until(held.is_nothing)
        assert not is_there(decoder)
        await uploader.wait()

        answers = client.check_video([studio()])
        assert [answer async for answer in answers][-1].is_final


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A node with one place, which ends idle streams soon, and takes little."""
    limits = {"max_idle_stream_s": 0.3, "max_concurrent_videos": 1, "max_check_fingerprints": 10}
    decoding = {"workers": 1, "max_duration_s": 50}
    folder = tmp_path_factory.mktemp("hasty")
    with running_node(folder, limits=limits, decoding=decoding) as address:
        yield address


def test_who_takes_no_answers_sends_no_more(hasty: str, studio: Studio) -> None:
    """The node reads on only as answers are taken; at last the stream ends, as idle ones do."""
    # It has more answers than what the channel takes ahead.
    data = studio(range(200, 260), "ts")
    sent = 0

    def parts() -> Iterator[Any]:
        nonlocal sent
        for at in range(0, len(data), 5000):
            yield chunk(data[at : at + 5000])
        while sent < 1024 * MIB:
            sent += len(_FILLING)
            yield chunk(_FILLING)

    options = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 1000)]
    with grpc.insecure_channel(hasty, options) as channel:
        deaf = MatchServiceStub(channel).CheckVideo(parts())
        next(deaf)
        with Client(hasty) as client:
            while True:
                # There is one place, which it gives back when it has ended.
                with suppress(LimitReached):
                    assert list(client.check_video([studio()]))[-1].is_final
                    break
        assert sent < 32 * MIB
        with pytest.raises(grpc.RpcError, match=r"nothing moved for 0\.3 s"):
            list(deaf)


def test_who_sends_nothing_more_is_idle(hasty: str, studio: Studio) -> None:
    """An upload that has come to a halt ends, although its answers are taken."""
    halted = threading.Event()

    def chunks() -> Iterator[bytes]:
        yield studio()[: len(studio()) // 2]
        halted.wait()

    with Client(hasty) as client, pytest.raises(ServiceUnavailable) as caught:
        list(client.check_video(chunks()))
    halted.set()
    assert caught.value.reason == "STREAM_IDLE"


def test_no_more_frames_than_the_limit(hasty: str) -> None:
    """Counted over all parts of a call."""
    with grpc.insecure_channel(hasty) as channel, pytest.raises(grpc.RpcError) as caught:
        list(MatchServiceStub(channel).CheckVideo(iter([frames(clip(range(2)))] * 2)))
    error = from_rpc_error(caught.value)
    assert error.code is EXHAUSTED
    assert error.metadata["limit"] == "max_check_fingerprints"


def test_no_longer_video_than_the_limit(hasty: str, studio: Studio) -> None:
    """Though some of it was seen: that nothing is known up to the limit is no answer."""
    answers: list[VideoProgress] = []
    with Client(hasty) as client, pytest.raises(LimitReached) as caught:
        answers.extend(client.check_video([studio(range(200, 260), "ts")]))
    assert answers[-1].frames > 40
    assert caught.value.metadata["limit"] == "max_duration_s"


async def test_a_long_upload_holds_bounded_memory(tmp_path: Path, studio: Studio) -> None:
    """In the node and in its decoder: 64 MiB pass, both grow by less than 10 (as measured)."""
    data = studio(suffix="ts")

    async def chunks(filling: int) -> AsyncIterator[bytes]:
        yield data
        for _ in range(filling):
            yield _FILLING
        yield data

    async with one_decoder(tmp_path) as node, AsyncClient(node.address) as client:

        async def last(filling: int) -> VideoProgress:
            return [progress async for progress in client.check_video(chunks(filling))][-1]

        short = await last(1)
        processes = ("self", str(Open(node).decoder))
        forget_peak()
        before = [peak_bytes(process) for process in processes]
        long = await last(64 * MIB // len(_FILLING))
        grown = [peak_bytes(one) - old for one, old in zip(processes, before, strict=True)]
    assert long.frames == short.frames
    assert max(grown) < 24 * MIB, grown


def forget_peak() -> None:
    """Count the most memory that this process had from now on."""
    Path("/proc/self/clear_refs").write_text("5")


def peak_bytes(pid: str) -> int:
    """The most memory that a process ever had."""
    status = Path(f"/proc/{pid}/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


def test_a_node_that_stops_ends_streams(tmp_path: Path, studio: Studio) -> None:
    """Each caller is told that the node is away, and what it was answered before stays good."""
    halted = threading.Event()

    def chunks() -> Iterator[bytes]:
        yield studio()[: len(studio()) // 2]
        halted.wait()

    with running_node(tmp_path, drain_s=0.1) as address:
        client = Client(address)
        by_frames = Stream(client._match.CheckVideo, {})
        assert by_frames.ask(frames(clip(range(3)))).frames == 12
        by_bytes = client.check_video(chunks())
        assert next(by_bytes).frames
    with pytest.raises(ServiceUnavailable) as caught:
        list(by_bytes)
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE
    halted.set()
    assert by_frames.ended() is grpc.StatusCode.UNAVAILABLE
    client.close()


def test_one_partner_leaves_decoders_for_others(tmp_path: Path, studio: Studio) -> None:
    """Beyond its share of them it is told when to come back; by frames it may go on."""
    keys = set_up(tmp_path / "data")
    decoding = {"workers": 1, "stream_workers": 2}
    with running_node(tmp_path / "data", authentication=True, decoding=decoding) as address:
        town = Town(address, keys)

        def send(partner: str, data: bytes) -> Any:
            stream = Stream(town.match.CheckVideo, town.by(partner))
            return stream, stream.ask(chunk(data))

        begun = studio()[: len(studio()) // 2]
        stream, _ = send("acme", begun)
        with pytest.raises(grpc.RpcError) as caught:
            send("acme", begun)
        assert caught.value.code() is EXHAUSTED
        assert from_rpc_error(caught.value).retry_after_s
        by_frames = town.match.CheckVideo(iter([frames(clip(range(3)))]), **town.by("acme"))
        assert list(by_frames)[-1].is_final
        other, _ = send("bolt", begun)
        stream.requests.put(None)
        assert list(stream.call)[-1].is_final
        again, _ = send("acme", begun)
        for one in (again, other):
            one.requests.put(None)
        town.channel.close()
