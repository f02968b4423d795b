"""Searches all that nodes logged in a run of the tests for what they were given.

Nodes in this process are heard by a structlog processor and a logging handler, nodes in processes
of their own by their stderr. What they were given is heard where requests become fingerprints.
Looked for is each value in hexadecimal, in base64 and as Python shows bytes, any API key, and,
whatever it stands for, any long run of hexadecimal digits.
"""

import base64
import logging
import re
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Any

import structlog

from hashsvc import translate
from hashsvc.model import Fingerprint

_HEX = re.compile(r"(?i)[0-9a-f]{16,}")
# The decimals of a number are no value; nor are the names of an index's files, segment-, rest- and
# 16 random digits.
_STRAY = re.compile(r"(?i)(?<![0-9a-z-])(?<!\d\.)[0-9a-f]{16,}\b")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{10,}={0,2}")
_BYTES = re.compile(r"b'(?:[^'\\]|\\.)*'|b\"(?:[^\"\\]|\\.)*\"")


class LogSearch:
    """What was logged, and what must not have been."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.values: set[bytes] = set()

    def listen(self) -> None:
        """Hear all nodes of this process, for good."""
        processors = list(structlog.get_config()["processors"])
        structlog.configure(processors=[*processors[:-1], self._event, processors[-1]])
        handler = logging.Handler()
        handler.emit = lambda record: self.lines.append(record.getMessage())  # type: ignore[method-assign]
        logging.getLogger().addHandler(handler)
        self._hear(translate, "fingerprint_from_proto", self._fingerprint)

    def hear_file(self, path: Path) -> None:
        """Take in what a node in a process of its own wrote."""
        self.lines += path.read_text(encoding="utf-8", errors="replace").splitlines()

    def found(self) -> list[str]:
        """The lines that say what they must not, each with why."""
        hexes = {value.hex() for value in self.values}
        shown = {repr(value) for value in self.values}
        coded = {base64.b64encode(value).decode() for value in self.values}
        return [
            f"{why}: {line}"
            for line in self.lines
            for why in (
                "a value" if not hexes.isdisjoint(map(str.lower, _HEX.findall(line))) else "",
                "a long hexadecimal number" if _STRAY.search(line) else "",
                "a value in base64" if not coded.isdisjoint(_BASE64.findall(line)) else "",
                "a value as bytes" if not shown.isdisjoint(_BYTES.findall(line)) else "",
                "an API key" if "hsk_" in line else "",
            )
            if why
        ]

    def _event(self, _: Any, __: str, event: Any) -> Any:
        self.lines.append(repr(event))
        return event

    def _fingerprint(self, made: Fingerprint) -> None:
        self.values.add(made.value)

    def _hear(self, module: Any, name: str, take: Callable[[Any], object]) -> None:
        real = getattr(module, name)

        @wraps(real)
        def heard(*arguments: Any, **named: Any) -> Any:
            made = real(*arguments, **named)
            take(made)
            return made

        setattr(module, name, heard)


def report(found: Iterable[str]) -> list[str]:
    """The first lines, short enough to read."""
    return [line[:300] for line in found][:20]
