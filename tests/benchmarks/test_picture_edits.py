"""The catalogue of edits of pictures, and the attacks in it, on small photographs."""

from collections import Counter
from functools import cache
from pathlib import Path

import imagehash
import numpy as np
import pytest
from PIL import Image

import hashsvc
from benchmarks import adversarial, picture_changes
from benchmarks.picture_edits import PLAIN_COPY, Material, catalogue
from hashsvc.cli.selftest import distance
from hashsvc.media.pdq import pdq

MEDIA = Path(hashsvc.__file__).parent / "demo" / "media"
BY_CHANCE = {"noise", "stickers", "screenshot", "collage", "photo of a screen", "watermark"}


@cache
def photo(name: str, side: int) -> Image.Image:
    """A photograph of the demonstration, with its longer side so long."""
    picture = picture_changes.decoded((MEDIA / name).read_bytes())
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return picture


def material(side: int = 120) -> Material:
    """A picture, unrelated ones, and a known one."""
    picture = photo("known/coffee.jpg", side)
    names = ("cat", "dogs", "pagoda", "rocket")
    others = [photo(f"unrelated/{name}.jpg", side) for name in names]
    known = photo("known/fig.jpg", side)
    return Material(picture_changes.encoded(picture), picture, others, known)


def test_edits_are_told_apart() -> None:
    """By name and strength, and no name has a comma, which stands between names."""
    edits = catalogue()
    assert max(Counter((edit.name, edit.strength) for edit in edits).values()) == 1
    assert not [edit.name for edit in edits if "," in edit.name]
    assert all(edit.of_known or edit.of_unrelated for edit in edits)


def test_an_edit_is_the_same_in_each_run_and_changes_its_picture() -> None:
    """Bytes are equal whenever they are made, are a file, and show something else."""
    stuff = material()
    for edit in catalogue():
        first, again = (edit.make(stuff, 7, "coffee") for _ in range(2))
        assert first == again, edit
        shown = picture_changes.decoded(first)
        assert min(shown.size) >= picture_changes.LEAST_SIDE, edit
        if edit is PLAIN_COPY or edit.name == PLAIN_COPY.name:
            assert first == stuff.data
        else:
            assert first != stuff.data, edit
            assert shown.size != stuff.picture.size or moved_by(shown, stuff.picture) > 0.3, edit
        if edit.name in BY_CHANCE:
            assert edit.make(stuff, 8, "coffee") != first, edit
            assert edit.make(stuff, 7, "tea") != first, edit


def moved_by(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of values, 0..255."""
    return float(np.abs(np.asarray(one, np.float64) - np.asarray(other, np.float64)).mean())


def test_crops_cut_off_what_their_strength_says() -> None:
    """Half of each side in sum: the middle half, or one of the four corners."""
    down, across = np.mgrid[0:64, 0:96]
    picture = Image.fromarray(np.dstack([across, down, down]).astype(np.uint8))
    middle = np.asarray(picture_changes.cropped(picture, 0.5))
    assert middle[..., 0].min() == 24
    assert middle[..., 0].max() == 71
    assert middle[..., 1].min() == 16
    assert middle[..., 1].max() == 47
    rng = np.random.default_rng(1)
    corners = {
        tuple(np.asarray(picture_changes.cornered(picture, rng, 0.5))[0, 0, :2].tolist())
        for _ in range(40)
    }
    assert corners == {(0, 0), (48, 0), (0, 32), (48, 32)}


@pytest.mark.parametrize("degrees", [1, 15])
def test_a_rotation_inside_shows_nothing_but_the_picture(degrees: int) -> None:
    """No corner is filled, and little of the picture is lost."""
    rng, white = np.random.default_rng(1), Image.new("RGB", (300, 200), "white")
    inner = picture_changes.rotated_inside(white, rng, degrees)
    assert np.asarray(inner).min() > 240
    assert inner.width / inner.height == pytest.approx(1.5, abs=0.02)
    assert inner.width > 300 * {1: 0.95, 15: 0.6}[degrees]
    filled = picture_changes.rotated(white, rng, degrees)
    assert filled.width > 300


def test_the_attacks_read_the_bits_of_the_hashes() -> None:
    """What they call the bits of PDQ and pHash are the hashes that everybody else computes."""
    picture = photo("known/coffee.jpg", 200)
    bits = adversarial.PDQ.bits(adversarial.PDQ.read(picture))
    assert np.packbits(bits.reshape(-1)[::-1]).tobytes() == pdq(np.array(picture))[0]
    bits = adversarial.PHASH.bits(adversarial.PHASH.read(picture))
    assert (bits == imagehash.phash(picture).hash).all()


def test_attacks_move_a_hash_at_the_price_that_they_say() -> None:
    """More decibels keep the picture and move it less; both hashes move, JPEG does not undo it."""
    picture = photo("known/coffee.jpg", 200)
    before = pdq(np.array(picture))[0], imagehash.phash(picture)
    bits: list[int] = []
    for decibels in (44.0, 32.0):
        made = adversarial.moved(picture, [adversarial.PDQ, adversarial.PHASH], decibels)
        assert signal_to_noise(picture, made) > decibels - 2
        made = picture_changes.decoded(picture_changes.encoded(made))
        bits += [distance(pdq(np.array(made))[0], before[0]), imagehash.phash(made) - before[1]]
    assert bits[2] > max(31, bits[0])
    assert bits[3] > max(8, bits[1])


def signal_to_noise(one: Image.Image, other: Image.Image) -> float:
    """The peak signal-to-noise ratio of the luma, in decibels."""
    first, second = (np.asarray(some.convert("L"), np.float64) for some in (one, other))
    return float(10 * np.log10(255**2 / np.mean((first - second) ** 2)))


def test_a_collision_has_the_hash_of_another_picture() -> None:
    """Within the radius of PDQ and of pHash, while it still looks as it did."""
    picture, target = photo("unrelated/cat.jpg", 200), photo("known/coffee.jpg", 200)
    hashes = [adversarial.PDQ, adversarial.PHASH]
    made = adversarial.collided(picture, target, hashes, [24 / 256, 4 / 64])
    assert moved_by(made, picture) < moved_by(target.resize(picture.size), picture) / 3
    made = picture_changes.decoded(picture_changes.encoded(made))
    assert distance(pdq(np.array(made))[0], pdq(np.array(target))[0]) <= 31
    assert imagehash.phash(made) - imagehash.phash(target) <= 8
