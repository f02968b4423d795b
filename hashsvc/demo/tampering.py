"""What somebody does who has a node's disk in hand: changes a record behind the node's back."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from hashsvc.model import EntryAdded, Fingerprint
from hashsvc.store import records

# By hand, since the store has no way to rewrite a record.
_FIND = """
    SELECT position, body FROM records JOIN lists ON lists.id = records.list_id
    WHERE lists.name = ? AND records.list_position = ?
"""
_REWRITE = "UPDATE records SET body = ? WHERE position = ?"


def swap_fingerprints(
    database: Path, list_name: str, place: int, fingerprints: tuple[Fingerprint, ...]
) -> None:
    """Let a record of an entry hold other fingerprints; it stays well-formed, its salt the same.

    The node must be stopped, and the record be that of an entry.
    """
    with closing(sqlite3.connect(database)) as connection, connection:
        position, body = connection.execute(_FIND, (list_name, place)).fetchone()
        change = records.decode(body)
        assert isinstance(change, EntryAdded)
        forged = replace(change, draft=replace(change.draft, fingerprints=fingerprints))
        connection.execute(_REWRITE, (records.encode(forged), position))
