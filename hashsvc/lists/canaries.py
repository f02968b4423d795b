"""Canaries: entries that stand for no media, each seen by one partner, to tell where a list leaked.

They are made like entries of the list: the same algorithms, as many frames, the same description;
only the values are drawn at random, with about as many ones as real ones have. No media comes near
such a value: two random PDQ values are within 31 bits of each other once in 10^37.
"""

import math
import random
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

import numpy as np

from hashsvc import features
from hashsvc.model import Algorithm, Entry, EntryDraft, Fingerprint

_BALANCED = frozenset({Algorithm.PDQ, Algorithm.PHASH})
"""Thresholded at the median, so that half of the bits are ones."""

_CUT_SHARE = 0.1
_MOST_SWAPPED_BITS = 12


def draft_like(entry: Entry, source: random.Random, now: datetime) -> EntryDraft:
    """Return an entry with the looks of another and random values."""
    values: dict[tuple[Algorithm, str], bytes] = {}
    fingerprints = tuple(_random(entry.fingerprints, values, source))
    description = entry.description
    if description.expire_time is not None and description.expire_time <= now:
        description = replace(description, expire_time=None)
    return EntryDraft(entry.media_type, fingerprints, description)


def _random(
    fingerprints: Iterable[Fingerprint],
    values: dict[tuple[Algorithm, str], bytes],
    source: random.Random,
) -> Iterator[Fingerprint]:
    for fingerprint in fingerprints:
        kind = fingerprint.algorithm, fingerprint.variant
        before = values.get(kind)
        if fingerprint.algorithm.is_local:
            values[kind] = _local_value(fingerprint.value, source)
        elif before is None or fingerprint.time_ms is None or source.random() < _CUT_SHARE:
            values[kind] = _value(fingerprint.algorithm, source)
        else:
            # As frames of one scene are: near the one before.
            values[kind] = _swapped(before, source)
        yield replace(fingerprint, value=values[kind])


def _value(algorithm: Algorithm, source: random.Random) -> bytes:
    if algorithm not in _BALANCED:
        return source.randbytes(algorithm.bits // 8)
    ones = source.sample(range(algorithm.bits), algorithm.bits // 2)
    return sum(1 << bit for bit in ones).to_bytes(algorithm.bits // 8)


def _local_value(value: bytes, source: random.Random) -> bytes:
    """Return as many features, anywhere in a picture of the same shape but at its edges."""
    known = features.unpack(value)
    chance = np.random.default_rng(source.getrandbits(64))
    count = len(known)
    # Real ones need room around them, and would give away those that have none.
    first, last = known.places.min(axis=0), known.places.max(axis=0)
    return features.pack(
        replace(
            known,
            codes=chance.integers(0, 256, known.codes.shape, np.uint8),
            places=first + chance.random((count, 2)) * (last - first),
            sizes=chance.permutation(known.sizes),
            angles=chance.random(count) * math.tau,
        )
    )


def _swapped(value: bytes, source: random.Random) -> bytes:
    """Return a value with some bits moved."""
    number, bits = int.from_bytes(value), len(value) * 8
    for _ in range(source.randrange(_MOST_SWAPPED_BITS)):
        one, other = source.sample(range(bits), 2)
        if number >> one & 1 != number >> other & 1:
            number ^= 1 << one | 1 << other
    return number.to_bytes(len(value))
