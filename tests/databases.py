"""Makes the many databases of the tests cheap: SQLite, in this process.

The first is made by the migrations, as everywhere; those after it get its tables by the statements
that SQLite keeps of them. None waits for the disk, as PostgreSQL does not here either: what a
process that is killed leaves behind is the same, and no test pulls the plug. Servers in processes
of their own know nothing of this.
"""

from typing import Any

import sqlalchemy as sa

from hashsvc.store import migrate

_statements: list[str] = []
_migrate = migrate._migrate
_set_up_sqlite = migrate._set_up_sqlite


def make_cheap() -> None:
    """Do so from now on."""
    migrate._migrate = _migrate_by_copy
    migrate._set_up_sqlite = _set_up_without_waiting


def _migrate_by_copy(connection: sa.Connection) -> None:
    """Make the tables of an empty SQLite database; any other is migrated."""
    is_new = connection.dialect.name == "sqlite" and not sa.inspect(connection).get_table_names()
    if not (is_new and _statements):
        _migrate(connection)
    else:
        for statement in _statements:
            connection.exec_driver_sql(statement)
    if is_new and not _statements:
        kept = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
        _statements.extend(kept.scalars())
        version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
        _statements.append(f"INSERT INTO alembic_version VALUES ('{version}')")  # noqa: S608 (our own)


def _set_up_without_waiting(connection: Any, _record: object) -> None:
    _set_up_sqlite(connection, _record)
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous = OFF")
    cursor.close()
