"""Alignment: what is the same footage, what merely looks alike, and where it begins and ends."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashsvc.matching.alignment import Alignment, Rules, Segment
from tests.matching.films import Frames, add, film, flipped, joined, known, noisy, part, scene

RULES = Rules()
FILM = film(range(12))
OTHER = film(range(100, 112))


def found(upload: Frames, video: Frames) -> list[Segment]:
    """The segments that are evidence, in the order of the upload."""
    alignment = Alignment(known(video))
    add(alignment, upload)
    length = alignment.known.length_s
    segments = [s for s in alignment.segments() if s.is_evidence(RULES, length)]
    return sorted(segments, key=lambda segment: segment.upload_start_s)


@pytest.mark.parametrize("bits", [0, 20, 45])
def test_a_clip_is_found_with_its_place(bits: int) -> None:
    """Also when an edit moved its frames farther than single ones may be."""
    upload = joined(part(OTHER, 0, 20), noisy(part(FILM, 31, 41), bits), part(OTHER, 20, 40))
    (segment,) = found(upload, FILM)
    assert segment.upload_start_s == pytest.approx(20, abs=0.3)
    assert segment.upload_end_s == pytest.approx(30, abs=0.3)
    assert segment.known_start_s == pytest.approx(31, abs=0.3)
    assert segment.known_end_s == pytest.approx(41, abs=0.3)
    assert segment.distance == pytest.approx(bits, abs=8)
    assert segment.likeness < 0.5


@pytest.mark.parametrize("pace", [0.95, 1.05])
def test_a_change_of_speed_is_told(pace: float) -> None:
    """One segment over the whole film, however far its ends have drifted by then."""
    upload = [(at / pace, value) for at, value in FILM]
    (segment,) = found(upload, FILM)
    assert segment.pace == pytest.approx(pace, abs=0.01)
    assert segment.length_s == pytest.approx(60 / pace, abs=1)


def test_dropped_frames_do_not_part_a_segment() -> None:
    """Nor does a second of something else."""
    upload = [frame for number, frame in enumerate(FILM) if number % 3 and not 80 <= number < 84]
    (segment,) = found(upload, FILM)
    assert segment.length_s == pytest.approx(60, abs=1)


def test_reordered_scenes_are_segments_of_their_own() -> None:
    """Each with its own place in the known video."""
    order = [3, 7, 0]
    upload = joined(*(part(FILM, 5 * scene, 5 * scene + 5) for scene in order))
    segments = found(upload, FILM)
    assert [round(s.known_start_s / 5) for s in segments] == order
    assert [round(s.upload_start_s / 5) for s in segments] == [0, 1, 2]


def test_key_frames_alone_are_enough_where_they_are_many() -> None:
    """One frame in four seconds, of a minute."""
    upload = FILM[3::16]
    (segment,) = found(upload, FILM)
    assert segment.length_s > 50


def test_a_known_video_of_one_frame_a_second_is_found() -> None:
    """As vPDQ makes them; the upload's frames in between say nothing."""
    sparse = film(range(20, 32), motion=40)
    (segment,) = found(part(sparse, 10, 25), sparse[::4])
    assert segment.known_start_s == pytest.approx(10, abs=1)


@pytest.mark.parametrize("moving", [6, 14, 22])
def test_clips_shot_in_one_room_stay_apart(moving: int) -> None:
    """Nearly all of their frames are within 31 bits of one another, in no order."""
    room = np.unpackbits(np.frombuffer(scene(5, 1)[0][1], np.uint8))

    def take(seed: int) -> Frames:
        rng = np.random.default_rng(seed)
        return [
            (number / 4, np.packbits(flipped(room, moving, rng)).tobytes()) for number in range(120)
        ]

    first = take(1)
    assert found(take(2), first) == []
    # A copy of the first take is found, as no other moment of it is as near; unless the room is as
    # good as a still.
    copies = found(noisy(part(first, 5, 15), 3), first)
    assert [round(segment.known_start_s) for segment in copies] == ([5] if moving > 10 else [])


def test_a_still_is_no_evidence() -> None:
    """However long it is shown, on either side; nor are two of them."""
    still, other = scene(1, 1)[0][1], scene(2, 1)[0][1]
    picture = [(number / 4, still) for number in range(200)]
    assert found(picture, picture) == []
    two = joined(picture, [(number / 4, other) for number in range(200)])
    assert found(two, two) == []
    assert found(picture, joined(FILM, picture)) == []
    # Nor is one held for long of a video that moves little.
    slow = scene(3, 20, motion=10)
    held = [(number / 4, slow[40][1]) for number in range(60)]
    assert found(held, slow) == []


def test_other_footage_is_no_evidence() -> None:
    """Nothing is near, so nothing is found."""
    assert found(OTHER, FILM) == []
    assert found([], FILM) == []
    assert found(FILM, []) == []


def test_little_is_no_evidence_unless_the_known_video_is_little() -> None:
    """A second out of a minute is not enough, but half of a clip of two is."""
    assert found(part(FILM, 6, 7), FILM) == []
    short = part(FILM, 6, 8)
    (segment,) = found(joined(part(OTHER, 0, 10), short), short)
    assert segment.upload_start_s == pytest.approx(10, abs=0.3)


@settings(max_examples=25)
@given(st.permutations(range(48)), st.integers(1, 9))
def test_the_order_in_which_frames_come_makes_no_difference(
    order: Sequence[int], parts: int
) -> None:
    """Key frames first and the rest later, or all at once."""
    upload = noisy(part(FILM, 20, 32), 15)
    together, apart = Alignment(known(FILM)), Alignment(known(FILM))
    add(together, upload)
    for number in range(parts):
        add(apart, [upload[place] for place in order[number::parts]])
    assert together.segments() == apart.segments()
