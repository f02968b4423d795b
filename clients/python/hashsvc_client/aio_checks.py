"""What the asyncio client does about checks."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from hashsvc import translate_match
from hashsvc.errors import MediaError
from hashsvc.model import (
    Fingerprint,
    MediaFingerprints,
    MediaType,
    UndeterminedReason,
    Verdict,
)
from hashsvc.v1 import match_service_pb2 as pb
from hashsvc_client import _messages as messages
from hashsvc_client import videos
from hashsvc_client.errors import ClientError, broken_off, raised_as_client_errors
from hashsvc_client.hashing import Hashing, Informed
from hashsvc_client.videos import AsyncChunkSource, OnProgress, VideoProgress

if TYPE_CHECKING:
    from hashsvc.media import DecoderPool, Recipe
    from hashsvc.media.recipe import RecipeFor
    from hashsvc.media.scan import Seen, Span
    from hashsvc.v1.match_service_pb2_grpc import MatchServiceAsyncStub


class AsyncChecks(Informed):
    """The methods of the asyncio client."""

    _match: "MatchServiceAsyncStub"
    _timeout_s: float

    async def check(
        self,
        fingerprints: Iterable[Fingerprint],
        media_type: MediaType = MediaType.IMAGE,
        *,
        limitation: UndeterminedReason | None = None,
        min_revision: str = "",
    ) -> Verdict:
        """Check fingerprints made earlier."""
        request = messages.check_request(media_type, fingerprints, limitation, min_revision)
        with raised_as_client_errors():
            response = await self._match.Check(request, timeout=self._timeout_s)
        return self._held.note(translate_match.verdict_from_proto(response.verdict))

    async def check_fingerprints(
        self, upload: MediaFingerprints, *, min_revision: str = ""
    ) -> Verdict:
        """Check what hashing a file gave, its limitation included."""
        return await self.check(
            upload.fingerprints,
            upload.media_type,
            limitation=upload.limitation,
            min_revision=min_revision,
        )

    async def check_file(
        self,
        path: str | Path,
        *,
        send_media: bool = False,
        recipe: "Recipe | RecipeFor | None" = None,
        decoders: "DecoderPool | None" = None,
        stop_when_certain: bool = False,
        on_progress: OnProgress | None = None,
        min_revision: str = "",
    ) -> Verdict:
        """Check a file, hashed here, or by the node where `send_media` is set.

        As `Client.check_file`. It is hashed by one of the `decoders`, in a sandboxed process, or
        where none are given in a thread of this one.

        Raises:
            OSError: the file cannot be read.
            hashsvc.errors.MediaError: the file is empty, or past a limit on its size.
        """
        if send_media:
            with Path(path).open("rb") as file:  # noqa: ASYNC230 (a few bytes, of a local file)
                if messages.is_video(file):
                    sending = self._send_video(file, min_revision, stop_when_certain, on_progress)
                    return await sending
                return await self.check_media(file, min_revision=min_revision)
        hashing = Hashing(self._held, recipe, min_revision)
        while True:
            async with _Conversation(self._match, hashing, stop_when_certain, on_progress) as about:
                found = await _hash_file(path, hashing, decoders, about)
                if about.is_cut:
                    continue
                if about.is_begun:
                    verdict = await about.end(found)
                else:
                    asking = self.check_fingerprints(found, min_revision=hashing.min_revision)
                    verdict = await asking
            if not hashing.begins_anew(verdict):
                return verdict

    async def check_media(self, file: BinaryIO, *, min_revision: str = "") -> Verdict:
        """Send a file to the node to be hashed and checked there; best not a long video."""
        with raised_as_client_errors():
            response = await self._match.CheckMedia(
                messages.media_requests(file, min_revision), timeout=self._timeout_s
            )
        return self._held.note(translate_match.verdict_from_proto(response.verdict))

    async def check_video(
        self, source: AsyncChunkSource, *, min_revision: str = "", timeout_s: float | None = None
    ) -> AsyncGenerator[VideoProgress, None]:
        """Send a video while it comes in; yields what the node knows, whenever it knows more.

        As `Client.check_video`; files and plain iterables are read in a thread. Who stops iterating
        before the end uses `contextlib.aclosing`, so that the call ends at once.
        """
        sent = videos.AsyncChunks(_pieces(source), min_revision)
        call = self._match.CheckVideo(aiter(sent), timeout=timeout_s)
        try:
            with raised_as_client_errors():
                async for response in call:
                    progress = videos.read_progress(response)
                    self._held.note(progress.verdict)
                    yield progress
        except asyncio.CancelledError:
            if sent.failure is None:
                raise
            raise sent.failure from None
        finally:
            call.cancel()

    async def check_batches(
        self, batches: AsyncIterable[Sequence[MediaFingerprints]]
    ) -> AsyncIterator[list[Verdict | ClientError]]:
        """Check many uploads over one stream; yields one list per batch, in order."""
        sent = messages.Batches()
        requests = (request async for batch in batches for request in sent.requests(batch))
        with raised_as_client_errors():
            async for response in self._match.CheckBatch(requests):
                results = sent.results(response)
                if results is not None:
                    self._note_all(results)
                    yield results

    async def _send_video(
        self,
        file: BinaryIO,
        min_revision: str,
        stop_when_certain: bool,
        on_progress: OnProgress | None,
    ) -> Verdict:
        async with aclosing(self.check_video(file, min_revision=min_revision)) as answers:
            async for progress in answers:
                if on_progress is not None:
                    on_progress(progress)
                if progress.is_final or (stop_when_certain and progress.is_certain):
                    return progress.verdict
        raise broken_off()


class _Conversation:
    """A CheckVideo call about a video that is hashed here; it begins with the first frames.

    `is_cut` once an answer says that the file is to be hashed anew.
    """

    def __init__(
        self,
        match: "MatchServiceAsyncStub",
        hashing: Hashing,
        stop_when_certain: bool,
        on_progress: OnProgress | None,
    ) -> None:
        self._match = match
        self._hashing = hashing
        self._stop_when_certain = stop_when_certain
        self._on_progress = on_progress
        self._requests: asyncio.Queue[pb.CheckVideoRequest | None] = asyncio.Queue()
        self._call: Any = None
        self._answers: Any = None
        self.is_closed = False
        self.is_cut = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.is_closed = True
        self._requests.put_nowait(None)
        if self._call is not None:
            self._call.cancel()

    @property
    def is_begun(self) -> bool:
        """Whether there were frames."""
        return self._call is not None

    async def judge(self, seen: "Seen") -> "Sequence[Span] | None":
        """The judge of the decoder: sends frames, and gives what the node wants to see."""
        if self.is_closed:
            return None
        progress = await self._ask(videos.frames_request(seen))
        self.is_cut = self._hashing.begins_anew(progress.verdict)
        is_enough = self.is_cut or (self._stop_when_certain and progress.is_certain)
        return None if is_enough else progress.closer

    async def end(self, found: MediaFingerprints) -> Verdict:
        """Say how the video ended, and return the verdict on the whole of it."""
        return (await self._ask(videos.end_request(found))).verdict

    async def _ask(self, request: pb.CheckVideoRequest) -> VideoProgress:
        if self._call is None:
            self._requests.put_nowait(videos.options_request(self._hashing.min_revision))
            self._call = self._match.CheckVideo(self._sent())
            self._answers = aiter(self._call)
        self._requests.put_nowait(request)
        with raised_as_client_errors():
            response = await anext(self._answers, None)
        if response is None:
            raise broken_off()
        progress = videos.read_progress(response)
        self._hashing.held.note(progress.verdict)
        if self._on_progress is not None:
            self._on_progress(progress)
        return progress

    async def _sent(self) -> AsyncIterator[pb.CheckVideoRequest]:
        while (request := await self._requests.get()) is not None:
            yield request


async def _hash_file(
    path: str | Path, hashing: Hashing, decoders: "DecoderPool | None", about: _Conversation
) -> MediaFingerprints:
    """As `messages.hash_file`, by a decoder or in a thread."""
    if decoders is not None:
        try:
            return await decoders.fingerprint_path(path, hashing.recipe, about.judge)
        except MediaError as error:
            return messages.known_by_digests(error)
    loop = asyncio.get_running_loop()

    def judge(seen: "Seen") -> "Sequence[Span] | None":
        return asyncio.run_coroutine_threadsafe(about.judge(seen), loop).result()

    return await asyncio.to_thread(messages.hash_file, path, hashing.recipe, judge)


async def _pieces(source: AsyncChunkSource) -> AsyncIterator[bytes]:
    if isinstance(source, AsyncIterable):
        async for piece in source:
            yield piece
        return
    coming = videos.pieces(source)
    while (next_piece := await asyncio.to_thread(next, coming, None)) is not None:
        yield next_piece
