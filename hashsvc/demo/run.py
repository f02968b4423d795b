"""The demo from start to end."""

import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from hashsvc.demo import cases, checks, report, samples, server
from hashsvc_client import Client, ClientError

_ENDING = (signal.SIGTERM, signal.SIGHUP)


def run(*, keep: bool) -> bool:
    """Run the demo and say whether every verdict was right; `keep` keeps its folder."""
    started = time.perf_counter()
    with ends_in_order(), own_folder(keep=keep) as folder:
        report.print_start()
        contribution, results = _run_in(folder)
        report.print_results(results)
        report.print_contribution(contribution)
        is_right = report.print_count(results, seconds=time.perf_counter() - started)
        report.print_next_steps(folder if keep else None)
    return is_right


def _run_in(folder: Path) -> tuple[checks.Contribution, checks.Results]:
    uploads, log = folder / "uploads", folder / "server.log"
    uploads.mkdir()
    with report.progress() as bar:
        task = bar.add_task("starting a server", total=None)
        with server.running(folder / "data", log) as address, Client(address) as client:
            try:
                bar.update(task, description="contributing")
                contribution = checks.contribute(client, samples.files(samples.KNOWN))
                bar.update(task, description="altering copies")
                sections = cases.make(uploads)
                total = sum(len(section.cases) for section in sections)
                bar.update(task, description="checking", total=total)
                results = checks.check_all(
                    client, sections, contribution, lambda: bar.advance(task)
                )
            except ClientError:
                tail = f"the server's log ends with:\n{server.end_of(log)}"
                report.errors.print(tail, markup=False, soft_wrap=True)
                raise
    return contribution, results


@contextmanager
def own_folder(*, keep: bool) -> Iterator[Path]:
    """Make a temporary folder, and drop it at the end unless it is to be kept."""
    folder = Path(tempfile.mkdtemp(prefix="hashsvc-demo-"))
    try:
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def ends_in_order() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the demo as Ctrl-C does, so that no server is left behind."""

    def end(number: int, _: FrameType | None) -> None:
        sys.exit(128 + number)

    before = {number: signal.signal(number, end) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
