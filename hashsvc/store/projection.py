"""The fold: what records of a list's log become in the tables.

A record may come before those that stand before it in the log, when it is urgent. So the tables are
made to depend on which records are held, and never on the order in which they came: what is said of
an entry is what the latest held record about it says, whether its own is there already or not.

A list holds entries or, named `partner/feedback` and of that kind, its owner's opinions: a record
of the one in a list of the other is kept and means nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from hashsvc.model import (
    Change,
    ContributorDistrusted,
    EntryAdded,
    EntryAmended,
    EntryErased,
    EntryWithdrawn,
    IncidentConcluded,
    IncidentOpened,
    KeyRotated,
    ListDescribed,
    ListKind,
    OpinionGiven,
    TrustRestored,
    is_feedback,
)
from hashsvc.store import records, schema
from hashsvc.store.rows import insert, put
from hashsvc.store.times import to_us

KINDS: dict[type[Change] | None, str] = {
    EntryAdded: "added",
    EntryAmended: "amended",
    EntryWithdrawn: "withdrawn",
    EntryErased: "erased",
    ListDescribed: "described",
    KeyRotated: "rekeyed",
    OpinionGiven: "opinion",
    ContributorDistrusted: "distrusted",
    TrustRestored: "trusted",
    IncidentOpened: "incident",
    IncidentConcluded: "concluded",
    None: "unknown",
}
"""How the table of records names the kinds of records."""

ENDS = (KINDS[EntryWithdrawn], KINDS[EntryErased])
"""The kinds of records after which an entry does not match."""

_GONE = b""


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a list's log: its place, what it says, its bytes, and the salt (16 bytes).

    `change` is None for what this version does not understand, which is kept all the same.
    `is_urgent` says that it is to go ahead of others also where this node cannot tell.
    """

    place: int
    change: Change | None
    body: bytes
    salt: bytes
    is_urgent: bool = False


class Projection:
    """The rows that some records of one list become; `add` them all, then `finish`."""

    def __init__(
        self, connection: sa.Connection, list_row: Any, log_size: int, now: datetime
    ) -> None:
        self._connection = connection
        self._list_id: int = list_row.id
        self._holds_entries = list_row.kind != ListKind.FEEDBACK.value
        self._holds_opinions = is_feedback(list_row.name) and not self._holds_entries
        self._position = log_size
        self._now = to_us(now)
        self._records: list[dict[str, Any]] = []
        self._entries: list[dict[str, Any]] = []
        self._fingerprints: list[dict[str, Any]] = []
        self._touched: dict[int, None] = {}
        self._urgent: set[int] = set()
        self._open: dict[str, bool] = {}
        self.active_change = 0
        self.changes_trust = self.erases = False

    def add(self, record: Record) -> None:
        """Take one record in."""
        self._position += 1
        entry_id: int | None = None
        about: int | None = None
        change = record.change
        match change:
            case EntryAdded() if self._holds_entries:
                entry_id = self._position
                self._add_entry(record.place, change)
                if self._is_open(change.draft.description.incident):
                    self._urgent.add(record.place)
            case EntryAmended() | EntryWithdrawn() | EntryErased():
                about = change.sequence
                self._touched[about] = None
            case None | EntryAdded():
                pass
            case _:
                self._note(record.place, change)
        if record.is_urgent:
            self._urgent.add(record.place)
        self._records.append(
            {
                "position": self._position,
                "list_id": self._list_id,
                "list_position": record.place,
                "kind": KINDS[None if change is None else type(change)],
                "entry_id": entry_id,
                "body": record.body,
                "salt": record.salt,
                "about": about,
            }
        )

    def finish(self) -> None:
        """Write the rows that `add` gathered, and bring along the entries that they are about."""
        added = [row["sequence"] for row in self._entries]
        self._touched |= dict.fromkeys(self._spoken_of(added))
        insert(self._connection, schema.records, self._records)
        insert(self._connection, schema.entries, self._entries)
        insert(self._connection, schema.fingerprints, self._fingerprints)
        self.active_change += len(added)
        for sequence in self._touched:
            self._fold(sequence)
        rows = [{"list_id": self._list_id, "place": place} for place in sorted(self._urgent)]
        insert(self._connection, schema.urgent, rows)

    def _add_entry(self, place: int, change: EntryAdded) -> None:
        draft = change.draft
        time = to_us(change.time)
        self._entries.append(
            {
                "id": self._position,
                "list_id": self._list_id,
                "sequence": place,
                "media_type": draft.media_type.value,
                "contributor": change.contributor,
                "description": records.encode_description(draft.description),
                "fingerprint_count": len(draft.fingerprints),
                "fingerprint_digest": records.fingerprint_digest(draft),
                "create_time": time,
                "update_time": time,
                "withdraw_time": None,
                "withdraw_reason": "",
                "arrive_time": self._now,
            }
        )
        self._fingerprints += [
            {
                "entry_id": self._position,
                "ordinal": ordinal,
                "algorithm": fingerprint.algorithm.value,
                "value": fingerprint.value,
                "quality": fingerprint.quality,
                "time_ms": fingerprint.time_ms,
                "decoding": fingerprint.decoding.value,
                "variant": fingerprint.variant,
            }
            for ordinal, fingerprint in enumerate(draft.fingerprints)
        ]

    def _note(self, place: int, change: Change) -> None:
        """Keep what a record says that is about no entry."""
        list_id = {"list_id": self._list_id}
        match change:
            case ListDescribed() if self._later(place, ListDescribed):
                pass
            case ListDescribed():
                this = schema.lists.c.id == self._list_id
                query = sa.update(schema.lists).where(this).values(described_columns(change))
                self._connection.execute(query)
            case KeyRotated(statement=statement):
                at = list_id | {"place": place}
                put(self._connection, schema.rotations, at, {"statement": statement})
            case OpinionGiven() if self._holds_opinions:
                self._note_opinion(place, change)
            case ContributorDistrusted():
                self._urgent.add(place)
                self._note_distrust(place, change)
            case TrustRestored(place=undone):
                self._urgent.add(place)
                self.changes_trust = True
                one = schema.distrusts
                this = sa.and_(one.c.list_id == self._list_id, one.c.place == undone)
                undo = {"undo_time": to_us(change.time)}
                self._connection.execute(sa.update(one).where(this).values(undo))
            case IncidentOpened():
                self._urgent.add(place)
                self._note_opened(place, change)
            case IncidentConcluded():
                self._note_concluded(place, change)

    def _later(self, place: int, *kinds: type[Change]) -> list[Change]:
        """Return the records of some kinds behind a place that came before it, in order."""
        log = schema.records
        # Nearly always none: what comes in order is the last.
        query = sa.select(log.c.body).where(
            log.c.list_id == self._list_id,
            log.c.list_position > place,
            log.c.kind.in_([KINDS[kind] for kind in kinds]),
        )
        rows = self._connection.execute(query.order_by(log.c.list_position))
        return [records.decode(body) for body in rows.scalars()]

    def _note_opened(self, place: int, change: IncidentOpened) -> None:
        later = self._later_of(place, change.incident)
        if any(isinstance(one, IncidentOpened) for one in later):
            return
        concluded = to_us(later[-1].time) if later else None
        values = {
            "title": change.title,
            "open_time": to_us(change.time),
            "conclude_time": concluded,
        }
        self._open[change.incident] = concluded is None
        key = {"list_id": self._list_id, "incident": change.incident}
        put(self._connection, schema.incidents, key, values)

    def _note_concluded(self, place: int, change: IncidentConcluded) -> None:
        if self._later_of(place, change.incident):
            return
        self._open[change.incident] = False
        one = schema.incidents
        this = sa.and_(one.c.list_id == self._list_id, one.c.incident == change.incident)
        end = {"conclude_time": to_us(change.time)}
        self._connection.execute(sa.update(one).where(this).values(end))

    def _later_of(self, place: int, incident: str) -> list[IncidentOpened | IncidentConcluded]:
        return [
            one
            for one in self._later(place, IncidentOpened, IncidentConcluded)
            if isinstance(one, IncidentOpened | IncidentConcluded) and one.incident == incident
        ]

    def _note_distrust(self, place: int, change: ContributorDistrusted) -> None:
        self.changes_trust = True
        values = {
            "list_id": self._list_id,
            "place": place,
            "contributor": change.contributor,
            "since_sequence": change.since_sequence,
            "reason": change.reason,
            "create_time": to_us(change.time),
            "undo_time": self._undone_at(place),
        }
        self._connection.execute(sa.insert(schema.distrusts).values(values))

    def _undone_at(self, place: int) -> int | None:
        """Return when the distrust at a place was undone, by a record that came before it."""
        for change in self._later(place, TrustRestored):
            if isinstance(change, TrustRestored) and change.place == place:
                return to_us(change.time)
        return None

    def _note_opinion(self, place: int, change: OpinionGiven) -> None:
        one = schema.opinions
        this = sa.and_(one.c.list_id == self._list_id, one.c.entry == change.entry)
        before = self._connection.execute(sa.select(one.c.place).where(this)).scalar()
        if before is not None and before > place:
            return
        values = {
            "place": place,
            "opinion": change.opinion.value,
            "reason": change.reason,
            "time": to_us(change.time),
        }
        key = {"list_id": self._list_id, "entry": change.entry}
        put(self._connection, one, key, values)

    def _is_open(self, incident: str) -> bool:
        """Tell whether an incident goes on; one that nobody opened does."""
        if not incident:
            return False
        known = self._open.get(incident)
        if known is None:
            one = schema.incidents
            query = sa.select(one.c.conclude_time).where(
                one.c.list_id == self._list_id, one.c.incident == incident
            )
            known = self._connection.execute(query).scalar() is None
            self._open[incident] = known
        return known

    def _spoken_of(self, sequences: Iterable[int]) -> list[int]:
        """Return those of some new entries that records are about which came before them."""
        log = schema.records
        least = min(sequences, default=None)
        if least is None:
            return []
        # Nearly always empty, and one look at an index.
        query = sa.select(log.c.about).where(log.c.list_id == self._list_id, log.c.about >= least)
        return sorted(set(self._connection.execute(query).scalars()).intersection(sequences))

    def _fold(self, sequence: int) -> None:
        """Make an entry what the records about it say, if its own record is held."""
        entry, log = schema.entries, schema.records
        this = sa.and_(entry.c.list_id == self._list_id, entry.c.sequence == sequence)
        row = self._connection.execute(sa.select(entry).where(this)).first()
        if row is None:
            return
        about = sa.and_(log.c.list_id == self._list_id, log.c.about == sequence)
        of_entry = sa.update(log).where(about, log.c.entry_id.is_(None))
        self._connection.execute(of_entry.values(entry_id=row.id))
        query = sa.select(log.c.list_position, log.c.kind, log.c.body).where(about)
        # Sorted here: asked for an order, SQLite walks the whole list by its places.
        said = sorted(self._connection.execute(query), key=lambda one: one.list_position)
        values: dict[str, Any] = {}
        incidents = {records.decode_description(row.description).incident}
        is_erased = False
        for one in said:
            if one.body == _GONE:
                continue
            change = records.decode(one.body)
            values["update_time"] = to_us(change.time)
            if isinstance(change, EntryAmended):
                incidents.add(change.description.incident)
                values["description"] = records.encode_description(change.description)
            elif isinstance(change, EntryWithdrawn | EntryErased):
                is_erased |= isinstance(change, EntryErased)
                values.setdefault("withdraw_time", to_us(change.time))
                values.setdefault("withdraw_reason", change.reason)
        if row.withdraw_time is None and "withdraw_time" in values:
            self.active_change -= 1
        if any(map(self._is_open, incidents)):
            held = {one["list_position"] for one in self._records}
            self._urgent |= {one.list_position for one in said} & held
        if values:
            self._connection.execute(sa.update(entry).where(this).values(values))
        if is_erased:
            self._erase(row.id, sequence)

    def _erase(self, entry_id: int, sequence: int) -> None:
        """Drop the bytes of an entry, and what amendments said of it."""
        self.erases = True
        log, entry, print_ = schema.records, schema.entries, schema.fingerprints
        theirs = sa.and_(
            log.c.list_id == self._list_id,
            sa.or_(
                log.c.list_position == sequence,
                sa.and_(log.c.about == sequence, log.c.kind == KINDS[EntryAmended]),
            ),
        )
        gone = sa.update(log).where(theirs).values(body=_GONE, salt=_GONE)
        self._connection.execute(gone)
        self._connection.execute(sa.delete(print_).where(print_.c.entry_id == entry_id))
        nothing = {"description": "{}", "fingerprint_digest": _GONE}
        self._connection.execute(sa.update(entry).where(entry.c.id == entry_id).values(nothing))


def described_columns(change: ListDescribed) -> dict[str, Any]:
    """Return the columns of a list that a description sets; its kind is for good."""
    return {
        "purpose": change.purpose,
        "readers": orjson.dumps(list(change.readers)).decode(),
        "names_contributors": change.names_contributors,
        "local_features": change.local_features,
    }
