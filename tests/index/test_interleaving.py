"""A reader between any two steps of a writer, and a writer between any two steps of a reader.

The steps are those of the interpreter: a trace function runs the other side between them, in one
thread. A reader that waited for a writer's lock would hang here.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

import hashsvc_index
from hashsvc_index import DigestIndex, HammingIndex, hamming, tail
from tests.index.support import Row, random_codes, rows

LIBRARY = str(Path(hashsvc_index.__file__).parent)
CODES = np.repeat(random_codes(np.random.default_rng(0), 50, 64), 4, axis=0)
POISON = np.full((1, 8), 255, np.uint8)


def interleaved(act: Callable[[], object], between: Callable[[int], object]) -> object:
    """Run `act`, and `between(step)` before each of its steps inside the library."""
    steps = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal steps
        if not frame.f_code.co_filename.startswith(LIBRARY):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            between(steps)
            steps += 1
        return trace

    usual = sys.gettrace()
    sys.settrace(trace)
    try:
        return act()
    finally:
        sys.settrace(usual)


def look_once(index: HammingIndex | DigestIndex) -> list[Row]:
    """Search for one code that four keys share."""
    if isinstance(index, DigestIndex):
        return rows(index.search(CODES[:1]))
    return rows(index.search(CODES[:1], 0))


def look(index: HammingIndex | DigestIndex) -> tuple[int, list[Row]]:
    """The same and the number of keys; the poison must not be found."""
    if isinstance(index, DigestIndex):
        return 0, look_once(index)
    assert len(index.search(POISON, 0)) == 0
    return len(index), look_once(index)


CHANGES: dict[str, Callable[[Any], object]] = {
    "add to one": lambda index: index.add(np.array([1]), CODES[1:2]),
    "add above": lambda index: index.add(np.array([900]), CODES[1:2]),
    "grow": lambda index: index.add(np.arange(201, 301), np.repeat(CODES[1:2], 100, axis=0)),
    "add below": lambda index: index.add(np.arange(-90, 0), np.repeat(CODES[1:2], 90, axis=0)),
    "remove one": lambda index: index.remove(np.array([2])),
    "remove": lambda index: index.remove(np.array([0, 2])),
    "compact": lambda index: index.remove(np.arange(1, 190)),
}
# DigestIndex promises a moment for each digest, not a whole batch.
SINGLE = ("add to one", "add above", "remove one")


@pytest.fixture(autouse=True)
def _poisoned_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fill new buffers with live rows that nobody added."""
    plain = tail.empty_tail

    def poisoned(width: int, capacity: int) -> Any:
        made = plain(width, capacity)
        made.codes.fill(255)
        made.keys.fill(-7)
        made.removed_at.fill(tail.NEVER)
        return made

    monkeypatch.setattr(tail, "empty_tail", poisoned)
    monkeypatch.setattr(hamming, "empty_tail", poisoned)


def filled(make: Any) -> Any:
    """Keys 0 to 199 without 1, four to a code."""
    index = make(64)
    keys = np.delete(np.arange(200), 1)
    index.add(keys, CODES[keys])
    return index


CASES = [
    *((HammingIndex, change) for change in CHANGES),
    *((DigestIndex, change) for change in SINGLE),
]


@pytest.mark.parametrize(("make", "change"), CASES)
def test_a_reader_between_the_steps_of_a_writer(make: Any, change: str) -> None:
    """It sees the state before the change, then the state after it, and nothing else."""
    index = filled(make)
    seen = [look(index)]
    interleaved(lambda: CHANGES[change](index), lambda _: seen.append(look(index)))
    before, after = seen[0], look(index)
    assert before != after
    turn = seen.index(after)
    assert turn > 1
    assert all(state == before for state in seen[:turn])
    assert all(state == after for state in seen[turn:])


@pytest.mark.parametrize(("make", "change"), CASES)
def test_a_writer_between_the_steps_of_a_reader(make: Any, change: str) -> None:
    """The reader answers with the state before the change or after it."""
    untouched, changed = filled(make), filled(make)
    CHANGES[change](changed)
    allowed = [look_once(untouched), look_once(changed)]
    counted: list[int] = []
    interleaved(lambda: look_once(untouched), counted.append)
    assert len(counted) > 20
    for moment in counted:
        index = filled(make)

        def change_once(step: int, *, index: Any = index, moment: int = moment) -> None:
            if step == moment:
                CHANGES[change](index)

        def act(*, index: Any = index) -> list[Row]:
            return look_once(index)

        assert interleaved(act, change_once) in allowed
        assert look_once(index) == allowed[1]
