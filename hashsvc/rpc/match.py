"""The MatchService servicer."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from time import perf_counter
from typing import Any

import grpc.aio
import structlog

from hashsvc import translate, translate_match
from hashsvc.config import Limits, Matching
from hashsvc.errors import (
    HashsvcError,
    InvalidRequest,
    MediaError,
)
from hashsvc.lists import rules
from hashsvc.lists.indexer import Indexer
from hashsvc.matching.matcher import Matcher
from hashsvc.matching.query import Query
from hashsvc.media import DecoderPool
from hashsvc.metrics import Metrics
from hashsvc.model import Caller, Fingerprint, MediaType, Outcome, Verdict
from hashsvc.rpc import access
from hashsvc.rpc.admission import Place
from hashsvc.rpc.answers import Answers
from hashsvc.rpc.errors import status
from hashsvc.rpc.threads import Threads
from hashsvc.rpc.turns import in_pieces
from hashsvc.rpc.uploads import Uploads
from hashsvc.rpc.videos import Videos
from hashsvc.tokens import Revisions
from hashsvc.v1 import match_service_pb2 as pb
from hashsvc.v1.match_service_pb2_grpc import MatchServiceServicer

_log = structlog.get_logger()

Context = grpc.aio.ServicerContext[Any, Any]

# An answer that the index is behind must still reach the caller before its deadline.
_DEADLINE_MARGIN_S = 0.1

# More than these are read in a thread: about a millisecond.
_FEW = 500


class MatchServicer(MatchServiceServicer):
    """Reads requests, asks the matcher, writes verdicts."""

    def __init__(
        self,
        matcher: Matcher,
        indexer: Indexer,
        decoders: DecoderPool,
        stream_decoders: DecoderPool,
        may_decode: Callable[[Caller], Place],
        uploads: Uploads,
        threads: Threads,
        revisions: Revisions,
        metrics: Metrics,
        *,
        limits: Limits,
        matching: Matching,
    ) -> None:
        self._matcher = matcher
        self._indexer = indexer
        self._decoders = decoders
        self._uploads = uploads
        self._threads = threads
        self._revisions = revisions
        self._metrics = metrics
        self._limits = limits
        self._wait_s = matching.wait_for_revision_s
        self._answers = Answers(metrics, max_near_per_entry=limits.max_near_per_entry)
        self._videos = Videos(matcher, stream_decoders, may_decode, threads, self._answers, limits)

    async def Check(self, request: pb.CheckRequest, context: Context) -> pb.CheckResponse:
        """Check fingerprints."""
        started = perf_counter()
        query = await self._query(request, access.may_match(), context)
        read = perf_counter()
        (verdict,) = await self._judge([query])
        matched = perf_counter()
        response = pb.CheckResponse(verdict=self._answers.write(query.fingerprints, verdict))
        # Counted once the answer is on its way.
        moments = (started, read, matched, perf_counter())
        asyncio.get_running_loop().call_soon(self._metrics.checked, *moments)
        return response

    async def CheckMedia(
        self, request_iterator: AsyncIterator[pb.CheckMediaRequest], context: Context
    ) -> pb.CheckMediaResponse:
        """Fingerprint a file in a sandbox and check it."""
        async with self._uploads.receive(request_iterator) as upload:
            is_behind = await self._is_behind(upload.options.min_revision, context)
            check = self._videos.open(_no_frames(is_behind=is_behind))
            try:
                found = await self._decoders.fingerprint(upload.chunks, check.recipe, check.judge)
            except MediaError as error:
                return await self._check_unreadable(error, is_behind=is_behind)
        answer = await check.whole(found)
        return pb.CheckMediaResponse(
            verdict=answer.verdict, media_type=translate.media_type_to_proto(found.media_type)
        )

    async def CheckVideo(
        self, request_iterator: AsyncIterator[pb.CheckVideoRequest], context: Context
    ) -> AsyncGenerator[pb.CheckVideoResponse, None]:
        """Check a video while it comes in."""
        first = await anext(request_iterator, None)
        min_revision = ""
        if first is not None and first.WhichOneof("part") == "options":
            min_revision = first.options.min_revision
            first = await anext(request_iterator, None)
        query = _no_frames(is_behind=await self._is_behind(min_revision, context))
        async with aclosing(self._videos.check(first, request_iterator, query)) as answers:
            async for answer in answers:
                yield answer

    async def CheckBatch(
        self, request_iterator: AsyncIterator[pb.CheckBatchRequest], context: Context
    ) -> AsyncIterator[pb.CheckBatchResponse]:
        """Check one batch after the other."""
        async for request in request_iterator:
            yield await self._check_batch(request.checks, context)

    async def _judge(self, queries: Sequence[Query]) -> list[Verdict]:
        if not self._matcher.is_quick(queries):
            return await self._threads.check(self._matcher.check, queries)
        searched = self._matcher.search(queries)
        if searched.is_near:
            return await self._threads.check(self._matcher.judge, searched)
        return self._matcher.judge(searched)

    async def _check_unreadable(
        self, error: MediaError, *, is_behind: bool
    ) -> pb.CheckMediaResponse:
        """Answer for a file that cannot be decoded: it may still be known by its digests."""
        if error.digests:
            query = Query(
                MediaType.IMAGE,
                error.digests,
                is_behind=is_behind,
                may_match=access.may_match(),
                may_count=access.may_count(),
            )
            (verdict,) = await self._judge([query])
            if verdict.outcome is Outcome.MATCH:
                return pb.CheckMediaResponse(
                    verdict=self._answers.write(query.fingerprints, verdict)
                )
        raise error

    async def _check_batch(
        self, checks: Sequence[pb.CheckRequest], context: Context
    ) -> pb.CheckBatchResponse:
        if not checks:
            raise InvalidRequest.of("checks", "give at least one check")
        rules.check_limit("max_batch_checks", "checks", len(checks), self._limits.max_batch_checks)
        queries: list[Query] = []
        results: list[pb.CheckResult | None] = []
        may_match = access.may_match()
        async for check in in_pieces(checks):
            try:
                queries.append(await self._query(check, may_match, context))
                results.append(None)
            except HashsvcError as error:
                results.append(pb.CheckResult(error=status(error)))
        judged = iter(zip(queries, await self._judge(queries), strict=True))
        return pb.CheckBatchResponse(
            results=[result or self._result(*next(judged)) async for result in in_pieces(results)]
        )

    def _result(self, query: Query, verdict: Verdict) -> pb.CheckResult:
        try:
            return pb.CheckResult(verdict=self._answers.write(query.fingerprints, verdict))
        except HashsvcError as error:
            return pb.CheckResult(error=status(error))

    async def _query(
        self,
        request: pb.CheckRequest,
        may_match: Callable[[str], bool] | None,
        context: Context,
    ) -> Query:
        most = self._limits.max_check_fingerprints
        rules.check_limit("max_check_fingerprints", "fingerprints", len(request.fingerprints), most)
        media_type = translate.media_type_from_proto(request.media_type, "media_type")
        if len(request.fingerprints) <= _FEW:
            fingerprints = _read_fingerprints(request)
        else:
            fingerprints = await self._threads.check(_read_fingerprints, request)
        return Query(
            media_type,
            fingerprints,
            translate_match.limitation_from_proto(request.limitation),
            is_behind=await self._is_behind(request.min_revision, context),
            may_match=may_match,
            may_count=access.may_count(),
        )

    async def _is_behind(self, min_revision: str, context: Context) -> bool:
        if not min_revision:
            return False
        position = self._revisions.position(min_revision)
        remaining = context.time_remaining()
        wait_s = self._wait_s
        if remaining is not None:
            wait_s = max(0.0, min(wait_s, remaining - _DEADLINE_MARGIN_S))
        return not await self._indexer.reached(position, wait_s)


def _no_frames(*, is_behind: bool) -> Query:
    """A video of which nothing was seen yet, for this caller."""
    return Query(
        MediaType.VIDEO,
        (),
        is_behind=is_behind,
        may_match=access.may_match(),
        may_count=access.may_count(),
    )


def _read_fingerprints(request: pb.CheckRequest) -> tuple[Fingerprint, ...]:
    """Return the fingerprints to check. Raises InvalidRequest for malformed ones."""
    fingerprints = translate.fingerprints_from_proto(request.fingerprints, "fingerprints")
    rules.check_fingerprints(fingerprints)
    return fingerprints
