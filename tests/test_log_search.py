"""The search through all logs of a run (`conftest.py`) finds what it is there for."""

import base64

import pytest

from tests.log_search import LogSearch

VALUE = bytes(range(100, 132))


@pytest.mark.parametrize(
    "line",
    [
        f"{{'event': 'call', 'hash': '{VALUE.hex()}'}}",
        f"checked {VALUE.hex().upper()} for acme",
        f"{{'event': 'call', 'value': {VALUE!r}}}",
        f"value={base64.b64encode(VALUE).decode()}",
        "key hsk_4q6cevyo_6nbaqsc7tvqncp7dw5dblimtppmcgfadcq4swvkmfuwsl7srkbqq",
    ],
)
def test_a_line_that_tells_is_found(line: str) -> None:
    """In any of the forms that a value could slip out in."""
    search = LogSearch()
    search.values.add(VALUE)
    search.lines += ["call method=/hashsvc.v1.MatchService/Check ms=1.2 status=OK", line]
    assert search.found()
    assert all(found.endswith(line) for found in search.found())
