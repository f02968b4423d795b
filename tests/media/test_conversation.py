"""What a pool and a worker say to each other about one file, and who waits for whom."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import cast
from weakref import ref

import pytest
from PIL import Image

from hashsvc.errors import MediaError, MediaTooLarge, MediaUnreadable, NotReady
from hashsvc.media import DecoderPool, Limits
from hashsvc.media.limits import MOST_STEP_S, Allowance
from hashsvc.media.scan import Seen, Span
from hashsvc.model import MediaFingerprints
from tests.media.making import frames_of, look, movie, saved
from tests.media.puppet import Clock, is_there, puppet, until

MIB = 1024 * 1024

# Reads up to 100 bytes, gives a step, and so on.
TURNS = puppet("""
def look(source, limits, recipe, judge):
    at = 0
    while source.read(100):
        at += 1000
        if judge(Seen((), at)) is None:
            break
    return NOTHING
""")


@pytest.fixture(scope="module")
def image(picture: Image.Image) -> bytes:
    """A small PNG."""
    return saved(picture.resize((40, 30)), "png")


async def all_of(chunks: Sequence[bytes], log: list[str] | None = None) -> AsyncIterator[bytes]:
    """Chunks that come in."""
    for number, chunk in enumerate(chunks):
        if log is not None:
            log.append(f"chunk {number}")
        yield chunk


async def endless() -> AsyncIterator[bytes]:
    """Chunks without end."""
    while True:
        yield bytes(100)


class Stuck:
    """Chunks, or a judge, that never come to an end; `reached` tells when somebody waits."""

    def __init__(self, *before: bytes) -> None:
        self._before = list(before)
        self.reached = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._before:
            return self._before.pop(0)
        self.reached = True
        return await asyncio.Future[bytes]()

    async def judge(self, seen: Seen) -> Sequence[Span] | None:
        """Never answer."""
        self.reached = True
        return await asyncio.Future[Sequence[Span]]()


async def nothing(seen: Seen) -> Sequence[Span] | None:
    """Ask for no closer look."""
    return ()


def sha256(found: MediaError | MediaFingerprints) -> bytes:
    """The first digest."""
    prints = found.digests if isinstance(found, MediaError) else found.fingerprints
    return prints[0].value


async def test_chunks_and_steps_take_turns() -> None:
    """The next chunk is taken when the worker asks for it, which waits for the judge first."""
    log: list[str] = []

    async def judge(seen: Seen) -> Sequence[Span] | None:
        log.append(f"seen {seen.through_ms}")
        return ()

    async with DecoderPool(1, command=TURNS) as pool:
        await pool.fingerprint(all_of([bytes(100)] * 3, log), judge=judge)
    assert log == ["chunk 0", "seen 1000", "chunk 1", "seen 2000", "chunk 2", "seen 3000"]


async def test_large_chunks_are_cut_and_small_ones_come_at_once(image: bytes) -> None:
    """However a file is cut up, the worker reads the same bytes."""
    cuts = ([image], [image[:1], b"", image[1:2], b"", image[2:]], [image + bytes(3 * MIB)])
    async with DecoderPool(1) as pool:
        for chunks in cuts:
            found = await pool.fingerprint(all_of(chunks))
            assert found == look(b"".join(chunks))
            assert await pool.fingerprint(chunks) == found


async def test_the_judge_sees_what_is_found(tmp_path: Path) -> None:
    """All frames of the result, once each, whether the file is sent or opened."""
    clip = movie(tmp_path / "clip.mp4", "mpeg4")
    steps: list[Seen] = []

    async def judge(seen: Seen) -> Sequence[Span] | None:
        steps.append(seen)
        return ()

    async with DecoderPool(1) as pool:
        for call in (
            pool.fingerprint(all_of([clip]), judge=judge),
            pool.fingerprint_path(tmp_path / "clip.mp4", judge=judge),
        ):
            found = await call
            assert found == look(clip)
            assert [one for seen in steps for one in seen.fingerprints] == frames_of(found)
            steps.clear()


async def test_spans_reach_the_decoder() -> None:
    """What the judge asks for is what the decoder is told."""
    acts = """
def look(source, limits, recipe, judge):
    raise MediaError(repr(judge(Seen((), 5000))))
"""

    async def judge(seen: Seen) -> Sequence[Span] | None:
        return [Span(0, 1500), Span(9000, 12_000)]

    async with DecoderPool(1, command=puppet(acts)) as pool:
        with pytest.raises(MediaError) as answer:
            await pool.fingerprint([b"x"], judge=judge)
    assert str(answer.value) == repr((Span(0, 1500), Span(9000, 12_000)))


async def test_enough_is_enough() -> None:
    """The call ends with what was seen; nothing more is taken, and the worker serves on."""
    log: list[str] = []

    async def judge(seen: Seen) -> Sequence[Span] | None:
        return None if seen.through_ms == 2000 else ()

    async with DecoderPool(1, command=TURNS) as pool:
        found = await pool.fingerprint(all_of([bytes(100)] * 9, log), judge=judge)
        assert log == ["chunk 0", "chunk 1"]
        assert found == await pool.fingerprint(endless(), judge=judge)
        assert pool.restarts == 0
        whole = await pool.fingerprint([b"x"])
    # The rest of the file is not known, so that its digests are not.
    assert found.fingerprints == whole.fingerprints[2:]


async def test_an_unreadable_stream_is_digested_to_its_end() -> None:
    """It may be known by its digests; the worker is free for others meanwhile."""
    idle: list[int] = []

    async def chunks() -> AsyncIterator[bytes]:
        yield bytes(100)
        yield bytes(3 * MIB)
        idle.append(pool.idle)
        yield b"the end"

    acts = "def look(source, *rest):\n    source.read(9)\n    raise MediaError('no')"
    async with DecoderPool(1, command=puppet(acts)) as pool:
        with pytest.raises(MediaError, match="no") as refused:
            await pool.fingerprint(chunks())
    assert sha256(refused.value) == hashlib.sha256(bytes(100 + 3 * MIB) + b"the end").digest()
    assert idle == [1]


@pytest.mark.parametrize("who", ["chunks", "judge"])
async def test_the_callers_own_errors_are_the_callers(who: str) -> None:
    """What chunks or judge raise comes out as it is; the worker is replaced."""
    error = MediaTooLarge("the upload is larger than agreed")

    async def chunks() -> AsyncIterator[bytes]:
        yield bytes(100)
        if who == "chunks":
            raise error

    async def judge(seen: Seen) -> Sequence[Span] | None:
        if who == "judge":
            raise error
        return ()

    async with DecoderPool(1, command=TURNS) as pool:
        with pytest.raises(MediaTooLarge) as raised:
            await pool.fingerprint(chunks(), judge=judge)
        assert raised.value is error
        assert error.digests == ()
        assert pool.restarts == 1
        assert (await pool.fingerprint([b"x"], judge=nothing)).format == "none"


@pytest.mark.parametrize("who", ["chunks", "judge"])
async def test_an_abandoned_stream_leaves_nothing_behind(who: str) -> None:
    """Neither its process nor a task, wherever it stood."""
    async with DecoderPool(1, command=TURNS) as pool:
        worker = await pool._idle[0]
        tasks = len(asyncio.all_tasks())
        stuck = Stuck(bytes(100))
        judge = stuck.judge if who == "judge" else nothing
        call = asyncio.create_task(pool.fingerprint(stuck, judge=judge))
        await until(lambda: stuck.reached)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await pool._idle[0]
        await until(lambda: not pool._endings and len(asyncio.all_tasks()) == tasks)
        assert not is_there(worker.pid)
        assert (pool.idle, pool.busy, pool.restarts) == (1, 0, 1)


@pytest.mark.parametrize("who", ["chunks", "judge"])
async def test_a_worker_that_dies_while_it_waits(who: str) -> None:
    """The caller hears of it then, not when the next bytes come; the digests are of all."""
    released = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        yield bytes(100)
        if who == "chunks" and not released.is_set():
            released.set()
            await asyncio.Future()
        yield b"the rest"

    async def judge(seen: Seen) -> Sequence[Span] | None:
        released.set()
        return await asyncio.Future[Sequence[Span]]()

    async with DecoderPool(1, command=TURNS) as pool:
        worker = await pool._idle[0]
        call = asyncio.create_task(
            pool.fingerprint(chunks(), judge=judge if who == "judge" else nothing)
        )
        await released.wait()
        worker._process.kill()
        with pytest.raises(MediaTooLarge, match="decode_memory_bytes") as lost:
            await call
        if who == "judge":
            assert sha256(lost.value) == hashlib.sha256(bytes(100) + b"the rest").digest()
        assert (await pool.fingerprint([b"x"], judge=nothing)).format == "none"


async def test_closing_ends_a_stream_that_waits() -> None:
    """The pool does not wait for the next bytes."""
    pool = DecoderPool(1, command=TURNS)
    await pool.start()
    stuck = Stuck(bytes(100))
    call = asyncio.create_task(pool.fingerprint(stuck, judge=nothing))
    await until(lambda: stuck.reached)
    await pool.close()
    with pytest.raises(NotReady):
        await call


class Chunk(bytearray):
    """Bytes of which can be told whether they are still held."""


async def test_a_long_stream_holds_bounded_memory() -> None:
    """Neither process keeps what has been decoded."""
    made: list[ref[Chunk]] = []
    most = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal most
        for _ in range(64):
            chunk = Chunk(MIB)
            made.append(ref(chunk))
            yield cast("bytes", chunk)
            del chunk
            most = max(most, sum(one() is not None for one in made))

    acts = """
def look(source, limits, recipe, judge):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    while source.read(50_000):
        pass
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    raise MediaError(str((after - before) * 1024))
"""
    async with DecoderPool(1, command=puppet(acts)) as pool:
        with pytest.raises(MediaError) as answer:
            await pool.fingerprint(chunks())
    assert most <= 2
    assert int(str(answer.value)) < 8 * MIB


NONSENSE = {
    "bytes without end": {"wants": 2**40},
    "no bytes": {"wants": 0},
    "a wish that is no number": {"wants": "all"},
    "frames of no kind": {"seen": [[["crc32", "00", 1, 2, "exact", ""]], 5]},
    "a time before the start": {"seen": [[], -1]},
    "nothing known": {"hello": "pool"},
    "an error of no kind": {"error": []},
}


@pytest.mark.parametrize("name", NONSENSE)
async def test_a_worker_that_a_file_has_taken_over(name: str) -> None:
    """What no sound worker says ends it; the caller is told that the decoder crashed."""
    acts = f"""
def look(source, limits, recipe, judge):
    judge.__self__._pool.ask({NONSENSE[name]!r})
"""
    async with DecoderPool(1, command=puppet(acts)) as pool:
        with pytest.raises(MediaUnreadable, match="answered nonsense") as lost:
            await pool.fingerprint([b"x"], judge=nothing)
        assert sha256(lost.value) == hashlib.sha256(b"x").digest()
        assert pool.restarts == 1


async def test_a_worker_speaks_only_of_what_it_was_asked(tmp_path: Path) -> None:
    """It gets no bytes for a path, no judge where there is none, and has no frames without end."""
    (tmp_path / "file").write_bytes(b"x")
    frame = ["pdq", "00" * 32, 100, 0, "exact", ""]
    acts = f"""
def look(source, limits, recipe, judge):
    pool = judge.__self__._pool
    if isinstance(source, io.RawIOBase):
        pool.ask({{"seen": [[{frame!r}] * 11, 0]}})
    else:
        pool.ask({{"wants": 1}})
"""
    async with DecoderPool(1, Limits(max_frames=10), command=puppet(acts)) as pool:
        for call in (
            pool.fingerprint_path(tmp_path / "file"),
            pool.fingerprint([b"x"]),
            pool.fingerprint([b"x"], judge=nothing),
        ):
            with pytest.raises(MediaUnreadable, match="answered nonsense"):
                await call


async def test_waiting_takes_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the stream and the judge are, only the worker's own time counts."""
    clock = Clock(monkeypatch)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            clock.forward(1000)
            yield bytes(100)
        clock.forward(1000)

    async def judge(seen: Seen) -> Sequence[Span] | None:
        clock.forward(1000)
        return ()

    async with DecoderPool(1, command=TURNS) as pool:
        assert (await pool.fingerprint(chunks(), judge=judge)).format == "none"


async def test_work_takes_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that the worker worked counts together, and more is allowed as the video goes on."""
    clock = Clock(monkeypatch)
    # Each step is of eight seconds, and takes five.
    acts = """
def look(source, limits, recipe, judge):
    for step in range(1, 4):
        judge(Seen((), step * STEP_MS))
        source.read(1)
    raise MediaError("came through")
"""

    async def worked(step_ms: int) -> str:
        limits = Limits(decode_wall_s=4, decode_share=0.5)
        command = puppet(f"STEP_MS = {step_ms}{acts}", limits)
        async with DecoderPool(1, limits, command=command) as pool:
            receive = (await pool._idle[0]).receive

            async def slow() -> dict[str, object]:
                found = await receive()
                clock.forward(2)
                return found

            monkeypatch.setattr(await pool._idle[0], "receive", slow)
            with pytest.raises(MediaError) as answer:
                await pool.fingerprint([bytes(9)], judge=nothing)
        return str(answer.value)

    assert await worked(8000) == "came through"
    assert "decode_wall_s" in await worked(1000)


def test_an_allowance_is_for_what_was_decoded() -> None:
    """A clock that jumps gives ten seconds, one that goes back none; all has an end."""
    allowance = Allowance(
        Limits(decode_wall_s=60, decode_cpu_s=30, decode_share=2, max_duration_s=25)
    )
    found = []
    for through_ms in (0, 1500, 1500, 3_600_000, 1000, 3_601_000, 7_200_000, 9_000_000):
        allowance.reach(through_ms)
        found.append(allowance.wall_s - 60)
    assert found == [0, 3, 3, 3 + 2 * MOST_STEP_S, 23, 25, 45, 50]
    assert allowance.cpu_s == 80


async def test_processor_time_grows_with_the_video() -> None:
    """The worker arms its own limit anew as it goes, judged or not."""
    acts = """
def look(source, limits, recipe, judge):
    def limit():
        return resource.getrlimit(resource.RLIMIT_CPU)[0]
    before = limit()
    judge(Seen((), 8000))
    judge(Seen((), 7_000_000))
    raise MediaError(str(limit() - before))
"""
    limits = Limits(decode_share=0.5)
    async with DecoderPool(1, limits, command=puppet(acts, limits)) as pool:
        for judge in (None, nothing):
            with pytest.raises(MediaError) as answer:
                await pool.fingerprint([b"x"], judge=judge)
            assert str(answer.value) == "9"


async def test_workers_come_and_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as are needed up to the size, one ahead of use; who was idle for long ends."""
    clock = Clock(monkeypatch)
    async with DecoderPool(3, prestart=1, command=TURNS) as pool:
        assert (pool.idle, pool.busy) == (1, 0)
        streams = [Stuck(bytes(100)) for _ in range(4)]
        calls = []
        for number, stream in enumerate(streams[:3], 1):
            calls.append(asyncio.create_task(pool.fingerprint(stream, judge=nothing)))
            await until(lambda stream=stream: stream.reached)  # type: ignore[misc]
            assert (pool.idle, pool.busy) == (1 if number < 3 else 0, number)
        waiting = asyncio.create_task(pool.fingerprint([b"x"], judge=nothing))
        await asyncio.sleep(0)
        assert not waiting.done()
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert (await waiting).format == "none"
        # All at once, so that there are three again.
        await asyncio.gather(*(pool.fingerprint(all_of([b"x"]), judge=nothing) for _ in range(9)))
        pids = [(await starting).pid for starting in pool._idle]
        assert len(pids) == 3
        for _ in range(2):
            planned = pool._shrinking
            clock.forward(61)
            await until(lambda planned=planned: pool._shrinking is not planned)  # type: ignore[misc]
        assert pool.idle == 1
        await until(lambda: sum(map(is_there, pids)) == 1)
        assert (await pool._idle[0]).pid in pids
