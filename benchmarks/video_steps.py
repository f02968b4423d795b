"""What looking for known videos costs: decoding and hashing 1080p, and matching an hour of it.

`ms` is for one minute of video, `x_realtime` how many times faster than it plays. Engines take
turns; the time of each is the shortest of its turns, as neighbours on the machine only ever add.
Engines on one core are timed by the processor's clock, which runs only while they do; the sandbox,
which has a decoder for each core, and matching by the clock on the wall.
"""

import asyncio
import importlib
import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

import numpy as np

from benchmarks import peers, report
from benchmarks.clips import Library
from benchmarks.datasets import Codes, make_codes
from benchmarks.edits import looped
from benchmarks.engines import FaissFlat
from benchmarks.footage import Encoding, Film, Pixels, encoded, joined, painted, sampled, sized
from benchmarks.video_engines import QUALITY, RADIUS, Ours
from hashsvc.cli.files import cores
from hashsvc.media import FOR_CHECKS, DecoderPool, Limits, Recipe, for_checks
from hashsvc.media.decode import look
from hashsvc.media.scan import Seen, Span
from hashsvc.model import ORIGINAL, Algorithm, Fingerprint

STEPS = "steps"
WIDTH, HEIGHT, BIT_RATE = 1920, 1080, 5_000_000
GRAIN = 3.0
MINUTE_MS = 60_000.0
_WITH_LOCAL = for_checks([Algorithm.ORB])

MIRRORED = "flip_horizontal"
FRAMES_A_VIDEO = 60
_PARTS = 20
"""A peer that compares all with all is asked a part of the hour, and the time multiplied."""


@dataclass(frozen=True, slots=True)
class Engine:
    """One way to make hashes of the bytes of a video."""

    name: str
    run: Callable[[bytes], object]


def decoding_rows(library: Library, seconds: float, repeat: int, seed: int) -> list[report.Row]:
    """Rows for videos whose key frames are 2 and 10 seconds apart."""
    rows: list[report.Row] = []
    film = large(library, seconds, seed)
    for key_s in (2, 10):
        report.note(f"making {seconds:.0f} s of 1080p with a key frame each {key_s} s")
        options = {"preset": "veryfast", "g": str(round(key_s * film.rate)), "sc_threshold": "0"}
        data = encoded(film, Encoding(bit_rate=BIT_RATE, options=options))
        step = f"decode and hash 1080p, key frame each {key_s} s"
        rows += timed(step, engines(), data, film.seconds, repeat)
        rows.append(pooled(step, data, film.seconds))
    return rows


def large(library: Library, seconds: float, seed: int) -> Film:
    """Known clips brought to 1080p, with grain, so that they are as heavy as a camera's."""
    rng = np.random.default_rng(seed)
    film = looped(joined([clip.film for clip in library.known]), seconds)
    noise = (rng.standard_normal((2 * HEIGHT, WIDTH, 1)) * GRAIN).astype(np.int16)

    def grained(pixels: Pixels, time_s: float) -> Pixels:
        first = int(time_s * 7919) % HEIGHT
        return (pixels + noise[first : first + HEIGHT]).clip(0, 255).astype(np.uint8)

    return painted(sized(film, WIDTH, HEIGHT), grained)


def engines() -> list[Engine]:
    """All that are installed; ours first."""
    found = [
        Engine("hashsvc, key frames", by_key_frames),
        Engine("hashsvc, key frames, local features", partial(by_key_frames, recipe=_WITH_LOCAL)),
        Engine("hashsvc, one a second", partial(closely, rate=1.0)),
        Engine("hashsvc, four a second", partial(closely, rate=4.0)),
    ]
    pdqhash = peers.available(lambda: importlib.import_module("pdqhash"))
    if pdqhash is not None:
        found.append(Engine("PyAV + pdqhash, one a second", partial(with_pyav, pdqhash)))
        cv2 = peers.available(lambda: importlib.import_module("cv2"))
        if cv2 is not None and hasattr(os, "memfd_create"):
            run = partial(with_opencv, cv2, pdqhash)
            found.append(Engine("OpenCV + pdqhash, one a second", run))
    vpdq = peers.available(lambda: importlib.import_module("vpdq"))
    if vpdq is not None and hasattr(os, "memfd_create"):
        found.append(Engine("vpdq, one a second", partial(with_vpdq, vpdq)))
    return found


def by_key_frames(data: bytes, recipe: Recipe = FOR_CHECKS) -> object:
    """As a check does where nothing known is near: nobody asks for a closer look."""
    return look(io.BytesIO(data), Limits(), recipe, lambda _: ())


def closely(data: bytes, rate: float) -> object:
    """As a check does where all of it is asked for."""
    return look(io.BytesIO(data), Limits(), replace(FOR_CHECKS, rate=rate))


def with_pyav(pdqhash: Any, data: bytes) -> object:
    """Every frame decoded, one a second hashed."""
    return [pdqhash.compute(pixels) for _, pixels in sampled(data, 1.0)]


def with_opencv(cv2: Any, pdqhash: Any, data: bytes) -> object:
    """Every frame grabbed, one a second retrieved and hashed."""
    made, due = [], 0.0
    with file_of(data) as path:
        capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        while capture.grab():
            if capture.get(cv2.CAP_PROP_POS_MSEC) >= due:
                rgb = cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2RGB)
                made.append(pdqhash.compute(rgb))
                due += 1000
        capture.release()
    return made


def with_vpdq(vpdq: Any, data: bytes) -> object:
    """Meta's own."""
    with file_of(data) as path:
        return vpdq.computeHash(path, seconds_per_hash=1.0, thread_count=1)


@contextmanager
def file_of(data: bytes) -> Iterator[str]:
    """A path to bytes in memory, for libraries that read nothing else; Linux has such."""
    descriptor = os.memfd_create("video")
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(data)
        yield f"/proc/{os.getpid()}/fd/{descriptor}"
    finally:
        os.close(descriptor)


def timed(
    step: str, engines: Sequence[Engine], data: bytes, seconds: float, repeat: int
) -> list[report.Row]:
    """Each engine on one core, by processor time."""
    best: dict[str, float] = {}
    with one_core():
        for turn in range(repeat):
            for engine in engines:
                report.note(f"{step}: {engine.name}, {turn + 1} of {repeat}")
                start = process_time()
                engine.run(data)
                took = process_time() - start
                best[engine.name] = min(took, best.get(engine.name, took))
    return [row(step, f"{name}, 1 core", seconds, took) for name, took in best.items()]


def pooled(step: str, data: bytes, seconds: float) -> report.Row:
    """The sandbox, with a decoder and twice as many videos as there are cores."""
    count = 2 * cores()

    async def pass_by(_: Seen) -> Sequence[Span]:
        return ()

    async def run() -> float:
        async with DecoderPool(cores()) as pool:
            start = perf_counter()
            work = (pool.fingerprint([data], FOR_CHECKS, pass_by) for _ in range(count))
            await asyncio.gather(*work)
            return perf_counter() - start

    took = asyncio.run(run())
    return row(step, f"hashsvc, key frames, sandbox, {cores()} cores", seconds * count, took)


def row(step: str, engine: str, seconds: float, took: float) -> report.Row:
    """What it took to look at so many seconds of video."""
    return {
        report.TABLE: STEPS,
        "step": step,
        "engine": engine,
        "x_realtime": seconds / took,
        "ms": MINUTE_MS * took / seconds,
    }


@contextmanager
def one_core() -> Iterator[None]:
    """All of this thread, and of those it starts, on one core, where the system can say so."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def matching_rows(count: int, seconds: int, repeat: int, seed: int) -> list[report.Row]:
    """An upload of so many frames, one a second, and their mirrored forms, against known frames.

    Known are `count` random frames, a minute to an entry. One of them is in the upload, each frame
    with some bits flipped. `ms` is for the whole upload, not a minute.
    """
    rng = np.random.default_rng(seed)
    codes = make_codes(count, rng)
    asked = make_codes(2 * seconds, rng)
    flips = np.bitwise_and.reduce([make_codes(FRAMES_A_VIDEO, rng) for _ in range(4)])
    first = (seconds - FRAMES_A_VIDEO) // 2
    asked[first : first + FRAMES_A_VIDEO] = codes[:FRAMES_A_VIDEO] ^ flips
    step = f"match {seconds:,} frames and their mirrored forms with {count:,} known frames"
    times = {"hashsvc": matched_by_us(codes, asked, repeat)}
    part = asked[: max(1, len(asked) // _PARTS)]
    flat = FaissFlat(256, RADIUS)
    flat.add(0, codes)
    name = f"{flat.name}, all cores, a {_PARTS}th of the frames times {_PARTS}"
    times[name] = _PARTS * report.seconds(partial(flat.batch, part))
    return [
        {
            report.TABLE: STEPS,
            "step": step,
            "engine": engine,
            "x_realtime": seconds / took,
            "ms": 1000 * took,
        }
        for engine, took in times.items()
    ]


def matched_by_us(codes: Codes, asked: Codes, repeat: int) -> float:
    """Seconds of a check by the matcher, the shortest of some."""
    with TemporaryDirectory() as folder:
        engine = Ours(Path(folder))
        try:
            report.note(f"adding {len(codes):,} known frames")
            for first in range(0, len(codes), _BATCH * FRAMES_A_VIDEO):
                part = codes[first : first + _BATCH * FRAMES_A_VIDEO]
                engine.add(dict(videos(part, first // FRAMES_A_VIDEO)))
            engine.settle()
            half = len(asked) // 2
            upload = [*prints(asked[:half]), *prints(asked[half:], MIRRORED)]
            times = [report.seconds(partial(engine.match, upload)) for _ in range(repeat)]
            found = engine.match(upload)
        finally:
            engine.close()
    if [answer.entry for answer in found] != ["0"]:
        raise RuntimeError(f"the known minute is not what was found: {found}")
    return min(times)


_BATCH = 500


def videos(codes: Codes, first: int) -> Iterator[tuple[str, list[Fingerprint]]]:
    """Known videos of one frame a second, named by their numbers."""
    for number, start in enumerate(range(0, len(codes), FRAMES_A_VIDEO), first):
        yield str(number), prints(codes[start : start + FRAMES_A_VIDEO])


def prints(codes: Codes, variant: str = ORIGINAL) -> list[Fingerprint]:
    """Frames, one a second."""
    return [
        Fingerprint(Algorithm.PDQ, code.tobytes(), 2 * QUALITY, 1000 * number, variant=variant)
        for number, code in enumerate(codes)
    ]
