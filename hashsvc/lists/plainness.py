"""PDQ values that give themselves away: those of flat grounds, bars, grids and test cards.

Who hashes on their own tells a node a value and its quality, and lists made elsewhere often have
the value alone. A test card may have a quality of 100, but its value shows what it is. The cosine
transform of a picture that is a pattern of rows times one of columns is such a product too, and so
are the signs that PDQ keeps of it: each row of 16 bits is then the first one, or its inverse. The
transform of a plain picture is near that, that of a photograph is not.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

PLAIN_BITS = 224
"""A value of which at least so many bits, of 256, are as in one product of signs, is of a plain
picture. Of 188 photographs, drawings and screenshots half have 172 and the most 204; flat grounds
have 244 or more, four in ten bars, grids and pages, and two in ten test cards, this many."""

_SIDE = 16


def are_plain(codes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell of PDQ values, uint8 (n, 32), which are of pictures that are plain beyond doubt: (n,).

    Not all plain pictures are found out, since all but the signs is lost.
    """
    rows = codes.view(">u2").reshape(-1, _SIDE)
    unlike = np.bitwise_count(rows[:, :, None] ^ rows[:, None, :])
    alike = np.maximum(unlike, _SIDE - unlike).sum(axis=2, dtype=np.int64)
    return np.asarray(alike.max(axis=1) >= PLAIN_BITS)


def plain_values(values: Sequence[bytes]) -> list[bool]:
    """The same of values of 32 bytes each."""
    return [bool(plain) for plain in are_plain(_codes(values))]


def _codes(values: Sequence[bytes]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(values), np.uint8).reshape(-1, 2 * _SIDE)
