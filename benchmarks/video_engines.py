"""Two ways to find known videos in an upload: ours, and that of vPDQ.

Both are told the known videos once, as the fingerprints that `hashed` makes of a file, so that
these can be made by other processes.
"""

import importlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.datasets import Codes
from benchmarks.footage import sampled
from hashsvc.config import Limits, Matching, Policy
from hashsvc.errors import MediaError
from hashsvc.lists.indexer import Indexer
from hashsvc.lists.ledger import Ledger
from hashsvc.lists.logs import ListKeys, SignedLogs
from hashsvc.lists.readers import Readers
from hashsvc.matching.matcher import Matcher
from hashsvc.matching.query import Query
from hashsvc.media import FOR_LISTS, fingerprint, for_checks
from hashsvc.media.recipe import with_local
from hashsvc.media.scan import Seen, Span
from hashsvc.model import (
    Basis,
    Description,
    EntryDraft,
    Fingerprint,
    ListKind,
    Match,
    MediaType,
    Verdict,
)
from hashsvc.store.store import Store

LIST = "bench/known"
RADIUS, QUALITY = 31, 50
SHARE = 80.0
"""Percent of frames that have to match for vPDQ, as threatexchange has it."""

_DESCRIPTION = Description(labels=("propaganda",), basis=Basis.RESEARCH)


@dataclass(frozen=True, slots=True)
class Segment:
    """From when to when of an upload an engine sees which part of a known video; seconds."""

    upload_first_s: float
    upload_last_s: float
    known_first_s: float
    known_last_s: float


@dataclass(frozen=True, slots=True)
class Answer:
    """A known video that an engine finds in an upload; without segments where it tells none."""

    entry: str
    segments: Sequence[Segment] = ()


class Ours:
    """The matcher of the service on a store of its own in `folder`, without a node around it."""

    def __init__(
        self, folder: Path, matching: Matching | None = None, *, local_features: bool = False
    ) -> None:
        matching = matching or Matching()
        self._store = Store(f"sqlite:///{folder / 'known.db'}")
        self._indexer = Indexer(
            self._store, folder / "index", min_pdq_quality=matching.min_pdq_quality
        )
        self._ledger = Ledger(
            self._store,
            limits=Limits(max_batch_entries=10_000),
            min_pdq_quality=matching.min_pdq_quality,
            logs=SignedLogs(ListKeys(folder / "keys")),
            readers=Readers(),
            follow=self._indexer.follow,
        )
        self._ledger.create_list(
            LIST, ListKind.KNOWN, "", request_id="list", local_features=local_features
        )
        self._matcher = Matcher(
            self._store,
            self._indexer,
            matching=matching,
            policy=Policy(),
            limits=Limits(max_matches=100),
        )
        self._names: dict[str, str] = {}

    def add(self, known: Mapping[str, Sequence[Fingerprint]]) -> None:
        """Add known videos by name."""
        drafts = [EntryDraft(MediaType.VIDEO, tuple(f), _DESCRIPTION) for f in known.values()]
        request = f"from {len(self._names)}"
        added, _ = self._ledger.add_entries(LIST, drafts, request_id=request)
        self._names |= {entry.name: name for entry, name in zip(added, known.keys(), strict=True)}

    @staticmethod
    def hashed(data: bytes, *, local_features: bool = False) -> tuple[Fingerprint, ...]:
        """What a contributor makes of a known video."""
        recipe = with_local(FOR_LISTS) if local_features else FOR_LISTS
        return fingerprint(io.BytesIO(data), recipe=recipe).fingerprints

    def check(self, data: bytes) -> list[Answer]:
        """Check as a node does: by key frames, and closely where the matcher asks for it."""
        check = self._matcher.open(Query(MediaType.VIDEO, ()))

        def judge(seen: Seen) -> Sequence[Span]:
            check.search(seen.fingerprints, seen.through_ms)
            return check.judge().closer

        try:
            recipe = for_checks(self._matcher.held(None))
            found = fingerprint(io.BytesIO(data), recipe=recipe, judge=judge)
        except MediaError:
            return []
        check.search([f for f in found.fingerprints if f.algorithm.is_digest])
        return self._answers(check.finish(found.limitation, found.detail))

    def match(self, fingerprints: Sequence[Fingerprint]) -> list[Answer]:
        """Check what was hashed elsewhere."""
        (verdict,) = self._matcher.check([Query(MediaType.VIDEO, tuple(fingerprints))])
        return self._answers(verdict)

    def _answers(self, verdict: Verdict) -> list[Answer]:
        return [Answer(self._names[m.entry], _segments(m)) for m in verdict.matches]

    def settle(self) -> None:
        """Wait until the index has arranged what it holds."""
        self._indexer.settle()

    def close(self) -> None:
        """Close the store and the index."""
        self._indexer.close()
        self._store.close()


def _segments(match: Match) -> list[Segment]:
    return [
        Segment(
            segment.upload_start_ms / 1000,
            segment.upload_end_ms / 1000,
            (segment.known_start_ms or 0) / 1000,
            (segment.known_end_ms or 0) / 1000,
        )
        for segment in match.segments
    ]


class Vpdq:
    """The vPDQ way: one frame a second of both sides, and the share of them that are near.

    Frames below the quality are left out, and equal ones count once, as in threatexchange. An entry
    matches when the share of the upload's frames that are near one of its is large enough, as
    threatexchange has it by default, or the share of its own, as vPDQ's documents say.
    """

    def __init__(self, known: Mapping[str, Codes]) -> None:
        self._names = list(known)
        self._codes = list(known.values())

    @staticmethod
    def hashed(data: bytes) -> Codes:
        """The frames of a video as PDQ (n, 32)."""
        compute = importlib.import_module("pdqhash").compute
        found = [compute(pixels) for _, pixels in sampled(data, 1.0)]
        return unique(bits for bits, quality in found if quality >= QUALITY)

    def check(self, data: bytes) -> list[Answer]:
        """Compare every frame with every frame."""
        upload = self.hashed(data)
        if not len(upload):
            return []
        return [
            Answer(name)
            for name, codes in zip(self._names, self._codes, strict=True)
            if len(codes) and _is_match(near(upload, codes))
        ]


def _is_match(is_near: npt.NDArray[np.bool_]) -> bool:
    shares = (is_near.any(axis=1).mean(), is_near.any(axis=0).mean())
    return bool(100 * max(shares) >= SHARE)


def near(codes: Codes, others: Codes) -> npt.NDArray[np.bool_]:
    """Which codes (n, 32) are within the radius of which others (m, 32): (n, m)."""
    different = codes[:, None, :] ^ others[None, :, :]
    return np.asarray(np.bitwise_count(different).sum(axis=2, dtype=np.int64) <= RADIUS)


def unique(hashes: Iterable[npt.NDArray[Any]]) -> Codes:
    """The different ones of pdqhash's hashes, which have one number for each bit."""
    packed = {np.packbits(np.asarray(bits, np.uint8)).tobytes() for bits in hashes}
    return np.frombuffer(b"".join(sorted(packed)), np.uint8).reshape(-1, 32)
