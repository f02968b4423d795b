"""Latency: every way of asking gives right answers, and times say what they claim to."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks import filling, latency, loops, questions
from benchmarks.datasets import Found
from benchmarks.loops import CHECK, FLOOR, ONE, OPEN, STUB, Measured
from tests.benchmarks.running import rows_of

SMALL = ("latency", "--n", "120", "--queries", "30", "--rates", "50", "--seconds", "0.2")


def test_every_way_answers_rightly(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """All but the floor are scored, and Check is held against the floor of the same load."""
    first, *rows = rows_of(tmp_path, *SMALL)
    assert first["way"] == "filled over gRPC"
    assert first["start_s"] is None
    assert first["restart_s"] > 0
    loads = [row["load"] for row in rows if row["way"] == FLOOR]
    assert loads == [ONE, loops.MANY, OPEN]
    assert all((row["recall"] is None) == (row["way"] == FLOOR) for row in rows)
    assert all((row["recall"], row["wrong"]) == (1, 0) for row in rows if row["way"] != FLOOR)
    for row in rows:
        assert (row["minus_floor_us"] is not None) == (row["way"] == CHECK)
    batches = [row for row in rows if row["way"] == "CheckBatch of 256"]
    assert [row["load"] for row in batches] == ["pipelined stream", "one message at a time"]
    assert all(row["to_unary"] > 0 for row in batches)
    timed = [row for row in rows if row["load"] != "pipelined stream"]
    assert all(row["percentiles"][-1] == [100, row["max_ms"]] for row in timed)
    assert "percentiles" not in capfd.readouterr().out


def test_a_large_node_is_filled_by_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first start makes the index from the log, and the answers are as right."""
    monkeypatch.setattr(filling, "THROUGH_GRPC_MOST", 100)
    first, *rows = rows_of(tmp_path, *SMALL)
    assert first["way"] == "filled by the ledger"
    assert first["start_s"] > 0
    assert all(row["wrong"] in (0, None) for row in rows)


def test_a_wrong_answer_is_counted() -> None:
    """Against the answer to the question of its row."""
    asked = questions.Questions([], [], truth=[{(4, 2)}, set()])
    measured = Measured(CHECK, STUB, ONE)
    wrong: Found = {(9, 9)}
    measured.keep([1, 0], [wrong, {(4, 2)}])
    assert measured.score(asked) == {"recall": 1, "wrong": 1}


async def test_a_call_that_waits_its_turn_is_timed_from_when_it_was_due(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Three calls due almost at once, by a clock that each of them moves by a second."""
    clock = [0.0]
    monkeypatch.setattr(loops, "perf_counter", lambda: clock[0])

    async def ask(row: int) -> object:
        clock[0] += 1
        return row

    measured = Measured(CHECK, STUB, OPEN)
    await loops.ask_when_due(measured, ask, rows=[5, 6, 7], due=[0, 0.001, 0.002])
    assert measured.times == [1, 1.999, 2.998]
    assert (measured.rows, measured.answers) == ([5, 6, 7], [5, 6, 7])


def test_plots_are_the_same_for_the_same_rows(tmp_path: Path) -> None:
    """One figure for each loop, with text as text and units on the axes."""
    pytest.importorskip("matplotlib", reason="needs matplotlib (extra `bench`)")
    rows: list[dict[str, Any]] = [
        {
            "way": way,
            "client": STUB,
            "load": load,
            "n": size,
            "calls": 2_000,
            "offered_per_s": rate,
            "percentiles": [[percent, 1 + percent] for percent in latency.PERCENTS],
        }
        for way in (FLOOR, CHECK)
        for size in (100, 1_000)
        for load, rate in ((ONE, None), (OPEN, 100.0), (OPEN, 300.0))
    ]
    files = latency.plot([{"way": "filled", "client": None, "load": None}, *rows], tmp_path)
    assert [file.name for file in files] == ["latency-closed.svg", "latency-open.svg"]
    before = [file.read_bytes() for file in files]
    assert all(b">latency (ms)</text>" in picture for picture in before)
    assert b">Check, 300 calls a second</text>" in before[1]
    latency.plot(rows, tmp_path)
    assert [file.read_bytes() for file in files] == before
