"""Files named on the command line: finding them, and fingerprinting them on all cores."""

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

from hashsvc.errors import MediaError
from hashsvc.media import DecoderPool, Recipe, vpdq
from hashsvc.model import MediaFingerprints, MediaType

Found = MediaFingerprints | MediaError | OSError
"""A file's fingerprints, or why there are none."""

# One slow file must not keep the other decoders waiting; what waits is only hashes.
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


async def fingerprints(
    pool: DecoderPool, files: Sequence[Path], recipe: Recipe
) -> AsyncGenerator[tuple[Path, Found], None]:
    """Yield each file with what was found, in order, hashing ahead of the reader."""
    ahead: deque[tuple[Path, asyncio.Task[Found]]] = deque()
    try:
        for file in files:
            ahead.append((file, asyncio.create_task(_fingerprint(pool, file, recipe))))
            if len(ahead) > _AHEAD * pool.size:
                path, task = ahead.popleft()
                yield path, await task
        while ahead:
            path, task = ahead.popleft()
            yield path, await task
    finally:
        for _, task in ahead:
            task.cancel()


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
        yield path, await asyncio.to_thread(_read_vpdq, path)


def _read_vpdq(path: Path) -> Found:
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


async def _fingerprint(pool: DecoderPool, file: Path, recipe: Recipe) -> Found:
    try:
        return await pool.fingerprint_path(file, recipe)
    except (MediaError, OSError) as error:
        return error
