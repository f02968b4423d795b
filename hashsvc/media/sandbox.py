"""A pool of sandboxed decoders: one process each, so that no file can harm the caller.

Decoders of pictures and videos are large and written in C, and the files come from strangers.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from hashsvc.errors import MediaError, NotReady, OperatorError
from hashsvc.media.confinement import LAYERS
from hashsvc.media.limits import Limits
from hashsvc.media.process import Lost, Result, Worker, worker_command
from hashsvc.media.recipe import FOR_LISTS, Recipe
from hashsvc.model import MediaFingerprints

JOBS_PER_WORKER = 1000
"""A worker is replaced after this many files, so that leaks in decoders stay small."""

_log = logging.getLogger(__name__)


class DecoderPool:
    """Fingerprints files in `size` worker processes.

    ::

        async with DecoderPool(size=2) as pool:
            found = await pool.fingerprint([data])

    A call waits while all workers are busy; bounding the queue is the caller's business, for which
    `idle` and `busy` are there. `confined` are the layers of confinement that hold
    for all (`confinement.LAYERS`). `restarts` counts workers lost to files, limits or cancelled
    calls. `opens_files` lets workers open files, for `fingerprint_path`; without it they are given
    bytes alone. `command` replaces the worker's command line, for tests. Use from one event loop.
    """

    def __init__(
        self,
        size: int,
        limits: Limits | None = None,
        *,
        opens_files: bool = True,
        command: Sequence[str] | None = None,
        jobs_per_worker: int = JOBS_PER_WORKER,
    ) -> None:
        if size < 1:
            raise ValueError("a decoder pool needs at least one worker")
        self.size = size
        self.limits = limits or Limits()
        self.restarts = 0
        self.confined: tuple[str, ...] = ()
        command = tuple(command or worker_command(self.limits, opens_files=opens_files))
        self._jobs_per_worker = jobs_per_worker
        self._slots = [_Slot(command) for _ in range(size)]
        self._free: asyncio.Queue[_Slot] = asyncio.Queue()
        self._closed = False

    async def start(self) -> None:
        """Start all workers and wait until they can serve. Raises OperatorError if they cannot."""
        for slot in self._slots:
            slot.prepare()
        try:
            workers = [await slot.ready() for slot in self._slots]
        except BaseException:
            await self.close()
            raise
        self.confined = tuple(
            layer for layer in LAYERS if all(layer in worker.confined for worker in workers)
        )
        for slot in self._slots:
            self._free.put_nowait(slot)

    async def close(self) -> None:
        """End all workers; calls still running fail with NotReady. Safe to repeat."""
        self._closed = True
        for slot in self._slots:
            await slot.discard()

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
        return self._free.qsize()

    @property
    def busy(self) -> int:
        """Workers with a file."""
        return self.size - self.idle

    async def fingerprint(
        self, chunks: Sequence[bytes], recipe: Recipe = FOR_LISTS
    ) -> MediaFingerprints:
        """Fingerprint the file whose bytes are `chunks`, as the recipe says.

        Raises MediaUnreadable and MediaTooLarge, with digests where they are known, also when the
        file crashed its decoder or took too long; OperatorError when no decoder can be started.
        """
        return await self._run(None, chunks, recipe)

    async def fingerprint_path(
        self, path: str | Path, recipe: Recipe = FOR_LISTS
    ) -> MediaFingerprints:
        """Fingerprint a file that the workers can open. Raises OSError too, when they cannot."""
        return await self._run(_absolute(path), (), recipe)

    async def _run(
        self, path: str | None, chunks: Sequence[bytes], recipe: Recipe
    ) -> MediaFingerprints:
        slot = await self._free.get()
        try:
            if self._closed:
                raise _shut_down()
            worker = await slot.ready()
            result = await self._run_on(slot, worker, path, chunks, recipe)
        finally:
            self._free.put_nowait(slot)
        if isinstance(result, Exception):
            raise result
        return result

    async def _run_on(
        self,
        slot: "_Slot",
        worker: Worker,
        path: str | None,
        chunks: Sequence[bytes],
        recipe: Recipe,
    ) -> Result:
        """Give one file to a worker, and replace the worker unless it came through whole."""
        try:
            result = await worker.run(path, chunks, self.limits, recipe)
        except Lost as lost:
            if self._closed:
                raise _shut_down() from None
            _log.warning("decoder lost: %s", lost)
            self._restart(slot)
            raise lost.error from None
        except BaseException:
            # The caller went away, and its file may keep the worker busy for a long time.
            self._restart(slot)
            raise
        if worker.jobs >= self._jobs_per_worker or _took_all_memory(result):
            slot.replace(restart=not self._closed)
        return result

    def _restart(self, slot: "_Slot") -> None:
        self.restarts += 1
        slot.replace(restart=not self._closed)


class _Slot:
    """A place for one worker, which is started ahead of its use."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._worker: asyncio.Task[Worker] | None = None
        self._endings: set[asyncio.Task[None]] = set()

    def prepare(self) -> None:
        """Begin to start a worker, unless there is one."""
        if self._worker is None:
            self._worker = asyncio.create_task(Worker.start(self._command))
            # A failure is raised from `ready`, if anybody asks.
            self._worker.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def ready(self) -> Worker:
        """The worker, when it can serve. Raises OperatorError; the next call tries again."""
        for _ in range(2):
            worker = await self._started()
            if worker.is_alive:
                return worker
            # It died between two files: no file is to blame.
            self.replace(restart=False)
        raise OperatorError("the decoder ends as soon as it is started")

    async def _started(self) -> Worker:
        self.prepare()
        starting = self._worker
        assert starting is not None
        try:
            return await asyncio.shield(starting)
        except OperatorError:
            if self._worker is starting:
                self._worker = None
            raise

    def replace(self, *, restart: bool) -> None:
        """End the worker at once, in the background, and begin to start another."""
        if self._worker is not None:
            ending = asyncio.create_task(_end(self._worker))
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)
            self._worker = None
        if restart:
            self.prepare()

    async def discard(self) -> None:
        """End the worker and wait until it is gone."""
        self.replace(restart=False)
        while self._endings:
            await asyncio.gather(*self._endings)


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
