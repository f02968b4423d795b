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
from hashsvc.model import Algorithm, Basis, Description, EntryDraft, Fingerprint, MediaType, Verdict
from hashsvc_client import Client

LIST = "bench/known"
COMMAND = (sys.executable, "-m", "hashsvc")

_READY = re.compile(r" is ready on (\S+)")
_START_S, _STOP_S = 300, 30
_LOG_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class Node:
    """A running node; `start_s` is from the start of the process to its word that it is ready."""

    address: str
    start_s: float


@contextmanager
def running(data: Path) -> Iterator[Node]:
    """Run `hashsvc serve` on a data folder; it is stopped at the end, whatever happens.

    Its log goes to a file beside the folder.
    """
    log = data.with_suffix(".log")
    command = [*COMMAND, "serve", "--data", str(data), "--listen", "127.0.0.1:0"]
    start = perf_counter()
    with (
        log.open("ab") as errors,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, env=environ(), text=True
        ) as process,
    ):
        try:
            address = _address(process)
            took = perf_counter() - start
            if not address:
                tail = log.read_text(encoding="utf-8", errors="replace")[-_LOG_CHARACTERS:]
                raise RuntimeError(f"the node did not start: {tail}")
            yield Node(address, took)
        finally:
            _stop(process)


def environ() -> dict[str, str]:
    """The environment without settings of hashsvc, so that the defaults are measured."""
    return {key: value for key, value in os.environ.items() if not key.startswith("HASHSVC_")}


def fill(address: str, codes: Codes, batch: int) -> None:
    """Make the list and add the codes in order, so that row r is the entry LIST#(r + 1)."""
    with Client(address) as client:
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
    return {(int(m.entry.partition("#")[2]) - 1, m.best.distance) for m in verdict.matches}


def _address(process: subprocess.Popen[str]) -> str:
    """Where the node listens, or nothing if it ends or takes too long."""
    assert process.stdout is not None
    guard = threading.Timer(_START_S, process.kill)
    guard.start()
    try:
        for line in process.stdout:
            if match := _READY.search(line):
                return match[1]
        return ""
    finally:
        guard.cancel()


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
