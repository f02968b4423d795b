"""How fresh answers are: from acknowledgement to first match, from withdrawal to no match.

One client contributes an entry, waits for its acknowledgement, and checks it until it matches; then
withdraws it and checks until it does not. Idle, and while another process contributes in bulk.
Hasher Matcher Actioner at its default intervals was seen to take 25 to 57 s, 41 s in the mean, for
the same thing; it does not run here.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import numpy as np

from benchmarks import node
from benchmarks.datasets import Codes, make_codes
from benchmarks.report import Row, note, percentile_ms
from hashsvc_client import Client, EntryDraft

HELP = "time from acknowledgement to first match, and from withdrawal to no match"
SMALL: Sequence[str] = ("--n", "1000", "--repeat", "50")

_BATCH = 1_000
_LIMIT_S = 60.0
_MOST_BATCHES = 1_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the size of the node and the number of entries timed."""
    parser.add_argument("--n", type=int, default=10_000, help="entries beforehand (default 10,000)")
    parser.add_argument("--repeat", type=int, default=300, help="entries timed (default 300)")


def run(arguments: argparse.Namespace) -> list[Row]:
    """Measure idle and under load."""
    rng = np.random.default_rng(arguments.seed)
    codes = make_codes(arguments.n + 2 * arguments.repeat, rng)
    fresh = codes[arguments.n :]
    rows = []
    with tempfile.TemporaryDirectory() as folder, node.running(Path(folder) / "data") as running:
        note(f"filling a node with {arguments.n:,} entries")
        node.fill(running.address, codes[: arguments.n], _BATCH)
        rows.append(_row("idle", running.address, fresh[: arguments.repeat]))
        note("again, while another process contributes in bulk")
        with _load(running.address, arguments.seed + 1):
            rows.append(_row("bulk contribution", running.address, fresh[arguments.repeat :]))
    return rows


def _row(load: str, address: str, codes: Codes) -> Row:
    acknowledged, matched, withdrawn, gone = [], [], [], []
    early = 0
    with Client(address) as client:
        for code in codes:
            start = perf_counter()
            (entry,) = client.add_entries(node.LIST, [node.draft(code)]).entries
            acknowledged.append(perf_counter() - start)
            waited, checks = _until(client, code, matches=True)
            matched.append(waited)
            early += checks > 1
            start = perf_counter()
            client.withdraw_entry(entry.name, "benchmark")
            withdrawn.append(perf_counter() - start)
            waited, checks = _until(client, code, matches=False)
            gone.append(waited)
            early += checks > 1
    return {
        "load": load,
        "entries": len(codes),
        "ack_p50_ms": percentile_ms(acknowledged, 50),
        "ack_to_match_p50_ms": percentile_ms(matched, 50),
        "ack_to_match_p99_ms": percentile_ms(matched, 99),
        "withdraw_p50_ms": percentile_ms(withdrawn, 50),
        "withdrawn_to_gone_p50_ms": percentile_ms(gone, 50),
        "withdrawn_to_gone_p99_ms": percentile_ms(gone, 99),
        # An answer that came before the first check could see it would be a broken promise.
        "wrong": early,
    }


def _until(client: Client, code: Codes, *, matches: bool) -> tuple[float, int]:
    """Seconds and checks until a code matches, or does not; the last check is part of it."""
    start = perf_counter()
    checks = 0
    while perf_counter() - start < _LIMIT_S:
        checks += 1
        if bool(client.check([node.fingerprint(code)]).matches) is matches:
            return perf_counter() - start, checks
    raise RuntimeError(f"not seen within {_LIMIT_S:.0f} s")


@contextmanager
def _load(address: str, seed: int) -> Iterator[None]:
    """Contribute batches of 1,000 in another process, until the block ends."""
    command = [sys.executable, "-m", __name__, address, str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()  # the first batch is in
            yield
        finally:
            process.kill()


def _contribute_for_ever(address: str, seed: int) -> None:
    def batches() -> Iterator[list[EntryDraft]]:
        rng = np.random.default_rng(seed)
        for _ in range(_MOST_BATCHES):
            yield [node.draft(code) for code in make_codes(_BATCH, rng)]

    with Client(address) as client:
        for _ in client.add_batches(node.LIST, batches()):
            print("in", flush=True)


if __name__ == "__main__":
    _contribute_for_ever(sys.argv[1], int(sys.argv[2]))
