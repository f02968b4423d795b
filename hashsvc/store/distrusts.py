"""Queries about distrust: what contributors added, from which sequence on, does not match."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hashsvc.model import ANY_CONTRIBUTOR, Distrust
from hashsvc.store import schema
from hashsvc.store.times import to_time, to_us


@dataclass(frozen=True, slots=True)
class Reach:
    """What distrust of a contributor since a time would reach in a list of `size` records.

    `first` is the least sequence of its entries that this node took in since then and until a
    position of its log, `first_now` the same without that end; None for none. `entries` counts
    those from `first` on (from `size` on for none) that are not withdrawn, and not distrusted
    before; `covered` is the sequence from which on all are.
    """

    list_name: str
    size: int
    first: int | None
    first_now: int | None
    covered: int | None
    entries: int

    @property
    def since_sequence(self) -> int:
        """From which sequence on the contributor's entries would not match."""
        return self.size if self.first is None else self.first

    @property
    def is_covered(self) -> bool:
        """Whether all of it is distrusted already."""
        return self.covered is not None and self.covered <= self.since_sequence


class DistrustRows:
    """Reads about distrust within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def log_size(self) -> int:
        """Return the position of the node's newest record."""
        return int(self._connection.execute(sa.select(schema.node.c.log_size)).scalar_one())

    def get(self, distrust_id: int) -> Distrust | None:
        """Return the distrust of an id."""
        found = self._read(schema.distrusts.c.id == distrust_id)
        return found[0] if found else None

    def find(
        self, *, contributor: str = "", after: int = 0, limit: int = -1, with_undone: bool = False
    ) -> list[Distrust]:
        """Return up to `limit` with an id above `after`, by id; -1 for all."""
        one = schema.distrusts
        wanted = [one.c.id > after]
        if contributor:
            wanted.append(one.c.contributor == contributor)
        if not with_undone:
            wanted.append(one.c.undo_time.is_(None))
        return self._read(*wanted, limit=None if limit < 0 else limit)

    def newest_id(self) -> int:
        """Return the greatest id, 0 for none."""
        query = sa.select(sa.func.max(schema.distrusts.c.id))
        return int(self._connection.execute(query).scalar() or 0)

    def reach(
        self, contributor: str, since: datetime, until: int, list_name: str = ""
    ) -> Sequence[Reach]:
        """Return what distrust would reach, by list, until a position of the node's log.

        That is in the one list, or in those that the contributor owns or has entries in.
        """
        one, entry = schema.lists, schema.entries
        is_theirs = _is_by(entry.c.contributor, contributor)
        is_new = entry.c.arrive_time >= to_us(since)
        query = (
            sa.select(
                one.c.id,
                one.c.name,
                one.c.size,
                sa.func.min(sa.case((sa.and_(is_new, entry.c.id <= until), entry.c.sequence))),
                sa.func.min(sa.case((is_new, entry.c.sequence))),
            )
            .outerjoin(entry, sa.and_(entry.c.list_id == one.c.id, is_theirs))
            .group_by(one.c.id, one.c.name, one.c.size)
            .order_by(one.c.name)
        )
        if list_name:
            query = query.where(one.c.name == list_name)
        else:
            owned = one.c.name.startswith(f"{contributor}/", autoescape=True)
            query = query.having(sa.or_(owned, sa.func.count(entry.c.id) > 0))
        return [
            self._counted(row, contributor, until) for row in self._connection.execute(query).all()
        ]

    def _counted(self, row: Any, contributor: str, until: int) -> Reach:
        list_id, name, size, first, first_now = row
        entry, one = schema.entries, schema.distrusts
        covering = sa.select(sa.func.min(one.c.since_sequence)).where(
            one.c.list_id == list_id,
            one.c.undo_time.is_(None),
            one.c.contributor.in_((contributor, ANY_CONTRIBUTOR)),
        )
        covered = self._connection.execute(covering).scalar()
        query = sa.select(sa.func.count()).where(
            entry.c.list_id == list_id,
            _is_by(entry.c.contributor, contributor),
            entry.c.sequence >= (size if first is None else first),
            entry.c.id <= until,
            entry.c.withdraw_time.is_(None),
            ~is_distrusted(),
        )
        count = int(self._connection.execute(query).scalar_one())
        return Reach(name, size, first, first_now, covered, count)

    def _read(self, *wanted: sa.ColumnElement[bool], limit: int | None = None) -> list[Distrust]:
        one = schema.distrusts
        query = sa.select(one, schema.lists.c.name).join(
            schema.lists, schema.lists.c.id == one.c.list_id
        )
        query = query.where(*wanted).order_by(one.c.id).limit(limit)
        return [_distrust(row) for row in self._connection.execute(query)]


def is_distrusted() -> sa.ColumnElement[bool]:
    """Tell of a row of entries whether its contributor is distrusted, from it or one before on."""
    one, entry = schema.distrusts, schema.entries
    return sa.exists().where(
        one.c.list_id == entry.c.list_id,
        one.c.undo_time.is_(None),
        one.c.since_sequence <= entry.c.sequence,
        one.c.contributor.in_((entry.c.contributor, ANY_CONTRIBUTOR)),
    )


def _is_by(column: sa.Column[Any], contributor: str) -> sa.ColumnElement[bool]:
    return sa.true() if contributor == ANY_CONTRIBUTOR else column == contributor


def _distrust(row: Any) -> Distrust:
    return Distrust(
        id=row.id,
        list_name=row.name,
        contributor=row.contributor,
        since_sequence=row.since_sequence,
        reason=row.reason,
        create_time=to_time(row.create_time),
        place=row.place,
        undo_time=None if row.undo_time is None else to_time(row.undo_time),
    )
