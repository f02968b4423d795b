"""What both clients send in a CheckVideo call, and what they make of its answers."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from hashsvc import translate, translate_match
from hashsvc.model import Fingerprint, MediaFingerprints, UndeterminedReason, Verdict
from hashsvc.v1 import match_service_pb2 as pb

if TYPE_CHECKING:
    from hashsvc.media.scan import Seen, Span

CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class VideoProgress:
    """What a node knows of a video so far.

    A `verdict` of NO_MATCH means "not yet" until `is_final`: then it is for the whole video, and
    the last there is. `is_certain` says that something matches. `seen_through_ms` is how far the
    video was seen, `frames` how many were looked up, each look counted. `closer` is where more
    frames would help to decide, for who hashes them. `is_progressive` says that the bytes are
    decoded as they arrive; False while that is not known, and for frames.
    """

    verdict: Verdict
    is_certain: bool
    is_final: bool
    seen_through_ms: int
    frames: int
    closer: "tuple[Span, ...]" = ()
    is_progressive: bool = False


OnProgress = Callable[[VideoProgress], None]
"""Is called with each answer about a video that is hashed or sent by the client."""

ChunkSource = BinaryIO | Iterable[bytes]
"""A video to send: a binary file, or its bytes in pieces of any size."""

AsyncChunkSource = ChunkSource | AsyncIterable[bytes]


def read_progress(response: pb.CheckVideoResponse) -> VideoProgress:
    """Read an answer."""
    from hashsvc.media.scan import Span  # importing the client loads nothing of that room

    return VideoProgress(
        verdict=translate_match.verdict_from_proto(response.verdict),
        is_certain=response.is_certain,
        is_final=response.is_final,
        seen_through_ms=translate.milliseconds(response.seen_through),
        frames=response.frames,
        closer=tuple(
            Span(translate.milliseconds(span.start), translate.milliseconds(span.end))
            for span in response.look_closer
        ),
        is_progressive=response.is_progressive,
    )


def options_request(min_revision: str) -> pb.CheckVideoRequest:
    """Build the first part of a call."""
    return pb.CheckVideoRequest(options=pb.CheckVideoOptions(min_revision=min_revision))


def frames_request(seen: "Seen") -> pb.CheckVideoRequest:
    """Build the part that has what a step of decoding gave."""
    frames = pb.VideoFrames(
        fingerprints=_written(seen.fingerprints), seen_through=translate.duration(seen.through_ms)
    )
    return pb.CheckVideoRequest(frames=frames)


def end_request(found: MediaFingerprints) -> pb.CheckVideoRequest:
    """Build the last part about a video of which frames were sent."""
    limitation = found.limitation
    if limitation is UndeterminedReason.UNREADABLE:
        # It broke off: what was decoded before was looked up.
        limitation = UndeterminedReason.PARTLY_SEEN
    digests = [f for f in found.fingerprints if f.algorithm.is_digest]
    end = pb.VideoEnd(
        digests=_written(digests),
        limitation=translate_match.limitation_to_proto(limitation),
        detail=found.detail,
    )
    if limitation is None and found.duration_ms is not None:
        end.seen_through.CopyFrom(translate.duration(found.duration_ms))
    return pb.CheckVideoRequest(end=end)


def _written(fingerprints: Sequence[Fingerprint]) -> Any:
    return [translate.fingerprint_to_proto(fingerprint) for fingerprint in fingerprints]


class Chunks:
    """The parts of a call that sends a video's bytes, for a thread of gRPC's to iterate over.

    `call` is to be set once there is one. It is cancelled when the source raises, which gRPC would
    take for the end of the video or write to the log; `failure` is what the source raised.
    """

    def __init__(self, source: ChunkSource, min_revision: str) -> None:
        self._source = source
        self._min_revision = min_revision
        self.call: Future[Any] = Future()
        self.failure: Exception | None = None

    def __iter__(self) -> Iterator[pb.CheckVideoRequest]:
        yield options_request(self._min_revision)
        try:
            for piece in pieces(self._source):
                yield from _chunks(piece)
        except Exception as error:
            self.failure = error
            self.call.result().cancel()


class AsyncChunks:
    """The same for asyncio, where gRPC cancels the call by itself when the source raises."""

    def __init__(self, source: AsyncIterator[bytes], min_revision: str) -> None:
        self._source = source
        self._min_revision = min_revision
        self.failure: Exception | None = None

    async def __aiter__(self) -> AsyncIterator[pb.CheckVideoRequest]:
        yield options_request(self._min_revision)
        try:
            async for piece in self._source:
                for request in _chunks(piece):
                    yield request
        except Exception as error:
            self.failure = error
            raise


def pieces(source: ChunkSource) -> Iterator[bytes]:
    """The pieces of a video, as they come."""
    if not hasattr(source, "read"):
        yield from source
        return
    # What a pipe has now is better than a full piece later.
    read = getattr(source, "read1", source.read)
    while piece := read(CHUNK_BYTES):
        yield piece


def _chunks(piece: bytes) -> Iterator[pb.CheckVideoRequest]:
    for start in range(0, len(piece), CHUNK_BYTES):
        yield pb.CheckVideoRequest(chunk=bytes(piece[start : start + CHUNK_BYTES]))
