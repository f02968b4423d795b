"""Other people's software for the same task; none of it is needed to run the service."""

import importlib
from collections.abc import Callable
from typing import Any, TypeVar

from benchmarks import report
from benchmarks.datasets import Codes, Found

Peer = TypeVar("Peer")


class ThreatExchange:
    """PDQIndex of threatexchange; it takes and looks up hexadecimal text."""

    name = "threatexchange PDQIndex"

    def __init__(self) -> None:
        module = importlib.import_module("threatexchange.signal_type.pdq.pdq_index")
        self.index: Any = module.PDQIndex()

    def add(self, first: int, codes: Codes) -> None:
        """Add codes (n, 32) under the keys from `first` on."""
        self.index.add_all((bytes(code).hex(), first + row) for row, code in enumerate(codes))

    def search(self, code: Codes) -> Found:
        """The (key, distance) of every hit for one code (1, 32)."""
        return self.query(bytes(code[0]).hex())

    def query(self, text: str) -> Found:
        """The same for a code in hexadecimal."""
        matches = self.index.query(text)
        return {(match.metadata, match.similarity_info.distance) for match in matches}


def available(make: Callable[[], Peer]) -> Peer | None:
    """The peer, or None with a remark where its package is missing."""
    try:
        return make()
    except ImportError as missing:
        report.note(f"skipped: {missing.name} is not installed (extra `bench`)")
        return None
