"""The bytes of one file on their way to a decoder, digested as they pass.

The digests are made in the caller's process, so that they are known whatever becomes of the
decoder, and also of what it did not want to see.
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Sequence

from hashsvc.media.digest import CHUNK_BYTES, Digester
from hashsvc.model import Fingerprint

Chunks = Sequence[bytes] | AsyncIterable[bytes]
"""A file: pieces of any size, all there or still coming in."""

# More than this is digested in a thread: it takes more than a tenth of a millisecond.
_FEW_BYTES = 32 * 1024


class Supply:
    """Takes the next chunk only when somebody asks, and gives it in pieces.

    Errors of `chunks` are passed on to whoever asks.
    """

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = aiter(chunks) if isinstance(chunks, AsyncIterable) else _There(chunks)
        self._rest = memoryview(b"")
        self._digester = Digester()
        self._is_whole = False

    async def take(self, most_bytes: int) -> memoryview:
        """The next bytes, as soon as there are any, `most_bytes` at most; none at the end."""
        while not self._rest and not self._is_whole:
            try:
                self._rest = memoryview(await anext(self._chunks))
            except StopAsyncIteration:
                self._is_whole = True
        piece, self._rest = self._rest[:most_bytes], self._rest[most_bytes:]
        if len(piece) > _FEW_BYTES:
            await asyncio.to_thread(self._digester.update, piece)
        else:
            self._digester.update(piece)
            # Chunks that are all there would let nobody else have a turn.
            await asyncio.sleep(0)
        return piece

    async def digests(self, most_bytes: int) -> tuple[Fingerprint, ...]:
        """Take what is left, and give the digests of the whole file.

        There are none of an empty file, which they would not tell from others, and of one of more
        than `most_bytes`, which may have no end.
        """
        while self._digester.size_bytes <= most_bytes:
            if not await self.take(CHUNK_BYTES):
                break
        is_known = self._is_whole and self._digester.size_bytes
        return self._digester.fingerprints() if is_known else ()


class _There:
    """Chunks that are all there: a stream that does not keep anybody waiting."""

    def __init__(self, chunks: Sequence[bytes]) -> None:
        self._chunks = iter(chunks)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        for chunk in self._chunks:
            return chunk
        raise StopAsyncIteration
