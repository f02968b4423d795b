"""Turns on the event loop and in thread pools: a flood waits behind itself."""

import asyncio
import threading
from collections import Counter

import pytest

from hashsvc.rpc import threads
from hashsvc.rpc.fairness import FairQueue
from hashsvc.rpc.turns import Turns


async def work(number: int, log: list[int]) -> int:
    """Two steps."""
    await asyncio.sleep(0)
    log.append(number)
    return number


async def test_what_is_awaited_in_turns_is_what_is_awaited() -> None:
    """Results, errors and cancellation pass through."""
    turns = Turns()
    assert await asyncio.gather(*(turns.run("a", work(i, [])) for i in range(500))) == [*range(500)]

    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await turns.run("a", fail())
    begun, cleaned = asyncio.Event(), asyncio.Event()

    async def wait_long() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.set()

    async def in_turns() -> None:
        await turns.run("a", wait_long())

    task = asyncio.create_task(in_turns())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleaned.is_set()


async def test_a_single_call_does_not_wait_behind_a_flood() -> None:
    """It comes last, and is done while most of the flood still waits."""
    turns = Turns()
    done: list[str] = []

    async def call(partner: str) -> None:
        for _ in range(3):
            sum(range(3_000))
            await asyncio.sleep(0)
        done.append(partner)

    async def run(partner: str) -> None:
        await turns.run(partner, call(partner))

    flood = [asyncio.create_task(run("flood")) for _ in range(400)]
    await asyncio.sleep(0)
    await run("good")
    assert done.count("flood") < 100
    await asyncio.gather(*flood)
    assert Counter(done) == {"flood": 400, "good": 1}


async def test_the_queue_is_fair_by_time_not_by_count() -> None:
    """Who takes ten times as long gets a tenth of the turns; who was away saves nothing up."""
    queue = FairQueue()
    seconds = {"long": 0.010, "short": 0.001}
    for partner in seconds:
        for _ in range(200):
            queue.put(partner)
    given: Counter[str] = Counter()
    for _ in range(110):
        who = queue.give()
        assert who is not None
        given[who] += 1
        queue.charge(who, seconds[who])
    assert given["short"] == pytest.approx(100, abs=2)
    queue.put("late")
    queue.put("late")
    assert [queue.give(), queue.give()].count("late") >= 1
    assert queue.give(lambda partner: partner == "nobody") is None


async def test_one_partner_never_has_all_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what waits is taken in fair order."""
    payer = ["flood"]
    monkeypatch.setattr("hashsvc.rpc.access.payer", lambda: payer[0])
    pools = threads.Threads()
    release = threading.Event()
    held = [asyncio.create_task(pools.read(release.wait)) for _ in range(20)]
    await asyncio.sleep(0)
    payer[0] = "good"
    assert await pools.read(lambda: 17) == 17
    cancelled = held.pop()
    cancelled.cancel()
    release.set()
    await asyncio.gather(*held)
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    assert await pools.read(lambda: 18) == 18
    pools.close()
