"""How a file is hashed: which looks at it, how closely, and with which algorithms.

Lists hold one frame of a video a second, as vPDQ's do: they are kept, searched and shared. An
upload is looked at more closely: sampled once a second too, a clip that was cut at other than a
whole second shares few samples with its source. Of 18 clips cut at ten offsets, uploads sampled
once a second found 29 %, four times 74 %, eight times all of them, with no more false matches.

Lists are made from exact pixels, so that their values are the same wherever they are made. An
upload may be decoded at a fraction of its size: that moves its PDQ by 6 bits at most, and by none
for most pictures. It also carries the hash that Meta's C++ tool would make, for lists that were
made with that; a list does not, as this would double it to find what checks find anyway.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hashsvc.model import Algorithm, Decoding

PERCEPTUAL = (Algorithm.PDQ, Algorithm.PHASH, Algorithm.DHASH, Algorithm.WHASH)
"""The algorithms that can be chosen; digests are always given."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to make of a file. `FOR_LISTS` and `FOR_CHECKS` are the two that this service uses.

    `rate`: frames of a video a second.

    `decoding`: FAST lets a JPEG be decoded at a fraction of its size; what was made of such
    pixels says so.

    `algorithms`: which of PERCEPTUAL for pictures. Videos are always hashed with PDQ.

    `dihedral`: also PDQ of the picture, or frame, mirrored and turned: the variants of
    `pdq.FORMS`, seven more values each.

    `shrunk512`: also PDQ of a larger picture shrunk to 512 x 512, as Meta's C++ tool does first:
    the variant `shrunk512`. Not for videos, of which vPDQ hashes whole frames.

    Raises ValueError for a rate that is not positive and finite, and for digests as algorithms.
    """

    rate: float = 1.0
    decoding: Decoding = Decoding.EXACT
    algorithms: tuple[Algorithm, ...] = (Algorithm.PDQ, Algorithm.PHASH)
    dihedral: bool = False
    shrunk512: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.rate) and self.rate > 0):
            raise ValueError(f"a rate of {self.rate} frames a second")
        if not set(self.algorithms) <= set(PERCEPTUAL):
            raise ValueError(f"algorithms are any of {', '.join(PERCEPTUAL)}; digests come anyway")

    def to_dict(self) -> dict[str, Any]:
        """The recipe as JSON has it."""
        return {
            "rate": self.rate,
            "decoding": self.decoding.value,
            "algorithms": [algorithm.value for algorithm in self.algorithms],
            "dihedral": self.dihedral,
            "shrunk512": self.shrunk512,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Recipe":
        """The inverse of `to_dict`. Raises KeyError and ValueError for what that does not give."""
        return cls(
            rate=content["rate"],
            decoding=Decoding(content["decoding"]),
            algorithms=tuple(Algorithm(name) for name in content["algorithms"]),
            dihedral=content["dihedral"],
            shrunk512=content["shrunk512"],
        )


FOR_LISTS = Recipe()
"""For media to contribute."""

FOR_CHECKS = Recipe(rate=8.0, decoding=Decoding.FAST, shrunk512=True)
"""For media to check."""
