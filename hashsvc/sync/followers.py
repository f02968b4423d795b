"""All lists that a node follows: which, from where, and how each stands."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextvars import Context
from dataclasses import replace
from datetime import datetime
from weakref import WeakValueDictionary

import structlog

from hashsvc.addresses import is_address
from hashsvc.config import Following
from hashsvc.errors import InvalidRequest, LogRefused, NoteError, NotFound, PreconditionFailed
from hashsvc.lists import rules
from hashsvc.lists.keychain import Keychain
from hashsvc.lists.keys import Verifier
from hashsvc.lists.ledger import Ledger
from hashsvc.lists.logs import SignedLogs, origin
from hashsvc.lists.replica import Replica
from hashsvc.model_sync import (
    Alarm,
    FollowMessage,
    FollowState,
    FollowStatus,
    Imported,
    Selection,
    Started,
    Subscription,
    Wanted,
)
from hashsvc.store.store import Store
from hashsvc.sync.follower import Follower, Write, alarm_of
from hashsvc.sync.intake import Intake
from hashsvc.sync.source import Source, SourceLost

_log = structlog.get_logger()

_FIRST_WORD_S = 10.0
_MOST_SOURCE = 300


class Followers:
    """Starts and stops following. Used on one event loop."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        logs: SignedLogs,
        source_of: Callable[[str], Source],
        *,
        following: Following,
        write: Write,
        now: Callable[[], datetime],
        refused: Callable[[Alarm], object] = lambda _: None,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._logs = logs
        self._source_of = source_of
        self._following = following
        self._write = write
        self._now = now
        self._refused = refused
        self._running: dict[str, tuple[Follower, asyncio.Task[None]]] = {}
        # Changes to one subscription take turns.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._is_closed = False

    async def start(self) -> None:
        """Follow all lists that are subscribed to."""
        for subscription in await self._write(self._store.subscriptions.all):
            self._start(subscription)

    async def close(self) -> None:
        """Stop following, in the middle of whatever it is."""
        self._is_closed = True
        for list_name in list(self._running):
            await self._stop(list_name)

    async def put(
        self, list_name: str, source: str, key: str, selection: Selection, *, is_paused: bool
    ) -> FollowStatus:
        """Follow a list, or change how; without a key the source is asked for it.

        Raises:
            InvalidRequest: a value is malformed, or there is neither source nor key.
            PreconditionFailed: the list is kept here, the key is not one of its keys, or the source
                cannot be reached.
        """
        _check_name(list_name, "subscription.list")
        if source and (not is_address(source) or len(source) > _MOST_SOURCE):
            raise InvalidRequest.of("subscription.source", "is not HOST:PORT or unix:PATH")
        if not source and not key:
            raise InvalidRequest.of("subscription.key", "give the list's key, or a source to ask")
        async with self._turn(list_name):
            await self._write(self._check_not_home, list_name)
            before = await self._write(self._store.subscriptions.get, list_name)
            pinned = key or (before.key if before is not None else "")
            if pinned:
                _check_key(pinned, list_name, "subscription.key")
            else:
                pinned = await self._ask_for_key(list_name, source)
            subscription = Subscription(
                list_name,
                source,
                pinned,
                selection,
                self._now() if before is None else before.create_time,
                None if before is None else before.verify_time,
                is_paused,
            )
            await self._stop(list_name)
            await self._write(self._store.subscriptions.save, subscription)
            self._start(subscription)
        return await self.status(list_name)

    async def remove(self, list_name: str) -> None:
        """Stop following a list for good; what was taken in stays.

        Raises:
            NotFound: it is not followed.
        """
        async with self._turn(list_name):
            await self._subscription(list_name)
            await self._stop(list_name)
            await self._write(self._store.subscriptions.remove, list_name)

    async def accept_alarms(self, list_name: str) -> FollowStatus:
        """Note that somebody has seen to what was refused of a list, and try it again now.

        Raises:
            NotFound: it is not followed.
        """
        await self._subscription(list_name)
        await self._write(self._store.subscriptions.accept_alarms, list_name, self._now())
        if list_name in self._running:
            self._running[list_name][0].try_now()
        return await self.status(list_name)

    async def status(self, list_name: str) -> FollowStatus:
        """Return how a list stands.

        Raises:
            NotFound: it is not followed.
        """
        subscription = await self._subscription(list_name)
        status: FollowStatus = await self._write(self._status, subscription)
        return status

    async def statuses(self) -> list[FollowStatus]:
        """Return how all lists stand, by name."""
        found = await self._write(self._store.subscriptions.all)
        return [await self._write(self._status, one) for one in found]

    def gauges(self) -> list[FollowStatus]:
        """Return how the lists stand that are followed just now; reads no database."""
        return [follower.status for follower, _ in list(self._running.values())]

    async def receive(
        self,
        list_name: str,
        messages: AsyncIterator[FollowMessage],
        *,
        key: str = "",
        size: int = 0,
    ) -> Imported:
        """Take in what a bundle holds of a list, verified as what comes from a node.

        `key` is one that it must be signed under; with it, a list that is not followed is from then
        on, by bundles alone. `size` is how many records the bundle takes to be held.

        Raises:
            InvalidRequest: the name or the key is malformed.
            NotFound: the list is not followed, and there is no key.
            PreconditionFailed: the list is kept here, or less of it is held than the bundle needs.
            LogRefused: it does not verify; what did before that is applied, an alarm is kept.
        """
        _check_name(list_name, "start.list")
        if key:
            _check_key(key, list_name, "start.key")
        async with self._turn(list_name):
            await self._write(self._check_not_home, list_name)
            subscription = await self._for_bundle(list_name, key)
            await self._stop(list_name)
            try:
                replica = await self._write(self._open, subscription)
                return await self._take(subscription, replica, messages, key, size)
            finally:
                self._start(await self._write(self._store.subscriptions.get, list_name))

    async def _take(
        self,
        subscription: Subscription,
        replica: Replica,
        messages: AsyncIterator[FollowMessage],
        key: str,
        size: int,
    ) -> Imported:
        before, name = replica.size, subscription.list_name
        if size > before:
            raise PreconditionFailed(
                f"the bundle begins after {size:,} records of {name}, and {before:,} are held: "
                f"import one that begins at {before:,} or before",
                reason="BUNDLE_MISSING",
                metadata={"list": name, "size": str(before)},
            )
        intake = Intake(replica, key)
        try:
            async for message in messages:
                was_started = intake.is_started
                await self._write(intake.receive, message)
                if not was_started:
                    # Only what shows the right key makes a subscription.
                    await self._write(self._store.subscriptions.save, subscription)
                if intake.is_older:
                    break
            intake.finish()
        except LogRefused as error:
            error.metadata["list"] = name
            alarm = alarm_of(subscription, replica, error, self._now(), source="a bundle")
            _log.error("bundle refused", list=name, because=str(error))
            self._refused(alarm)
            await self._write(self._store.subscriptions.add_alarm, alarm)
            raise
        status = await self.status(name)
        return Imported(status, replica.size - before, intake.head_size)

    async def _for_bundle(self, list_name: str, key: str) -> Subscription:
        """Return the subscription, or one to be that takes bundles alone."""
        found: Subscription | None = await self._write(self._store.subscriptions.get, list_name)
        if found is not None:
            return found
        if not key:
            raise NotFound(
                f"{list_name} is not followed: give its key, as its owner says it",
                reason="SUBSCRIPTION_NOT_FOUND",
                metadata={"list": list_name},
            )
        return Subscription(list_name, "", key, Selection(), self._now())

    def _turn(self, list_name: str) -> asyncio.Lock:
        return self._locks.setdefault(list_name, asyncio.Lock())

    def _open(self, subscription: Subscription) -> Replica:
        return Replica(self._store, self._ledger, subscription.list_name, subscription.key)

    def _start(self, subscription: Subscription | None) -> None:
        if subscription is None or subscription.is_paused or not subscription.source:
            return
        if self._is_closed:
            return
        follower = Follower(
            subscription,
            self._source_of(subscription.source),
            lambda: self._open(subscription),
            self._store.subscriptions,
            following=self._following,
            write=self._write,
            now=self._now,
            refused=self._refused,
        )
        task = asyncio.get_running_loop().create_task(
            # Whoever asked for it does not pay for all that follows.
            follower.run(),
            context=Context(),
        )
        self._running[subscription.list_name] = (follower, task)

    async def _stop(self, list_name: str) -> None:
        found = self._running.pop(list_name, None)
        if found is None:
            return
        _, task = found
        task.cancel()
        await asyncio.wait([task])

    def _status(self, subscription: Subscription) -> FollowStatus:
        name = subscription.list_name
        if name in self._running:
            status = self._running[name][0].status
        else:
            state = FollowState.PAUSED if subscription.is_paused else FollowState.OFFLINE
            hash_list = self._store.get_list(name)
            size = 0 if hash_list is None else hash_list.size
            status = FollowStatus(subscription, state, size, size)
        return replace(
            status,
            subscription=subscription,
            ahead=self._store.logs.count_ahead(name),
            alarms=tuple(self._store.subscriptions.alarms(name)),
        )

    async def _subscription(self, list_name: str) -> Subscription:
        found: Subscription | None = await self._write(self._store.subscriptions.get, list_name)
        if found is None:
            raise NotFound(
                f"{list_name} is not followed",
                reason="SUBSCRIPTION_NOT_FOUND",
                metadata={"list": list_name},
            )
        return found

    def _check_not_home(self, list_name: str) -> None:
        hash_list = self._store.get_list(list_name)
        if hash_list is not None and self._logs.is_home(hash_list):
            raise PreconditionFailed(
                f"{list_name} is kept at this node",
                reason="LIST_KEPT_HERE",
                metadata={"list": list_name},
            )

    async def _ask_for_key(self, list_name: str, source: str) -> str:
        """Return the key that a source shows; whoever asked must compare it."""
        about = {"list": list_name}
        try:
            async with asyncio.timeout(_FIRST_WORD_S):
                wanted = Wanted(list_name, 0, Selection(), is_to_head=True)
                async for message in self._source_of(source).follow(wanted):
                    if isinstance(message, Started):
                        keys = Keychain.read(
                            origin(list_name), message.first_key, message.rotations
                        )
                        return keys.keys[-1][1].encode()
        except NoteError as error:
            raise PreconditionFailed(
                f"the keys that {source} shows are not sound: {error}",
                reason="LOG_REFUSED",
                metadata=about,
            ) from error
        except (SourceLost, TimeoutError) as error:
            text = f"{source} does not show the key of {list_name}: {error}"
            raise PreconditionFailed(text, reason="SOURCE_UNAVAILABLE", metadata=about) from error
        raise PreconditionFailed(
            f"{source} does not show the key of {list_name}",
            reason="SOURCE_UNAVAILABLE",
            metadata=about,
        )


def _check_name(list_name: str, field: str) -> None:
    rules.check_list_name(list_name, field)
    if list_name.startswith(f"{rules.RESERVED_PARTNER}/"):
        raise InvalidRequest.of(field, "is built in at every node")


def _check_key(key: str, list_name: str, field: str) -> None:
    try:
        verifier = Verifier.decode(key)
        if verifier.name != origin(list_name):
            raise NoteError(f"it is one of {verifier.name}, not of {origin(list_name)}")
    except NoteError as error:
        raise InvalidRequest.of(field, f"is not a key of this list: {error}") from error
