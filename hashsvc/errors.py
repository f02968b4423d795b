"""Every error hashsvc raises on purpose, grouped by who can act on it.

::

    HashsvcError
    ├── RequestError            the caller can act
    │   ├── InvalidRequest      a field is wrong; carries one violation per field
    │   ├── Unauthenticated     no credential, or not one that counts
    │   ├── PermissionDenied    the caller's roles do not allow it
    │   ├── NotFound            no such list, entry, partner or credential
    │   ├── AlreadyExists       the name is taken
    │   ├── PreconditionFailed  right request, wrong moment (entry is withdrawn, ...)
    │   ├── LimitExceeded       past a configured limit; names it
    │   ├── UploadTooSlow       a file took too long to come in
    │   └── MediaError          the bytes cannot be fingerprinted
    │       ├── MediaUnreadable     damaged, empty, or not a supported format
    │       └── MediaTooLarge       past a decoding limit (pixels, duration, memory, time)
    ├── NodeBusy                the caller should come back later
    │   ├── Overloaded          too many requests at once
    │   ├── ProbingSuspected    too many different files near one known entry
    │   ├── StreamIdle          nothing came in on a stream for too long
    │   └── NotReady            the index has not caught up with the log
    ├── VerificationError       what was handed over does not prove what it claims
    │   ├── ProofError          a Merkle proof, or what it is made from, does not fit
    │   ├── NoteError           a note is malformed or not signed as it must be
    │   ├── BundleError         a file is no bundle, or damaged, or cut
    │   └── LogRefused          what came of a list's log does not verify
    ├── LogBehind               the source of a list has less of it than is held here
    └── OperatorError           whoever runs the node can act
        ├── ConfigError         a setting is wrong or unsafe
        └── StoreError          the data directory or database cannot be used

`reason` is a name of the enum `hashsvc.v1.ErrorReason` without its prefix. Only
`hashsvc.rpc.errors` knows which gRPC status each class becomes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hashsvc.model import Fingerprint


@dataclass(frozen=True, slots=True)
class Violation:
    """One wrong field of a request: `field` is its path, such as `entries[3].labels[0]`."""

    field: str
    description: str


class HashsvcError(Exception):
    """Base of all errors raised on purpose; `str(error)` is meant for people."""

    reason = "INTERNAL"

    def __init__(
        self, message: str, *, reason: str | None = None, metadata: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        if reason is not None:
            self.reason = reason
        self.metadata: dict[str, str] = dict(metadata or {})


class RequestError(HashsvcError):
    """The request cannot be served as it is; the caller can act."""

    reason = "INVALID_FIELD"


class InvalidRequest(RequestError):
    """One or more fields are wrong; nothing was applied."""

    reason = "INVALID_FIELD"

    def __init__(
        self,
        violations: Sequence[Violation],
        *,
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self.violations = tuple(violations)
        first = self.violations[0]
        more = f" (and {len(self.violations) - 1} more)" if len(self.violations) > 1 else ""
        super().__init__(
            f"{first.field}: {first.description}{more}", reason=reason, metadata=metadata
        )

    @classmethod
    def of(cls, field: str, description: str, *, reason: str | None = None) -> "InvalidRequest":
        """Build the error for a single wrong field."""
        return cls([Violation(field, description)], reason=reason)


class Unauthenticated(RequestError):
    """The call has no credential, or one that is unknown, expired or revoked."""

    reason = "UNAUTHENTICATED"


class PermissionDenied(RequestError):
    """The caller is known, and may not do this; metadata names the role that it lacks."""

    reason = "PERMISSION_DENIED"


class NotFound(RequestError):
    """What is named does not exist."""

    reason = "LIST_NOT_FOUND"


class AlreadyExists(RequestError):
    """The name is taken."""

    reason = "LIST_ALREADY_EXISTS"


class PreconditionFailed(RequestError):
    """The request is well formed, but the present state does not allow it."""

    reason = "ENTRY_WITHDRAWN"


class LimitExceeded(RequestError):
    """A configured limit was passed; the message names the limit and its value."""

    reason = "LIMIT_EXCEEDED"


class UploadTooSlow(RequestError):
    """A file took too long to come in."""

    reason = "UPLOAD_TOO_SLOW"


class MediaError(RequestError):
    """The bytes cannot be fingerprinted; the message says why.

    `digests` are the digests of the bytes, where they are known: an unreadable file can still be
    recognised exactly.
    """

    reason = "MEDIA_UNREADABLE"

    def __init__(
        self,
        message: str,
        *,
        digests: tuple[Fingerprint, ...] = (),
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, reason=reason, metadata=metadata)
        self.digests = digests


class MediaUnreadable(MediaError):
    """Damaged, empty, or not a supported format."""

    reason = "MEDIA_UNREADABLE"


class MediaTooLarge(MediaError):
    """Past a decoding limit: bytes, pixels, duration, frames, memory or time."""

    reason = "MEDIA_TOO_LARGE"


class NodeBusy(HashsvcError):
    """The node cannot serve this now; `retry_after_s` is a hint in seconds."""

    reason = "OVERLOADED"

    def __init__(self, message: str, *, retry_after_s: float = 0.5) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Overloaded(NodeBusy):
    """Too many requests at once; nothing was done."""

    reason = "OVERLOADED"


class ProbingSuspected(NodeBusy):
    """Too many different uploads of this partner came near one entry; nothing is told of it."""

    reason = "PROBING_SUSPECTED"


class StreamIdle(NodeBusy):
    """Nothing came in on a stream for too long; it may be opened again."""

    reason = "STREAM_IDLE"


class NotReady(NodeBusy):
    """The index has not caught up with the log yet."""

    reason = "NOT_READY"


class VerificationError(HashsvcError):
    """What was handed over does not prove what it claims; nothing of it may be used."""

    reason = "VERIFICATION"


class ProofError(VerificationError):
    """A Merkle proof, or what it is made from, does not fit; the message says what."""

    reason = "PROOF"


class NoteError(VerificationError):
    """A signed note is malformed, or not signed as it must be; the message says how."""

    reason = "NOTE"


class BundleError(VerificationError):
    """A file is no bundle, or it is damaged or cut; the message says where."""

    reason = "BUNDLE"


class LogRefused(VerificationError):
    """What came of a list's log does not verify: nothing of it was applied.

    `offered` is the checkpoint that it came with, if there was one; `held` the one that it
    contradicts, where that is not the newest that was applied.
    """

    reason = "LOG_REFUSED"

    def __init__(self, message: str, *, offered: bytes = b"", held: bytes = b"") -> None:
        super().__init__(message)
        self.offered = offered
        self.held = held


class LogBehind(HashsvcError):
    """A source of a list, which is not its home, has less of it than is held here."""

    reason = "LOG_BEHIND"


class OperatorError(HashsvcError):
    """Whoever runs the node must act; the message says how."""

    reason = "OPERATOR"


class ConfigError(OperatorError):
    """A setting is wrong or unsafe."""


class StoreError(OperatorError):
    """The data directory or database cannot be used as it is."""
