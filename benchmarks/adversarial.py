"""Pictures changed as little as possible so that their hash is another one, or a chosen one.

PDQ and pHash are linear but for their last step: a bit says whether a coefficient of a cosine
transform is above the median of all. So the smallest change of the picture that moves some
coefficients to the other side is known without trying: a sum of cosines, each as high as its
coefficient has to go. Cosines are orthogonal, so each coefficient has its price, and the cheapest
are taken first. In pairs, one from above and one from below, so that the median stays.

White-box attacks on hashes of cosine transforms: Jain, Cretu and de Montjoye, "Adversarial
Detection Avoidance Attacks" (USENIX Security 2022). Others, that ask a hash they cannot read, or
follow its gradient: Hao et al., "It's Not What It Looks Like" (CCS 2021), Struppek et al.,
"Learning to Break Deep Perceptual Hashing" (FAccT 2022), and Prokos et al., "Squint Hard Enough"
(USENIX Security 2023). What is here is made from the transform alone: it needs no model, no
queries and no GPU.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from hashsvc.media.pdq import pdq_spectrum

Reals = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_ROUNDS = 4
_CLEAR = 0.35
"""How far past the median a coefficient is brought, as a share of the middle distance from it, so
that it stays there when the picture is encoded."""


@dataclass(frozen=True, slots=True)
class Hash:
    """A hash whose bits are coefficients above their median.

    `first` is the lowest frequency and `count` how many there are each way; `read` gives the
    coefficients of an RGB picture, (count, count), each as the height of its cosines in the
    picture, 0..255.
    """

    first: int
    count: int
    read: Callable[[Image.Image], Reals]

    @property
    def weights(self) -> Reals:
        """What a cosine of height 1 adds to what is held against the median: (count, count)."""
        one = np.where(self.frequencies == 0, 2.0, 1.0)
        return np.outer(one, one)

    @property
    def powers(self) -> Reals:
        """The mean square of a cosine of height 1: (count, count)."""
        one = np.where(self.frequencies == 0, 1.0, 0.5)
        return np.outer(one, one)

    @property
    def frequencies(self) -> npt.NDArray[np.int64]:
        """Half waves in the length of a side: (count,)."""
        return np.arange(self.first, self.first + self.count)

    def middles(self, coefficients: Reals) -> Reals:
        """The median that all are held against, as the height that each would have there."""
        return np.asarray(np.median(coefficients * self.weights) / self.weights)

    def bits(self, coefficients: Reals) -> Bools:
        """Which of them are above the median."""
        return np.asarray(coefficients > self.middles(coefficients))

    def waves(self, heights: Reals, size: tuple[int, int]) -> Reals:
        """The sum of cosines of such heights, (height, width), for a picture of a size."""
        across, down = (_cosines(self.frequencies, length) for length in size)
        return np.asarray(down.T @ heights @ across)


def _cosines(frequencies: npt.NDArray[np.int64], length: int) -> Reals:
    position = (np.arange(length)[None, :] + 0.5) / length
    return np.asarray(np.cos(np.pi * frequencies[:, None] * position))


def _read_pdq(picture: Image.Image) -> Reals:
    # A cosine of height 1 in 64 samples has the coefficient 32 in an orthonormal transform.
    return pdq_spectrum(np.ascontiguousarray(picture)).coefficients / 32


def _read_phash(picture: Image.Image) -> Reals:
    samples = picture.convert("L").resize((32, 32), Image.Resampling.LANCZOS)
    return np.asarray(_PHASH_ROWS @ np.asarray(samples, np.float64) @ _PHASH_ROWS.T)


PDQ = Hash(1, 16, _read_pdq)
PHASH = Hash(0, 8, _read_phash)

_PHASH_ROWS = _cosines(PHASH.frequencies, 32)
_PHASH_ROWS /= (_PHASH_ROWS**2).sum(axis=1, keepdims=True)


def moved(picture: Image.Image, hashes: Sequence[Hash], decibels: float) -> Image.Image:
    """Every hash as far from the picture's as a change of so few decibels (PSNR) can bring it.

    The change is shared out evenly among the hashes.
    """
    power = 255.0**2 * 10.0 ** (-decibels / 10) / len(hashes)
    return _brought(picture, hashes, [_cheapest(one, picture, power) for one in hashes])


def collided(
    picture: Image.Image, target: Image.Image, hashes: Sequence[Hash], shares: Sequence[float]
) -> Image.Image:
    """Every hash within a share of its bits of another picture's, by the cheapest change."""
    wanted = []
    for one, share in zip(hashes, shares, strict=True):
        own, other = one.read(picture), one.bits(one.read(target))
        prices = np.where(one.bits(own) == other, -1, _prices(one, own))
        # The dearest of those that differ stay as they are.
        kept = np.argsort(prices, axis=None)[::-1][: int(share * prices.size)]
        bits = other.copy().reshape(-1)
        bits[kept] = one.bits(own).reshape(-1)[kept]
        wanted.append(bits.reshape(other.shape))
    return _brought(picture, hashes, wanted)


def _prices(one: Hash, coefficients: Reals) -> Reals:
    """The power, in squared steps of luma, of the waves that bring each across the median."""
    gaps = np.abs(coefficients - one.middles(coefficients)) + _clear(one, coefficients)
    return np.asarray(gaps**2 * one.powers)


def _clear(one: Hash, coefficients: Reals) -> float:
    return _CLEAR * float(np.median(np.abs(coefficients - one.middles(coefficients))))


def _cheapest(one: Hash, picture: Image.Image, power: float) -> Bools:
    """The bits with as many of them turned over as the power pays for, in pairs."""
    coefficients = one.read(picture)
    bits, prices = one.bits(coefficients), _prices(one, coefficients)
    order = np.argsort(prices, axis=None)
    above = order[bits.reshape(-1)[order]]
    below = order[~bits.reshape(-1)[order]]
    count = min(len(above), len(below))
    pairs = prices.reshape(-1)[above[:count]] + prices.reshape(-1)[below[:count]]
    paid = int(np.searchsorted(np.cumsum(pairs), power, side="right"))
    made = bits.reshape(-1).copy()
    made[above[:paid]], made[below[:paid]] = False, True
    return made.reshape(bits.shape)


def _brought(picture: Image.Image, hashes: Sequence[Hash], wanted: Sequence[Bools]) -> Image.Image:
    """The picture with waves added until its hashes have the wanted bits, or nearly.

    More than once, for values end at 0 and 255 and hashes read what others wrote.
    """
    pixels = np.asarray(picture, np.float64)
    made = picture
    for _ in range(_ROUNDS):
        for one, bits in zip(hashes, wanted, strict=True):
            coefficients = one.read(made)
            is_wrong = one.bits(coefficients) != bits
            if is_wrong.any():
                side = np.where(bits, 1, -1) * _clear(one, coefficients)
                lacking = one.middles(coefficients) + side - coefficients
                waves = one.waves(np.where(is_wrong, lacking, 0.0), picture.size)
                pixels = (pixels + waves[..., None]).clip(0, 255)
                made = Image.fromarray(pixels.round().astype(np.uint8))
    return made
