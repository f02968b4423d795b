"""The Python client of hashsvc, blocking and asyncio.

::

    from hashsvc_client import Client

    with Client("127.0.0.1:50051") as client:
        verdict = client.check_file("photo.jpg")  # hashed here; only the hashes travel
        if verdict.matches:
            print(verdict.action, [match.entry for match in verdict.matches])

Importing it loads gRPC and the stubs, not the decoders: those come with the first local hash.
"""

from hashsvc.model import (
    Action,
    AddedEntry,
    Algorithm,
    Basis,
    Description,
    Entry,
    EntryDraft,
    Fingerprint,
    HashList,
    ListKind,
    Match,
    MediaFingerprints,
    MediaType,
    Opinion,
    OpinionCounts,
    OpinionKind,
    Outcome,
    Segment,
    Severity,
    UndeterminedReason,
    Verdict,
)
from hashsvc_client._messages import Acknowledgement, unreadable
from hashsvc_client.aio import AsyncClient
from hashsvc_client.client import Client
from hashsvc_client.connection import Security
from hashsvc_client.errors import (
    ClientError,
    DeadlineExceeded,
    LimitReached,
    RequestRefused,
    ServiceFault,
    ServiceUnavailable,
)
from hashsvc_client.videos import VideoProgress

__all__ = [
    "Acknowledgement",
    "Action",
    "AddedEntry",
    "Algorithm",
    "AsyncClient",
    "Basis",
    "Client",
    "ClientError",
    "DeadlineExceeded",
    "Description",
    "Entry",
    "EntryDraft",
    "Fingerprint",
    "HashList",
    "LimitReached",
    "ListKind",
    "Match",
    "MediaFingerprints",
    "MediaType",
    "Opinion",
    "OpinionCounts",
    "OpinionKind",
    "Outcome",
    "RequestRefused",
    "Security",
    "Segment",
    "ServiceFault",
    "ServiceUnavailable",
    "Severity",
    "UndeterminedReason",
    "Verdict",
    "VideoProgress",
    "unreadable",
]
