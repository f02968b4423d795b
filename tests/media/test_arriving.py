"""Videos that are decoded by a worker while they come in."""

import asyncio
import gc
import hashlib
import io
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest
from av.video.frame import VideoFrame

from hashsvc.errors import MediaUnreadable
from hashsvc.media import FOR_CHECKS, DecoderPool, Limits, Recipe, fingerprint
from hashsvc.media.scan import Seen, Span
from hashsvc.model import UndeterminedReason
from tests.media.making import frames_of, look, movie
from tests.media.puppet import is_there, until

# By file suffix: what it is made with, so that it can be decoded as it comes.
PROGRESSIVE = {
    "webm": ("libvpx", {}),
    "ts": ("libx264", {}),
    "mp4": ("libx264", {"movflags": "frag_keyframe+empty_moov"}),
}
EVERY_2_S = {"g": "20", "keyint_min": "20", "sc_threshold": "0"}

Make = Callable[[str], bytes]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Make eight seconds of a progressive video, by suffix, a key frame every two seconds."""
    folder = tmp_path_factory.mktemp("clips")
    made: dict[str, bytes] = {}

    def make(suffix: str) -> bytes:
        if suffix not in made:
            codec, container = PROGRESSIVE[suffix]
            made[suffix] = movie(
                folder / f"clip.{suffix}", codec, seconds=8, options=EVERY_2_S, container=container
            )
        return made[suffix]

    return make


class Pieces:
    """A file in pieces of this size; `taken` bytes of it were asked for."""

    def __init__(self, data: bytes, size: int) -> None:
        self._data, self._size = data, size
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self.taken < len(self._data):
            piece = self._data[self.taken : self.taken + self._size]
            self.taken += len(piece)
            yield piece


@pytest.mark.parametrize("suffix", PROGRESSIVE)
async def test_a_stream_gives_what_the_file_gives(make: Make, suffix: str) -> None:
    """However it is cut up, with a judge who asks for nothing, and without one."""
    data = make(suffix)

    async def nothing(seen: Seen) -> Sequence[Span]:
        return ()

    async with DecoderPool(1, opens_files=False) as pool:
        for size in (len(data), 4097, 61):
            found = await pool.fingerprint(Pieces(data, size), Recipe())
            assert found == look(data, Recipe())
            assert found.progressive
        judged = await pool.fingerprint(Pieces(data, 977), FOR_CHECKS, nothing)
        assert judged == await pool.fingerprint([data], FOR_CHECKS, nothing)
        # A video that nobody judges is not looked at by its key frames alone.
        whole = await pool.fingerprint(Pieces(data, 977), FOR_CHECKS)
        assert len(frames_of(whole)) > 2 * len(frames_of(judged))


@pytest.mark.parametrize("suffix", PROGRESSIVE)
async def test_the_judge_hears_of_it_while_it_comes(make: Make, suffix: str) -> None:
    """The first seconds are seen before half of the file has come, and may be enough."""
    data = make(suffix)
    pieces = Pieces(data, 256)
    heard: list[tuple[int, int]] = []

    async def judge(seen: Seen) -> Sequence[Span] | None:
        heard.append((pieces.taken, seen.through_ms))
        return None if seen.through_ms >= 4000 else ()

    async with DecoderPool(1, opens_files=False) as pool:
        found = await pool.fingerprint(pieces, FOR_CHECKS, judge)
        assert pool.restarts == 0
    assert heard[0][0] < len(data) / 2
    assert heard == sorted(heard)
    assert pieces.taken < len(data)
    assert found.limitation is UndeterminedReason.PARTLY_SEEN
    assert found.fingerprints == tuple(frames_of(found))


async def test_a_judge_who_asks_gets_a_closer_look(make: Make) -> None:
    """More frames of just those seconds, of what has passed and of what is still to come."""
    asked: list[Span] = []
    steps: list[Seen] = []

    async def judge(seen: Seen) -> Sequence[Span]:
        steps.append(seen)
        if seen.through_ms > 2000 and not asked:
            asked.extend((Span(500, 1500), Span(6500, 7500)))
            return asked
        return ()

    async with DecoderPool(1, opens_files=False) as pool:
        await pool.fingerprint(Pieces(make("ts"), 500), FOR_CHECKS, judge)
    times = {one.time_ms or 0 for seen in steps for one in seen.fingerprints}
    in_group = [
        len([time for time in times if at <= time < at + 2000]) for at in range(0, 8000, 2000)
    ]
    # The groups of pictures between are seen by their key frames alone.
    assert in_group == [8, 1, 1, 8]


async def test_a_stream_that_stops_in_the_middle(make: Make) -> None:
    """What came is fingerprinted and digested; of a WebM's head alone nothing can be."""
    half = make("webm")[: len(make("webm")) // 2]
    async with DecoderPool(1, opens_files=False) as pool:
        found = await pool.fingerprint(Pieces(half, 500))
        assert 0 < len(frames_of(found)) < len(frames_of(look(make("webm"))))
        assert found.fingerprints[0].value == hashlib.sha256(half).digest()
        with pytest.raises(MediaUnreadable) as refused:
            await pool.fingerprint(Pieces(half[:300], 50))
        assert refused.value.digests[0].value == hashlib.sha256(half[:300]).digest()
        assert pool.restarts == 0


async def test_a_long_video_holds_bounded_memory(make: Make) -> None:
    """What is between the pictures is not kept: 96 MiB pass, the worker grows by a few."""
    packet = b"\x47\x1f\xff\x10" + b"\xff" * 184
    filling = packet * 5000
    data = make("ts")

    async def chunks() -> AsyncIterator[bytes]:
        yield data
        for _ in range(107):
            yield filling
        yield data

    async with DecoderPool(1, opens_files=False) as pool:
        await pool.fingerprint([data])
        before = peak_bytes(pool)
        found = await pool.fingerprint(chunks())
        assert peak_bytes(pool) - before < 16 * 1024 * 1024
    assert len(frames_of(found)) > len(frames_of(look(data)))


def test_frames_are_let_go_at_once(make: Make) -> None:
    """None waits for the garbage collector, which does not know how large they are."""
    alive: list[int] = []

    def count() -> int:
        return sum(isinstance(one, VideoFrame) for one in gc.get_objects())

    def judge(seen: Seen) -> Sequence[Span]:
        alive.append(count())
        return [Span(0, 2**40)]

    gc.collect()
    before = count()
    gc.disable()
    try:
        fingerprint(io.BytesIO(make("ts")), recipe=FOR_CHECKS, judge=judge)
    finally:
        gc.enable()
    assert len(alive) > 5
    assert max(alive) - before <= 4


def peak_bytes(pool: DecoderPool) -> int:
    """The most memory that the pool's idle worker ever had."""
    status = Path(f"/proc/{pool._idle[0].result().pid}/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


async def test_a_video_abandoned_in_the_middle(make: Make) -> None:
    """A worker that waits within FFmpeg for the next bytes is ended as any other."""
    data = make("webm")
    reached = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        yield data[: len(data) // 2]
        reached.set()
        await asyncio.Future()

    async with DecoderPool(1, opens_files=False) as pool:
        pid = (await pool._idle[0]).pid
        call = asyncio.create_task(pool.fingerprint(chunks()))
        await reached.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await until(lambda: not pool._endings)
        assert not is_there(pid)
        assert (await pool.fingerprint(Pieces(data, 5000))).format == "webm"


async def test_streams_wait_side_by_side(make: Make) -> None:
    """Uploads that have come to a halt keep nobody else waiting."""
    data = make("ts")
    go_on = asyncio.Event()
    halted = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal halted
        yield data[:2000]
        halted += 1
        await go_on.wait()
        yield data[2000:]

    limits = Limits(decode_wall_s=20)
    async with DecoderPool(3, limits, prestart=1, opens_files=False) as pool:
        calls = [asyncio.create_task(pool.fingerprint(chunks())) for _ in range(2)]
        await until(lambda: halted == 2)
        assert (await pool.fingerprint([data])) == look(data)
        go_on.set()
        assert await asyncio.gather(*calls) == [look(data)] * 2
