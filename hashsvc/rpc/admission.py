"""Bounded concurrency and rates: what does not fit is refused at once, never queued without bound.

Every kind of call has a room with places for all callers together, and each partner may hold a
share of them, so that one who floods the node leaves places for the rest. Beside that each partner
has a rate: a bucket of tokens that fills steadily, one token a call. Calls beyond it are refused;
what a stream brings beyond it waits, and with it who sends it.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from hashsvc.config import Limits
from hashsvc.errors import NotReady, Overloaded
from hashsvc.model import OPERATOR, Caller

_RETRY_AFTER_S = 0.25
_COSTS: dict[str, Callable[[Any], float]] = {
    # About what they take of the event loop's time.
    "CheckBatch": lambda message: 1 + len(message.checks) / 10,
    "AddEntries": lambda message: 1 + len(message.entries) / 10,
}


@dataclass(slots=True)
class _Room:
    """Calls of one kind under way. Touched by the event loop only."""

    noun: str
    most: int
    most_each: int
    inside: int = 0
    by_partner: Counter[str] = field(default_factory=Counter)

    def enter(self, partner: str) -> None:
        """Take a place."""
        if self.inside >= self.most:
            raise Overloaded(
                f"too many {self.noun} at once ({self.most})", retry_after_s=_RETRY_AFTER_S
            )
        if partner and self.by_partner[partner] >= self.most_each:
            raise Overloaded(
                f"too many {self.noun} of {partner} at once ({self.most_each})",
                retry_after_s=_RETRY_AFTER_S,
            )
        self.inside += 1
        self.by_partner[partner] += 1

    def leave(self, partner: str) -> None:
        """Give it back."""
        self.inside -= 1
        self.by_partner[partner] -= 1
        if not self.by_partner[partner]:
            del self.by_partner[partner]


@dataclass(slots=True)
class Place:
    """A place in a room, held while the block is open; no partner means no share to keep to."""

    room: _Room
    partner: str

    def __enter__(self) -> None:
        self.room.enter(self.partner)

    def __exit__(self, *_: object) -> None:
        self.room.leave(self.partner)


@dataclass(slots=True)
class _Bucket:
    """Tokens of one partner; full after one second of rest at most."""

    tokens: float
    filled_at: float

    def take(self, per_s: float, now: float) -> float:
        """Take a token; return the seconds until there will be one, 0 if one was taken."""
        self._fill(per_s, now)
        if self.tokens < 1:
            return (1 - self.tokens) / per_s
        self.tokens -= 1
        return 0

    def borrow(self, count: float, per_s: float, now: float) -> float:
        """Take tokens, those to come too; return the seconds until they will have come."""
        self._fill(per_s, now)
        self.tokens -= count
        return max(0.0, -self.tokens / per_s)

    def _fill(self, per_s: float, now: float) -> None:
        self.tokens = min(per_s, self.tokens + (now - self.filled_at) * per_s)
        self.filled_at = now


class Admission:
    """Lets a call in, or raises Overloaded or NotReady."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        room = self._room
        checks = room("checks", limits.max_concurrent_checks)
        media = room("files being checked", limits.max_concurrent_media)
        writes = room("writes", limits.max_concurrent_writes)
        reads = room("look-ups", limits.max_concurrent_reads)
        self._rooms = {
            "Check": checks,
            "CheckBatch": room("streams of checks", limits.max_concurrent_streams),
            "CheckMedia": media,
            "CheckVideo": room("videos being checked", limits.max_concurrent_videos),
            "CreateList": writes,
            "UpdateList": writes,
            "RotateKey": writes,
            "AddEntries": room("streams of entries", limits.max_concurrent_streams),
            "AmendEntry": writes,
            "WithdrawEntry": writes,
            "EraseEntry": writes,
            "OpenIncident": writes,
            "ConcludeIncident": writes,
            "ListIncidents": reads,
            "PlantCanaries": writes,
            "GiveOpinion": writes,
            "GetList": reads,
            "ListLists": reads,
            "GetEntry": reads,
            "ListEntries": reads,
            "ListOpinions": reads,
            "ServerReflectionInfo": room("streams of reflection", limits.max_concurrent_streams),
            "Follow": room("followers", limits.max_concurrent_followers),
            "GetCheckpoint": reads,
            "GetInclusionProof": reads,
            "GetConsistencyProof": reads,
            "AddCosignature": writes,
            "PutSubscription": writes,
            "DeleteSubscription": writes,
            "ListSubscriptions": reads,
            "AcceptAlarms": writes,
            "ImportBundle": room("streams of bundles", limits.max_concurrent_streams),
            "PreviewDistrust": reads,
            "Distrust": writes,
            "RestoreTrust": writes,
            "ListDistrusts": reads,
            "CreatePartner": writes,
            "UpdatePartner": writes,
            "ListPartners": reads,
            "CreateApiKey": writes,
            "AddCertificate": writes,
            "RevokeCredential": writes,
            "ListCredentials": reads,
            "ListAuditRecords": reads,
        }
        self._calls = room("calls", limits.max_concurrent_calls)
        self._per_s = limits.max_partner_calls_per_s
        self._buckets: dict[str, _Bucket] = {}
        self.is_ready = False

    def arrive(self, caller: Caller | None) -> Place:
        """What each call opens before it waits for its turn: `with` a place among all calls.

        Raises:
            Overloaded: there are too many, or too many of its partner's; strangers share one share.
        """
        return Place(self._calls, "" if caller is OPERATOR else caller.partner if caller else "?")

    def door(self, method: str) -> Callable[[Caller], Place]:
        """What each call of a method opens: `with door(caller):` holds a place for the block.

        Raises:
            KeyError: the method has no room.
        """
        room = self._rooms[method]

        def admit(caller: Caller) -> Place:
            if not self.is_ready:
                raise NotReady("the node is starting or stopping", retry_after_s=_RETRY_AFTER_S)
            if caller is OPERATOR:
                return Place(room, "")
            self._spend(caller.partner)
            return Place(room, caller.partner)

        return admit

    def shares(self, noun: str, places: int) -> Callable[[Caller], Place]:
        """As a door, to some places for which callers wait: a partner beyond its share is refused.

        So that what one partner does not finish never keeps all others waiting.
        """
        room = self._room(noun, places)
        room.most = self._limits.max_concurrent_calls
        return lambda caller: Place(room, "" if caller is OPERATOR else caller.partner)

    def _room(self, noun: str, most: int) -> _Room:
        share = max(1, most * self._limits.partner_share_percent // 100)
        return _Room(noun, most, share)

    def cost(self, method: str) -> Callable[[Any], float]:
        """How many calls a message of a method's stream counts as."""
        return _COSTS.get(method, lambda _: 1.0)

    async def pay(self, caller: Caller | None, calls: float) -> None:
        """Wait until a partner's rate has room for what a stream of its brought."""
        if caller is None or caller is OPERATOR or calls <= 0:
            return
        now = monotonic()
        wait_s = self._bucket(caller.partner, now).borrow(calls, self._per_s, now)
        if wait_s:
            await asyncio.sleep(wait_s)

    def _bucket(self, partner: str, now: float) -> _Bucket:
        bucket = self._buckets.get(partner)
        if bucket is None:
            bucket = self._buckets[partner] = _Bucket(self._per_s, now)
        return bucket

    def _spend(self, partner: str) -> None:
        now = monotonic()
        wait_s = self._bucket(partner, now).take(self._per_s, now)
        if wait_s:
            raise Overloaded(
                f"too many calls of {partner} a second ({self._per_s:g})", retry_after_s=wait_s
            )
