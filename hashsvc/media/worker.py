"""The sandboxed decoder: `python -m hashsvc.media.worker LIMITS [paths]`, started by `DecoderPool`.

It takes jobs on stdin and answers on stdout (see `wire`), one at a time, until stdin ends. Before
the first job it loads every decoder once and then bounds itself: address space, processor time a
job, no file writing, no core dumps, few open files, and what `confinement` says. With `paths` it
may open files to read them. It has one thread: whoever reads the file, or asks the judge, waits
for the answer.
"""

import io
import json
import math
import os
import pkgutil
import resource
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, cast

import av
from PIL import Image

from hashsvc.errors import MediaError
from hashsvc.media import wire
from hashsvc.media.confinement import confine
from hashsvc.media.decode import look
from hashsvc.media.digest import digests
from hashsvc.media.image import PLUGINS
from hashsvc.media.limits import Allowance, Limits
from hashsvc.media.recipe import PERCEPTUAL, Looking, Recipe
from hashsvc.media.scan import Seen, Span
from hashsvc.model import Decoding

_OPEN_FILES = 32
_TELL_MS = 1000
_NOT_LOADED = frozenset({"av.__main__", "av.datasets"})
_EVERYTHING = Recipe(
    rate=8,
    trimmed=True,
    framed=True,
    insets=True,
    decoding=Decoding.FAST,
    algorithms=PERCEPTUAL,
    dihedral=True,
    dihedral_frames=True,
    shrunk512=True,
    local=Looking(most=16, side=64),
    local_frames=Looking(most=16, side=64),
)


def main() -> None:
    """Serve jobs until stdin ends."""
    limits = Limits.from_dict(json.loads(sys.argv[1]))
    jobs, answers = _take_over_stdio()
    _warm_up()
    _bound(limits)
    confined = confine(opens_files="paths" in sys.argv[2:])
    pool = Pool(jobs, answers)
    pool.tell({"ready": True, "confined": confined})
    while job := pool.next_job():
        _serve(job, pool, limits)


def _take_over_stdio() -> tuple[io.BufferedReader, io.FileIO]:
    """Keep stdin and stdout for the protocol; whatever C libraries print goes nowhere."""
    jobs = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    os.close(nowhere)
    return jobs, answers


def _warm_up() -> None:
    """Load every decoder and hash, so that no job pays for it or needs a file for it later."""
    from PIL import AvifImagePlugin

    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    for plugins in PLUGINS.values():
        sample = io.BytesIO()
        Image.new("RGB", (16, 16)).save(sample, plugins[0])
        look(sample, Limits(), _EVERYTHING)
    noise = io.BytesIO()
    Image.effect_noise((64, 64), 64).save(noise, "PNG")
    look(noise, Limits(), _EVERYTHING)
    # Opening a file loads what its streams are; none of these may be missing later.
    for module in pkgutil.walk_packages(av.__path__, "av."):
        if module.name not in _NOT_LOADED:
            import_module(module.name)
    look(_clip(), Limits(), _EVERYTHING, lambda _: ())


def _clip() -> BinaryIO:
    """A small video."""
    clip = io.BytesIO()
    with av.open(clip, "w", format="matroska") as container:
        stream = container.add_stream("mpeg4", rate=1)
        stream.width = stream.height = 64
        stream.codec_context.thread_count = 1
        for _ in range(2):
            container.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        container.mux(stream.encode())
    return clip


def _bound(limits: Limits) -> None:
    """Give up what decoding does not need; nothing here can be undone."""
    memory = _address_space_bytes() + limits.decode_memory_bytes
    bounds = {
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
    }
    for what, most in bounds.items():
        resource.setrlimit(what, (most, most))


def _address_space_bytes() -> int:
    """Address space in use by this process."""
    pages = Path("/proc/self/statm").read_text().split()[0]
    return int(pages) * resource.getpagesize()


class Pool:
    """The worker's end of the conversation with the pool that started it.

    It ends with the process, wherever that stands, when the pool is gone: nobody waits for a
    result then.
    """

    def __init__(self, jobs: io.BufferedReader, answers: io.FileIO) -> None:
        self._jobs = jobs
        self._answers = answers
        # Where all pieces go: none is left half read when there is no memory.
        self._piece = memoryview(bytearray(wire.MAX_PIECE_BYTES))

    def next_job(self) -> dict[str, Any] | None:
        """Wait for a job; None when there will be no more."""
        head = self._jobs.read(wire.HEAD_BYTES)
        return self._message(head) if head else None

    def tell(self, content: dict[str, Any]) -> None:
        """Say what needs no answer."""
        view = memoryview(wire.message(content))
        while view:
            view = view[self._answers.write(view) :]

    def ask(self, content: dict[str, Any]) -> dict[str, Any]:
        """Say something, and wait for the answer."""
        self.tell(content)
        return self._message(self._read(wire.HEAD_BYTES))

    def ask_for_bytes(self) -> memoryview:
        """Wait for the next piece of the file; none at its end. The piece lasts until the next."""
        self.tell({"wants": len(self._piece)})
        piece = self._piece[: wire.piece_length(self._read(wire.HEAD_BYTES))]
        self._expect(self._jobs.readinto(piece), len(piece))
        return piece

    def _message(self, head: bytes) -> dict[str, Any]:
        content = json.loads(self._read(wire.message_length(head)))
        return cast("dict[str, Any]", content)

    def _read(self, length: int) -> bytes:
        found = self._jobs.read(length)
        self._expect(len(found), length)
        return found

    def _expect(self, found: int, length: int) -> None:
        if found < length:
            # An exception would have to pass through decoders in C first.
            os._exit(0)


class Arriving(io.RawIOBase):
    """A file that comes in while it is read. Reading waits for a byte, and gives what is there."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._piece = memoryview(b"")
        self._is_whole = False

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fill the buffer, or its beginning; returns how many bytes were there, 0 at the end."""
        if not self._piece and not self._is_whole:
            self._piece = self._pool.ask_for_bytes()
            self._is_whole = not self._piece
        into = memoryview(buffer).cast("B")
        count = min(len(into), len(self._piece))
        into[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        return count


class Overseer:
    """The judge of every job: passes on what is seen, and sees to the processor time.

    Of a job that nobody judges, the pool is told once a second of video how far it has come.
    """

    def __init__(self, pool: Pool, limits: Limits, *, judged: bool) -> None:
        self._pool = pool
        self._judged = judged
        self._allowance = Allowance(limits)
        self._told_ms = 0
        used = resource.getrusage(resource.RUSAGE_SELF)
        self._used_s = used.ru_utime + used.ru_stime
        self._limit_cpu()

    def judge(self, seen: Seen) -> Sequence[Span] | None:
        """Give a step to the pool's judge, if it has one."""
        self._allowance.reach(seen.through_ms)
        self._limit_cpu()
        if self._judged:
            return wire.unpack_spans(self._pool.ask(wire.pack_seen(seen)))
        if seen.through_ms - self._told_ms >= _TELL_MS:
            self._told_ms = seen.through_ms
            self._pool.tell({"through_ms": seen.through_ms})
        return ()

    def _limit_cpu(self) -> None:
        """End this process with SIGXCPU when the job takes more processor time than it may."""
        most = math.ceil(self._used_s + self._allowance.cpu_s)
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (most, hard))


def _serve(job: dict[str, Any], pool: Pool, limits: Limits) -> None:
    """Do one job. Whatever happens short of death, it is answered."""
    recipe = Recipe.from_dict(job["recipe"])
    # A video that nobody judges is sampled throughout.
    recipe = replace(recipe, key_frames=recipe.key_frames and job["judged"])
    overseer = Overseer(pool, limits, judged=job["judged"])
    answer: dict[str, Any]
    try:
        with _file(job["path"], pool, limits) as source:
            answer = {"found": wire.pack_found(look(source, limits, recipe, overseer.judge))}
    except MediaError as error:
        answer = {"error": wire.pack_error(error)}
    except OSError as error:
        answer = {"failed": [error.errno, error.strerror]}
    pool.tell(answer)


@contextmanager
def _file(path: str | None, pool: Pool, limits: Limits) -> Iterator[BinaryIO]:
    """The job's file: the one at `path`, digested unless it is past `max_bytes`, or a stream."""
    if path is None:
        # `look` asks no more of a binary file than such a one can do.
        yield cast("BinaryIO", Arriving(pool))
        return
    with Path(path).open("rb") as source:
        size = source.seek(0, os.SEEK_END)
        if size > limits.max_bytes:
            raise limits.exceeded("max_bytes", f"a file of {size} bytes")
        source.seek(0)
        if size:
            pool.tell({"digests": wire.pack_fingerprints(digests(source))})
        yield source


if __name__ == "__main__":
    main()
