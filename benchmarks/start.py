"""Seconds from the start of a node's process until it is ready, and its first checks.

The folder is filled without a node, so its first start makes the index from the log. Then the node
is stopped cleanly and started again: the second start. The machine's file cache is warm, for the
files were written just before.

Each start is followed by checks, one in flight, by the raw stub over an open connection: the first
after readiness, some more, and later ones. Where the first take longer than the later ones, memory
or code was not warm.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import grpc
import numpy as np
from grpc_health.v1 import health_pb2, health_pb2_grpc

from benchmarks import filling, node, questions
from benchmarks.datasets import make_codes, score
from benchmarks.questions import Questions
from benchmarks.report import Row, note, percentile_ms
from hashsvc.v1.match_service_pb2_grpc import MatchServiceStub

HELP = "time until a node is ready, with its index to make and after a clean stop"
SMALL: Sequence[str] = ("--n", "0,50000", "--checks", "100")

_BETWEEN = 4
STARTS = ("first", "second")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this benchmark."""
    sizes = "entries, with commas between (default 0,100000,1000000)"
    parser.add_argument("--n", default="0,100000,1000000", metavar="N,...", help=sizes)
    checks = "checks timed at once, and again later (default 300)"
    parser.add_argument("--checks", type=int, default=300, help=checks)


def run(arguments: argparse.Namespace) -> list[Row]:
    """Measure every size."""
    rows: list[Row] = []
    for size in map(int, arguments.n.split(",")):
        rng = np.random.default_rng(arguments.seed)
        codes = make_codes(size, rng)
        asked = questions.make(codes, (2 + _BETWEEN) * arguments.checks, rng)
        with TemporaryDirectory() as folder:
            data = Path(folder) / "data"
            note(f"filling a node with {size:,} entries")
            filling.write(data, codes)
            rows += [
                {"n": size, "start": start, **_measure(data, asked, arguments.checks)}
                for start in STARTS
            ]
    return rows


def _measure(data: Path, asked: Questions, checks: int) -> Row:
    """Start a node, ask it, and stop it."""
    with node.running(data) as server:
        times, answers = _ask_all(server.address, asked)
    first, later = times[:checks], times[-checks:]
    return {
        "start_s": server.start_s,
        "first_p50_ms": percentile_ms(first, 50),
        "first_p99_ms": percentile_ms(first, 99),
        "later_p50_ms": percentile_ms(later, 50),
        "later_p99_ms": percentile_ms(later, 99),
        **score(asked.truth, [questions.found(answer) for answer in answers]),
    }


def _ask_all(address: str, asked: Questions) -> tuple[list[float], list[object]]:
    times: list[float] = []
    answers: list[object] = []
    with grpc.insecure_channel(address) as channel:
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        match = MatchServiceStub(channel)
        for request in asked.requests:
            start = perf_counter()
            answer = match.Check(request)
            times.append(perf_counter() - start)
            answers.append(answer)
    return times, answers
