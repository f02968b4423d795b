"""The test vectors: small media with the fingerprints that any sound hasher makes of them.

`vectors/README.md` says for clients in other languages how each value is defined. The same values
are entries of the built-in list, so that a client can hold its own hashing against a node's.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hashsvc.model import (
    Algorithm,
    Basis,
    Description,
    EntryDraft,
    Fingerprint,
    MediaType,
)

FOLDER = Path(__file__).parent / "vectors"
"""The media, and `vectors.json`."""


@dataclass(frozen=True, slots=True)
class Expected:
    """One value, and by how many bits a sound decoder may miss it (0 for digests)."""

    fingerprint: Fingerprint
    tolerance_bits: int


@dataclass(frozen=True, slots=True)
class Vector:
    """A file and its values.

    `mistakes` says of other values of its PDQ, by value, what made them. `may_be_scaled`: it is
    large enough for a fast decoder to scale it, or a video, of which that takes the luma alone.
    """

    name: str
    path: Path
    media_type: MediaType
    expected: tuple[Expected, ...]
    mistakes: Mapping[bytes, str]
    may_be_scaled: bool

    @property
    def label(self) -> str:
        """The label of its entry in the built-in list."""
        return f"test_vector.{self.name}"

    def entry(self) -> EntryDraft:
        """Its entry in the built-in list."""
        description = Description(
            labels=("test_vector", self.label), basis=Basis.RESEARCH, note="Not terrorist media."
        )
        fingerprints = tuple(expected.fingerprint for expected in self.expected)
        return EntryDraft(self.media_type, fingerprints, description)


@dataclass(frozen=True, slots=True)
class Vectors:
    """All of them; `fast_tolerance_bits` is how far PDQ may be moved by fast decoding."""

    vectors: tuple[Vector, ...]
    fast_tolerance_bits: int


@cache
def load() -> Vectors:
    """Read `vectors.json`."""
    document = json.loads((FOLDER / "vectors.json").read_text(encoding="utf-8"))
    return Vectors(tuple(map(_vector, document["vectors"])), document["fast_tolerance_bits"])


def _vector(content: Mapping[str, Any]) -> Vector:
    return Vector(
        name=content["name"],
        path=FOLDER / content["file"],
        media_type=MediaType(content["media_type"]),
        expected=tuple(map(_expected, content["expected"])),
        mistakes={bytes.fromhex(m["value"]): m["cause"] for m in content["mistakes"]},
        may_be_scaled=content["may_be_scaled"],
    )


def _expected(content: Mapping[str, Any]) -> Expected:
    fingerprint = Fingerprint(
        algorithm=Algorithm(content["algorithm"]),
        value=bytes.fromhex(content["value"]),
        quality=content["quality"],
        time_ms=content["time_ms"],
        variant=content["variant"],
    )
    return Expected(fingerprint, content["tolerance_bits"])
