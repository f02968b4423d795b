"""Exact lookup of digests (SHA-256, MD5, SHA-1) by the contract of the radius search."""

from pathlib import Path

import numpy as np

from hashsvc_index.arrays import CodeArray, Int64Array, checked_codes, checked_pairs, code_width
from hashsvc_index.hamming import HammingIndex
from hashsvc_index.hits import Hits
from hashsvc_index.merging import Snapshot

# Comparing a digest with all of so many costs about as much as looking into a segment twice.
_SEAL_ROWS = 4096
_WORD = 8


class DigestIndex:
    """Keys with digests; finds every key that has exactly the digest asked for.

    Many keys may share a digest. A digest is a code that is searched with a radius of 0, for which
    one table is enough; so all that `HammingIndex` says of threads, moments and files holds here.

    Args:
        bits: length of a digest, a positive multiple of 8 (256 for SHA-256).
        seal_rows, background: as for `HammingIndex`.

    Raises:
        ValueError: `bits` is not one.
    """

    def __init__(self, bits: int, *, seal_rows: int = _SEAL_ROWS, background: bool = True) -> None:
        self._width = code_width(bits)
        self._index = HammingIndex(
            _padded_bits(bits), seal_rows=seal_rows, table_radius=0, background=background
        )

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        bits: int,
        verify: bool = True,
        seal_rows: int = _SEAL_ROWS,
        background: bool = True,
    ) -> "DigestIndex":
        """Open what `save` wrote; see `HammingIndex.open`."""
        index = cls(bits, background=background)
        index._index = HammingIndex.open(
            folder,
            bits=_padded_bits(bits),
            verify=verify,
            seal_rows=seal_rows,
            table_radius=0,
            background=background,
        )
        return index

    @property
    def snapshot(self) -> Snapshot:
        """The index as it is now; see `HammingIndex.snapshot`."""
        return self._index.snapshot

    def save(
        self, folder: Path, revision: int, *, about: str = "", snapshot: Snapshot | None = None
    ) -> None:
        """Write the index as it is at one moment; see `HammingIndex.save`."""
        self._index.save(folder, revision, about=about, snapshot=snapshot)

    @property
    def revision(self) -> int:
        """The revision of the last `save`, or of what was opened; 0 for a new index."""
        return self._index.revision

    @property
    def about(self) -> str:
        """What the last `save`, or what was opened, was said to be of; empty for a new index."""
        return self._index.about

    def close(self) -> None:
        """Wait for the merge that is under way, and begin no other; searching still works."""
        self._index.close()

    def settle(self) -> None:
        """Wait until no merge is under way or due; raises what the last one failed with."""
        self._index.settle()

    @property
    def bits(self) -> int:
        """Length of a digest in bits."""
        return 8 * self._width

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays, spare capacity, removed rows and mapped files included."""
        return self._index.nbytes

    def __len__(self) -> int:
        """Live keys."""
        return len(self._index)

    def add(self, keys: Int64Array, codes: CodeArray) -> None:
        """Add all of these, or none: they are found when this returns.

        Args:
            keys: int64 (n,), none of them live and none twice.
            codes: uint8 (n, bits // 8), the digest of each key; digests may repeat.

        Raises:
            DuplicateKeyError: a key is live already or stands twice in `keys`.
            ValueError: wrong dtype, shape or width.
        """
        keys, codes = checked_pairs(keys, codes, self._width)
        self._index.add(keys, self._padded(codes))

    def remove(self, keys: Int64Array) -> int:
        """Remove the live ones among these keys, and return how many those were.

        Args:
            keys: int64 (n,); keys that are unknown or repeated are ignored.

        Raises:
            ValueError: wrong dtype or shape.
        """
        return self._index.remove(keys)

    def keys(self) -> Int64Array:
        """Return all live keys; see `HammingIndex.keys`."""
        return self._index.keys()

    def search(self, codes: CodeArray) -> Hits:
        """Find every live key that has one of these digests; every distance is 0.

        Args:
            codes: uint8 (q, bits // 8), the digests to look up.

        Raises:
            ValueError: wrong dtype, shape or width.
        """
        return self._index.search(self._padded(checked_codes(codes, self._width)), 0)

    def _padded(self, codes: CodeArray) -> CodeArray:
        """With zeros up to a whole number of words."""
        missing = -self._width % _WORD
        return np.pad(codes, ((0, 0), (0, missing))) if missing else codes


def _padded_bits(bits: int) -> int:
    width = code_width(bits)
    return 8 * (width + -width % _WORD)
