"""Exact radius search over binary codes that change while they are searched.

Who owns what. An index is a few immutable segments (`segment.py`), sealed tails that wait to become
one, and the tail to which writers append (`tail.py`). What readers may see is one immutable
`Snapshot` of those with the version of the removals. Writers take turns under a lock; readers take
none, only one reference to a snapshot.

- A removal stamps the key's place with the next version, then publishes that version.
- A tail that is long enough is sealed: the writer goes on with an empty one.
- One thread in the background, at most, makes segments of sealed tails and of smaller segments. It
  reads a snapshot, works without the lock, then takes it to stamp in the new segment what was
  removed in the meantime, and publishes the new segment in the place of what it was made of. Who
  still reads the old parts may go on: they stay as they were, and go with their last reader.

So a search sees the index as it was at one moment: each add and each remove whole or not at all,
and in the order in which they were made.
"""

import contextlib
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np

from hashsvc_index import files
from hashsvc_index.arrays import (
    CodeArray,
    Int64Array,
    checked_codes,
    checked_keys,
    checked_pairs,
    checked_radius,
    code_width,
)
from hashsvc_index.errors import DuplicateKeyError
from hashsvc_index.hits import Hits
from hashsvc_index.merging import Snapshot, merged, sources
from hashsvc_index.segment import Segment, has_tables
from hashsvc_index.tail import Tail, empty_tail

_SEAL_ROWS = 16_384
_GROWTH = 4


class HammingIndex:
    """Keys with binary codes; finds every key whose code is within a radius. Exact, live.

    Any number of threads may search while others add and remove; a search neither waits nor
    makes anyone wait, releases the GIL, and sees the index as it was at one moment. A key whose
    `add` returned before a search began, and that nobody removed, is found.

    Codes of 64, 128, ... bits are searched by tables, up to a radius below three sixteenths of
    their length; the newest ones, other codes, and greater radii by comparing with every code
    (FAISS, about 1 ms a query for a million codes of 256 bits on one core). Adding keys that are
    greater than all before costs time for those alone; other orders work, with a scan of up to an
    eighth of the newest keys for each call.

    Args:
        bits: length of a code, a positive multiple of 8.
        seal_rows: a tail of so many codes becomes a segment.
        growth: how many times greater than all smaller ones a segment is at least.
        table_radius: make only the tables that searches up to this radius need.
        background: False leaves the making of segments to `settle`.

    Raises:
        ValueError: `bits` is not one.
    """

    def __init__(
        self,
        bits: int,
        *,
        seal_rows: int = _SEAL_ROWS,
        growth: int = _GROWTH,
        table_radius: int | None = None,
        background: bool = True,
    ) -> None:
        self._width = code_width(bits)
        self._seal_rows = seal_rows if has_tables(self._width) else None
        self._growth = growth
        self._table_count = None if table_radius is None else table_radius + 1
        self._background = background
        self._writer = threading.Lock()
        self._merging = threading.Lock()
        self._worker: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._closed = False
        # What was removed since the merge under way began; None while there is none.
        self._removed: list[tuple[int, Int64Array]] | None = None
        self._saving = threading.Lock()
        self._saved: files.Saved | None = None
        self._snapshot = Snapshot((), (), empty_tail(self._width, 0), version=0, live=0)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        bits: int,
        verify: bool = True,
        seal_rows: int = _SEAL_ROWS,
        growth: int = _GROWTH,
        table_radius: int | None = None,
        background: bool = True,
    ) -> "HammingIndex":
        """Open what `save` wrote; its segments stay in their files and are shared by processes.

        Args:
            folder: where it was saved.
            bits: the length of a code that is expected.
            verify: read all and compare checksums, which also brings the pages into memory.
                Without it only sizes, headers and all that could lead a search astray in memory
                is checked: a damaged code or entry goes unnoticed.
            seal_rows, growth, table_radius, background: as for a new index.

        Raises:
            CorruptIndexError: nothing was saved there, or not this, or it is torn or damaged.
        """
        index = cls(
            bits,
            seal_rows=seal_rows,
            growth=growth,
            table_radius=table_radius,
            background=background,
        )
        index._snapshot, index._saved = files.read(folder, bits, verify=verify)
        with index._writer:
            index._tidy()
        return index

    @property
    def snapshot(self) -> Snapshot:
        """The index as it is now, to be saved at leisure; it costs memory while it is held."""
        return self._snapshot

    def save(
        self, folder: Path, revision: int, *, about: str = "", snapshot: Snapshot | None = None
    ) -> None:
        """Write the index as it is at one moment; writers, readers and merges go on meanwhile.

        The folder changes from the old state to the new one at one moment, or not at all if this
        is interrupted. Segments that are there already are not written again.

        Args:
            folder: made if it is missing; nothing else may be kept in it, and one index at a
                time may save to it.
            revision: any int64, handed back by `revision` after `open`.
            about: what the codes are of, handed back by `about` after `open`.
            snapshot: the moment, as `snapshot` gave it; None for now.

        Raises:
            OSError: the disk.
        """
        with self._saving:
            moment = snapshot or self._snapshot
            self._saved = files.write(folder, self.bits, revision, about, moment, self._saved)

    @property
    def revision(self) -> int:
        """The revision of the last `save`, or of what was opened; 0 for a new index."""
        return self._saved.revision if self._saved else 0

    @property
    def about(self) -> str:
        """What the last `save`, or what was opened, was said to be of; empty for a new index."""
        return self._saved.about if self._saved else ""

    def close(self) -> None:
        """Wait for the merge that is under way, and begin no other; searching still works."""
        self._closed = True
        worker = self._worker
        if worker is not None:
            worker.join()

    def settle(self) -> None:
        """Wait until no merge is under way or due.

        Raises:
            BaseException: what the last merge failed with.
        """
        while self._merge_once():
            pass
        worker = self._worker
        if worker is not None:
            worker.join()
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    @property
    def bits(self) -> int:
        """Length of a code in bits."""
        return 8 * self._width

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays, spare capacity, removed rows and mapped files included."""
        return sum(part.nbytes for part in self._snapshot.parts)

    def __len__(self) -> int:
        """Live keys."""
        return self._snapshot.live

    def add(self, keys: Int64Array, codes: CodeArray) -> None:
        """Add all of these, or none: they are searchable when this returns.

        Args:
            keys: int64 (n,), none of them live and none twice.
            codes: uint8 (n, bits // 8), the code of each key; codes may repeat.

        Raises:
            DuplicateKeyError: a key is live already or stands twice in `keys`.
            ValueError: wrong dtype, shape or width.
        """
        keys, codes = checked_pairs(keys, codes, self._width)
        if not len(keys):
            return
        if not (keys[1:] > keys[:-1]).all():
            order = np.argsort(keys, kind="stable")
            keys, codes = keys[order], codes[order]
            twice = keys[1:][keys[1:] == keys[:-1]]
            if len(twice):
                raise DuplicateKeyError(twice.tolist())
        with self._writer:
            self._append(keys, codes)

    def remove(self, keys: Int64Array) -> int:
        """Remove the live ones among these keys, and return how many those were.

        Args:
            keys: int64 (n,); keys that are unknown or repeated are ignored.

        Raises:
            ValueError: wrong dtype or shape.
        """
        keys = np.unique(checked_keys(keys))
        with self._writer:
            now = self._snapshot
            version = now.version + 1
            removed = 0
            parts: list[Segment | Tail] = []
            gone: list[Int64Array] = []
            for part in now.parts:
                slots = part.slots_of(keys)
                slots = slots[part.is_live(slots, now.version)]
                if len(slots):
                    removed += len(slots)
                    gone.append(part.keys_at(slots))
                    part = part.with_removed(slots, version)
                parts.append(part)
            if removed:
                if self._removed is not None:
                    self._removed.append((version, np.concatenate(gone)))
                self._snapshot = _arranged(parts, version, now.live - removed)
                self._tidy()
        return removed

    def keys(self) -> Int64Array:
        """Return all live keys, int64 (n,), in any order: a copy."""
        now = self._snapshot
        return np.concatenate([part.live_keys(now.version) for part in now.parts])

    def keys_between(self, first: int, last: int) -> Int64Array:
        """Return the keys from `first` up to but not including `last`; some may be removed ones.

        For a writer who gave a range of keys to something, and wants to `remove` all of it.
        """
        parts = self._snapshot.parts
        return np.concatenate([part.keys_between(first, last) for part in parts])

    def search(self, codes: CodeArray, radius: int) -> Hits:
        """Find every live key within `radius` bits of each code: no more, no fewer.

        Args:
            codes: uint8 (q, bits // 8), the queries.
            radius: the greatest Hamming distance that is a hit, in bits, 0 or more.

        Raises:
            ValueError: wrong dtype, shape, width or radius.
        """
        codes = checked_codes(codes, self._width)
        radius = checked_radius(radius)
        radius = min(radius, self.bits)
        now = self._snapshot
        found = []
        for part in now.parts:
            if part.live:
                query, slot, distance = part.search(codes, radius)
                if len(slot):
                    live = part.is_live(slot, now.version)
                    found.append((query[live], part.keys_at(slot[live]), distance[live]))
        if not found:
            return Hits.empty()
        if len(found) == 1:
            return Hits.ordered(*found[0])
        queries, keys, distances = zip(*found, strict=True)
        return Hits.ordered(
            np.concatenate(queries), np.concatenate(keys), np.concatenate(distances)
        )

    def _append(self, keys: Int64Array, codes: CodeArray) -> None:
        now = self._snapshot
        present = [
            part.keys_at(slots[part.is_live(slots, now.version)])
            for part in now.parts
            if len(slots := part.slots_of(keys))
        ]
        if any(map(len, present)):
            raise DuplicateKeyError(np.concatenate(present).tolist())
        tail = now.tail.appended(keys, codes, now.version)
        self._snapshot = replace(now, tail=tail, live=now.live + len(keys))
        self._tidy()

    def _tidy(self) -> None:
        """Copy the tail's rows if too many are dead or out of order; seal it if it is long."""
        now = self._snapshot
        # The change itself is made; thrift can wait for memory.
        with contextlib.suppress(MemoryError):
            if now.tail.is_untidy():
                now = replace(now, tail=now.tail.rebuilt(now.version))
            if self._seal_rows is not None and now.tail.count >= self._seal_rows:
                now = replace(now, sealed=(*now.sealed, now.tail), tail=empty_tail(self._width, 0))
            self._snapshot = now
        if self._background and self._worker is None and not self._closed and self._due():
            self._worker = threading.Thread(
                target=self._work, name="index-merge", args=(), daemon=True
            )
            self._worker.start()

    def _due(self) -> bool:
        return bool(sources(self._snapshot, self._growth))

    def _work(self) -> None:
        """Merge until nothing is due; who comes too late to be seen here starts another thread."""
        try:
            while not self._closed and self._merge_once():
                pass
        except BaseException as failure:
            # Searches go on with the parts as they are; the next change tries again.
            self._failure = failure
            with self._writer:
                self._worker = None
            return
        with self._writer:
            self._worker = None
            if not self._closed:
                self._tidy()

    def _merge_once(self) -> bool:
        """Make the merge that is due; False if there is none."""
        with self._merging:
            with self._writer:
                before = self._snapshot
                chosen = sources(before, self._growth)
                if not chosen:
                    return False
                self._removed = []
            try:
                made = list(merged(chosen, before.version, self._table_count))
            except BaseException:
                with self._writer:
                    self._removed = None
                raise
            with self._writer:
                self._publish(before, chosen, made)
            return True

    def _publish(
        self, before: Snapshot, chosen: tuple[Segment | Tail, ...], made: list[Segment]
    ) -> None:
        """Put what was made in the place of what it was made of."""
        removed, self._removed = self._removed or [], None
        for version, keys in removed:
            for number, segment in enumerate(made):
                slots = segment.slots_of(np.sort(keys))
                # A key that was removed, added and removed again left here the first time.
                slots = slots[segment.is_live(slots, self._snapshot.version)]
                if len(slots):
                    segment = segment.with_removed(slots, version)
                made[number] = segment
        now = self._snapshot
        # Parts keep their places while a merge is under way; sealed ones only become more.
        kept = [
            segment
            for old, segment in zip(before.segments, now.segments, strict=True)
            if all(old is not part for part in chosen)
        ]
        sealed = now.sealed[sum(isinstance(part, Tail) for part in chosen) :]
        segments = sorted(
            (part for part in [*kept, *made] if part.live),
            key=lambda part: part.live,
            reverse=True,
        )
        self._snapshot = replace(now, segments=tuple(segments), sealed=sealed)


def _arranged(parts: list[Segment | Tail], version: int, live: int) -> Snapshot:
    """A snapshot of these parts: segments, sealed tails, the tail."""
    segments = tuple(part for part in parts if isinstance(part, Segment))
    tails = [part for part in parts if isinstance(part, Tail)]
    return Snapshot(segments, tuple(tails[:-1]), tails[-1], version, live)
