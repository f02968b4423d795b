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
    {"kind": "erased", "v": 1, "time": "...", "sequence": 17, "reason": "..."}
    {"kind": "described", "v": 1, "time": "...", "list_kind": "known", "purpose": "...",
     "readers": ["*"], "names_contributors": false}
    {"kind": "rekeyed", "v": 1, "time": "...", "statement": "..."}
    {"kind": "opinion", "v": 1, "time": "...", "entry": "acme/known#17", "opinion": "dispute",
     "reason": "..."}
    {"kind": "distrusted", "v": 1, "time": "...", "contributor": "bolt", "since": 90,
     "reason": "..."}
    {"kind": "trusted", "v": 1, "time": "...", "place": 120, "reason": "..."}
    {"kind": "incident", "v": 1, "time": "...", "incident": "...", "title": "...", "open": true}
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar

import orjson

from hashsvc.model import (
    ORIGINAL,
    Algorithm,
    Basis,
    Change,
    ContributorDistrusted,
    Decoding,
    Description,
    EntryAdded,
    EntryAmended,
    EntryDraft,
    EntryErased,
    EntryWithdrawn,
    Fingerprint,
    IncidentConcluded,
    IncidentOpened,
    KeyRotated,
    ListDescribed,
    ListKind,
    MediaType,
    OpinionGiven,
    OpinionKind,
    Severity,
    TrustRestored,
)

VERSION = 1

# An enumeration looks its members up in Python; a record has four of them.
_MEDIA_TYPES = {one.value: one for one in MediaType}
_ALGORITHMS = {one.value: one for one in Algorithm}
_BASES = {one.value: one for one in Basis}
_SEVERITIES = {one.value: one for one in Severity}
_DECODINGS = {one.value: one for one in Decoding}

_SMALL_DESCRIPTION = 1_000


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
        case EntryErased(sequence=sequence, reason=reason):
            document |= {"kind": "erased", "sequence": sequence, "reason": reason}
        case ListDescribed():
            document |= {
                "kind": "described",
                "list_kind": change.kind,
                "purpose": change.purpose,
                "readers": list(change.readers),
                "names_contributors": change.names_contributors,
            }
            if change.local_features:
                document["local_features"] = True
        case KeyRotated(statement=statement):
            document |= {"kind": "rekeyed", "statement": statement}
        case OpinionGiven(entry=name, opinion=opinion, reason=reason):
            document |= {"kind": "opinion", "entry": name, "opinion": opinion, "reason": reason}
        case ContributorDistrusted(contributor=contributor, reason=reason):
            document |= {"kind": "distrusted", "contributor": contributor, "reason": reason}
            document["since"] = change.since_sequence
        case TrustRestored(place=place, reason=reason):
            document |= {"kind": "trusted", "place": place, "reason": reason}
        case IncidentOpened(incident=incident, title=title):
            document |= {"kind": "incident", "incident": incident, "title": title, "open": True}
        case IncidentConcluded(incident=incident):
            document |= {"kind": "incident", "incident": incident, "open": False}
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def decode(body: bytes) -> Change:
    """Return the change that record bytes stand for; only its form is looked at.

    Raises:
        ValueError: the bytes are not a record of a version and kind that this code knows.
    """
    try:
        document = orjson.loads(body)
        if document.get("v") != VERSION:
            raise ValueError(f"record version {document.get('v')!r} is not {VERSION}")
        return _decode(document, _time(document["time"]))
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"this is no record: {type(error).__name__} {error}") from error


def _decode(document: Mapping[str, Any], time: datetime) -> Change:
    def text(name: str) -> str:
        return _checked(document[name], str)

    def number(name: str) -> int:
        return _checked(document[name], int)

    match document.get("kind"):
        case "added":
            entry = document["entry"]
            draft = EntryDraft(
                _MEDIA_TYPES[entry["media_type"]],
                tuple(_fingerprints(entry["fingerprints"])),
                _shared_description(entry["description"]),
            )
            return EntryAdded(draft, text("contributor"), time)
        case "amended":
            return EntryAmended(number("sequence"), _description(document["description"]), time)
        case "withdrawn":
            return EntryWithdrawn(number("sequence"), text("reason"), time)
        case "erased":
            return EntryErased(number("sequence"), text("reason"), time)
        case "described":
            return ListDescribed(
                ListKind(document["list_kind"]),
                text("purpose"),
                _texts(document["readers"]),
                _checked(document["names_contributors"], bool),
                time,
                _checked(document.get("local_features", False), bool),
            )
        case "rekeyed":
            return KeyRotated(text("statement"), time)
        case "opinion":
            opinion = OpinionKind(document["opinion"])
            return OpinionGiven(text("entry"), opinion, text("reason"), time)
        case "distrusted":
            since = number("since")
            return ContributorDistrusted(text("contributor"), since, text("reason"), time)
        case "trusted":
            return TrustRestored(number("place"), text("reason"), time)
        case "incident":
            if _checked(document["open"], bool):
                return IncidentOpened(text("incident"), text("title"), time)
            return IncidentConcluded(text("incident"), time)
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


def _shared_description(document: Any) -> Description:
    """Return what `_description` does, the same object for many entries that say the same."""
    try:
        text = orjson.dumps(document)
    except TypeError:  # it is nested too deeply, in what is not looked at
        return _description(document)
    # Large ones come from who would fill the memory with them.
    if len(text) > _SMALL_DESCRIPTION:
        return _description(document)
    return _small_description(text)


@lru_cache(maxsize=256)
def _small_description(text: bytes) -> Description:
    return _description(orjson.loads(text))


def _description(document: Mapping[str, Any]) -> Description:
    expire = document.get("expire_time")
    basis = document.get("basis")
    return Description(
        labels=_texts(document.get("labels", [])),
        entities=_texts(document.get("entities", [])),
        basis=None if basis is None else _BASES[basis],
        severity=_SEVERITIES[document.get("severity", 0)],
        incident=_checked(document.get("incident", ""), str),
        expire_time=None if expire is None else _time(expire),
        note=_checked(document.get("note", ""), str),
    )


def _columns(fingerprints: Iterable[Fingerprint]) -> dict[str, dict[str, Any]]:
    columns: dict[str, dict[str, Any]] = {}
    for algorithm, group in _by_algorithm(fingerprints).items():
        column: dict[str, Any] = {"values": _texts_of(algorithm, [f.value for f in group])}
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
        algorithm, column = _ALGORITHMS[name], columns[name]
        values = _values(algorithm, column["values"])
        count = len(values)
        qualities, times = column.get("quality"), column.get("time_ms")
        variants, decodings = column.get("variant"), column.get("decoding")
        for column_values in (qualities, times, variants, decodings):
            if column_values is not None and len(_checked(column_values, list)) != count:
                raise ValueError(f"there are {count} {name} values, and not as many of the rest")
        for i in range(count):
            yield Fingerprint(
                algorithm,
                values[i],
                quality=_number_or_none(qualities[i]) if qualities else None,
                time_ms=_number_or_none(times[i]) if times else None,
                decoding=_DECODINGS[decodings[i]] if decodings else Decoding.EXACT,
                variant=_checked(variants[i], str) if variants else ORIGINAL,
            )


def _texts_of(algorithm: Algorithm, values: Sequence[bytes]) -> str | list[str]:
    """Write values: those of one width in one text, local features each in one."""
    if algorithm.is_local:
        return [base64.b64encode(value).decode() for value in values]
    return base64.b64encode(b"".join(values)).decode()


def _values(algorithm: Algorithm, content: Any) -> list[bytes]:
    """Read what `_texts_of` wrote."""
    if algorithm.is_local:
        values = [base64.b64decode(text, validate=True) for text in _texts(content)]
    else:
        joined, width = base64.b64decode(content, validate=True), algorithm.bits // 8
        if len(joined) % width:
            raise ValueError(f"the {algorithm} values do not fill whole fingerprints")
        values = [joined[i : i + width] for i in range(0, len(joined), width)]
    if not values:
        raise ValueError(f"there are no {algorithm} values")
    return values


_T = TypeVar("_T")


def _checked(value: Any, kind: type[_T]) -> _T:
    """Return a value that has exactly this type."""
    if type(value) is not kind:
        raise ValueError(f"{value!r:.40} is not of type {kind.__name__}")
    return value


def _texts(values: Any) -> tuple[str, ...]:
    return tuple(_checked(value, str) for value in _checked(values, list))


def _number_or_none(value: Any) -> int | None:
    return None if value is None else _checked(value, int)


def _time(text: Any) -> datetime:
    time = datetime.fromisoformat(_checked(text, str))
    if time.tzinfo is None:
        raise ValueError(f"{text!r:.40} is a time without its zone")
    return time


def _time_text(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
