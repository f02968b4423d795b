"""The bytes of a record: JSON with sorted keys, readable by anyone who audits a list.

The bytes that a record was appended with are kept and passed on as they are; they are never made
anew from the tables, so a signature over them stays good. Fingerprints are columns (`values` is
the values joined, in base64), which keeps an hour of video near 200 kB.

::

    {"kind": "added", "v": 1, "time": "2026-11-22T20:00:00.000000Z", "contributor": "acme",
     "entry": {"media_type": "image", "description": {...},
               "fingerprints": {"pdq": {"values": "...", "quality": [100]}}}}
    {"kind": "amended", "v": 1, "time": "...", "sequence": 17, "description": {...}}
    {"kind": "withdrawn", "v": 1, "time": "...", "sequence": 17, "reason": "..."}
    {"kind": "described", "v": 1, "time": "...", "list_kind": "known", "purpose": "...",
     "readers": ["*"], "names_contributors": false}
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

from hashsvc.model import (
    ORIGINAL,
    Algorithm,
    Basis,
    Change,
    Decoding,
    Description,
    EntryAdded,
    EntryAmended,
    EntryDraft,
    EntryWithdrawn,
    Fingerprint,
    ListDescribed,
    ListKind,
    MediaType,
    Severity,
)

VERSION = 1


def encode(change: Change, entry: bytes | None = None) -> bytes:
    """Return the record bytes of a change; `entry` is its draft's `encode_draft`, if at hand."""
    document: dict[str, Any] = {"v": VERSION, "time": _time_text(change.time)}
    match change:
        case EntryAdded(draft=draft, contributor=contributor):
            document |= {"kind": "added", "contributor": contributor}
            document["entry"] = orjson.Fragment(entry or encode_draft(draft))
        case EntryAmended(sequence=sequence, description=description):
            document |= {"kind": "amended", "sequence": sequence}
            document["description"] = orjson.Fragment(encode_description(description))
        case EntryWithdrawn(sequence=sequence, reason=reason):
            document |= {"kind": "withdrawn", "sequence": sequence, "reason": reason}
        case ListDescribed():
            document |= {
                "kind": "described",
                "list_kind": change.kind,
                "purpose": change.purpose,
                "readers": list(change.readers),
                "names_contributors": change.names_contributors,
            }
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def decode(body: bytes) -> Change:
    """Return the change that record bytes stand for.

    Raises:
        ValueError: the bytes are not a record of a version this code knows.
    """
    document = orjson.loads(body)
    if document.get("v") != VERSION:
        raise ValueError(f"record version {document.get('v')!r} is not {VERSION}")
    time = datetime.fromisoformat(document["time"])
    match document.get("kind"):
        case "added":
            entry = document["entry"]
            draft = EntryDraft(
                MediaType(entry["media_type"]),
                tuple(_fingerprints(entry["fingerprints"])),
                _description(entry["description"]),
            )
            return EntryAdded(draft, document["contributor"], time)
        case "amended":
            return EntryAmended(document["sequence"], _description(document["description"]), time)
        case "withdrawn":
            return EntryWithdrawn(document["sequence"], document["reason"], time)
        case "described":
            return ListDescribed(
                ListKind(document["list_kind"]),
                document["purpose"],
                tuple(document["readers"]),
                document["names_contributors"],
                time,
            )
        case kind:
            raise ValueError(f"record kind {kind!r} is unknown")


def encode_draft(draft: EntryDraft) -> bytes:
    """Return an entry as JSON; equal bytes for equal drafts."""
    document = {
        "media_type": draft.media_type,
        "description": orjson.Fragment(encode_description(draft.description)),
        "fingerprints": _columns(draft.fingerprints),
    }
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


# The entries of a batch mostly share one description.
@lru_cache(maxsize=256)
def encode_description(description: Description) -> str:
    """Return a description as JSON text."""
    document = _description_document(description)
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode()


def decode_description(text: str) -> Description:
    """Return the description that `encode_description` made the text of."""
    return _description(orjson.loads(text))


def fingerprint_digest(draft: EntryDraft) -> bytes:
    """Return 32 bytes that are equal for drafts with the same media type and fingerprints."""
    digest = hashlib.sha256(draft.media_type.encode())
    for mark in sorted(
        (f.algorithm, f.time_ms or 0, f.variant, f.value) for f in draft.fingerprints
    ):
        digest.update(repr(mark).encode())
    return digest.digest()


def _description_document(description: Description) -> dict[str, Any]:
    document: dict[str, Any] = {
        "labels": list(description.labels),
        "entities": list(description.entities),
        "basis": description.basis,
        "severity": int(description.severity),
        "incident": description.incident,
        "note": description.note,
    }
    document = {key: value for key, value in document.items() if value}
    if description.expire_time is not None:
        document["expire_time"] = _time_text(description.expire_time)
    return document


def _description(document: Mapping[str, Any]) -> Description:
    expire = document.get("expire_time")
    basis = document.get("basis")
    return Description(
        labels=tuple(document.get("labels", ())),
        entities=tuple(document.get("entities", ())),
        basis=None if basis is None else Basis(basis),
        severity=Severity(document.get("severity", 0)),
        incident=document.get("incident", ""),
        expire_time=None if expire is None else datetime.fromisoformat(expire),
        note=document.get("note", ""),
    )


def _columns(fingerprints: Iterable[Fingerprint]) -> dict[str, dict[str, Any]]:
    columns: dict[str, dict[str, Any]] = {}
    for algorithm, group in _by_algorithm(fingerprints).items():
        column: dict[str, Any] = {
            "values": base64.b64encode(b"".join(f.value for f in group)).decode()
        }
        for name, plain in (("quality", None), ("time_ms", None), ("variant", ORIGINAL)):
            values = [getattr(f, name) for f in group]
            if any(value != plain for value in values):
                column[name] = values
        if any(f.decoding is not Decoding.EXACT for f in group):
            column["decoding"] = [f.decoding for f in group]
        columns[algorithm.value] = column
    return columns


def _by_algorithm(fingerprints: Iterable[Fingerprint]) -> dict[Algorithm, list[Fingerprint]]:
    groups: dict[Algorithm, list[Fingerprint]] = {}
    for fingerprint in fingerprints:
        groups.setdefault(fingerprint.algorithm, []).append(fingerprint)
    return groups


def _fingerprints(columns: Mapping[str, Mapping[str, Any]]) -> Iterable[Fingerprint]:
    for name in sorted(columns):
        algorithm, column = Algorithm(name), columns[name]
        joined = base64.b64decode(column["values"], validate=True)
        width = algorithm.bits // 8
        count, rest = divmod(len(joined), width)
        if rest or not count:
            raise ValueError(f"the {name} values do not fill whole fingerprints")
        qualities, times = column.get("quality"), column.get("time_ms")
        variants, decodings = column.get("variant"), column.get("decoding")
        for i in range(count):
            yield Fingerprint(
                algorithm,
                joined[i * width : (i + 1) * width],
                quality=qualities[i] if qualities else None,
                time_ms=times[i] if times else None,
                decoding=Decoding(decodings[i]) if decodings else Decoding.EXACT,
                variant=variants[i] if variants else ORIGINAL,
            )


def _time_text(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
