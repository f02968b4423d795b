"""The sandboxed decoder: `python -m hashsvc.media.worker LIMITS [paths]`, started by `DecoderPool`.

It takes jobs on stdin and answers on stdout (see `wire`), one at a time, until stdin ends. Before
the first job it loads every decoder once and then bounds itself: address space, processor time a
job, no file writing, no core dumps, few open files, and what `confinement` says. With `paths` it
may open files to read them.
"""

import io
import json
import math
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image

from hashsvc.errors import MediaError, MediaUnreadable
from hashsvc.media import wire
from hashsvc.media.confinement import confine
from hashsvc.media.decode import look
from hashsvc.media.digest import CHUNK_BYTES, Digester
from hashsvc.media.image import PLUGINS
from hashsvc.media.limits import Limits, out_of_memory
from hashsvc.media.recipe import PERCEPTUAL, Recipe
from hashsvc.model import Decoding

_OPEN_FILES = 32
_EVERYTHING = Recipe(
    rate=8, decoding=Decoding.FAST, algorithms=PERCEPTUAL, dihedral=True, shrunk512=True
)


def main() -> None:
    """Serve jobs until stdin ends."""
    limits = Limits.from_dict(json.loads(sys.argv[1]))
    jobs, answers = _take_over_stdio()
    _warm_up()
    _bound(limits)
    confined = confine(opens_files="paths" in sys.argv[2:])
    _send(answers, wire.message({"ready": True, "confined": confined}))
    while (header := _read_frame(jobs)) is not None:
        _limit_cpu(limits)
        job = json.loads(header)
        _serve(job["path"], Recipe.from_dict(job["recipe"]), jobs, answers, limits)


def _take_over_stdio() -> tuple[BinaryIO, BinaryIO]:
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
    with suppress(MediaUnreadable):
        look(io.BytesIO(b"RIFF\0\0\0\0AVI LIST"), Limits(), _EVERYTHING)


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


def _limit_cpu(limits: Limits) -> None:
    """End this process with SIGXCPU when the next job takes too much processor time."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = math.ceil(used.ru_utime + used.ru_stime + limits.decode_cpu_s)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (most, hard))


def _serve(
    path: str | None, recipe: Recipe, jobs: BinaryIO, answers: BinaryIO, limits: Limits
) -> None:
    """Do one job. Whatever happens short of death, the job is read to its end and answered."""
    digester = Digester()
    answer: dict[str, Any]
    try:
        with _take(path, jobs, digester, limits) as source:
            _send(answers, _digests(digester))
            answer = {"found": wire.pack_found(look(source, limits, recipe))}
    except _Refused as refusal:
        _send(answers, _digests(digester))
        answer = {"error": wire.pack_error(refusal.error)}
    except MediaError as error:
        answer = {"error": wire.pack_error(error)}
    except OSError as error:
        answer = {"failed": [error.errno, error.strerror]}
    _send(answers, wire.message(answer))


def _take(
    path: str | None, jobs: BinaryIO, digester: Digester, limits: Limits
) -> AbstractContextManager[BinaryIO]:
    """The job's file, digested."""
    if path is None:
        return _receive(jobs, digester, limits)
    return _open(path, digester, limits)


class _Refused(Exception):
    """The bytes are not even looked at."""

    def __init__(self, error: MediaError) -> None:
        super().__init__(str(error))
        self.error = error


def _receive(jobs: BinaryIO, digester: Digester, limits: Limits) -> BinaryIO:
    """Take a file's frames to the last one, digesting all and keeping what fits."""
    copy = io.BytesIO()
    error: MediaError | None = None
    while piece := _read_frame(jobs):
        digester.update(piece)
        if error is None and digester.size_bytes > limits.max_bytes:
            error = limits.exceeded("max_bytes", "the file")
        if error is None:
            try:
                copy.write(piece)
            except MemoryError:
                error = out_of_memory(limits)
        if error is not None:
            copy.close()
    if error is not None:
        raise _Refused(error)
    return copy


@contextmanager
def _open(path: str, digester: Digester, limits: Limits) -> Iterator[BinaryIO]:
    """Open a file and digest it, unless it is past `max_bytes`."""
    with Path(path).open("rb") as source:
        size = source.seek(0, os.SEEK_END)
        if size > limits.max_bytes:
            raise _Refused(limits.exceeded("max_bytes", f"a file of {size} bytes"))
        source.seek(0)
        while piece := source.read(CHUNK_BYTES):
            digester.update(piece)
        yield source


def _digests(digester: Digester) -> bytes:
    found = digester.fingerprints() if digester.size_bytes else ()
    return wire.message({"digests": wire.pack_fingerprints(found)})


def _read_frame(jobs: BinaryIO) -> bytes | None:
    """The next frame; None where stdin ends, which it does only between jobs or for good."""
    prefix = jobs.read(wire.LENGTH_BYTES)
    if len(prefix) < wire.LENGTH_BYTES:
        return None
    return jobs.read(wire.frame_length(prefix))


def _send(answers: BinaryIO, frame: bytes) -> None:
    view = memoryview(frame)
    while view:
        view = view[answers.write(view) :]


if __name__ == "__main__":
    main()
