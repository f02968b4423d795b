"""CSV files from strangers: a clear error that names the place, and nothing without bounds."""

import os
import resource
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hashsvc.cli.hash_csv import MAX_LINE, count_rows, read_drafts
from hashsvc.errors import InvalidRequest
from tests.harness import PROPAGANDA

GOOD = f"pdq,{'ab' * 32}\n".encode()
HEAD = b"algorithm,value\n"


@pytest.mark.parametrize(
    ("content", "place", "because"),
    [
        (b"", ":1", "the header names no column"),
        (b"\x00" * 1_000, ":1", "the header names no column"),
        ((HEAD + GOOD).decode().encode("utf-16"), "", "UTF-8"),
        (HEAD + GOOD + b"pdq,\xff\xfe\n", "", "UTF-8"),
        (b"algorithm,value,value\n" + GOOD, ":1", "value twice"),
        (HEAD + GOOD + b"pdq,aa,surplus\n", ":3", "more cells than the header"),
        (HEAD + GOOD + b"x" * (MAX_LINE + 5), ":3", "more than 100,000 characters"),
        (b"a," * MAX_LINE, ":1", "more than 100,000 characters"),
        (HEAD + b'pdq,"' + b"a\n" * 200_000, "", "field larger than field limit"),
        (HEAD + b'pdq,"ab', "", "unexpected end of data"),
        (HEAD + GOOD + b"pdq,zz\n", ":3", "hexadecimal"),
        (HEAD + b"sha9000,aa\n", ":2", "is not a valid Algorithm"),
        (b"algorithm,value,quality\npdq," + b"ab" * 32 + b"," + b"9" * 5_000 + b"\n", ":2", ""),
        (b"algorithm,value,quality\npdq," + b"ab" * 32 + b",NaN\n", ":2", "NaN"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, content: bytes, place: str, because: str) -> None:
    """With the file, and the line where there is one."""
    file = tmp_path / "hostile.csv"
    file.write_bytes(content)
    with pytest.raises(InvalidRequest) as caught:
        list(read_drafts(file, PROPAGANDA))
    (violation,) = caught.value.violations
    assert violation.field == f"{file}{place}"
    assert because in violation.description
    assert len(violation.description) < 300


def test_a_table_that_other_tools_write_is_read(tmp_path: Path) -> None:
    """With a mark of its byte order, other line ends, and spaces."""
    file = tmp_path / "good.csv"
    file.write_bytes(b"\xef\xbb\xbf Algorithm ,VALUE\r\n PDQ , " + b"AB" * 32 + b"\r\n\r\n")
    (draft,) = read_drafts(file, PROPAGANDA)
    assert draft.fingerprints[0].value == b"\xab" * 32


def test_endless_input_takes_no_memory(tmp_path: Path) -> None:
    """A device without a line's end is refused at its first bytes; a pipe is read as it comes."""
    assert count_rows(Path("/dev/zero")) is None
    code = (
        "from pathlib import Path; from tests.harness import PROPAGANDA\n"
        "from hashsvc.cli.hash_csv import read_drafts\n"
        "import resource; used = int(Path('/proc/self/statm').read_text().split()[0]) * 4096\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 50_000_000,) * 2)\n"
        "list(read_drafts(Path('/dev/zero'), PROPAGANDA))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert "more than 100,000 characters" in done.stderr
    assert resource.getpagesize() == 4096
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(HEAD + GOOD * 5_000,))
    writer.start()
    assert sum(1 for _ in read_drafts(pipe, PROPAGANDA)) == 5_000
    writer.join()
