"""Checks of fingerprints against a real node over loopback, beside the floor of the transport.

Rows of one size share a node and its entries. The floor is the standard health Check, an empty
call that the same server answers in the same run through the same kind of client; what is above it
is the work of hashsvc. Floor, Check and peer alternate in rounds. The batches go over one stream,
sent ahead of the answers.

`to_floor` is the rate as a share of the floor of the same kind of client (for the batches: of the
blocking one), `to_unary` the rate as a multiple of one blocking Check after the other. The peer is
called in this process: no network, no verdict, no policy.
"""

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import grpc
import grpc.aio
import numpy as np
from grpc_health.v1 import health_pb2, health_pb2_grpc

from benchmarks import node, peers, report
from benchmarks.datasets import Codes, Found, make_codes, make_queries, score, truth_of
from hashsvc.model import Fingerprint, MediaFingerprints, MediaType, Verdict
from hashsvc_client import AsyncClient, Client

HELP = "checks against a real node, beside an empty call and threatexchange in process"
SMALL: Sequence[str] = ("--n", "10000,50000", "--queries", "300")
FILL_BATCH = 1_000
BATCH = 256
IN_FLIGHT = 16
ROUNDS = 5

ONE, MANY = "one in flight", f"{IN_FLIGHT} in flight"
NO_SCORE = {"recall": None, "wrong": None}
FLOOR, CHECK = "empty call (health Check)", "Check"


@dataclass(frozen=True, slots=True)
class Measured:
    """What one way of asking gave; `times` are seconds for each call, where calls can be told."""

    way: str
    client: str
    queries: int
    seconds: float
    times: Sequence[float] = ()
    truth: Sequence[Found] = ()
    answers: Sequence[Found] = ()

    @property
    def per_s(self) -> float:
        """Hashes a second."""
        return self.queries / self.seconds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this benchmark."""
    sizes = "entries, with commas between (default 10000,100000)"
    parser.add_argument("--n", default="10000,100000", metavar="N,...", help=sizes)
    parser.add_argument("--queries", type=int, default=1_000, help="queries (default 1000)")


def run(arguments: argparse.Namespace) -> list[report.Row]:
    """Measure every size."""
    rows: list[report.Row] = []
    for size in map(int, arguments.n.split(",")):
        rows += measure(size, arguments.queries, np.random.default_rng(arguments.seed))
    return rows


def measure(size: int, queries: int, rng: np.random.Generator) -> list[report.Row]:
    """Fill a node with random entries and ask it in every way."""
    codes = make_codes(size, rng)
    asked = make_queries(codes, queries, rng)
    truth = truth_of(codes, asked)
    peer = peers.available(peers.ThreatExchange)
    if peer is not None:
        peer.add(0, codes)
    with TemporaryDirectory() as folder, node.running(Path(folder) / "data") as server:
        node.fill(server.address, codes, FILL_BATCH)
        measured = [
            *one_in_flight(server.address, peer, asked, truth, rng),
            *asyncio.run(many_in_flight(server.address, asked, truth)),
            batches(server.address, asked, truth),
        ]
    return [row_of(size, one, measured) for one in measured]


def row_of(size: int, this: Measured, measured: Sequence[Measured]) -> report.Row:
    """A line of the table."""
    floors = {one.client: one for one in measured if one.way == FLOOR}
    unary = next(one for one in measured if (one.way, one.client) == (CHECK, f"blocking, {ONE}"))
    floor = floors.get(this.client, floors[unary.client])
    row: report.Row = {
        "way": this.way,
        "client": this.client,
        "n": size,
        "per_s": this.per_s,
        "p50_ms": report.percentile_ms(this.times, 50) if this.times else None,
        "p99_ms": report.percentile_ms(this.times, 99) if this.times else None,
        "to_floor": None if this.way.startswith("threatexchange") else this.per_s / floor.per_s,
        "to_unary": this.per_s / unary.per_s,
    }
    return row | (score(this.truth, this.answers) if this.answers else NO_SCORE)


def one_in_flight(
    address: str,
    peer: peers.ThreatExchange | None,
    asked: Codes,
    truth: Sequence[Found],
    rng: np.random.Generator,
) -> Iterator[Measured]:
    """The blocking client, and the peer, one call after the other."""
    with Client(address) as client, grpc.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest()
        callers: dict[tuple[str, str], Callable[[Codes], object]] = {
            (FLOOR, f"blocking, {ONE}"): lambda _: health.Check(request),
            (CHECK, f"blocking, {ONE}"): lambda code: client.check([node.fingerprint(code)]),
        }
        if peer is not None:
            query = peer.query
            callers[f"{peer.name}.query", "none: in process"] = lambda code: query(
                bytes(code).hex()
            )
        times: list[list[float]] = [[] for _ in callers]
        answers: list[list[object]] = [[] for _ in callers]
        calls = list(callers.values())
        for call in calls:
            call(asked[0])
        for part in np.array_split(asked, ROUNDS):
            for number in rng.permutation(len(calls)):
                for code in part:
                    start = perf_counter()
                    answer = calls[number](code)
                    times[number].append(perf_counter() - start)
                    answers[number].append(answer)
    for number, (way, style) in enumerate(callers):
        found = [] if way == FLOOR else [_found(answer) for answer in answers[number]]
        spent = times[number]
        yield Measured(way, style, len(asked), sum(spent), spent, truth, found)


async def many_in_flight(address: str, asked: Codes, truth: Sequence[Found]) -> list[Measured]:
    """The asyncio client with as many calls under way as it may have."""
    prints = [[node.fingerprint(code)] for code in asked]
    async with AsyncClient(address) as client, grpc.aio.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest()

        async def empty(_: Sequence[Fingerprint]) -> object:
            return await health.Check(request)

        floor, check = _Load(empty, prints), _Load(client.check, prints)
        for call in (empty, client.check):
            await call(prints[0])
        for _ in range(ROUNDS):
            await floor.round()
            await check.round()
    style = f"asyncio, {MANY}"
    total = ROUNDS * len(asked)
    found = [_found(answer) for answer in check.answers]
    return [
        Measured(FLOOR, style, total, floor.seconds, floor.times),
        Measured(CHECK, style, total, check.seconds, check.times, list(truth) * ROUNDS, found),
    ]


class _Load:
    """Asks all queries in each round, from IN_FLIGHT tasks; keeps times and answers."""

    def __init__(
        self,
        call: Callable[[Sequence[Fingerprint]], Awaitable[object]],
        queries: Sequence[Sequence[Fingerprint]],
    ) -> None:
        self._call, self._queries = call, queries
        self.seconds = 0.0
        self.times: list[float] = []
        self.answers: list[object] = []

    async def round(self) -> None:
        """Ask all."""
        answers: list[object] = [None] * len(self._queries)
        waiting = enumerate(self._queries)

        async def ask() -> None:
            for row, query in waiting:
                start = perf_counter()
                answers[row] = await self._call(query)
                self.times.append(perf_counter() - start)

        start = perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(IN_FLIGHT):
                group.create_task(ask())
        self.seconds += perf_counter() - start
        self.answers += answers


def batches(address: str, asked: Codes, truth: Sequence[Found]) -> Measured:
    """CheckBatch over one stream."""
    uploads = [_upload(code) for code in asked] * ROUNDS
    cut = [uploads[first : first + BATCH] for first in range(0, len(uploads), BATCH)]
    with Client(address) as client:
        list(client.check_batches(cut[:1]))
        start = perf_counter()
        answers = list(client.check_batches(cut))
        took = perf_counter() - start
    found = [_found(verdict) for answer in answers for verdict in answer]
    style = "blocking, pipelined stream"
    return Measured(
        f"CheckBatch of {BATCH}", style, len(uploads), took, (), list(truth) * ROUNDS, found
    )


def _upload(code: Codes) -> MediaFingerprints:
    return MediaFingerprints(MediaType.IMAGE, "", 0, 0, None, (node.fingerprint(code),))


def _found(answer: object) -> Found:
    if isinstance(answer, Verdict):
        return node.found(answer)
    if isinstance(answer, set):
        return answer
    raise RuntimeError(f"a check failed: {answer!r}")
