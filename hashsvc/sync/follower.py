"""The loop that follows one list: reach its source, verify and apply what comes, and so on.

What goes wrong with the source (it is away, cut off, behind) is tried again soon. What does not
verify is an alarm: it is kept as evidence, told, and tried again late; matching goes on with what
was good before.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from hashsvc.config import Following
from hashsvc.errors import HashsvcError, LogBehind, LogRefused
from hashsvc.lists.replica import Progress, Replica
from hashsvc.model_sync import (
    Alarm,
    FollowState,
    FollowStatus,
    Heartbeat,
    Started,
    Subscription,
    Wanted,
)
from hashsvc.store.subscriptions import SubscriptionTables
from hashsvc.sync.source import Source, SourceLost

_log = structlog.get_logger()

Write = Callable[..., Awaitable[Any]]
"""Runs a function with arguments where blocking work belongs, in turn with all other changes."""


@dataclass(slots=True)
class _State:
    """What is known while following; told by `Follower.status`."""

    state: FollowState = FollowState.CONNECTING
    size: int = 0
    head_size: int = 0
    detail: str = ""


class Follower:
    """Follows one list. Used on one event loop.

    `refused` is called with each alarm; `open_replica` opens the copy as it is on the disk.
    """

    def __init__(
        self,
        subscription: Subscription,
        source: Source,
        open_replica: Callable[[], Replica],
        tables: SubscriptionTables,
        *,
        following: Following,
        write: Write,
        now: Callable[[], datetime],
        refused: Callable[[Alarm], object] = lambda _: None,
    ) -> None:
        self._subscription = subscription
        self._source = source
        self._open_replica = open_replica
        self._tables = tables
        self._following = following
        self._write = write
        self._now = now
        self._refused = refused
        self._state = _State()
        self._tries = 0
        self._soon = asyncio.Event()

    @property
    def status(self) -> FollowStatus:
        """How it stands, without what the store alone knows."""
        one = self._state
        return FollowStatus(
            self._subscription, one.state, one.size, one.head_size, detail=one.detail
        )

    def try_now(self) -> None:
        """Do not wait any longer before the next try."""
        self._tries = 0
        self._soon.set()

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            self._soon.clear()
            wait_s = await self._try()
            try:
                async with asyncio.timeout(wait_s):
                    await self._soon.wait()
            except TimeoutError:
                pass

    async def _try(self) -> float:
        """Follow until something goes wrong; return how long to wait then, in seconds."""
        try:
            replica = await self._write(self._open_replica)
            self._state.size = replica.size
            self._set(FollowState.CONNECTING, "")
            try:
                await self._follow(replica)
            except LogRefused as error:
                await self._raise_alarm(replica, error)
                return self._following.retry_refused_s
            self._set(FollowState.WAITING, "the source ended the stream")
        except (SourceLost, LogBehind) as error:
            self._set(FollowState.WAITING, str(error))
        except HashsvcError as error:
            _log.error("following stopped", list=self._subscription.list_name, because=str(error))
            self._set(FollowState.WAITING, str(error))
        except Exception as error:
            # The list of one partner must not end those of others.
            _log.error("following failed", list=self._subscription.list_name, exc_info=error)
            self._set(FollowState.WAITING, "a fault of this node; see its log")
        return self._backoff_s()

    async def _follow(self, replica: Replica) -> None:
        one = self._subscription
        wanted = Wanted(one.list_name, replica.size, one.selection)
        async with aclosing(self._source.follow(wanted)) as messages:
            async for message in messages:
                if not isinstance(message, Heartbeat):
                    progress = await self._write(replica.receive, message)
                else:
                    progress = replica.receive(message)
                self._tell(progress)
                if isinstance(message, Started):
                    self._tries = 0

    def _tell(self, progress: Progress) -> None:
        one = self._state
        one.size, one.head_size = progress.size, progress.head_size
        is_live = progress.size >= progress.head_size
        self._set(FollowState.LIVE if is_live else FollowState.CATCHING_UP, "")

    def _set(self, state: FollowState, detail: str) -> None:
        if state is not self._state.state:
            _log.info("following", list=self._subscription.list_name, state=state.value)
        self._state.state, self._state.detail = state, detail

    async def _raise_alarm(self, replica: Replica, error: LogRefused) -> None:
        one = self._subscription
        alarm = alarm_of(one, replica, error, self._now())
        _log.error("list refused", list=one.list_name, source=one.source, because=str(error))
        self._refused(alarm)
        # The evidence first: whoever sees the state may ask for it.
        await self._write(self._tables.add_alarm, alarm)
        self._set(FollowState.REFUSED, str(error))

    def _backoff_s(self) -> float:
        self._tries += 1
        least, most = self._following.retry_least_s, self._following.retry_most_s
        # With jitter, so that the followers of a node that was away do not come back all at once.
        return min(most, least * 2.0 ** min(self._tries - 1, 20)) * random.uniform(0.5, 1.0)


def alarm_of(
    subscription: Subscription,
    replica: Replica,
    error: LogRefused,
    now: datetime,
    source: str = "",
) -> Alarm:
    """Return the alarm, with the evidence, of what was refused."""
    return Alarm(
        id=0,
        list_name=subscription.list_name,
        source=source or subscription.source,
        reason=str(error),
        held=error.held or replica.held_note,
        offered=error.offered,
        time=now,
    )
