"""What the modules of queries share."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa


def put(
    connection: sa.Connection, table: sa.Table, key: Mapping[str, Any], values: Mapping[str, Any]
) -> None:
    """Add a row, or put its values in the place of those of the row with that key."""
    this = sa.and_(*(table.c[name] == value for name, value in key.items()))
    changed = connection.execute(sa.update(table).where(this).values(**values))
    if not changed.rowcount:
        connection.execute(sa.insert(table).values(**key, **values))
