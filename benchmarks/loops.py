"""Ways to ask a node: one call after the other, many at once, in batches, at a steady rate."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import chain
from time import perf_counter

import grpc
import grpc.aio
import numpy as np
from grpc_health.v1 import health_pb2, health_pb2_grpc

from benchmarks import peers, questions
from benchmarks.datasets import score
from benchmarks.questions import Questions
from benchmarks.report import Row
from hashsvc.v1.match_service_pb2_grpc import MatchServiceStub
from hashsvc_client import AsyncClient, Client

FLOOR, CHECK = "empty call (health Check)", "Check"
STUB, CLIENT, IN_PROCESS = "raw stub", "hashsvc_client", "in process"
ONE = "one in flight"
IN_FLIGHT = 16
MANY = f"{IN_FLIGHT} in flight"
BATCH = 256
PIPELINED, TURNS = "pipelined stream", "one message at a time"
OPEN = "open loop"

_TURN = 20
_ROUNDS = 3
_OPEN_ROUNDS = 2
_WARM_CALLS = 50  # of each way: connections and code
_WARM_QUESTIONS = 1_000  # of a node: its memory

Ask = Callable[[int], object]
AsyncAsk = Callable[[int], Awaitable[object]]
"""Ask the question of that row."""


@dataclass(slots=True)
class Measured:
    """What one way of asking gave.

    `times` are the seconds of each call, `seconds` the time in which all were made, `rows` says
    which question each of the `answers` is to; the floor has none.
    """

    way: str
    client: str
    load: str
    offered_per_s: float | None = None
    seconds: float = 0.0
    times: list[float] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    answers: list[object] = field(default_factory=list)

    @property
    def per_s(self) -> float:
        """Hashes a second; empty calls for the floor."""
        return (len(self.rows) or len(self.times)) / self.seconds

    def keep(self, rows: Sequence[int], answers: Sequence[object]) -> None:
        """Keep answers to be scored; those of the floor say nothing."""
        if self.way != FLOOR:
            self.rows += rows
            self.answers += answers

    def score(self, asked: Questions) -> Row:
        """Recall and wrong hits, None for the floor."""
        if not self.rows:
            return {"recall": None, "wrong": None}
        truth = [asked.truth[row] for row in self.rows]
        return dict(score(truth, [questions.found(answer) for answer in self.answers]))


def warm_up(address: str, asked: Questions) -> None:
    """Ask a node that has just started, and look at no clock."""
    with grpc.insecure_channel(address) as channel:
        match = MatchServiceStub(channel)
        for request in asked.requests[:_WARM_QUESTIONS]:
            match.Check(request)


def one_in_flight(
    address: str,
    asked: Questions,
    peer: peers.ThreatExchange | None,
    rng: np.random.Generator,
) -> list[Measured]:
    """One blocking call after the other; the ways alternate in short turns, in random order."""
    with Client(address) as client, grpc.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        match = MatchServiceStub(channel)
        empty = health_pb2.HealthCheckRequest()
        ways: list[tuple[Measured, Ask]] = [
            (Measured(FLOOR, STUB, ONE), lambda _: health.Check(empty)),
            (Measured(CHECK, STUB, ONE), lambda row: match.Check(asked.requests[row])),
            (Measured(CHECK, CLIENT, ONE), lambda row: client.check(asked.prints[row])),
        ]
        if peer is not None:
            query = peer.query
            texts = [some[0].value.hex() for some in asked.prints]
            ways.append(
                (Measured(f"{peer.name}.query", IN_PROCESS, ONE), lambda row: query(texts[row]))
            )
        for _, ask in ways:
            for row in range(min(_WARM_CALLS, len(asked))):
                ask(row)
        for turn in _cut(range(len(asked)), _TURN):
            for number in rng.permutation(len(ways)):
                measured, ask = ways[number]
                _take_turn(measured, ask, turn)
    return [measured for measured, _ in ways]


def _take_turn(measured: Measured, ask: Ask, rows: Sequence[int]) -> None:
    answers = []
    for row in rows:
        start = perf_counter()
        answer = ask(row)
        spent = perf_counter() - start
        measured.times.append(spent)
        measured.seconds += spent
        answers.append(answer)
    measured.keep(rows, answers)


async def many_in_flight(
    address: str, asked: Questions, rng: np.random.Generator
) -> list[Measured]:
    """As many calls under way as it may have, from one event loop; the ways alternate."""
    async with _asking(address, asked) as asks:
        ways = [(Measured(way, client, MANY), ask) for (way, client), ask in asks.items()]
        for _ in range(_ROUNDS):
            for number in rng.permutation(len(ways)):
                measured, ask = ways[number]
                await _take_round(measured, ask, len(asked))
    return [measured for measured, _ in ways]


async def _take_round(measured: Measured, ask: AsyncAsk, count: int) -> None:
    answers: list[object] = [None] * count
    waiting = iter(range(count))

    async def ask_on() -> None:
        for row in waiting:
            start = perf_counter()
            answers[row] = await ask(row)
            measured.times.append(perf_counter() - start)

    start = perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(ask_on())
    measured.seconds += perf_counter() - start
    measured.keep(range(count), answers)


def in_batches(address: str, asked: Questions) -> list[Measured]:
    """CheckBatch: all messages over one stream, sent ahead of the answers; and one by one."""
    rows = list(range(len(asked))) * _ROUNDS
    cut = [[asked.upload(row) for row in some] for some in _cut(rows, BATCH)]
    way = f"CheckBatch of {BATCH}"
    pipelined, turns = Measured(way, CLIENT, PIPELINED), Measured(way, CLIENT, TURNS)
    with Client(address) as client:
        list(client.check_batches(cut[:1]))
        start = perf_counter()
        answers = list(client.check_batches(cut))
        pipelined.seconds = perf_counter() - start
        pipelined.keep(rows, list(chain.from_iterable(answers)))
        for batch in cut:
            start = perf_counter()
            (answer,) = client.check_batches([batch])
            turns.times.append(perf_counter() - start)
            turns.answers += answer
    turns.rows, turns.seconds = rows, sum(turns.times)
    return [pipelined, turns]


async def at_rate(
    address: str, asked: Questions, rate: float, seconds: float, rng: np.random.Generator
) -> list[Measured]:
    """Calls that start when they are due, at random moments around an even rate.

    By the stubs alone: a slow caller would be measured in the place of the server.
    """
    count = max(1, round(rate * seconds))
    rows = [number % len(asked) for number in range(count)]
    async with _asking(address, asked) as asks:
        ways = [
            (Measured(way, client, OPEN, rate), ask)
            for (way, client), ask in asks.items()
            if client == STUB
        ]
        for _ in range(_OPEN_ROUNDS):
            for number in rng.permutation(len(ways)):
                due = np.cumsum(rng.exponential(1 / rate, count)).tolist()
                measured, ask = ways[number]
                await ask_when_due(measured, ask, rows, due)
    return [measured for measured, _ in ways]


async def ask_when_due(
    measured: Measured, ask: AsyncAsk, rows: Sequence[int], due: Sequence[float]
) -> None:
    """Make each call at its moment, in seconds from now; its time runs from that moment."""
    loop = asyncio.get_running_loop()
    tasks: list[asyncio.Task[object]] = []
    start = perf_counter()

    async def ask_one(row: int, moment: float) -> object:
        answer = await ask(row)
        measured.times.append(perf_counter() - start - moment)
        return answer

    def begin(row: int, moment: float) -> None:
        tasks.append(loop.create_task(ask_one(row, moment)))

    def keep_time() -> None:
        for row, moment in zip(rows, due, strict=True):
            time.sleep(max(0.0, start + moment - perf_counter()))
            loop.call_soon_threadsafe(begin, row, moment)

    # In a thread: an event loop sleeps by whole milliseconds, half of one on top of every time.
    await asyncio.to_thread(keep_time)
    answers = await asyncio.gather(*tasks)
    measured.seconds += perf_counter() - start
    measured.keep(rows, answers)


def _cut(rows: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (rows[first : first + size] for first in range(0, len(rows), size))


@asynccontextmanager
async def _asking(
    address: str, asked: Questions
) -> AsyncIterator[Mapping[tuple[str, str], AsyncAsk]]:
    """The ways to ask from an event loop, warmed up, by what they do and with which client."""
    async with AsyncClient(address) as client, grpc.aio.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        match = MatchServiceStub(channel)
        empty = health_pb2.HealthCheckRequest()
        asks: dict[tuple[str, str], AsyncAsk] = {
            (FLOOR, STUB): lambda _: health.Check(empty),
            (CHECK, STUB): lambda row: match.Check(asked.requests[row]),
            (CHECK, CLIENT): lambda row: client.check(asked.prints[row]),
        }
        for ask in asks.values():
            for row in range(min(_WARM_CALLS, len(asked))):
                await ask(row)
        yield asks
