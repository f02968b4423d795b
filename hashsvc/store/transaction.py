"""The write transaction: appends records to lists' logs, and brings the tables along."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from hashsvc.model import Change, Entry, HashList, Incident, ListDescribed, Opinion
from hashsvc.store import entries, opinions, schema
from hashsvc.store.distrusts import DistrustRows, is_distrusted
from hashsvc.store.projection import Projection, Record, described_columns
from hashsvc.store.rows import insert, put
from hashsvc.store.times import to_us

CHECKPOINT_STEP = 1_000
"""Checkpoints are dropped as long as those that stay are at most so many records apart."""

_RANDOM = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Growth:
    """What a list's tree becomes: its size, tiles (level, index, hashes) to write, the checkpoint.

    `key` is the public key that signed it, as one word.
    """

    size: int
    tiles: Iterable[tuple[int, int, bytes]]
    note: bytes
    key: str


class WriteTransaction:
    """Reads and writes inside one transaction that holds the log's lock.

    `changes_trust` says whether it has changed what is distrusted, `erases` whether it has erased
    anything.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        # On PostgreSQL this row lock is what makes positions follow the order of commits.
        query = sa.select(schema.node.c.log_size).with_for_update()
        self._log_size: int = connection.execute(query).scalar_one()
        self.distrusts = DistrustRows(connection)
        self.changes_trust = self.erases = False

    @property
    def log_size(self) -> int:
        """Position of the newest record, this transaction's included."""
        return self._log_size

    def find_answer(self, request_id: str) -> tuple[bytes, Any] | None:
        """Return the content digest and answer of an earlier request of that id."""
        query = sa.select(schema.requests).where(schema.requests.c.request_id == request_id)
        row = self._connection.execute(query).first()
        return None if row is None else (row.digest, orjson.loads(row.answer))

    def save_answer(self, request_id: str, digest: bytes, answer: Any, now: datetime) -> None:
        """Keep the answer to a request, for when it is repeated."""
        values = {
            "request_id": request_id,
            "digest": digest,
            "answer": orjson.dumps(answer).decode(),
            "create_time": to_us(now),
        }
        self._connection.execute(sa.insert(schema.requests).values(values))

    def forget_answers(self, before: datetime) -> None:
        """Drop the answers to requests made before a time."""
        old = schema.requests.c.create_time < to_us(before)
        self._connection.execute(sa.delete(schema.requests).where(old))

    def forget_content(self, list_name: str, sequence: int) -> None:
        """Drop what the digests of requests tell of an entry to who guesses it.

        These requests give no answer any more when they are repeated.
        """
        one = schema.requests
        entry = orjson.dumps(f"{list_name}#{sequence}").decode()
        is_about = sa.or_(
            one.c.answer.contains(f'"list":{orjson.dumps(list_name).decode()}'),
            one.c.answer.contains(f'"entry":{entry}'),
        )
        query = sa.select(one.c.request_id, one.c.answer).where(is_about)
        for row in self._connection.execute(query).all():
            answer = orjson.loads(row.answer)
            if "entry" in answer or any(added[0] == sequence for added in answer["entries"]):
                this = one.c.request_id == row.request_id
                self._connection.execute(sa.update(one).where(this).values(digest=b""))

    def count_lists(self) -> int:
        """Return how many lists there are."""
        count = sa.select(sa.func.count()).select_from(schema.lists)
        return int(self._connection.execute(count).scalar_one())

    def get_list(self, name: str) -> HashList | None:
        """Return the list of that name."""
        row = entries.list_row(self._connection, name)
        return None if row is None else entries.to_list(row)

    def get_entry(self, list_name: str, sequence: int, viewer: str | None) -> Entry | None:
        """Return one entry with its fingerprints, if there is one that the viewer sees."""
        return entries.get_entry(self._connection, list_name, sequence, viewer)

    def get_opinion(self, feedback_list: str, entry: str) -> Opinion | None:
        """Return what the owner of a feedback list holds of an entry now."""
        return opinions.latest(self._connection, feedback_list, entry)

    def get_incident(self, list_name: str, incident: str) -> Incident | None:
        """Return an incident of a list."""
        return entries.get_incident(self._connection, list_name, incident)

    def find_active(self, list_name: str, digests: Sequence[bytes]) -> dict[bytes, int]:
        """Return the sequences of the list's entries that match, with those fingerprint digests."""
        entry = schema.entries
        query = (
            sa.select(entry.c.fingerprint_digest, entry.c.sequence)
            .join(schema.lists, schema.lists.c.id == entry.c.list_id)
            .where(schema.lists.c.name == list_name, entry.c.withdraw_time.is_(None))
            .where(entry.c.fingerprint_digest.in_(digests), ~is_distrusted())
        )
        return {bytes(row[0]): row[1] for row in self._connection.execute(query)}

    def distrust(
        self, list_name: str, contributor: str, since_sequence: int, reason: str, now: datetime
    ) -> None:
        """Keep this node's own decision that what somebody added to a list does not match."""
        self.changes_trust = True
        values = {
            "list_id": entries.list_row(self._connection, list_name).id,
            "place": None,
            "contributor": contributor,
            "since_sequence": since_sequence,
            "reason": reason,
            "create_time": to_us(now),
            "undo_time": None,
        }
        self._connection.execute(sa.insert(schema.distrusts).values(values))

    def restore_trust(self, distrust_id: int, now: datetime) -> None:
        """Undo a decision of this node's own."""
        self.changes_trust = True
        this = schema.distrusts.c.id == distrust_id
        undo = {"undo_time": to_us(now)}
        self._connection.execute(sa.update(schema.distrusts).where(this).values(undo))

    def read_tile(self, list_name: str, level: int, index: int) -> bytes | None:
        """Return the hashes of a tile of a list's tree, or nothing."""
        return entries.read_tile(self._connection, list_name, level, index)

    def append(
        self, list_name: str, log: Sequence[Record], growth: Growth | None, now: datetime
    ) -> None:
        """Add records to a list, at the places that they name, and bring the tables along.

        The first record of a list describes it, which is what makes the list. Without a growth the
        records are ahead of their turn: the tree stays as it is.
        """
        row = entries.list_row(self._connection, list_name)
        if row is None:
            self._create_list(list_name, log[0].change if log else None)
            row = entries.list_row(self._connection, list_name)
        projection = Projection(self._connection, row, self._log_size, now)
        for record in log:
            projection.add(record)
        projection.finish()
        self.changes_trust |= projection.changes_trust
        self.erases |= projection.erases
        self._log_size += len(log)
        self._connection.execute(sa.update(schema.node).values(log_size=self._log_size))
        active = {"active_entries": schema.lists.c.active_entries + projection.active_change}
        list_id = schema.lists.c.id == row.id
        self._connection.execute(sa.update(schema.lists).where(list_id).values(active))
        if growth is not None:
            self._grow(row.id, growth)

    def sign(self, list_name: str, growth: Growth) -> None:
        """Write the tree and the checkpoint of a list whose records are there already."""
        self._grow(entries.list_row(self._connection, list_name).id, growth)

    def note_verified(self, list_name: str, now: datetime) -> None:
        """Keep when a list that is followed was last verified."""
        one = schema.subscriptions
        this = sa.update(one).where(one.c.list_name == list_name)
        self._connection.execute(this.values(verify_time=to_us(now)))

    def keep_ahead(
        self, list_name: str, place: int, checkpoint: tuple[int, bytes], proof: bytes
    ) -> None:
        """Keep what proves a record that came ahead: a checkpoint with its size, and hashes."""
        size, note = checkpoint
        key = {"list_id": entries.list_row(self._connection, list_name).id}
        put(self._connection, schema.promises, key | {"size": size}, {"note": note})
        values = {"size": size, "proof": proof}
        put(self._connection, schema.ahead, key | {"place": place}, values)

    def keep_rotations(self, list_name: str, rotations: Iterable[tuple[int, str]]) -> None:
        """Keep statements by which a list's key was replaced, before the log tells of them."""
        list_id = entries.list_row(self._connection, list_name).id
        for place, statement in rotations:
            key = {"list_id": list_id, "place": place}
            put(self._connection, schema.rotations, key, {"statement": statement})

    def pass_ahead(self, list_name: str, size: int) -> None:
        """Drop that for records and checkpoints which the tree has reached."""
        list_id = entries.list_row(self._connection, list_name).id
        for table, at in (
            (schema.ahead, schema.ahead.c.place < size),
            (schema.promises, schema.promises.c.size <= size),
        ):
            these = sa.and_(table.c.list_id == list_id, at)
            self._connection.execute(sa.delete(table).where(these))

    def held_places(self, list_name: str, start: int, end: int) -> set[int]:
        """Return the places from `start` up to `end` of which the list's records are held."""
        log = schema.records
        query = (
            sa.select(log.c.list_position)
            .join(schema.lists, schema.lists.c.id == log.c.list_id)
            .where(schema.lists.c.name == list_name)
            .where(log.c.list_position >= start, log.c.list_position < end)
        )
        return set(self._connection.execute(query).scalars())

    def sample_entries(self, list_name: str, count: int) -> list[Entry]:
        """Return so many active entries of a list, drawn at random, that are no canaries.

        One may come several times; there are none if the list has none.
        """
        entry = schema.entries
        query = (
            entries.seen_by(entries.entry_query(), "")
            .where(schema.lists.c.name == list_name, entry.c.withdraw_time.is_(None))
            .order_by(entry.c.sequence)
        )
        # Ids alone first: a list may be large.
        ids = list(self._connection.execute(query.with_only_columns(entry.c.id)).scalars())
        found = []
        for entry_id in (_RANDOM.choice(ids) for _ in range(count if ids else 0)):
            row = self._connection.execute(query.where(entry.c.id == entry_id)).one()
            values = entries.get_fingerprints(self._connection, [entry_id], with_values=True)
            found.append(entries.to_entry(row, values, None))
        return found

    def mark_canaries(self, list_name: str, sequences: Sequence[int], partner: str) -> None:
        """Let no other partner see some entries."""
        entry = schema.entries
        query = (
            sa.select(entry.c.id)
            .join(schema.lists, schema.lists.c.id == entry.c.list_id)
            .where(schema.lists.c.name == list_name, entry.c.sequence.in_(sequences))
        )
        rows = [{"entry_id": i, "partner": partner} for i in self._connection.scalars(query)]
        insert(self._connection, schema.canaries, rows)

    def _create_list(self, name: str, first: Change | None) -> None:
        if not isinstance(first, ListDescribed):
            raise ValueError(f"no list {name!r}")
        values = {
            "name": name,
            "kind": first.kind.value,
            "size": 0,
            "active_entries": 0,
            "create_time": to_us(first.time),
            "key": "",
            **described_columns(first),
        }
        self._connection.execute(sa.insert(schema.lists).values(values))

    def _grow(self, list_id: int, growth: Growth) -> None:
        for level, index, hashes in growth.tiles:
            key = {"list_id": list_id, "level": level, "index": index}
            put(self._connection, schema.tiles, key, {"hashes": hashes})
        point = schema.checkpoints
        mine = point.c.list_id == list_id
        newest = sa.select(point.c.size).where(mine).order_by(point.c.size.desc()).limit(2)
        sizes = [row.size for row in self._connection.execute(newest)]
        if len(sizes) == 2 and growth.size - sizes[1] <= CHECKPOINT_STEP:
            self._connection.execute(sa.delete(point).where(mine, point.c.size == sizes[0]))
        key = {"list_id": list_id, "size": growth.size}
        put(self._connection, point, key, {"note": growth.note})
        values = {"size": growth.size, "key": growth.key}
        this = schema.lists.c.id == list_id
        self._connection.execute(sa.update(schema.lists).where(this).values(values))
