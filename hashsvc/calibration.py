"""How often hashes err: what was measured, and which distances and classes follow from it.

The benchmark `calibration` hashes pictures of different contents, and finds that the share of pairs
within a distance falls off about exponentially where it is small. Such a curve for each algorithm
is all that is kept here. A normal or a beta-binomial distribution, which fit the bulk, promise far
less error: this errs on the safe side. Pictures of a quality from 50 on are as far apart as others,
and so are mirrored and turned ones, one by one: radii need not depend on either.

Unrelated pictures are not all there is: clips of different events that were shot in one room share
frames within 31 bits of PDQ, and a meme its ground with another. So a second curve is of such
look-alikes: frames of the clips chair-20 and chair-22 of vPDQ's sample hashes, 46,000 pairs.
"""

import math
from dataclasses import dataclass
from functools import cache

from hashsvc.model import ORIGINAL, Algorithm, Confidence

KNOWN_MEDIA = 1_000_000
"""The size of the list that classes of confidence are stated for, in pictures or frames."""

KNOWN_LOOK_ALIKES = 100
"""How many of these are taken to look like an upload without being it."""

NEAR_CERTAIN, LIKELY = 1 / 1000, 1 / 10
"""Below so many false matches in a check of that list, a match is of this class."""

MOST_FALSE = 1e-5
"""A hash speaks for itself up to where so many comparisons of different pictures would err."""

LOOKS = 8
"""A look other than the original is one of about so many, each of which may err.

An upload has about one inset, in eight forms.
"""


@dataclass(frozen=True, slots=True)
class Curve:
    """`share` of comparisons are within `start` bits, less by a factor e with each `scale` bits."""

    share: float
    start: float
    scale: float

    def rate(self, bits: float) -> float:
        """The share of comparisons within a distance."""
        return min(1.0, self.share * math.exp((bits - self.start) / self.scale))

    def radius(self, rate: float) -> int:
        """The greatest distance within which no larger share of comparisons is; below 0: none."""
        return math.floor(self.start + self.scale * math.log(rate / self.share))


UNRELATED = {
    Algorithm.PDQ: Curve(0.02, 112, 3.1),
    Algorithm.PHASH: Curve(0.02, 22, 1.35),
    Algorithm.DHASH: Curve(0.02, 22, 2.2),
    Algorithm.WHASH: Curve(0.02, 12, 3.4),
}
"""Of 14,636 pairs of pictures of different contents, the nearest 2 %.

The scales of PDQ and pHash, 2.8 and 1.2 there, are raised: edited pictures have up to 3.3 and 1.4,
by bands of quality.
"""

LOOK_ALIKES = Curve(0.0007, 31, 3.6)
"""Of PDQ. For hashes of 64 bits the same is taken for a quarter of the bits."""


@cache  # for each hash that is near
def radius(algorithm: Algorithm, limit: int) -> int:
    """The greatest distance of a match by a hash alone, no more than the node's `limit`.

    Below 0 for a hash that is equal for different pictures too often to mean anything: wHash, which
    is in 2 of 10,000 pairs.
    """
    if algorithm.is_digest or algorithm.is_local:
        return 0
    return min(limit, UNRELATED[algorithm].radius(MOST_FALSE))


def can_match(algorithm: Algorithm) -> bool:
    """Whether a hash says enough to match by it alone."""
    return radius(algorithm, algorithm.bits) >= 0


def false_matches(algorithm: Algorithm, bits: int, variant: str = ORIGINAL) -> float:
    """How many media of a list of KNOWN_MEDIA are within a distance of one that it does not hold.

    That is for a hash of the whole, of this look at the upload.
    """
    as_pdq = bits * Algorithm.PDQ.bits / algorithm.bits
    unrelated = KNOWN_MEDIA * UNRELATED[algorithm].rate(bits)
    look_alike = KNOWN_LOOK_ALIKES * LOOK_ALIKES.rate(as_pdq)
    return (unrelated + look_alike) * (1 if variant == ORIGINAL else LOOKS)


def confidence(expected: float) -> Confidence:
    """The class of a match, of whatever kind, that `expected` media in a list have by chance."""
    if expected < NEAR_CERTAIN:
        return Confidence.NEAR_CERTAIN
    return Confidence.LIKELY if expected < LIKELY else Confidence.WEAK
