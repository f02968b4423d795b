"""Lists' signed logs: salts, trees, checkpoints; what a list is in its log; canaries.

What older versions wrote gets its salts here. Its trees and checkpoints are made when the node
starts, by who has the keys.
"""

import json
import os
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_SALT_BYTES = 16
_ROWS = 10_000


def upgrade() -> None:
    op.create_table(
        "tiles",
        sa.Column("list_id", sa.Integer, sa.ForeignKey("lists.id"), primary_key=True),
        sa.Column("level", sa.Integer, primary_key=True),
        sa.Column("index", sa.BigInteger, primary_key=True),
        sa.Column("hashes", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "checkpoints",
        sa.Column("list_id", sa.Integer, sa.ForeignKey("lists.id"), primary_key=True),
        sa.Column("size", sa.BigInteger, primary_key=True),
        sa.Column("note", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "canaries",
        sa.Column("entry_id", sa.BigInteger, sa.ForeignKey("entries.id"), primary_key=True),
        sa.Column("partner", sa.String(63), nullable=False),
    )
    for column in (
        sa.Column("readers", sa.Text, nullable=False, server_default='["*"]'),
        sa.Column("names_contributors", sa.Boolean, nullable=False, server_default=sa.false()),
    ):
        op.add_column("lists", column)
    with op.batch_alter_table("records") as records:
        records.add_column(sa.Column("salt", sa.LargeBinary(_SALT_BYTES)))
        records.alter_column("entry_id", existing_type=sa.BigInteger, nullable=True)
    _give_salts(op.get_bind())
    with op.batch_alter_table("records") as records:
        records.alter_column("salt", existing_type=sa.LargeBinary(_SALT_BYTES), nullable=False)
    _describe_lists(op.get_bind())


def _give_salts(connection: sa.Connection) -> None:
    records = sa.table("records", sa.column("position"), sa.column("salt", sa.LargeBinary))
    change = (
        sa.update(records)
        .where(records.c.position == sa.bindparam("at"))
        .values(salt=sa.bindparam("new"))
    )
    newest = connection.execute(sa.select(sa.func.max(records.c.position))).scalar_one() or 0
    for start in range(1, newest + 1, _ROWS):
        rows = range(start, min(start + _ROWS, newest + 1))
        connection.execute(change, [{"at": at, "new": os.urandom(_SALT_BYTES)} for at in rows])


def _describe_lists(connection: sa.Connection) -> None:
    """Put the record that each log begins with, at place 0, which was free."""
    lists = sa.text("SELECT id, kind, purpose, create_time FROM lists ORDER BY id")
    record = sa.text(
        "INSERT INTO records (position, list_id, list_position, kind, entry_id, body, salt) "
        "VALUES (:position, :list_id, 0, 'described', NULL, :body, :salt)"
    )
    size = connection.execute(sa.text("SELECT log_size FROM node")).scalar() or 0
    for row in connection.execute(lists).all():
        size += 1
        values = {
            "position": size,
            "list_id": row.id,
            "body": _described(row.kind, row.purpose, row.create_time),
            "salt": os.urandom(_SALT_BYTES),
        }
        connection.execute(record, values)
    connection.execute(sa.text("UPDATE lists SET size = size + 1"))
    connection.execute(sa.text("UPDATE node SET log_size = :size"), {"size": size})


def _described(kind: str, purpose: str, create_time_us: int) -> bytes:
    seconds, us = divmod(create_time_us, 1_000_000)
    time = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    document = {
        "kind": "described",
        "list_kind": kind,
        "names_contributors": False,
        "purpose": purpose,
        "readers": ["*"],
        "time": f"{time}.{us:06}Z",
        "v": 1,
    }
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
