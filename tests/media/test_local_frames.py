"""Local features of frames: of which ones, how many, and on the way out of the sandbox."""

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hashsvc import feature_values
from hashsvc.media import (
    FOR_LISTS,
    DecoderPool,
    Limits,
    Recipe,
    fingerprint_file,
    for_checks,
    wire,
)
from hashsvc.media.decode import look
from hashsvc.media.frame import Frame
from hashsvc.media.local_frames import MOST_FRAMES, LocalFrames
from hashsvc.media.recipe import Looking, with_local
from hashsvc.media.scan import Seen, Span
from hashsvc.model import Algorithm, Fingerprint
from tests.media.collage import SCENES, frames, scene
from tests.media.making import film

OFTEN = Recipe(local_frames=Looking(most=16, side=240), local_every_s=1.0)
CHECKED = for_checks([Algorithm.ORB])
RATE = 4


def local_of(fingerprints: Sequence[Fingerprint]) -> list[Fingerprint]:
    """Those of local features."""
    return [f for f in fingerprints if f.algorithm is Algorithm.ORB]


def texture(time_ms: int) -> Frame:
    """A small frame with something to see."""
    pixels = np.random.default_rng(1).integers(0, 256, (180, 240), dtype=np.uint8)
    return Frame(time_ms, pixels, pixels)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Five scenes of two seconds, the third of them black, with a key frame a second."""
    pictures = [scene(name) for name in SCENES]
    pictures[2] = pictures[2].point(lambda _: 0)
    path = tmp_path_factory.mktemp("local") / "clip.mp4"
    keys = {"g": str(RATE), "sc_threshold": "0", "preset": "ultrafast"}
    return film(path, "libx264", frames(pictures, 2 * RATE), rate=RATE, options=keys)


def test_a_list_has_each_scene_once(clip: bytes) -> None:
    """One frame of each in two seconds, none that is plain or shows the same, of 4.9 KB at most."""
    found = look(io.BytesIO(clip), Limits(), with_local(replace(FOR_LISTS, local_every_s=0.5)))
    local = local_of(found.fingerprints)
    assert [(one.time_ms or 0) // 2000 for one in local] == [0, 1, 3, 4]
    assert all(16 <= feature_values.count(one.value) <= 128 for one in local)
    assert not local_of(look(io.BytesIO(clip), Limits(), FOR_LISTS).fingerprints)


def test_a_judge_is_told_and_nobody_else(clip: bytes) -> None:
    """An upload's local features go to the judge, every three seconds, and are not held."""
    told: list[Fingerprint] = []

    def judge(seen: Seen) -> Sequence[Span]:
        told.extend(local_of(seen.fingerprints))
        return ()

    found = look(io.BytesIO(clip), Limits(), CHECKED, judge)
    assert [(one.time_ms or 0) // 3000 for one in told] == [0, 1, 2, 3]
    assert not local_of(found.fingerprints)
    alone = look(io.BytesIO(clip), Limits(), CHECKED)
    assert len(local_of(alone.fingerprints)) == 4


async def test_a_decoder_process_gives_what_the_library_gives(clip: bytes, tmp_path: Path) -> None:
    """Of a known video, which nobody judges, as of an upload: its local features, too."""
    path = tmp_path / "clip"
    path.write_bytes(clip)
    async with DecoderPool(1) as pool:
        for recipe in (with_local(FOR_LISTS), CHECKED):
            found = await pool.fingerprint_path(path, recipe)
            assert found == fingerprint_file(path, recipe=recipe)
            assert len(local_of(found.fingerprints)) >= 4


def test_of_a_long_video_they_are_spread() -> None:
    """However long it is, there are between half of what is allowed and all, evenly."""
    chosen = LocalFrames(OFTEN)
    made = chosen.of(texture(0), 0)
    assert made is not None
    for second in range(MOST_FRAMES * 9 // 2):
        chosen.keep(replace(made, time_ms=1000 * second))
        assert len(chosen.kept) <= MOST_FRAMES
    times = [one.time_ms or 0 for one in chosen.kept]
    assert len(times) > MOST_FRAMES // 2
    assert set(np.diff(times)) == {8000}


def test_one_frame_in_each_time() -> None:
    """Frames that come again, or too soon, are not looked at; in whichever order they come."""
    chosen = LocalFrames(OFTEN)
    times = [5500, 5900, 0, 999, 1000, 5000]
    taken = [at for at in times if chosen.of(texture(at), 0) is not None]
    assert taken == [5500, 0, 1000]


def test_the_most_there_can_be_goes_through_the_wire() -> None:
    """A step with all that a check may have fits a message, and comes out as it was."""
    value = (
        bytes(feature_values.HEAD_BYTES)
        + bytes(feature_values.FEATURE_BYTES) * feature_values.MOST_ASKED
    )
    most = tuple(
        Fingerprint(Algorithm.ORB, value, time_ms=1000 * number) for number in range(MOST_FRAMES)
    )
    message = wire.message(wire.pack_seen(Seen(most, 7)))
    assert wire.message_length(message[: wire.HEAD_BYTES]) < wire.MAX_FRAME_BYTES
    assert wire.unpack_said(json.loads(message[wire.HEAD_BYTES :])) == Seen(most, 7)


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_times_that_are_none(seconds: float) -> None:
    """Local features every so many seconds: a tenth at least."""
    with pytest.raises(ValueError, match="every"):
        replace(OFTEN, local_every_s=seconds)


def test_a_recipe_goes_through_json() -> None:
    """What a worker is told is what was asked."""
    recipe = with_local(FOR_LISTS)
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
