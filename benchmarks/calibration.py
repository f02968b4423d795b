"""How far apart the hashes of pictures are: of the same content after edits, and of different ones.

Every known picture is edited as in `robustness`, but for attacks, and hashed as checks do, in all
its looks and mirrored and turned as well. `recall` is the share of uploads that come within so many
bits of their picture by that look, of those edits that keep the picture recognisable to a hash of
the whole: formats, sizes, light, sharpness and small overlays, and for other looks those that are
made for them. All of an upload's looks are compared with all pictures that show something else.

So few pictures cannot show one false match in a million, so the tail is fitted: those 2 % of the
distances that are smallest fall off about exponentially, and going on so, `fitted` is the share of
comparisons of different pictures within a distance. The bulk would be fitted by a normal or a beta-
binomial distribution, but these fall off faster and faster and so promise far more: this way errs
on the safe side. Distances of many uploads of one picture depend on one another, so that the rows
of pictures `unedited`, each pair of which is compared once, say more about what errs.

What hashsvc makes of these figures is in hashsvc/matching/calibration.py.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass, field, replace
from functools import lru_cache
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks import gallery, plots, report
from benchmarks.gallery import Picture
from benchmarks.picture_changes import decoded, encoded
from benchmarks.picture_edits import Edit, Material, catalogue
from hashsvc.calibration import Curve
from hashsvc.media import FOR_CHECKS, Recipe, fingerprint
from hashsvc.media.recipe import PERCEPTUAL
from hashsvc.media.variants import look_and_form
from hashsvc.model import ORIGINAL, Algorithm, Fingerprint

HELP = "distances of hashes of the same picture after edits, and of different ones"
SMALL: Sequence[str] = ("--edited", "4", "--edits", "JPEG,blur,mirror")

TAIL = 0.02
"""The share of the smallest distances that the tail is fitted to."""

TURNED = "turned"
"""Names the looks that are mirrored or turned."""

_SIDE = 512
_OTHERS = 9
_RECIPE = Recipe(algorithms=PERCEPTUAL)
_ASKED = replace(FOR_CHECKS, algorithms=PERCEPTUAL, dihedral=True)
_BANDS = ((50, 69), (70, 99), (100, 100))
_STEPS = {256: (0, 8, 16, 24, 31, 39, 47, 63), 64: (0, 2, 4, 6, 8, 10, 12)}
_RATES = (1e-5, 1e-7, 1e-9, 1e-12)
_GENTLE = frozenset(
    {
        *("JPEG", "WebP", "AVIF", "resize", "resize, other aspect", "brightness", "contrast"),
        *("gamma", "saturation", "greyscale", "colour temperature", "blur", "noise", "sharpen"),
        *("watermark", "rounded corners"),
    }
)
_MADE_FOR = {TURNED: ("mirror", "quarter turns"), "trimmed": ("border", "letterbox")}

_LEAST = 50
"""Comparisons that a fit needs."""

TAILS = "how far different pictures are apart"
CURVES = "what is found within so many bits, and what in error"

Distances = npt.NDArray[np.int64]


def fitted(distances: Distances) -> Curve:
    """The curve of the smallest of these distances of different pictures.

    Their mean below where it starts is the estimate.
    """
    start = float(np.quantile(distances, TAIL))
    below = distances[distances <= start]
    return Curve(len(below) / len(distances), start, float(start - below.mean()) + 0.5)


@dataclass(slots=True)
class Pile:
    """The distances of one algorithm, look and band of quality."""

    same: list[int] = field(default_factory=list)
    different: list[Distances] = field(default_factory=list)


_Key = tuple[str, str, str]
"""Algorithm, look, quality."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this benchmark."""
    text = (
        "folder of known pictures (default: with HASHSVC_SHARED_MEDIA its images by their role, "
        "else the demonstration's)"
    )
    parser.add_argument("--known", type=Path, metavar="DIR", help=text)
    text = "folder of pictures that show nothing known"
    parser.add_argument("--unrelated", type=Path, metavar="DIR", help=text)
    text = "at most so many known and so many unrelated pictures, evenly from all (default: all)"
    parser.add_argument("--pictures", type=int, default=0, metavar="N", help=text)
    text = "edits to measure, with commas between (default: all but attacks)"
    parser.add_argument("--edits", default="", metavar="NAME,...", help=text)
    text = "edit about so many of the known pictures (default 24)"
    parser.add_argument("--edited", type=int, default=24, metavar="N", help=text)


def run(arguments: argparse.Namespace) -> list[report.Row]:
    """Rows of curves and tails by look and quality, of edited pictures and of unedited ones."""
    pictures = gallery.load(arguments.known, arguments.unrelated, arguments.pictures)
    shelf = Shelf(_one_each([*pictures.known, *pictures.unrelated]))
    report.note(f"{len(shelf.pictures)} pictures of different contents")
    piles: dict[_Key, Pile] = defaultdict(Pile)
    step = max(1, len(shelf.pictures) // max(1, arguments.edited))
    edits = _edits(arguments.edits)
    for number in range(0, len(shelf.pictures), step):
        for edit in edits:
            upload = _upload(edit, shelf.pictures, number, arguments.seed)
            shelf.compare(upload, number, edit.name, piles)
    return [*_rows(shelf.pairs(), "unedited"), *_rows(piles, "edited")]


class Shelf:
    """Pictures of different contents, and the codes of each as it is: uint8 (pictures, bytes)."""

    def __init__(self, pictures: Sequence[Picture]) -> None:
        self.pictures = pictures
        hashed = [_hashed(_saved(picture), _RECIPE) for picture in pictures]
        self.codes = {
            algorithm: np.array(
                [
                    np.frombuffer(f.value, np.uint8)
                    for found in hashed
                    for f in found
                    if (f.algorithm, f.variant) == (algorithm, ORIGINAL)
                ]
            )
            for algorithm in PERCEPTUAL
        }

    def distances(self, one: Fingerprint) -> Distances:
        """Bits between a fingerprint and each picture, (pictures,)."""
        differing = self.codes[one.algorithm] ^ np.frombuffer(one.value, np.uint8)
        return np.asarray(np.bitwise_count(differing).sum(axis=1, dtype=np.int64))

    def compare(
        self, upload: Iterable[Fingerprint], number: int, edit: str, piles: dict[_Key, Pile]
    ) -> None:
        """Put what is between an edited picture and all on its piles."""
        nearest: dict[_Key, int] = {}
        for one in upload:
            key = _key(one)
            distances = self.distances(one)
            piles[key].different.append(np.delete(distances, [number, *_beside(number, distances)]))
            if edit in _MADE_FOR.get(key[1], _GENTLE):
                nearest[key] = min(nearest.get(key, 256), int(distances[number]))
        for key, distance in nearest.items():
            piles[key].same.append(distance)

    def pairs(self) -> dict[_Key, Pile]:
        """The piles of all pairs of pictures, as they are."""
        piles = {}
        for algorithm, codes in self.codes.items():
            differing = np.bitwise_count(codes[:, None] ^ codes).sum(axis=2, dtype=np.int64)
            pairs = differing[np.triu_indices(len(codes), 1)]
            piles[algorithm.value, ORIGINAL, "any"] = Pile(different=[pairs])
        return piles


def _edits(names: str) -> list[Edit]:
    """Those named, or all, of known pictures and without attacks. Raises SystemExit for others."""
    edits = [edit for edit in catalogue() if edit.of_known and not edit.is_attack]
    named = set(filter(None, names.split(",")))
    if unknown := named - {edit.name for edit in edits}:
        raise SystemExit(f"--edits: there is no {min(unknown)}")
    return [edit for edit in edits if not named or edit.name in named]


def _one_each(pictures: Sequence[Picture]) -> list[Picture]:
    """One picture of each group."""
    return list({picture.group: picture for picture in reversed(pictures)}.values())[::-1]


def _upload(edit: Edit, pictures: Sequence[Picture], number: int, seed: int) -> list[Fingerprint]:
    """What checks make of an edited picture; `number` is its place among the pictures."""
    picture = pictures[number]
    others = [_image(pictures[other]) for other in _beside(number, pictures)]
    material = Material(_saved(picture), _image(picture), others, others[0])
    return _hashed(edit.make(material, seed, picture.name), _ASKED)


def _beside(number: int, all_of_them: Sized) -> list[int]:
    """The places of pictures that edits may show beside one: to find them there is no error."""
    return [(number + n) % len(all_of_them) for n in range(1, _OTHERS + 1)]


def _hashed(data: bytes, recipe: Recipe) -> list[Fingerprint]:
    found = fingerprint(BytesIO(data), recipe=recipe).fingerprints
    return [one for one in found if not one.algorithm.is_digest]


@lru_cache(maxsize=2 * _OTHERS)
def _image(picture: Picture) -> Image.Image:
    """A picture as RGB, of at most _SIDE pixels a side."""
    image = decoded(picture.path.read_bytes())
    image.thumbnail((_SIDE, _SIDE))
    return image


def _saved(picture: Picture) -> bytes:
    return encoded(_image(picture), "PNG")


def _key(one: Fingerprint) -> _Key:
    look, form = look_and_form(one.variant)
    named = look if form == ORIGINAL else TURNED if look == ORIGINAL else f"{look}, {TURNED}"
    quality = one.quality
    bands = [
        f"{least} to {most}" if most > least else f"{most}"
        for least, most in _BANDS
        if least <= (quality or 0) <= most
    ]
    band = "any" if quality is None else bands[0] if bands else f"below {_BANDS[0][0]}"
    return one.algorithm.value, named, band


def _rows(piles: dict[_Key, Pile], pictures: str) -> Iterator[report.Row]:
    for (algorithm, look, quality), pile in sorted(piles.items()):
        different = np.concatenate(pile.different)
        if len(different) < _LEAST:
            continue
        tail = fitted(different)
        head = {"pictures": pictures, "algorithm": algorithm, "look": look, "quality": quality}
        yield {
            report.TABLE: TAILS,
            **head,
            "comparisons": len(different),
            "smallest": int(different.min()),
            "mean": float(different.mean()),
            "tail_from": tail.start,
            "tail_scale": tail.scale,
            **{f"bits_at_{rate:g}": max(-1, tail.radius(rate)) for rate in _RATES},
        }
        for bits in _STEPS[Algorithm(algorithm).bits]:
            same = np.array(pile.same)
            yield {
                report.TABLE: CURVES,
                **head,
                "bits": bits,
                "uploads": len(same),
                "found": float((same <= bits).mean()) if len(same) else None,
                "false_per_million": 1e6 * float((different <= bits).mean()),
                "fitted_per_million": 1e6 * tail.rate(min(bits, tail.start)),
            }


def plot(rows: Sequence[report.Row], folder: Path) -> Iterable[Path]:
    """What is found, and in error, by distance."""
    curves = [row for row in rows if row.get(report.TABLE) == CURVES and row["uploads"]]
    return [plots.curves_by_bits(curves, folder / "calibration_curves.svg")] if curves else []
