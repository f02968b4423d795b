"""Which format some bytes are in, from the bytes alone; file names and claims are not asked."""

from enum import StrEnum

from hashsvc.errors import MediaUnreadable

SNIFF_BYTES = 4096
"""How much of a file's beginning `sniff` wants; less is fine for a shorter file."""


class Format(StrEnum):
    """A supported container; the value is `MediaFingerprints.format`."""

    JPEG = "jpeg"
    PNG = "png"
    GIF = "gif"
    WEBP = "webp"
    BMP = "bmp"
    TIFF = "tiff"
    AVIF = "avif"
    MP4 = "mp4"
    MOV = "mov"
    M4V = "m4v"
    WEBM = "webm"
    MKV = "mkv"
    AVI = "avi"
    TS = "ts"

    @property
    def is_video(self) -> bool:
        """Whether the container is a video's; pictures may still turn out to be animated."""
        return self in _VIDEO

    @property
    def is_iso(self) -> bool:
        """Whether the container is made of ISO base media (QuickTime) boxes."""
        return self in _ISO


_ISO = frozenset({Format.MP4, Format.MOV, Format.M4V})
_VIDEO = _ISO | {Format.WEBM, Format.MKV, Format.AVI, Format.TS}

SUPPORTED = "JPEG, PNG, GIF, WebP, BMP, TIFF, AVIF, MP4, MOV, M4V, WebM, MKV, AVI, MPEG-TS"
"""The supported formats as people write them."""

_MAGIC = (
    (b"\xff\xd8\xff", Format.JPEG),
    (b"\x89PNG\r\n\x1a\n", Format.PNG),
    (b"GIF87a", Format.GIF),
    (b"GIF89a", Format.GIF),
    (b"II*\0", Format.TIFF),
    (b"MM\0*", Format.TIFF),
    (b"II+\0", Format.TIFF),
    (b"MM\0+", Format.TIFF),
)
_RIFF = {b"WEBP": Format.WEBP, b"AVI ": Format.AVI}
_EBML_DOCTYPES = {b"webm": Format.WEBM, b"matroska": Format.MKV}
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIF_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"mif2", b"msf1"}
)
_FOREIGN_BRANDS = {b"jp2 ": "JPEG 2000", b"jpx ": "JPEG 2000", b"crx ": "a camera's raw picture"}
_QUICKTIME_BOXES = frozenset({b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
_TS_SYNC = 0x47
# Bytes before the first sync byte, and from one to the next: plain, and with a time before each.
_TS_PACKETS = ((0, 188), (4, 192))
_TS_SYNCS = 3
_BMP_HEADER_SIZES = frozenset({12, 16, 40, 52, 56, 64, 108, 124})

_FOREIGN = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"PK\x05\x06", "a ZIP archive"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"\x1f\x8b", "gzip data"),
    (b"ID3", "MP3 audio"),
    (b"\xff\xfb", "MP3 audio"),
    (b"OggS", "Ogg"),
    (b"fLaC", "FLAC audio"),
    (b"FLV\x01", "Flash video"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media (ASF)"),
    (b"\0\0\1\xba", "an MPEG program stream"),
    (b"\0\0\1\xb3", "an MPEG video stream"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"8BPS", "a Photoshop document"),
    (b"\0\0\1\0", "an icon"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
)


def sniff(head: bytes) -> Format:
    """Name the format of a file that begins with `head` (give it SNIFF_BYTES bytes).

    Raises MediaUnreadable, which says what the bytes look like where that is easy to tell, and
    lists what is supported.
    """
    found = _by_magic(head) or _by_riff(head) or _by_iso_box(head) or _by_ebml(head)
    found = found or _by_sync_bytes(head)
    if found is not None:
        return found
    raise _unsupported(_looks_like(head))


def _by_magic(head: bytes) -> Format | None:
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return Format.BMP
    return None


def _by_riff(head: bytes) -> Format | None:
    return _RIFF.get(head[8:12]) if head[:4] == b"RIFF" else None


def _by_iso_box(head: bytes) -> Format | None:
    """ISO base media and QuickTime: a size, then a four-letter name."""
    if head[4:8] in _QUICKTIME_BOXES:
        return Format.MOV
    brands = _brands(head)
    if not brands:
        return None
    if _AVIF_BRANDS & set(brands):
        return Format.AVIF
    major = brands[0]
    if major in _HEIF_BRANDS:
        raise _unsupported("HEIC/HEIF")
    if major in _FOREIGN_BRANDS:
        raise _unsupported(_FOREIGN_BRANDS[major])
    if major == b"qt  ":
        return Format.MOV
    return Format.M4V if major.startswith(b"M4V") else Format.MP4


def _brands(head: bytes) -> list[bytes]:
    """The major brand of an `ftyp` box, then the compatible ones."""
    if head[4:8] != b"ftyp" or len(head) < 12:
        return []
    size = min(int.from_bytes(head[:4], "big"), len(head))
    return [head[8:12], *(head[i : i + 4] for i in range(16, size - 3, 4))]


def _by_ebml(head: bytes) -> Format | None:
    """Matroska and WebM: an EBML header that holds a DocType element."""
    if not head.startswith(b"\x1a\x45\xdf\xa3"):
        return None
    at = head.find(b"\x42\x82", 4, 256)
    if at < 0 or at + 3 > len(head):
        return None
    length = head[at + 2] & 0x7F
    return _EBML_DOCTYPES.get(head[at + 3 : at + 3 + length].rstrip(b"\0"))


def _by_sync_bytes(head: bytes) -> Format | None:
    """MPEG transport streams: each packet begins with the same byte, or four bytes later (M2TS)."""
    for lead, size in _TS_PACKETS:
        syncs = head[lead : lead + size * _TS_SYNCS : size]
        if len(syncs) == _TS_SYNCS and set(syncs) == {_TS_SYNC}:
            return Format.TS
    return None


def _looks_like(head: bytes) -> str:
    if not head:
        return "an empty file"
    for magic, name in _FOREIGN:
        if head.startswith(magic):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "WAV audio"
    if _is_text(head):
        return "text"
    return "an unknown format"


def _is_text(head: bytes) -> bool:
    """UTF-8 without control characters; the last character may be cut off."""
    if any(byte < 32 and byte not in b"\t\n\r\f\b\x1b" for byte in head):
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4
    return True


def _unsupported(what: str) -> MediaUnreadable:
    return MediaUnreadable(f"this is {what}; supported are {SUPPORTED}")
