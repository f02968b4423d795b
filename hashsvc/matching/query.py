"""What is asked of the matcher, and what the index says to it. No I/O."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hashsvc.model import Algorithm, Fingerprint, MediaType, UndeterminedReason

_ALGORITHMS = tuple(Algorithm)


@dataclass(frozen=True, slots=True)
class Query:
    """One upload to check.

    `limitation` is what its hasher could not see, `detail` says it in words. `is_behind` says that
    the caller asked for a revision that the index has not reached. `may_match` tells of a list's
    name whether it is looked at, `may_count` of a feedback list's whether its opinions count; None
    for all. `is_matched` says of a video that comes in by and by that hashes found something.
    """

    media_type: MediaType
    fingerprints: tuple[Fingerprint, ...]
    limitation: UndeterminedReason | None = None
    detail: str = ""
    is_behind: bool = False
    may_match: Callable[[str], bool] | None = None
    may_count: Callable[[str], bool] | None = None
    is_matched: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """A fingerprint of an upload near one of an entry, which is at `ordinal` there.

    Of local features `ordinal` counts the entry's fingerprints of these alone, `distance` is that
    of the nearest ones, and nothing is said until they are looked at (`located`).
    It `speaks` for itself within the radius of the entry's list; frames of a video that are farther
    are worth a look at what is before and after them.
    """

    fingerprint: Fingerprint
    ordinal: int
    distance: int
    speaks: bool = True

    @property
    def rank(self) -> tuple[bool, bool, int, int]:
        """Sort key, best first: digests, hashes of the whole, then nearest, then by algorithm."""
        algorithm = self.fingerprint.algorithm
        number = _ALGORITHMS.index(algorithm)
        return not algorithm.is_digest, algorithm.is_local, self.distance, number


HitsByEntry = Mapping[int, Sequence[Hit]]
"""Hits by entry id."""


@dataclass(frozen=True, slots=True)
class Searched:
    """What the index says of some uploads: `hits` by upload and entry id.

    `usable` are the fingerprints of each upload that were searched with, `held` the algorithms of
    which there was anything to be found for it.
    """

    queries: Sequence[Query]
    usable: Sequence[Sequence[Fingerprint]]
    hits: Mapping[int, HitsByEntry]
    held: Sequence[frozenset[Algorithm]]
    revision: str

    @property
    def is_near(self) -> bool:
        """Whether anything known is near any of the uploads."""
        return bool(self.hits)


def has_pdq(fingerprints: Sequence[Fingerprint]) -> bool:
    """Tell whether PDQ is among fingerprints."""
    return any(f.algorithm is Algorithm.PDQ for f in fingerprints)
