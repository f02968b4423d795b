"""The `hashsvc` command, run within this process: the same code, without a start of Python each.

What a process of its own does beside that is proved by `processes.hashsvc`, and by the tests that
use it: `tests/cli/test_cli.py`, and whatever starts a server.
"""

import io
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TextIO

import pytest

from hashsvc.cli.main import run


def _pipe() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)


@dataclass(frozen=True)
class _Streams:
    """What a command reads and prints."""

    stdin: io.TextIOWrapper
    stdout: io.TextIOWrapper = field(default_factory=_pipe)
    stderr: io.TextIOWrapper = field(default_factory=_pipe)


_own: ContextVar[_Streams | None] = ContextVar("_own", default=None)
# Environment and standard streams are one for all: two commands at once would mix them up.
_alone = threading.Lock()


class _Switch:
    """A standard stream that is the command's for the command, and for nodes what it was."""

    def __init__(self, name: str, real: TextIO) -> None:
        self._name = name
        self._real = real

    def __getattr__(self, name: str) -> Any:
        own = _own.get()
        return getattr(self._real if own is None else getattr(own, self._name), name)


@cache
def _switch(name: str, real: TextIO) -> _Switch:
    """The switch of a stream, kept for good: a node may be printing when it is taken away."""
    return _Switch(name, real)


def hashsvc(
    *arguments: str | Path, server: str = "", env: Mapping[str, str] | None = None, typed: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a hashsvc command to its end, as `processes.hashsvc` does; `typed` is its stdin.

    Not for `serve`, which sets up the logs of the whole process.
    """
    assert arguments[:1] != ("serve",) or "--help" in arguments, "needs a process of its own"
    command = ["hashsvc", *(str(argument) for argument in arguments)]
    environment = {**({"HASHSVC_SERVER": server} if server else {}), **(env or {})}
    streams = _Streams(io.TextIOWrapper(io.BytesIO(typed.encode()), encoding="utf-8"))
    statuses: list[int] = []
    # A thread of its own has no event loop and no context of the test.
    thread = threading.Thread(target=lambda: statuses.append(_run(streams)), name="hashsvc")
    with _alone, _as_process(command, environment):
        thread.start()
        thread.join()
    told = (stream.buffer.getvalue().decode() for stream in (streams.stdout, streams.stderr))  # type: ignore[attr-defined]
    return subprocess.CompletedProcess(command, statuses[0], *told)


@contextmanager
def _as_process(command: list[str], environment: Mapping[str, str]) -> Iterator[None]:
    """Arguments, environment and standard streams of a command."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", command)
        # The library of the command line sets one of its own.
        patch.setattr(sys, "excepthook", sys.excepthook)
        for name in ("stdin", "stdout", "stderr"):
            patch.setattr(sys, name, _switch(name, getattr(sys, name)))
        for name, value in environment.items():
            patch.setenv(name, value)
        yield


def _run(streams: _Streams) -> int:
    """Run the command that `sys.argv` says, and give the status that it ends with."""
    _own.set(streams)
    try:
        run()
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
            return 1
        return end.code or 0
    except BaseException:
        traceback.print_exc()
        return 1
    return 0
