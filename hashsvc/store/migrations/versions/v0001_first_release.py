"""The first release."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    big_key = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "node",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("node_id", sa.String(16), nullable=False),
        sa.Column("log_size", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "lists",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(127), nullable=False, unique=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("active_entries", sa.BigInteger, nullable=False),
        sa.Column("create_time", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "records",
        sa.Column("position", big_key, primary_key=True),
        sa.Column("list_id", sa.Integer, sa.ForeignKey("lists.id"), nullable=False),
        sa.Column("list_position", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("entry_id", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("list_id", "list_position"),
    )
    op.create_table(
        "entries",
        sa.Column("id", big_key, primary_key=True),
        sa.Column("list_id", sa.Integer, sa.ForeignKey("lists.id"), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("media_type", sa.String(8), nullable=False),
        sa.Column("contributor", sa.String(63), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("fingerprint_count", sa.Integer, nullable=False),
        sa.Column("fingerprint_digest", sa.LargeBinary(32), nullable=False),
        sa.Column("create_time", sa.BigInteger, nullable=False),
        sa.Column("update_time", sa.BigInteger, nullable=False),
        sa.Column("withdraw_time", sa.BigInteger),
        sa.Column("withdraw_reason", sa.Text, nullable=False),
        sa.UniqueConstraint("list_id", "sequence"),
        sa.Index("entries_by_fingerprints", "list_id", "fingerprint_digest"),
    )
    op.create_table(
        "fingerprints",
        sa.Column("entry_id", sa.BigInteger, sa.ForeignKey("entries.id"), primary_key=True),
        sa.Column("ordinal", sa.Integer, primary_key=True),
        sa.Column("algorithm", sa.String(8), nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("quality", sa.SmallInteger),
        sa.Column("time_ms", sa.BigInteger),
        sa.Column("decoding", sa.String(8), nullable=False),
        sa.Column("variant", sa.String(64), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "requests",
        sa.Column("request_id", sa.String(128), primary_key=True),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("create_time", sa.BigInteger, nullable=False),
        sa.Index("requests_by_time", "create_time"),
    )
