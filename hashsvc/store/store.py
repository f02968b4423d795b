"""Every query. A `WriteTransaction` is the only way to change anything."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, cast

import orjson
import sqlalchemy as sa

from hashsvc.model import (
    Algorithm,
    Change,
    Decoding,
    Description,
    Entry,
    EntryAdded,
    EntryAmended,
    EntryWithdrawn,
    Fingerprint,
    HashList,
    KnownEntry,
    ListKind,
    MediaType,
)
from hashsvc.store import records, schema
from hashsvc.store.audit import AuditTables
from hashsvc.store.migrate import open_engine
from hashsvc.store.partners import PartnerTables
from hashsvc.store.times import to_time, to_us


class IndexedRow(NamedTuple):
    """One fingerprint to index: which list's and entry's, its place there, and its value."""

    list_id: int
    entry_id: int
    ordinal: int
    algorithm: str
    value: bytes
    quality: int | None


@dataclass(frozen=True, slots=True)
class IndexChanges:
    """What the log from one position to `position` means for an index.

    `removed` is (list id, entry id, number of its fingerprints); apply it after `added`.
    """

    position: int
    added: Sequence[IndexedRow]
    removed: Sequence[tuple[int, int, int]]


class Store:
    """A node's logs and tables. Safe to use from many threads.

    `partners` are the tables of partners and credentials, `audit` those of the audit log.
    """

    def __init__(self, url: str) -> None:
        """Open the database at an SQLAlchemy URL, creating or migrating its tables.

        Raises:
            StoreError: the database cannot be used.
        """
        self._engine = open_engine(url)
        self._writer = self._engine.execution_options(writer=True)
        self.partners = PartnerTables(self._engine, self._writer)
        self.audit = AuditTables(self._engine, self._writer)
        with self._engine.begin() as connection:
            self.node_id: str = connection.execute(sa.select(schema.node.c.node_id)).scalar_one()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def write(self) -> Iterator["WriteTransaction"]:
        """Run a transaction that holds the log: it commits at the end, durably, or not at all."""
        with self._writer.begin() as connection:
            yield WriteTransaction(connection)

    def log_size(self) -> int:
        """Return the position of the newest record, 0 for none."""
        with self._engine.begin() as connection:
            return int(connection.execute(sa.select(schema.node.c.log_size)).scalar_one())

    def get_record(self, position: int) -> bytes | None:
        """Return the bytes of the record at a position of the node's log."""
        query = sa.select(schema.records.c.body).where(schema.records.c.position == position)
        with self._engine.begin() as connection:
            row = connection.execute(query).first()
        return None if row is None else bytes(row.body)

    def get_list(self, name: str) -> HashList | None:
        """Return the list of that name."""
        with self._engine.begin() as connection:
            row = _list_row(connection, name)
        return None if row is None else _hash_list(row)

    def get_lists(self, *, after: str, limit: int) -> list[HashList]:
        """Return up to `limit` lists by name, those after the name `after`."""
        query = sa.select(schema.lists).where(schema.lists.c.name > after)
        with self._engine.begin() as connection:
            rows = connection.execute(query.order_by(schema.lists.c.name).limit(limit)).all()
        return [_hash_list(row) for row in rows]

    def list_names(self) -> dict[int, str]:
        """Return the names of all lists by id."""
        with self._engine.begin() as connection:
            rows = connection.execute(sa.select(schema.lists.c.id, schema.lists.c.name)).all()
        return {row.id: row.name for row in rows}

    def get_entry(self, list_name: str, sequence: int) -> Entry | None:
        """Return one entry with its fingerprints."""
        with self._engine.begin() as connection:
            return _entry(connection, list_name, sequence)

    def get_entries(
        self,
        list_name: str,
        *,
        after: int,
        limit: int,
        with_withdrawn: bool,
        with_fingerprints: bool,
    ) -> list[Entry]:
        """Return up to `limit` entries of a list with a sequence above `after`, in order."""
        query = _entry_query().where(
            schema.lists.c.name == list_name, schema.entries.c.sequence > after
        )
        if not with_withdrawn:
            query = query.where(schema.entries.c.withdraw_time.is_(None))
        query = query.order_by(schema.entries.c.sequence).limit(limit)
        with self._engine.begin() as connection:
            rows = connection.execute(query).all()
            wanted = [row.id for row in rows] if with_fingerprints else []
            values = _fingerprints(connection, wanted, with_values=True)
        return [_to_entry(row, values.get(row.id, ())) for row in rows]

    def known_entries(self, entry_ids: Sequence[int]) -> dict[int, KnownEntry]:
        """Return what a match needs of each entry that is not withdrawn, by entry id."""
        with self._engine.begin() as connection:
            rows = connection.execute(_KNOWN, {"ids": entry_ids}).all()
            found = _fingerprints(connection, [row.id for row in rows], with_values=False)
        return {
            row.id: KnownEntry(_to_entry(row, found.get(row.id, ())), ListKind(row.list_kind))
            for row in rows
        }

    def index_changes(self, after: int, limit: int) -> IndexChanges:
        """Return what up to `limit` records after position `after` mean for an index.

        Entries withdrawn by now are left out of `added`, however far the log was read.
        """
        log, entry, print_ = schema.records, schema.entries, schema.fingerprints
        with self._engine.begin() as connection:
            size = connection.execute(sa.select(schema.node.c.log_size)).scalar_one()
            # Positions have no gaps.
            until = min(after + limit, int(size))
            if until <= after:
                return IndexChanges(after, (), ())
            rows = connection.execute(
                sa.select(
                    entry.c.list_id,
                    print_.c.entry_id,
                    print_.c.ordinal,
                    print_.c.algorithm,
                    print_.c.value,
                    print_.c.quality,
                )
                .join(entry, entry.c.id == print_.c.entry_id)
                .where(print_.c.entry_id > after, print_.c.entry_id <= until)
                .where(entry.c.withdraw_time.is_(None))
                .order_by(print_.c.entry_id, print_.c.ordinal)
            )
            # The driver's rows are named tuples too; a million copies would take a second.
            added = cast(Sequence[IndexedRow], rows.all())
            removed = connection.execute(
                sa.select(entry.c.list_id, entry.c.id, entry.c.fingerprint_count)
                .join(log, log.c.entry_id == entry.c.id)
                .where(log.c.position > after, log.c.position <= until)
                .where(log.c.kind == _KINDS[EntryWithdrawn])
            ).all()
        return IndexChanges(until, added, [(row[0], row[1], row[2]) for row in removed])


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

    def create_list(self, name: str, kind: ListKind, purpose: str, now: datetime) -> HashList:
        """Create a list; its name must be free."""
        values = {
            "name": name,
            "kind": kind.value,
            "purpose": purpose,
            "size": 0,
            "active_entries": 0,
            "create_time": to_us(now),
        }
        self._connection.execute(sa.insert(schema.lists).values(values))
        return HashList(name, kind, purpose, 0, 0, now)

    def get_list(self, name: str) -> HashList | None:
        """Return the list of that name."""
        row = _list_row(self._connection, name)
        return None if row is None else _hash_list(row)

    def get_entry(self, list_name: str, sequence: int) -> Entry | None:
        """Return one entry with its fingerprints."""
        return _entry(self._connection, list_name, sequence)

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

    def append(self, list_name: str, changes: Sequence[tuple[Change, bytes]]) -> int:
        """Append changes, each with its record bytes, to a list and bring the tables along.

        The first change gets the returned sequence, the others follow without a gap.
        """
        row = _list_row(self._connection, list_name)
        if row is None:
            raise ValueError(f"no list {list_name!r}")
        batch = _Batch(row.id, row.size, self._log_size)
        for change, body in changes:
            batch.add(self._connection, change, body)
        batch.insert(self._connection)
        self._log_size += len(changes)
        self._connection.execute(sa.update(schema.node).values(log_size=self._log_size))
        counters = {
            "size": row.size + len(changes),
            "active_entries": row.active_entries + batch.active_change,
        }
        list_id = schema.lists.c.id == row.id
        self._connection.execute(sa.update(schema.lists).where(list_id).values(counters))
        return int(row.size) + 1


_KINDS: dict[type[Change], str] = {
    EntryAdded: "added",
    EntryAmended: "amended",
    EntryWithdrawn: "withdrawn",
}


class _Batch:
    """The rows that a run of changes to one list becomes."""

    def __init__(self, list_id: int, list_size: int, log_size: int) -> None:
        self._list_id, self._sequence, self._position = list_id, list_size, log_size
        self._records: list[dict[str, Any]] = []
        self._entries: list[dict[str, Any]] = []
        self._fingerprints: list[dict[str, Any]] = []
        self.active_change = 0

    def add(self, connection: sa.Connection, change: Change, body: bytes) -> None:
        """Take one change in; entries that it refers to must be older than the batch."""
        self._sequence += 1
        self._position += 1
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
        self._records.append(
            {
                "position": self._position,
                "list_id": self._list_id,
                "list_position": self._sequence,
                "kind": _KINDS[type(change)],
                "entry_id": entry_id,
                "body": body,
            }
        )

    def insert(self, connection: sa.Connection) -> None:
        """Write the rows that `add` gathered."""
        _insert(connection, schema.records, self._records)
        if self._entries:
            _insert(connection, schema.entries, self._entries)
            _insert(connection, schema.fingerprints, self._fingerprints)

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


def _insert(connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert many rows, all with all columns, as the driver takes them.

    SQLAlchemy's own handling of each value would be a quarter of the time of a contribution.
    """
    compiled = sa.insert(table).compile(dialect=connection.dialect)
    names = compiled.positiontup
    values = rows if names is None else [tuple(row[name] for name in names) for row in rows]
    connection.exec_driver_sql(compiled.string, values)


def _list_row(connection: sa.Connection, name: str) -> Any:
    return connection.execute(sa.select(schema.lists).where(schema.lists.c.name == name)).first()


def _hash_list(row: Any) -> HashList:
    return HashList(
        row.name,
        ListKind(row.kind),
        row.purpose,
        row.size,
        row.active_entries,
        to_time(row.create_time),
    )


def _entry_query() -> sa.Select[Any]:
    names = (schema.lists.c.name.label("list_name"), schema.lists.c.kind.label("list_kind"))
    query = sa.select(schema.entries, *names)
    return query.join(schema.lists, schema.lists.c.id == schema.entries.c.list_id)


def _fingerprint_query(*columns: sa.Column[Any]) -> sa.Select[Any]:
    print_ = schema.fingerprints
    ids = print_.c.entry_id.in_(sa.bindparam("ids", expanding=True))
    return sa.select(*columns).where(ids).order_by(print_.c.entry_id, print_.c.ordinal)


# A match waits for these; to put them together anew would be half of their time.
_KNOWN = _entry_query().where(
    schema.entries.c.id.in_(sa.bindparam("ids", expanding=True)),
    schema.entries.c.withdraw_time.is_(None),
)
_FINGERPRINTS = _fingerprint_query(*schema.fingerprints.c)
_FINGERPRINTS_WITHOUT_VALUES = _fingerprint_query(
    *(column for column in schema.fingerprints.c if column.name != "value")
)


def _entry(connection: sa.Connection, list_name: str, sequence: int) -> Entry | None:
    query = _entry_query().where(
        schema.lists.c.name == list_name, schema.entries.c.sequence == sequence
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    return _to_entry(row, _fingerprints(connection, [row.id], with_values=True).get(row.id, ()))


def _to_entry(row: Any, fingerprints: Iterable[Fingerprint]) -> Entry:
    description: Description = records.decode_description(row.description)
    return Entry(
        name=f"{row.list_name}#{row.sequence}",
        media_type=MediaType(row.media_type),
        description=description,
        contributor=row.contributor,
        fingerprints=tuple(fingerprints),
        create_time=to_time(row.create_time),
        update_time=to_time(row.update_time),
        withdraw_time=None if row.withdraw_time is None else to_time(row.withdraw_time),
        withdraw_reason=row.withdraw_reason,
    )


def _fingerprints(
    connection: sa.Connection, entry_ids: Sequence[int], *, with_values: bool
) -> dict[int, list[Fingerprint]]:
    found: dict[int, list[Fingerprint]] = {}
    if not entry_ids:
        return found
    query = _FINGERPRINTS if with_values else _FINGERPRINTS_WITHOUT_VALUES
    for row in connection.execute(query, {"ids": entry_ids}):
        fingerprint = Fingerprint(
            Algorithm(row.algorithm),
            bytes(row.value) if with_values else b"",
            quality=row.quality,
            time_ms=row.time_ms,
            decoding=Decoding(row.decoding),
            variant=row.variant,
        )
        found.setdefault(row.entry_id, []).append(fingerprint)
    return found
