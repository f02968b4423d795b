"""One worker process as seen from the caller: started, given files, ended."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from hashsvc.errors import MediaError, MediaUnreadable, OperatorError
from hashsvc.media import wire
from hashsvc.media.limits import Allowance, Limits, out_of_memory
from hashsvc.media.recipe import Recipe
from hashsvc.media.scan import AsyncJudge, Seen, Span
from hashsvc.media.supply import Supply
from hashsvc.model import Fingerprint, MediaFingerprints

START_S = 60.0
"""A worker that is not ready after this many seconds cannot be used."""

NONSENSE = (KeyError, TypeError, ValueError, RecursionError)
"""What reading something raises that no sound worker says."""

Result = MediaFingerprints | MediaError | OSError
"""What a job can come to while the worker stays sound. Only of a path's file has it digests."""

_DEATH_S = 5.0


@dataclass(slots=True)
class Job:
    """One file to fingerprint: the one at `path`, or else what `supply` gives.

    A `recipe` that is a function is asked when a worker is there for the file. `is_enough` is set
    when the judge has said so: nobody need see the rest.
    """

    recipe: Recipe | Callable[[], Recipe]
    path: str | None = None
    supply: Supply | None = None
    judge: AsyncJudge | None = None
    is_enough: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The job as the worker is told."""
        recipe = self.recipe if isinstance(self.recipe, Recipe) else self.recipe()
        judged = self.judge is not None
        return {"path": self.path, "recipe": recipe.to_dict(), "judged": judged}


class Gone(Exception):
    """The process has ended."""


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
        self._gone = asyncio.create_task(process.wait())
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
                worker.confined = tuple((await worker.receive()).get("confined", ()))
        except (TimeoutError, EOFError, ConnectionError, *NONSENSE) as error:
            status = await worker.death()
            await worker.end()
            raise OperatorError(f"the decoder did not start (exit status {status})") from error
        except BaseException:
            await worker.end()
            raise
        return worker

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

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
        await self._gone

    async def run(self, job: Job, limits: Limits) -> Result:
        """Have a file fingerprinted; refusals are returned.

        Raises Lost when the worker died, ran out of time or made no sense. What the judge and the
        chunks raise is passed on. In either case the worker is of no more use.
        """
        self.jobs += 1
        return await _Conversation(self, job, limits).hold()

    async def send(self, frames: Iterable[bytes | memoryview]) -> None:
        """Write frames. Raises ConnectionError when the process is gone."""
        stdin = self._process.stdin
        assert stdin is not None
        for part in frames:
            stdin.write(part)
        await stdin.drain()

    async def receive(self) -> dict[str, Any]:
        """Read one message.

        Raises EOFError or ConnectionError when the process is gone, and any of NONSENSE.
        """
        stdout = self._process.stdout
        assert stdout is not None
        length = wire.message_length(await stdout.readexactly(wire.HEAD_BYTES))
        content = json.loads(await stdout.readexactly(length))
        if not isinstance(content, dict):
            raise TypeError(f"a message that is {type(content).__name__}")
        return content

    async def death(self) -> int | None:
        """Exit status of a process that stopped answering; None when it still lives."""
        await asyncio.wait((self._gone,), timeout=_DEATH_S)
        return self._process.returncode

    @asynccontextmanager
    async def must_live(self) -> AsyncIterator[None]:
        """End the block when the process ends. Raises Gone then."""
        try:
            async with asyncio.timeout(None) as block:

                def end(_: object) -> None:
                    # It may have ended just now by itself.
                    with suppress(RuntimeError):
                        block.reschedule(0)

                self._gone.add_done_callback(end)
                try:
                    yield
                finally:
                    self._gone.remove_done_callback(end)
        except TimeoutError:
            if not block.expired():
                raise
            raise Gone from None


class _Conversation:
    """One job of a worker: answers what it says, and knows for how long it was at work."""

    def __init__(self, worker: Worker, job: Job, limits: Limits) -> None:
        self._worker = worker
        self._job = job
        self._limits = limits
        self._allowance = Allowance(limits)
        self._worked_s = 0.0
        self._seen = 0

    async def hold(self) -> Result:
        """Talk until there is a result. Raises Lost, and what the judge and the chunks raise."""
        digests: tuple[Fingerprint, ...] = ()
        answer: Iterable[bytes | memoryview] = (wire.message(self._job.to_dict()),)
        try:
            while True:
                match said := await self._exchange(answer):
                    case wire.Wants():
                        answer = wire.piece(await self._take(said.most_bytes))
                    case Seen():
                        answer = (wire.message(wire.pack_spans(await self._judge(said))),)
                    case wire.Reached():
                        self._allowance.reach(said.through_ms)
                        answer = ()
                    case wire.Digests():
                        digests, answer = said.fingerprints, ()
                    case MediaFingerprints() | MediaError() | OSError():
                        return self._result(said, digests)
        except Lost as lost:
            lost.error.digests = digests
            raise

    async def _exchange(self, answer: Iterable[bytes | memoryview]) -> wire.Said:
        """Let the worker go on until it says something. Raises Lost."""
        time = asyncio.get_running_loop().time
        started = time()
        try:
            async with asyncio.timeout(self._allowance.wall_s - self._worked_s):
                await self._worker.send(answer)
                return wire.unpack_said(await self._worker.receive())
        except TimeoutError:
            error: MediaError = self._allowance.exceeded("decode_wall_s", "decoding takes longer")
        except (EOFError, ConnectionError):
            error = await self._cause_of_death()
        except NONSENSE:
            error = _nonsense()
        finally:
            self._worked_s += time() - started
        raise Lost(error)

    async def _take(self, most_bytes: int) -> memoryview:
        """The next piece of the file. Raises Lost, and what the chunks raise."""
        if self._job.supply is None:
            raise Lost(_nonsense())
        async with self._waiting():
            return await self._job.supply.take(most_bytes)

    async def _judge(self, seen: Seen) -> Sequence[Span] | None:
        """What the judge says to a step. Raises Lost, and what the judge raises."""
        self._allowance.reach(seen.through_ms)
        self._seen += len(seen.fingerprints)
        if self._job.judge is None or self._seen > self._limits.max_frames:
            raise Lost(_nonsense())
        async with self._waiting():
            spans = await self._job.judge(seen)
        self._job.is_enough = spans is None
        return spans

    @asynccontextmanager
    async def _waiting(self) -> AsyncIterator[None]:
        """Wait for others while the worker does. Raises Lost when it dies meanwhile."""
        try:
            async with self._worker.must_live():
                yield
        except Gone:
            raise Lost(await self._cause_of_death()) from None

    def _result(self, said: Result, digests: tuple[Fingerprint, ...]) -> Result:
        """The job's end as the caller is told."""
        match said:
            case MediaFingerprints():
                return replace(said, fingerprints=(*digests, *said.fingerprints))
            case OSError():
                return OSError(said.errno, said.strerror, self._job.path)
            case MediaError():
                said.digests = digests
        return said

    async def _cause_of_death(self) -> MediaError:
        """The error for a file during which the worker ended."""
        status = await self._worker.death()
        if status == -signal.SIGXCPU:
            return self._allowance.exceeded("decode_cpu_s", "decoding takes more processor time")
        if status == -signal.SIGKILL:
            # Nobody but the kernel does that, when the machine runs out of memory.
            return out_of_memory(self._limits)
        how = signal.Signals(-status).name if status and status < 0 else f"exit status {status}"
        return MediaUnreadable(f"the decoder crashed on this file ({how})")


def _nonsense() -> MediaError:
    return MediaUnreadable("the decoder crashed on this file (it answered nonsense)")


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
    }
