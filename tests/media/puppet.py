"""Workers that are real but for what they do with a file: that is written in the test."""

import asyncio
import os
import sys
from collections.abc import Callable, Sequence

import pytest

from hashsvc.media import Limits
from hashsvc.media.process import worker_command

_AROUND = """
import io, json, os, resource, signal
from hashsvc.errors import MediaError
from hashsvc.media import worker
from hashsvc.media.limits import out_of_memory
from hashsvc.media.scan import Seen, Span
from hashsvc.model import MediaFingerprints, MediaType

NOTHING = MediaFingerprints(MediaType.VIDEO, "none", 1, 1, None, ())
real = worker.look
warm_up = worker._warm_up
{acts}
def _warm_up():
    if {warm}:
        warm_up()
    worker.look = look

worker._warm_up = _warm_up
worker.main()
"""


def puppet(acts: str, limits: Limits | None = None, *, warm: bool = False) -> Sequence[str]:
    """The command line of a worker that looks by `look(source, limits, recipe, judge)` of `acts`.

    `real` is the worker's own, for which the decoders must be `warm`; NOTHING is a result.
    """
    text = worker_command(limits or Limits(), opens_files=True)[-2]
    return (sys.executable, "-P", "-c", _AROUND.format(acts=acts, warm=warm), text, "paths")


async def until(happened: Callable[[], object]) -> None:
    """Let the event loop turn until something is so; the test's timeout ends a wait for ever."""
    while True:
        if happened():
            return
        await asyncio.sleep(0)


def is_there(pid: int) -> bool:
    """Whether a process exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class Clock:
    """The time of the running event loop, which can be put forward."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        real = loop.time
        self.ahead_s = 0.0
        monkeypatch.setattr(loop, "time", lambda: real() + self.ahead_s)

    def forward(self, seconds: float) -> None:
        """Let so much time pass at once."""
        self.ahead_s += seconds
