"""Checks of fingerprints over gRPC against a real node in a process of its own.

The floor is the standard health Check, an empty call that the same server answers in the same run
under the same load; `minus_floor_us` is what a call takes beyond it, in the median. Check is made
by the raw generated stub with requests prepared beforehand (what the server costs), and by
`hashsvc_client` (what a Python caller sees). `to_unary` is the rate as a multiple of that of one
blocking Check after the other by the same client. The peer is called in this process: no network,
no verdict, no policy.

| load | what it says |
|---|---|
| one in flight | the time of a call when the node has nothing else to do |
| 16 in flight | how many calls a second this machine makes, client and server together |
| pipelined stream, one message at a time | `CheckBatch`; its times are those of whole messages |
| open loop | the time of a call at a steady rate |

A client that waits for one answer before it asks again never sees the queue that it would have
stood in (coordinated omission). In the open loop every call has its moment, at random around an
even rate, and its time runs from that moment, late starts included. Client and server share the
machine's cores.

The node is started again after it was filled and then measured: `restart_s`. `start_s` is the first
start, which makes the index from the log; a node that was filled over gRPC had no such start.
`server_*_us` is the server's own account of all Checks with one in flight: mean microseconds to
read the request, to match, and to write the verdict.
"""

import argparse
import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import faiss as typed_faiss
import numpy as np

from benchmarks import filling, latency_plot, loops, node, peers, questions, stages
from benchmarks.datasets import Codes, make_codes
from benchmarks.loops import CHECK, FLOOR, ONE, STUB, Measured
from benchmarks.questions import Questions
from benchmarks.report import Row, note, percentile_ms

faiss: Any = typed_faiss

HELP = "checks against a real node in every way of asking, beside an empty call and threatexchange"
SMALL: Sequence[str] = ("--n", "10000", "--queries", "500", "--rates", "100,300", "--seconds", "2")

PERCENTS = (0, 50, 75, 90, 95, 99, 99.5, 99.9, 99.99, 100)
"""Of these each row has (percent, milliseconds) under `percentiles`, beside the table's columns."""

PEER_MOST = 1_000_000
_SHOWN = {"p50_ms": 50, "p90_ms": 90, "p99_ms": 99, "p99.9_ms": 99.9, "max_ms": 100}
_COLUMNS = (
    *("way", "client", "load", "n", "offered_per_s", "calls", "per_s", *_SHOWN),
    *("minus_floor_us", "to_unary", *(f"server_{stage}_us" for stage in stages.STAGES)),
    *("recall", "wrong", "start_s", "restart_s"),
)

plot = latency_plot.plot


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this benchmark."""
    sizes = "entries, with commas between (default 10000,100000)"
    parser.add_argument("--n", default="10000,100000", metavar="N,...", help=sizes)
    parser.add_argument("--queries", type=int, default=3_000, help="queries (default 3000)")
    rates = "calls a second of the open loop (default 100,300,600)"
    parser.add_argument("--rates", default="100,300,600", metavar="R,...", help=rates)
    parser.add_argument("--seconds", type=float, default=5, help="of each open loop (default 5)")


def run(arguments: argparse.Namespace) -> list[Row]:
    """Measure every size."""
    rates = [float(rate) for rate in arguments.rates.split(",")]
    rows: list[Row] = []
    for size in map(int, arguments.n.split(",")):
        rng = np.random.default_rng(arguments.seed)
        codes = make_codes(size, rng)
        asked = questions.make(codes, arguments.queries, rng)
        with TemporaryDirectory() as folder:
            rows += _measure(Path(folder) / "data", codes, asked, rates, arguments.seconds, rng)
    return rows


def _measure(
    data: Path,
    codes: Codes,
    asked: Questions,
    rates: Sequence[float],
    seconds: float,
    rng: np.random.Generator,
) -> list[Row]:
    """Fill a node, start it again, and ask it in every way."""
    filled = filling.fill(data, codes)
    start_s = None if filled.has_run else _start_s(data)
    peer = peers.available(peers.ThreatExchange) if len(codes) <= PEER_MOST else None
    if peer is not None:
        peer.add(0, codes)
    with _one_thread(), node.running(data, metrics=True) as server:
        note(f"asking a node with {len(codes):,} entries")
        loops.warm_up(server.address, asked)
        before = stages.read(server.metrics_url)
        measured = loops.one_in_flight(server.address, asked, peer, rng)
        spent = stages.read(server.metrics_url).mean_us(before)
        measured += asyncio.run(loops.many_in_flight(server.address, asked, rng))
        measured += loops.in_batches(server.address, asked)
        for rate in rates:
            measured += asyncio.run(loops.at_rate(server.address, asked, rate, seconds, rng))
    rows = [_row(one, measured, asked) for one in measured]
    for row in rows:
        row["n"] = len(codes)
        if (row["way"], row["client"], row["load"]) == (CHECK, STUB, ONE):
            row.update({f"server_{stage}_us": mean for stage, mean in spent.items()})
    # The first row names the columns of the table, and has no percentiles.
    first = {"way": filled.way, "n": len(codes), "per_s": filled.per_s}
    starts = {"start_s": start_s, "restart_s": server.start_s}
    return [dict.fromkeys(_COLUMNS) | first | starts, *rows]


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let the peer use one thread: its idle ones would spin on cores that the server needs."""
    most = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(most)


def _start_s(data: Path) -> float:
    with node.running(data) as server:
        return server.start_s


def _row(this: Measured, measured: Sequence[Measured], asked: Questions) -> Row:
    floor = _find(measured, FLOOR, STUB, this)
    unary = None if this.load == loops.OPEN else _find(measured, CHECK, this.client)
    row: Row = {
        "way": this.way,
        "client": this.client,
        "load": this.load,
        "offered_per_s": this.offered_per_s,
        "calls": len(this.times) or None,
        "per_s": this.per_s,
        "to_unary": this.per_s / unary.per_s if unary and this.way != FLOOR else None,
        **this.score(asked),
    }
    if this.times:
        row |= {name: percentile_ms(this.times, percent) for name, percent in _SHOWN.items()}
        row["percentiles"] = [(percent, percentile_ms(this.times, percent)) for percent in PERCENTS]
    if floor is not None and this is not floor and this.client != loops.IN_PROCESS:
        gap = percentile_ms(this.times, 50) - percentile_ms(floor.times, 50)
        row["minus_floor_us"] = gap * 1e3
    return dict.fromkeys(_COLUMNS) | row


def _find(
    measured: Sequence[Measured], way: str, client: str, like: Measured | None = None
) -> Measured | None:
    """The one of that way and client under the same load as another, or with one in flight."""
    load = (like.load, like.offered_per_s) if like else (ONE, None)
    wanted = (way, client, *load)
    return next((m for m in measured if (m.way, m.client, m.load, m.offered_per_s) == wanted), None)
