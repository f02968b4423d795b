"""Each benchmark runs at a tiny size; what it says is asserted, how long it takes never is."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import motion, node
from benchmarks.__main__ import BENCHMARKS, main
from benchmarks.datasets import make_codes, make_queries, score, truth_of
from tests.benchmarks.running import rows_of


@pytest.mark.parametrize("bits", [256, 64])
def test_index(bits: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every exact engine finds everything, at both sizes; ours is measured in motion too."""
    monkeypatch.setattr(motion, "_LEAST", 50)
    size = ("--n", "300,500", "--queries", "20", "--bits", str(bits))
    rows = rows_of(tmp_path, "index", *size)
    engines = [row for row in rows if "engine" in row]
    assert {row["n"] for row in engines} == {300, 500}
    assert all(row["recall"] == 1 and row["wrong"] == 0 for row in engines if row["exact"])
    assert engines[0]["engine"] == "hashsvc HammingIndex"
    assert engines[0]["p50_to_ours"] == engines[0]["p99_to_ours"] == 1
    moving = [row for row in rows if row.get("table") == motion.TABLE]
    assert [row["n"] for row in moving] == [300, 500]
    assert all(row["merging_queries"] >= row["rounds"] >= 2 for row in moving)


def test_index_measures_the_engines_that_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """And ours; what is left out is said, a name that nothing has is refused."""
    monkeypatch.setattr(motion, "_LEAST", 50)
    rows = rows_of(tmp_path, "index", "--n", "100", "--queries", "5", "--engines", "flat")
    names = [row["engine"] for row in rows if "engine" in row]
    assert names == ["hashsvc HammingIndex", "faiss IndexBinaryFlat"]
    assert "left out: multihash16, " in capfd.readouterr().err
    with pytest.raises(SystemExit, match="faster is none of hashsvc, flat"):
        main(["index", "--engines", "flat,faster"])


def test_digests(tmp_path: Path) -> None:
    """Index, dict and SQLite find the planted digests and nothing else."""
    rows = rows_of(tmp_path, "digests", "--n", "300,5000", "--queries", "150")
    assert [row["n"] for row in rows] == [300] * 3 + [5000] * 3
    assert all(row["recall"] == 1 and row["wrong"] == 0 for row in rows)
    assert all(row["bytes_per_code"] > 32 for row in rows)


def test_contribute(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Both ways in keep every entry, also over a restart."""
    rows = rows_of(tmp_path, "contribute", "--n", "50", "--batch", "20")
    assert [row["kept"] for row in rows[:2]] == ["on disk, over loopback"] * 2
    assert all(row["recall"] == 1 and row["n"] == 50 for row in rows)
    assert all(row["restart_s"] > 0 and row["disk_mb"] > 0 for row in rows[:2])
    assert "| hashsvc contribute --csv " in capfd.readouterr().out


def test_freshness(tmp_path: Path) -> None:
    """The first check after an answer sees it, idle and under each load."""
    rows = rows_of(tmp_path, "freshness", "--n", "50", "--repeat", "5")
    assert [row["load"] for row in rows] == ["idle", "200 checks a second", "bulk contribution"]
    assert all(row["entries"] == 5 and row["wrong"] == 0 for row in rows)
    assert all(row["check_p50_ms"] > 0 for row in rows)


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


def test_an_approximate_engine_may_miss(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is what its row is for."""
    rows = [{"exact": False, "recall": 0.5, "wrong": 0}, {"exact": True, "recall": 1, "wrong": 0}]
    monkeypatch.setattr("benchmarks.index.run", lambda _arguments: rows)
    assert main(["index"]) == 0


def test_the_file_says_what_made_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The benchmark and its arguments, without the name of the file; and how noisy it was."""
    monkeypatch.setattr("benchmarks.index.run", lambda _arguments: [{"ran": True}])
    path = tmp_path / "results.json"
    main(["index", "--n", "7", "--json", str(path), "--seed", "3"])
    run = json.loads(path.read_text())
    assert run["benchmark"] == "index"
    assert run["arguments"] == ["index", "--n", "7", "--seed", "3"]
    assert run["noise"]["spread"] >= 1
    assert str(tmp_path) not in path.read_text()


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
