"""Starting: nodes that were filled without gRPC, their starts, and their own account of checks."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks import filling, node, stages
from benchmarks.datasets import make_codes
from hashsvc.model import Entry
from hashsvc.store.store import Store
from tests.benchmarks.running import rows_of
from tests.harness import NOW, check_invariants


def entries_of(url: str) -> list[Entry]:
    """The entries of the list, without the times at which they came."""
    store = Store(url)
    try:
        entries = store.get_entries(
            node.LIST, after=0, limit=100, with_withdrawn=True, with_fingerprints=True
        )
    finally:
        store.close()
    return [replace(entry, create_time=NOW, update_time=NOW) for entry in entries]


def test_the_ledger_fills_a_folder_as_contributors_do(tmp_path: Path) -> None:
    """The same entries under the same names, and tables that agree with the log."""
    codes = make_codes(30, np.random.default_rng(7))
    ways = tmp_path / "grpc", tmp_path / "ledger"
    assert filling.fill(ways[0], codes).has_run
    filling.write(ways[1], codes)
    urls = [f"sqlite:///{folder / 'hashsvc.db'}" for folder in ways]
    over_grpc, by_ledger = map(entries_of, urls)
    assert by_ledger == over_grpc
    assert [entry.fingerprints[0].value for entry in by_ledger] == [c.tobytes() for c in codes]
    check_invariants(urls[1], tmp_path)


def test_start(tmp_path: Path) -> None:
    """Both starts of each size, an empty node too, answer rightly from the first check on."""
    rows = rows_of(tmp_path, "start", "--n", "0,40", "--checks", "10")
    assert [(row["n"], row["start"]) for row in rows] == [
        (0, "first"),
        (0, "second"),
        (40, "first"),
        (40, "second"),
    ]
    assert all((row["recall"], row["wrong"]) == (1, 0) for row in rows)
    assert all(row["start_s"] > 0 and row["first_p50_ms"] > 0 for row in rows)


def test_stages_are_the_means_between_two_readings() -> None:
    """And nothing where there was no check, or where no node tells."""
    text = """
        # TYPE hashsvc_check_stage_seconds summary
        hashsvc_check_stage_seconds_count{stage="read"} %d
        hashsvc_check_stage_seconds_sum{stage="read"} %f
        # TYPE hashsvc_index_lag_records gauge
        hashsvc_index_lag_records 0
    """
    before, after = stages.parse(text % (10, 0.5)), stages.parse(text % (30, 0.502))
    mean = after.mean_us(before)
    assert round(mean["read"] or 0) == 100
    assert (mean["match"], mean["write"]) == (None, None)
    assert stages.read("") == stages.Stages({}, {})
