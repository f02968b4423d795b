"""Opens a database: connection settings, and the schema brought to this version."""

import secrets
import sqlite3
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from hashsvc.errors import StoreError
from hashsvc.store import schema

_log = structlog.get_logger()

_BUSY_TIMEOUT_MS = 10_000
_DRAIN_TIMEOUT_MS = 1_000


def open_engine(url: str) -> sa.Engine:
    """Connect to the database at `url`, migrate it, and return the engine.

    Raises:
        StoreError: it cannot be reached, is not a hashsvc database, or is of a newer version.
    """
    engine = sa.create_engine(url)
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _set_up_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    try:
        with engine.execution_options(writer=True).begin() as connection:
            _migrate(connection)
            _ensure_node(connection)
    except sa.exc.DatabaseError as error:
        engine.dispose()
        where = engine.url.render_as_string(hide_password=True)
        raise StoreError(f"cannot use the database {where}: {error.orig}") from error
    except StoreError:
        engine.dispose()
        raise
    return engine


def drain_journal(engine: sa.Engine) -> None:
    """Empty SQLite's journal of pages as they were before; of other databases nothing is asked.

    It is told where somebody reads for so long that it cannot be done now; the next one then does.
    """
    if engine.dialect.name != "sqlite":
        return
    # Not in a transaction, which engine.begin() would begin.
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {_DRAIN_TIMEOUT_MS}")
        is_busy = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        cursor.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
        cursor.close()
        because = "somebody reads an older state for long" if is_busy else ""
    except sqlite3.Error as error:
        # The transaction before it has committed, and counts.
        because = str(error)
    finally:
        connection.close()
    if because:
        _log.warning("journal not drained", because=because)


def _set_up_sqlite(connection: Any, _record: object) -> None:
    # Transactions are begun by _begin_sqlite, not by the driver's guess.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    # FULL: a commit that returned survives a power cut, not only a crash of this process.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    # What is deleted is overwritten: entries may have to be erased for legal reasons.
    cursor.execute("PRAGMA secure_delete = ON")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    writer = connection.get_execution_options().get("writer", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")


def _migrate(connection: sa.Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in known:
        raise StoreError(
            f"the database has schema version {current}, which this hashsvc does not know: "
            "it was written by a newer one; upgrade hashsvc"
        )
    if current is None and sa.inspect(connection).get_table_names():
        raise StoreError("the database holds tables that are not hashsvc's; use an empty one")
    command.upgrade(config, "head")


def _ensure_node(connection: sa.Connection) -> None:
    if connection.execute(sa.select(schema.node.c.id)).first() is None:
        node = {"id": 1, "node_id": secrets.token_hex(4), "log_size": 0}
        connection.execute(sa.insert(schema.node).values(node))
