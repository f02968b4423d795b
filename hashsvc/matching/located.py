"""Whether one picture is in another: their local features, and one place where they all agree.

Codes that are near one another are a hint and no more: letters, leaves and windows look alike
everywhere. What convinces is that features which lie beside one another in the known picture lie
beside one another in the upload too, turned and scaled alike, and that most of those which should
be seen there are. So:

1. Each pair of near codes says where the whole picture would be, and what most of them agree on is
   a guess (`guessing`): a few, as the bars of a railing agree on being one bar further, too.
2. By its affine map each known feature is looked for where it must be, by codes that need be only
   half alike now, and the map made anew of those; again until it stays.
3. It counts when enough were found, alike enough, from all over what is visible of the known
   picture, and a good part of those at whose place there is any feature of such a size and angle.
   The first guess that does is taken.
"""

import math
from dataclasses import dataclass

import numpy as np

from hashsvc.features import Features
from hashsvc.matching.guessing import guesses
from hashsvc.matching.mapping import (
    LEAST_PAIRS,
    Floats,
    Ints,
    affine_map,
    fitting_pairs,
    mapped,
    scale_and_turn,
)

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

_ALIKE_BITS = 64
_ROUNDS = 5
_PARTS, _PART_FEATURES = 4, 3
_A_LEVEL = 1.1  # half the step from one size of features to the next


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
    best: Agreement | None = None
    for guess in guesses(known, upload, radius):
        found = _refined(known, upload, guess)
        if found is not None and found.is_evidence:
            return found
        if found is not None and (best is None or found.score > best.score):
            best = found
    return best


def _refined(known: Features, upload: Features, guess: Floats) -> Agreement | None:
    affine = guess
    rows = columns = np.empty(0, np.int64)
    for number in range(_ROUNDS):
        expected = fitting_pairs(known, upload, affine, slack=1.6 if number < 2 else 1.0)
        found = expected.of(expected.bits <= _ALIKE_BITS).one_to_one()
        is_settled = np.array_equal(found.known, rows) and np.array_equal(found.upload, columns)
        rows, columns = found.known, found.upload
        if is_settled or len(rows) < LEAST_PAIRS:
            break
        made = affine_map(known, upload, found)
        if made is None:
            return None
        affine = made
    if len(rows) < LEAST_PAIRS:
        return None
    visible, spread = _extent(known, upload, affine, known.places[rows])
    return Agreement(
        count=len(rows),
        mean_bits=float(found.bits.mean()),
        agreeing=len(rows) / len(np.unique(expected.known)),
        spread=spread,
        regions=_regions(known, _seen(known, upload, affine), rows),
        visible=visible,
        corners=tuple(
            (float(x / upload.shape[0]), float(y / upload.shape[1]))
            for x, y in mapped(_corners(known.shape), affine)
        ),
    )


def _corners(shape: tuple[float, float]) -> Floats:
    width, height = shape
    return np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)


def _extent(
    known: Features, upload: Features, affine: Floats, found: Floats
) -> tuple[float, float]:
    """The visible share of the known picture, and the share of that which is found across."""
    steps = (np.arange(16) + 0.5) / 16
    grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2) * known.shape
    inside = mapped(grid, affine)
    seen = ((inside >= 0) & (inside <= upload.shape)).all(axis=1)
    visible = float(seen.mean())
    if not visible:
        return 0.0, 0.0
    # An ellipse over them that covers a rectangle they fill evenly; its area is 12 sd by sd.
    covariance = np.cov(found.T, bias=True)
    across = 12 * math.sqrt(max(float(np.linalg.det(covariance)), 0.0))
    return visible, across / (visible * known.shape[0] * known.shape[1])


def _seen(known: Features, upload: Features, affine: Floats) -> Ints:
    """The known features that would be seen: in the upload, and of a size that it has."""
    scale, _ = scale_and_turn(affine)
    where, sizes = mapped(known.places, affine), known.sizes * scale
    inside = ((where >= 0) & (where <= upload.shape)).all(axis=1)
    has_size = (sizes * _A_LEVEL >= upload.sizes.min()) & (sizes <= upload.sizes.max() * _A_LEVEL)
    return np.flatnonzero(inside & has_size)


def _regions(known: Features, seen: Ints, found: Ints) -> float:
    """Of the parts of the known picture where enough would be seen, the share where some was."""
    cell = (known.places / known.shape * _PARTS).astype(np.int64).clip(0, _PARTS - 1)
    part = cell[:, 1] * _PARTS + cell[:, 0]
    could = np.bincount(part[seen], minlength=_PARTS**2) >= _PART_FEATURES
    was = np.bincount(part[found], minlength=_PARTS**2) > 0
    return float((could & was).sum() / could.sum()) if could.any() else 0.0
