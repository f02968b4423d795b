"""Turns on the event loop, so that one partner's flood does not hold up the calls of another.

All calls share one event loop, which takes what is ready in the order of arrival: behind 250 calls
of one partner a single call of another would wait for all of them. So the steps of a call, from one
`await` to the next, take turns. Where more is ready than fits into a millisecond, or a partner has
had much of the last moment, the rest waits in a fair queue, out of which a few go in each round of
the loop. Rounds wait, but never for long, as long as calls come in: gRPC hands over one for each
round and acceptor, and only a call that was handed over can be preferred.

A node with nothing to do pays some microseconds a step.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Generator, Iterable
from math import exp
from time import perf_counter
from typing import Any, TypeVar

from hashsvc.rpc.fairness import FairQueue

R = TypeVar("R")

_STEPS_S = 0.001  # of steps that nobody need wait for, in a round
_MOST = 3  # turns in a round

# A loop is full, and a partner busy, that had more than these shares of about the last 50 ms. What
# gRPC does for a call counts too, though it is not seen here.
_MEMORY_S, _FULL_SHARE, _BUSY_SHARE, _CALL_S = 0.05, 0.65, 0.3, 0.0003
_ALL = "*"

# Rounds wait for a lull in what comes in, this long at most.
_LULL_S, _PATIENCE_S = 0.0003, 0.002

_PIECE = 32


async def in_pieces(items: Iterable[R]) -> AsyncIterator[R]:
    """Yield items, and let others have a turn after some: a step should take a millisecond."""
    for number, item in enumerate(items, 1):
        yield item
        if not number % _PIECE:
            await asyncio.sleep(0)


class Turns:
    """The turns of one event loop."""

    def __init__(self) -> None:
        self._queue = FairQueue()
        self._used: dict[str, tuple[float, float]] = {}  # seconds, fading, and when that was
        self._spent_s = 0.0
        self._is_round_due = False
        self._arrived_at = self._given_at = 0.0

    def run(self, partner: str, work: Awaitable[R]) -> Awaitable[R]:
        """Do what awaiting `work` would do, in turns that count for a partner."""
        return _Run(self, partner, work)

    def steps(self, partner: str, work: Awaitable[R]) -> Generator[Any, Any, R]:
        """Step through `work`; each yield is for the event loop."""
        inner: Any = work.__await__()
        thrown: BaseException | None = None
        self._arrived_at = perf_counter()
        self._use(partner, _CALL_S)
        while True:
            if thrown is None and self._must_queue(partner):
                self._plan_round()
                try:
                    yield from self._queue.put(partner).__await__()
                except BaseException as error:
                    thrown = error
            start = perf_counter()
            try:
                ready_when = next(inner) if thrown is None else inner.throw(thrown)
            except StopIteration as end:
                result: R = end.value
                return result
            finally:
                self._charge(partner, perf_counter() - start)
            thrown = None
            try:
                yield ready_when
            except BaseException as error:
                thrown = error

    def _must_queue(self, partner: str) -> bool:
        if self._queue or self._spent_s >= _STEPS_S:
            return True
        # Who calls alone, one call after the other, never waits.
        return self._share(_ALL) > _FULL_SHARE and self._share(partner) > _BUSY_SHARE

    def _share(self, partner: str) -> float:
        used_s, at = self._used[partner]
        return used_s * exp((at - perf_counter()) / _MEMORY_S) / _MEMORY_S

    def _charge(self, partner: str, seconds: float) -> None:
        self._spent_s += seconds
        self._queue.charge(partner, seconds)
        self._use(partner, seconds)
        self._plan_round()

    def _use(self, partner: str, seconds: float) -> None:
        now = perf_counter()
        for who in (partner, _ALL):
            used_s, at = self._used.get(who, (0.0, now))
            self._used[who] = used_s * exp((at - now) / _MEMORY_S) + seconds, now

    def _plan_round(self) -> None:
        if not self._is_round_due:
            self._is_round_due = True
            asyncio.get_running_loop().call_soon(self._round)

    def _round(self) -> None:
        """Give turns to some, or wait until nothing comes in."""
        self._is_round_due = False
        self._spent_s = 0.0
        if not self._queue:
            self._queue.forget()
            return
        now = perf_counter()
        if now - self._arrived_at >= _LULL_S or now - self._given_at >= _PATIENCE_S:
            self._given_at = now
            for _ in range(_MOST):
                self._queue.give()
        self._plan_round()


class _Run(Awaitable[R]):
    """What `Turns.run` returns."""

    __slots__ = ("_partner", "_turns", "_work")

    def __init__(self, turns: Turns, partner: str, work: Awaitable[R]) -> None:
        self._turns, self._partner, self._work = turns, partner, work

    def __await__(self) -> Generator[Any, Any, R]:
        return self._turns.steps(self._partner, self._work)
