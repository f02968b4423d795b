"""How many frames are worth keeping of known videos, and how many are worth looking at in uploads.

Known frames are thinned from eight a second: to a rate, and by leaving out those within some bits
of the last one kept, until a whole second has passed. Uploads are looked at by their key frames,
one, four or eight times a second, or as a node does: by key frames, and closely where the matcher
asks for it.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

import numpy as np

from benchmarks import report
from benchmarks.datasets import make_codes
from benchmarks.footage import Shown
from benchmarks.video_cases import Known, Upload, judge
from benchmarks.video_engines import Answer, Ours
from hashsvc.cli.selftest import distance
from hashsvc.media import FOR_CHECKS, FOR_LISTS, Limits, Recipe
from hashsvc.media.decode import look
from hashsvc.media.scan import Judge
from hashsvc.model import Fingerprint
from hashsvc_index import HammingIndex

SAMPLING = "sampling"
EDITS = frozenset(
    {
        ("low bit rate", "crf 35"),
        ("letterbox", "10 %"),
        ("speed", "x 1.05"),
        ("dropped frames", "50 %"),
        ("key frames", "the first alone"),
        ("clip of a longer video", "5 s"),
        ("clip of a longer video", "3 s"),
        ("scenes in another order", "4 s each"),
    }
)
"""What the table is made of."""

KEEPS: Sequence[tuple[float, int]] = (
    *((1.0, 0), (2.0, 0), (4.0, 0), (8.0, 0)),
    *((8.0, 4), (8.0, 6), (8.0, 8), (8.0, 12), (8.0, 24), (4.0, 24)),
)
"""Frames kept a second of known videos, and the bits that they differ by."""

UPLOAD_RATES = (1.0, 4.0, 8.0)
_CODES = 100_000


@dataclass(frozen=True, slots=True)
class Looks:
    """An upload's hashes by the way that it is looked at, each with the seconds that they took."""

    upload: Upload
    by_way: Mapping[str, tuple[Sequence[Fingerprint], float]]


def looks(upload: Upload) -> Looks:
    """Decode and hash an upload by its key frames, and at some rates."""
    by_way = {"key frames": _timed(upload.data, FOR_CHECKS, lambda _: ())}
    for rate in UPLOAD_RATES:
        by_way[f"{rate:.0f} a second"] = _timed(upload.data, replace(FOR_CHECKS, rate=rate))
    return Looks(upload, by_way)


def _timed(
    data: bytes, recipe: Recipe, judge: Judge | None = None
) -> tuple[Sequence[Fingerprint], float]:
    start = process_time()
    found = look(io.BytesIO(data), Limits(), recipe, judge)
    return found.fingerprints, process_time() - start


def hashed_known(data: bytes) -> Sequence[Fingerprint]:
    """A known video, as densely as any row wants it."""
    recipe = replace(FOR_LISTS, rate=max(rate for rate, _ in KEEPS), distinct_bits=0)
    return look(io.BytesIO(data), Limits(), recipe).fingerprints


def thinned(frames: Sequence[Fingerprint], rate: float, bits: int) -> list[Fingerprint]:
    """Frames at a lower rate, without those within so many bits of the last one kept.

    The looks at one moment stay together.
    """
    kept: list[Fingerprint] = []
    last: Fingerprint | None = None
    due = 0
    for time_ms, some in groupby(frames, key=lambda frame: frame.time_ms or 0):
        moment = list(some)
        if time_ms * rate >= 1000 * due:
            due = int(time_ms * rate / 1000) + 1
            if last is None or not (bits and _is_alike(last, moment[0], bits)):
                last = moment[0]
                kept += moment
    return kept


def _is_alike(kept: Fingerprint, frame: Fingerprint, bits: int) -> bool:
    """Whether a frame tells nothing new after the one that was kept, less than a second before."""
    passed_ms = (frame.time_ms or 0) - (kept.time_ms or 0)
    return passed_ms < 1000 and distance(frame.value, kept.value) <= bits


@dataclass(frozen=True, slots=True)
class Material:
    """What each way to keep and to look is measured with.

    `known` are the entries of some sets, as dense as any row wants them, and `shows` what they
    show. Uploads come with the name of their set.
    """

    shows: Mapping[str, Mapping[str, Sequence[Shown]]]
    known: Mapping[str, Mapping[str, Sequence[Fingerprint]]]
    uploads: Sequence[tuple[str, Looks]]


def rows(keep: tuple[float, int], material: Material) -> list[report.Row]:
    """A row for each way to look, at one way to keep: a rate, and bits to be distinct by."""
    rate, bits = keep
    seconds = sum(
        shown.seconds for some in material.shows.values() for one in some.values() for shown in one
    )
    kept = {
        name: {entry: thinned(frames, rate, bits) for entry, frames in some.items()}
        for name, some in material.known.items()
    }
    count = sum(len(frames) for some in kept.values() for frames in some.values())
    entries = {
        name: {entry: Known(bytes, shows) for entry, shows in some.items()}
        for name, some in material.shows.items()
    }
    return [
        {
            report.TABLE: SAMPLING,
            "known_rate": rate,
            "distinct_bits": bits,
            "upload": way,
            **cells,
            "index_bytes_per_minute": round(60 * count / seconds * bytes_per_code()),
            "exact": False,
        }
        for way, cells in _measured(entries, kept, material.uploads).items()
    ]


def _measured(
    entries: Mapping[str, Mapping[str, Known]],
    kept: Mapping[str, Mapping[str, Sequence[Fingerprint]]],
    uploads: Sequence[tuple[str, Looks]],
) -> dict[str, report.Row]:
    """By the way that uploads are looked at, what is found with these known frames."""
    judged: dict[str, list[tuple[int, int, int, float]]] = {}
    with TemporaryDirectory() as folder:
        engines = {}
        for name, some in kept.items():
            place = Path(folder) / name
            place.mkdir()
            engines[name] = Ours(place)
            engines[name].add(some)
        for name, upload in uploads:
            for way, answers, took_s in _answered(engines[name], upload):
                one = judge(upload.upload, entries[name], answers)
                judged.setdefault(way, []).append((one.wanted, one.found, one.wrong, took_s))
        for engine in engines.values():
            engine.close()
    cells = {}
    for way, found in judged.items():
        wanted, right, wrong, took = (sum(column) for column in zip(*found, strict=True))
        cells[way] = {
            "recall": right / wanted,
            "false_matches": wrong / len(found),
            "ms": 1000 * took / len(found),
        }
    return cells


def _answered(engine: Ours, upload: Looks) -> Iterator[tuple[str, Sequence[Answer], float]]:
    """What is found by each way to look, with the seconds of all of it."""
    for way, (frames, took_s) in upload.by_way.items():
        start = process_time()
        answers = engine.match(frames)
        yield way, answers, took_s + process_time() - start
    start = process_time()
    answers = engine.check(upload.upload.data)
    yield "key frames, closer where asked", answers, process_time() - start


@cache
def bytes_per_code() -> float:
    """Memory of the index for one PDQ value, among many."""
    index = HammingIndex(256)
    index.add(np.arange(_CODES), make_codes(_CODES, np.random.default_rng(1)))
    index.settle()
    size = index.nbytes / _CODES
    index.close()
    return size
