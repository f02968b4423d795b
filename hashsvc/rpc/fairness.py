"""A queue in which who asks for much waits behind its own, and not others behind it.

Start-time fair queuing (Goyal, Vin and Cheng 1996) by partner: next is who has had the least time
lately. Who was away saves nothing up.
"""

import asyncio
from collections import deque
from collections.abc import Callable


class FairQueue:
    """Waiting turns by partner. Used on the event loop only."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._times: dict[str, float] = {}
        self._now = 0.0  # the virtual time: that of the partner who had the last turn

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def put(self, partner: str) -> asyncio.Future[None]:
        """Queue up; the future is done when the turn has come."""
        queue = self._waiting.get(partner)
        if queue is None:
            queue = self._waiting[partner] = deque()
            self._times[partner] = self._time(partner)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(turn)
        return turn

    def give(self, may_have: Callable[[str], bool] = lambda _: True) -> str | None:
        """Give the next turn to one of the partners that may have it; return who, if anybody."""
        while able := [partner for partner in self._waiting if may_have(partner)]:
            partner = min(able, key=self._times.__getitem__)
            queue = self._waiting[partner]
            turn = queue.popleft()
            if not queue:
                del self._waiting[partner]
            if not turn.done():
                self._now = self._times[partner]
                turn.set_result(None)
                return partner
        return None

    def charge(self, partner: str, seconds: float) -> None:
        """Count time that a partner has had."""
        self._times[partner] = self._time(partner) + seconds

    def forget(self) -> None:
        """Begin anew, when nobody waits."""
        self._times.clear()
        self._now = 0.0

    def _time(self, partner: str) -> float:
        return max(self._times.get(partner, 0.0), self._now)
