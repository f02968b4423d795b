"""What one partner's flood does to another's checks.

A good partner checks at a steady rate (open loop: each time runs from the moment at which the call
was due). Another floods the node from a process of its own, with all it has of one kind of call,
and calls again at once whatever it is told. Client, flood and server share the machine's cores, so
a *control* burns the same processor time without calling the node: what a flood costs beyond it is
the node's doing, `p99_to_control`.

The good partner makes its calls over five connections, one after the other, since a connection may
share its way into the node with some of the flood's and another not: `worst_p99_ms` is the greatest
p99 of one connection.

`served_per_s` and `refused_per_s` are calls of the flood, messages for streams.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any, TypeAlias

import grpc
import grpc.aio
import numpy as np

from benchmarks import loops, node, questions
from benchmarks.datasets import make_codes
from benchmarks.loops import Measured
from benchmarks.report import Row, note, percentile_ms
from hashsvc import testpattern, translate
from hashsvc.access.directory import Directory, read_grant
from hashsvc.config import Settings
from hashsvc.store.store import Store
from hashsvc.v1 import list_service_pb2, match_service_pb2
from hashsvc.v1.list_service_pb2_grpc import ListServiceStub
from hashsvc.v1.match_service_pb2_grpc import MatchServiceStub
from hashsvc_client import Security

HELP = "a good partner's checks while another floods the node"
SMALL: Sequence[str] = ("--n", "2000", "--seconds", "3")

_GOOD, _FLOOD = "good", "flood"
_GRANTS = {_GOOD: ("check", "contribute:bench/*"), _FLOOD: ("check", "contribute:bench/*")}
_CONNECTIONS, _GOOD_CONNECTIONS = 4, 5
_BATCH = 256
_ENTRIES = 1_000
_SETTLE_S = 1.0
_OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1)]
_CONTROL = "none, the cores are busy"

Metadata = Sequence[tuple[str, str]]
Stream: TypeAlias = "grpc.aio.StreamStreamCall[Any, Any]"
Act = Callable[[grpc.aio.Channel, Metadata, Counter[str]], Coroutine[Any, Any, None]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the size of the node, the good partner's rate and for how long."""
    parser.add_argument("--n", type=int, default=10_000, help="entries (default 10,000)")
    parser.add_argument("--rate", type=float, default=50, help="good checks a second (default 50)")
    parser.add_argument("--seconds", type=float, default=15, help="of each flood (default 15)")


def run(arguments: argparse.Namespace) -> list[Row]:
    """Measure alone, beside the control, and beside each flood."""
    rng = np.random.default_rng(arguments.seed)
    codes = make_codes(arguments.n, rng)
    asked = questions.make(codes, 1_000, rng)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        keys = _set_up(data)
        with node.running(data, HASHSVC_AUTHENTICATION="true") as running:
            security = Security(api_key=keys[_GOOD])
            node.fill(running.address, codes, _ENTRIES, security=security)
            for flood in _NAMES:
                note(f"good checks beside {flood}")
                with _flooding(flood, running.address, keys[_FLOOD]) as told:
                    good = asyncio.run(_good(running.address, keys[_GOOD], asked, arguments, rng))
                rows.append(_row(flood, good, told, asked))
    control = rows[1]
    for row in rows:
        for name in ("p50", "p99"):
            row[f"{name}_to_control"] = row[f"{name}_ms"] / control[f"{name}_ms"]
    return rows


def _set_up(data: Path) -> dict[str, str]:
    """Let both partners in, and an admin, without whom no node starts; return their keys."""
    data.mkdir(mode=0o700)
    store = Store(Settings(data=data, database_url="").store_url)
    try:
        directory = Directory(store.partners)
        for partner, grants in (_GRANTS | {"hub": ("admin",)}).items():
            directory.add_partner(partner, "", map(read_grant, grants))
        return {
            partner: directory.create_key(partner, "benchmark", None)[1]
            for partner in (*_GRANTS, "hub")
        }
    finally:
        store.close()


async def _good(
    address: str,
    key: str,
    asked: questions.Questions,
    arguments: argparse.Namespace,
    rng: np.random.Generator,
) -> list[Measured]:
    """The good partner's checks, at random moments around an even rate, by connection."""
    metadata = _metadata(key)
    found = []
    for _ in range(_GOOD_CONNECTIONS):
        measured = Measured(loops.CHECK, loops.STUB, loops.OPEN, arguments.rate)
        async with grpc.aio.insecure_channel(address, options=_OWN_CONNECTION) as channel:
            match = MatchServiceStub(channel)

            ask = _asker(match, asked, metadata)

            for row in range(20):
                await ask(row)
            count = round(arguments.rate * arguments.seconds / _GOOD_CONNECTIONS)
            due = np.cumsum(rng.exponential(1 / arguments.rate, count)).tolist()
            rows = [number % len(asked) for number in range(count)]
            await loops.ask_when_due(measured, ask, rows, due)
        found.append(measured)
    return found


def _asker(match: Any, asked: questions.Questions, metadata: Metadata) -> loops.AsyncAsk:
    async def ask(row: int) -> object:
        return await match.Check(asked.requests[row], metadata=metadata)

    return ask


def _row(
    flood: str, good: Sequence[Measured], told: Counter[str], asked: questions.Questions
) -> Row:
    seconds = told.pop("microseconds", 0) / 1e6
    times = [time for connection in good for time in connection.times]
    scores = [connection.score(asked) for connection in good]
    return {
        "flood": _NAMES[flood],
        "good_calls": len(times),
        "p50_ms": percentile_ms(times, 50),
        "p99_ms": percentile_ms(times, 99),
        "worst_p99_ms": max(percentile_ms(connection.times, 99) for connection in good),
        "p50_to_control": None,
        "p99_to_control": None,
        "served_per_s": told["OK"] / seconds if seconds else None,
        "refused_per_s": (told.total() - told["OK"]) / seconds if seconds else None,
        "recall": min(score["recall"] for score in scores),
        "wrong": sum(score["wrong"] for score in scores),
    }


@contextmanager
def _flooding(flood: str, address: str, key: str) -> Iterator[Counter[str]]:
    """Flood the node from another process until the block ends, then say what it was told."""
    told: Counter[str] = Counter()
    if flood == "nothing":
        yield told
        return
    command = [sys.executable, "-m", __name__, flood, address, key]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline() != "in\n":
                raise RuntimeError(f"the flood {flood} ended at once")
            yield told
            out, _ = process.communicate("stop\n", timeout=60)
            for line in out.splitlines():
                status, _, count = line.partition(" ")
                told[status] = int(count)
        finally:
            process.kill()


# What follows runs in the process of the flood.


async def _checks(channel: grpc.aio.Channel, metadata: Metadata, told: Counter[str]) -> None:
    match = MatchServiceStub(channel)
    request = _requests(1)[0]
    await _at_once(lambda: match.Check(request, metadata=metadata), 64, told)


async def _batches(channel: grpc.aio.Channel, metadata: Metadata, told: Counter[str]) -> None:
    match = MatchServiceStub(channel)
    batch = match_service_pb2.CheckBatchRequest(checks=_requests(_BATCH))
    await _streams(lambda: match.CheckBatch(metadata=metadata), lambda: batch, told)


async def _entries(channel: grpc.aio.Channel, metadata: Metadata, told: Counter[str]) -> None:
    lists = ListServiceStub(channel)
    rng = np.random.default_rng()

    def batch() -> list_service_pb2.AddEntriesRequest:
        number = rng.integers(1 << 62)
        drafts = [node.draft(code) for code in make_codes(_ENTRIES, rng)]
        return list_service_pb2.AddEntriesRequest(
            request_id=str(number), list=node.LIST, entries=map(translate.draft_to_proto, drafts)
        )

    await _streams(lambda: lists.AddEntries(metadata=metadata), batch, told)


async def _pages(channel: grpc.aio.Channel, metadata: Metadata, told: Counter[str]) -> None:
    lists = ListServiceStub(channel)
    request = list_service_pb2.ListEntriesRequest(
        list=node.LIST, page_size=_ENTRIES, show_fingerprints=True
    )
    await _at_once(lambda: lists.ListEntries(request, metadata=metadata), 16, told)


async def _uploads(channel: grpc.aio.Channel, metadata: Metadata, told: Counter[str]) -> None:
    match = MatchServiceStub(channel)
    options = match_service_pb2.CheckMediaOptions()
    requests = [
        match_service_pb2.CheckMediaRequest(options=options),
        match_service_pb2.CheckMediaRequest(chunk=testpattern.PATH.read_bytes()),
    ]
    await _at_once(lambda: match.CheckMedia(iter(requests), metadata=metadata), 16, told)


async def _strangers(channel: grpc.aio.Channel, _: Metadata, told: Counter[str]) -> None:
    match = MatchServiceStub(channel)
    metadata = _metadata("hsk_aaaaaaaa_" + "a" * 52)
    request = _requests(1)[0]
    await _at_once(lambda: match.Check(request, metadata=metadata), 64, told)


async def _reconnects(address: str, metadata: Metadata, told: Counter[str]) -> None:
    request = _requests(1)[0]

    async def again() -> object:
        async with grpc.aio.insecure_channel(address, options=_OWN_CONNECTION) as fresh:
            return await MatchServiceStub(fresh).Check(request, metadata=metadata)

    await _at_once(again, 8, told)


def _requests(count: int) -> list[match_service_pb2.CheckRequest]:
    rng = np.random.default_rng()
    return questions.make(make_codes(0, rng), count, rng).requests


async def _at_once(
    call: Callable[[], Awaitable[object]], in_flight: int, told: Counter[str]
) -> None:
    """Keep so many calls under way."""

    async def again() -> None:
        while True:
            try:
                await call()
                told["OK"] += 1
            except grpc.RpcError as error:
                told[error.code().name] += 1

    await asyncio.gather(*(again() for _ in range(in_flight)))


async def _streams(
    call: Callable[[], Stream],
    message: Callable[[], object],
    told: Counter[str],
) -> None:
    """Keep two streams full; a message is written as soon as the node takes it."""

    async def write(stream: Stream) -> None:
        while True:
            await stream.write(message())

    async def again() -> None:
        while True:
            stream = call()
            writing = asyncio.create_task(write(stream))
            try:
                async for _ in stream:
                    told["OK"] += 1
            except grpc.RpcError as error:
                told[error.code().name] += 1
            finally:
                writing.cancel()
                await asyncio.wait([writing])

    await asyncio.gather(again(), again())


async def _burn() -> None:
    while True:
        sum(range(20_000))
        await asyncio.sleep(0)


_FLOODS: dict[str, Act] = {
    "checks": _checks,
    "strangers": _strangers,
    "batches": _batches,
    "entries": _entries,
    "pages": _pages,
    "uploads": _uploads,
}
_NAMES = {
    "nothing": "none",
    "control": _CONTROL,
    "checks": "Check, 256 in flight",
    "strangers": "Check without a good key, 256 in flight",
    "batches": f"CheckBatch of {_BATCH}, 8 streams",
    "entries": f"AddEntries of {_ENTRIES:,}, 8 streams",
    "pages": f"ListEntries of {_ENTRIES:,}, 64 in flight",
    "uploads": "CheckMedia, 64 in flight",
    "reconnects": "Check on a new connection each, 32 in flight",
}


def _metadata(key: str) -> Metadata:
    return (("authorization", f"Bearer {key}"),)


async def _flood(name: str, address: str, key: str) -> None:
    """Flood until a line comes in, then print what the node said, and how often."""
    told: Counter[str] = Counter()
    metadata = _metadata(key)
    acts: list[Coroutine[Any, Any, None]] = []
    for _ in range(_CONNECTIONS):
        if name == "control":
            acts.append(_burn())
        elif name == "reconnects":
            acts.append(_reconnects(address, metadata, told))
        else:
            channel = grpc.aio.insecure_channel(address, options=_OWN_CONNECTION)
            acts.append(_FLOODS[name](channel, metadata, told))
    tasks = [asyncio.create_task(act) for act in acts]
    await asyncio.sleep(_SETTLE_S)
    told.clear()
    start = perf_counter()
    print("in", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    counted, took = Counter(told), perf_counter() - start
    for status, count in (counted | {"microseconds": round(took * 1e6)}).items():
        print(status, count)
    sys.stdout.flush()
    for task in tasks:
        if task.done():
            task.result()
        task.cancel()
    await asyncio.wait(tasks)


if __name__ == "__main__":
    asyncio.run(_flood(*sys.argv[1:]))
