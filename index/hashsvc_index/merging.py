"""What to merge with what, and the merge itself."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hashsvc_index.arrays import CodeArray, Int64Array
from hashsvc_index.segment import MAX_ROWS, Segment, build_segment
from hashsvc_index.tail import DEAD_SHARE, REBUILD_ROWS, Tail


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one search sees: parts that never change but for stamps of later versions.

    Attributes:
        segments: greatest first.
        sealed: tails that no writer appends to any more.
        tail: where writers append.
        version: of the removals.
        live: keys that are live.
    """

    segments: tuple[Segment, ...]
    sealed: tuple[Tail, ...]
    tail: Tail
    version: int
    live: int

    @property
    def parts(self) -> tuple[Segment | Tail, ...]:
        """All, in the order in which their keys were added, as far as that is known."""
        return (*self.segments, *self.sealed, self.tail)

    def pairs(self) -> tuple[Int64Array, CodeArray]:
        """Copies of all live keys and their codes."""
        pairs = [part.live_pairs(self.version) for part in self.parts]
        return (
            np.concatenate([keys for keys, _ in pairs]),
            np.concatenate([codes for _, codes in pairs]),
        )


def sources(now: Snapshot, growth: int) -> tuple[Segment | Tail, ...]:
    """The parts to merge next; none if all is well.

    Sealed tails come first, alone, since they are compared whole as long as they wait. Then
    segments: each is to be `growth` times as great as all smaller ones, so there are few. One with
    too many dead slots is written anew.
    """
    if now.sealed:
        return now.sealed
    chosen = 0
    total = 0
    ascending = sorted(now.segments, key=lambda segment: segment.live)
    for number, segment in enumerate(ascending):
        if number and total + segment.live > MAX_ROWS:
            break
        if number and segment.live < growth * total:
            chosen = number + 1
        total += segment.live
    if chosen:
        return tuple(ascending[:chosen])
    for segment in now.segments:
        dead = len(segment.keys) - segment.live
        if dead > max(REBUILD_ROWS, DEAD_SHARE * len(segment.keys)):
            return (segment,)
    return ()


def merged(
    parts: tuple[Segment | Tail, ...], version: int, table_count: int | None
) -> Iterator[Segment]:
    """Segments of what is live in these parts at this version, none greater than can be."""
    pairs = [part.live_pairs(version) for part in parts]
    keys = np.concatenate([keys for keys, _ in pairs])
    codes = np.concatenate([codes for _, codes in pairs])
    del pairs
    if not (keys[1:] > keys[:-1]).all():
        order = np.argsort(keys, kind="stable")
        keys, codes = np.take(keys, order), np.take(codes, order, axis=0)
    for start in range(0, len(keys), MAX_ROWS):
        part = slice(start, start + MAX_ROWS)
        yield build_segment(keys[part], codes[part], table_count)
