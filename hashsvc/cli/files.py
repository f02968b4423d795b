"""Files named on the command line: finding them, and fingerprinting them on all cores."""

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from hashsvc.errors import MediaError
from hashsvc.media import DecoderPool, Recipe, vpdq
from hashsvc.model import MediaFingerprints, MediaType

Found = MediaFingerprints | MediaError | OSError
"""A file's fingerprints, or why there are none."""

R = TypeVar("R")

# One slow file must not keep the other decoders waiting; what waits is only hashes or verdicts.
_AHEAD = 32


def walk(paths: Iterable[Path]) -> list[Path]:
    """Return the files that paths name; folders give all files below them, sorted."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            files += sorted(found for found in path.rglob("*") if found.is_file())
        else:
            files.append(path)
    return files


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@asynccontextmanager
async def decoders(count: int) -> AsyncIterator[DecoderPool]:
    """Run decoders for `count` files: no more than there are cores or files."""
    async with DecoderPool(max(1, min(cores(), count))) as pool:
        yield pool


async def each(
    files: Iterable[Path], work: Callable[[Path], Awaitable[R]], ahead: int
) -> AsyncGenerator[tuple[Path, R], None]:
    """Yield each file with what work makes of it, in order, `ahead` of them before the reader."""
    begun: deque[tuple[Path, asyncio.Future[R]]] = deque()
    try:
        for file in files:
            begun.append((file, asyncio.ensure_future(work(file))))
            if len(begun) > ahead:
                path, task = begun.popleft()
                yield path, await task
        while begun:
            path, task = begun.popleft()
            yield path, await task
    finally:
        for _, task in begun:
            task.cancel()
        await asyncio.gather(*(task for _, task in begun), return_exceptions=True)


def ahead_of(pool: DecoderPool) -> int:
    """How many files to begin ahead, so that all decoders of a pool are busy."""
    return _AHEAD * pool.size


def fingerprints(
    pool: DecoderPool, files: Sequence[Path], recipe: Recipe
) -> AsyncGenerator[tuple[Path, Found], None]:
    """Yield each file with what was found, in order, hashing ahead of the reader."""
    return each(files, partial(_fingerprint, pool, recipe), ahead_of(pool))


async def hashed(
    media: Sequence[Path], vpdq_files: Sequence[Path], recipe: Recipe
) -> AsyncGenerator[tuple[Path, Found], None]:
    """Yield media with the hashes that they give, then vPDQ files with those that they hold."""
    if media:
        async with (
            decoders(len(media)) as pool,
            aclosing(fingerprints(pool, media, recipe)) as made,
        ):
            async for path, found in made:
                yield path, found
    for path in vpdq_files:
        yield path, await asyncio.to_thread(read_vpdq, path)


def read_vpdq(path: Path) -> Found:
    """Return what a vPDQ file holds."""
    try:
        with path.open("rb") as file:
            frames = vpdq.read(file)
    except (MediaError, OSError) as error:
        return error
    return MediaFingerprints(
        media_type=MediaType.VIDEO,
        format="vpdq",
        width=0,
        height=0,
        duration_ms=frames[-1].time_ms,
        fingerprints=frames,
    )


async def _fingerprint(pool: DecoderPool, recipe: Recipe, file: Path) -> Found:
    try:
        return await pool.fingerprint_path(file, recipe)
    except (MediaError, OSError) as error:
        return error
