"""What convinces that one picture is in another, and what does not."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from hashsvc import features
from hashsvc.demo import samples
from hashsvc.features import GEOMETRY_BITS, Features
from hashsvc.matching.located import LEAST_FEATURES, Agreement, locate
from hashsvc.matching.voting import LEAST_VOTES, MOST_CANDIDATES, Voted, voted
from hashsvc.model import Fingerprint
from hashsvc_index import Hits, brute_force
from tests import strategies
from tests.harness import local_fingerprint
from tests.parts import EDITS, asked, branded, grid, known, letters, picture

RADIUS = 31
# What is found is an affine map, which a slanted picture is not quite.
NEAR = {edit: 0.08 if edit == "slanted" else 0.04 for edit in EDITS}


def read(fingerprint: Fingerprint) -> Features:
    """The features of a fingerprint."""
    return features.unpack(fingerprint.value)


def near(pictures: list[Features], upload: Features, radius: int = RADIUS) -> Hits:
    """What the index finds of some known pictures; their keys begin with their numbers."""
    keys = [features.geometry(one) + (i << GEOMETRY_BITS) for i, one in enumerate(pictures)]
    codes = np.concatenate([one.codes for one in pictures])
    return brute_force(codes, np.concatenate(keys), upload.codes, radius)


def votes(pictures: list[Features], upload: Features) -> list[Voted]:
    """Which of some known pictures an upload speaks for."""
    return voted(upload, near(pictures, upload))


def is_evidence(agreement: Agreement | None) -> bool:
    """Whether a known picture is said to be there."""
    return agreement is not None and agreement.is_evidence


@pytest.mark.parametrize("edit", EDITS)
def test_a_part_is_found_and_where_it_is(edit: str) -> None:
    """It has the most votes of all known pictures, and its corners are right to a few percent."""
    upload, corners = EDITS[edit](picture("fig"))
    pictures = [read(known(picture(stem))) for stem in ("meadow", "fig")]
    seen = read(asked(upload))
    assert votes(pictures, seen)[0].picture == 1
    found = locate(pictures[1], seen, RADIUS)
    assert found is not None
    assert found.is_evidence
    assert np.abs(np.array(found.corners) - corners).max() < NEAR[edit]
    inside = np.clip(corners, 0, 1)
    if edit == "corner":
        assert found.visible == pytest.approx(0.6 * 0.55, abs=0.06)
    elif np.allclose(inside, corners):
        assert found.visible > 0.9


@pytest.fixture(scope="module")
def uploads() -> list[Features]:
    """Pictures that show none of the known ones."""
    stems = [path.stem for path in samples.files(samples.UNRELATED) if path.stem != "gradient"]
    return [read(asked(picture(stem))) for stem in stems]


def test_unrelated_pictures_give_no_evidence(uploads: list[Features]) -> None:
    """Nor do they get votes, but for one here and there."""
    pictures = [read(known(picture(stem))) for stem in ("brushes", "fig", "meadow", "wine")]
    assert not [
        (i, j)
        for i, one in enumerate(pictures)
        for j, upload in enumerate(uploads)
        if is_evidence(locate(one, upload, RADIUS))
    ]
    assert sum(len(votes(pictures, upload)) for upload in uploads) <= len(uploads) // 2


def test_repeated_patterns_give_no_evidence() -> None:
    """Pages of one letter and grids have many alike features in wrong places, and say nothing."""
    pages = [
        letters("R", 40),
        letters("R", 64, slip=9),
        letters("e", 40),
        letters("e", 52, slip=5),
        grid(40, 3),
        grid(64, 6),
    ]
    pictures, seen = [[read(how(page)) for page in pages] for how in (known, asked)]
    for i, one in enumerate(pictures):
        for j, upload in enumerate(seen):
            assert i == j or not is_evidence(locate(one, upload, RADIUS)), (i, j)


@pytest.mark.parametrize("size", [110, 130])
def test_a_logo_that_both_have_is_no_evidence(size: int) -> None:
    """Up to a fifth of the width, however well it is found: of the rest nothing is seen."""
    one = read(known(branded(picture("fig"), size)))
    upload = read(asked(branded(picture("pagoda"), size)))
    agreement = locate(one, upload, RADIUS)
    assert agreement is not None
    assert agreement.count >= LEAST_FEATURES
    assert not agreement.is_evidence


def test_mirrored_pictures_give_no_evidence() -> None:
    """Its corners look different; and were they alike, no picture is seen from behind."""
    shown = picture("fig")
    one = read(known(shown))
    assert not is_evidence(locate(one, read(asked(ImageOps.mirror(shown))), RADIUS))
    behind = replace(
        one,
        places=np.column_stack([one.shape[0] - one.places[:, 0], one.places[:, 1]]),
        angles=math.pi - one.angles,
    )
    assert is_evidence(locate(one, one, RADIUS))
    assert not is_evidence(locate(one, behind, RADIUS))


def first(made: Features, count: int) -> Features:
    """So many features, the first ones."""
    return Features(
        made.codes[:count],
        made.places[:count],
        made.sizes[:count],
        made.angles[:count],
        made.shape,
    )


def alike(count: int) -> Features:
    """Some features of a made-up picture; an upload with the same is a copy."""
    return read(local_fingerprint(1, count))


def in_two_parts(count: int) -> Features:
    """Features by turns in two opposite sixteenths."""
    made = alike(count)
    places = (made.places % 0.25 + 0.75 * (np.arange(count)[:, None] % 2)) * made.shape
    return replace(made, places=places)


def test_a_copy_is_evidence_from_eight_features_on() -> None:
    """One, three or seven are never enough."""
    assert is_evidence(locate(in_two_parts(8), in_two_parts(8), RADIUS))
    for count in (1, 2, 3, 7):
        assert not is_evidence(locate(in_two_parts(count), in_two_parts(count), RADIUS))


@pytest.mark.parametrize("how", ["in one place", "in a line", "in a thin band", "in two places"])
def test_features_that_do_not_spread_are_no_evidence(how: str) -> None:
    """Not even of the very same picture: there is nothing that geometry could confirm."""
    made = alike(40)
    places = made.places.copy()
    if how == "in one place":
        places[:] = 0.4
    elif how == "in a line":
        places[:, 1] = places[:, 0] / 2
    elif how == "in a thin band":
        places[:, 1] = 0.3 + places[:, 1] / 500
    else:
        places[:] = np.where(places[:, :1] < 0.5, 0.2, 0.7)
    flat = replace(made, places=places)
    assert not is_evidence(locate(flat, flat, RADIUS))
    assert not is_evidence(locate(flat, made, RADIUS))
    assert not is_evidence(locate(made, flat, RADIUS))


def test_few_of_those_that_should_be_there_are_no_evidence() -> None:
    """Twelve that agree among fifty in the same places that look different are chance."""
    made = alike(60)
    codes = read(local_fingerprint(2, 60)).codes
    for agreeing, is_enough in ((12, False), (40, True)):
        codes[:agreeing] = made.codes[:agreeing]
        assert is_evidence(locate(made, replace(made, codes=codes), RADIUS)) is is_enough


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 256), st.integers(1, 300))
def test_random_features_are_never_evidence(seed: int, of_one: int, of_other: int) -> None:
    """Whatever their places, and at any radius that can be set."""
    one = read(local_fingerprint(seed, of_one))
    other = read(local_fingerprint(seed + 1, of_other))
    for radius in (RADIUS, 47):
        assert not is_evidence(locate(one, other, radius))
    assert votes([one], other) == []


@settings(max_examples=60, deadline=None)
@given(
    strategies.local_values(most=12),
    strategies.local_values(most=12),
    st.booleans(),
    st.integers(0, 256),
)
def test_no_value_makes_an_error(known: bytes, upload: bytes, same: bool, radius: int) -> None:
    """Any numbers that the rules let in: of no size, outside of the picture, all the same."""
    one, other = features.unpack(known), features.unpack(known if same else upload)
    found = locate(one, other, radius)
    assert found is None or len(found.corners) == 4
    assert len(voted(other, near([one], other, radius))) <= 1


def test_a_picture_that_is_near_everywhere_gets_no_votes() -> None:
    """Many known features that are one of the upload's count once."""
    one = alike(200)
    same = replace(one, codes=np.repeat(one.codes[:1], 200, axis=0))
    upload = replace(alike(1), codes=one.codes[:1])
    assert votes([same], upload) == []
    three = replace(first(one, 3), codes=same.codes[:3], angles=np.zeros(3))
    level = replace(same, sizes=np.full(200, one.sizes[0]), angles=np.zeros(200))
    assert [found.votes for found in votes([level], three)] in ([], [3])
    assert votes([one], replace(alike(200), codes=one.codes))[0].votes >= LEAST_VOTES


def test_no_more_than_a_few_are_read_and_those_with_most_votes_first() -> None:
    """However many known pictures share some features with the upload."""
    upload = alike(200)
    pictures = [first(upload, count) for count in range(20, 60, 2)]
    found = votes(pictures, upload)
    assert len(found) == MOST_CANDIDATES
    assert [one.votes for one in found] == sorted((one.votes for one in found), reverse=True)
    assert found[0].picture == len(pictures) - 1
    assert {one.distance for one in found} == {0}


def test_votes_for_different_places_do_not_add_up() -> None:
    """The same features shuffled get hardly any: they would put the picture anywhere."""
    one = alike(60)
    chance = np.random.default_rng(3)
    shuffled = replace(one, places=chance.permutation(one.places))
    together = votes([one], one)[0].votes
    apart = votes([one], replace(shuffled, angles=chance.random(60) * math.tau))
    assert together > 50
    assert not apart or apart[0].votes < 15
    assert votes([one, one], first(one, LEAST_VOTES - 1)) == []


def test_pictures_of_all_shapes_can_hold_each_other() -> None:
    """A wide known one in a tall upload: corners are in shares of the upload's own sides."""
    shown = picture("meadow")
    page = Image.new("RGB", (500, 900), "black")
    page.paste(shown.resize((500, 333)), (0, 280))
    found = locate(read(known(shown)), read(asked(page)), RADIUS)
    assert found is not None
    assert found.is_evidence
    expected = [(0, 280 / 900), (1, 280 / 900), (1, 613 / 900), (0, 613 / 900)]
    assert np.abs(np.array(found.corners) - expected).max() < 0.03
