"""A pool of sandboxed decoders: one process each, so that no file can harm the caller.

Decoders of pictures and videos are large and written in C, and the files come from strangers.
"""

import asyncio
import logging
from collections.abc import AsyncIterable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from hashsvc.errors import MediaError, NotReady, OperatorError
from hashsvc.media.confinement import LAYERS
from hashsvc.media.limits import Limits
from hashsvc.media.process import Job, Lost, Result, Worker, worker_command
from hashsvc.media.recipe import FOR_LISTS, Recipe
from hashsvc.media.scan import AsyncJudge
from hashsvc.media.supply import Chunks, Supply
from hashsvc.model import MediaFingerprints

JOBS_PER_WORKER = 1000
"""A worker is replaced after this many files, so that leaks in decoders stay small."""

IDLE_S = 60.0
"""Workers that were not needed for so many seconds end, but for those kept ready."""

_log = logging.getLogger(__name__)


class DecoderPool:
    """Fingerprints files in worker processes, `size` at the most.

    ::

        async with DecoderPool(size=2) as pool:
            found = await pool.fingerprint([data])

    Of those, `prestart` (all, if nothing is said) are kept ready ahead of use, as far as `size`
    allows; others are started when they are needed, and end when they were not for `idle_s`
    seconds.

    A call waits while `size` workers are busy; bounding the queue is the caller's business, for
    which `idle` and `busy` are there. `confined` are the layers of confinement that hold
    for all (`confinement.LAYERS`). `restarts` counts workers lost to files, limits or cancelled
    calls. `opens_files` lets workers open files, for `fingerprint_path`; without it they are given
    bytes alone. `command` replaces the worker's command line, for tests. Use from one event loop.
    """

    def __init__(
        self,
        size: int,
        limits: Limits | None = None,
        *,
        prestart: int | None = None,
        idle_s: float = IDLE_S,
        opens_files: bool = True,
        command: Sequence[str] | None = None,
        jobs_per_worker: int = JOBS_PER_WORKER,
    ) -> None:
        prestart = size if prestart is None else prestart
        if size < 1 or not 0 <= prestart <= size:
            raise ValueError("a decoder pool needs at least one worker")
        self.size = size
        self.prestart = prestart
        self.limits = limits or Limits()
        self.restarts = 0
        self.confined: tuple[str, ...] = ()
        self._command = tuple(command or worker_command(self.limits, opens_files=opens_files))
        self._jobs_per_worker = jobs_per_worker
        self._places = asyncio.Semaphore(size)
        # Workers, perhaps not ready yet. The one that was used last is taken first.
        self._idle: list[asyncio.Task[Worker]] = []
        self._busy: set[asyncio.Task[Worker]] = set()
        self._endings: set[asyncio.Task[None]] = set()
        self._idle_s = idle_s
        self._fewest_idle = 0
        self._shrinking: asyncio.TimerHandle | None = None
        self._closed = False

    async def start(self) -> None:
        """Start what is kept ready, and wait for it. Raises OperatorError if it cannot be."""
        self._keep_ready()
        try:
            workers = [await starting for starting in self._idle]
        except BaseException:
            await self.close()
            raise
        self.confined = tuple(
            layer for layer in LAYERS if all(layer in worker.confined for worker in workers)
        )

    async def close(self) -> None:
        """End all workers; calls still running fail with NotReady. Safe to repeat."""
        self._closed = True
        if self._shrinking is not None:
            self._shrinking.cancel()
            self._shrinking = None
        for starting in (*self._idle, *self._busy):
            self._end(starting)
        self._idle.clear()
        while self._endings:
            await asyncio.gather(*self._endings)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def idle(self) -> int:
        """Workers without a file."""
        return len(self._idle)

    @property
    def busy(self) -> int:
        """Workers with a file."""
        return len(self._busy)

    async def fingerprint(
        self,
        chunks: Chunks,
        recipe: Recipe | Callable[[], Recipe] = FOR_LISTS,
        judge: AsyncJudge | None = None,
    ) -> MediaFingerprints:
        """Fingerprint the file whose bytes are `chunks`, as the recipe says.

        A function is asked for the recipe when a worker is there for the file.

        Chunks may be still coming in: the next is taken when the decoder has asked for it, and not
        while the judge has a step of the video before it. How slowly they come, or the judge
        answers, counts against no limit.

        When the judge has said "enough" the call ends at once with what was seen, without digests.
        Else all chunks are taken, and their digests are known also of what cannot be decoded.

        Raises MediaUnreadable and MediaTooLarge, with digests where they are known, also when the
        file crashed its decoder or took too long; OperatorError when no decoder can be started;
        and what the chunks and the judge raise.
        """
        supply = Supply(chunks)
        job = Job(recipe, supply=supply, judge=judge)
        limits = self.limits
        size = 0 if isinstance(chunks, AsyncIterable) else sum(map(len, chunks))
        if size > limits.max_bytes:
            result: Result = limits.exceeded("max_bytes", f"a file of {size} bytes")
        else:
            result = await self._run(job)
        digests = () if job.is_enough else await supply.digests(limits.max_stream_bytes)
        if isinstance(result, MediaFingerprints):
            return replace(result, fingerprints=(*digests, *result.fingerprints))
        if isinstance(result, MediaError):
            result.digests = digests
        raise result

    async def fingerprint_path(
        self,
        path: str | Path,
        recipe: Recipe | Callable[[], Recipe] = FOR_LISTS,
        judge: AsyncJudge | None = None,
    ) -> MediaFingerprints:
        """Fingerprint a file that the workers can open. Raises OSError too, when they cannot."""
        job = Job(recipe, path=_absolute(path), judge=judge)
        result = await self._run(job)
        if isinstance(result, Exception):
            raise result
        return result

    async def _run(self, job: Job) -> Result:
        """Give a file to a worker, and keep the worker if it came through whole."""
        async with self._places:
            starting = await self._take()
            worker = starting.result()
            is_whole = is_fit = False
            try:
                result = await worker.run(job, self.limits)
                is_whole = True
                is_fit = worker.jobs < self._jobs_per_worker and not _took_all_memory(result)
            except Lost as lost:
                if self._closed:
                    raise _shut_down() from None
                _log.warning("decoder lost: %s", lost)
                result = lost.error
            finally:
                # Else its file may keep it busy for a long time, though the caller went away.
                self.restarts += not is_whole
                self._give_back(starting, is_fit=is_fit)
        return result

    async def _take(self) -> asyncio.Task[Worker]:
        """A worker that is ready. Raises OperatorError, and NotReady once the pool is closed."""
        # All that are idle may have died, which no file is to blame for.
        for _ in range(self.size + 1):
            if self._closed:
                raise _shut_down()
            starting = self._next()
            try:
                worker = await asyncio.shield(starting)
            except asyncio.CancelledError:
                self._give_back(starting, is_fit=True)
                if self._closed and starting.cancelled():
                    raise _shut_down() from None
                raise
            except OperatorError:
                self._busy.discard(starting)
                raise
            if worker.is_alive:
                return starting
            self._give_back(starting, is_fit=False)
        raise OperatorError("the decoder ends as soon as it is started")

    def _next(self) -> asyncio.Task[Worker]:
        """An idle worker, or a new one; from now on it is busy."""
        ready = [starting for starting in self._idle if starting.done()]
        starting = (ready or self._idle or [self._begin()])[-1]
        if starting in self._idle:
            self._idle.remove(starting)
            self._fewest_idle = min(self._fewest_idle, len(self._idle))
        self._busy.add(starting)
        self._keep_ready()
        return starting

    def _give_back(self, starting: asyncio.Task[Worker], *, is_fit: bool) -> None:
        """A worker is no longer busy: let it wait for the next file, or end it."""
        self._busy.discard(starting)
        if self._closed:
            return
        if is_fit:
            self._idle.append(starting)
        else:
            self._end(starting)
        self._keep_ready()
        self._shrink_later()

    def _keep_ready(self) -> None:
        """Begin to start as many workers as are to be ready ahead of use."""
        while len(self._idle) < min(self.prestart, self.size - len(self._busy)):
            self._idle.append(self._begin())

    def _begin(self) -> asyncio.Task[Worker]:
        starting = asyncio.create_task(Worker.start(self._command))
        # A failure is raised where the worker is taken, if anybody asks.
        starting.add_done_callback(lambda task: task.cancelled() or task.exception())
        return starting

    def _end(self, starting: asyncio.Task[Worker]) -> None:
        """Kill a worker, in the background."""
        ending = asyncio.create_task(_end(starting))
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)

    def _shrink_later(self) -> None:
        """See to it that workers that nobody needs do not stay."""
        if self._shrinking is None and len(self._idle) > self.prestart:
            self._fewest_idle = len(self._idle)
            self._shrinking = asyncio.get_running_loop().call_later(self._idle_s, self._shrink)

    def _shrink(self) -> None:
        """End those workers that were idle all the time since this was planned."""
        self._shrinking = None
        for _ in range(min(self._fewest_idle, len(self._idle) - self.prestart)):
            self._end(self._idle.pop(0))
        self._shrink_later()


async def _end(starting: asyncio.Task[Worker]) -> None:
    starting.cancel()
    with suppress(asyncio.CancelledError, OperatorError):
        await (await starting).end()


def _absolute(path: str | Path) -> str:
    return str(Path(path).absolute())


def _took_all_memory(result: Result) -> bool:
    return isinstance(result, MediaError) and result.metadata.get("limit") == "decode_memory_bytes"


def _shut_down() -> NotReady:
    return NotReady("the decoders are shut down")
