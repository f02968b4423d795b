"""What a video is read from: a file, bytes in memory, or an upload that is still on its way."""

import io
from collections.abc import Callable, Iterator
from typing import BinaryIO

from hashsvc.media.formats import Format
from hashsvc.media.limits import Limits

PIECE_BYTES = 64 * 1024
"""How much is asked for at a time."""

Get = Callable[[int, int], bytes]
"""Gives so many bytes from a place in a file, fewer where it ends; place first."""

_MAX_BOXES = 10_000


class CallerError(Exception):
    """Carries an error of the caller's own, of reading or judging, past those who handle ours."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Upload:
    """A source that cannot seek, read ahead as far as needed to know what it is.

    `read` of the source may block until bytes have come, and gives none at the end.
    """

    def __init__(self, source: BinaryIO, limits: Limits) -> None:
        self._source = source
        self._limits = limits
        self._ahead = bytearray()
        self._taken = 0

    def peek(self, at: int, size: int) -> bytes:
        """Bytes that `read` will give later. Raises MediaTooLarge past `max_bytes`."""
        self._fill(at + size)
        return bytes(self._ahead[at : at + size])

    def read(self, size: int) -> bytes:
        """The next bytes, none at the end. Raises MediaTooLarge past `max_stream_bytes`."""
        if not self._ahead:
            self._more()
        piece = bytes(self._ahead[:size])
        del self._ahead[:size]
        self._taken += len(piece)
        if self._taken > self._limits.max_stream_bytes:
            raise self._limits.exceeded("max_stream_bytes", "the video")
        return piece

    def whole(self) -> io.BytesIO:
        """All of it, in memory. Raises MediaTooLarge past `max_bytes`."""
        self._fill(self._limits.max_bytes + 1)
        copy = io.BytesIO(self._ahead)
        self._ahead.clear()
        return copy

    def _fill(self, size: int) -> None:
        """Read ahead so many bytes, where there are. Raises MediaTooLarge past `max_bytes`."""
        while len(self._ahead) < size and self._more():
            if len(self._ahead) > self._limits.max_bytes:
                raise self._limits.exceeded("max_bytes", "the file")

    def _more(self) -> bool:
        """Read another piece; False at the end."""
        try:
            piece = self._source.read(PIECE_BYTES)
        except Exception as error:
            raise CallerError(error) from error
        self._ahead += piece
        return bool(piece)


class Tap:
    """A source as FFmpeg has to be given it.

    FFmpeg's callbacks can carry no exception, and trust the length of what they get. What goes
    wrong therefore looks like the end of the file, and `check` raises it afterwards.

    `only_forward` keeps FFmpeg from looking at the end of the file.
    """

    def __init__(self, source: BinaryIO | Upload, *, only_forward: bool = False) -> None:
        self._source = source
        self._only_forward = only_forward
        self._failure: BaseException | None = None

    def check(self) -> None:
        """Raise what reading ran into. Errors of the source itself come as CallerError."""
        failure, self._failure = self._failure, None
        if isinstance(failure, OSError):
            raise CallerError(failure) from failure
        if failure is not None:
            raise failure

    def read(self, size: int) -> bytes:
        """At most `size` bytes, none at the end."""
        if self._failure is not None or size <= 0:
            return b""
        try:
            return self._source.read(size)[:size]
        except BaseException as error:
            self._failure = error
            return b""

    def seekable(self) -> bool:
        """Whether `seek` can be called."""
        return not (self._only_forward or isinstance(self._source, Upload))

    def seek(self, offset: int, whence: int = 0) -> int:
        """The new position, -1 for one that a damaged file made up."""
        if isinstance(self._source, Upload):
            return -1
        try:
            return self._source.seek(offset, whence)
        except (OSError, ValueError, OverflowError):
            return -1
        except BaseException as error:
            self._failure = error
            return -1

    def tell(self) -> int:
        """The position, -1 where there is none."""
        return self.seek(0, 1)


def prepare(source: BinaryIO | Upload, form: Format) -> tuple[BinaryIO | Upload, bool]:
    """What to decode a video from, and whether it can be decoded as its bytes come.

    Only the index of a QuickTime or MP4 file may be at its end: it is then read whole, into
    memory where the source cannot seek. Raises MediaTooLarge past `max_bytes`.
    """
    if isinstance(source, Upload):
        progressive = not form.is_iso or _index_is_first(source.peek)
        return (source if progressive else source.whole()), progressive
    progressive = not form.is_iso or _index_is_first(_getter(source))
    source.seek(0)
    return source, progressive


def is_cut_short(source: BinaryIO | Upload) -> bool:
    """Whether a box of a QuickTime or MP4 file claims more bytes than there are."""
    if isinstance(source, Upload):
        return False
    end = source.seek(0, io.SEEK_END)
    return any(at + size > end for at, size, _ in _boxes(_getter(source)))


def _getter(source: BinaryIO) -> Get:
    def get(at: int, size: int) -> bytes:
        source.seek(at)
        return source.read(size)

    return get


def _index_is_first(get: Get) -> bool:
    """Whether `moov`, or that of a first fragment, comes before the media data."""
    names = (name for _, _, name in _boxes(get) if name in (b"moov", b"moof", b"mdat"))
    return next(names, b"") != b"mdat"


def _boxes(get: Get) -> Iterator[tuple[int, int, bytes]]:
    """Place, size in bytes and name of the boxes at the top level, as far as they make sense."""
    at = 0
    for _ in range(_MAX_BOXES):
        header = get(at, 16)
        if len(header) < 8:
            return
        size = int.from_bytes(header[:4], "big")
        if size == 1 and len(header) == 16:
            size = int.from_bytes(header[8:16], "big")
        yield at, size, header[4:8]
        if size < 8:  # to the end of the file, or nonsense
            return
        at += size
