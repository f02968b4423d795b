"""The demo as a whole, and what it does when something is wrong."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from hashsvc.demo import checks, report, server
from hashsvc.demo.cases import Case, Section
from hashsvc.errors import OperatorError
from hashsvc.model import Action, Outcome, Verdict
from hashsvc_client import Client


def missed(*, counted: bool) -> checks.Results:
    """One upload that should match and does not."""
    case = Case(Path("a.jpg"), "a.jpg", "half size", Outcome.MATCH, original="a.jpg")
    verdict = Verdict(Outcome.NO_MATCH, Action.ALLOW, revision="")
    result = checks.Result(case, verdict, is_right=False, hash_s=0.1, check_s=0.1)
    return [(Section("altered", (case,), counted=counted), [result])]


def test_every_verdict_is_right(tmp_path: Path) -> None:
    """The command ends with 0, says so, and leaves nothing behind."""
    ended = subprocess.run(
        [sys.executable, "-m", "hashsvc", "demo"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={"PYTHONIOENCODING": "utf-8", "TMPDIR": str(tmp_path)},
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    count = re.search(r"^(\d+) of (\d+) verdicts right", ended.stdout, re.MULTILINE)
    assert count is not None
    assert count[1] == count[2]
    assert int(count[2]) >= 30
    assert not ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_verdict_is_shown_and_fails_the_demo() -> None:
    """A miss is named, with what would have been right."""
    results = missed(counted=True)
    with report.out.capture() as captured:
        report.print_results(results)
        assert not report.print_count(results, seconds=1)
    assert "Wrong: a.jpg (half size) is NO MATCH; right is MATCH a.jpg" in captured.get()
    assert "0 of 1 verdicts right" in captured.get()


def test_sections_that_are_not_counted_do_not_fail_the_demo() -> None:
    """A known limit is no failure."""
    with report.out.capture():
        assert report.print_count(missed(counted=False), seconds=1)


def test_the_server_is_stopped_when_the_demo_fails(tmp_path: Path) -> None:
    """No server outlives the block, whatever ends it."""
    data, log = tmp_path / "data", tmp_path / "log"
    with pytest.raises(ZeroDivisionError), server.running(data, log):
        raise ZeroDivisionError
    # The folder is locked as long as a server runs on it.
    with server.running(data, log) as address, Client(address) as client:
        assert [found.name for found in client.lists()] == ["hashsvc/test"]


def test_a_server_that_does_not_start_is_quoted(tmp_path: Path) -> None:
    """Its own words say what is wrong."""
    data = tmp_path / "file"
    data.touch()
    with (
        pytest.raises(OperatorError, match="cannot use the data folder"),
        server.running(data, tmp_path / "log"),
    ):
        pass
