"""What the blocking client does about checks."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import grpc

from hashsvc import translate_match
from hashsvc.model import (
    Fingerprint,
    MediaFingerprints,
    MediaType,
    UndeterminedReason,
    Verdict,
)
from hashsvc.v1 import match_service_pb2 as pb
from hashsvc.v1.match_service_pb2_grpc import MatchServiceStub
from hashsvc_client import _messages as messages
from hashsvc_client import videos
from hashsvc_client.errors import (
    ClientError,
    broken_off,
    from_rpc_error,
    raised_as_client_errors,
)
from hashsvc_client.hashing import Hashing, Informed
from hashsvc_client.videos import ChunkSource, OnProgress, VideoProgress

if TYPE_CHECKING:
    from hashsvc.media import Recipe
    from hashsvc.media.recipe import RecipeFor
    from hashsvc.media.scan import Seen, Span


class Checks(Informed):
    """The methods of the blocking client."""

    _match: MatchServiceStub
    _timeout_s: float

    def check(
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
            response = self._match.Check(request, timeout=self._timeout_s)
        return self._held.note(translate_match.verdict_from_proto(response.verdict))

    def check_fingerprints(self, upload: MediaFingerprints, *, min_revision: str = "") -> Verdict:
        """Check what hashing a file gave, its limitation included."""
        return self.check(
            upload.fingerprints,
            upload.media_type,
            limitation=upload.limitation,
            min_revision=min_revision,
        )

    def check_file(
        self,
        path: str | Path,
        *,
        send_media: bool = False,
        recipe: "Recipe | RecipeFor | None" = None,
        stop_when_certain: bool = False,
        on_progress: OnProgress | None = None,
        min_revision: str = "",
    ) -> Verdict:
        """Check a file, hashed here, or by the node where `send_media` is set.

        A video is looked at by its key frames first, and more closely where the node asks for it,
        in one call without a deadline; with `stop_when_certain` only until something matches.

        A file that cannot be decoded here is checked by its digests, and is UNDETERMINED where
        they are unknown; the node refuses such a file with `RequestRefused`.

        It is hashed here with what the node's lists hold, as far as the last answer said. Where the
        answer about the file names more, it is hashed again, unless it matches by a digest or as a
        video; a video's progress begins anew. A `recipe` says how to hash it, whatever is held, or
        it is a function that says so for the algorithms held, in the place of
        `hashsvc.media.for_checks`. A node always uses its own.

        Raises:
            OSError: the file cannot be read.
            hashsvc.errors.MediaError: the file is empty, or past a limit on its size.
        """
        if send_media:
            with Path(path).open("rb") as file:
                if messages.is_video(file):
                    return self._send_video(file, min_revision, stop_when_certain, on_progress)
                return self.check_media(file, min_revision=min_revision)
        hashing = Hashing(self._held, recipe, min_revision)
        while True:
            with _Conversation(self._match, hashing, stop_when_certain, on_progress) as about:
                found = messages.hash_file(path, hashing.recipe, about.judge)
                if about.is_cut:
                    continue
                if about.is_begun:
                    verdict = about.end(found)
                else:
                    verdict = self.check_fingerprints(found, min_revision=hashing.min_revision)
            if not hashing.begins_anew(verdict):
                return verdict

    def check_media(self, file: BinaryIO, *, min_revision: str = "") -> Verdict:
        """Send a file to the node to be hashed and checked there; best not a long video."""
        with raised_as_client_errors():
            response = self._match.CheckMedia(
                messages.media_requests(file, min_revision), timeout=self._timeout_s
            )
        return self._held.note(translate_match.verdict_from_proto(response.verdict))

    def check_video(
        self, source: ChunkSource, *, min_revision: str = "", timeout_s: float | None = None
    ) -> Generator[VideoProgress, None, None]:
        """Send a video while it comes in; yields what the node knows, whenever it knows more.

        Stop iterating when that is enough (`is_certain`): that ends the call, and the node drops
        what it has. The source is read in a thread, no faster than the node decodes and than the
        answers are taken, and may end or be abandoned at any time. What it raises is raised here.

        Without `timeout_s`, seconds for all of it, there is no deadline: a live upload takes as
        long as it takes. The node ends a call on which nothing moves for some minutes, and one
        whose node is gone ends with `ServiceUnavailable`. The call is not retried.
        """
        sent = videos.Chunks(source, min_revision)
        call = self._match.CheckVideo(iter(sent), timeout=timeout_s)
        sent.call.set_result(call)
        try:
            for response in call:
                progress = videos.read_progress(response)
                self._held.note(progress.verdict)
                yield progress
        except grpc.RpcError as error:
            raise sent.failure or from_rpc_error(error) from error
        finally:
            call.cancel()

    def check_batches(
        self, batches: Iterable[Sequence[MediaFingerprints]]
    ) -> Iterator[list[Verdict | ClientError]]:
        """Check many uploads over one stream; yields one list per batch, in order.

        Batches are read ahead of the answers. An upload that is malformed gives its error in
        place of a verdict. What was hashed without something that is `held` by its verdict may be
        known by that.
        """
        with raised_as_client_errors():
            sent = messages.Batches()
            requests = (request for batch in batches for request in sent.requests(batch))
            for response in self._match.CheckBatch(requests):
                results = sent.results(response)
                if results is not None:
                    self._note_all(results)
                    yield results

    def _send_video(
        self,
        file: BinaryIO,
        min_revision: str,
        stop_when_certain: bool,
        on_progress: OnProgress | None,
    ) -> Verdict:
        for progress in self.check_video(file, min_revision=min_revision):
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
        match: MatchServiceStub,
        hashing: Hashing,
        stop_when_certain: bool,
        on_progress: OnProgress | None,
    ) -> None:
        self._match = match
        self._hashing = hashing
        self._stop_when_certain = stop_when_certain
        self._on_progress = on_progress
        self._requests: SimpleQueue[pb.CheckVideoRequest | None] = SimpleQueue()
        self._call: Any = None
        self.is_cut = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._requests.put(None)
        if self._call is not None:
            self._call.cancel()

    @property
    def is_begun(self) -> bool:
        """Whether there were frames."""
        return self._call is not None

    def judge(self, seen: "Seen") -> "Sequence[Span] | None":
        """The judge of the decoder: sends frames, and gives what the node wants to see."""
        progress = self._ask(videos.frames_request(seen))
        self.is_cut = self._hashing.begins_anew(progress.verdict)
        is_enough = self.is_cut or (self._stop_when_certain and progress.is_certain)
        return None if is_enough else progress.closer

    def end(self, found: MediaFingerprints) -> Verdict:
        """Say how the video ended, and return the verdict on the whole of it."""
        return self._ask(videos.end_request(found)).verdict

    def _ask(self, request: pb.CheckVideoRequest) -> VideoProgress:
        if self._call is None:
            self._requests.put(videos.options_request(self._hashing.min_revision))
            self._call = self._match.CheckVideo(iter(self._requests.get, None))
        self._requests.put(request)
        with raised_as_client_errors():
            response = next(self._call, None)
        if response is None:
            raise broken_off()
        progress = videos.read_progress(response)
        self._hashing.held.note(progress.verdict)
        if self._on_progress is not None:
            self._on_progress(progress)
        return progress
