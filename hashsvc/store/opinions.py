"""Queries about what partners hold of entries of others.

An opinion counts where it is of somebody who neither asserts the entry nor owns its list; such
opinions are nowhere returned. Who reads: `viewer` as in `entries`, `is_visible` tells of a feedback
list, and of who asserts the entry, whether an opinion there may be told.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from hashsvc.model import Entry, Opinion, OpinionGiven, OpinionKind
from hashsvc.store import entries, records, schema
from hashsvc.store.projection import KINDS
from hashsvc.store.times import to_time

Visible = Callable[[str, str], bool]
Said = tuple[tuple[str, OpinionKind], ...]
"""What others hold of an entry, each with the feedback list that it is in."""

Key = tuple[int, int]
"""Where a page ends; opaque to others."""

_ROWS = 1_000

_one = schema.opinions
_OPINIONS = sa.select(_one, schema.lists.c.name.label("list_name")).join(
    schema.lists, schema.lists.c.id == _one.c.list_id
)


def read_said(text: str | None, name: str, contributor: str) -> Said:
    """Return what others hold of an entry, of a row of `entries.KNOWN`."""
    if not text:
        return ()
    pairs = (one.split(" ") for one in text.split(","))
    return tuple(
        (list_name, OpinionKind(opinion))
        for list_name, opinion in pairs
        if is_anothers(list_name, name, contributor)
    )


def latest(connection: sa.Connection, feedback_list: str, name: str) -> Opinion | None:
    """Return what the owner of a feedback list holds of an entry now."""
    query = _OPINIONS.where(schema.lists.c.name == feedback_list, _one.c.entry == name)
    row = connection.execute(query).first()
    return None if row is None else _opinion(row)


def is_anothers(feedback_list: str, name: str, contributor: str) -> bool:
    """Tell whether an opinion is of a partner who does not answer for the entry itself."""
    partner = feedback_list.partition("/")[0]
    return partner not in (contributor, name.partition("/")[0])


class OpinionTables:
    """The tables of opinions. Safe to use from many threads."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def of(self, found: Iterable[Entry]) -> dict[str, Said]:
        """Return what others hold of some entries, by name; nothing where nobody spoke."""
        contributors = {entry.name: entry.contributor for entry in found}
        query = _OPINIONS.where(_one.c.entry.in_(contributors))
        said: dict[str, Said] = {}
        with self._engine.begin() as connection:
            for row in connection.execute(query):
                if is_anothers(row.list_name, row.entry, contributors[row.entry]):
                    one = (row.list_name, OpinionKind(row.opinion))
                    said[row.entry] = (*said.get(row.entry, ()), one)
        return said

    def of_list(
        self,
        list_name: str,
        *,
        after: Key,
        limit: int,
        viewer: str | None,
        is_visible: Visible,
        sequence: int | None = None,
    ) -> list[tuple[Key, Opinion]]:
        """Return up to `limit` of the latest opinions on a list's entries, in the list's order.

        With a `sequence` they are those on that entry.
        """
        prefix = f"{list_name}#"
        query = _OPINIONS.where(_one.c.entry.startswith(prefix, autoescape=True))
        if sequence is not None:
            query = _OPINIONS.where(_one.c.entry == f"{prefix}{sequence}")
        # As numbers, without making numbers of the texts: the prefix is the same.
        length = sa.func.length(_one.c.entry)
        query = query.order_by(length, _one.c.entry, _one.c.list_id).limit(_ROWS)
        found: list[tuple[Key, Opinion]] = []
        with self._engine.begin() as connection:
            while len(found) < limit:
                last = f"{prefix}{after[0]}"
                rest = sa.tuple_(length, _one.c.entry, _one.c.list_id) > sa.tuple_(
                    sa.literal(len(last)), sa.literal(last), sa.literal(after[1])
                )
                rows = connection.execute(query.where(rest)).all()
                keys = [(int(row.entry.rpartition("#")[2]), int(row.list_id)) for row in rows]
                seen = _contributors(connection, list_name, {key[0] for key in keys}, viewer)
                found += [
                    (key, _opinion(row))
                    for key, row in zip(keys, rows, strict=True)
                    if _is_told(row.list_name, row.entry, seen.get(key[0]), is_visible)
                ]
                if len(rows) < _ROWS:
                    break
                after = keys[-1]
        return found[:limit]

    def history(
        self,
        list_name: str,
        sequence: int,
        *,
        after: Key,
        limit: int,
        viewer: str | None,
        is_visible: Visible,
    ) -> list[tuple[Key, Opinion]]:
        """Return up to `limit` of all opinions that were given on an entry, partner by partner.

        Reads what those partners said of all entries: about 100,000 records a second.
        """
        name, log = f"{list_name}#{sequence}", schema.records
        # The name may stand escaped in a record that another program wrote, its end may not.
        needle = f'#{sequence}"'.encode()
        speakers = sa.select(_one.c.list_id).where(_one.c.entry == name)
        place = sa.tuple_(log.c.list_id, log.c.list_position)
        query = (
            sa.select(log.c.list_id, log.c.list_position, log.c.body, schema.lists.c.name)
            .join(schema.lists, schema.lists.c.id == log.c.list_id)
            .where(log.c.list_id.in_(speakers), log.c.kind == KINDS[OpinionGiven])
            .where(place > sa.tuple_(sa.literal(after[0]), sa.literal(after[1])))
            .order_by(log.c.list_id, log.c.list_position)
        )
        found: list[tuple[Key, Opinion]] = []
        with self._engine.begin() as connection:
            seen = _contributors(connection, list_name, {sequence}, viewer)
            for row in connection.execution_options(yield_per=_ROWS).execute(query):
                if len(found) == limit:
                    break
                body = bytes(row.body)
                if needle not in body:
                    continue
                said = records.decode(body)
                if not isinstance(said, OpinionGiven) or said.entry != name:
                    continue
                if _is_told(row.name, name, seen.get(sequence), is_visible):
                    partner = row.name.partition("/")[0]
                    opinion = Opinion(name, partner, said.opinion, said.reason, said.time)
                    found.append(((row.list_id, row.list_position), opinion))
        return found

    def hidden_from(self, names: Iterable[str], partner: str) -> set[str]:
        """Return those of some entries that are canaries of others than a partner."""
        by_list: dict[str, set[int]] = {}
        for name in names:
            list_name, _, sequence = name.partition("#")
            by_list.setdefault(list_name, set()).add(int(sequence))
        entry, canary = schema.entries, schema.canaries
        hidden = set()
        with self._engine.begin() as connection:
            for list_name, sequences in by_list.items():
                query = (
                    sa.select(entry.c.sequence)
                    .join(schema.lists, schema.lists.c.id == entry.c.list_id)
                    .join(canary, canary.c.entry_id == entry.c.id)
                    .where(schema.lists.c.name == list_name, canary.c.partner != partner)
                    .where(entry.c.sequence.in_(sequences))
                )
                hidden |= {f"{list_name}#{one}" for one in connection.execute(query).scalars()}
        return hidden


def _contributors(
    connection: sa.Connection, list_name: str, sequences: Iterable[int], viewer: str | None
) -> dict[int, str]:
    """Return who asserts entries of a list, by sequence, of those that a viewer sees."""
    entry = schema.entries
    wanted: Sequence[int] = list(sequences)
    query = entries.entry_query().where(
        schema.lists.c.name == list_name, entry.c.sequence.in_(wanted)
    )
    query = entries.seen_by(query, viewer).with_only_columns(entry.c.sequence, entry.c.contributor)
    return {row.sequence: row.contributor for row in connection.execute(query)}


def _is_told(feedback_list: str, name: str, contributor: str | None, is_visible: Visible) -> bool:
    """Tell whether an opinion is told; nobody is told of an entry that it does not see."""
    return (
        contributor is not None
        and is_anothers(feedback_list, name, contributor)
        and is_visible(feedback_list, contributor)
    )


def _opinion(row: Any) -> Opinion:
    return Opinion(
        entry=row.entry,
        partner=row.list_name.partition("/")[0],
        opinion=OpinionKind(row.opinion),
        reason=row.reason,
        time=to_time(row.time),
    )
