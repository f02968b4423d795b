"""May this change be applied? No I/O: every rule is a function of its arguments."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from hashsvc import calibration, feature_values
from hashsvc.errors import (
    InvalidRequest,
    LimitExceeded,
    NotFound,
    PreconditionFailed,
    Violation,
)
from hashsvc.model import (
    ANY_CONTRIBUTOR,
    EVERYONE,
    Algorithm,
    Change,
    ContributorDistrusted,
    Description,
    Entry,
    EntryAdded,
    EntryAmended,
    EntryDraft,
    EntryErased,
    EntryWithdrawn,
    Fingerprint,
    HashList,
    Incident,
    IncidentConcluded,
    IncidentOpened,
    KeyRotated,
    ListDescribed,
    ListKind,
    MediaType,
    OpinionGiven,
    OpinionKind,
    TrustRestored,
    is_feedback,
)

RESERVED_PARTNER = "hashsvc"
"""Owns the built-in lists; nobody else may use the name."""

MAX_FINGERPRINTS_PER_ENTRY = 1 << 20
"""The index keeps a fingerprint's place in its entry in 20 bits."""

MAX_LOCAL_PER_ENTRY = feature_values.MOST_OF_ONE
"""Fingerprints of local features of an entry: one of a picture, more of frames."""

MIN_MINORITY_BITS = 8
"""A 64-bit hash with fewer ones, or fewer zeros, says nothing: flat pictures have them."""

MAX_LISTS = 4_095
"""Lists of a node; part of the keys of the index."""

MAX_READERS = 1_000
"""Partners that a list names as its readers."""

MAX_CANARIES = 100
"""Canaries planted in one request."""

MAX_VIDEO_MS = 7 * 24 * 3600 * 1000
"""No frame to check is further from its video's start."""

MAX_TEXT = 2_000
MAX_STATEMENT = 4_000
MAX_LABELS = 32
MAX_ENTITIES = 16
MAX_ENTITY = 128
MAX_VIOLATIONS = 20

NAME_PART = "[a-z0-9][a-z0-9-]{0,62}"
"""A partner's id, and each part of a list's name."""

_NAME_PART = re.compile(NAME_PART)
_LIST_NAME = re.compile(f"{NAME_PART}/{NAME_PART}")
_ENTRY_NAME = re.compile(f"({NAME_PART}/{NAME_PART})#([1-9][0-9]{{0,17}})")
_LABEL = re.compile(r"[a-z0-9_.:-]{1,64}")
_VARIANT = re.compile(r"[a-z0-9_]{1,64}")
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def is_name_part(text: str) -> bool:
    """Tell whether a text could be a partner's id."""
    return _NAME_PART.fullmatch(text) is not None


def check_list_name(name: str, field: str) -> str:
    """Return a well-formed list name.

    Raises:
        InvalidRequest: it is not one.
    """
    if not _LIST_NAME.fullmatch(name):
        raise InvalidRequest.of(
            field,
            f"{_shown(name)} is not a list name: `partner/list`, each part 1 to 63 characters of "
            "a-z, 0-9 and '-', such as acme/known",
        )
    return name


def check_list_kind(name: str, kind: ListKind, field: str) -> None:
    """Refuse a new list of opinions under another name than theirs, and any other list under that.

    Raises:
        InvalidRequest: it is so.
    """
    if is_feedback(name) is not (kind is ListKind.FEEDBACK):
        raise InvalidRequest.of(
            field, f"{name}: `partner/feedback` is for opinions, and opinions are nowhere else"
        )


def check_holds_entries(hash_list: HashList, field: str) -> None:
    """Refuse to put entries into a list of opinions.

    Raises:
        InvalidRequest: it is one.
    """
    if hash_list.kind is ListKind.FEEDBACK:
        raise InvalidRequest.of(
            field, f"{hash_list.name} holds opinions, which GiveOpinion adds, and no entries"
        )


def check_opinion(partner: str, entry: str, opinion: OpinionKind, reason: str) -> None:
    """Refuse an opinion of no partner, on an entry of its own, or one that lacks its reason.

    Raises:
        InvalidRequest: it is so.
    """
    owner = entry.partition("/")[0]
    if not is_name_part(partner) or partner == RESERVED_PARTNER:
        raise InvalidRequest.of("partner", f"{_shown(partner)} is not a partner's id")
    if owner == RESERVED_PARTNER:
        raise InvalidRequest.of("entry", "is built in at every node")
    if owner == partner:
        raise own_entry()
    is_against = opinion in (OpinionKind.DISPUTE, OpinionKind.OUT_OF_SCOPE)
    check_text(reason, "reason", required=is_against)


def own_entry() -> InvalidRequest:
    """The error for an opinion on an entry that the partner answers for itself."""
    return InvalidRequest.of("entry", "is your own: amend it or withdraw it")


def check_entry_name(name: str, field: str) -> tuple[str, int]:
    """Return the list name and sequence of a well-formed entry name.

    Raises:
        InvalidRequest: it is not one.
    """
    found = _ENTRY_NAME.fullmatch(name)
    if not found:
        raise InvalidRequest.of(
            field,
            f"{_shown(name)} is not an entry name: `partner/list#number`, such as acme/known#17",
        )
    return found[1], int(found[2])


def check_request_id(request_id: str) -> None:
    """Refuse a missing or overlong request id.

    Raises:
        InvalidRequest: it is so.
    """
    if not 1 <= len(request_id) <= 128 or not request_id.isprintable():
        raise InvalidRequest.of(
            "request_id", "give 1 to 128 printable characters, best a random UUID"
        )


def check_text(text: str, field: str, *, required: bool = False) -> None:
    """Refuse text that is too long, or missing where it is required.

    Raises:
        InvalidRequest: it is so.
    """
    violations = list(_text(text, field, MAX_TEXT))
    if required and not text.strip():
        violations.append(Violation(field, "say it in a few words"))
    _raise(violations)


def check_incident(incident: str, field: str) -> None:
    """Refuse a name of an incident that is missing or too long.

    Raises:
        InvalidRequest: it is so.
    """
    violations = list(_text(incident, field, MAX_ENTITY))
    if not incident.strip():
        violations.append(Violation(field, "name the incident"))
    _raise(violations)


def check_readers(readers: Sequence[str], field: str) -> tuple[str, ...]:
    """Return the readers of a list, sorted and each once; none named means everyone.

    Raises:
        InvalidRequest: one is no partner's id.
        LimitExceeded: they are too many.
    """
    check_limit("MAX_READERS", "readers", len(readers), MAX_READERS)
    named = tuple(sorted(set(readers))) or EVERYONE
    if named == EVERYONE:
        return named
    _raise(
        Violation(f"{field}[{i}]", f"{_shown(one)} is not a partner's id")
        for i, one in enumerate(named)
        if not is_name_part(one)
    )
    return named


def check_canaries(list_name: str, partner: str, count: int) -> None:
    """Refuse canaries for somebody who could not leak the list, or too many.

    Raises:
        InvalidRequest: the partner is no partner's id, or the list's owner; there are none.
        LimitExceeded: they are too many.
    """
    if not is_name_part(partner):
        raise InvalidRequest.of("partner", f"{_shown(partner)} is not a partner's id")
    if partner == list_name.partition("/")[0]:
        raise InvalidRequest.of("partner", "is the owner of the list, who sees all canaries")
    if count < 1:
        raise InvalidRequest.of("count", "give at least 1")
    check_limit("MAX_CANARIES", "canaries", count, MAX_CANARIES)


def check_limit(limit: str, noun: str, count: int, most: int) -> None:
    """Refuse a request that holds more of something than a setting, `limit`, allows.

    Raises:
        LimitExceeded: it does.
    """
    if count > most:
        raise LimitExceeded(
            f"the request holds {count:,} {noun}, {most:,} at most",
            metadata={"limit": limit, "maximum": str(most)},
        )


def check_room_for_list(count: int) -> None:
    """Refuse one more list at a node that has so many.

    Raises:
        LimitExceeded: they are as many as the keys of the index can tell apart.
    """
    if count >= MAX_LISTS:
        raise LimitExceeded(
            f"this node has {MAX_LISTS:,} lists, as many as it can",
            metadata={"limit": "MAX_LISTS", "maximum": str(MAX_LISTS)},
        )


def existing_list(hash_list: HashList | None, name: str) -> HashList:
    """Return the list that was looked up.

    Raises:
        NotFound: there is none of that name.
    """
    if hash_list is None:
        raise no_list(name)
    return hash_list


def no_list(name: str) -> NotFound:
    """The error for a list that is not there, or that the caller may not know of."""
    return NotFound(f"there is no list {name}", metadata={"list": name})


def existing_entry(entry: Entry | None, name: str) -> Entry:
    """Return the entry that was looked up.

    Raises:
        NotFound: there is none of that name.
    """
    if entry is None:
        raise NotFound(
            f"there is no entry {name}", reason="ENTRY_NOT_FOUND", metadata={"entry": name}
        )
    return entry


def active_entry(entry: Entry | None, name: str) -> Entry:
    """Return the entry that was looked up.

    Raises:
        NotFound: there is none of that name.
        PreconditionFailed: it is withdrawn.
    """
    entry = existing_entry(entry, name)
    if entry.withdraw_time is not None:
        raise PreconditionFailed(f"the entry {name} is withdrawn", metadata={"entry": name})
    return entry


def existing_incident(found: Incident | None, list_name: str, incident: str) -> Incident:
    """Return the incident that was looked up.

    Raises:
        NotFound: there is none of that name.
    """
    if found is None:
        raise NotFound(
            f"there is no incident {incident} in {list_name}: open it first",
            reason="INCIDENT_NOT_FOUND",
            metadata={"list": list_name},
        )
    return found


def check_drafts(drafts: Sequence[EntryDraft], now: datetime) -> None:
    """Refuse a batch in which any entry breaks a rule.

    Raises:
        InvalidRequest: with one violation for each wrong field, 20 at most.
    """
    violations: list[Violation] = []
    for i, draft in enumerate(drafts):
        path = f"entries[{i}]"
        violations += _fingerprints(draft.fingerprints, f"{path}.fingerprints")
        violations += _frames(draft, path)
        violations += _description(draft.description, path, now)
        if len(violations) >= MAX_VIOLATIONS:
            break
    _raise(violations)


def check_takes_local(hash_list: HashList, drafts: Sequence[EntryDraft]) -> None:
    """Refuse local features in a list that takes none.

    Raises:
        InvalidRequest: with the first of them.
    """
    if hash_list.local_features:
        return
    for i, draft in enumerate(drafts):
        for j, fingerprint in enumerate(draft.fingerprints):
            if fingerprint.algorithm.is_local:
                raise InvalidRequest.of(
                    f"entries[{i}].fingerprints[{j}].algorithm",
                    f"{hash_list.name} takes no local features; its owner can allow them "
                    "(`hashsvc describe --local-features`)",
                )


def check_description(description: Description, path: str, now: datetime) -> None:
    """Refuse a description that breaks a rule.

    Raises:
        InvalidRequest: with one violation for each wrong field.
    """
    _raise(list(_description(description, path, now)))


def check_fingerprints(fingerprints: Sequence[Fingerprint], field: str = "fingerprints") -> None:
    """Refuse fingerprints to check of which one is malformed; `field` is where they are.

    Raises:
        InvalidRequest: with one violation for each wrong field, 20 at most.
    """
    violations: list[Violation] = []
    for violation in _to_check(fingerprints, field):
        violations.append(violation)
        if len(violations) >= MAX_VIOLATIONS:
            break
    _raise(violations)


def _to_check(fingerprints: Sequence[Fingerprint], field: str) -> Iterator[Violation]:
    yield from _fingerprints(fingerprints, field, most_features=feature_values.MOST_ASKED)
    for i, fingerprint in enumerate(fingerprints):
        if fingerprint.time_ms is not None and fingerprint.time_ms > MAX_VIDEO_MS:
            yield Violation(f"{field}[{i}].time_offset", "is more than a week")


def read_record(body: bytes, place: int) -> Change | None:
    """Return what a record of somebody else's log says, or None for what breaks a rule.

    Every node that has the record comes to the same answer, now and later.
    """
    from hashsvc.store import records  # needs orjson, which the client alone has not

    try:
        change = records.decode(body)
    except ValueError:
        return None
    return change if all(_holds(change, place)) else None


def _holds(change: Change, place: int) -> Iterator[bool]:
    match change:
        case EntryAdded(draft=draft, contributor=contributor):
            yield place > 0 and is_name_part(contributor)
            yield not any(_fingerprints(draft.fingerprints, "entry.fingerprints"))
            yield not any(_frames(draft, "entry"))
            yield not any(_description(draft.description, "entry", _LONG_AGO))
        case EntryAmended(sequence=sequence, description=description):
            yield 0 < sequence < place
            yield not any(_description(description, "", _LONG_AGO))
        case EntryWithdrawn(sequence=sequence, reason=reason):
            yield 0 < sequence < place and _is_text(reason)
        case EntryErased(sequence=sequence, reason=reason):
            yield 0 < sequence < place and _is_text(reason)
        case ListDescribed(purpose=purpose, readers=readers):
            yield _is_text(purpose) and 0 < len(readers) <= MAX_READERS
            yield readers == EVERYONE or all(map(is_name_part, readers))
        case KeyRotated(statement=statement):
            yield len(statement) <= MAX_STATEMENT
        case OpinionGiven(entry=entry, reason=reason):
            yield bool(_ENTRY_NAME.fullmatch(entry)) and _is_text(reason)
        case ContributorDistrusted(contributor=contributor, since_sequence=since, reason=reason):
            yield is_name_part(contributor) or contributor == ANY_CONTRIBUTOR
            yield 0 <= since < 1 << 62 and _is_text(reason)
        case TrustRestored(place=undone, reason=reason):
            yield 0 < undone < place and _is_text(reason)
        case IncidentOpened(incident=incident, title=title):
            yield not any(_text(incident, "", MAX_ENTITY)) and _is_text(title) and bool(incident)
        case IncidentConcluded(incident=incident):
            yield not any(_text(incident, "", MAX_ENTITY)) and bool(incident)


def _is_text(text: str) -> bool:
    return not any(_text(text, "", MAX_TEXT))


def searchable(fingerprints: Sequence[Fingerprint], min_pdq_quality: int) -> list[Fingerprint]:
    """Return those fingerprints that carry enough to search with them or for them."""
    enough = [
        f for f in fingerprints if carries_enough(f.algorithm, f.value, f.quality, min_pdq_quality)
    ]
    values = [f.value for f in enough if f.algorithm is Algorithm.PDQ]
    if not values:
        return enough
    from hashsvc.lists import plainness  # brings numpy, which the command line does not need

    plain = iter(plainness.plain_values(values))
    return [f for f in enough if f.algorithm is not Algorithm.PDQ or not next(plain)]


def carries_enough(
    algorithm: Algorithm, value: bytes, quality: int | None, min_pdq_quality: int
) -> bool:
    """Tell whether a fingerprint carries enough, but for PDQ values that `plainness` finds out."""
    if algorithm is Algorithm.PDQ:
        return quality is None or quality >= min_pdq_quality
    if algorithm.is_digest or algorithm.is_local:
        return True
    # A plain picture's 64-bit hash has almost all bits alike.
    ones = int.from_bytes(value).bit_count()
    return (
        calibration.can_match(algorithm)
        and MIN_MINORITY_BITS <= ones <= algorithm.bits - MIN_MINORITY_BITS
    )


def _fingerprints(
    fingerprints: Sequence[Fingerprint],
    name: str,
    *,
    most_features: int = feature_values.MOST_KNOWN,
) -> Iterator[Violation]:
    if not fingerprints:
        yield Violation(name, "give at least one fingerprint")
    if len(fingerprints) > MAX_FINGERPRINTS_PER_ENTRY:
        yield Violation(name, f"more than {MAX_FINGERPRINTS_PER_ENTRY:,}")
    if sum(fingerprint.algorithm.is_local for fingerprint in fingerprints) > MAX_LOCAL_PER_ENTRY:
        yield Violation(name, f"more than {MAX_LOCAL_PER_ENTRY} of local features")
    for i, fingerprint in enumerate(fingerprints):
        field = f"{name}[{i}]"
        if wrong := _value_problem(fingerprint, most_features):
            yield Violation(f"{field}.value", wrong)
        if fingerprint.quality is not None and not 0 <= fingerprint.quality <= 100:
            yield Violation(f"{field}.quality", "is outside 0 to 100")
        if fingerprint.time_ms is not None and fingerprint.time_ms < 0:
            yield Violation(f"{field}.time_offset", "is negative")
        if not _VARIANT.fullmatch(fingerprint.variant):
            yield Violation(f"{field}.variant", "use 1 to 64 characters of a-z, 0-9 and '_'")


def _value_problem(fingerprint: Fingerprint, most_features: int) -> str:
    if fingerprint.algorithm.is_local:
        return feature_values.problem(fingerprint.value, most_features)
    width = fingerprint.algorithm.bits // 8
    if len(fingerprint.value) == width:
        return ""
    return (
        f"a {fingerprint.algorithm} value has {width} bytes, this one has {len(fingerprint.value)}"
    )


def _frames(draft: EntryDraft, path: str) -> Iterator[Violation]:
    for i, fingerprint in enumerate(draft.fingerprints):
        if fingerprint.time_ms is not None and draft.media_type is MediaType.IMAGE:
            yield Violation(f"{path}.fingerprints[{i}].time_offset", "an image has no time offsets")
            return


def _description(description: Description, path: str, now: datetime) -> Iterator[Violation]:
    if not description.labels:
        yield Violation(f"{path}.labels", "give at least one label, such as propaganda")
    if len(description.labels) > MAX_LABELS:
        yield Violation(f"{path}.labels", f"more than {MAX_LABELS}")
    for i, label in enumerate(description.labels):
        if not _LABEL.fullmatch(label):
            yield Violation(
                f"{path}.labels[{i}]", f"{_shown(label)}: use 1 to 64 characters of a-z 0-9 _.:-"
            )
    if len(description.entities) > MAX_ENTITIES:
        yield Violation(f"{path}.entities", f"more than {MAX_ENTITIES}")
    for i, entity in enumerate(description.entities):
        yield from _text(entity, f"{path}.entities[{i}]", MAX_ENTITY)
        if not entity.strip():
            yield Violation(f"{path}.entities[{i}]", "is empty")
    if description.basis is None:
        yield Violation(f"{path}.basis", "say on what ground the entry is asserted")
    if description.expire_time is not None and description.expire_time <= now:
        yield Violation(f"{path}.expire_time", "is in the past")
    yield from _text(description.incident, f"{path}.incident", MAX_ENTITY)
    yield from _text(description.note, f"{path}.note", MAX_TEXT)


def _text(text: str, field: str, most: int) -> Iterator[Violation]:
    if len(text) > most:
        yield Violation(field, f"has {len(text):,} characters, {most:,} at most")
    if "\x00" in text:
        yield Violation(field, "holds a NUL character")


def _raise(violations: Iterable[Violation]) -> None:
    if found := list(violations)[:MAX_VIOLATIONS]:
        raise InvalidRequest(found)


def _shown(text: str) -> str:
    """Return text short enough to show in a message."""
    return repr(text if len(text) <= 80 else text[:77] + "...")
