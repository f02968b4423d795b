"""Digests of a file's bytes: what matches the very same file, readable or not."""

import hashlib
from typing import BinaryIO

from hashsvc.model import Algorithm, Fingerprint

CHUNK_BYTES = 1024 * 1024
"""How much is read at a time."""


class Digester:
    """Takes a file's bytes piece by piece."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)
        self.size_bytes = 0

    def update(self, piece: bytes | memoryview) -> None:
        """Add the next bytes of the file."""
        self._sha256.update(piece)
        self._md5.update(piece)
        self.size_bytes += len(piece)

    def fingerprints(self) -> tuple[Fingerprint, Fingerprint]:
        """SHA-256, then MD5, of what was added so far."""
        return (
            Fingerprint(Algorithm.SHA256, self._sha256.digest()),
            Fingerprint(Algorithm.MD5, self._md5.digest()),
        )


def digests(source: BinaryIO) -> tuple[Fingerprint, Fingerprint]:
    """SHA-256, then MD5, of `source` from where it stands to its end."""
    digester = Digester()
    while piece := source.read(CHUNK_BYTES):
        digester.update(piece)
    return digester.fingerprints()
