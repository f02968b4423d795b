"""How a file is hashed: which looks at it, how closely, and with which algorithms.

A known video is hashed once, by its contributor, and densely: four times a second, without the
frames that show what the one before showed. An upload, of which there are thousands for each known
video, is then looked at by its key frames first, which cost a tenth or less of all frames, and
closely only where somebody who knows the lists asks for it (see `scan`).

Lists are made from exact pixels, so that their values are the same wherever they are made. An
upload may be decoded at a fraction of its size: that moves its PDQ by 6 bits at most, and by none
for most pictures. It also carries the hash that Meta's C++ tool would make, for lists that were
made with that; a list does not, as this would double it to find what checks find anyway.

Local features cost an upload more than all the rest, so they are made only where the lists that it
is checked against hold any (`for_checks`).
"""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from hashsvc import feature_values
from hashsvc.model import Algorithm, Decoding

PERCEPTUAL = (Algorithm.PDQ, Algorithm.PHASH, Algorithm.DHASH, Algorithm.WHASH)
"""The algorithms that can be chosen; digests are always given."""


@dataclass(frozen=True, slots=True)
class Looking:
    """How closely to look for local features: the `most`, in a picture of `side` pixels at most.

    They are of so many `levels` of size, each 1.2 times the one before; the smallest are 31 pixels.
    `distinct` leaves out those that look like another one, for which a list pays with its memory.
    """

    most: int
    side: int
    levels: int = 8
    distinct: bool = False


LOCAL_FOR_LISTS = Looking(most=feature_values.MOST_KNOWN, side=400, distinct=True)
"""For pictures of lists that take local features: up to 9.7 KB each."""

LOCAL_FOR_CHECKS = Looking(most=1500, side=960, levels=12)
"""For uploads, in which what is known may be a small part; or which show a part of it, large."""

LOCAL_FRAMES_FOR_LISTS = Looking(most=128, side=400, distinct=True)
"""For frames of videos of such lists, of which there are more: up to 4.9 KB each."""

LOCAL_FRAMES_FOR_CHECKS = Looking(most=800, side=720)
"""For frames of uploaded videos."""

_LEAST_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to make of a file. `FOR_LISTS` and `FOR_CHECKS` are the two that this service uses.

    `rate`: frames of a video a second, where it is looked at closely.

    `key_frames`: look at a video's key frames, one a second at most, and closely only where the
    judge asks for it. Without a judge the whole video is looked at closely.

    `distinct_bits`: leave out frames whose PDQ is within so many bits of the last one that was
    kept, until a second has passed since; 0 keeps all. Not for key frames.

    `mirrored`: also PDQ of each frame of a video with left and right swapped: the form
    `flip_horizontal`. `dihedral_frames`: also PDQ of each frame mirrored and turned: the variants
    of `pdq.FORMS`, seven more values each.

    `trimmed`: where a picture, or the frames of a video, have borders of one colour, also the
    hashes of what is inside: the variant `trimmed`, PDQ in the same forms as of the whole.

    `framed`: where a picture is a page with another one in it, such as a screenshot or a picture
    with a caption, also the hashes of that: the variant `framed`, PDQ in its forms. Not for
    lists: what such a page says may be why it is known, and the picture in it anybody's.

    `insets`: also the hashes of pictures that are set into a picture or make a collage: the variant
    `inset`, PDQ in its forms, of each of them. Not for lists, nor for videos.

    `decoding`: FAST lets a JPEG be decoded at a fraction of its size, and takes the frames of a
    video by their luma, without making colours of it; what was made of such pixels says so.

    `algorithms`: which of PERCEPTUAL for pictures. Videos are always hashed with PDQ.

    `dihedral`: also PDQ of each look at a picture mirrored and turned, in the same variants.

    `local`: local features of pictures, as closely as that says.

    `local_frames`: the same of the frames of a video, of one in `local_every_s` seconds at most,
    and of none that is plain. Without a judge 128 frames are kept at most: of a longer video one in
    twice, four times ... as many seconds. A judge is told of all; where it looks by key frames they
    are not kept.
    `distinct_bits` holds for those too, however long the video shows the same.

    `plain`: also the perceptual hashes of a look at a picture that is too plain to be told from
    others by them (`pdq.Spectrum.is_plain`). Not for videos, which are known by many frames.

    `shrunk512`: also PDQ of a larger picture shrunk to 512 x 512, as Meta's C++ tool does first:
    the variant `shrunk512`. Not for videos, of which vPDQ hashes whole frames.

    Raises ValueError for a rate that is not positive and finite, for `local_every_s` below a tenth
    of a second, for bits that PDQ does not have,
    and for digests as algorithms.
    """

    rate: float = 1.0
    key_frames: bool = False
    distinct_bits: int = 0
    mirrored: bool = False
    dihedral_frames: bool = False
    trimmed: bool = False
    framed: bool = False
    insets: bool = False
    decoding: Decoding = Decoding.EXACT
    algorithms: tuple[Algorithm, ...] = (Algorithm.PDQ, Algorithm.PHASH)
    dihedral: bool = False
    shrunk512: bool = False
    plain: bool = True
    local: Looking | None = None
    local_frames: Looking | None = None
    local_every_s: float = 2.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.rate) and self.rate > 0):
            raise ValueError(f"a rate of {self.rate} frames a second")
        if not (math.isfinite(self.local_every_s) and self.local_every_s >= _LEAST_EVERY_S):
            raise ValueError(f"local features of a frame every {self.local_every_s} s")
        if not 0 <= self.distinct_bits <= Algorithm.PDQ.bits:
            raise ValueError(f"PDQ does not have {self.distinct_bits} bits to be distinct by")
        if not set(self.algorithms) <= set(PERCEPTUAL):
            raise ValueError(f"algorithms are any of {', '.join(PERCEPTUAL)}; digests come anyway")

    def to_dict(self) -> dict[str, Any]:
        """The recipe as JSON has it."""
        plain = {
            "decoding": self.decoding.value,
            "algorithms": [algorithm.value for algorithm in self.algorithms],
        }
        return asdict(self) | plain

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Recipe":
        """The inverse of `to_dict`. Raises KeyError and ValueError for what that does not give."""
        return cls(
            rate=content["rate"],
            key_frames=content["key_frames"],
            distinct_bits=content["distinct_bits"],
            mirrored=content["mirrored"],
            dihedral_frames=content["dihedral_frames"],
            trimmed=content["trimmed"],
            framed=content["framed"],
            insets=content["insets"],
            decoding=Decoding(content["decoding"]),
            algorithms=tuple(Algorithm(name) for name in content["algorithms"]),
            dihedral=content["dihedral"],
            shrunk512=content["shrunk512"],
            plain=content["plain"],
            local=_looking(content["local"]),
            local_frames=_looking(content["local_frames"]),
            local_every_s=content["local_every_s"],
        )


def _looking(content: Mapping[str, Any] | None) -> Looking | None:
    return None if content is None else Looking(**content)


FOR_LISTS = Recipe(rate=8.0, distinct_bits=24, trimmed=True, plain=False)
"""For media to contribute."""


def with_local(recipe: Recipe) -> Recipe:
    """The recipe of lists that take local features."""
    return replace(recipe, local=LOCAL_FOR_LISTS, local_frames=LOCAL_FRAMES_FOR_LISTS)


FOR_CHECKS = Recipe(
    rate=4.0,
    key_frames=True,
    mirrored=True,
    trimmed=True,
    framed=True,
    insets=True,
    decoding=Decoding.FAST,
    dihedral=True,
    shrunk512=True,
    plain=False,
    local_every_s=3.0,
)
"""For media to check, where no list holds local features."""

_FOR_ALL_CHECKS = replace(FOR_CHECKS, local=LOCAL_FOR_CHECKS, local_frames=LOCAL_FRAMES_FOR_CHECKS)

RecipeFor = Callable[[Collection[Algorithm]], Recipe]
"""How to hash media to check, given the algorithms that lists hold (`model.Verdict.held`)."""


def for_checks(held: Collection[Algorithm]) -> Recipe:
    """The recipe for media to check against lists that hold fingerprints of these algorithms."""
    return _FOR_ALL_CHECKS if any(algorithm.is_local for algorithm in held) else FOR_CHECKS
