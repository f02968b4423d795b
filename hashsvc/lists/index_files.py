"""The indexes on disk: opened at start, saved now and then. Nothing in them is trusted.

Each index is one folder of the index library, which checks what it opens. Here it is also held
against the log: it is used only if it was made by the same rules from this log, of which it knows
the record at its position by digest. In every other case it is made again from the log.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import structlog

from hashsvc.model import Algorithm
from hashsvc.store.store import Store
from hashsvc_index import CodeIndexError, DigestIndex, HammingIndex, Snapshot

_log = structlog.get_logger()

Index = HammingIndex | DigestIndex

# To be raised when other fingerprints than before are indexed, or by other keys.
_RULES = 3


class IndexFiles:
    """Opens and saves the indexes of a node in a folder; one folder inside for each algorithm."""

    def __init__(self, folder: Path, store: Store, *, min_pdq_quality: int) -> None:
        self._folder = folder
        self._store = store
        self._made_by = f"rules {_RULES}, PDQ of quality {min_pdq_quality} or more"

    def open(self, algorithm: Algorithm) -> Index:
        """Return the saved index, or an empty one where there is none that fits the log."""
        kind = _kind(algorithm)
        folder = self._folder / algorithm.value
        try:
            if not folder.exists():
                return kind(algorithm.bits)
            index = kind.open(folder, bits=algorithm.bits)
        except (CodeIndexError, OSError) as error:
            _log.warning("index rebuilt", algorithm=algorithm.value, because=str(error))
            return kind(algorithm.bits)
        if index.about != self._about(algorithm, self._log_until(index.revision)):
            _log.warning("index rebuilt", algorithm=algorithm.value, because="of another log")
            index.close()
            return kind(algorithm.bits)
        return index

    def save(self, moments: Mapping[Algorithm, tuple[Index, Snapshot]], position: int) -> None:
        """Save what the indexes were when they had reached a position of the log.

        Raises:
            OSError: the disk.
        """
        log = self._log_until(position)
        for algorithm, (index, snapshot) in moments.items():
            folder = self._folder / algorithm.value
            about = self._about(algorithm, log)
            index.save(folder, position, about=about, snapshot=snapshot)

    def _about(self, algorithm: Algorithm, log: str) -> str:
        return f"{algorithm.value}, {self._made_by}, {log}"

    def _log_until(self, position: int) -> str:
        record = self._store.get_record(position)
        digest = hashlib.sha256(record).hexdigest() if record is not None else "none"
        return f"log of {self._store.node_id} up to {position}, {digest}"


def _kind(algorithm: Algorithm) -> type[HammingIndex] | type[DigestIndex]:
    return DigestIndex if algorithm.is_digest else HammingIndex
