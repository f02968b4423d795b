"""Whatever the bytes, the answer is fingerprints or a refusal."""

import io
import sys
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from hashsvc.errors import MediaError, MediaTooLarge
from hashsvc.media import Limits, Recipe, fingerprint, fingerprint_file
from hashsvc.media.image import quiet
from hashsvc.media.scan import Seen, Span
from hashsvc.model import Decoding, MediaFingerprints
from tests.media.making import Pipe, movie, photo, saved, scene

BOUNDED = Limits(max_pixels=1_000_000, max_duration_s=60, max_decoded_frames=200)
FEW = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
PICTURES = ["jpeg", "png", "gif", "webp", "bmp", "tiff", "avif"]
MOVIES = [
    ("avi", "mjpeg"),
    ("mkv", "mpeg4"),
    ("mov", "mpeg4"),
    ("mp4", "libx264"),
    ("ts", "libx264"),
    ("webm", "libvpx"),
]
HEADS = [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0", b"\0\0\0\x10ftypisom"]
KEY_FRAMES = Recipe(rate=4, key_frames=True, mirrored=True, trimmed=True, decoding=Decoding.FAST)


def survive(data: bytes) -> None:
    """Fingerprint bytes that may be anything."""
    _check(_outcome(lambda: fingerprint(io.BytesIO(data), BOUNDED)), data)
    # By its key frames, with closer looks, and from a source that cannot seek.
    piped = _outcome(lambda: fingerprint(Pipe(data), BOUNDED, KEY_FRAMES, _asks_for_more))
    _check(piped, data)


def _outcome(hash_it: Callable[[], MediaFingerprints]) -> MediaFingerprints | MediaError:
    try:
        return hash_it()
    except MediaError as error:
        return error


def _check(result: MediaFingerprints | MediaError, data: bytes) -> None:
    if isinstance(result, MediaError):
        # What is too large may have no end: its digests are not waited for.
        assert bool(result.digests) == bool(data) or isinstance(result, MediaTooLarge)
        assert str(result)


def _asks_for_more(seen: Seen) -> list[Span]:
    return [Span(seen.through_ms - 500, seen.through_ms + 500)]


@cache
def picture(form: str) -> bytes:
    """A small picture in a format."""
    return saved(Image.fromarray(photo(40, 60, seed=5)), form)


@cache
def animation(form: str) -> bytes:
    """A small animation in a format."""
    shown = [Image.fromarray(scene(second)).resize((40, 30)) for second in range(3)]
    return saved(shown[0], form, save_all=True, append_images=shown[1:], duration=400)


@cache
def clip(suffix: str, code: str) -> bytes:
    """A small video in a container."""
    with TemporaryDirectory() as place:
        return movie(Path(place) / f"clip.{suffix}", code, seconds=1.5, size=(64, 48))


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """A file with some bytes overwritten, and perhaps a part cut out or its end cut off."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(0, 8))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    if draw(st.booleans()):
        start = draw(st.integers(0, len(data) - 1))
        del data[start : start + draw(st.integers(1, len(data)))]
    return bytes(data)


class Interrupting(io.BytesIO):
    """A file during whose decoding somebody presses Ctrl-C."""

    armed = False

    def read(self, size: int | None = -1, /) -> bytes:
        """Fail from the moment it is armed."""
        if self.armed and sys._getframe(1).f_code.co_name == "read":
            raise KeyboardInterrupt
        return super().read(size)


def test_an_interrupt_within_the_decoder_arrives() -> None:
    """It passes through the C library as an end of file, and is raised after."""
    source = Interrupting(clip("mkv", "mpeg4"))
    assert fingerprint(source).format == "mkv"
    source.armed = True
    with pytest.raises(KeyboardInterrupt):
        fingerprint(source)


def test_offsets_out_of_the_file_are_survived(tmp_path: Path) -> None:
    """Files and bytes in memory refuse them by different errors, which FFmpeg must not see."""
    whole = clip("mp4", "mpeg4")
    at = whole.index(b"stco") + 12
    made_up = b"\xff\xff\xff\x00"
    path = tmp_path / "clip"
    path.write_bytes(whole[:at] + made_up + whole[at + 4 :])
    with pytest.raises(MediaError):
        fingerprint_file(path)
    with pytest.raises(MediaError):
        fingerprint(io.BytesIO(path.read_bytes()))


def test_warnings_are_silent_only_while_hashing() -> None:
    """However calls overlap, the program's own filters are back when the last one is done."""
    before = list(warnings.filters)
    first, second = quiet(), quiet()
    first.__enter__()
    second.__enter__()
    warnings.warn("would be an error", UserWarning, stacklevel=1)
    first.__exit__(None, None, None)
    warnings.warn("would be an error", UserWarning, stacklevel=1)
    second.__exit__(None, None, None)
    assert list(warnings.filters) == before
    with pytest.raises(UserWarning):
        warnings.warn("is an error", UserWarning, stacklevel=1)


@FEW
@given(st.sampled_from(HEADS), st.binary(max_size=500))
def test_random_bytes(head: bytes, tail: bytes) -> None:
    """Bytes that at most begin like a known format."""
    survive(head + tail)


MAKERS: list[tuple[str, Callable[[], bytes]]] = [
    *((form, lambda form=form: picture(form)) for form in PICTURES),
    *((f"moving {form}", lambda form=form: animation(form)) for form in ("gif", "webp", "png")),
    *((suffix, lambda s=suffix, c=code: clip(s, c)) for suffix, code in MOVIES),
]


@pytest.mark.parametrize("make", [make for _, make in MAKERS], ids=[name for name, _ in MAKERS])
def test_damaged_files(make: Callable[[], bytes]) -> None:
    """Real files with damage of every kind."""
    FEW(given(damaged(make()))(survive))()
