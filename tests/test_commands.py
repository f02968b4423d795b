"""What runs a command within this process: it is told from a process of its own by nothing."""

import sys
from pathlib import Path

import pytest

from tests import commands, processes


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(("--version",), 0), (("certs", "init", "{folder}"), 1), (("chek",), 2)],
)
def test_a_command_ends_and_prints_as_a_process_does(
    arguments: tuple[str, ...], status: int, tmp_path: Path
) -> None:
    """What is clean, what is an error, and what is a mistake of usage; and nothing stays behind."""
    (tmp_path / "ca.key").touch()
    (tmp_path / "ca.crt").touch()
    given = [argument.format(folder=tmp_path) for argument in arguments]
    before = (sys.argv, sys.stdin, sys.stdout, sys.stderr)
    here, there = commands.hashsvc(*given), processes.hashsvc(*given)
    assert (sys.argv, sys.stdin, sys.stdout, sys.stderr) == before
    assert here.returncode == there.returncode == status
    assert here.stdout == there.stdout
    assert here.stderr.splitlines()[-1:] == there.stderr.splitlines()[-1:]
    assert bool(here.stderr) == (status != 0)


def test_a_crash_has_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command does not expect ends it with status 1, and does not end the tests."""
    monkeypatch.setattr(commands, "run", lambda: 1 // 0)
    done = commands.hashsvc("lists")
    assert done.returncode == 1
    assert done.stderr.endswith("ZeroDivisionError: integer division or modulo by zero\n")
