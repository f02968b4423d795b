"""What the blocking and the asyncio client share: requests, answers, channel options."""

import json
import random
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from hashsvc import translate, translate_match
from hashsvc.addresses import is_loopback
from hashsvc.errors import MediaError
from hashsvc.model import (
    AddedEntry,
    Description,
    EntryDraft,
    Fingerprint,
    HashList,
    ListKind,
    MediaFingerprints,
    MediaType,
    Opinion,
    OpinionKind,
    UndeterminedReason,
    Verdict,
)
from hashsvc.v1 import list_service_pb2, match_service_pb2
from hashsvc_client.errors import ClientError, from_status

if TYPE_CHECKING:
    from hashsvc.media import Recipe
    from hashsvc.media.scan import Judge

CHUNK_BYTES = 256 * 1024
MAX_ATTEMPTS = 5
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
# Local features of an upload take 57 KB.
_BATCH_BYTES = 12 * 1024 * 1024
_KEEPALIVE_MS = 30_000

_SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [
                {"service": "hashsvc.v1.MatchService"},
                {"service": "hashsvc.v1.ListService"},
                # A stream that is followed is resumed by whoever knows how far it came.
                *(
                    {"service": "hashsvc.v1.SyncService", "method": method}
                    for method in (
                        "GetCheckpoint",
                        "GetInclusionProof",
                        "GetConsistencyProof",
                        "AddCosignature",
                    )
                ),
            ],
            # All others are safe to retry: checks change nothing, and writes carry a request_id or
            # may be repeated.
            "retryPolicy": {
                "maxAttempts": MAX_ATTEMPTS,
                "initialBackoff": "0.1s",
                "maxBackoff": "2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        },
        # A method's own entry counts alone. What was sent of a video cannot be sent again.
        {"name": [{"service": "hashsvc.v1.MatchService", "method": "CheckVideo"}]},
    ]
}


def channel_options(address: str) -> list[tuple[str, str | int]]:
    """Return the options of a channel to an address."""
    host = address.rpartition(":")[0]
    return [
        ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        # Streams may be silent for long: so a node that is gone is noticed.
        ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
        ("grpc.http2.max_pings_without_data", 0),
        # gRPC would send calls to this very machine through an http_proxy, too.
        ("grpc.enable_http_proxy", int(not is_loopback(host))),
    ]


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """A batch is durable and matchable: what became of each entry, and from which revision on."""

    request_id: str
    entries: tuple[AddedEntry, ...]
    revision: str


def backoff_s(attempt: int) -> float:
    """Return how long to wait before attempt number `attempt + 1`, in seconds, with jitter."""
    return random.uniform(0.5, 1.0) * min(0.1 * 2.0**attempt, 2.0)


def new_request_id() -> str:
    """Return a random request id."""
    return str(uuid.uuid4())


def is_video(file: BinaryIO) -> bool:
    """Whether a file, read from its start and put back there, is a video by its content.

    False for what is no media at all. A file that cannot seek is taken for a video.
    """
    from hashsvc.media.formats import SNIFF_BYTES, sniff  # loads nothing heavy, but has its room

    if not file.seekable():
        return True
    head = file.read(SNIFF_BYTES)
    file.seek(0)
    try:
        return sniff(head).is_video
    except MediaError:
        return False


def hash_file(
    path: str | Path, recipe: "Callable[[], Recipe]", judge: "Judge | None" = None
) -> MediaFingerprints:
    """Fingerprint a file to check in this process; one that cannot be decoded keeps its digests.

    The judge is told of a video's frames.

    Raises:
        OSError: it cannot be read.
        MediaError: it cannot be decoded, and has no digests: it is empty or too large.
    """
    from hashsvc.media import fingerprint_file  # loads the decoders

    try:
        return fingerprint_file(path, recipe=recipe(), judge=judge)
    except MediaError as error:
        return known_by_digests(error)


def known_by_digests(error: MediaError) -> MediaFingerprints:
    """Return what is left of a file that cannot be decoded; raises the error if that is nothing."""
    if not error.digests:
        raise error
    return unreadable(error)


def unreadable(error: MediaError) -> MediaFingerprints:
    """Return what is left of a file that cannot be decoded: its digests, and why."""
    return MediaFingerprints(
        media_type=MediaType.IMAGE,
        format="",
        width=0,
        height=0,
        duration_ms=None,
        fingerprints=error.digests,
        limitation=UndeterminedReason.UNREADABLE,
        detail=str(error),
    )


def check_request(
    media_type: MediaType,
    fingerprints: Iterable[Fingerprint],
    limitation: UndeterminedReason | None = None,
    min_revision: str = "",
) -> match_service_pb2.CheckRequest:
    """Build a CheckRequest."""
    return translate_match.check_request(media_type, fingerprints, limitation, min_revision)


def media_requests(
    file: BinaryIO, min_revision: str
) -> Iterator[match_service_pb2.CheckMediaRequest]:
    """Cut a file into the messages of a CheckMedia call."""
    options = match_service_pb2.CheckMediaOptions(min_revision=min_revision)
    yield match_service_pb2.CheckMediaRequest(options=options)
    while chunk := file.read(CHUNK_BYTES):
        yield match_service_pb2.CheckMediaRequest(chunk=chunk)


class Batches:
    """Batches of uploads as requests of a size that nodes take, and their answers put together."""

    def __init__(self) -> None:
        self._awaited: deque[int] = deque()
        self._results: list[Verdict | ClientError] = []
        self._answers = 0

    def requests(
        self, uploads: Iterable[MediaFingerprints]
    ) -> Iterator[match_service_pb2.CheckBatchRequest]:
        """Build the requests of one batch: one, or more where it would be too large."""
        checks = [check_request(u.media_type, u.fingerprints, u.limitation) for u in uploads]
        pieces: list[list[match_service_pb2.CheckRequest]] = [[]]
        room = _BATCH_BYTES
        for check in checks:
            room -= check.ByteSize()
            if room < 0 and pieces[-1]:
                pieces.append([])
                room = _BATCH_BYTES - check.ByteSize()
            pieces[-1].append(check)
        self._awaited.append(len(pieces))
        for piece in pieces:
            yield match_service_pb2.CheckBatchRequest(checks=piece)

    def results(
        self, response: match_service_pb2.CheckBatchResponse
    ) -> list[Verdict | ClientError] | None:
        """Read an answer; returns those to a whole batch with its last one."""
        self._results += batch_results(response)
        self._answers += 1
        if self._answers < self._awaited[0]:
            return None
        self._awaited.popleft()
        results, self._results, self._answers = self._results, [], 0
        return results


def batch_results(response: match_service_pb2.CheckBatchResponse) -> list[Verdict | ClientError]:
    """Read a CheckBatchResponse."""
    return [
        translate_match.verdict_from_proto(result.verdict)
        if result.WhichOneof("result") == "verdict"
        else from_status(result.error)
        for result in response.results
    ]


def create_list_request(
    name: str, kind: ListKind, purpose: str, request_id: str | None
) -> list_service_pb2.CreateListRequest:
    """Build a CreateListRequest."""
    return list_service_pb2.CreateListRequest(
        request_id=request_id or new_request_id(),
        list=translate.new_list_to_proto(name, kind, purpose),
    )


def update_list_request(
    name: str,
    purpose: str | None,
    readers: Sequence[str] | None,
    names_contributors: bool | None,
    local_features: bool | None,
    request_id: str | None,
) -> list_service_pb2.UpdateListRequest:
    """Build an UpdateListRequest of the values that are not None."""
    request = list_service_pb2.UpdateListRequest(request_id=request_id or new_request_id())
    request.list.name = name
    if purpose is not None:
        request.list.purpose = purpose
        request.update_mask.paths.append("purpose")
    if readers is not None:
        request.list.readers.extend(readers)
        request.update_mask.paths.append("readers")
    if names_contributors is not None:
        request.list.names_contributors = names_contributors
        request.update_mask.paths.append("names_contributors")
    if local_features is not None:
        request.list.local_features = local_features
        request.update_mask.paths.append("local_features")
    return request


def rotate_request(name: str, request_id: str | None) -> list_service_pb2.RotateKeyRequest:
    """Build a RotateKeyRequest."""
    return list_service_pb2.RotateKeyRequest(request_id=request_id or new_request_id(), list=name)


def canaries_request(
    list_name: str, partner: str, count: int, request_id: str | None
) -> list_service_pb2.PlantCanariesRequest:
    """Build a PlantCanariesRequest."""
    return list_service_pb2.PlantCanariesRequest(
        request_id=request_id or new_request_id(), list=list_name, partner=partner, count=count
    )


def add_request(
    list_name: str, drafts: Iterable[EntryDraft], request_id: str | None
) -> list_service_pb2.AddEntriesRequest:
    """Build an AddEntriesRequest."""
    return list_service_pb2.AddEntriesRequest(
        request_id=request_id or new_request_id(),
        list=list_name,
        entries=[translate.draft_to_proto(draft) for draft in drafts],
    )


def acknowledgement(response: list_service_pb2.AddEntriesResponse) -> Acknowledgement:
    """Read an AddEntriesResponse."""
    return Acknowledgement(
        response.request_id,
        tuple(translate.added_from_proto(entry) for entry in response.entries),
        response.revision,
    )


def amend_request(
    name: str, amendment: Description, fields: Sequence[str], request_id: str | None
) -> list_service_pb2.AmendEntryRequest:
    """Build an AmendEntryRequest."""
    request = list_service_pb2.AmendEntryRequest(request_id=request_id or new_request_id())
    request.entry.name = name
    translate.write_description(amendment, request.entry)
    request.update_mask.paths.extend(fields)
    return request


def withdraw_request(
    name: str, reason: str, request_id: str | None
) -> list_service_pb2.WithdrawEntryRequest:
    """Build a WithdrawEntryRequest."""
    return list_service_pb2.WithdrawEntryRequest(
        request_id=request_id or new_request_id(), name=name, reason=reason
    )


def opinion_request(
    entry: str, opinion: OpinionKind, reason: str, partner: str, request_id: str | None
) -> list_service_pb2.GiveOpinionRequest:
    """Build a GiveOpinionRequest."""
    return list_service_pb2.GiveOpinionRequest(
        request_id=request_id or new_request_id(),
        entry=entry,
        opinion=translate.opinion_kind_to_proto(opinion),
        reason=reason,
        partner=partner,
    )


def opinions_request(
    about: str, page_token: str, *, history: bool
) -> list_service_pb2.ListOpinionsRequest:
    """Build a ListOpinionsRequest about a list, or about an entry: that has a # in its name."""
    request = list_service_pb2.ListOpinionsRequest(page_token=page_token, show_history=history)
    if "#" in about:
        request.entry = about
    else:
        request.list = about
    return request


def erase_request(
    name: str, reason: str, request_id: str | None
) -> list_service_pb2.EraseEntryRequest:
    """Build an EraseEntryRequest."""
    return list_service_pb2.EraseEntryRequest(
        request_id=request_id or new_request_id(), name=name, reason=reason
    )


def open_request(
    list_name: str, incident: str, title: str, request_id: str | None
) -> list_service_pb2.OpenIncidentRequest:
    """Build an OpenIncidentRequest."""
    return list_service_pb2.OpenIncidentRequest(
        request_id=request_id or new_request_id(), list=list_name, incident=incident, title=title
    )


def conclude_request(
    list_name: str, incident: str, request_id: str | None
) -> list_service_pb2.ConcludeIncidentRequest:
    """Build a ConcludeIncidentRequest."""
    return list_service_pb2.ConcludeIncidentRequest(
        request_id=request_id or new_request_id(), list=list_name, incident=incident
    )


def entries_request(
    list_name: str,
    page_token: str,
    *,
    show_withdrawn: bool,
    show_fingerprints: bool,
    only_canaries: bool,
) -> list_service_pb2.ListEntriesRequest:
    """Build a ListEntriesRequest."""
    return list_service_pb2.ListEntriesRequest(
        list=list_name,
        page_token=page_token,
        show_withdrawn=show_withdrawn,
        show_fingerprints=show_fingerprints,
        only_canaries=only_canaries,
    )


def opinions_page(response: list_service_pb2.ListOpinionsResponse) -> list[Opinion]:
    """Read a ListOpinionsResponse."""
    return [translate.opinion_from_proto(message) for message in response.opinions]


def lists_page(response: list_service_pb2.ListListsResponse) -> list[HashList]:
    """Read a ListListsResponse."""
    return [translate.list_from_proto(message) for message in response.lists]
