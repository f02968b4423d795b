"""A node's database: every query, and the write transactions that alone change anything."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from hashsvc.model import Entry, Fingerprint, HashList, Incident, KnownEntry, ListKind
from hashsvc.store import entries, opinions, schema
from hashsvc.store.audit import AuditTables
from hashsvc.store.distrusts import DistrustRows
from hashsvc.store.logs import LogTables
from hashsvc.store.migrate import drain_journal, open_engine
from hashsvc.store.opinions import OpinionTables
from hashsvc.store.partners import PartnerTables
from hashsvc.store.projection import ENDS
from hashsvc.store.subscriptions import SubscriptionTables
from hashsvc.store.transaction import WriteTransaction


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

    `partners` are the tables of partners and credentials, `audit` those of the audit log, `logs`
    those of the lists' signed logs, `subscriptions` those of the lists that are followed,
    `opinions` those of what partners hold of entries.
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
        self.logs = LogTables(self._engine, self._writer)
        self.subscriptions = SubscriptionTables(self._engine, self._writer)
        self.opinions = OpinionTables(self._engine)
        with self._engine.begin() as connection:
            self.node_id: str = connection.execute(sa.select(schema.node.c.node_id)).scalar_one()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def write(self) -> Iterator[WriteTransaction]:
        """Run a transaction that holds the log: it commits at the end, durably, or not at all."""
        with self._writer.begin() as connection:
            tx = WriteTransaction(connection)
            yield tx
        if tx.erases:
            # What was erased is still in the pages that the journal holds.
            drain_journal(self._engine)

    @contextmanager
    def read_distrusts(self) -> Iterator[DistrustRows]:
        """Read about distrust, all of it at one moment."""
        with self._engine.begin() as connection:
            yield DistrustRows(connection)

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
            row = entries.list_row(connection, name)
        return None if row is None else entries.to_list(row)

    def get_lists(self, *, after: str, limit: int) -> list[HashList]:
        """Return up to `limit` lists by name, those after the name `after`."""
        query = sa.select(schema.lists).where(schema.lists.c.name > after)
        with self._engine.begin() as connection:
            rows = connection.execute(query.order_by(schema.lists.c.name).limit(limit)).all()
        return [entries.to_list(row) for row in rows]

    def all_lists(self) -> list[HashList]:
        """Return all lists."""
        with self._engine.begin() as connection:
            return [entries.to_list(row) for row in connection.execute(sa.select(schema.lists))]

    def list_names(self) -> dict[int, str]:
        """Return the names of all lists by id."""
        with self._engine.begin() as connection:
            rows = connection.execute(sa.select(schema.lists.c.id, schema.lists.c.name)).all()
        return {row.id: row.name for row in rows}

    def get_entry(self, list_name: str, sequence: int, viewer: str | None = None) -> Entry | None:
        """Return one entry with its fingerprints, if there is one that the viewer sees."""
        with self._engine.begin() as connection:
            return entries.get_entry(connection, list_name, sequence, viewer)

    def get_entries(
        self,
        list_name: str,
        *,
        after: int,
        limit: int,
        with_withdrawn: bool,
        with_fingerprints: bool,
        viewer: str | None = None,
        canaries_only: bool = False,
    ) -> list[Entry]:
        """Return up to `limit` entries of a list with a sequence above `after`, in order."""
        query = entries.entry_query().where(
            schema.lists.c.name == list_name, schema.entries.c.sequence > after
        )
        if not with_withdrawn:
            query = query.where(schema.entries.c.withdraw_time.is_(None))
        if canaries_only:
            query = query.where(schema.canaries.c.partner.is_not(None))
        query = entries.seen_by(query, viewer).order_by(schema.entries.c.sequence).limit(limit)
        with self._engine.begin() as connection:
            rows = connection.execute(query).all()
            wanted = [row.id for row in rows] if with_fingerprints else []
            values = entries.get_fingerprints(connection, wanted, with_values=True)
        return [entries.to_entry(row, values, viewer) for row in rows]

    def get_incidents(self, list_name: str, after: str = "", limit: int = 1) -> list[Incident]:
        """Return up to `limit` incidents of a list by name, those after the name `after`."""
        one = schema.incidents
        query = (
            sa.select(one)
            .join(schema.lists, schema.lists.c.id == one.c.list_id)
            .where(schema.lists.c.name == list_name, one.c.incident > after)
        )
        with self._engine.begin() as connection:
            rows = connection.execute(query.order_by(one.c.incident).limit(limit)).all()
        return [entries.to_incident(list_name, row) for row in rows]

    def get_incident(self, list_name: str, incident: str) -> Incident | None:
        """Return an incident of a list."""
        with self._engine.begin() as connection:
            return entries.get_incident(connection, list_name, incident)

    def known_entries(self, entry_ids: Sequence[int]) -> dict[int, KnownEntry]:
        """Return what a match needs of each entry that is not withdrawn, by entry id."""
        with self._engine.begin() as connection:
            rows = connection.execute(entries.KNOWN, {"ids": entry_ids}).all()
            ids = [row.id for row in rows]
            found = entries.get_fingerprints(connection, ids, with_values=False)
        known = {}
        for row in rows:
            entry = entries.to_entry(row, found, None)
            said = opinions.read_said(row.said, entry.name, entry.contributor)
            kind = ListKind(row.list_kind)
            known[row.id] = KnownEntry(entry, kind, row.names_contributors, said)
        return known

    def known_frames(
        self, entry_id: int, min_quality: int
    ) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        """Return the frames of a known video: milliseconds (n,) and PDQ values (n, 32).

        Left out are those of less than `min_quality`. One without a time counts as one a second.
        """
        with self._engine.begin() as connection:
            rows = connection.execute(
                entries.FRAMES, {"id": entry_id, "min_quality": min_quality}
            ).all()
        times = [row.ordinal * 1000 if row.time_ms is None else row.time_ms for row in rows]
        values = np.frombuffer(b"".join(row.value for row in rows), np.uint8)
        return np.array(times, np.float64), values.reshape(-1, 32)

    def known_features(self, entry_id: int) -> list[Fingerprint]:
        """Return the fingerprints of local features of an entry, in their order."""
        with self._engine.begin() as connection:
            rows = connection.execute(entries.LOCAL, {"id": entry_id}).all()
        return [entries.to_fingerprint(row) for row in rows]

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
                .where(log.c.kind.in_(ENDS))
            ).all()
        return IndexChanges(until, added, [(row[0], row[1], row[2]) for row in removed])
