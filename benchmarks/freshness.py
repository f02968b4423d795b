"""How fresh answers are: from acknowledgement to first match, from withdrawal to no match.

One client contributes an entry, waits for its acknowledgement, and checks it until it matches; then
withdraws it and checks until it does not. Idle, while another process checks at a steady rate, and
while another contributes in bulk. The check that sees the entry is part of the time: its median
beyond that of one more such check is `minus_check_p50_ms`.

Hasher Matcher Actioner at its default intervals was seen to take 25 to 57 s, 41 s in the mean, for
the same thing; it does not run here.
"""

import argparse
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np

from benchmarks import loads, node
from benchmarks.datasets import Codes, make_codes
from benchmarks.report import Row, note, percentile_ms, seconds
from hashsvc_client import Client

HELP = "time from acknowledgement to first match, and from withdrawal to no match"
SMALL: Sequence[str] = ("--n", "1000", "--repeat", "50")

_BATCH = 1_000
_CHECKS_PER_S = 200
_LIMIT_S = 60.0
_LOADS = (
    (f"{_CHECKS_PER_S} checks a second", loads.CHECKS, _CHECKS_PER_S),
    ("bulk contribution", loads.ENTRIES, loads.AT_ONCE),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the size of the node and the number of entries timed."""
    parser.add_argument("--n", type=int, default=10_000, help="entries beforehand (default 10,000)")
    parser.add_argument("--repeat", type=int, default=300, help="entries timed (default 300)")


def run(arguments: argparse.Namespace) -> list[Row]:
    """Measure idle and under each load."""
    rng = np.random.default_rng(arguments.seed)
    codes = make_codes(arguments.n + (1 + len(_LOADS)) * arguments.repeat, rng)
    known, *fresh = np.split(codes, range(arguments.n, len(codes), arguments.repeat))
    rows = []
    with tempfile.TemporaryDirectory() as folder, node.running(Path(folder) / "data") as running:
        note(f"filling a node with {arguments.n:,} entries")
        node.fill(running.address, known, _BATCH)
        rows.append(_row("idle", running.address, fresh[0]))
        for (name, kind, per_s), others in zip(_LOADS, fresh[1:], strict=True):
            note(f"again, beside a load of {name}")
            with loads.beside(kind, running.address, per_s, arguments.seed + 1):
                rows.append(_row(name, running.address, others))
    return rows


def _row(load: str, address: str, codes: Codes) -> Row:
    acknowledged, matched, checked, withdrawn, gone = [], [], [], [], []
    early = 0
    with Client(address) as client:
        for code in codes:
            start = perf_counter()
            (entry,) = client.add_entries(node.LIST, [node.draft(code)]).entries
            acknowledged.append(perf_counter() - start)
            waited, checks = _until(client, code, matches=True)
            matched.append(waited)
            early += checks > 1
            checked.append(seconds(partial(client.check, [node.fingerprint(code)])))
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
        "check_p50_ms": percentile_ms(checked, 50),
        "minus_check_p50_ms": percentile_ms(matched, 50) - percentile_ms(checked, 50),
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
