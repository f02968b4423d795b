"""The decoder pool: what a file may do to a worker, and that the next file is served."""

import asyncio
import hashlib
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from PIL import Image

from hashsvc.errors import (
    MediaError,
    MediaTooLarge,
    MediaUnreadable,
    NotReady,
    OperatorError,
)
from hashsvc.media import FOR_LISTS, DecoderPool, Limits, Recipe, wire
from hashsvc.media.process import environment
from hashsvc.model import Fingerprint, MediaFingerprints
from tests.media.making import hollow_png, look, movie, saved
from tests.media.puppet import puppet, until

# What a worker does with a file that says so.
ACTS = """
def look(source, limits, recipe, judge):
    data = source.readall()
    order = data.decode(errors="replace")
    if order == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if order == "exit":
        os._exit(3)
    if order == "oom":
        os.kill(os.getpid(), signal.SIGKILL)
    if order == "hang":
        signal.pause()
    if order == "spin":
        while True:
            pass
    if order == "eat":
        try:
            bytearray(2 * limits.decode_memory_bytes)
        except MemoryError:
            raise out_of_memory(limits)
    if order == "write":
        os.write(os.memfd_create("scratch"), b"x")
    if order == "chatter":
        os.write(1, b"noise on stdout")
        os.write(2, b"noise on stderr")
    if order == "secrets":
        raise MediaError(" ".join(sorted(os.environ)))
    if order == "garble":
        os.write(4, b"\\xff" * 8)
        signal.pause()
    return real(io.BytesIO(data), limits, recipe, judge)
"""


def sha256(found: MediaError | MediaFingerprints) -> bytes:
    """The first digest of a result or refusal."""
    prints: tuple[Fingerprint, ...] = (
        found.digests if isinstance(found, MediaError) else found.fingerprints
    )
    return prints[0].value


@pytest.fixture(scope="module")
def image(picture: Image.Image) -> bytes:
    """A JPEG."""
    return saved(picture, "jpeg")


async def test_a_recipe_is_asked_for_once_a_worker_is_there(image: bytes) -> None:
    """So a file that waited is hashed by what is known when its turn comes."""
    asked: list[str] = []

    def recipe() -> Recipe:
        asked.append("recipe")
        return FOR_LISTS

    async with DecoderPool(1) as pool:
        is_begun, may_go_on = asyncio.Event(), asyncio.Event()

        async def slowly() -> AsyncIterator[bytes]:
            is_begun.set()
            await may_go_on.wait()
            asked.append("the first is over")
            yield image

        first = asyncio.create_task(pool.fingerprint(slowly()))
        await is_begun.wait()
        second = asyncio.create_task(pool.fingerprint([image], recipe))
        for _ in range(10):
            await asyncio.sleep(0)
        may_go_on.set()
        assert await first == await second
    assert asked == ["the first is over", "recipe"]


async def test_answers_are_those_of_the_library(image: bytes, tmp_path: Path) -> None:
    """Bytes in pieces, a path and the caller's own process all give the same."""
    clip = movie(tmp_path / "clip.mp4", "mpeg4")
    async with DecoderPool(1) as pool:
        pieces = [b"", image[:100], b"", image[100:], b""]
        assert await pool.fingerprint(pieces) == look(image)
        assert await pool.fingerprint([clip]) == look(clip)
        assert await pool.fingerprint_path(tmp_path / "clip.mp4") == look(clip)
        assert (pool.idle, pool.busy, pool.restarts) == (1, 0, 0)


async def test_refusals_are_those_of_the_library(image: bytes) -> None:
    """Class, words, metadata and digests of an error come through."""
    async with DecoderPool(1) as pool:
        for data in (b"", b"plain text", image[:30], hollow_png(20_000, 20_000)):
            with pytest.raises(MediaError) as ours:
                look(data)
            with pytest.raises(MediaError) as theirs:
                await pool.fingerprint([data])
            assert type(theirs.value) is type(ours.value)
            assert str(theirs.value) == str(ours.value)
            assert theirs.value.metadata == ours.value.metadata
            assert theirs.value.digests == ours.value.digests
        assert pool.restarts == 0


async def test_a_file_past_max_bytes_still_has_digests(image: bytes, tmp_path: Path) -> None:
    """Its bytes are digested as they come and not kept; from a path it is not read at all."""
    path = tmp_path / "image"
    path.write_bytes(image)
    async with DecoderPool(1, Limits(max_bytes=1000)) as pool:
        with pytest.raises(MediaTooLarge, match="max_bytes") as refused:
            await pool.fingerprint([image, image])
        assert sha256(refused.value) == hashlib.sha256(image * 2).digest()
        with pytest.raises(MediaTooLarge, match="max_bytes"):
            await pool.fingerprint_path(path)
        with pytest.raises(MediaUnreadable, match="text"):
            await pool.fingerprint([b"the next file"])


async def test_a_path_that_cannot_be_opened(tmp_path: Path) -> None:
    """It is the caller's error, not the medium's."""
    async with DecoderPool(1) as pool:
        with pytest.raises(FileNotFoundError, match="nothing-here"):
            await pool.fingerprint_path(tmp_path / "nothing-here")
        with pytest.raises(IsADirectoryError):
            await pool.fingerprint_path(tmp_path)
        assert pool.restarts == 0


@pytest.mark.parametrize(
    ("order", "limits", "kind", "message"),
    [
        ("crash", Limits(), MediaUnreadable, "crashed on this file .SIGSEGV"),
        ("exit", Limits(), MediaUnreadable, "crashed on this file .exit status 3"),
        ("oom", Limits(), MediaTooLarge, "decode_memory_bytes"),
        ("hang", Limits(decode_wall_s=1.5), MediaTooLarge, "decode_wall_s = 1.5"),
        ("spin", Limits(decode_cpu_s=0.5), MediaTooLarge, "decode_cpu_s = 0.5"),
        ("eat", Limits(decode_memory_bytes=2**26), MediaTooLarge, "decode_memory_bytes"),
        ("garble", Limits(), MediaUnreadable, "crashed"),
    ],
)
async def test_whatever_a_file_does_the_next_is_served(
    image: bytes, order: str, limits: Limits, kind: type[MediaError], message: str
) -> None:
    """The error names the cause, the digests are known, the worker is replaced."""
    async with DecoderPool(1, limits, command=puppet(ACTS, limits, warm=True)) as pool:
        with pytest.raises(kind, match=message) as refused:
            await pool.fingerprint([order.encode()])
        assert sha256(refused.value) == hashlib.sha256(order.encode()).digest()
        assert pool.idle == 1
        assert pool.restarts == (0 if order == "eat" else 1)
        assert (await pool.fingerprint([image])).format == "jpeg"


async def test_a_worker_can_not_write_or_speak_out_of_turn(image: bytes) -> None:
    """No file grows, and what a library prints does not reach the protocol."""
    async with DecoderPool(1, command=puppet(ACTS, warm=True)) as pool:
        with pytest.raises(OSError, match=r"not permitted|too large"):
            await pool.fingerprint([b"write"])
        with pytest.raises(MediaUnreadable, match="text"):
            await pool.fingerprint([b"chatter"])
        assert (await pool.fingerprint([image])).format == "jpeg"


async def test_a_worker_inherits_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its environment is made, not passed on."""
    monkeypatch.setenv("HASHSVC_SECRET", "s3cret")
    async with DecoderPool(1, command=puppet(ACTS, warm=True)) as pool:
        with pytest.raises(MediaError) as refused:
            await pool.fingerprint([b"secrets"])
    made_by_libraries = {"LC_CTYPE", "LD_LIBRARY_PATH"}
    assert "HASHSVC_SECRET" not in str(refused.value)
    assert set(str(refused.value).split()) - made_by_libraries == set(environment({}))


async def test_real_media_against_real_memory(tmp_path: Path) -> None:
    """A picture that does not fit is refused by name, and smaller ones are still served."""
    limits = Limits(decode_memory_bytes=64 * 2**20)
    large = saved(Image.new("RGB", (6000, 6000), "teal"), "png")
    small = saved(Image.new("RGB", (60, 60), "teal"), "png")
    async with DecoderPool(1, limits) as pool:
        with pytest.raises(MediaTooLarge, match="decode_memory_bytes") as refused:
            await pool.fingerprint([large])
        assert sha256(refused.value) == hashlib.sha256(large).digest()
        assert (await pool.fingerprint([small])).format == "png"


async def test_a_file_larger_than_memory(image: bytes) -> None:
    """Already receiving it runs out of memory; it is digested to the end all the same."""
    limits = Limits(decode_memory_bytes=32 * 2**20)
    block = bytes(2**20)
    async with DecoderPool(1, limits) as pool:
        with pytest.raises(MediaTooLarge, match="decode_memory_bytes") as refused:
            await pool.fingerprint([image, *[block] * 64])
        assert sha256(refused.value) == hashlib.sha256(image + block * 64).digest()
        assert (await pool.fingerprint([image])).format == "jpeg"


async def test_a_cancelled_call_frees_its_worker(image: bytes) -> None:
    """The client went away while its file was being decoded."""
    async with DecoderPool(1, command=puppet(ACTS, warm=True)) as pool:
        call = asyncio.create_task(pool.fingerprint([b"hang"]))
        await until(lambda: pool.busy)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert (pool.idle, pool.restarts) == (1, 1)
        assert (await pool.fingerprint([image])).format == "jpeg"


async def test_a_cancelled_wait_costs_no_worker(image: bytes) -> None:
    """The client went away while it was waiting for its turn."""
    async with DecoderPool(1, command=puppet(ACTS, warm=True)) as pool:
        first = asyncio.create_task(pool.fingerprint([b"hang"]))
        await until(lambda: pool.busy)
        second = asyncio.create_task(pool.fingerprint([image]))
        await asyncio.sleep(0)
        second.cancel()
        first.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
        assert (pool.idle, pool.restarts) == (1, 1)
        assert (await pool.fingerprint([image])).format == "jpeg"


async def test_a_slow_file_does_not_delay_others(image: bytes) -> None:
    """One worker hangs, the other goes on."""
    async with DecoderPool(2, command=puppet(ACTS, warm=True)) as pool:
        slow = asyncio.create_task(pool.fingerprint([b"hang"]))
        await until(lambda: pool.busy)
        for _ in range(3):
            assert (await pool.fingerprint([image])).format == "jpeg"
        assert (slow.done(), pool.busy) == (False, 1)
        slow.cancel()
        await asyncio.gather(slow, return_exceptions=True)


async def test_a_worker_that_dies_while_the_file_is_sent(image: bytes) -> None:
    """The broken pipe is not the caller's to see."""
    limits = Limits()
    dying = f"import sys, os; from hashsvc.media import wire; os.write(1, {wire.message({})!r})"
    command = (sys.executable, "-P", "-c", f"{dying}; os.read(0, 10); os._exit(9)")
    async with DecoderPool(1, limits, command=command) as pool:
        with pytest.raises(MediaUnreadable, match="exit status 9"):
            await pool.fingerprint([bytes(2**20)] * 8)
        with pytest.raises(MediaUnreadable, match="exit status 9"):
            await pool.fingerprint([image])


async def test_many_calls_at_once(image: bytes) -> None:
    """More calls than workers, with bad files among them: each gets its own answer."""
    orders = [image, b"crash", b"text"] * 5
    async with DecoderPool(2, command=puppet(ACTS, warm=True)) as pool:
        results = await asyncio.gather(
            *(pool.fingerprint([order]) for order in orders), return_exceptions=True
        )
        assert pool.restarts == 5
    for order, result in zip(orders, results, strict=True):
        assert isinstance(result, MediaFingerprints if order is image else MediaUnreadable)
        assert isinstance(result, MediaError | MediaFingerprints)
        assert sha256(result) == hashlib.sha256(order).digest()


async def test_a_worker_that_died_between_files(image: bytes) -> None:
    """The next file is not blamed for it."""
    async with DecoderPool(1) as pool:
        worker = await pool._idle[0]
        worker._process.kill()
        await worker._process.wait()
        assert (await pool.fingerprint([image])).format == "jpeg"


async def test_workers_are_recycled(image: bytes) -> None:
    """After so many files another process serves; that is no restart."""
    async with DecoderPool(1, jobs_per_worker=2) as pool:
        first = await pool._idle[0]
        for _ in range(3):
            await pool.fingerprint([image])
        assert await pool._idle[0] is not first
        assert pool.restarts == 0


async def test_a_worker_that_ran_out_of_memory_is_replaced() -> None:
    """Its memory may be in pieces."""
    limits = Limits(decode_memory_bytes=2**26)
    async with DecoderPool(1, limits, command=puppet(ACTS, limits, warm=True)) as pool:
        first = await pool._idle[0]
        with pytest.raises(MediaTooLarge):
            await pool.fingerprint([b"eat"])
        assert await pool._idle[0] is not first


@pytest.mark.parametrize(
    "command", [("/nowhere/python",), (sys.executable, "-c", "raise SystemExit(7)")]
)
async def test_a_worker_that_cannot_start(command: Sequence[str]) -> None:
    """The operator is told at the start."""
    with pytest.raises(OperatorError, match="decoder"):
        await DecoderPool(2, command=command).start()


async def test_closing_ends_running_calls(image: bytes) -> None:
    """They are told to come back; so is everybody who comes later."""
    pool = DecoderPool(1, command=puppet(ACTS, warm=True))
    await pool.start()
    running = asyncio.create_task(pool.fingerprint([b"hang"]))
    await until(lambda: pool.busy)
    waiting = asyncio.create_task(pool.fingerprint([image]))
    await asyncio.sleep(0)
    await pool.close()
    await pool.close()
    for call in (running, waiting):
        with pytest.raises(NotReady):
            await call
    with pytest.raises(NotReady):
        await pool.fingerprint([image])


def test_without_an_event_loop_of_its_own(image: bytes) -> None:
    """A plain program runs it through `asyncio.run`, more than once."""

    async def once() -> MediaFingerprints:
        async with DecoderPool(1) as pool:
            return await pool.fingerprint([image])

    assert asyncio.run(once()) == asyncio.run(once()) == look(image)


@pytest.mark.parametrize("wrong", [0, -1, float("nan")])
def test_limits_must_be_positive(wrong: float) -> None:
    """A limit of nothing would refuse every file."""
    with pytest.raises(ValueError, match="decode_wall_s must be positive"):
        Limits(decode_wall_s=wrong)


def test_a_pool_has_workers() -> None:
    """None at all would never answer."""
    with pytest.raises(ValueError, match="at least one"):
        DecoderPool(0)


def test_messages_survive_the_wire(image: bytes) -> None:
    """Results and refusals come out as they went in."""
    found = look(image)
    assert wire.unpack_found(wire.pack_found(found)) == found
    error = MediaTooLarge("too much", metadata={"limit": "max_bytes"})
    again = wire.unpack_error(wire.pack_error(error))
    assert (type(again), str(again), again.metadata) == (MediaTooLarge, "too much", error.metadata)
    with pytest.raises(ValueError, match="a frame"):
        wire.message_length(b"m\xff\xff\xff\xff")
