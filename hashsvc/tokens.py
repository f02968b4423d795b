"""The opaque tokens of the API, both ways: revisions and page tokens."""

import base64
import binascii
from dataclasses import dataclass

from hashsvc.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class Revisions:
    """Makes and reads the revisions of one node: its id and a position in its logs."""

    node_id: str

    def token(self, position: int) -> str:
        """Return the token of a position."""
        return f"{self.node_id}.{position}"

    def position(self, token: str) -> int:
        """Return the position of a token that this node gave out.

        Raises:
            InvalidRequest: it is malformed or another node's.
        """
        node_id, _, digits = token.partition(".")
        if not _is_position(digits):
            raise InvalidRequest.of("min_revision", "is not a revision", reason="INVALID_REVISION")
        if node_id != self.node_id:
            raise InvalidRequest.of(
                "min_revision",
                "was given out by another node; revisions are per node",
                reason="INVALID_REVISION",
            )
        return int(digits)


def page_token(scope: str, last: str) -> str:
    """Return the token of the page after `last`, only good for the same scope."""
    return base64.urlsafe_b64encode(f"{scope}\n{last}".encode()).decode()


def read_page_token(scope: str, token: str) -> str:
    """Return the `last` of a token, "" for the empty token.

    Raises:
        InvalidRequest: the token was not made for this scope.
    """
    if not token:
        return ""
    try:
        found, _, last = base64.urlsafe_b64decode(token.encode()).decode().partition("\n")
    except (binascii.Error, UnicodeError, ValueError):
        found, last = "", ""
    if found != scope or not last:
        raise _wrong_page_token()
    return last


def read_page_number(scope: str, token: str) -> int:
    """Return the `last` of a token as a number, 0 for the empty token.

    Raises:
        InvalidRequest: the token was not made for this scope.
    """
    last = read_page_token(scope, token) or "0"
    if not _is_position(last):
        raise _wrong_page_token()
    return int(last)


def read_page_pair(scope: str, token: str) -> tuple[int, int]:
    """Return the `last` of a token as two numbers with a dot between them, zeros for the empty one.

    Raises:
        InvalidRequest: the token was not made for this scope.
    """
    first, _, second = (read_page_token(scope, token) or "0.0").partition(".")
    if not (_is_position(first) and _is_position(second)):
        raise _wrong_page_token()
    return int(first), int(second)


def _wrong_page_token() -> InvalidRequest:
    return InvalidRequest.of(
        "page_token", "is not one of this method's", reason="INVALID_PAGE_TOKEN"
    )


def _is_position(digits: str) -> bool:
    return digits.isascii() and digits.isdecimal() and len(digits) < 19
