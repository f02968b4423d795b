"""Takes in uploaded files, in memory and within bounds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from hashsvc.config import Limits
from hashsvc.errors import InvalidRequest, MediaTooLarge, Overloaded, UploadTooSlow
from hashsvc.v1 import match_service_pb2 as pb


@dataclass(slots=True)
class Upload:
    """A file that has come in whole."""

    options: pb.CheckMediaOptions = field(default_factory=pb.CheckMediaOptions)
    chunks: list[bytes] = field(default_factory=list)
    size: int = 0


class Uploads:
    """Bounds the memory of all uploads together. `_held` is touched by the event loop only."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held = 0

    @asynccontextmanager
    async def receive(self, requests: AsyncIterator[pb.CheckMediaRequest]) -> AsyncIterator[Upload]:
        """Read a file; its memory counts until the block ends.

        Raises:
            InvalidRequest: options come after the first message.
            MediaTooLarge: the file is larger than the limit.
            Overloaded: the uploads together are.
            UploadTooSlow: it takes too long.
        """
        upload = Upload()
        try:
            try:
                async with asyncio.timeout(self._limits.max_upload_s):
                    await self._take(upload, requests)
            except TimeoutError:
                raise UploadTooSlow(
                    f"the file did not come in within {self._limits.max_upload_s:g} s",
                    metadata={"limit": "max_upload_s"},
                ) from None
            yield upload
        finally:
            self._held -= upload.size

    async def _take(self, upload: Upload, requests: AsyncIterator[pb.CheckMediaRequest]) -> None:
        is_first = True
        async for request in requests:
            if request.WhichOneof("part") == "options":
                if not is_first:
                    raise InvalidRequest.of("options", "come in the first message only")
                upload.options = request.options
            elif request.chunk:
                self._hold(upload, request.chunk)
            is_first = False

    def _hold(self, upload: Upload, chunk: bytes) -> None:
        upload.size += len(chunk)
        self._held += len(chunk)
        most = self._limits.max_media_bytes
        if upload.size > most:
            raise MediaTooLarge(
                f"the file is larger than {most:,} bytes",
                metadata={"limit": "max_media_bytes", "maximum": str(most)},
            )
        if self._held > self._limits.max_media_buffer_bytes:
            raise Overloaded("too many bytes are being uploaded at once", retry_after_s=1)
        upload.chunks.append(chunk)
