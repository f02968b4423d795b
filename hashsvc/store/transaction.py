"""The write transaction: appends records to lists' logs, and brings the tables along."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from hashsvc.model import (
    Change,
    Entry,
    EntryAdded,
    EntryAmended,
    EntryWithdrawn,
    HashList,
    ListDescribed,
)
from hashsvc.store import entries, records, schema
from hashsvc.store.rows import insert, put
from hashsvc.store.times import to_us

KINDS: dict[type[Change], str] = {
    EntryAdded: "added",
    EntryAmended: "amended",
    EntryWithdrawn: "withdrawn",
    ListDescribed: "described",
}
"""How the table of records names the kinds of records."""

CHECKPOINT_STEP = 1_000
"""Checkpoints are dropped as long as those that stay are at most so many records apart."""

_RANDOM = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a list's log: what it says, its bytes, and the salt (16 bytes)."""

    change: Change
    body: bytes
    salt: bytes


@dataclass(frozen=True, slots=True)
class Growth:
    """What a list's tree becomes: tiles (level, index, hashes) to write, and the checkpoint."""

    tiles: Iterable[tuple[int, int, bytes]]
    note: bytes


class WriteTransaction:
    """Reads and writes inside one transaction that holds the log's lock."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        # On PostgreSQL this row lock is what makes positions follow the order of commits.
        query = sa.select(schema.node.c.log_size).with_for_update()
        self._log_size: int = connection.execute(query).scalar_one()

    @property
    def log_size(self) -> int:
        """Position of the newest record, this transaction's included."""
        return self._log_size

    def find_answer(self, request_id: str) -> tuple[bytes, Any] | None:
        """Return the content digest and answer of an earlier request of that id."""
        query = sa.select(schema.requests).where(schema.requests.c.request_id == request_id)
        row = self._connection.execute(query).first()
        return None if row is None else (row.digest, orjson.loads(row.answer))

    def save_answer(self, request_id: str, digest: bytes, answer: Any, now: datetime) -> None:
        """Keep the answer to a request, for when it is repeated."""
        values = {
            "request_id": request_id,
            "digest": digest,
            "answer": orjson.dumps(answer).decode(),
            "create_time": to_us(now),
        }
        self._connection.execute(sa.insert(schema.requests).values(values))

    def forget_answers(self, before: datetime) -> None:
        """Drop the answers to requests made before a time."""
        old = schema.requests.c.create_time < to_us(before)
        self._connection.execute(sa.delete(schema.requests).where(old))

    def count_lists(self) -> int:
        """Return how many lists there are."""
        count = sa.select(sa.func.count()).select_from(schema.lists)
        return int(self._connection.execute(count).scalar_one())

    def get_list(self, name: str) -> HashList | None:
        """Return the list of that name."""
        row = entries.list_row(self._connection, name)
        return None if row is None else entries.to_list(row)

    def get_entry(self, list_name: str, sequence: int, viewer: str | None) -> Entry | None:
        """Return one entry with its fingerprints, if there is one that the viewer sees."""
        return entries.get_entry(self._connection, list_name, sequence, viewer)

    def find_active(self, list_name: str, digests: Sequence[bytes]) -> dict[bytes, int]:
        """Return the sequences of the list's active entries with those fingerprint digests."""
        entry = schema.entries
        query = (
            sa.select(entry.c.fingerprint_digest, entry.c.sequence)
            .join(schema.lists, schema.lists.c.id == entry.c.list_id)
            .where(schema.lists.c.name == list_name, entry.c.withdraw_time.is_(None))
            .where(entry.c.fingerprint_digest.in_(digests))
        )
        return {bytes(row[0]): row[1] for row in self._connection.execute(query)}

    def read_tile(self, list_name: str, level: int, index: int) -> bytes | None:
        """Return the hashes of a tile of a list's tree, or nothing."""
        return entries.read_tile(self._connection, list_name, level, index)

    def append(self, list_name: str, log: Sequence[Record], growth: Growth) -> int:
        """Append records to a list and bring the tables along; return the first one's place.

        The others follow without a gap. The first record of a list describes it, which is what
        makes the list.
        """
        row = entries.list_row(self._connection, list_name)
        if row is None:
            self._create_list(list_name, log[0].change)
            row = entries.list_row(self._connection, list_name)
        batch = _Batch(row.id, row.size, self._log_size)
        for record in log:
            batch.add(self._connection, record)
        batch.insert(self._connection)
        self._log_size += len(log)
        self._connection.execute(sa.update(schema.node).values(log_size=self._log_size))
        counters = {
            "size": row.size + len(log),
            "active_entries": row.active_entries + batch.active_change,
        }
        list_id = schema.lists.c.id == row.id
        self._connection.execute(sa.update(schema.lists).where(list_id).values(counters))
        self._grow(row.id, row.size + len(log), growth)
        return int(row.size)

    def sign(self, list_name: str, growth: Growth) -> None:
        """Write the tree and the checkpoint of a list whose records are there already."""
        row = entries.list_row(self._connection, list_name)
        self._grow(row.id, row.size, growth)

    def sample_entries(self, list_name: str, count: int) -> list[Entry]:
        """Return so many active entries of a list, drawn at random, that are no canaries.

        One may come several times; there are none if the list has none.
        """
        entry = schema.entries
        query = (
            entries.seen_by(entries.entry_query(), "")
            .where(schema.lists.c.name == list_name, entry.c.withdraw_time.is_(None))
            .order_by(entry.c.sequence)
        )
        # Ids alone first: a list may be large.
        ids = list(self._connection.execute(query.with_only_columns(entry.c.id)).scalars())
        found = []
        for entry_id in (_RANDOM.choice(ids) for _ in range(count if ids else 0)):
            row = self._connection.execute(query.where(entry.c.id == entry_id)).one()
            values = entries.get_fingerprints(self._connection, [entry_id], with_values=True)
            found.append(entries.to_entry(row, values, None))
        return found

    def mark_canaries(self, list_name: str, sequences: Sequence[int], partner: str) -> None:
        """Let no other partner see some entries."""
        entry = schema.entries
        query = (
            sa.select(entry.c.id)
            .join(schema.lists, schema.lists.c.id == entry.c.list_id)
            .where(schema.lists.c.name == list_name, entry.c.sequence.in_(sequences))
        )
        rows = [{"entry_id": i, "partner": partner} for i in self._connection.scalars(query)]
        insert(self._connection, schema.canaries, rows)

    def _create_list(self, name: str, first: Change) -> None:
        if not isinstance(first, ListDescribed):
            raise ValueError(f"no list {name!r}")
        values = {
            "name": name,
            "kind": first.kind.value,
            "size": 0,
            "active_entries": 0,
            "create_time": to_us(first.time),
            **_described(first),
        }
        self._connection.execute(sa.insert(schema.lists).values(values))

    def _grow(self, list_id: int, size: int, growth: Growth) -> None:
        for level, index, hashes in growth.tiles:
            key = {"list_id": list_id, "level": level, "index": index}
            put(self._connection, schema.tiles, key, {"hashes": hashes})
        point = schema.checkpoints
        mine = point.c.list_id == list_id
        newest = sa.select(point.c.size).where(mine).order_by(point.c.size.desc()).limit(2)
        sizes = [row.size for row in self._connection.execute(newest)]
        if len(sizes) == 2 and size - sizes[1] <= CHECKPOINT_STEP:
            self._connection.execute(sa.delete(point).where(mine, point.c.size == sizes[0]))
        values = {"list_id": list_id, "size": size, "note": growth.note}
        self._connection.execute(sa.insert(point).values(values))


class _Batch:
    """The rows that a run of changes to one list becomes."""

    def __init__(self, list_id: int, list_size: int, log_size: int) -> None:
        self._list_id, self._sequence, self._position = list_id, list_size - 1, log_size
        self._records: list[dict[str, Any]] = []
        self._entries: list[dict[str, Any]] = []
        self._fingerprints: list[dict[str, Any]] = []
        self.active_change = 0

    def add(self, connection: sa.Connection, record: Record) -> None:
        """Take one record in; entries that it refers to must be older than the batch."""
        self._sequence += 1
        self._position += 1
        change = record.change
        entry_id: int | None = None
        match change:
            case EntryAdded():
                entry_id = self._position
                self._add_entry(change)
                self.active_change += 1
            case EntryAmended(sequence=sequence, description=description):
                text = records.encode_description(description)
                entry_id = self._update(connection, sequence, change.time, description=text)
            case EntryWithdrawn(sequence=sequence, reason=reason):
                gone = {"withdraw_time": to_us(change.time), "withdraw_reason": reason}
                entry_id = self._update(connection, sequence, change.time, **gone)
                self.active_change -= 1
            case ListDescribed():
                this = schema.lists.c.id == self._list_id
                connection.execute(sa.update(schema.lists).where(this).values(_described(change)))
        self._records.append(
            {
                "position": self._position,
                "list_id": self._list_id,
                "list_position": self._sequence,
                "kind": KINDS[type(change)],
                "entry_id": entry_id,
                "body": record.body,
                "salt": record.salt,
            }
        )

    def insert(self, connection: sa.Connection) -> None:
        """Write the rows that `add` gathered."""
        insert(connection, schema.records, self._records)
        insert(connection, schema.entries, self._entries)
        insert(connection, schema.fingerprints, self._fingerprints)

    def _add_entry(self, change: EntryAdded) -> None:
        draft = change.draft
        time = to_us(change.time)
        self._entries.append(
            {
                "id": self._position,
                "list_id": self._list_id,
                "sequence": self._sequence,
                "media_type": draft.media_type.value,
                "contributor": change.contributor,
                "description": records.encode_description(draft.description),
                "fingerprint_count": len(draft.fingerprints),
                "fingerprint_digest": records.fingerprint_digest(draft),
                "create_time": time,
                "update_time": time,
                "withdraw_time": None,
                "withdraw_reason": "",
            }
        )
        self._fingerprints += [
            {
                "entry_id": self._position,
                "ordinal": ordinal,
                "algorithm": fingerprint.algorithm.value,
                "value": fingerprint.value,
                "quality": fingerprint.quality,
                "time_ms": fingerprint.time_ms,
                "decoding": fingerprint.decoding.value,
                "variant": fingerprint.variant,
            }
            for ordinal, fingerprint in enumerate(draft.fingerprints)
        ]

    def _update(
        self, connection: sa.Connection, sequence: int, time: datetime, **values: Any
    ) -> int:
        entry = schema.entries
        this = sa.and_(entry.c.list_id == self._list_id, entry.c.sequence == sequence)
        entry_id: int = connection.execute(sa.select(entry.c.id).where(this)).scalar_one()
        values["update_time"] = to_us(time)
        connection.execute(sa.update(entry).where(this).values(values))
        return entry_id


def _described(change: ListDescribed) -> dict[str, Any]:
    """Return the columns of a list that a description sets; its kind is for good."""
    return {
        "purpose": change.purpose,
        "readers": orjson.dumps(list(change.readers)).decode(),
        "names_contributors": change.names_contributors,
    }
