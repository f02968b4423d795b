"""What the queries about lists and entries share: the statements, and rows to the model.

Who sees an entry: `viewer` is a partner, who sees no canary but its own, or None, who sees all.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
import sqlalchemy as sa

from hashsvc.model import (
    Algorithm,
    Decoding,
    Description,
    Entry,
    Fingerprint,
    HashList,
    Incident,
    ListKind,
    MediaType,
)
from hashsvc.store import records, schema
from hashsvc.store.times import to_time


def list_row(connection: sa.Connection, name: str) -> Any:
    """Return the row of the list of that name, or nothing."""
    return connection.execute(sa.select(schema.lists).where(schema.lists.c.name == name)).first()


def to_list(row: Any) -> HashList:
    """Return a list."""
    return HashList(
        row.name,
        ListKind(row.kind),
        row.purpose,
        row.size,
        row.active_entries,
        to_time(row.create_time),
        tuple(orjson.loads(row.readers)),
        bool(row.names_contributors),
        row.key,
        bool(row.local_features),
    )


def read_tile(connection: sa.Connection, list_name: str, level: int, index: int) -> bytes | None:
    """Return the hashes of a tile of a list's tree, or nothing."""
    tile = schema.tiles
    query = (
        sa.select(tile.c.hashes)
        .join(schema.lists, schema.lists.c.id == tile.c.list_id)
        .where(schema.lists.c.name == list_name)
        .where(tile.c.level == level, tile.c.index == index)
    )
    row = connection.execute(query).first()
    return None if row is None else bytes(row.hashes)


def entry_query(*more: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """Select entries, each with its list's name, whose canary it is, and more columns."""
    entry, canary = schema.entries, schema.canaries
    query = sa.select(
        entry, schema.lists.c.name.label("list_name"), canary.c.partner.label("canary_of"), *more
    )
    return query.join(schema.lists, schema.lists.c.id == entry.c.list_id).outerjoin(
        canary, canary.c.entry_id == entry.c.id
    )


def seen_by(query: sa.Select[Any], viewer: str | None) -> sa.Select[Any]:
    """Leave out of an `entry_query` what a viewer does not see."""
    if viewer is None:
        return query
    partner = schema.canaries.c.partner
    return query.where(sa.or_(partner.is_(None), partner == viewer))


def get_entry(
    connection: sa.Connection, list_name: str, sequence: int, viewer: str | None
) -> Entry | None:
    """Return one entry with its fingerprints, if there is one that the viewer sees."""
    query = entry_query().where(
        schema.lists.c.name == list_name, schema.entries.c.sequence == sequence
    )
    row = connection.execute(seen_by(query, viewer)).first()
    if row is None:
        return None
    return to_entry(row, get_fingerprints(connection, [row.id], with_values=True), viewer)


def to_entry(
    row: Any, fingerprints: Mapping[int, Iterable[Fingerprint]], viewer: str | None
) -> Entry:
    """Return the entry of an `entry_query`'s row; `fingerprints` are by entry id.

    A partner does not learn that an entry is its canary.
    """
    description: Description = records.decode_description(row.description)
    return Entry(
        name=f"{row.list_name}#{row.sequence}",
        media_type=MediaType(row.media_type),
        description=description,
        contributor=row.contributor,
        fingerprints=tuple(fingerprints.get(row.id, ())),
        create_time=to_time(row.create_time),
        update_time=to_time(row.update_time),
        withdraw_time=None if row.withdraw_time is None else to_time(row.withdraw_time),
        withdraw_reason=row.withdraw_reason,
        canary_of=row.canary_of if viewer is None and row.canary_of else "",
        is_erased=not row.fingerprint_digest,
    )


def get_incident(connection: sa.Connection, list_name: str, incident: str) -> Incident | None:
    """Return an incident of a list."""
    one = schema.incidents
    query = sa.select(one).join(schema.lists, schema.lists.c.id == one.c.list_id)
    query = query.where(schema.lists.c.name == list_name, one.c.incident == incident)
    row = connection.execute(query).first()
    return None if row is None else to_incident(list_name, row)


def to_incident(list_name: str, row: Any) -> Incident:
    """Return an incident."""
    concluded = row.conclude_time
    return Incident(
        list_name,
        row.incident,
        row.title,
        to_time(row.open_time),
        None if concluded is None else to_time(concluded),
    )


def _fingerprint_query(*columns: sa.Column[Any]) -> sa.Select[Any]:
    print_ = schema.fingerprints
    ids = print_.c.entry_id.in_(sa.bindparam("ids", expanding=True))
    return sa.select(*columns).where(ids).order_by(print_.c.entry_id, print_.c.ordinal)


_voice = schema.lists.alias("voice")
# In the same statement as the rest: one of its own would cost a match a fifth of its time.
_SAID = (
    sa.select(sa.func.aggregate_strings(_voice.c.name + " " + schema.opinions.c.opinion, ","))
    .join(_voice, _voice.c.id == schema.opinions.c.list_id)
    .where(
        schema.opinions.c.entry
        == schema.lists.c.name + "#" + sa.cast(schema.entries.c.sequence, sa.Text)
    )
    .correlate(schema.lists, schema.entries)
    .scalar_subquery()
    .label("said")
)
"""What is said of an entry, as `opinions.read_said` reads it: feedback lists with opinions."""

# A match waits for these; to put them together anew would be half of their time.
KNOWN = entry_query(
    schema.lists.c.kind.label("list_kind"), schema.lists.c.names_contributors, _SAID
).where(
    schema.entries.c.id.in_(sa.bindparam("ids", expanding=True)),
    schema.entries.c.withdraw_time.is_(None),
)
"""Select the entries with certain `ids` that are not withdrawn, with what a match needs."""

_FINGERPRINTS = _fingerprint_query(*schema.fingerprints.c)
_FINGERPRINTS_WITHOUT_VALUES = _fingerprint_query(
    *(column for column in schema.fingerprints.c if column.name != "value")
)


FRAMES = (
    sa.select(
        schema.fingerprints.c.ordinal, schema.fingerprints.c.time_ms, schema.fingerprints.c.value
    )
    .where(
        schema.fingerprints.c.entry_id == sa.bindparam("id"),
        schema.fingerprints.c.algorithm == Algorithm.PDQ.value,
        sa.or_(
            schema.fingerprints.c.quality.is_(None),
            schema.fingerprints.c.quality >= sa.bindparam("min_quality"),
        ),
    )
    .order_by(schema.fingerprints.c.ordinal)
)
"""Select the frames of a video that can match."""


LOCAL = (
    sa.select(schema.fingerprints)
    .where(
        schema.fingerprints.c.entry_id == sa.bindparam("id"),
        schema.fingerprints.c.algorithm == Algorithm.ORB.value,
    )
    .order_by(schema.fingerprints.c.ordinal)
)
"""Select the fingerprints of local features of an entry."""


def get_fingerprints(
    connection: sa.Connection, entry_ids: Sequence[int], *, with_values: bool
) -> dict[int, list[Fingerprint]]:
    """Return the fingerprints of entries, by entry id and in order."""
    found: dict[int, list[Fingerprint]] = {}
    if not entry_ids:
        return found
    query = _FINGERPRINTS if with_values else _FINGERPRINTS_WITHOUT_VALUES
    for row in connection.execute(query, {"ids": entry_ids}):
        found.setdefault(row.entry_id, []).append(to_fingerprint(row, with_value=with_values))
    return found


def to_fingerprint(row: Any, *, with_value: bool = True) -> Fingerprint:
    """Return the fingerprint of a row, or all of it but its value."""
    return Fingerprint(
        Algorithm(row.algorithm),
        bytes(row.value) if with_value else b"",
        quality=row.quality,
        time_ms=row.time_ms,
        decoding=Decoding(row.decoding),
        variant=row.variant,
    )
