"""Each benchmark runs at a tiny size; what it says is asserted, how long it takes never is."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import node
from benchmarks.__main__ import BENCHMARKS, main
from benchmarks.datasets import make_codes, make_queries, score, truth_of


def rows_of(tmp_path: Path, *arguments: str) -> list[dict[str, Any]]:
    """Run one benchmark and return the rows of its JSON file."""
    path = tmp_path / "results.json"
    assert main([*arguments, "--seed", "7", "--json", str(path)]) == 0
    document = json.loads(path.read_text())
    assert document["environment"]["seed"] == 7
    rows: list[dict[str, Any]] = document["rows"]
    return rows


def test_index(tmp_path: Path) -> None:
    """Every engine finds everything, at both sizes."""
    rows = rows_of(tmp_path, "index", "--n", "300,500", "--queries", "20")
    assert {row["n"] for row in rows} == {300, 500}
    assert all(row["recall"] == 1 and row["wrong"] == 0 for row in rows)


def test_contribute(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Both ways in keep every entry, also over a restart."""
    rows = rows_of(tmp_path, "contribute", "--n", "50", "--batch", "20")
    assert [row["kept"] for row in rows[:2]] == ["on disk, over loopback"] * 2
    assert all(row["recall"] == 1 and row["n"] == 50 for row in rows)
    assert all(row["restart_s"] > 0 and row["disk_mb"] > 0 for row in rows[:2])
    assert "| hashsvc contribute --csv " in capfd.readouterr().out


def test_check(tmp_path: Path) -> None:
    """Every way of asking finds every planted value and nothing else."""
    rows = rows_of(tmp_path, "check", "--n", "120", "--queries", "30")
    ways = [row["way"] for row in rows]
    assert ways.count("empty call (health Check)") == ways.count("Check") == 2
    assert "CheckBatch of 256" in ways
    asking = [row for row in rows if row["recall"] is not None]
    assert len(asking) == len(rows) - 2
    assert all(row["recall"] == 1 and row["wrong"] == 0 for row in asking)


def test_latency(tmp_path: Path) -> None:
    """Every call is made and answered rightly, the empty ones too."""
    rows = rows_of(tmp_path, "latency", "--n", "100", "--rates", "50", "--seconds", "0.5")
    assert [row["call"] for row in rows] == ["empty call (health Check)", "Check"]
    assert (rows[1]["recall"], rows[1]["wrong"]) == (1, 0)
    assert all(row["p50_ms"] <= row["p99.9_ms"] for row in rows)


def test_freshness(tmp_path: Path) -> None:
    """The first check after an answer sees it, idle and under load."""
    rows = rows_of(tmp_path, "freshness", "--n", "50", "--repeat", "5")
    assert [row["load"] for row in rows] == ["idle", "bulk contribution"]
    assert all(row["entries"] == 5 and row["wrong"] == 0 for row in rows)


def test_all_runs_each_with_its_small_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows say which benchmark they are of; the small arguments are valid ones."""
    for name in BENCHMARKS:
        monkeypatch.setattr(f"benchmarks.{name}.run", lambda _arguments: [{"ran": True}])
    rows = rows_of(tmp_path, "all")
    assert [row["benchmark"] for row in rows] == list(BENCHMARKS)


def test_a_missed_match_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit status is 1."""
    monkeypatch.setattr("benchmarks.index.run", lambda _arguments: [{"recall": 0.5, "wrong": 0}])
    assert main(["index"]) == 1


def test_score_counts_missed_and_invented_hits() -> None:
    """Against planted queries."""
    rng = np.random.default_rng(1)
    codes = make_codes(50, rng)
    truth = truth_of(codes, make_queries(codes, 200, rng))
    assert sum(map(len, truth)) == 2
    assert score(truth, truth) == {"recall": 1.0, "wrong": 0}
    assert score(truth, [set() for _ in truth]) == {"recall": 0.0, "wrong": 0}
    assert score(truth, [found | {(0, 99)} for found in truth]) == {"recall": 1.0, "wrong": 200}


def test_a_node_that_cannot_start_is_reported(tmp_path: Path) -> None:
    """With the end of its log."""
    (tmp_path / "data").write_text("a file, not a folder")
    with pytest.raises(RuntimeError, match="data"), node.running(tmp_path / "data"):
        pass
