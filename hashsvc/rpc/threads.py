"""Where blocking work runs, so that the event loop never waits."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Threads:
    """Thread pools by kind of work. The ledger's has one thread: writes keep their order."""

    def __init__(self) -> None:
        cores = os.cpu_count() or 2
        self._check = ThreadPoolExecutor(cores, "check")
        self._read = ThreadPoolExecutor(2, "read")
        self._write = ThreadPoolExecutor(1, "write")
        self._save = ThreadPoolExecutor(1, "save")

    async def check(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a search."""
        return await _run(self._check, work, *args, **kwargs)

    async def read(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a look-up in the store."""
        return await _run(self._read, work, *args, **kwargs)

    async def write(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a change. Once begun it is carried through, also when the caller goes away."""
        return await _run(self._write, work, *args, **kwargs)

    async def save(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run what is long and for which nobody waits."""
        return await _run(self._save, work, *args, **kwargs)

    def close(self) -> None:
        """Wait for what is running and end the threads."""
        for pool in (self._check, self._read, self._write, self._save):
            pool.shutdown(wait=True, cancel_futures=True)


async def _run(
    pool: ThreadPoolExecutor, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs
) -> R:
    return await asyncio.get_running_loop().run_in_executor(pool, lambda: work(*args, **kwargs))
