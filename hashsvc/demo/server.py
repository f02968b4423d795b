"""Servers of the demo's own, each in a process of its own."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from hashsvc.errors import OperatorError

_ANY_PORT = "127.0.0.1:0"
_READY = " is ready on "
_START_S = 60.0
_STOP_S = 15.0
_LOG_LINES = 20


@contextmanager
def running(data: Path, log: Path, listen: str = _ANY_PORT) -> Iterator[str]:
    """Run a server on this machine; yields its address once it is ready.

    Raises:
        OperatorError: it does not start; the message has the end of its log.
    """
    with starting(data, log, listen) as ready:
        yield ready()


@contextmanager
def starting(data: Path, log: Path, listen: str = _ANY_PORT) -> Iterator[Callable[[], str]]:
    """The same, but yields at once: what it yields waits until it is ready; call that once."""
    command = [sys.executable, "-m", "hashsvc", "serve", "--data", str(data), "--listen", listen]
    # The demo shows the defaults, whatever this shell has set for another node.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HASHSVC_")}
    with (
        log.open("ab") as stderr,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=stderr, env=environment, text=True
        ) as process,
    ):
        try:
            yield partial(_address, process, log)
        finally:
            _stop(process)


def end_of(log: Path) -> str:
    """Return the last lines of a log."""
    lines = log.read_text(errors="replace").splitlines()
    return "\n".join(f"  {line}" for line in lines[-_LOG_LINES:])


def _address(process: subprocess.Popen[str], log: Path) -> str:
    assert process.stdout is not None
    hurry = threading.Timer(_START_S, process.kill)
    hurry.start()
    try:
        for line in process.stdout:
            if _READY in line:
                return line.rpartition(_READY)[2].strip()
    finally:
        hurry.cancel()
    raise OperatorError(f"the server did not start; it said:\n{end_of(log)}")


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_S)
    finally:
        process.kill()
