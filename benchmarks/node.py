"""A real node in a process of its own, with default settings, on a free loopback port."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from benchmarks.datasets import Codes, Found
from hashsvc.model import (
    Algorithm,
    Basis,
    Description,
    EntryDraft,
    Fingerprint,
    MediaType,
    Outcome,
    Verdict,
)
from hashsvc_client import Client, Security

LIST = "bench/known"
COMMAND = (sys.executable, "-m", "hashsvc")

_METRICS = re.compile(r"metrics on (\S+)")
_READY = re.compile(r" is ready on (\S+)")
_START_S, _STOP_S = 1_800, 300  # far beyond what is expected: end a run that hangs
_LOG_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class Node:
    """A running node; `start_s` is from the start of the process to its word that it is ready.

    `metrics_url` is where it tells its metrics, or empty.
    """

    address: str
    metrics_url: str
    start_s: float


@contextmanager
def running(data: Path, *, metrics: bool = False, **settings: str) -> Iterator[Node]:
    """Run `hashsvc serve` on a data folder; it is stopped at the end, whatever happens.

    Its log goes to a file beside the folder. `settings` are of its environment.
    """
    settings |= {"HASHSVC_METRICS": "127.0.0.1:0"} if metrics else {}
    log = data.with_suffix(".log")
    command = [*COMMAND, "serve", "--data", str(data), "--listen", "127.0.0.1:0"]
    start = perf_counter()
    with (
        log.open("ab") as errors,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, env=environ() | settings, text=True
        ) as process,
    ):
        try:
            said = _said_until_ready(process)
            took = perf_counter() - start
            ready, metrics_on = _READY.search(said), _METRICS.search(said)
            if not ready:
                tail = log.read_text(encoding="utf-8", errors="replace")[-_LOG_CHARACTERS:]
                raise RuntimeError(f"the node did not start: {tail}")
            yield Node(ready[1], metrics_on[1] if metrics_on else "", took)
        finally:
            _stop(process)


def environ() -> dict[str, str]:
    """The environment without settings of hashsvc, so that the defaults are measured."""
    return {key: value for key, value in os.environ.items() if not key.startswith("HASHSVC_")}


def fill(address: str, codes: Codes, batch: int, *, security: Security | None = None) -> None:
    """Make the list and add the codes in order, so that row r is the entry LIST#(r + 1)."""
    with Client(address, security=security) as client:
        client.create_list(LIST)
        batches = (codes[first : first + batch] for first in range(0, len(codes), batch))
        drafts = ([draft(code) for code in some] for some in batches)
        added = sum(len(answer.entries) for answer in client.add_batches(LIST, drafts))
    if added != len(codes):
        raise RuntimeError(f"{added:,} of {len(codes):,} entries were acknowledged")


def draft(code: Codes) -> EntryDraft:
    """An entry of one PDQ value."""
    description = Description(labels=("propaganda",), basis=Basis.RESEARCH)
    return EntryDraft(MediaType.IMAGE, (fingerprint(code),), description)


def fingerprint(code: Codes) -> Fingerprint:
    """A PDQ value of the best quality."""
    return Fingerprint(Algorithm.PDQ, code.tobytes(), quality=100)


def found(verdict: Verdict) -> Found:
    """The rows that a verdict names, with their distances."""
    if verdict.outcome is Outcome.UNDETERMINED:
        raise RuntimeError(f"a check was not answered: {verdict.reason} {verdict.detail}")
    return {
        (int(match.entry.partition("#")[2]) - 1, match.evidence[0].distance)
        for match in verdict.matches
    }


def _said_until_ready(process: subprocess.Popen[str]) -> str:
    """What the node prints until it is ready, ends, or takes too long."""
    assert process.stdout is not None
    guard = threading.Timer(_START_S, process.kill)
    guard.start()
    try:
        said = ""
        for line in process.stdout:
            said += line
            if _READY.search(line):
                break
        return said
    finally:
        guard.cancel()


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
