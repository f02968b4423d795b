"""Notices a partner that feels its way around a known entry.

Who wants to learn how to get past a list sends many slightly different files and watches which
still match. So for each partner that may only check, and each entry, the different uploads that
came near it are counted over an hour. Past the limit those near this entry are refused until the
hour is over, and the operator hears of it; exact copies and everything else go on.

Ordinary traffic makes near copies too: hundreds of versions of one video go round after an attack.
The limit must be above that, so this slows somebody down and makes them seen, and does not stop
them.
"""

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import monotonic

WINDOW_S = 3600.0
_MARK_BYTES = 8
# Entries remembered, for all partners together; with the limit this bounds the memory.
_MOST_ENTRIES = 10_000


@dataclass(slots=True)
class _Near:
    """What came near one entry from one partner since a moment."""

    since: float
    marks: set[bytes] = field(default_factory=set)
    is_reported: bool = False


class Probing:
    """Counts. Touched by the event loop only."""

    def __init__(self, limit: int, *, now: Callable[[], float] = monotonic) -> None:
        self._limit = limit
        self._now = now
        # Marks of this process alone: nothing here can be held against a list of hashes.
        self._key = secrets.token_bytes(16)
        self._near: OrderedDict[tuple[str, str], _Near] = OrderedDict()

    def note(self, partner: str, entry: str, values: Iterable[bytes]) -> tuple[float, bool]:
        """Count an upload near an entry, by all its fingerprints.

        Returns the seconds until such uploads are answered again, 0 for now, and whether this is
        the one to report.
        """
        now = self._now()
        near = self._near.pop((partner, entry), None)
        if near is None or now - near.since >= WINDOW_S:
            near = _Near(now)
        self._near[partner, entry] = near
        if len(self._near) > _MOST_ENTRIES:
            self._near.popitem(last=False)
        mark = hashlib.blake2b(b"".join(values), digest_size=_MARK_BYTES, key=self._key).digest()
        if mark in near.marks:
            return 0, False
        if len(near.marks) < self._limit:
            near.marks.add(mark)
            return 0, False
        is_first, near.is_reported = not near.is_reported, True
        return near.since + WINDOW_S - now, is_first
