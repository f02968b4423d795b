"""Videos and animations: sampling, containers, damage, and published vPDQ values."""

import hashlib
import io
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hashsvc.errors import MediaTooLarge, MediaUnreadable
from hashsvc.media import Limits, Recipe, fingerprint, fingerprint_file
from hashsvc.model import Algorithm, Decoding, MediaFingerprints, MediaType, UndeterminedReason
from tests.media.making import (
    audio_only_mp4,
    box,
    distance,
    film,
    frames_of,
    look,
    movie,
    pdq_of,
    repeated,
    rotated,
    saved,
    scene,
)

CONTAINERS = [
    ("avi", "mjpeg", "avi"),
    ("mkv", "mpeg4", "mkv"),
    ("mov", "mpeg4", "mov"),
    ("mp4", "mpeg4", "mp4"),
    ("m4v", "mpeg4", "m4v"),
    ("webm", "libvpx", "webm"),
    ("ts", "libx264", "ts"),
]
UNITY, HALF_TURN, QUARTER_TURN = (
    (65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30),
    (-65536, 0, 0, 0, -65536, 0, 160 << 16, 120 << 16, 1 << 30),
    (0, 65536, 0, -65536, 0, 0, 120 << 16, 0, 1 << 30),
)


def each_second(data: bytes) -> MediaFingerprints:
    """Fingerprint bytes, with one frame a second as vPDQ has it."""
    return look(data, Recipe())


def still(second: int) -> bytes:
    """The PDQ of what `movie` shows in a second."""
    return pdq_of(each_second(saved(Image.fromarray(scene(second)), "png"))).value


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Three seconds of MP4."""
    return movie(tmp_path_factory.mktemp("clip") / "clip.mp4", "mpeg4")


@pytest.mark.parametrize(("suffix", "code", "form"), CONTAINERS)
def test_every_container(tmp_path: Path, suffix: str, code: str, form: str) -> None:
    """Each container gives digests and one PDQ a second, at the times and of the frames shown."""
    data = movie(tmp_path / f"clip.{suffix}", code)
    found = each_second(data)
    assert (found.media_type, found.format) == (MediaType.VIDEO, form)
    assert (found.width, found.height, found.duration_ms) == (160, 120, 3000)
    assert (found.limitation, found.detail) == (None, "")
    assert found.fingerprints[0].value == hashlib.sha256(data).digest()
    assert found.fingerprints[1].algorithm is Algorithm.MD5
    frames = frames_of(found)
    assert [f.time_ms for f in frames] == [0, 1000, 2000]
    for second, frame in enumerate(frames):
        assert distance(frame.value, still(second)) <= 24
        assert distance(frame.value, still(second + 1)) > 60


@pytest.mark.parametrize("form", ["gif", "webp", "png", "avif"])
def test_every_animation(form: str) -> None:
    """An animated picture is a video."""
    shown = [Image.fromarray(scene(index // 4)) for index in range(12)]
    options = {"save_all": True, "append_images": shown[1:], "duration": 250}
    found = each_second(saved(shown[0], form, **options))
    assert (found.media_type, found.format) == (MediaType.VIDEO, form)
    assert (found.duration_ms, found.limitation) == (3000, None)
    frames = frames_of(found)
    assert [f.time_ms for f in frames] == [0, 1000, 2000]
    for second, frame in enumerate(frames):
        assert distance(frame.value, still(second)) <= 24


def test_a_decoy_frame_does_not_hide_the_one_that_stays() -> None:
    """A first frame of a moment, then another one for ten seconds: both are hashed."""
    shown = [Image.fromarray(scene(second)) for second in (0, 1)]
    data = saved(shown[0], "webp", save_all=True, append_images=shown[1:], duration=[20, 10_000])
    frames = frames_of(each_second(data))
    assert [f.time_ms for f in frames] == [0, 20]
    assert distance(frames[1].value, still(1)) <= 24


def test_a_decoy_frame_in_a_video(tmp_path: Path) -> None:
    """The same in an MP4, whose frame times say how long a frame stays."""
    data = bytearray(movie(tmp_path / "clip.mp4", "mpeg4", seconds=3, rate=1))
    at = data.index(b"stts")
    count, first, delta = struct.unpack_from(">LLL", data, at + 8)
    assert (count, first) == (1, 3)
    entries = struct.pack(">LLLLLLLL", 0, 3, 1, delta // 10, 1, delta * 12 // 5, 1, delta // 2)
    grown = _with_stts(bytes(data), entries)
    frames = frames_of(each_second(grown))
    assert [f.time_ms for f in frames] == [0, 100, 2500]
    assert distance(frames[1].value, still(1)) <= 24


def _with_stts(data: bytes, content: bytes) -> bytes:
    """An MP4 that ends with its `moov`, with the table of sample times replaced."""
    at = data.index(b"stts") - 4
    old = int.from_bytes(data[at : at + 4], "big")
    new = box(b"stts", content)
    grown = bytearray(data[:at] + new + data[at + old :])
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
        where = data.index(name) - 4
        size = int.from_bytes(data[where : where + 4], "big") + len(new) - old
        grown[where : where + 4] = size.to_bytes(4, "big")
    return bytes(grown)


def test_frames_that_show_the_same_are_left_out(tmp_path: Path) -> None:
    """Until a second has passed, or something else is shown; all forms of a frame go together."""
    still_ms, moving_ms = 3000, 1500
    count = (still_ms + moving_ms) // 100
    shown = [scene(0 if n < still_ms // 100 else n) for n in range(count)]
    data = film(tmp_path / "clip.avi", "mjpeg", shown)
    recipe = Recipe(rate=4.0, distinct_bits=6, mirrored=True)
    frames = frames_of(look(data, recipe))
    moving = [3000, 3300, 3500, 3800, 4000, 4300]
    assert [f.time_ms for f in frames if f.variant == "original"] == [0, 1000, 2000, *moving]
    assert len(frames) == 2 * 9
    assert len(frames_of(look(data, replace(recipe, distinct_bits=0)))) == 2 * 18


@pytest.mark.parametrize(("matrix", "turn"), [(UNITY, 0), (HALF_TURN, 2), (QUARTER_TURN, 3)])
def test_rotation_is_honoured(clip: bytes, matrix: tuple[int, ...], turn: int) -> None:
    """A phone's upright film is hashed upright."""
    found = each_second(rotated(clip, matrix))
    upright = np.ascontiguousarray(np.rot90(scene(0), turn))
    assert (found.height, found.width) == upright.shape[:2]
    expected = pdq_of(each_second(saved(Image.fromarray(upright), "png")))
    assert distance(frames_of(found)[0].value, expected.value) <= 24


def test_a_cut_video_is_partly_seen(tmp_path: Path) -> None:
    """What is there is hashed, and what is missing is said."""
    data = movie(tmp_path / "clip.avi", "mjpeg", seconds=10)
    found = each_second(data[: len(data) * 2 // 5])
    assert found.limitation is UndeterminedReason.PARTLY_SEEN
    assert found.detail.startswith("decoded ")
    assert " of 10.0 s" in found.detail
    assert 3 <= len(frames_of(found)) <= 5


def test_a_cut_real_video_is_partly_seen(shared_media: Path) -> None:
    """The same for an MP4 with its index at the front."""
    data = (shared_media / "videos" / "flower_540p.mp4").read_bytes()
    assert each_second(data).limitation is None
    assert each_second(data[: len(data) // 2]).limitation is UndeterminedReason.PARTLY_SEEN


def test_an_mp4_without_its_index_is_unreadable(clip: bytes) -> None:
    """A cut that takes the index leaves nothing to decode; the digests are known still."""
    with pytest.raises(MediaUnreadable, match="cut short") as refused:
        each_second(clip[: len(clip) // 2])
    assert len(refused.value.digests) == 2


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (audio_only_mp4(), "no frames: it holds only audio"),
        (audio_only_mp4(b"text"), "no frames: it holds no video track"),
        (audio_only_mp4(b"vide"), "no frames"),
        (box(b"moov", bytes(16)) + box(b"mdat"), "no frames"),
        (box(b"ftyp", b"isom", bytes(4)), "no frames"),
        (b"\x1a\x45\xdf\xa3\x87\x42\x82\x84webm", "no frames"),
        (b"RIFF\x04\0\0\0AVI ", "no frames"),
    ],
)
def test_nothing_to_see_is_unreadable(data: bytes, message: str) -> None:
    """A video without frames is refused, and why, as far as it is known."""
    with pytest.raises(MediaUnreadable, match=message):
        each_second(data)


@pytest.mark.parametrize(
    "limits",
    [
        Limits(max_pixels=160 * 120 - 1),
        Limits(max_side_pixels=159),
        Limits(max_duration_s=2.5),
        Limits(max_frames=2),
        Limits(max_decoded_frames=29),
    ],
)
def test_limits_of_a_video(clip: bytes, limits: Limits) -> None:
    """One less than needed of anything is refused."""
    with pytest.raises(MediaTooLarge) as refused:
        fingerprint(io.BytesIO(clip), limits, Recipe())
    assert refused.value.metadata["limit"] in str(refused.value)


def test_a_video_at_its_limits_passes(clip: bytes) -> None:
    """Exactly what is needed is enough."""
    limits = Limits(
        max_bytes=len(clip),
        max_pixels=160 * 120,
        max_side_pixels=160,
        max_duration_s=3,
        max_frames=3,
        max_decoded_frames=30,
    )
    assert len(frames_of(fingerprint(io.BytesIO(clip), limits, Recipe()))) == 3


def test_an_animation_has_the_limits_of_a_video() -> None:
    """Frames and duration are bounded for animated pictures too."""
    shown = [Image.fromarray(scene(second)) for second in range(4)]
    data = saved(shown[0], "gif", save_all=True, append_images=shown[1:], duration=1000)
    for limits in (Limits(max_duration_s=3), Limits(max_frames=3), Limits(max_decoded_frames=3)):
        with pytest.raises(MediaTooLarge):
            fingerprint(io.BytesIO(data), limits, Recipe())


def test_any_kind_of_binary_file_will_do(clip: bytes, tmp_path: Path) -> None:
    """A file, an unbuffered file and bytes in memory give the same."""
    path = tmp_path / "clip"
    path.write_bytes(clip)
    with path.open("rb") as buffered, path.open("rb", buffering=0) as raw:
        assert fingerprint(buffered) == fingerprint(raw) == look(clip) == fingerprint_file(path)


def test_trimmed_videos_are_seen_whole(shared_media: Path) -> None:
    """An edit list hides frames on purpose: nothing is missing."""
    for name in ("city_flyover_b_middle_cut_180p.mov", "city_flyover_a_180p.m4v"):
        assert fingerprint_file(shared_media / "videos" / name).limitation is None


@pytest.mark.parametrize(
    "name",
    [
        "chair-20-sd-bar",
        "doorknob-hd-no-bar",
        "pattern-sd-grey-bar",
        "pattern-sd-with-large-logo-bar",
        "test-padded-dimensions",
    ],
)
def test_published_vpdq(shared_media: Path, name: str) -> None:
    """Frames of quality 50 are within the 31 bits upstream allows, most of them within 6."""
    place = shared_media / "vectors" / "vpdq"
    reference = _vpdq(place / "sample-hashes" / f"{name}.txt")
    frames = frames_of(fingerprint_file(place / "videos" / f"{name}.mp4", recipe=Recipe()))
    assert len(frames) == 1 + max(reference) // 1000
    good = [f for f in frames if (f.quality or 0) >= 50]
    bits = [distance(f.value, reference[f.time_ms or 0][1]) for f in good]
    assert max(bits) <= 31
    assert sum(b <= 6 for b in bits) > len(bits) / 2


def test_dev_set_vpdq(shared_media: Path) -> None:
    """Clips with whole frame rates, against values another implementation gave for them."""
    compared = 0
    for path in sorted((shared_media / "vectors" / "dev_set" / "vpdq_1s").iterdir()):
        reference = _vpdq(path)
        for frame in frames_of(
            fingerprint_file(shared_media / "videos" / path.stem, recipe=Recipe())
        ):
            quality, value = reference.get(frame.time_ms or 0, (0, ""))
            if quality >= 50:
                assert distance(frame.value, value) <= 31, path.stem
                compared += 1
    assert compared > 100


def _vpdq(path: Path) -> dict[int, tuple[int, str]]:
    """Quality and hash by time in milliseconds."""
    rows = (line.split(",") for line in path.read_text().split())
    return {round(float(at) * 1000): (int(quality), value) for _, quality, value, at in rows}


def test_a_size_that_changes_in_the_middle(tmp_path: Path) -> None:
    """Each frame is hashed as it is; one that grows past the limits is refused."""
    small = movie(tmp_path / "small.ts", "libx264", seconds=2)
    large = movie(tmp_path / "large.ts", "libx264", seconds=2, size=(320, 240))
    found = each_second(small + large)
    assert (found.width, found.height) == (160, 120)
    assert len(frames_of(found)) == 4
    assert distance(frames_of(found)[2].value, still(0)) <= 24
    with pytest.raises(MediaTooLarge, match="max_pixels"):
        fingerprint(io.BytesIO(small + large), Limits(max_pixels=160 * 120), Recipe())


def test_ten_thousand_tiny_frames(tmp_path: Path) -> None:
    """At a thousand a second they are ten seconds; the limit of frames holds for them too."""
    data = repeated(tmp_path / "clip.avi", scene(0, (16, 16)), 10_000, rate=1000)
    found = each_second(data)
    assert (len(frames_of(found)), found.duration_ms) == (10, 10_000)
    with pytest.raises(MediaTooLarge, match="max_decoded_frames"):
        fingerprint(io.BytesIO(data), Limits(max_decoded_frames=9_999), Recipe())


def test_an_absurd_duration_is_refused(tmp_path: Path) -> None:
    """Also where only the times of frames tell of it."""
    data = film(tmp_path / "clip.mkv", "mjpeg", [scene(0), scene(1)], rate=1, at=[0, 20_000])
    with pytest.raises(MediaTooLarge, match="max_duration_s"):
        look(data)


@pytest.mark.parametrize("codec", ["libx265", "libvpx-vp9", "mpeg2video"])
def test_other_codecs(tmp_path: Path, codec: str) -> None:
    """What people's devices and sites write."""
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    name = "clip.ts" if codec == "mpeg2video" else "clip.mkv"
    data = movie(tmp_path / name, codec, rate=25, options=options)
    assert [f.time_ms for f in frames_of(each_second(data))] == [0, 1000, 2000]
    fast = frames_of(look(data, Recipe(decoding=Decoding.FAST)))
    for second, frame in enumerate(fast):
        assert distance(frame.value, still(second)) <= 24


def test_luma_gives_what_rgb_gives(shared_media: Path) -> None:
    """Without making colours, within a few bits of the exact values, whatever the file's matrix."""
    bits = []
    for name in ("nasa_13013_180p.mp4", "bbb_opening_2s_720p.mp4", "flower_540p.webm"):
        path = shared_media / "videos" / name
        exact, fast = (
            frames_of(fingerprint_file(path, recipe=Recipe(rate=2.0, decoding=how)))
            for how in (Decoding.EXACT, Decoding.FAST)
        )
        assert {f.decoding for f in fast} == {Decoding.FAST}
        assert (
            max(abs((a.quality or 0) - (b.quality or 0)) for a, b in zip(exact, fast, strict=True))
            <= 1
        )
        bits += [
            distance(a.value, b.value)
            for a, b in zip(exact, fast, strict=True)
            if (a.quality or 0) >= 50
        ]
    assert len(bits) > 20
    assert np.median(bits) <= 2
    assert max(bits) <= 8
