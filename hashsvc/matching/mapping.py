"""Affine maps from a known picture to an upload, and the pairs of their features. No I/O.

A map is float64 (3, 2): places, float64 (n, 2), with ones behind them, times it.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashsvc.features import Features
from hashsvc_index.scan import scan

LEAST_PAIRS = 3
"""A map is made of so many pairs at least."""

_SHAPE = 2.0  # how much narrower one direction may become than the other
_SCALES = 1 / 16, 16.0
_OFF = 0.1  # by how much places are off, as a share of a feature's size...
_SLANT = 0.1  # ...and a map from a similarity, as a share of its scale
_HALF_OCTAVE = 0.5

TURN = math.radians(22)
"""By so much a feature's angle may be off."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Pairs(NamedTuple):
    """Pairs of features, all int64 (n,): the numbers of a known one and of one of the upload, and
    the bits between their codes."""

    known: Ints
    upload: Ints
    bits: Ints

    def of(self, which: Bools | Ints) -> "Pairs":
        """Some of them."""
        return Pairs(self.known[which], self.upload[which], self.bits[which])

    def one_to_one(self) -> "Pairs":
        """Those in which no feature is twice, nearest codes first."""
        order = np.argsort(self.bits, kind="stable")
        used_known: set[int] = set()
        used_upload: set[int] = set()
        kept = []
        ordered = zip(self.known[order].tolist(), self.upload[order].tolist(), strict=True)
        for number, (known, upload) in zip(order.tolist(), ordered, strict=True):
            if known not in used_known and upload not in used_upload:
                used_known.add(known)
                used_upload.add(upload)
                kept.append(number)
        return self.of(np.sort(np.array(kept, np.int64)))


def near_pairs(known: Features, upload: Features, radius: int) -> Pairs:
    """All pairs of features whose codes are within `radius` bits."""
    query, row, bits = scan(upload.codes, known.codes, radius)
    return Pairs(query, row, bits.astype(np.int64))


def fitting_pairs(known: Features, upload: Features, affine: Floats, slack: float) -> Pairs:
    """All pairs of features that are where a map says, of such a size and so turned."""
    scale, _ = scale_and_turn(affine)
    where = mapped(known.places, affine)
    allowed = np.maximum(0.12 * scale * known.sizes, 0.003) * slack
    # By their place from left to right first, as most are elsewhere.
    order = np.argsort(upload.places[:, 0])
    across = upload.places[order, 0]
    starts = np.searchsorted(across, where[:, 0] - allowed)
    counts = np.searchsorted(across, where[:, 0] + allowed) - starts
    rows = np.repeat(np.arange(len(known)), counts)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    columns = order[np.repeat(starts, counts) + within]
    near = np.abs(upload.places[columns, 1] - where[rows, 1]) < allowed[rows]
    rows, columns = rows[near], columns[near]
    fits = are_fitting(known, upload, (rows, columns), affine, allowed[rows], _HALF_OCTAVE)
    rows, columns = rows[fits], columns[fits]
    codes = known.codes.view(np.uint64)[rows] ^ upload.codes.view(np.uint64)[columns]
    return Pairs(rows, columns, np.bitwise_count(codes).sum(axis=1, dtype=np.int64))


def are_fitting(
    known: Features,
    upload: Features,
    pairs: tuple[Ints, Ints],
    affine: Floats,
    allowed: Floats,
    octaves: float,
) -> Bools:
    """Which pairs, by their numbers, are where a map says, of such a size and so turned.

    Each may be off by what is `allowed` for it, and its size by so many `octaves`.
    """
    rows, columns = pairs
    scale, turn = scale_and_turn(affine)
    off = upload.places[columns] - mapped(known.places[rows], affine)
    sizes = np.log2(upload.sizes[columns] / (known.sizes[rows] * scale))
    turned = angle_between(upload.angles[columns], known.angles[rows] + turn)
    fits: Bools = np.hypot(off[:, 0], off[:, 1]) < allowed
    return fits & (np.abs(sizes) < octaves) & (turned < TURN)


def affine_map(known: Features, upload: Features, pairs: Pairs) -> Floats | None:
    """The map that fits pairs best, by least squares, larger features counting less.

    Where they leave it open, as along a line, it is a similarity (ridge regression to that). None
    where there are too few, or where it is not plausible.
    """
    if len(pairs.bits) < LEAST_PAIRS:
        return None
    weight = (_OFF * upload.sizes[pairs.upload, None]) ** -2
    here, there = known.places[pairs.known], upload.places[pairs.upload]
    middle = (weight * here).sum(axis=0) / weight.sum()
    other_middle = (weight * there).sum(axis=0) / weight.sum()
    one, other = here - middle, there - other_middle
    length = (weight * one**2).sum()
    across = (weight * one * other).sum()
    down = (weight[:, 0] * (one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0])).sum()
    scale = math.hypot(across, down) / length if length else 0.0
    if not scale:
        return None
    similar = np.array([[across, down], [-down, across]]) / length
    squares = (weight * one).T @ one + (_SLANT * scale) ** -2 * np.eye(2)
    linear = similar + np.linalg.solve(squares, (weight * one).T @ (other - one @ similar))
    return np.vstack([linear, other_middle - middle @ linear]) if _is_plausible(linear) else None


def _is_plausible(linear: Floats) -> bool:
    """Whether a map only scales, turns and slants a little; no picture is seen from behind."""
    if np.linalg.det(linear) <= 0:
        return False
    large, small = np.linalg.svd(linear, compute_uv=False)
    return bool(_SCALES[0] <= small and large <= _SCALES[1] and large <= _SHAPE * small)


def scale_and_turn(affine: Floats) -> tuple[float, float]:
    """How much larger a map makes things, and by what angle it turns them, in radians."""
    linear = affine[:2]
    turn = math.atan2(linear[0, 1] - linear[1, 0], linear[0, 0] + linear[1, 1])
    return math.sqrt(float(np.linalg.det(linear))), turn


def mapped(places: Floats, affine: Floats) -> Floats:
    """Where places are by a map."""
    moved: Floats = places @ affine[:2] + affine[2]
    return moved


def angle_between(one: Floats, other: Floats | float) -> Floats:
    """The smaller angle between directions, in radians."""
    apart: Floats = np.abs((one - other + math.pi) % (2 * math.pi) - math.pi)
    return apart
