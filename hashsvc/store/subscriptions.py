"""Queries about the lists of others that a node follows, and what was refused of them."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from hashsvc.model_sync import Alarm, Selection, Subscription
from hashsvc.store import schema
from hashsvc.store.rows import put
from hashsvc.store.times import to_time, to_us

_MOST_ALARMS = 100


class SubscriptionTables:
    """The tables of subscriptions and alarms. Safe to use from many threads."""

    def __init__(self, engine: sa.Engine, writer: sa.Engine) -> None:
        self._engine = engine
        self._writer = writer

    def all(self) -> list[Subscription]:
        """Return all subscriptions, by list."""
        query = sa.select(schema.subscriptions).order_by(schema.subscriptions.c.list_name)
        with self._engine.begin() as connection:
            return [_subscription(row) for row in connection.execute(query)]

    def get(self, list_name: str) -> Subscription | None:
        """Return the subscription to a list."""
        one = schema.subscriptions
        query = sa.select(one).where(one.c.list_name == list_name)
        with self._engine.begin() as connection:
            row = connection.execute(query).first()
        return None if row is None else _subscription(row)

    def save(self, subscription: Subscription) -> None:
        """Add a subscription, or put it in the place of that to the same list; durably."""
        verified = subscription.verify_time
        values = {
            "source": subscription.source,
            "key": subscription.key,
            "selection": orjson.dumps(subscription.selection.to_document()).decode(),
            "create_time": to_us(subscription.create_time),
            "verify_time": None if verified is None else to_us(verified),
            "paused": subscription.is_paused,
        }
        with self._writer.begin() as connection:
            put(connection, schema.subscriptions, {"list_name": subscription.list_name}, values)

    def remove(self, list_name: str) -> None:
        """Drop a subscription; what was taken in stays. Durably."""
        one = schema.subscriptions
        with self._writer.begin() as connection:
            connection.execute(sa.delete(one).where(one.c.list_name == list_name))

    def add_alarm(self, alarm: Alarm) -> Alarm:
        """Keep what was refused, and return it with its id; the same again is not kept twice."""
        one = schema.alarms
        same = sa.and_(
            one.c.list_name == alarm.list_name,
            one.c.reason == alarm.reason,
            one.c.held == alarm.held,
            one.c.offered == alarm.offered,
            one.c.accept_time.is_(None),
        )
        values = {
            "list_name": alarm.list_name,
            "source": alarm.source,
            "reason": alarm.reason,
            "held": alarm.held,
            "offered": alarm.offered,
            "time": to_us(alarm.time),
            "accept_time": None,
        }
        with self._writer.begin() as connection:
            row = connection.execute(sa.select(one).where(same)).first()
            if row is not None:
                return _alarm(row)
            made = connection.execute(sa.insert(one).values(values)).inserted_primary_key
            assert made is not None
            return replace(alarm, id=made[0])

    def alarms(self, list_name: str = "", *, with_accepted: bool = False) -> list[Alarm]:
        """Return the newest alarms, of one list where it is named."""
        one = schema.alarms
        query = sa.select(one).order_by(one.c.id.desc()).limit(_MOST_ALARMS)
        if list_name:
            query = query.where(one.c.list_name == list_name)
        if not with_accepted:
            query = query.where(one.c.accept_time.is_(None))
        with self._engine.begin() as connection:
            return [_alarm(row) for row in connection.execute(query)]

    def accept_alarms(self, list_name: str, now: datetime) -> None:
        """Note that somebody has seen to the alarms of a list."""
        one = schema.alarms
        these = sa.and_(one.c.list_name == list_name, one.c.accept_time.is_(None))
        with self._writer.begin() as connection:
            connection.execute(sa.update(one).where(these).values(accept_time=to_us(now)))


def _subscription(row: Any) -> Subscription:
    return Subscription(
        list_name=row.list_name,
        source=row.source,
        key=row.key,
        selection=Selection.from_document(orjson.loads(row.selection)),
        create_time=to_time(row.create_time),
        verify_time=None if row.verify_time is None else to_time(row.verify_time),
        is_paused=bool(row.paused),
    )


def _alarm(row: Any) -> Alarm:
    return Alarm(
        id=row.id,
        list_name=row.list_name,
        source=row.source,
        reason=row.reason,
        held=bytes(row.held),
        offered=bytes(row.offered),
        time=to_time(row.time),
        accept_time=None if row.accept_time is None else to_time(row.accept_time),
    )
