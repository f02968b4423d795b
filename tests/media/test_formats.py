"""Formats are told from content alone."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashsvc.errors import MediaUnreadable
from hashsvc.media.formats import SUPPORTED, Format, sniff

EBML = b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82"

KNOWN = [
    (b"\xff\xd8\xff\xe0\0\x10JFIF", Format.JPEG),
    (b"\x89PNG\r\n\x1a\n", Format.PNG),
    (b"GIF89a", Format.GIF),
    (b"RIFF\0\0\0\0WEBPVP8 ", Format.WEBP),
    (b"BM" + bytes(12) + b"\x28\0\0\0", Format.BMP),
    (b"II*\0\x08\0\0\0", Format.TIFF),
    (b"MM\0*\0\0\0\x08", Format.TIFF),
    (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf", Format.AVIF),
    (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", Format.AVIF),
    (b"\0\0\0\x18ftypisom\0\0\2\0isommp42", Format.MP4),
    (b"\0\0\0\x14ftypqt  \0\0\2\0qt  ", Format.MOV),
    (b"\0\0\0\x14ftypM4V \0\0\2\0isom", Format.M4V),
    (b"\0\0\0\x08wide\0\0\1\0mdat", Format.MOV),
    (b"\0\0\1\0moov\0\0\0\x6cmvhd", Format.MOV),
    (EBML + b"\x84webm", Format.WEBM),
    (EBML + b"\x88matroska", Format.MKV),
    (b"RIFF\0\0\0\0AVI LIST", Format.AVI),
    ((b"\x47\x40\x11\x10" + bytes(184)) * 3, Format.TS),
    ((b"\0\0\0\0\x47\x40\x11\x10" + bytes(184)) * 3, Format.TS),
]

FOREIGN = [
    (b"", "an empty file"),
    (b"hello, world\n", "text"),
    ("Grüße, 世界".encode()[:-1], "text"),
    (b"%PDF-1.7", "a PDF document"),
    (b"PK\x03\x04\x14\0", "a ZIP archive"),
    (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC/HEIF"),
    (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC/HEIF"),
    (b"\x47\x40\x11\x10" + bytes(184) + b"\x47", "an unknown format"),
    (b"RIFF\0\0\0\0WAVEfmt ", "WAV audio"),
    (EBML + b"\x84huh?", "an unknown format"),
    (b"\x01\x02\x03\x04", "an unknown format"),
]


@pytest.mark.parametrize(("head", "expected"), KNOWN)
def test_known(head: bytes, expected: Format) -> None:
    """Each supported format by its first bytes."""
    assert sniff(head) is expected


@pytest.mark.parametrize(("head", "looks_like"), FOREIGN)
def test_others_are_named_and_the_supported_listed(head: bytes, looks_like: str) -> None:
    """A refusal says what the file is and what would be taken."""
    with pytest.raises(MediaUnreadable) as refused:
        sniff(head)
    assert looks_like in str(refused.value)
    assert SUPPORTED in str(refused.value)


@given(st.sampled_from([head for head, _ in KNOWN + FOREIGN]), st.binary(max_size=300), st.data())
def test_any_bytes_are_named_or_refused(head: bytes, tail: bytes, data: st.DataObject) -> None:
    """No bytes make it fail otherwise."""
    keep = data.draw(st.integers(0, len(head)))
    with suppress(MediaUnreadable):
        assert sniff(head[:keep] + tail) in Format
