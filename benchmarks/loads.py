"""Loads that another process puts on a node while something is measured."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

import grpc
import numpy as np

from benchmarks import node, questions
from benchmarks.datasets import make_codes
from hashsvc.v1.match_service_pb2_grpc import MatchServiceStub
from hashsvc_client import Client, EntryDraft

CHECKS, ENTRIES = "checks", "entries"
"""Checks of random values, and contributions of them in batches."""

AT_ONCE = 0
"""A rate: the next as soon as there is an answer, or for a stream as soon as it is taken."""

_BATCH = 1_000
_MOST_BATCHES = 1_000
_MOST_S = 3_600


@contextmanager
def beside(kind: str, address: str, per_s: int, seed: int) -> Iterator[None]:
    """Put a load on the node from another process, until the block ends.

    `per_s` is checks or entries a second, at an even rate; after a late answer as fast as can be.
    """
    command = [sys.executable, "-m", __name__, kind, address, str(per_s), str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            if not process.stdout.readline():  # the first answer is there
                raise RuntimeError(f"the load of {kind} ended at once")
            yield
            if process.poll() is not None:
                raise RuntimeError(f"the load of {kind} ended early")
        finally:
            process.kill()


def _contribute(address: str, per_s: int, rng: np.random.Generator) -> None:
    # Two batches a second, where a rate is asked for: smaller ones would be no bulk.
    size = min(_BATCH, per_s // 2) if per_s else _BATCH
    count = 2 * _MOST_S if per_s else _MOST_BATCHES

    def batches() -> Iterator[list[EntryDraft]]:
        start = perf_counter()
        for number in range(count):
            yield [node.draft(code) for code in make_codes(size, rng)]
            if per_s:
                _wait_until(start + (number + 1) * size / per_s)

    with Client(address) as client:
        for number, _ in enumerate(client.add_batches(node.LIST, batches())):
            if number == 0:
                print("in", flush=True)


def _check(address: str, per_s: int, rng: np.random.Generator) -> None:
    asked = questions.make(make_codes(0, rng), _BATCH, rng)
    with grpc.insecure_channel(address) as channel:
        match = MatchServiceStub(channel)
        start = perf_counter()
        for number in range(per_s * _MOST_S):
            match.Check(asked.requests[number % len(asked)])
            if number == 0:
                print("in", flush=True)
            _wait_until(start + (number + 1) / per_s)


def _wait_until(moment: float) -> None:
    time.sleep(max(0.0, moment - perf_counter()))


_RUNS = {CHECKS: _check, ENTRIES: _contribute}

if __name__ == "__main__":
    _RUNS[sys.argv[1]](sys.argv[2], int(sys.argv[3]), np.random.default_rng(int(sys.argv[4])))
