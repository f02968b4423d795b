"""Queries about the audit log: its records, and the tiles of the Merkle tree over them."""

from collections.abc import Iterable

import sqlalchemy as sa

from hashsvc.store import schema
from hashsvc.store.rows import put


class AuditTables:
    """The tables of the audit log. Safe to use from many threads."""

    def __init__(self, engine: sa.Engine, writer: sa.Engine) -> None:
        self._engine = engine
        self._writer = writer

    def size(self) -> int:
        """Return how many records there are."""
        newest = sa.select(sa.func.max(schema.audit.c.position))
        with self._engine.begin() as connection:
            return int(connection.execute(newest).scalar_one() or 0)

    def records(self, after: int, limit: int) -> list[bytes]:
        """Return the bytes of up to `limit` records after a position, in order."""
        table = schema.audit
        query = sa.select(table.c.body).where(table.c.position > after)
        with self._engine.begin() as connection:
            rows = connection.execute(query.order_by(table.c.position).limit(limit))
            return [bytes(row.body) for row in rows]

    def read_tile(self, level: int, index: int) -> bytes | None:
        """Return the hashes of a tile of the tree, or nothing."""
        table = schema.audit_tiles
        query = sa.select(table.c.hashes).where(table.c.level == level, table.c.index == index)
        with self._engine.begin() as connection:
            row = connection.execute(query).first()
        return None if row is None else bytes(row.hashes)

    def append(self, position: int, body: bytes, tiles: Iterable[tuple[int, int, bytes]]) -> None:
        """Add the record at a position, and write the tiles (level, index, hashes) that change."""
        with self._writer.begin() as connection:
            values = {"position": position, "body": body}
            connection.execute(sa.insert(schema.audit).values(values))
            for level, index, hashes in tiles:
                key = {"level": level, "index": index}
                put(connection, schema.audit_tiles, key, {"hashes": hashes})
