"""One worker process as seen from the caller: started, given files, ended."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from hashsvc.errors import MediaError, MediaUnreadable, OperatorError
from hashsvc.media import wire
from hashsvc.media.limits import Limits, out_of_memory
from hashsvc.media.recipe import Recipe
from hashsvc.model import Fingerprint, MediaFingerprints

START_S = 60.0
"""A worker that is not ready after this many seconds cannot be used."""

Result = MediaFingerprints | MediaError | OSError
"""What a job can come to while the worker stays sound."""

_DEATH_S = 5.0
_PIECE_BYTES = 1024 * 1024
_FFMPEG_FORMATS = "mov,matroska,webm,avi"


class Lost(Exception):
    """The worker is gone or no longer to be trusted; `error` is for the caller."""

    def __init__(self, error: MediaError) -> None:
        super().__init__(str(error))
        self.error = error


class Worker:
    """A running decoder process.

    `jobs` counts the files it was given, `confined` are the layers of its confinement that hold.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.jobs = 0
        self.confined: tuple[str, ...] = ()

    @classmethod
    async def start(cls, command: Sequence[str]) -> Self:
        """Start a process and wait until it is ready. Raises OperatorError when it is not."""
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env=environment(os.environ),
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            raise OperatorError(f"the decoder cannot be started: {error}") from error
        worker = cls(process)
        try:
            async with asyncio.timeout(START_S):
                worker.confined = tuple((await worker._receive()).get("confined", ()))
        except (TimeoutError, EOFError, ConnectionError, ValueError, TypeError) as error:
            status = await worker._death()
            await worker.end()
            raise OperatorError(f"the decoder did not start (exit status {status})") from error
        except BaseException:
            await worker.end()
            raise
        return worker

    @property
    def is_alive(self) -> bool:
        """Whether the process is not known to have ended."""
        return self._process.returncode is None

    async def end(self) -> None:
        """Kill the process and wait until it is gone."""
        with suppress(ProcessLookupError):
            self._process.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()

    async def run(
        self, path: str | None, chunks: Sequence[bytes], limits: Limits, recipe: Recipe
    ) -> Result:
        """Have the file at `path`, or else made of `chunks`, fingerprinted.

        Refusals are returned. Raises Lost when the worker died or ran out of time.
        """
        self.jobs += 1
        digests: tuple[Fingerprint, ...] = ()
        try:
            async with asyncio.timeout(limits.decode_wall_s):
                await self._send(path, chunks, recipe)
                answer = await self._receive()
                if "digests" in answer:
                    digests = wire.unpack_fingerprints(answer["digests"])
                    answer = await self._receive()
                return _result(answer, digests, path)
        except TimeoutError:
            error: MediaError = limits.exceeded("decode_wall_s", "decoding takes longer")
        except (EOFError, ConnectionError):
            error = _cause_of_death(await self._death(), limits)
        except (KeyError, TypeError, ValueError):
            error = MediaUnreadable("the decoder crashed on this file (it answered nonsense)")
        error.digests = digests
        raise Lost(error)

    async def _send(self, path: str | None, chunks: Sequence[bytes], recipe: Recipe) -> None:
        """Write a job. Raises ConnectionError when the process is gone."""
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(wire.message({"path": path, "recipe": recipe.to_dict()}))
        for chunk in chunks if path is None else ():
            for start in range(0, len(chunk), _PIECE_BYTES):
                stdin.write(wire.frame(chunk[start : start + _PIECE_BYTES]))
                await stdin.drain()
        if path is None:
            stdin.write(wire.frame(b""))
        await stdin.drain()

    async def _receive(self) -> dict[str, Any]:
        """Read one answer.

        Raises EOFError or ConnectionError when the process is gone, ValueError or TypeError for
        what no sound worker says.
        """
        stdout = self._process.stdout
        assert stdout is not None
        length = wire.frame_length(await stdout.readexactly(wire.LENGTH_BYTES))
        answer = json.loads(await stdout.readexactly(length))
        if not isinstance(answer, dict):
            raise TypeError(f"an answer that is {type(answer).__name__}")
        return answer

    async def _death(self) -> int | None:
        """Exit status of a process that stopped answering; None when it still lives."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_DEATH_S):
                return await self._process.wait()
        return None


def _result(answer: dict[str, Any], digests: tuple[Fingerprint, ...], path: str | None) -> Result:
    if "error" in answer:
        return wire.unpack_error(answer["error"], digests)
    if "failed" in answer:
        number, text = answer["failed"]
        return OSError(number, text, path)
    found = wire.unpack_found(answer["found"])
    return replace(found, fingerprints=(*digests, *found.fingerprints))


def _cause_of_death(status: int | None, limits: Limits) -> MediaError:
    """The error for a file during which its worker ended with this status."""
    if status == -signal.SIGXCPU:
        return limits.exceeded("decode_cpu_s", "decoding takes more processor time")
    if status == -signal.SIGKILL:
        # Nobody but the kernel does that, when the machine runs out of memory.
        return out_of_memory(limits)
    how = signal.Signals(-status).name if status and status < 0 else f"exit status {status}"
    return MediaUnreadable(f"the decoder crashed on this file ({how})")


def worker_command(limits: Limits, *, opens_files: bool) -> tuple[str, ...]:
    """The command line of a worker that keeps to `limits`, and may or may not open files."""
    paths = ("paths",) if opens_files else ()
    text = json.dumps(limits.to_dict())
    return (sys.executable, "-P", "-m", "hashsvc.media.worker", text, *paths)


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """A worker's environment: nothing of the caller's that could be a secret."""
    return {
        "PATH": own.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        # The package may be found only by the caller's own search path.
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        # Each further arena takes 64 MiB of the address space that is bounded.
        "MALLOC_ARENA_MAX": "1",
        "OPENCV_LOG_LEVEL": "SILENT",
        "OPENCV_FFMPEG_LOGLEVEL": "-8",
        "OPENCV_FFMPEG_CAPTURE_OPTIONS": f"format_whitelist;{_FFMPEG_FORMATS}",
    }
