"""Videos looked at by their key frames, and closely where the judge asks for it."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from hashsvc.media import FOR_CHECKS, FOR_LISTS, Limits, Recipe, fingerprint
from hashsvc.media.container import opened
from hashsvc.media.decode import look
from hashsvc.media.formats import Format
from hashsvc.media.groups import KeyFrames
from hashsvc.media.scan import Seen, Span
from hashsvc.media.scanning import Scan
from hashsvc.model import ORIGINAL, Fingerprint, MediaFingerprints, UndeterminedReason
from tests.media.making import Pipe, distance, film, movie, photo, saved, scene

KEYS = Recipe(rate=4.0, key_frames=True)
RATE = 10


@dataclass
class Asking:
    """A judge that asks for `spans` once it has been told of `after_ms`, and notes all it hears."""

    spans: Sequence[Span] = ()
    after_ms: int = 0
    stop_ms: int | None = None
    heard: list[Seen] = field(default_factory=list)

    def __call__(self, seen: Seen) -> Sequence[Span] | None:
        """Answer a step."""
        self.heard.append(seen)
        if self.stop_ms is not None and seen.through_ms >= self.stop_ms:
            return None
        return self.spans if seen.through_ms >= self.after_ms else ()


def times(found: MediaFingerprints, variant: str = ORIGINAL) -> list[int]:
    """When the hashed frames are shown, in milliseconds."""
    frames = (f for f in found.fingerprints if f.variant == variant)
    return [f.time_ms for f in frames if f.time_ms is not None]


def by_keys(
    data: bytes, judge: Asking | None = None, recipe: Recipe = KEYS, limits: Limits | None = None
) -> MediaFingerprints:
    """Look at bytes by their key frames."""
    return look(io.BytesIO(data), limits or Limits(), recipe, judge or Asking())


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Twelve seconds that begin anew each second, with a key frame every two, and B-frames."""
    path = tmp_path_factory.mktemp("keys") / "clip.mkv"
    return movie(path, "libx264", seconds=12, options={"g": "20", "sc_threshold": "0", "bf": "2"})


def test_only_key_frames_are_looked_at(clip: bytes) -> None:
    """Each is told to the judge at once, with the place it was found at."""
    judge = Asking()
    found = by_keys(clip, judge)
    assert times(found) == [0, 2000, 4000, 6000, 8000, 10_000]
    assert [[f.time_ms for f in seen.fingerprints] for seen in judge.heard] == [
        [time_ms] for time_ms in times(found)
    ]
    assert [seen.through_ms for seen in judge.heard] == [time + 100 for time in times(found)]
    assert (found.limitation, found.duration_ms) == (None, 12_000)


def test_without_a_judge_all_is_looked_at_closely(clip: bytes) -> None:
    """At the recipe's rate, whatever it says of key frames."""
    found = fingerprint(io.BytesIO(clip), recipe=KEYS)
    assert found == fingerprint(io.BytesIO(clip), recipe=replace(KEYS, key_frames=False))
    assert times(found)[:6] == [0, 300, 500, 800, 1000, 1300]
    assert len(times(found)) == 48


def test_a_judge_of_close_looks_is_told_in_steps(clip: bytes) -> None:
    """Once a second or so, of everything, whatever it asks for."""
    judge = Asking([Span(0, 99_000)])
    found = by_keys(clip, judge, replace(KEYS, key_frames=False))
    told = [f for seen in judge.heard for f in seen.fingerprints]
    assert told == list(found.fingerprints)
    assert told == [*fingerprint(io.BytesIO(clip), recipe=KEYS).fingerprints[2:]]
    assert len(judge.heard) == 12


@pytest.mark.parametrize("after_ms", [4000, 6000])
def test_what_is_held_can_be_looked_at_closely(clip: bytes, after_ms: int) -> None:
    """The present group of pictures and the one before, with frames not given before."""
    judge = Asking([Span(4500, 5000)], after_ms)
    found = by_keys(clip, judge)
    closely = [4300, 4500, 4800, 5000, 5300, 5500, 5800]
    assert times(found) == sorted([*range(0, 12_000, 2000), *closely])
    told = [f.time_ms or 0 for seen in judge.heard for f in seen.fingerprints]
    assert sorted(told) == times(found)
    expected = {f.time_ms: f.value for f in fingerprint(io.BytesIO(clip), recipe=KEYS).fingerprints}
    for frame in found.fingerprints:
        assert distance(frame.value, expected[frame.time_ms]) <= 2


def test_spans_reach_into_what_is_to_come(clip: bytes) -> None:
    """Decoding goes on closely from there to their end, and by key frames after."""
    judge = Asking([Span(3000, 6500)])
    found = by_keys(clip, judge)
    assert [t for t in times(found) if t < 2000] == [0]
    assert len([t for t in times(found) if 2000 <= t < 8000]) == 24
    assert [t for t in times(found) if t >= 8000] == [8000, 10_000]
    assert max(len(seen.fingerprints) for seen in judge.heard) <= 9


def test_what_has_long_passed_is_gone(clip: bytes) -> None:
    """Nothing is held of it, and nothing is said."""
    assert times(by_keys(clip, Asking([Span(0, 1000)], 8000))) == [*range(0, 12_000, 2000)]


def test_a_judge_that_has_seen_enough_ends_it(clip: bytes) -> None:
    """What was seen is given, with how far that was, and the rest is not even read."""
    source = Pipe(clip)
    source.piece_bytes = 1000
    found = fingerprint(source, recipe=KEYS, judge=Asking(stop_ms=4000))
    assert times(found) == [0, 2000, 4000]
    assert found.limitation is UndeterminedReason.PARTLY_SEEN
    assert found.detail == "enough was seen after 4.1 s of 12.0 s; decoding was stopped there"
    assert {f.variant for f in found.fingerprints} == {ORIGINAL}
    assert source.left > len(clip) / 4


def test_errors_of_the_judge_are_its_own(clip: bytes) -> None:
    """They are not taken for damage of the file."""

    def fails(seen: Seen) -> None:
        raise KeyError(seen.through_ms)

    for recipe in (KEYS, FOR_LISTS):
        with pytest.raises(KeyError):
            fingerprint(io.BytesIO(clip), recipe=recipe, judge=fails)


def test_close_key_frames_are_passed_over(tmp_path: Path) -> None:
    """One a second is enough, where every frame is one."""
    data = movie(tmp_path / "clip.avi", "mjpeg", seconds=4)
    assert times(by_keys(data)) == [0, 1000, 2000, 3000]
    assert len(times(by_keys(data, Asking([Span(1000, 1100)])))) == 7


def test_a_short_clip_has_one_key_frame(tmp_path: Path) -> None:
    """Two seconds need no more; what follows the last thing seen for longer is looked at."""
    two = movie(tmp_path / "two.mp4", "libx264", seconds=2, options={"sc_threshold": "0"})
    assert times(by_keys(two)) == [0]
    three = movie(tmp_path / "three.mp4", "libx264", seconds=3, options={"sc_threshold": "0"})
    assert times(by_keys(three))[-1] == 2800
    # Where much was seen the last few seconds are as good as any others.
    options = {"g": "40", "sc_threshold": "0"}
    long = movie(tmp_path / "long.mp4", "libx264", seconds=19.5, options=options)
    assert times(by_keys(long)) == [0, 4000, 8000, 12000, 16000]
    # Unless a closer look was asked for: what is known may end there.
    assert times(by_keys(long, Asking([Span(0, 100)])))[-1] > 19_000


@pytest.fixture(scope="module")
def one_group(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Fifteen seconds in one group of pictures."""
    path = tmp_path_factory.mktemp("keys") / "group.mkv"
    return movie(path, "libx264", seconds=15, options={"g": "999", "sc_threshold": "0"})


def test_a_long_group_is_looked_at_inside(one_group: bytes) -> None:
    """Nobody hides a clip between two key frames."""
    judge = Asking()
    assert len(times(by_keys(one_group, judge))) == 60
    assert len(judge.heard[0].fingerprints) == 1
    assert judge.heard[1].through_ms < 12_000


def test_a_group_that_cannot_be_held_is_decoded_as_it_comes(one_group: bytes) -> None:
    """Held are no more bytes than allowed."""
    judge = Asking()
    found = by_keys(one_group, judge, limits=Limits(max_held_bytes=len(one_group) // 10))
    assert len(times(found)) == 60
    assert judge.heard[1].through_ms < 4000


def test_no_more_is_held_than_allowed(clip: bytes) -> None:
    """Packets and spans of what has passed are dropped."""
    limits = Limits(max_held_bytes=len(clip) // 5)
    to_come = Span(900_000, 900_001)
    scan = Scan(limits, KEYS, lambda seen: [Span(seen.through_ms, seen.through_ms + 1), to_come])
    most = 0
    with opened(io.BytesIO(clip), Format.MKV, limits) as reader:
        looks = KeyFrames(reader, scan, limits, KEYS)
        for packet in reader.packets():
            looks.take(packet)
            groups = [group for group in (looks._before, looks._now) if group is not None]
            held = sum(packet.size for group in groups for packet in group.packets)
            assert held <= limits.max_held_bytes + packet.size
            most = max(most, held)
    assert most > limits.max_held_bytes / 2
    assert len(scan._spans) <= 6
    assert to_come in scan._spans


@pytest.mark.parametrize("decoy", ["black", "always the same"])
def test_key_frames_that_tell_nothing_do_not_stand_for_a_video(tmp_path: Path, decoy: str) -> None:
    """Who chooses them does not choose what is seen: at least now and then others are too."""
    size = (160, 120)
    mask = scene(77) if decoy != "black" else np.zeros((120, 160, 3), np.uint8)
    shown = [mask if i % 20 == 0 else scene(i // RATE, size) for i in range(25 * RATE)]
    data = film(tmp_path / "clip.mkv", "libx264", shown, options={"g": "20", "sc_threshold": "0"})
    found = by_keys(data)
    seen = [f for f in found.fingerprints if (f.time_ms or 0) % 2000]
    assert any(distance(f.value, value_of(scene((f.time_ms or 0) // 1000))) <= 31 for f in seen)
    # Behind black key frames a video is looked at inside each time: it may be fading in.
    assert len(seen) < 40 or decoy == "black"


def value_of(pixels: NDArray[np.uint8]) -> bytes:
    """The PDQ of a picture."""
    from PIL import Image

    return (
        look(io.BytesIO(saved(Image.fromarray(pixels), "png")), Limits(), KEYS)
        .fingerprints[0]
        .value
    )


def test_joined_streams_go_on_in_time(tmp_path: Path) -> None:
    """Times that begin anew in the middle follow what came before."""
    one = movie(tmp_path / "one.ts", "libx264", seconds=3, options={"g": "10"})
    for judge, recipe in ((None, KEYS), (Asking(), KEYS)):
        found = look(io.BytesIO(one + one), Limits(), recipe, judge)
        assert times(found) == sorted(set(times(found)))
        assert 5000 <= times(found)[-1] < 6200
        assert 5800 <= (found.duration_ms or 0) <= 6300


def test_a_frame_stands_until_the_next(tmp_path: Path) -> None:
    """A slide show of a frame every ten seconds, none of them a key frame but the first."""
    slides = [scene(second) for second in range(5)]
    data = film(
        tmp_path / "clip.mkv",
        "libx264",
        slides,
        rate=1,
        at=[0, 10, 20, 30, 40],
        options={"sc_threshold": "0", "bf": "0"},
    )
    for judge in (None, Asking()):
        found = look(io.BytesIO(data), Limits(), KEYS, judge)
        assert times(found) == [0, 10_000, 20_000, 30_000, 40_000]
        for second, frame in enumerate(found.fingerprints):
            assert distance(frame.value, value_of(slides[second])) <= 24


def test_damage_to_key_frames_is_made_up_for_or_told(clip: bytes) -> None:
    """A key frame that cannot be decoded has its group looked at; what is then missing is said."""
    data = bytearray(clip)
    rng = np.random.default_rng(4)
    half = len(data) // 2
    data[half:] = rng.integers(0, 256, len(data) - half, dtype=np.uint8).tobytes()
    found = by_keys(bytes(data))
    assert found.limitation is UndeterminedReason.PARTLY_SEEN
    assert times(found)[:2] == [0, 2000]


def test_animations_go_the_same_way() -> None:
    """They are small: all is sampled, and the judge is told in steps and may stop it."""
    shown = [Image.fromarray(photo(60, 80, seed=second)) for second in range(6)]
    data = saved(shown[0], "gif", save_all=True, append_images=shown[1:], duration=1000)
    judge = Asking()
    found = by_keys(data, judge, FOR_CHECKS)
    assert times(found) == [0, 1000, 2000, 3000, 4000, 5000]
    assert [f for seen in judge.heard for f in seen.fingerprints] == list(found.fingerprints)
    stopped = by_keys(data, Asking(stop_ms=2000), FOR_CHECKS)
    assert times(stopped) == [0, 1000, 2000]
    assert stopped.limitation is UndeterminedReason.PARTLY_SEEN


def test_every_real_clip_is_seen_whole(shared_media: Path) -> None:
    """By key frames, of each of them, within a few bits of what a close look sees there."""
    for path in sorted((shared_media / "videos").iterdir())[::2]:
        judge = Asking()
        found = by_keys(path.read_bytes(), judge, FOR_CHECKS)
        assert found.limitation is None, (path.name, found.detail)
        assert times(found)[0] == 0
        gaps = np.diff([*times(found), found.duration_ms or 0])
        assert max(gaps) <= 10_500, path.name
        told: list[Fingerprint] = [f for seen in judge.heard for f in seen.fingerprints]
        assert sorted(f.value for f in told) == sorted(f.value for f in found.fingerprints)
