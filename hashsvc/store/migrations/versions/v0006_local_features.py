"""Which lists take local features."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column(
        "lists",
        sa.Column("local_features", sa.Boolean, nullable=False, server_default=sa.false()),
    )
