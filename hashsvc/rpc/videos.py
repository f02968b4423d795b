"""CheckVideo: a video is checked while it comes in, as bytes or as frames."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from google.protobuf.duration_pb2 import Duration

from hashsvc import translate, translate_match
from hashsvc.config import Limits
from hashsvc.errors import InvalidRequest, MediaError, MediaUnreadable
from hashsvc.lists import rules
from hashsvc.matching.matcher import Matcher, Progress
from hashsvc.matching.query import Query
from hashsvc.media import DecoderPool, Recipe, for_checks
from hashsvc.media.scan import Seen, Span
from hashsvc.model import (
    Algorithm,
    Caller,
    Fingerprint,
    MediaFingerprints,
    MediaType,
    Outcome,
    UndeterminedReason,
    Verdict,
)
from hashsvc.rpc import access
from hashsvc.rpc.admission import Place
from hashsvc.rpc.answers import Answers
from hashsvc.rpc.threads import Threads
from hashsvc.v1 import match_service_pb2 as pb

Requests = AsyncIterator[pb.CheckVideoRequest]

# Fingerprints that stand for a video where different ones near an entry are counted.
_SAMPLE = 16


class Videos:
    """Checks videos that come in by and by. Used on the event loop.

    `may_decode` gives a caller a place among those whose bytes are decoded.
    """

    def __init__(
        self,
        matcher: Matcher,
        decoders: DecoderPool,
        may_decode: Callable[[Caller], Place],
        threads: Threads,
        answers: Answers,
        limits: Limits,
    ) -> None:
        self._matcher = matcher
        self._decoders = decoders
        self._may_decode = may_decode
        self._threads = threads
        self._answers = answers
        self._limits = limits

    def open(self, query: Query) -> "VideoCheck":
        """Begin to check a video of which nothing was seen yet."""
        return VideoCheck(self._matcher, self._threads, self._answers, query)

    async def check(
        self, first: pb.CheckVideoRequest | None, requests: Requests, query: Query
    ) -> AsyncGenerator[pb.CheckVideoResponse, None]:
        """Answer a stream whose first part, after the options, is `first`; None if there is none.

        Raises:
            InvalidRequest: its parts do not go together, or a frame is malformed.
            MediaUnreadable, MediaTooLarge, OperatorError: as for a file.
            Overloaded: the caller has as many videos decoded as it may.
        """
        if first is None:
            raise InvalidRequest.of("part", "the call ended without a chunk or a frame")
        check = self.open(query)
        is_file = first.WhichOneof("part") == "chunk"
        answer_all = self._file if is_file else self._frames
        async with aclosing(answer_all(check, first, requests)) as answers:
            async for answer in answers:
                yield answer

    async def _frames(
        self, check: "VideoCheck", first: pb.CheckVideoRequest, requests: Requests
    ) -> AsyncGenerator[pb.CheckVideoResponse, None]:
        limitation, detail = None, ""
        async for request in _with_first(first, requests):
            part = request.WhichOneof("part")
            if part == "end":
                await check.take(_read_end(request.end))
                limitation = translate_match.limitation_from_proto(request.end.limitation)
                detail = request.end.detail
                break
            if part != "frames":
                raise InvalidRequest.of(part or "part", "only frames and an end follow frames")
            seen = self._read_frames(request.frames, check)
            progress = await check.take(seen)
            # To be asked for a closer look is to be told that something known is near.
            self._answers.notice_near(seen.fingerprints, progress.near)
            yield check.answer(progress, closer=progress.closer)
        if check.is_empty:
            raise InvalidRequest.of("part", "the call ended without a frame or a digest")
        yield await check.last(limitation, detail)

    def _read_frames(self, frames: pb.VideoFrames, check: "VideoCheck") -> Seen:
        fingerprints = translate.fingerprints_from_proto(frames.fingerprints, "frames.fingerprints")
        if fingerprints:
            rules.check_fingerprints(fingerprints, "frames.fingerprints")
        for number, fingerprint in enumerate(fingerprints):
            is_of_frame = fingerprint.algorithm in (Algorithm.PDQ, Algorithm.ORB)
            if not is_of_frame or fingerprint.time_ms is None:
                field = f"frames.fingerprints[{number}]"
                raise InvalidRequest.of(field, "a frame is PDQ or ORB with a time offset")
        count = check.frames + len(fingerprints)
        most = self._limits.max_check_fingerprints
        rules.check_limit("max_check_fingerprints", "fingerprints", count, most)
        through_ms = _read_through(frames.seen_through, "frames")
        latest_ms = max((f.time_ms or 0 for f in fingerprints), default=0)
        return Seen(fingerprints, max(through_ms, latest_ms))

    async def _file(
        self, check: "VideoCheck", first: pb.CheckVideoRequest, requests: Requests
    ) -> AsyncGenerator[pb.CheckVideoResponse, None]:
        """Decode as the bytes come, and answer each step that the decoder takes."""
        with self._may_decode(access.caller()):
            async with aclosing(self._decoded(check, _Upload(first, requests))) as answers:
                async for answer in answers:
                    yield answer

    async def _decoded(
        self, check: "VideoCheck", upload: "_Upload"
    ) -> AsyncGenerator[pb.CheckVideoResponse, None]:
        # Nobody takes in more than there is room for: the decoder waits for a slow caller.
        told: asyncio.Queue[pb.CheckVideoResponse] = asyncio.Queue(maxsize=1)

        async def judge(seen: Seen) -> Sequence[Span]:
            progress = await check.take(seen)
            await told.put(check.answer(progress, is_progressive=not upload.is_whole))
            return progress.closer

        decoding = asyncio.create_task(self._decoders.fingerprint(upload, check.recipe, judge))
        try:
            async for answer in _until_done(told, decoding):
                yield answer
            yield await self._end(check, decoding)
        finally:
            decoding.cancel()
            # What it may have failed with is of no interest to who has gone.
            await asyncio.gather(decoding, return_exceptions=True)

    async def _end(
        self, check: "VideoCheck", decoding: asyncio.Task[MediaFingerprints]
    ) -> pb.CheckVideoResponse:
        """The last answer; of a file that cannot be decoded that on what was seen, if it is any."""
        try:
            found = await decoding
        except MediaError as error:
            if error.digests:
                await check.take(Seen(error.digests, check.through_ms))
            answer = await check.last(UndeterminedReason.PARTLY_SEEN, str(error))
            is_partial = check.frames and isinstance(error, MediaUnreadable)
            if answer.verdict.matches or is_partial:
                return answer
            raise
        return await check.whole(found)


class VideoCheck:
    """The check of one video: from what is seen to what is answered."""

    def __init__(self, matcher: Matcher, threads: Threads, answers: Answers, query: Query) -> None:
        self._matcher = matcher
        self._threads = threads
        self._answers = answers
        self._query = query
        self._open = matcher.open(query)
        self._sample: tuple[Fingerprint, ...] = ()
        self._told: set[str] = set()
        self.through_ms = 0
        self.is_empty = True

    @property
    def frames(self) -> int:
        """Frames looked up so far, each look counted."""
        return self._open.frames

    def recipe(self) -> Recipe:
        """How to hash it, given what is held now in the lists that it is checked against."""
        return for_checks(self._matcher.held(self._query.may_match))

    async def take(self, seen: Seen) -> Progress:
        """Look up what was seen, and judge."""
        self.through_ms = max(self.through_ms, seen.through_ms)
        self.is_empty = self.is_empty and not seen.fingerprints
        self._sample = self._sample or seen.fingerprints[:_SAMPLE]
        query = replace(self._query, fingerprints=seen.fingerprints)
        if self._matcher.is_quick([query]):
            is_near = self._open.search(seen.fingerprints, seen.through_ms)
        else:
            is_near = await self._threads.check(
                self._open.search, seen.fingerprints, seen.through_ms
            )
        return await self._threads.check(self._open.judge) if is_near else self._open.judge()

    async def judge(self, seen: Seen) -> Sequence[Span]:
        """The same for a decoder: where to look more closely."""
        return (await self.take(seen)).closer

    async def verdict(self, found: MediaFingerprints) -> Verdict:
        """The verdict on all that hashing gave, of which the frames of a video were taken."""
        if found.media_type is not MediaType.VIDEO:
            query = replace(
                self._query,
                media_type=found.media_type,
                fingerprints=found.fingerprints,
                limitation=found.limitation,
                detail=found.detail,
            )
            (verdict,) = await self._threads.check(self._matcher.check, [query])
            return verdict
        digests = tuple(f for f in found.fingerprints if f.algorithm.is_digest)
        # Of one that breaks off only so much was seen as was decoded.
        through_ms = 0 if found.limitation else found.duration_ms or 0
        await self.take(Seen(digests, through_ms))
        return await self._threads.check(self._open.finish, found.limitation, found.detail)

    def answer(
        self, progress: Progress, *, closer: Sequence[Span] = (), is_progressive: bool = False
    ) -> pb.CheckVideoResponse:
        """What is known so far."""
        answer = self._answer(progress.verdict, is_progressive=is_progressive)
        for span in closer:
            start, end = translate.duration(span.first_ms), translate.duration(span.last_ms)
            answer.look_closer.append(pb.TimeSpan(start=start, end=end))
        return answer

    async def last(
        self, limitation: UndeterminedReason | None = None, detail: str = ""
    ) -> pb.CheckVideoResponse:
        """What is known at the end of all frames."""
        verdict = await self._threads.check(self._open.finish, limitation, detail)
        return self._answer(verdict, is_final=True)

    async def whole(self, found: MediaFingerprints) -> pb.CheckVideoResponse:
        """What is known of a whole file."""
        verdict = await self.verdict(found)
        if found.limitation is UndeterminedReason.UNREADABLE and not verdict.matches:
            # Half a picture that is not known says nothing of the whole.
            raise MediaUnreadable(found.detail)
        self._sample = self._sample or found.fingerprints[:_SAMPLE]
        return self._answer(verdict, is_final=True, is_progressive=found.progressive)

    def _answer(
        self, verdict: Verdict, *, is_final: bool = False, is_progressive: bool = False
    ) -> pb.CheckVideoResponse:
        entries = {match.entry for match in verdict.matches + verdict.exemptions}
        if entries <= self._told:
            written = self._answers.write_again(verdict)
        else:
            self._told |= entries
            written = self._answers.write(self._sample, verdict)
        return pb.CheckVideoResponse(
            verdict=written,
            is_certain=verdict.outcome is Outcome.MATCH,
            is_final=is_final,
            seen_through=translate.duration(self.through_ms),
            frames=self.frames,
            is_progressive=is_progressive,
        )


def _read_end(end: pb.VideoEnd) -> Seen:
    digests = translate.fingerprints_from_proto(end.digests, "end.digests")
    if digests:
        rules.check_fingerprints(digests, "end.digests")
    if any(not digest.algorithm.is_digest for digest in digests):
        raise InvalidRequest.of("end.digests", "frames come before the end")
    return Seen(digests, _read_through(end.seen_through, "end"))


def _read_through(message: Duration, part: str) -> int:
    through_ms = translate.milliseconds(message)
    if not 0 <= through_ms <= rules.MAX_VIDEO_MS:
        raise InvalidRequest.of(f"{part}.seen_through", "is negative or more than a week")
    return through_ms


class _Upload:
    """The chunks of a file, the first of which has come; `is_whole` once all have."""

    def __init__(self, first: pb.CheckVideoRequest, requests: Requests) -> None:
        self._first = first
        self._requests = requests
        self.is_whole = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for request in _with_first(self._first, self._requests):
            if request.WhichOneof("part") != "chunk":
                raise InvalidRequest.of("part", "only chunks follow chunks")
            if request.chunk:
                yield request.chunk
        self.is_whole = True


async def _with_first(first: pb.CheckVideoRequest, requests: Requests) -> Requests:
    yield first
    async for request in requests:
        yield request


async def _until_done(
    told: asyncio.Queue[pb.CheckVideoResponse], work: asyncio.Task[Any]
) -> AsyncIterator[pb.CheckVideoResponse]:
    """Yield what work tells while it goes on."""
    while True:
        telling = asyncio.create_task(told.get())
        try:
            await asyncio.wait({telling, work}, return_when=asyncio.FIRST_COMPLETED)
            if not telling.done():
                return
        finally:
            telling.cancel()
        yield telling.result()
