"""Local features of pictures, for what no hash of the whole can see: parts of it, and it in parts.

ORB is OpenCV's, on grey pictures of a limited size. What is ours is which of them are kept: some of
each scale and from all over the picture, strongest first, so that a part of it and a smaller copy
keep their share of them too, and none that looks like another one beside it, as letters do.
"""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hashsvc import features
from hashsvc.features import Features
from hashsvc.media.recipe import Looking

LEAST = 16
"""With fewer features a picture is too plain to be told by them."""

_FACTOR = 1.2
_PATCH = 31
# A darker or duller corner than FAST usually takes: which of them are kept is decided below.
_FAST_LEVELS = 4
_POOL = 4
_GRID = 6
_ENLARGED_SIDE, _MOST_ENLARGED = 512, 2.0
_LEAST_SIDE = 32
_ALIKE_BITS = 24


def local_features(picture: Image.Image, looking: Looking) -> bytes | None:
    """Return the value of a grey picture's local features; None where there are hardly any."""
    grey = _grey(picture, looking.side)
    if grey is None:
        return None
    orb = _orb(looking.most * _POOL, looking.levels)
    points = orb.detect(grey, None)
    if len(points) < LEAST:
        return None
    rows = np.array([(*p.pt, p.size, p.angle, p.response) for p in points], np.float64)
    order = _ordered(rows, grey.shape)
    if not looking.distinct:
        order = order[: looking.most]
    codes = _described(orb, grey, points, order)
    kept = _distinct(codes, looking.most) if looking.distinct else np.arange(len(order))
    rows, codes = rows[order[kept]], codes[kept]
    longer = max(grey.shape)
    found = Features(
        codes=codes,
        places=(rows[:, :2] + 0.5) / longer,
        sizes=rows[:, 2] / longer,
        angles=np.deg2rad(rows[:, 3]),
        shape=(grey.shape[1] / longer, grey.shape[0] / longer),
    )
    return features.pack(found)


def _described(
    orb: Any, grey: NDArray[np.uint8], points: Sequence[Any], order: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """The codes of some points, in this order."""
    # OpenCV takes points by scale, as it found them, and would sort them itself.
    as_found = np.sort(order)
    _, codes = orb.compute(grey, [points[number] for number in as_found.tolist()])
    return np.asarray(codes[np.searchsorted(as_found, order)])


def _grey(picture: Image.Image, side: int) -> NDArray[np.uint8] | None:
    """The picture shrunk to `side`; a small one is enlarged, or it had no patches."""
    longer = max(picture.size)
    scale = side / longer
    if scale > 1:
        scale = max(1.0, min(_MOST_ENLARGED, _ENLARGED_SIDE / longer))
    width, height = (max(1, round(length * scale)) for length in picture.size)
    if min(width, height) < _LEAST_SIDE:
        return None
    if (width, height) != picture.size:
        # By whole numbers first: filters over large pictures are slow.
        picture = picture.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return np.asarray(picture)


@functools.lru_cache(maxsize=4)
def _orb(most: int, levels: int) -> Any:
    import cv2  # brings OpenCV, which nothing else needs

    cv2.setNumThreads(1)
    return cv2.ORB.create(
        nfeatures=most,
        scaleFactor=_FACTOR,
        nlevels=levels,
        edgeThreshold=19,
        patchSize=_PATCH,
        fastThreshold=_FAST_LEVELS,
    )


def _ordered(rows: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """The features, best first: those of each scale and place take turns."""
    octave = np.floor(np.log2(rows[:, 2] / _PATCH) + 1e-6).astype(np.int64)
    column = (rows[:, 0] * _GRID / shape[1]).astype(np.int64)
    line = (rows[:, 1] * _GRID / shape[0]).astype(np.int64)
    cell = (octave * _GRID + line) * _GRID + column
    by_strength = np.lexsort((-rows[:, 4], cell))
    ordered = cell[by_strength]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    lengths = np.diff(np.r_[starts, len(ordered)])
    turn = np.empty(len(rows), np.int64)
    turn[by_strength] = np.arange(len(rows)) - np.repeat(starts, lengths)
    return np.lexsort((-rows[:, 4], turn))


def _distinct(codes: NDArray[np.uint8], most: int) -> NDArray[np.int64]:
    """The first ones that look like none before."""
    words = codes.view(np.uint64)
    kept = np.empty((most, words.shape[1]), np.uint64)
    numbers: list[int] = []
    for number, word in enumerate(words):
        apart = np.bitwise_count(kept[: len(numbers)] ^ word).sum(axis=1)
        if not (apart <= _ALIKE_BITS).any():
            kept[len(numbers)] = word
            numbers.append(number)
            if len(numbers) == most:
                break
    return np.array(numbers, np.int64)
