"""Pictures in every format, mode and orientation; damaged and oversized ones."""

import hashlib
import io
from pathlib import Path

import imagehash
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from hashsvc.errors import MediaTooLarge, MediaUnreadable
from hashsvc.media import Limits, fingerprint, fingerprint_file
from hashsvc.media.image import SHOWN
from hashsvc.model import Algorithm, MediaType, UndeterminedReason
from tests.media.making import distance, hollow_png, look, pdq_of, saved

FORMATS = ["jpeg", "png", "gif", "webp", "bmp", "tiff", "avif"]
ORIENTATION = 0x0112


def test_fingerprints_of_a_picture(picture: Image.Image) -> None:
    """Digests, PDQ and pHash in this order, with the picture's upright size."""
    data = saved(picture, "png")
    found = look(data)
    assert (found.media_type, found.format) == (MediaType.IMAGE, "png")
    assert (found.width, found.height, found.duration_ms) == (320, 240, None)
    assert found.limitation is None
    sha256, md5, pdq, phash = found.fingerprints
    assert sha256.value == hashlib.sha256(data).digest()
    assert md5.value == hashlib.md5(data).digest()
    assert (pdq.algorithm, pdq.quality, pdq.time_ms) == (Algorithm.PDQ, 100, None)
    assert phash.algorithm is Algorithm.PHASH
    assert phash.value.hex() == str(imagehash.phash(picture))


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_looks_the_same(picture: Image.Image, form: str) -> None:
    """Each format is told from its content and hashes near the lossless one."""
    found = look(saved(picture, form))
    assert found.format == form
    assert found.media_type is MediaType.IMAGE
    assert distance(pdq_of(found).value, pdq_of(look(saved(picture, "png"))).value) <= 16


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "CMYK", "YCbCr", "PA", "I", "F"])
def test_every_mode_looks_the_same(picture: Image.Image, mode: str) -> None:
    """Each pixel mode hashes near plain RGB."""
    form = {"CMYK": "jpeg", "YCbCr": "jpeg", "PA": "tiff", "I": "tiff", "F": "tiff"}.get(
        mode, "png"
    )
    converted = picture.convert("L").convert(mode) if mode in "IF" else picture.convert(mode)
    found = look(saved(converted, form))
    assert distance(pdq_of(found).value, pdq_of(look(saved(picture, "png"))).value) <= 10


def test_a_black_and_white_picture_is_hashed(picture: Image.Image) -> None:
    """One bit a pixel is enough."""
    assert pdq_of(look(saved(picture.convert("1"), "png"))).quality == 100


def test_deep_grey_is_also_hashed_as_shown(pixels: NDArray[np.uint8]) -> None:
    """A 16-bit picture's shown variant equals the 8-bit picture."""
    grey = np.asarray(Image.fromarray(pixels).convert("L"))
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    assert deep.mode == "I;16"
    shown = pdq_of(look(saved(deep, "png")), SHOWN)
    assert distance(shown.value, pdq_of(look(saved(Image.fromarray(grey), "png"))).value) <= 2


def test_float_grey_is_scaled_from_darkest_to_lightest(pixels: NDArray[np.uint8]) -> None:
    """Any range of floats is stretched to what can be seen."""
    grey = np.asarray(Image.fromarray(pixels).convert("L"))
    stretched = Image.fromarray(grey.astype(np.float32) * 1e-3 - 4)
    shown = pdq_of(look(saved(stretched, "tiff")), SHOWN)
    assert distance(shown.value, pdq_of(look(saved(Image.fromarray(grey), "png"))).value) <= 8


@pytest.mark.filterwarnings("ignore:invalid value")
def test_float_grey_without_numbers_is_survived() -> None:
    """A picture of nothing but NaN is hashed as flat."""
    nothing = Image.fromarray(np.full((50, 50), np.nan, np.float32))
    assert look(saved(nothing, "tiff")).format == "tiff"


@pytest.mark.parametrize("form", ["png", "webp", "gif"])
def test_transparency_is_also_hashed_on_white(picture: Image.Image, form: str) -> None:
    """Black writing on nothing: its channels may be all black, and a viewer shows the writing."""
    writing = Image.new("RGBA", picture.size, (0, 0, 0, 0))
    writing.putalpha(picture.convert("L").point(lambda level: 255 if level > 128 else 0))
    found = look(saved(writing, form, lossless=True))
    page = Image.new("RGB", picture.size, "white")
    page.paste(writing, mask=writing.getchannel("A"))
    expected = pdq_of(look(saved(page, "png")))
    assert expected.quality == 100
    assert distance(pdq_of(found, SHOWN).value, expected.value) <= 4
    assert [f.algorithm for f in found.fingerprints if f.variant == SHOWN] == ["pdq", "phash"]


def test_opaque_pictures_have_no_variant(picture: Image.Image) -> None:
    """An alpha channel that hides nothing adds nothing."""
    assert not any(
        f.variant == SHOWN for f in look(saved(picture.convert("RGBA"), "png")).fingerprints
    )


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_honoured(picture: Image.Image, orientation: int) -> None:
    """All eight EXIF orientations hash as the upright picture."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    data = saved(picture, "png", exif=exif)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    found = look(data)
    assert (found.width, found.height) == upright.size
    assert pdq_of(found) == pdq_of(look(saved(upright.convert("RGB"), "png")))


def test_orientation_makes_a_difference(picture: Image.Image) -> None:
    """The control for the test above: a turned picture is another one."""
    exif = Image.Exif()
    exif[ORIENTATION] = 3
    turned = look(saved(picture, "jpeg", exif=exif))
    assert distance(pdq_of(turned).value, pdq_of(look(saved(picture, "jpeg"))).value) > 60


def test_file_names_are_not_believed(picture: Image.Image, tmp_path: Path) -> None:
    """Only content counts."""
    (tmp_path / "clip.mp4").write_bytes(saved(picture, "png"))
    assert fingerprint_file(tmp_path / "clip.mp4").format == "png"
    (tmp_path / "photo.jpg").write_text("not a photo")
    with pytest.raises(MediaUnreadable, match="this is text"):
        fingerprint_file(tmp_path / "photo.jpg")


@pytest.mark.parametrize("form", ["jpeg", "png"])
def test_a_cut_picture_is_hashed_as_far_as_it_goes(picture: Image.Image, form: str) -> None:
    """And says that the rest could not be read."""
    data = saved(picture, form)
    found = look(data[: len(data) * 3 // 4])
    assert found.limitation is UndeterminedReason.UNREADABLE
    assert "cut short" in found.detail


@pytest.mark.parametrize("form", FORMATS)
def test_a_header_alone_is_unreadable_with_digests(picture: Image.Image, form: str) -> None:
    """Nothing to decode is unreadable, but can still be matched exactly."""
    data = saved(picture, form)[:40]
    with pytest.raises(MediaUnreadable) as refused:
        look(data)
    assert refused.value.digests[0].value == hashlib.sha256(data).digest()


@pytest.mark.parametrize(
    ("size", "limit"),
    [
        ((20_000, 20_000), "max_pixels"),
        ((60_000, 10), "max_side_pixels"),
        ((1, 60_000), "max_side_pixels"),
    ],
)
def test_bombs_are_refused_before_their_pixels(size: tuple[int, int], limit: str) -> None:
    """Small files with enormous pictures are refused by their header."""
    data = hollow_png(*size)
    assert len(data) < 200
    with pytest.raises(MediaTooLarge, match=limit) as refused:
        look(data)
    assert refused.value.metadata["limit"] == limit
    assert refused.value.digests


def test_each_limit_is_exact(picture: Image.Image) -> None:
    """A file at the limit passes, one past it is refused."""
    data = saved(picture, "png")
    source = io.BytesIO(data)
    assert fingerprint(source, Limits(max_pixels=320 * 240, max_side_pixels=320))
    assert fingerprint(source, Limits(max_bytes=len(data)))
    for limits in (
        Limits(max_pixels=320 * 240 - 1),
        Limits(max_side_pixels=319),
        Limits(max_bytes=len(data) - 1),
    ):
        with pytest.raises(MediaTooLarge):
            fingerprint(source, limits)


def test_only_the_first_page_of_a_document_is_a_picture(picture: Image.Image) -> None:
    """Pages do not follow in time; that there are more is said."""
    data = saved(picture, "tiff", save_all=True, append_images=[ImageOps.invert(picture)])
    found = look(data)
    assert found.media_type is MediaType.IMAGE
    assert found.limitation is UndeterminedReason.PARTLY_SEEN
    assert "2 pages" in found.detail


class Pipe(io.RawIOBase):
    """A source that cannot seek."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Pass on."""
        return self._data.readinto(buffer)


def test_a_pipe_will_do(picture: Image.Image) -> None:
    """Pass on."""
    """A source that cannot seek is read into memory, within the limit."""
    data = saved(picture, "png")
    assert fingerprint(io.BufferedReader(Pipe(data))) == look(data)
    with pytest.raises(MediaTooLarge, match="max_bytes"):
        fingerprint(io.BufferedReader(Pipe(data)), Limits(max_bytes=len(data) - 1))
