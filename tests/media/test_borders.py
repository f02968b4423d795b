"""Borders around the frames of a video, told from dark and plain scenes."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from hashsvc.media import FOR_CHECKS, FOR_LISTS, Recipe, fingerprint, fingerprint_file
from hashsvc.media.borders import Borders, Box
from hashsvc.media.variants import TRIMMED
from hashsvc.model import ORIGINAL, Algorithm, Fingerprint, MediaFingerprints
from tests.media.making import distance, film, photo, scene

HEIGHT, WIDTH = 180, 320
Picture = NDArray[np.uint8]


def shown(seed: int, height: int = HEIGHT, width: int = WIDTH) -> Picture:
    """The luma of a picture."""
    return np.asarray(Image.fromarray(photo(height, width, seed)).convert("L"))


def framed(picture: Picture, box: Box, colour: int = 16, noise: int = 2) -> Picture:
    """A frame with a picture in a part of it and a border around that, a little noisy."""
    rng = np.random.default_rng(1)
    frame = colour + rng.integers(-noise, noise + 1, (HEIGHT, WIDTH))
    frame[box.top : box.bottom, box.left : box.right] = np.asarray(
        Image.fromarray(picture).resize((box.right - box.left, box.bottom - box.top))
    )
    return frame.clip(0, 255).astype(np.uint8)


def insides(*frames: Picture, step_ms: int = 250) -> list[Box | None]:
    """What is found inside the borders of one frame after the other."""
    borders = Borders()
    return [borders.inside(frame, n * step_ms) for n, frame in enumerate(frames)]


LETTERBOX = Box(24, 156, 0, WIDTH)
BOXES = {
    "letterbox": LETTERBOX,
    "pillarbox": Box(0, HEIGHT, 40, 280),
    "portrait in landscape": Box(0, HEIGHT, 110, 211),
    "window": Box(20, 150, 30, 300),
    "half size": Box(45, 135, 80, 240),
    "below alone": Box(0, 140, 0, WIDTH),
    "four pixels": Box(4, 176, 0, WIDTH),
}


@pytest.mark.parametrize("colour", [16, 128, 235])
@pytest.mark.parametrize("name", BOXES)
def test_borders_of_any_colour_are_found(name: str, colour: int) -> None:
    """To the pixel, from the first frame on."""
    box = BOXES[name]
    found = insides(*(framed(shown(seed), box, colour) for seed in range(4)))
    assert all(f is not None and f.is_near(box) for f in found)


@pytest.mark.parametrize("box", [Box(1, 179, 0, WIDTH), Box(85, 95, 0, WIDTH)])
def test_slight_and_huge_borders_do_not_count(box: Box) -> None:
    """Less than 2 % moves a hash by little, and what is within more than 80 % is not the video."""
    assert insides(framed(shown(1), box)) == [None]


def test_pictures_without_borders_have_none() -> None:
    """However different they are."""
    assert set(insides(*(shown(seed) for seed in range(40)))) == {None}


def night(seed: int) -> Picture:
    """A scene that is lit in its middle and fades to black."""
    down = np.abs(np.linspace(-1.6, 1.6, HEIGHT))[:, None]
    across = np.abs(np.linspace(-1.6, 1.6, WIDTH))[None]
    light = (1.2 - np.hypot(down, across)).clip(0, 1)
    return (16 + light * shown(seed)).clip(0, 255).astype(np.uint8)


def test_a_night_scene_is_no_border() -> None:
    """It has no edge, whether before or after other scenes."""
    assert set(insides(night(1), night(2), shown(3), night(4), night(5), night(6))) == {None}


def test_dark_scenes_and_fades_keep_the_borders() -> None:
    """What was known stays known while nothing can be seen of it."""
    black = np.full((HEIGHT, WIDTH), 16, np.uint8)
    half = framed((16 + (shown(1).astype(int) - 16) // 20).clip(0, 255).astype(np.uint8), LETTERBOX)
    frames = [framed(shown(1), LETTERBOX), half, black, black, framed(night(2), LETTERBOX)]
    assert insides(*frames) == [LETTERBOX] * 5


def test_a_fade_in_waits_for_something_to_see() -> None:
    """Nothing is believed of black frames."""
    black = np.full((HEIGHT, WIDTH), 16, np.uint8)
    assert insides(black, black, framed(shown(1), LETTERBOX)) == [None, None, LETTERBOX]


def test_text_in_the_border_is_not_content() -> None:
    """Subtitles and captions cover a part of their lines."""
    frame = framed(shown(1), LETTERBOX)
    written = frame.copy()
    for x in range(60, 260, 10):
        written[160:172, x : x + 4] = 235
    assert insides(frame, written, frame) == [LETTERBOX] * 3
    assert insides(written) == [LETTERBOX]


def test_content_outside_ends_a_border_at_once() -> None:
    """And a new one counts a second after it was first seen."""
    whole, boxed = shown(1), framed(shown(2), LETTERBOX)
    found = insides(boxed, whole, *[boxed] * 6)
    assert found == [LETTERBOX, None, *[None] * 4, LETTERBOX, LETTERBOX]


def test_borders_begin_anew_with_another_size() -> None:
    """A video may change its size in the middle."""
    borders = Borders()
    assert borders.inside(framed(shown(1), LETTERBOX), 0) == LETTERBOX
    assert borders.inside(shown(2, 240, 320), 250) is None


def bordered(picture: Picture) -> Picture:
    """An RGB frame with black bars above and below."""
    frame = np.zeros((156, 160, 3), np.uint8)
    frame[18:138] = picture
    return frame


def windowed(picture: Picture) -> Picture:
    """The same with white all around."""
    frame = np.full((160, 220, 3), 235, np.uint8)
    frame[20:140, 30:190] = picture
    return frame


@pytest.mark.parametrize("add", [bordered, windowed])
@pytest.mark.parametrize("of", [FOR_LISTS, FOR_CHECKS])
def test_either_side_may_have_the_border(
    tmp_path: Path, add: Callable[[Picture], Picture], of: Recipe
) -> None:
    """The trimmed hashes of a clip with a border are near the plain ones of that without."""
    plain = [scene(n // 10) for n in range(30)]
    options = {"crf": "28"}
    one, other = (
        fingerprint(io.BytesIO(film(tmp_path / name, "libx264", frames, options=options)), None, of)
        for name, frames in (("plain.mp4", plain), ("framed.mp4", [add(f) for f in plain]))
    )
    assert not variants(one) & {TRIMMED, "trimmed_flip_horizontal"}
    mirrored = of is FOR_CHECKS
    assert ("trimmed_flip_horizontal" in variants(other)) is mirrored
    for name in (ORIGINAL, "flip_horizontal") if mirrored else (ORIGINAL,):
        inner = TRIMMED if name == ORIGINAL else f"{TRIMMED}_{name}"
        known = {f.time_ms: f.value for f in pdq_frames(one) if f.variant == name}
        found = {f.time_ms: f.value for f in pdq_frames(other) if f.variant == inner}
        both = known.keys() & found.keys() - {None}
        assert len(both) >= 3
        assert max(distance(known[time_ms], found[time_ms]) for time_ms in both) <= 24


def pdq_frames(found: MediaFingerprints) -> list[Fingerprint]:
    """The hashes of whole frames."""
    return [f for f in found.fingerprints if f.algorithm is Algorithm.PDQ]


def variants(found: MediaFingerprints) -> set[str]:
    """Which looks there are."""
    return {f.variant for f in found.fingerprints}


def test_real_clips_are_trimmed_where_they_have_borders(shared_media: Path) -> None:
    """Chaplin stands between two bars; the flower and the city have none."""
    trimmed = {
        name: TRIMMED in variants(fingerprint_file(shared_media / "videos" / name))
        for name in ("chaplin_360p.mp4", "flower_540p.webm", "city_flyover_a_180p.m4v")
    }
    assert list(trimmed.values()) == [True, False, False]
