"""A second look: local features at known pictures that a hash of the whole is near. No I/O.

An unrelated picture can be given the PDQ of a known one by changes that hardly show (the benchmark
`robustness` does so), and who posts it is then suspected wherever the hash alone is believed. But a
hash of the whole that is near says that nearly all of the known picture is in the upload. So where
both have local features, those of the known one must be found there; where hardly any are, the hash
is contradicted.

Of 1,050 edited copies within 31 bits of PDQ 3 are contradicted: one of three fifths of its height,
two small in a page. Of 230 collisions 223 are; the others are with pictures of few features.
"""

from collections.abc import Iterable, Sequence

from hashsvc import feature_values
from hashsvc.matching.located import LEAST_SCORE
from hashsvc.matching.query import Hit
from hashsvc.matching.sightings import Found
from hashsvc.media.pdq import FORMS
from hashsvc.media.variants import look_and_form
from hashsvc.model import Entry, Fingerprint, MediaType

LEAST_KNOWN = 200
"""With fewer known features nothing is contradicted: of a picture that is dark or plain the few
there are change with every edit. Others have 256."""

LEAST_ASKED = 128
"""The same of an upload, which has up to 1,500: of what is tiny or blurred there are few."""

RADIUS = 48
"""Bits up to which codes are a hint. More than in the index, as there is one picture to look at."""

MOST_PAIRS = 12
"""So many known pictures are looked at again for one upload, nearest first: about 2 ms each,
and 12 where it is a copy."""

# ORB's codes stay as they are when a picture is turned, and not when it is mirrored.
_TURNED = frozenset(FORMS[:4])
_HARDLY = 0.4  # of what would be evidence by itself


class SecondLook:
    """What is left to look at of one upload. `asked` are its local features, if there are any."""

    def __init__(self, asked: Sequence[Fingerprint]) -> None:
        self._asked = asked if asked and _least(asked) >= LEAST_ASKED else ()
        self._left = MOST_PAIRS

    def pairs(self, entry: Entry, hits: Sequence[Hit]) -> list[Hit]:
        """Each of the upload's local features with each of the entry's; empty: not to be looked at.

        `hits` are what makes it a match. The very file needs no second look, a mirrored one cannot
        have it; and an entry that has more than may still be looked at is let be.
        """
        if entry.media_type is not MediaType.IMAGE or not all(_is_seen_in(hit) for hit in hits):
            return []
        known = sum(fingerprint.algorithm.is_local for fingerprint in entry.fingerprints)
        if not hits or known * len(self._asked) > self._left:
            return []
        self._left -= known * len(self._asked)
        return [Hit(one, ordinal, 0) for one in self._asked for ordinal in range(known)]


def contradicts(known: Sequence[Fingerprint], seen: Iterable[Found]) -> bool:
    """Whether what was `seen` of all pairs with an entry's local features contradicts its hash."""
    is_enough = bool(known) and _least(known) >= LEAST_KNOWN
    return is_enough and all(one.agreement.score < LEAST_SCORE * _HARDLY for one in seen)


def _least(fingerprints: Iterable[Fingerprint]) -> int:
    return min(feature_values.count(one.value) for one in fingerprints)


def _is_seen_in(hit: Hit) -> bool:
    _, form = look_and_form(hit.fingerprint.variant)
    return hit.fingerprint.algorithm.is_of_whole and form in _TURNED
