"""Guesses where a known picture is in an upload, from pairs of features with near codes. No I/O.

Each pair says where the whole picture would be: its own place, size and angle are a similarity.
Fischler and Bolles' RANSAC (CACM 1981) draws such by chance; there are few enough here to try each.
"""

import math
from collections.abc import Iterator

import numpy as np

from hashsvc.features import Features
from hashsvc.matching.mapping import (
    LEAST_PAIRS,
    TURN,
    Bools,
    Floats,
    Pairs,
    affine_map,
    are_fitting,
    near_pairs,
)

_MOST_PAIRS = 300
_MOST = 4
# How far pairs of a guess may be off in turn, in sizes of features: it is rough at first.
_CLOSER = 0.7, 0.4, 0.2, 0.2
_OCTAVES = 0.6


def guesses(known: Features, upload: Features, radius: int) -> Iterator[Floats]:
    """The maps that most pairs of codes within `radius` bits agree on, from three of them on."""
    near = near_pairs(known, upload, radius)
    if len(near.bits) > _MOST_PAIRS:
        near = near.of(np.argsort(near.bits, kind="stable")[:_MOST_PAIRS])
    if len(near.bits) < LEAST_PAIRS:
        return
    agree = _agreeing(known, upload, near)
    is_left = np.ones(len(near.bits), np.bool_)
    for _ in range(_MOST):
        support = np.where(is_left, (agree & is_left).sum(axis=1), 0)
        first = int(support.argmax())
        if support[first] < LEAST_PAIRS:
            return
        affine, explained = _settled(known, upload, near, agree[first])
        is_left &= ~(agree[first] | explained)
        is_left[first] = False
        if affine is not None:
            yield affine


def _agreeing(known: Features, upload: Features, pairs: Pairs) -> Bools:
    """Which pairs agree with the similarity that each says: (that, others)."""
    # Half the memory to go through, and as exact as is needed.
    here = known.places[pairs.known].astype(np.float32)
    there = upload.places[pairs.upload].astype(np.float32)
    sizes = upload.sizes[pairs.upload].astype(np.float32)
    scale = sizes / known.sizes[pairs.known].astype(np.float32)
    turn = (upload.angles[pairs.upload] - known.angles[pairs.known]).astype(np.float32)
    octaves = np.log2(scale)
    across, down = scale * np.cos(turn), scale * np.sin(turn)
    x = here[None, :, 0] - here[:, None, 0]
    y = here[None, :, 1] - here[:, None, 1]
    far = np.hypot(x, y) * scale[:, None]
    off_x = across[:, None] * x - down[:, None] * y + (there[:, None, 0] - there[None, :, 0])
    off_y = down[:, None] * x + across[:, None] * y + (there[:, None, 1] - there[None, :, 1])
    agree: Bools = np.hypot(off_x, off_y) < 0.75 * sizes[None] + 0.15 * far
    agree &= np.abs(octaves[None] - octaves[:, None]) < _OCTAVES
    agree &= np.cos(turn[None] - turn[:, None]) > math.cos(TURN)
    return agree


def _settled(
    known: Features, upload: Features, near: Pairs, fits: Bools
) -> tuple[Floats | None, Bools]:
    """The map of those pairs that fit, and of all pairs those that fit it."""
    numbers, sizes = (near.known, near.upload), upload.sizes[near.upload]
    affine: Floats | None = None
    for slack in _CLOSER:
        affine = affine_map(known, upload, near.of(fits).one_to_one())
        if affine is None:
            return None, fits
        fits = are_fitting(known, upload, numbers, affine, slack * sizes, _OCTAVES)
    return affine, fits
