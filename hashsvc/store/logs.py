"""Queries about the lists' signed logs, as those who follow, audit and witness them ask."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa

from hashsvc.store import entries, schema
from hashsvc.store.rows import put


class ListRecord(NamedTuple):
    """A record of a list's log: its place, bytes and salt; both are empty when it was erased."""

    place: int
    body: bytes
    salt: bytes


@dataclass(frozen=True, slots=True)
class HeldRecord:
    """A record, and what decides who gets it: its kind, whose canary and which entry it is about.

    `about` is the sequence of the entry that a later record is about.
    """

    place: int
    body: bytes
    salt: bytes
    kind: str
    about: int | None
    canary_of: str


class LogTables:
    """The tables of the lists' logs. Safe to use from many threads."""

    def __init__(self, engine: sa.Engine, writer: sa.Engine) -> None:
        self._engine = engine
        self._writer = writer

    def unsigned_lists(self) -> list[str]:
        """Return the names of the lists without a key, or whose newest records are not signed."""
        point, one = schema.checkpoints, schema.lists
        signed = sa.select(point.c.list_id).where(
            point.c.list_id == one.c.id, point.c.size == one.c.size
        )
        query = sa.select(one.c.name).where(sa.or_(~signed.exists(), one.c.key == ""))
        with self._engine.begin() as connection:
            return list(connection.execute(query.order_by(one.c.name)).scalars())

    def list_records(self, name: str, after: int, limit: int) -> list[ListRecord]:
        """Return up to `limit` records of a list, those at a place from `after` on, in order."""
        log = schema.records
        query = _of_list(name, log.c.list_position, log.c.body, log.c.salt, table=log)
        query = query.where(log.c.list_position >= after).order_by(log.c.list_position)
        with self._engine.begin() as connection:
            rows = connection.execute(query.limit(limit))
            return [ListRecord(row[0], bytes(row[1]), bytes(row[2])) for row in rows]

    def held_records(self, name: str, start: int, end: int) -> list[HeldRecord]:
        """Return the records of a list that are held and not erased, at places `start` to `end`."""
        place = schema.records.c.list_position
        query = _held(name).where(place >= start, place < end).order_by(place)
        with self._engine.begin() as connection:
            return [_to_held(row) for row in connection.execute(query)]

    def records_at(self, name: str, places: Sequence[int]) -> list[HeldRecord]:
        """Return those of the records at some places that are held and not erased."""
        place = schema.records.c.list_position
        query = _held(name).where(place.in_(places)).order_by(place)
        with self._engine.begin() as connection:
            return [_to_held(row) for row in connection.execute(query)]

    def records_about(self, name: str, sequence: int) -> list[HeldRecord]:
        """Return the later records about an entry, in order."""
        query = _held(name).where(schema.records.c.about == sequence)
        with self._engine.begin() as connection:
            found = [_to_held(row) for row in connection.execute(query)]
        # Sorted here: asked for an order, SQLite walks the whole list by its places.
        return sorted(found, key=lambda one: one.place)

    def urgent_places(self, name: str, after: int, limit: int) -> list[int]:
        """Return up to `limit` places of urgent records of a list, from `after` on, in order."""
        one = schema.urgent
        query = _of_list(name, one.c.place, table=one).where(one.c.place >= after)
        with self._engine.begin() as connection:
            return list(connection.execute(query.order_by(one.c.place).limit(limit)).scalars())

    def checkpoint(self, name: str) -> bytes | None:
        """Return the newest checkpoint of a list: a signed note."""
        point = schema.checkpoints
        query = _of_list(name, point.c.note, table=point).order_by(point.c.size.desc()).limit(1)
        with self._engine.begin() as connection:
            row = connection.execute(query).first()
        return None if row is None else bytes(row.note)

    def next_checkpoint(self, name: str, after: int, reach: int) -> tuple[int, bytes] | None:
        """Return the size and note of the farthest checkpoint within reach of a size, if any.

        That is the greatest at most `after + reach`, else the least beyond.
        """
        point = schema.checkpoints
        query = _of_list(name, point.c.size, point.c.note, table=point).where(point.c.size > after)
        near = query.where(point.c.size <= after + reach).order_by(point.c.size.desc()).limit(1)
        far = query.order_by(point.c.size).limit(1)
        with self._engine.begin() as connection:
            row = connection.execute(near).first() or connection.execute(far).first()
        return None if row is None else (int(row.size), bytes(row.note))

    def read_tile(self, name: str, level: int, index: int) -> bytes | None:
        """Return the hashes of a tile of a list's tree, or nothing."""
        with self._engine.begin() as connection:
            return entries.read_tile(connection, name, level, index)

    def rotations(self, name: str) -> list[tuple[int, str]]:
        """Return the places and statements by which a list's key was replaced, in order."""
        one = schema.rotations
        query = _of_list(name, one.c.place, one.c.statement, table=one).order_by(one.c.place)
        with self._engine.begin() as connection:
            return [(int(row.place), row.statement) for row in connection.execute(query)]

    def promises(self, name: str) -> list[bytes]:
        """Return the checkpoints under which records of a list were taken ahead of their turn."""
        one = schema.promises
        query = _of_list(name, one.c.note, table=one).order_by(one.c.size)
        with self._engine.begin() as connection:
            return [bytes(note) for note in connection.execute(query).scalars()]

    def proof_ahead(self, name: str, place: int) -> tuple[bytes, bytes] | None:
        """Return what proves a record that came ahead of its turn: a checkpoint, and the hashes."""
        one, point = schema.ahead, schema.promises
        query = _of_list(name, one.c.proof, table=one).add_columns(point.c.note)
        query = query.join(
            point, sa.and_(point.c.list_id == one.c.list_id, point.c.size == one.c.size)
        )
        with self._engine.begin() as connection:
            row = connection.execute(query.where(one.c.place == place)).first()
        return None if row is None else (bytes(row.note), bytes(row.proof))

    def count_ahead(self, name: str) -> int:
        """Return how many records came ahead of their turn and wait for it."""
        one = schema.ahead
        query = _of_list(name, table=one).add_columns(sa.func.count())
        with self._engine.begin() as connection:
            return int(connection.execute(query.select_from(one)).scalar_one())

    def cosigned(self, name: str) -> list[tuple[str, int, bytes]]:
        """Return the newest checkpoint that each witness cosigned: its key, the size, the note."""
        one = schema.witnessed
        query = _of_list(name, one.c.witness, one.c.size, one.c.note, table=one)
        with self._engine.begin() as connection:
            return [(row[0], int(row[1]), bytes(row[2])) for row in connection.execute(query)]

    def save_cosigned(self, name: str, witness: str, size: int, note: bytes) -> None:
        """Keep a checkpoint that a witness, named by its public key, has cosigned; durably."""
        one = schema.witnessed
        with self._writer.begin() as connection:
            row = entries.list_row(connection, name)
            key = {"list_id": row.id, "witness": witness}
            put(connection, one, key, {"size": size, "note": note})


def _of_list(name: str, *columns: sa.Column[Any], table: sa.Table) -> sa.Select[Any]:
    query = sa.select(*columns).join(schema.lists, schema.lists.c.id == table.c.list_id)
    return query.where(schema.lists.c.name == name)


def _held(name: str) -> sa.Select[Any]:
    log, canary = schema.records, schema.canaries
    columns = (log.c.list_position, log.c.body, log.c.salt, log.c.kind, log.c.about)
    query = _of_list(name, *columns, table=log).add_columns(canary.c.partner)
    query = query.outerjoin(canary, canary.c.entry_id == log.c.entry_id)
    return query.where(log.c.salt != b"")


def _to_held(row: Any) -> HeldRecord:
    return HeldRecord(row[0], bytes(row[1]), bytes(row[2]), row[3], row[4], row[5] or "")
