"""hashsvc as its users run it: a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.log_search import LogSearch

COMMAND = (sys.executable, "-m", "hashsvc")
MATCHED = 3

LOGS: LogSearch | None = None
"""Where the logs of these processes go, to be searched at the end of the run."""


class Serving:
    """A `hashsvc serve` process that is ready; it starts decoders when it needs them."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.log = folder.with_name(folder.name + ".log")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*COMMAND, "serve", "--data", str(folder), "--listen", "127.0.0.1:0", *arguments],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={"HASHSVC_DECODING__KEEP_READY": "0", **os.environ},
            )
        assert self.process.stdout is not None
        self.metrics_url = ""
        line = self.process.stdout.readline()
        if line.startswith("metrics on "):
            self.metrics_url = line.split()[-1]
            line = self.process.stdout.readline()
        assert " is ready on " in line, self.log.read_text()
        self.address = line.split()[-1]

    def kill(self) -> None:
        """End it as a power cut would; safe to repeat."""
        self.process.kill()
        self._wait()
        if LOGS is not None:
            LOGS.hear_file(self.log)

    def stop(self) -> int:
        """Ask it to end, and return its exit status."""
        self.process.terminate()
        return self._wait()

    def _wait(self) -> int:
        status = self.process.wait(30)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[Serving]:
    """Run `hashsvc serve` on a data folder."""
    server = Serving(folder, *arguments)
    try:
        yield server
    finally:
        server.kill()


def hashsvc(
    *arguments: str | Path, server: str = "", env: Mapping[str, str] | None = None, **kwargs: Any
) -> subprocess.CompletedProcess[str]:
    """Run a hashsvc command to its end; `env` is added to the environment."""
    environment = {**os.environ, **({"HASHSVC_SERVER": server} if server else {}), **(env or {})}
    command = [*COMMAND, *(str(argument) for argument in arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, timeout=100, **kwargs
    )


def objects(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """Read the JSON lines that a command printed."""
    return [json.loads(line) for line in done.stdout.splitlines()]
