"""The report of results, and what is said of a noisy machine."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import motion, noise
from benchmarks.__main__ import main

QUIET = {"spread": 1.1, "drift": 1.1, "load_1min_at_start": 0.0, "steal": 0.0}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a small run of the index benchmark."""
    path = tmp_path_factory.mktemp("measured") / "index.json"
    size = ("--n", "100,200", "--queries", "20", "--engines", "flat,ivf")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(motion, "_LEAST", 50)
        assert main(["index", *size, "--json", str(path)]) == 0
    return path


def report_of(folder: Path, *files: Path) -> str:
    """The text of the report of these files."""
    assert main(["results", "--out", str(folder), *map(str, files)]) == 0
    return (folder / "README.md").read_text()


def other(measured: Path, name: str, rows: list[dict[str, Any]]) -> Path:
    """A file that another benchmark might have written."""
    run = {**json.loads(measured.read_text()), "benchmark": name, "arguments": [name], "rows": rows}
    path = measured.with_name(f"{name}.json")
    path.write_text(json.dumps(run))
    return path


def test_a_report_has_everything_that_was_measured(measured: Path, tmp_path: Path) -> None:
    """Date, command line, machine, noise and tables, in the order of the benchmarks."""
    checks = other(measured, "contribute", [{"way": "Check", "n": 5, "per_s": 123.456}])
    text = report_of(tmp_path / "out", checks, measured)
    date = json.loads(measured.read_text())["date"]
    assert text.startswith(f"# Benchmarks, {date}\n")
    assert "- `python -m benchmarks index --n 100,200 --queries 20 --engines flat,ivf`\n" in text
    assert f"- {date}, commit " in text
    assert "- cpu " in text
    assert "seed 1\n" in text
    assert "- noise: cpu_ms [" in text
    assert text.index("## index") < text.index(f"### {motion.TABLE}") < text.index("## contribute")
    assert "Radius search: HammingIndex beside" in text
    assert "| way   | n | per_s |\n|-------|---|-------|\n| Check | 5 | 123   |\n" in text
    assert text.count("| faiss IndexBinaryFlat ") == 2


def test_a_run_of_all_is_split(measured: Path, tmp_path: Path) -> None:
    """Each benchmark has its section and its own columns."""
    rows = [{"benchmark": "contribute", "way": "Check"}, {"benchmark": "hashing", "size": "1080p"}]
    text = report_of(tmp_path / "out", other(measured, "all", rows))
    assert "## contribute" in text
    assert "| size  |\n|-------|\n| 1080p |\n" in text


def test_a_report_has_pictures(measured: Path, tmp_path: Path) -> None:
    """All are linked, hold text as text, and are the same the next time."""
    pytest.importorskip("matplotlib", reason="plots need matplotlib (extra `bench`)")
    text = report_of(tmp_path / "out", measured)
    pictures = {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.svg")}
    kinds = ("p50", "p99", "recall", "bytes")
    assert set(pictures) == {f"index-uniform-256-{kind}.svg" for kind in kinds}
    for name, picture in pictures.items():
        assert f"![{name.removesuffix('.svg')}]({name})" in text
        assert b"faiss IVF nprobe 16</text>" in picture
        assert b"<dc:date>" not in picture
    assert report_of(tmp_path / "again", measured) == text
    again = {path.name: path.read_bytes() for path in (tmp_path / "again").glob("*.svg")}
    assert again == pictures


def test_a_report_does_without_matplotlib(
    measured: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It says so."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "![" not in report_of(tmp_path / "out", measured)
    assert "no plots: matplotlib is not installed" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"rows": []}'])
def test_other_files_are_refused(text: str, tmp_path: Path) -> None:
    """By name."""
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(SystemExit, match=r"other\.json: "):
        main(["results", "--out", str(tmp_path / "out"), str(path)])


def test_noise_is_seen() -> None:
    """Each look adds one median; spread and drift cannot be below 1."""
    watch = noise.Watch()
    watch.probe()
    facts = watch.facts()
    assert len(facts["cpu_ms"]) == len(facts["memory_ms"]) == 2
    assert facts["spread"] >= 1
    assert facts["drift"] >= 1
    assert facts["warnings"] == noise.warnings(facts)


def test_steal_is_unknown_where_the_system_does_not_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """And is no reason for a warning then."""
    monkeypatch.setattr(noise, "_processor_ticks", list)
    assert noise.Watch().facts()["steal"] is None
    assert noise.warnings({**QUIET, "steal": None}) == []


@pytest.mark.parametrize("name", QUIET)
def test_a_noisy_machine_is_warned_of(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """For each reason alone."""
    assert noise.warnings(QUIET) == []
    facts = {**QUIET, name: 3.0}
    noise.print_warnings({**facts, "warnings": noise.warnings(facts)})
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("WARNING: noisy machine: ")
    assert "3.00" in line or "300" in line
