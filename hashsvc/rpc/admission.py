"""Bounded concurrency: what does not fit is refused at once, never queued without bound."""

from collections.abc import Callable
from dataclasses import dataclass

from hashsvc.config import Limits
from hashsvc.errors import NotReady, Overloaded

_RETRY_AFTER_S = 0.25


@dataclass(slots=True)
class _Room:
    """Calls of one kind under way: a context manager. Touched by the event loop only."""

    noun: str
    most: int
    inside: int = 0

    def __enter__(self) -> None:
        if self.inside >= self.most:
            raise Overloaded(
                f"too many {self.noun} at once ({self.most})", retry_after_s=_RETRY_AFTER_S
            )
        self.inside += 1

    def __exit__(self, *_: object) -> None:
        self.inside -= 1


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

    def door(self, method: str) -> Callable[[], _Room]:
        """What each call of a method opens: `with door():` holds a place until the block ends.

        Raises:
            KeyError: the method has no room.
        """
        room = self._rooms[method]

        def admit() -> _Room:
            if not self.is_ready:
                raise NotReady("the node is starting or stopping", retry_after_s=_RETRY_AFTER_S)
            return room

        return admit
