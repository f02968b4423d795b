"""Entries as plain documents: what files of entries hold, whether CSV or JSON.

The fields of an entry are `media_type`, `fingerprints`, `labels`, `entities`, `basis`,
`severity`, `incident`, `expire_time` and `note`; of a fingerprint `algorithm`, `value`
(hexadecimal), `quality`, `time_ms`, `decoding` and `variant`. `entry` names the entry in the list
that it was exported from. What is missing, or null, is as the defaults say.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

from hashsvc import feature_values
from hashsvc.errors import InvalidRequest
from hashsvc.lists import rules
from hashsvc.model import (
    ORIGINAL,
    Algorithm,
    Basis,
    Decoding,
    Description,
    Entry,
    EntryDraft,
    Fingerprint,
    MediaType,
    Severity,
)

DESCRIPTION = ("labels", "entities", "basis", "severity", "incident", "expire_time", "note")
FINGERPRINT = ("algorithm", "value", "quality", "time_ms", "decoding", "variant")
ENTRY = ("entry", "media_type", "fingerprints", *DESCRIPTION)

MAX_FINGERPRINTS = 100_000
"""Fingerprints of one entry in a file: what one message to a node may hold."""

MAX_QUALITY = 100

_MAX_NUMBER = (1 << 53) - 1
_Enum = TypeVar("_Enum", bound=StrEnum)


class FieldError(ValueError):
    """One field of an entry is wrong; the message names it."""

    def __init__(self, field: str, told: str) -> None:
        super().__init__(f"{field}: {told}")


def read_entry(document: Mapping[str, Any], defaults: Description, now: datetime) -> EntryDraft:
    """Return the entry that a document says, held against the rules that nodes have.

    Raises:
        FieldError: a field is unknown, missing or wrong.
    """
    check_known(document, ENTRY, "")
    fingerprints = document.get("fingerprints")
    if not isinstance(fingerprints, list) or not fingerprints:
        raise FieldError("fingerprints", "give a list with at least one")
    if len(fingerprints) > MAX_FINGERPRINTS:
        raise FieldError("fingerprints", f"has more than {MAX_FINGERPRINTS:,}")
    draft = EntryDraft(
        read_media_type(document) or MediaType.IMAGE,
        tuple(read_fingerprint(one, f"fingerprints[{i}].") for i, one in enumerate(fingerprints)),
        read_description(document, defaults),
    )
    check(draft, now)
    return draft


def read_media_type(document: Mapping[str, Any]) -> MediaType | None:
    """Return what the media is, if a document says so.

    Raises:
        FieldError: it is neither image nor video.
    """
    return _term(document, "media_type", MediaType)


def read_fingerprint(document: Any, path: str) -> Fingerprint:
    """Return the fingerprint that a document says; `path` is put before names of fields.

    Raises:
        FieldError: a field is unknown, missing or wrong.
    """
    if not isinstance(document, Mapping):
        raise FieldError(path.rstrip("."), "is not an object")
    check_known(document, FINGERPRINT, path)
    algorithm = _term(document, "algorithm", Algorithm, path)
    if algorithm is None:
        raise FieldError(f"{path}algorithm", f"say one of {', '.join(Algorithm)}")
    quality = _number(document, "quality", path)
    if quality is not None and quality > MAX_QUALITY:
        raise FieldError(f"{path}quality", f"is outside 0 to {MAX_QUALITY}")
    return Fingerprint(
        algorithm,
        _value(document, algorithm, path),
        quality=quality,
        time_ms=_number(document, "time_ms", path),
        decoding=_term(document, "decoding", Decoding, path) or Decoding.EXACT,
        variant=_text(document, "variant", path) or ORIGINAL,
    )


def read_description(document: Mapping[str, Any], defaults: Description) -> Description:
    """Return the defaults with what a document says of an entry.

    Raises:
        FieldError: a field is wrong.
    """
    given = {name: document[name] for name in DESCRIPTION if document.get(name) is not None}
    values: dict[str, Any] = {}
    for name in given:
        if name in ("labels", "entities"):
            values[name] = _texts(given, name)
        elif name == "basis":
            values[name] = _term(given, name, Basis)
        elif name == "severity":
            values[name] = _severity(given)
        elif name == "expire_time":
            values[name] = _time(given, name)
        else:
            values[name] = _text(given, name)
    return replace(defaults, **values) if values else defaults


def check(draft: EntryDraft, now: datetime) -> None:
    """Hold an entry against the rules that nodes have, so that the line of a wrong one is known.

    Raises:
        FieldError: it breaks one.
    """
    try:
        rules.check_drafts([draft], now)
    except InvalidRequest as error:
        first = error.violations[0]
        raise FieldError(first.field.removeprefix("entries[0]."), first.description) from None


def check_known(names: Iterable[str], known: Iterable[str], path: str) -> None:
    """Refuse names of fields that there are not.

    Raises:
        FieldError: there is one.
    """
    known = list(known)
    for name in names:
        if name not in known:
            shown = name if len(name) <= 40 else f"{name[:37]}..."
            raise FieldError(f"{path}{shown}", f"is not a field; known are {', '.join(known)}")


def entry_document(entry: Entry) -> dict[str, Any]:
    """Return an entry as a document from which `read_entry` makes the same."""
    said = entry.description
    expires = said.expire_time
    document: dict[str, Any] = {
        "entry": entry.name,
        "media_type": str(entry.media_type),
        "labels": list(said.labels),
        "entities": list(said.entities),
        "basis": None if said.basis is None else str(said.basis),
        "severity": said.severity.name.lower() if said.severity else None,
        "incident": said.incident or None,
        "expire_time": None if expires is None else expires.astimezone(UTC).isoformat(),
        "note": said.note or None,
        "fingerprints": [_fingerprint_document(one) for one in entry.fingerprints],
    }
    return _without_empty(document)


def _fingerprint_document(fingerprint: Fingerprint) -> dict[str, Any]:
    is_exact = fingerprint.decoding is Decoding.EXACT
    is_original = fingerprint.variant == ORIGINAL
    return _without_empty(
        {
            "algorithm": str(fingerprint.algorithm),
            "value": fingerprint.value.hex(),
            "quality": fingerprint.quality,
            "time_ms": fingerprint.time_ms,
            "decoding": None if is_exact else str(fingerprint.decoding),
            "variant": None if is_original else fingerprint.variant,
        }
    )


def _without_empty(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if value not in (None, [])}


def _value(document: Mapping[str, Any], algorithm: Algorithm, path: str) -> bytes:
    if algorithm.is_local:
        return _local_value(document, path)
    digits = algorithm.bits // 4
    told = f"a {algorithm} value has {digits} hexadecimal digits"
    text = _text(document, "value", path) or ""
    # fromhex would skip spaces.
    if len(text) != digits:
        raise FieldError(f"{path}value", f"{told}, this one has {len(text):,} characters")
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) * 2 != digits:
        raise FieldError(f"{path}value", told)
    return value


def _local_value(document: Mapping[str, Any], path: str) -> bytes:
    try:
        value = bytes.fromhex(_text(document, "value", path) or "")
    except ValueError:
        raise FieldError(f"{path}value", "is not hexadecimal") from None
    if wrong := feature_values.problem(value, feature_values.MOST_KNOWN):
        raise FieldError(f"{path}value", wrong)
    return value


def _text(document: Mapping[str, Any], name: str, path: str = "") -> str | None:
    value = document.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise FieldError(f"{path}{name}", "is not text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise FieldError(f"{path}{name}", "is not Unicode text: half a surrogate pair") from None
    return value


def _texts(document: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values = document[name]
    if not isinstance(values, list):
        raise FieldError(name, "is not a list of texts")
    return tuple(_text({"": one}, "", f"{name}[{i}]") or "" for i, one in enumerate(values))


def _number(document: Mapping[str, Any], name: str, path: str) -> int | None:
    value = document.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MAX_NUMBER:
        raise FieldError(f"{path}{name}", "is not a whole number from 0 on")
    return value


def _term(
    document: Mapping[str, Any], name: str, terms: type[_Enum], path: str = ""
) -> _Enum | None:
    text = _text(document, name, path)
    if text is None:
        return None
    try:
        return terms(text)
    except ValueError:
        raise FieldError(f"{path}{name}", f"is not one of {', '.join(terms)}") from None


def _severity(document: Mapping[str, Any]) -> Severity:
    name = (_text(document, "severity") or "").upper()
    if name not in Severity.__members__:
        known = ", ".join(one.lower() for one in Severity.__members__)
        raise FieldError("severity", f"is not one of {known}")
    return Severity[name]


def _time(document: Mapping[str, Any], name: str) -> datetime:
    try:
        time = datetime.fromisoformat(_text(document, name) or "")
        return time.replace(tzinfo=time.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        raise FieldError(name, "is not a time such as 2027-06-30T12:00:00Z") from None
