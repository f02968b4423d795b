"""Which known pictures an upload's local features speak for, found without reading any of them.

A key in the index of local features holds, beside its list and entry, which of the entry's pictures
or frames the feature is of, and roughly where, how large and how turned it is. Near codes of one
picture then vote for where all of it would be in the upload (as in Lowe's Hough transform, IJCV
2004, and Jegou's weak geometric consistency, ECCV 2008). Only what gets some votes for one place is
read from the store and looked at properly (`located`).
"""

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from hashsvc.features import GEOMETRY_BITS, Features, roughly
from hashsvc_index import Hits

LEAST_VOTES = 3
"""So many different features must agree before a known picture is read."""

MOST_CANDIDATES = 12
"""Known pictures that are read for one upload: those with most votes."""

# Those whose votes are counted by place; before that, all near codes of a picture count.
_FIRST_CHOICE = 64
# A code that is near so many is of a kind that is everywhere.
_MOST_PER_CODE = 64
_TURNS = 16
_SPREAD = 0.5  # of the whole known picture: how far apart votes for one place may be
_FAR = 255

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Voted:
    """A known picture: the keys of its features without what they say of each, and its votes."""

    picture: int
    votes: int
    distance: int


def voted(upload: Features, hits: Hits) -> list[Voted]:
    """The known pictures that get enough votes, most first.

    `hits` are of the upload's codes in the index of local features, sorted as a search gives them.
    """
    starts = np.searchsorted(hits.query, hits.query)
    usual = np.arange(len(hits)) - starts < _MOST_PER_CODE
    query, key, distance = hits.query[usual], hits.key[usual], hits.distance[usual]
    pictures, number = np.unique(key >> GEOMETRY_BITS, return_inverse=True)
    support = _distinct(number, query, len(pictures))
    chosen = np.argsort(-support, kind="stable")[:_FIRST_CHOICE]
    chosen = chosen[support[chosen] >= LEAST_VOTES]
    if not len(chosen):
        return []
    rank = np.full(len(pictures), -1, np.int64)
    rank[chosen] = np.arange(len(chosen))
    ours = rank[number] >= 0
    query, key, number = query[ours], key[ours], rank[number[ours]]
    votes = _votes(upload, query, key, number, len(chosen))
    least = np.full(len(chosen), np.iinfo(np.int64).max)
    np.minimum.at(least, number, distance[ours])
    order = np.argsort(-votes, kind="stable")[:MOST_CANDIDATES]
    return [
        Voted(int(pictures[chosen[n]]), int(votes[n]), int(least[n]))
        for n in order
        if votes[n] >= LEAST_VOTES
    ]


def _votes(upload: Features, query: Ints, key: Ints, number: Ints, count: int) -> Ints:
    """The most votes for one place that each of `count` pictures gets."""
    known = roughly(key)
    scale = upload.sizes[query] / known.sizes
    turn = upload.angles[query] - known.angles
    step = (0.5 - known.places) * scale[:, None]
    x = upload.places[query, 0] + np.cos(turn) * step[:, 0] - np.sin(turn) * step[:, 1]
    y = upload.places[query, 1] + np.sin(turn) * step[:, 0] + np.cos(turn) * step[:, 1]
    octave, turns = np.log2(scale), turn * (_TURNS / 2 / math.pi) / 2
    most = np.zeros(count, np.int64)
    # Bins that overlap by half in each direction, so that what is together is so in one of them.
    for size, angle, across, down in product((0.0, 0.5), repeat=4):
        in_octave = np.floor(octave + size)
        width = _SPREAD * np.exp2(in_octave - size + 0.5)
        bins = in_octave.astype(np.int64) + 16
        bins = bins * (_TURNS // 2) + np.floor(turns + angle).astype(np.int64) % (_TURNS // 2)
        for place, shift in ((x, across), (y, down)):
            there = np.floor(place / width + shift).clip(-_FAR, _FAR).astype(np.int64)
            bins = bins * (2 * _FAR + 1) + there + _FAR
        cells, cell = np.unique(bins * count + number, return_inverse=True)
        agreed = np.minimum(_distinct(cell, query, len(cells)), _distinct(cell, key, len(cells)))
        np.maximum.at(most, cells % count, agreed)
    return most


def _distinct(group: Ints, value: Ints, count: int) -> Ints:
    """How many different values each of `count` groups has."""
    order = np.lexsort((value, group))
    group, value = group[order], value[order]
    first = np.ones(len(group), np.bool_)
    first[1:] = (group[1:] != group[:-1]) | (value[1:] != value[:-1])
    return np.bincount(group[first], minlength=count)
