"""The audit log: who changed what on this node, when, from where, and with which outcome.

A record is JSON with sorted keys. It names partners, lists and entries, and never holds a hash
value or anything of a user. The records are the leaves of a Merkle tree (RFC 6962): see
`audit_head.py`; its head is signed: `signed_head.py`.
"""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from hashsvc.access.audit_head import Head
from hashsvc.access.signed_head import sign_head
from hashsvc.errors import ProofError, StoreError
from hashsvc.lists.keys import Signer
from hashsvc.lists.merkle import leaf_hash
from hashsvc.lists.tiles import RightEdge
from hashsvc.store.audit import AuditTables

VERSION = 1


@dataclass(frozen=True, slots=True)
class Audited:
    """One call: `about` is what it was about, such as the list's name."""

    partner: str
    credential: str
    peer: str
    method: str
    status: str
    about: Mapping[str, str]


class AuditLog:
    """Appends and reads. Safe to use from many threads.

    A record is durable when `append` returns.
    """

    def __init__(
        self,
        tables: AuditTables,
        signer: Signer,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Open the log, whose heads this signer signs.

        Raises:
            StoreError: its records and its tree do not belong together.
        """
        self._tables = tables
        self._signer = signer
        self._now = now
        self._lock = threading.Lock()
        try:
            self._edge = RightEdge.read(tables.read_tile, tables.size())
        except ProofError as error:
            raise StoreError(f"the audit log is damaged: {error}") from error

    def append(self, call: Audited) -> None:
        """Add a record of a call."""
        body = _encode(call, self._now())
        with self._lock:
            edge, tiles = self._edge.append([leaf_hash(body)])
            changed = [(tile.level, tile.index, tile.hashes) for tile in tiles]
            self._tables.append(edge.size, body, changed)
            self._edge = edge

    def records(self, after: int, limit: int) -> list[bytes]:
        """Return up to so many records after a position, in order."""
        return self._tables.records(after, limit)

    @property
    def head(self) -> Head:
        """The head of the tree as it is now."""
        edge = self._edge
        return Head(edge.size, edge.root())

    def sign(self, head: Head) -> bytes:
        """Return a head of this log as a signed note."""
        return sign_head(head, self._signer)

    @property
    def verifier_key(self) -> str:
        """What checks the signatures of heads."""
        return self._signer.verifier.encode()


def _encode(call: Audited, time: datetime) -> bytes:
    document = {
        "v": VERSION,
        "time": time.astimezone(UTC).isoformat(timespec="microseconds"),
        "partner": call.partner,
        "credential": call.credential,
        "peer": call.peer,
        "method": call.method,
        "status": call.status,
        "about": dict(call.about),
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
