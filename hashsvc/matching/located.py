"""Whether one picture is in another: their local features, and one place where they all agree.

Codes that are near one another are a hint and no more: letters, leaves and windows look alike
everywhere. What convinces is that features which lie beside one another in the known picture lie
beside one another in the upload too, turned and scaled alike, and that most of those which should
be seen there are. So:

1. Each pair of near codes says where the whole picture would be: its own place, size and angle are
   a similarity. Each is tried (Fischler and Bolles' RANSAC draws them by chance; there are few
   enough here), and those that most others agree with are guesses: a few, as the bars of a railing
   agree on being one bar further, too.
2. A guess is made an affine map by least squares, from pairs that must fit it better and better.
   Then each known feature is looked for where it says, by codes that need be only half alike now;
   again until it stays.
3. It counts when enough were found, alike enough, from all over what is visible of the known
   picture, and a good part of those at whose place there is any feature of such a size and angle.
   The first guess that does is taken.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hashsvc.features import Features

LEAST_FEATURES = 8
"""So many known features must be found."""

LEAST_SCORE = 5.0
"""What `score` must be: more features that are less alike weigh as much as few that are alike.
Copies have 5 to 200, down to a quarter of the width of an upload; of 8,500 pairs of different
pictures none had 5, and none of enough features, well spread, more than 3.1."""

LEAST_SPREAD = 0.01
"""What was found must lie across this share of what is visible of the known picture; a logo that
two pictures have in common lies in a corner of it."""

LEAST_REGIONS = 0.3
"""Of the sixteenths of the known picture that would be seen in the upload, with features of sizes
that the upload has, some must be found in this share. Of a logo of a fifth of their width, which
two pictures have in common, they are a quarter at most; of parts and copies nearly always more."""

LEAST_VISIBLE = 0.05
"""So much of the known picture must be visible in the upload."""

_MOST_PAIRS = 400
_SEEDS = 3
_GUESSES = 4
# How far pairs of a guess may be off in turn, in sizes of features: it is rough at first.
_CLOSER = 0.7, 0.4, 0.2, 0.2
_ALIKE_BITS = 64
_SHAPE = 2.0  # how much narrower one direction may become than the other
_OFF = 0.1  # by how much places are off, as a share of a feature's size...
_SLANT = 0.1  # ...and a map from a similarity, as a share of its scale
_SCALES = 1 / 16, 16.0
_ROUNDS = 5
_TURN = math.radians(22)
_HALF_OCTAVE, _ABOUT_OCTAVE = 0.5, 0.6
_PARTS, _PART_FEATURES = 4, 3
_A_LEVEL = 1.1  # half the step from one size of features to the next

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Where a known picture is in an upload.

    `count` known features were found, `mean_bits` apart on average, a share `agreeing` of those
    that could be, in a share `regions` of the parts that would be seen, across a share `spread` of
    what is visible. `corners` are those of the known picture in the upload, x and y in units of the
    upload's width and height, clockwise from the known upper left; outside of 0 to 1 is cut off.
    `visible` is the share of the known picture that is not.
    """

    count: int
    mean_bits: float
    agreeing: float
    spread: float
    regions: float
    visible: float
    corners: tuple[tuple[float, float], ...]

    @property
    def score(self) -> float:
        """Features that were found, less for those hardly alike, by the share that was found."""
        alike = (_ALIKE_BITS - self.mean_bits) / (_ALIKE_BITS / 2)
        return self.count * self.agreeing * min(alike, 1.0) ** 2

    @property
    def is_evidence(self) -> bool:
        """Whether that is enough to say that it is there."""
        return (
            self.count >= LEAST_FEATURES
            and self.score >= LEAST_SCORE
            and self.spread >= LEAST_SPREAD
            and self.regions >= LEAST_REGIONS
            and self.visible >= LEAST_VISIBLE
        )


def locate(known: Features, upload: Features, radius: int) -> Agreement | None:
    """Look for a known picture in an upload; None where not even a guess can be made.

    `radius` is up to how many bits codes are near enough to guess from.
    """
    apart = _distances(known.codes, upload.codes)
    best: Agreement | None = None
    for guess in _guesses(known, upload, apart, radius):
        found = _refined(known, upload, apart, guess)
        if found is not None and found.is_evidence:
            return found
        if found is not None and (best is None or found.score > best.score):
            best = found
    return best


def _distances(known: NDArray[np.uint8], upload: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Bits between each two codes, (known, upload)."""
    one, other = known.view(np.uint64), upload.view(np.uint64)
    apart = np.zeros((len(one), len(other)), np.uint16)
    for word in range(one.shape[1]):
        apart += np.bitwise_count(one[:, word, None] ^ other[None, :, word])
    return apart


def _guesses(
    known: Features, upload: Features, apart: NDArray[np.uint16], radius: int
) -> Iterator[Floats]:
    """Affine maps (3, 2) that most pairs of near codes agree on, from three of them on."""
    rows, columns = np.nonzero(apart <= radius)
    if len(rows) > _MOST_PAIRS:
        nearest = np.argsort(apart[rows, columns], kind="stable")[:_MOST_PAIRS]
        rows, columns = rows[nearest], columns[nearest]
    if len(rows) < _SEEDS:
        return
    agree = _agreeing(known, upload, rows, columns)
    is_left = np.ones(len(rows), np.bool_)
    for _ in range(_GUESSES):
        support = np.where(is_left, (agree & is_left).sum(axis=1), 0)
        first = int(support.argmax())
        if support[first] < _SEEDS:
            return
        affine, explained = _settled(known, upload, apart, (rows, columns), agree[first])
        is_left &= ~(agree[first] | explained)
        is_left[first] = False
        if affine is not None:
            yield affine


def _agreeing(
    known: Features, upload: Features, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Of pairs of features, which agree with the similarity that each says: (that, others)."""
    here, there = known.places[rows], upload.places[columns]
    scale = upload.sizes[columns] / known.sizes[rows]
    turn = upload.angles[columns] - known.angles[rows]
    across, down = scale * np.cos(turn), scale * np.sin(turn)
    step = here[None] - here[:, None]
    x = across[:, None] * step[..., 0] - down[:, None] * step[..., 1] + there[:, None, 0]
    y = down[:, None] * step[..., 0] + across[:, None] * step[..., 1] + there[:, None, 1]
    error = np.hypot(x - there[None, :, 0], y - there[None, :, 1])
    far = np.hypot(step[..., 0], step[..., 1]) * scale[:, None]
    octaves = np.log2(scale)
    agree: NDArray[np.bool_] = (
        (error < 0.75 * upload.sizes[columns][None] + 0.15 * far)
        & (np.abs(octaves[None] - octaves[:, None]) < _ABOUT_OCTAVE)
        & (_angle_between(turn[None], turn[:, None]) < _TURN)
    )
    return agree


def _settled(
    known: Features,
    upload: Features,
    apart: NDArray[np.uint16],
    pairs: tuple[NDArray[np.int64], NDArray[np.int64]],
    fits: NDArray[np.bool_],
) -> tuple[Floats | None, NDArray[np.bool_]]:
    """The map of those pairs that fit, and of all pairs those that fit it."""
    rows, columns = pairs
    here, there, sizes = known.places[rows], upload.places[columns], upload.sizes[columns]
    octaves = np.log2(sizes / known.sizes[rows])
    turns = upload.angles[columns] - known.angles[rows]
    affine: Floats | None = None
    for slack in _CLOSER:
        some, others = _one_to_one(rows[fits], columns[fits], apart)
        affine = _affine(known, upload, some, others)
        if affine is None or not _is_plausible(affine):
            return None, fits
        scale, turn = _scale_and_turn(affine)
        off = np.hypot(*(_mapped(here, affine) - there).T)
        fits = (
            (off < slack * sizes)
            & (np.abs(octaves - math.log2(scale)) < _ABOUT_OCTAVE)
            & (_angle_between(turns, turn) < _TURN)
        )
    return affine, fits


def _refined(
    known: Features, upload: Features, apart: NDArray[np.uint16], affine: Floats | None
) -> Agreement | None:
    rows = columns = np.empty(0, np.int64)
    expected = rows
    for number in range(_ROUNDS):
        if affine is None or not _is_plausible(affine):
            return None
        slack = 1.6 if number < 2 else 1.0
        near_rows, near_columns = _expected(known, upload, affine, slack)
        alike = apart[near_rows, near_columns] <= _ALIKE_BITS
        found = _one_to_one(near_rows[alike], near_columns[alike], apart)
        is_settled = np.array_equal(found[0], rows) and np.array_equal(found[1], columns)
        (rows, columns), expected = found, np.unique(near_rows)
        if is_settled or len(rows) < _SEEDS:
            break
        affine = _affine(known, upload, rows, columns)
    if len(rows) < _SEEDS or affine is None or not _is_plausible(affine):
        return None
    visible, spread = _extent(known, upload, affine, known.places[rows])
    return Agreement(
        count=len(rows),
        mean_bits=float(apart[rows, columns].mean()),
        agreeing=len(rows) / max(len(expected), 1),
        spread=spread,
        regions=_regions(known, _seen(known, upload, affine), rows),
        visible=visible,
        corners=tuple(
            (float(x / upload.shape[0]), float(y / upload.shape[1]))
            for x, y in _mapped(_corners(known.shape), affine)
        ),
    )


def _expected(
    known: Features, upload: Features, affine: Floats, slack: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of features that lie where they should, have the right size, and the right angle."""
    scale, turn = _scale_and_turn(affine)
    sizes = known.sizes * scale
    where = _mapped(known.places, affine)
    allowed = np.maximum(0.12 * sizes, 0.003) * slack
    x = np.abs(where[:, None, 0] - upload.places[None, :, 0])
    y = np.abs(where[:, None, 1] - upload.places[None, :, 1])
    near = (x < allowed[:, None]) & (y < allowed[:, None])
    rows, columns = np.nonzero(near)
    fits = (
        (np.hypot(x[rows, columns], y[rows, columns]) < allowed[rows])
        & (np.abs(np.log2(upload.sizes[columns] / sizes[rows])) < _HALF_OCTAVE)
        & (_angle_between(upload.angles[columns], known.angles[rows] + turn) < _TURN)
    )
    return rows[fits], columns[fits]


def _one_to_one(
    rows: NDArray[np.int64], columns: NDArray[np.int64], apart: NDArray[np.uint16]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of pairs those in which no feature is twice, nearest codes first."""
    order = np.argsort(apart[rows, columns], kind="stable")
    used_rows: set[int] = set()
    used_columns: set[int] = set()
    kept = []
    pairs = zip(rows[order].tolist(), columns[order].tolist(), order.tolist(), strict=True)
    for row, column, number in pairs:
        if row not in used_rows and column not in used_columns:
            used_rows.add(row)
            used_columns.add(column)
            kept.append(number)
    kept.sort()
    return rows[kept], columns[kept]


def _affine(
    known: Features, upload: Features, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> Floats | None:
    """The affine map (3, 2) from places to places, by least squares, larger features counting less;
    where they leave it open, as along a line, it is a similarity (ridge regression to that)."""
    if len(rows) < _SEEDS:
        return None
    weight = (_OFF * upload.sizes[columns, None]) ** -2
    here, there = known.places[rows], upload.places[columns]
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
    return np.vstack([linear, other_middle - middle @ linear])


def _is_plausible(affine: Floats) -> bool:
    """Whether a map only scales, turns and slants a little; no picture is seen from behind."""
    linear = affine[:2]
    if np.linalg.det(linear) <= 0:
        return False
    large, small = np.linalg.svd(linear, compute_uv=False)
    return bool(_SCALES[0] <= small and large <= _SCALES[1] and large <= _SHAPE * small)


def _scale_and_turn(affine: Floats) -> tuple[float, float]:
    linear = affine[:2]
    turn = math.atan2(linear[0, 1] - linear[1, 0], linear[0, 0] + linear[1, 1])
    return math.sqrt(float(np.linalg.det(linear))), turn


def _mapped(places: Floats, affine: Floats) -> Floats:
    return np.column_stack([places, np.ones(len(places))]) @ affine


def _corners(shape: tuple[float, float]) -> Floats:
    width, height = shape
    return np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)


def _extent(
    known: Features, upload: Features, affine: Floats, found: Floats
) -> tuple[float, float]:
    """The visible share of the known picture, and the share of that which is found across."""
    steps = (np.arange(16) + 0.5) / 16
    grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2) * known.shape
    inside = _mapped(grid, affine)
    seen = ((inside >= 0) & (inside <= upload.shape)).all(axis=1)
    visible = float(seen.mean())
    if not visible:
        return 0.0, 0.0
    # An ellipse over them that covers a rectangle they fill evenly; its area is 12 sd by sd.
    covariance = np.cov(found.T, bias=True)
    across = 12 * math.sqrt(max(float(np.linalg.det(covariance)), 0.0))
    return visible, across / (visible * known.shape[0] * known.shape[1])


def _seen(known: Features, upload: Features, affine: Floats) -> NDArray[np.int64]:
    """The known features that would be seen: in the upload, and of a size that it has."""
    scale, _ = _scale_and_turn(affine)
    where, sizes = _mapped(known.places, affine), known.sizes * scale
    inside = ((where >= 0) & (where <= upload.shape)).all(axis=1)
    has_size = (sizes * _A_LEVEL >= upload.sizes.min()) & (sizes <= upload.sizes.max() * _A_LEVEL)
    return np.flatnonzero(inside & has_size)


def _regions(known: Features, seen: NDArray[np.int64], found: NDArray[np.int64]) -> float:
    """Of the parts of the known picture where enough would be seen, the share where some was."""
    cell = (known.places / known.shape * _PARTS).astype(np.int64).clip(0, _PARTS - 1)
    part = cell[:, 1] * _PARTS + cell[:, 0]
    could = np.bincount(part[seen], minlength=_PARTS**2) >= _PART_FEATURES
    was = np.bincount(part[found], minlength=_PARTS**2) > 0
    return float((could & was).sum() / could.sum()) if could.any() else 0.0


def _angle_between(one: Floats, other: Floats | float) -> Floats:
    apart: Floats = np.abs((one - other + math.pi) % (2 * math.pi) - math.pi)
    return apart
