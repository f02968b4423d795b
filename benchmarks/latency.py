"""Latency of Check at a steady rate: calls start when they are due, not when there is time.

A client that waits for one answer before it asks again never sees the queue that it would have
stood in (coordinated omission). Here every call has its moment, spread at random around an even
rate, and its time runs from that moment, late starts included. The empty call (the standard health
Check) of the same server alternates with Check, so that the floor of gRPC and of this machine is
beside it; client and server share the machine's cores.
"""

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import grpc.aio
import numpy as np
from grpc_health.v1 import health_pb2, health_pb2_grpc

from benchmarks import node
from benchmarks.check import CHECK, FILL_BATCH, FLOOR
from benchmarks.datasets import Found, make_codes, make_queries, score, truth_of
from benchmarks.report import Row, note, percentile_ms
from hashsvc.model import Fingerprint, Verdict
from hashsvc_client import AsyncClient

HELP = "latency of Check at a steady rate, with the waiting that a closed loop hides"
SMALL: Sequence[str] = ("--n", "10000", "--rates", "100,300", "--seconds", "2")

_ROUNDS = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this benchmark."""
    parser.add_argument("--n", default="10000,100000", metavar="N,...", help="entries")
    parser.add_argument("--rates", default="100,300,600", metavar="R,...", help="calls a second")
    parser.add_argument("--seconds", type=float, default=5, help="length of each run (default 5)")


def run(arguments: argparse.Namespace) -> list[Row]:
    """Measure every size at every rate."""
    rates = [float(rate) for rate in arguments.rates.split(",")]
    rows: list[Row] = []
    for size in map(int, arguments.n.split(",")):
        rng = np.random.default_rng(arguments.seed)
        codes = make_codes(size, rng)
        with TemporaryDirectory() as folder, node.running(Path(folder) / "data") as server:
            node.fill(server.address, codes, FILL_BATCH)
            for rate in rates:
                count = max(1, round(rate * arguments.seconds))
                asked = make_queries(codes, count, rng)
                note(f"{size:,} entries, {rate:g} calls a second")
                prints = [[node.fingerprint(code)] for code in asked]
                truth = truth_of(codes, asked)
                rows += asyncio.run(_measure(server.address, rate, prints, truth, rng, size))
    return rows


async def _measure(
    address: str,
    rate: float,
    queries: Sequence[Sequence[Fingerprint]],
    truth: Sequence[Found],
    rng: np.random.Generator,
    size: int,
) -> list[Row]:
    async with AsyncClient(address) as client, grpc.aio.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest()

        async def empty(_: Sequence[Fingerprint]) -> object:
            return await health.Check(request)

        calls: dict[str, Callable[[Sequence[Fingerprint]], Awaitable[object]]] = {
            FLOOR: empty,
            CHECK: client.check,
        }
        times: dict[str, list[float]] = {name: [] for name in calls}
        spent = dict.fromkeys(calls, 0.0)
        answers: list[object] = []
        for _ in range(_ROUNDS):
            for name, call in calls.items():
                due = np.cumsum(rng.exponential(1 / rate, len(queries)))
                start = perf_counter()
                found = await _at_their_times(call, queries, due.tolist(), times[name])
                spent[name] += perf_counter() - start
                if name == CHECK:
                    answers += found
    verdicts = [node.found(answer) for answer in answers if isinstance(answer, Verdict)]
    scores: dict[str, Row] = {CHECK: score(list(truth) * _ROUNDS, verdicts)}
    return [
        {
            "call": name,
            "n": size,
            "offered_per_s": rate,
            "done_per_s": _ROUNDS * len(queries) / spent[name],
            "p50_ms": percentile_ms(times[name], 50),
            "p90_ms": percentile_ms(times[name], 90),
            "p99_ms": percentile_ms(times[name], 99),
            "p99.9_ms": percentile_ms(times[name], 99.9),
            "recall": None,
            "wrong": None,
            **scores.get(name, {}),
        }
        for name in calls
    ]


async def _at_their_times(
    call: Callable[[Sequence[Fingerprint]], Awaitable[object]],
    queries: Sequence[Sequence[Fingerprint]],
    due: Sequence[float],
    times: list[float],
) -> list[object]:
    """Make each call at its moment, in seconds from now; add its time from then to `times`."""
    start = perf_counter()

    async def ask(query: Sequence[Fingerprint], moment: float) -> object:
        answer = await call(query)
        times.append(perf_counter() - start - moment)
        return answer

    tasks = []
    for query, moment in zip(queries, due, strict=True):
        ahead = start + moment - perf_counter()
        if ahead > 0:
            await asyncio.sleep(ahead)
        tasks.append(asyncio.create_task(ask(query, moment)))
    return await asyncio.gather(*tasks)
