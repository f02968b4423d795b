"""The audit log."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "audit_tiles",
        sa.Column("level", sa.Integer, primary_key=True),
        sa.Column("index", sa.BigInteger, primary_key=True),
        sa.Column("hashes", sa.LargeBinary, nullable=False),
    )
