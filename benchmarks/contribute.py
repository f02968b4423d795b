"""Contributing a CSV of hashes to a real node, until every entry is durable and matchable.

`hashsvc contribute` is timed from the start of its process to its end. The client library sends
the same entries from this process to a node of its own. Then a sample is checked, the node is
stopped and started again, and the sample is checked once more: `recall` is the worse of the two.

`fsync_ms` is the median time of one small synced write in the same folder: a batch is
acknowledged after its transaction is on disk. `empty_start_s` is the start of a node without data,
which the restart with data can be compared with.

The peer holds the hashes in memory only: nothing of it is durable and nothing goes over a network.
"""

import argparse
import os
import subprocess
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np

from benchmarks import node, peers, report
from benchmarks.datasets import Codes, Found, make_codes, score
from hashsvc_client import Client

HELP = "contribute N hashes to a real node and start it again, beside threatexchange in memory"
SMALL: Sequence[str] = ("--n", "20000")
SAMPLE = 200
SYNCS = 20

_BASE_S, _ENTRIES_PER_S = 60, 100  # far beyond what is expected: ends a run that hangs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this benchmark."""
    parser.add_argument("--n", type=int, default=100_000, help="hashes (default 100000)")
    text = "entries a message and transaction, of the client library (default 1000)"
    parser.add_argument("--batch", type=int, default=1_000, help=text)


def run(arguments: argparse.Namespace) -> list[report.Row]:
    """Measure each way in."""
    rng = np.random.default_rng(arguments.seed)
    codes = make_codes(arguments.n, rng)
    sample = rng.choice(len(codes), min(SAMPLE, len(codes)), replace=False)
    ways: dict[str, Callable[[str, Path], None]] = {
        "hashsvc contribute --csv": lambda address, csv: contribute(address, csv, len(codes)),
        f"hashsvc client library, batches of {arguments.batch:,}": lambda address, _: node.fill(
            address, codes, arguments.batch
        ),
    }
    rows = []
    for way, send in ways.items():
        with TemporaryDirectory() as folder:
            rows.append({"way": way, **measure(send, codes, sample, Path(folder))})
    peer = peers.available(peers.ThreatExchange)
    if peer is not None:
        rows.append({"way": peer.name, **measure_peer(peer, codes, sample)})
    for row in rows:
        row["speed_to_first"] = row["per_s"] / rows[0]["per_s"]
    return rows


def measure(
    send: Callable[[str, Path], None],
    codes: Codes,
    sample: report.Numbers,
    folder: Path,
) -> report.Row:
    """Fill a new node, check a sample, and start the node again."""
    csv = folder / "hashes.csv"
    write_csv(csv, codes)
    data = folder / "data"
    fsync_ms = report.percentile_ms(sync_times(folder / "synced"), 50)
    with node.running(data) as empty:
        took = report.seconds(partial(send, empty.address, csv))
        before = look_up(empty.address, codes, sample)
    size = sum(path.stat().st_size for path in data.iterdir())
    with node.running(data) as again:
        after = look_up(again.address, codes, sample)
    truth: list[Found] = [{(row, 0)} for row in sample.tolist()]
    return {
        "kept": "on disk, over loopback",
        "n": len(codes),
        "seconds": took,
        "per_s": len(codes) / took,
        "recall": min(score(truth, found)["recall"] for found in (before, after)),
        "restart_s": again.start_s,
        "empty_start_s": empty.start_s,
        "disk_mb": size / 1e6,
        "fsync_ms": fsync_ms,
    }


def measure_peer(peer: peers.ThreatExchange, codes: Codes, sample: report.Numbers) -> report.Row:
    """Build the peer's index from hexadecimal text that is already in memory."""
    entries = [(code.tobytes().hex(), row) for row, code in enumerate(codes)]
    took = report.seconds(lambda: peer.index.add_all(entries))
    truth: list[Found] = [{(row, 0)} for row in sample.tolist()]
    answers = [peer.query(entries[row][0]) for row in sample.tolist()]
    return {
        "kept": "in memory only, no network",
        "n": len(codes),
        "seconds": took,
        "per_s": len(codes) / took,
        "recall": score(truth, answers)["recall"],
    }


def contribute(address: str, csv: Path, count: int) -> None:
    """Run the real command."""
    options = ["--list", node.LIST, "--label", "propaganda", "--basis", "research"]
    command = [*node.COMMAND, "contribute", *options, "--csv", str(csv), "--server", address]
    done = subprocess.run(
        command,
        env=node.environ(),
        timeout=_BASE_S + count / _ENTRIES_PER_S,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"hashsvc contribute ended with {done.returncode}: {done.stderr}")


def write_csv(path: Path, codes: Codes) -> None:
    """One PDQ value a row, in the order of the codes."""
    with path.open("w", encoding="ascii") as file:
        file.write("algorithm,value,quality\n")
        file.writelines(f"pdq,{code.tobytes().hex()},100\n" for code in codes)


def look_up(address: str, codes: Codes, sample: report.Numbers) -> list[Found]:
    """What the node finds for the values of these rows."""
    with Client(address) as client:
        return [node.found(client.check([node.fingerprint(codes[row])])) for row in sample]


def sync_times(path: Path) -> list[float]:
    """Seconds of a few synced writes of a page."""
    times = []
    with path.open("wb", buffering=0) as file:
        for _ in range(SYNCS):
            start = perf_counter()
            file.write(bytes(4096))
            os.fsync(file.fileno())
            times.append(perf_counter() - start)
    return times
