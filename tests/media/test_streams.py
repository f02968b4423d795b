"""Videos that come from where nobody can seek: decoded as their bytes come, where that can be."""

import gc
import io
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from hashsvc.errors import MediaTooLarge, MediaUnreadable
from hashsvc.media import Limits, Recipe, fingerprint
from hashsvc.media.decode import look
from hashsvc.media.scan import Seen, Span
from hashsvc.model import UndeterminedReason
from tests.media.making import Pipe, box, movie, photo, saved

FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
INDEX_FIRST = {"movflags": "faststart"}
LAYOUTS = [
    ("webm", "libvpx", None, True),
    ("mkv", "libx264", None, True),
    ("ts", "libx264", None, True),
    ("avi", "mpeg4", None, True),
    ("mp4", "libx264", FRAGMENTS, True),
    ("mp4", "libx264", INDEX_FIRST, True),
    ("mov", "libx264", INDEX_FIRST, True),
    ("mp4", "libx264", None, False),
]
KEYS = Recipe(rate=4.0, key_frames=True)


@pytest.mark.parametrize(("suffix", "codec", "container", "progressive"), LAYOUTS)
def test_layouts(
    tmp_path: Path, suffix: str, codec: str, container: dict[str, str] | None, progressive: bool
) -> None:
    """Frames are told while most of the bytes are still to come; the rest is as of a whole file."""
    path = tmp_path / f"clip.{suffix}"
    data = movie(path, codec, seconds=12, size=(320, 240), options={"g": "10"}, container=container)
    source, left = Pipe(data), []
    source.piece_bytes = 4096

    def judge(seen: Seen) -> list[Span]:
        left.append(source.left)
        return []

    for recipe in (KEYS, replace(KEYS, key_frames=False)):
        whole = fingerprint(io.BytesIO(data), recipe=recipe, judge=says_nothing)
        source, left = Pipe(data), []
        piped = fingerprint(source, recipe=recipe, judge=judge)
        # Only of a whole file is the length of a transport stream known.
        assert replace(piped, duration_ms=whole.duration_ms) == whole
        assert piped.progressive is whole.progressive is progressive
        assert len(left) >= 10
        assert (left[1] > len(data) / 2) is progressive
        assert left[-1] == 0


def test_only_the_index_decides(tmp_path: Path) -> None:
    """A file with its index at the end is kept whole, up to `max_bytes`; others are not kept."""
    late = movie(tmp_path / "late.mp4", "libx264")
    first = movie(tmp_path / "first.mp4", "libx264", container=INDEX_FIRST)
    small = Limits(max_bytes=len(late) - 1)
    with pytest.raises(MediaTooLarge, match="max_bytes"):
        look(Pipe(late), small, KEYS)
    assert look(Pipe(first), replace(small, max_bytes=1 << 17), KEYS).progressive
    with pytest.raises(MediaTooLarge, match="max_stream_bytes"):
        look(Pipe(first), Limits(max_stream_bytes=len(first) - 1), KEYS)
    assert look(Pipe(first), Limits(max_stream_bytes=len(first)), KEYS).fingerprints


def test_pictures_are_read_whole() -> None:
    """There is nothing to see of them before."""
    data = saved(Image.fromarray(photo(60, 80, seed=1)), "png")
    assert fingerprint(Pipe(data)) == fingerprint(io.BytesIO(data))
    with pytest.raises(MediaTooLarge, match="max_bytes"):
        fingerprint(Pipe(data), Limits(max_bytes=len(data) - 1))


def test_digests_of_what_cannot_be_read_twice(tmp_path: Path) -> None:
    """They are of all its bytes, also of those behind what was decoded, and of what is refused."""
    data = movie(tmp_path / "clip.mp4", "libx264", container=INDEX_FIRST) + box(b"free", bytes(99))
    assert (
        fingerprint(Pipe(data)).fingerprints[:2] == fingerprint(io.BytesIO(data)).fingerprints[:2]
    )
    with pytest.raises(MediaUnreadable) as refused:
        fingerprint(Pipe(b"nonsense" * 9999))
    with pytest.raises(MediaUnreadable) as expected:
        fingerprint(io.BytesIO(b"nonsense" * 9999))
    assert refused.value.digests == expected.value.digests != ()
    with pytest.raises(MediaUnreadable) as empty:
        fingerprint(Pipe(b""))
    assert empty.value.digests == ()


def says_nothing(seen: Seen) -> list[Span]:
    """A judge that asks for nothing."""
    return []


class Broken(Pipe):
    """A connection that is lost after some bytes."""

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes, or an error."""
        if self.tell() > 20_000:
            raise ConnectionResetError("the uploader went away")
        return super().read(size)


class Failing(io.BytesIO):
    """A file on a disk that fails after some bytes."""

    def read(self, size: int | None = -1, /) -> bytes:
        """The bytes asked for, or an error."""
        if self.tell() > 20_000:
            raise ConnectionResetError("the network drive went away")
        return super().read(size)


@pytest.mark.parametrize("kind", [Broken, Failing])
@pytest.mark.parametrize("suffix", ["ts", "mp4"])
def test_errors_of_reading_are_passed_on(
    tmp_path: Path, suffix: str, kind: type[io.BytesIO]
) -> None:
    """What was lost on the way is not a fault of the file."""
    source = kind(movie(tmp_path / f"clip.{suffix}", "libx264", seconds=9, size=(320, 240)))
    with pytest.raises(ConnectionResetError):
        look(source, Limits(), KEYS, says_nothing)


class Generous(io.BytesIO):
    """A source that gives more than it is asked for."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Twice as much."""
        return super().read(-1 if size is None else size * 2)


def test_a_source_cannot_overrun_the_decoder(tmp_path: Path) -> None:
    """Bytes that nobody asked for do not reach FFmpeg's buffer."""
    data = movie(tmp_path / "clip.ts", "libx264", seconds=9, size=(320, 240))
    look(Generous(data), Limits(), KEYS)


def test_a_stream_that_ends_early_says_how_much_was_seen(tmp_path: Path) -> None:
    """As of a file: a fast-start MP4 of which half came."""
    data = movie(tmp_path / "clip.mp4", "libx264", seconds=10, container=INDEX_FIRST)
    for judge in (None, says_nothing):
        found = look(Pipe(data[: len(data) // 2]), Limits(), KEYS, judge)
        assert found.limitation is UndeterminedReason.PARTLY_SEEN
        assert found.detail.startswith("decoded ")
        assert found.detail.endswith(" of 10.0 s")


class Endless(Pipe):
    """The same stream over and over, `times` times."""

    times = 1

    def read(self, size: int | None = -1, /) -> bytes:
        """The next piece."""
        piece = super().read(size)
        if not piece and self.times > 1:
            self.times -= 1
            io.BytesIO.seek(self, 0)
            return super().read(size)
        return piece


def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    """Of a stream ten times as long, no more is kept but its hashes."""
    data = movie(tmp_path / "clip.ts", "libx264", seconds=4, size=(320, 240), options={"g": "20"})
    peaks = []
    for times in (2, 20):
        source = Endless(data)
        source.times = times
        tracemalloc.start()
        found = look(source, Limits(max_held_bytes=len(data)), KEYS, says_nothing)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert (found.duration_ms or 0) > times * 3500
    assert peaks[1] < peaks[0] + 200_000


def test_frames_are_freed_when_they_are_hashed(tmp_path: Path) -> None:
    """None waits for the garbage collector: of large frames that would be hundreds of megabytes."""
    data = movie(tmp_path / "clip.ts", "libx264", seconds=12)
    gc.collect()
    gc.disable()
    try:
        found = look(io.BytesIO(data), Limits(), replace(KEYS, trimmed=True))
        assert len(found.fingerprints) == 48
        assert gc.collect() < 48
    finally:
        gc.enable()
