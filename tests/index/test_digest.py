"""DigestIndex: the edges of its contract."""

from typing import Any

import numpy as np
import pytest

from hashsvc_index import DigestIndex, DuplicateKeyError
from tests.index.support import flipped, keys_of, random_codes, rows


@pytest.mark.parametrize("bits", [128, 160, 256])
def test_exact_and_nothing_near(bits: int) -> None:
    """The digest itself is found, one that differs in any one bit is not."""
    digest = random_codes(np.random.default_rng(bits), 1, bits)
    index = DigestIndex(bits)
    index.add(keys_of(7), digest)
    near = np.array([flipped(digest[0], keys_of(bit)) for bit in range(bits)])
    assert rows(index.search(digest)) == [(0, 7, 0)]
    assert len(index.search(near)) == 0
    assert index.bits == bits


def test_many_keys_share_a_digest() -> None:
    """Keys come and go under one digest, from none to several and back."""
    index = DigestIndex(256)
    digest = random_codes(np.random.default_rng(1), 2, 256)
    for key in (3, 1, 2):
        index.add(keys_of(key), digest[:1])
    assert rows(index.search(digest)) == [(0, 1, 0), (0, 2, 0), (0, 3, 0)]
    for key, left in [(1, [2, 3]), (3, [2]), (2, [])]:
        assert index.remove(keys_of(key, key)) == 1
        assert index.search(digest).key.tolist() == left
    assert len(index) == 0


def test_duplicates_change_nothing() -> None:
    """A key that is live or stands twice refuses the whole call."""
    index = DigestIndex(256)
    digests = random_codes(np.random.default_rng(2), 3, 256)
    index.add(keys_of(1), digests[:1])
    for keys, bad in [((2, 1), (1,)), ((5, 5), (5,))]:
        with pytest.raises(DuplicateKeyError) as caught:
            index.add(keys_of(*keys), digests[1:])
        assert caught.value.keys == bad
    assert rows(index.search(digests)) == [(0, 1, 0)]


def test_empty_and_wrong() -> None:
    """Nothing asked gives nothing; wrong arrays are named."""
    index = DigestIndex(256)
    hits = index.search(np.zeros((0, 32), np.uint8))
    assert (len(hits), str(hits.key.dtype), str(hits.distance.dtype)) == (0, "int64", "int32")
    wrong: Any = [1]
    with pytest.raises(ValueError, match="got list"):
        index.remove(wrong)
    with pytest.raises(ValueError, match="32 bytes wide"):
        index.search(np.zeros((1, 16), np.uint8))
    with pytest.raises(ValueError, match="multiple of 8"):
        DigestIndex(12)
