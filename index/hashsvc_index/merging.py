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

    Sealed tails are merged with the segments that are not `growth` times as great as all that is
    merged with them already; so each segment is that much greater than all smaller ones, and there
    are few. A segment with too many dead slots is written anew.
    """
    if now.sealed:
        chosen: list[Segment | Tail] = list(now.sealed)
        total = sum(part.live for part in chosen)
        for segment in sorted(now.segments, key=lambda segment: segment.live):
            if segment.live >= growth * total or segment.live + total > MAX_ROWS:
                break
            chosen.append(segment)
            total += segment.live
        return tuple(chosen)
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
