"""Where blocking work runs, so that the event loop never waits."""

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from time import perf_counter
from typing import ParamSpec, TypeVar

from hashsvc.rpc import access
from hashsvc.rpc.fairness import FairQueue

P = ParamSpec("P")
R = TypeVar("R")


class Threads:
    """Thread pools by kind of work. The ledger's has one thread: writes keep their order.

    Where there are several, one partner never has all of them, and waiting work is taken in fair
    order.
    """

    def __init__(self) -> None:
        cores = os.cpu_count() or 2
        self._check = _Pool(max(2, cores), "check")
        self._read = _Pool(2, "read")
        self._write = _Pool(1, "write")
        self._save = _Pool(1, "save")

    async def check(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a search."""
        return await self._check.run(lambda: work(*args, **kwargs))

    async def read(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a look-up in the store."""
        return await self._read.run(lambda: work(*args, **kwargs))

    async def write(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a change. Once begun it is carried through, also when the caller goes away."""
        return await self._write.run(lambda: work(*args, **kwargs))

    async def save(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run what is long and for which nobody waits."""
        return await self._save.run(lambda: work(*args, **kwargs))

    def close(self) -> None:
        """Wait for what is running and end the threads."""
        for pool in (self._check, self._read, self._write, self._save):
            pool.close()


class _Pool:
    """Threads that partners share fairly."""

    def __init__(self, threads: int, name: str) -> None:
        self._executor = ThreadPoolExecutor(threads, name)
        self._most, self._most_each = threads, max(1, threads - 1)
        self._running: Counter[str] = Counter()
        self._queue = FairQueue()

    async def run(self, work: Callable[[], R]) -> R:
        """Run work when the caller's turn has come."""
        partner = access.payer()
        if self._queue or not self._has_place(partner):
            turn = self._queue.put(partner)
            self._give_turns()
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._leave(partner, 0.0)
                raise
        else:
            self._running[partner] += 1
        start = perf_counter()
        loop = asyncio.get_running_loop()

        def leave(_: Future[R]) -> None:
            loop.call_soon_threadsafe(self._leave, partner, perf_counter() - start)

        job: Future[R] = self._executor.submit(work)
        try:
            return await asyncio.wrap_future(job)
        finally:
            if job.done():
                self._leave(partner, perf_counter() - start)
            else:
                # Its caller has gone, but its thread is not free yet.
                job.add_done_callback(leave)

    def close(self) -> None:
        """Wait for what is running and end the threads."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _has_place(self, partner: str) -> bool:
        if self._running.total() >= self._most:
            return False
        return not partner or self._running[partner] < self._most_each

    def _leave(self, partner: str, seconds: float) -> None:
        self._running[partner] -= 1
        if not self._running[partner]:
            del self._running[partner]
        self._queue.charge(partner, seconds)
        self._give_turns()

    def _give_turns(self) -> None:
        while (partner := self._queue.give(self._has_place)) is not None:
            self._running[partner] += 1
        if not self._queue and not self._running:
            self._queue.forget()
