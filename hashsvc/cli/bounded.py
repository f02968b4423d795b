"""Lines of files that nobody has looked at yet: in UTF-8, and never more of them than fits."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from hashsvc.errors import InvalidRequest

_OTHER_MARKS = (b"\xff\xfe", b"\xfe\xff")
_UTF8_MARK = b"\xef\xbb\xbf"
_SAVE = "save the file as UTF-8"


class Lines:
    """Iterates over the lines of a file, line ends included.

    `most` bytes may come between two calls of `begin_record`; `number` is that of the last line.
    Raises InvalidRequest, which names the file and the line, for what is longer, is not UTF-8, or
    holds a NUL.
    """

    def __init__(self, file: BinaryIO, path: Path, most: int) -> None:
        self._file = file
        self._path = path
        self._most = most
        self._taken = 0
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._file.readline(self._most + 1 - self._taken)
        if not line:
            raise StopIteration
        self.number += 1
        self._taken += len(line)
        if self.number == 1:
            if line.startswith(_OTHER_MARKS):
                raise self.refusal(f"is UTF-16; {_SAVE}")
            line = line.removeprefix(_UTF8_MARK)
        if b"\0" in line:
            raise self.refusal(f"holds a NUL, as text in UTF-16 does; {_SAVE}")
        if self._taken > self._most:
            raise self.refusal(f"an entry takes {self._most:,} bytes at most, this one has more")
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            raise self.refusal(f"byte {error.start + 1} is not UTF-8; {_SAVE}") from None

    def begin_record(self) -> None:
        """Count the bytes from here on."""
        self._taken = 0

    def refusal(self, told: str, line: int | None = None) -> InvalidRequest:
        """Return the error for a line, the last one if none is named."""
        return InvalidRequest.of(f"{self._path}:{line or self.number}", told)


@contextmanager
def open_lines(path: Path, most: int) -> Iterator[Lines]:
    """Open a file, a pipe or a device to read its lines.

    Raises:
        OSError: it cannot be opened.
    """
    with path.open("rb") as file:
        yield Lines(file, path, most)


def count_lines(path: Path) -> int | None:
    """Return how many lines a file has, for a progress bar; None if it can be read only once."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))
