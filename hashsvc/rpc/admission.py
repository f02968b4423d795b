"""Bounded concurrency: what does not fit is refused at once, never queued without bound."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from hashsvc.config import Limits
from hashsvc.errors import NotReady, Overloaded
from hashsvc.rpc.calls import Call

_RETRY_AFTER_S = 0.25


@dataclass(slots=True)
class _Room:
    """Calls of one kind under way. Touched by the event loop only."""

    noun: str
    most: int
    inside: int = 0


class Admission:
    """Lets a call in, or raises Overloaded or NotReady."""

    def __init__(self, limits: Limits) -> None:
        checks = _Room("checks", limits.max_concurrent_checks)
        media = _Room("files being checked", limits.max_concurrent_media)
        writes = _Room("writes", limits.max_concurrent_writes)
        reads = _Room("look-ups", limits.max_concurrent_reads)
        self._rooms = {
            "Check": checks,
            "CheckBatch": _Room("streams of checks", limits.max_concurrent_streams),
            "CheckMedia": media,
            "CreateList": writes,
            "AddEntries": _Room("streams of entries", limits.max_concurrent_streams),
            "AmendEntry": writes,
            "WithdrawEntry": writes,
            "GetList": reads,
            "ListLists": reads,
            "GetEntry": reads,
            "ListEntries": reads,
        }
        self.is_ready = False

    @asynccontextmanager
    async def admit(self, call: Call) -> AsyncIterator[None]:
        """Hold a place for the length of the call."""
        if not self.is_ready:
            raise NotReady("the node is starting or stopping", retry_after_s=_RETRY_AFTER_S)
        room = self._rooms[call.name]
        if room.inside >= room.most:
            raise Overloaded(
                f"too many {room.noun} at once ({room.most})", retry_after_s=_RETRY_AFTER_S
            )
        room.inside += 1
        try:
            yield
        finally:
            room.inside -= 1
