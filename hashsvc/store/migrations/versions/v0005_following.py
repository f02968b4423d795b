"""What following the lists of others needs: keys in force, records ahead of their turn, opinions,
distrust, incidents, subscriptions and alarms.

The keys of lists from before are filled in when the node starts, by who has them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def _list_id() -> sa.Column[int]:
    return sa.Column("list_id", sa.Integer, sa.ForeignKey("lists.id"), primary_key=True)


def upgrade() -> None:
    op.add_column("lists", sa.Column("key", sa.Text, nullable=False, server_default=""))
    zero = sa.text("0")
    arrive = sa.Column("arrive_time", sa.BigInteger, nullable=False, server_default=zero)
    op.add_column("entries", arrive)
    op.execute("UPDATE entries SET arrive_time = create_time")
    op.add_column("records", sa.Column("about", sa.BigInteger))
    op.execute(
        "UPDATE records SET about = (SELECT sequence FROM entries WHERE entries.id = "
        "records.entry_id) WHERE kind IN ('amended', 'withdrawn')"
    )
    where = sa.text("about IS NOT NULL")
    op.create_index(
        "records_about",
        "records",
        ["list_id", "about"],
        sqlite_where=where,
        postgresql_where=where,
    )
    op.create_table("urgent", _list_id(), sa.Column("place", sa.BigInteger, primary_key=True))
    op.create_table(
        "rotations",
        _list_id(),
        sa.Column("place", sa.BigInteger, primary_key=True),
        sa.Column("statement", sa.Text, nullable=False),
    )
    op.create_table(
        "opinions",
        _list_id(),
        sa.Column("entry", sa.String(150), primary_key=True),
        sa.Column("place", sa.BigInteger, nullable=False),
        sa.Column("opinion", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
    )
    op.create_index("opinions_by_entry", "opinions", ["entry"])
    op.create_table(
        "distrusts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("list_id", sa.Integer, sa.ForeignKey("lists.id"), nullable=False),
        sa.Column("place", sa.BigInteger),
        sa.Column("contributor", sa.String(63), nullable=False),
        sa.Column("since_sequence", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("create_time", sa.BigInteger, nullable=False),
        sa.Column("undo_time", sa.BigInteger),
    )
    op.create_index("distrusts_by_list", "distrusts", ["list_id"])
    op.create_table(
        "incidents",
        _list_id(),
        sa.Column("incident", sa.String(128), primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("open_time", sa.BigInteger, nullable=False),
        sa.Column("conclude_time", sa.BigInteger),
    )
    op.create_table(
        "promises",
        _list_id(),
        sa.Column("size", sa.BigInteger, primary_key=True),
        sa.Column("note", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "ahead",
        _list_id(),
        sa.Column("place", sa.BigInteger, primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("proof", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "witnessed",
        _list_id(),
        sa.Column("witness", sa.String(255), primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("note", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "subscriptions",
        sa.Column("list_name", sa.String(127), primary_key=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("selection", sa.Text, nullable=False),
        sa.Column("create_time", sa.BigInteger, nullable=False),
        sa.Column("verify_time", sa.BigInteger),
        sa.Column("paused", sa.Boolean, nullable=False),
    )
    op.create_table(
        "alarms",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("list_name", sa.String(127), nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("held", sa.LargeBinary, nullable=False),
        sa.Column("offered", sa.LargeBinary, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("accept_time", sa.BigInteger),
    )
    op.create_index("alarms_by_list", "alarms", ["list_name"])
