"""Known videos in uploads: what is found after what uploaders do to them, and what it costs.

Edits. Uploads are made of known clips, so that which seconds show which seconds of what is known:
re-encoded, cut, hidden, bordered, and so on, at graded strengths. `recall` is the share of the
entries in an upload that are found, over all uploads of a row; `false_matches` how many entries are
found in an upload that are not in it, clips that look alike (the same room, the same table)
included; `seconds_of_error` how far the ends of what is found are from the truth, on average. Rows
that have no recall are of uploads that show nothing known. With `--local-features` the list of
known videos takes such.

Beside ours stands the vPDQ way: one frame a second of both sides, hashed by pdqhash, distance 31,
quality 50, an entry being found where 80 % of the upload's frames are near some of its, or 80 % of
its near some of the upload's.

Sampling. How many frames are kept of known videos, thinned from eight a second: to `known_rate`,
and without those within `distinct_bits` of the last one kept until a whole second has passed; and
how uploads are looked at. `index_bytes_per_minute` is memory of the index for a minute of known
video, `ms` the mean processor time to decode, hash and match an upload.

Steps. Decoding and hashing 1080p at 5 Mbit/s, and matching an hour of it. `x_realtime` is how many
times faster than it plays, `ms` for one minute of it, or for all of what is matched. Engines take
turns, and the time of each is the shortest of its turns, as neighbours on the machine only ever
add; on one core it is processor time. `vpdq` is Meta's own, which has no wheel; without it its rows
are left out.
"""

import argparse
import multiprocessing
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks import clips, peers, plots, report, video_sampling, video_steps
from benchmarks.datasets import Codes
from benchmarks.video_cases import Case, Judged, Scene, judge
from benchmarks.video_engines import Ours, Vpdq
from benchmarks.video_sampling import SAMPLING
from benchmarks.video_steps import STEPS
from hashsvc.cli.files import cores
from hashsvc.model import Fingerprint

EDITS = "edits"
HELP = "known videos in edited uploads, and the cost of looking for them, beside vPDQ"
SMALL: Sequence[str] = (
    *("--edits", "low bit rate,clip of a longer video,unrelated: black"),
    *("--videos", str(clips.DEMO), "--repeat", "1", "--turns", "1", "--minute-s", "2"),
    *("--n", "20000", "--hour-s", "120"),
)
PARTS = (EDITS, SAMPLING, STEPS)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this benchmark."""
    text = (
        "folder of clips, with a MANIFEST.tsv or without (default: HASHSVC_SHARED_MEDIA's videos, "
        "else the demonstration's)"
    )
    parser.add_argument(
        "--videos", type=Path, default=clips.default_folder(), metavar="DIR", help=text
    )
    text = "folder of pictures for unknown footage (default: those beside the clips)"
    parser.add_argument("--images", type=Path, metavar="DIR", help=text)
    text = "edits to measure, with commas between (default: all)"
    parser.add_argument("--edits", default="", metavar="NAME,...", help=text)
    parser.add_argument(
        "--parts", default=",".join(PARTS), help=f"of {', '.join(PARTS)} (default all)"
    )
    text = "seconds of other material that a known clip is hidden in (default 120; 3600: an hour)"
    parser.add_argument("--other-s", type=float, default=120.0, metavar="S", help=text)
    text = "times that an edit by chance is done to a long film (default 2)"
    parser.add_argument("--repeat", type=int, default=2, help=text)
    text = "processes that make and check uploads (default: one for each core)"
    parser.add_argument("--jobs", type=int, default=cores(), help=text)
    text = "times that each step is taken (default 3)"
    parser.add_argument("--turns", type=int, default=3, help=text)
    text = "seconds of 1080p video to decode (default 30)"
    parser.add_argument("--minute-s", type=float, default=60.0, metavar="S", help=text)
    text = "known frames to match an upload with (default 1000000)"
    parser.add_argument("--n", type=int, default=1_000_000, help=text)
    text = "seconds of an upload to match with those (default 3600)"
    parser.add_argument("--hour-s", type=int, default=3600, metavar="S", help=text)
    text = "known videos in a list that takes local features (default: without)"
    parser.add_argument("--local-features", action="store_true", help=text)
    text = "keep the uploads in this folder (default: in memory alone)"
    parser.add_argument("--keep", type=Path, metavar="DIR", help=text)


def run(arguments: argparse.Namespace) -> list[report.Row]:
    """Measure all parts that are asked for."""
    plan = Plan.of(arguments)
    parts = arguments.parts.split(",")
    if not set(parts) <= set(PARTS):
        raise SystemExit(f"--parts: {arguments.parts} is not of {', '.join(PARTS)}")
    rows: list[report.Row] = []
    if EDITS in parts:
        rows += edit_rows(plan, arguments.jobs)
    arguments.watch.probe()
    if SAMPLING in parts:
        rows += sampling_rows(plan, arguments.jobs)
    if STEPS in parts:
        library = plan.scene().library
        repeat, seed = arguments.turns, arguments.seed
        rows += video_steps.decoding_rows(library, arguments.minute_s, repeat, seed)
        rows += video_steps.matching_rows(arguments.n, arguments.hour_s, repeat, seed)
    return rows


@dataclass(frozen=True, slots=True)
class Plan:
    """What a process needs to know to make the same scene."""

    videos: Path
    images: Path | None
    seed: int
    other_s: float
    repeat: int
    edits: tuple[str, ...]
    keep: Path | None
    local_features: bool

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> "Plan":
        """The plan of a command line. Raises SystemExit for edits that there are none of."""
        named = tuple(filter(None, arguments.edits.split(",")))
        plan = cls(
            arguments.videos,
            arguments.images,
            arguments.seed,
            arguments.other_s,
            arguments.repeat,
            named,
            arguments.keep,
            arguments.local_features,
        )
        known = {case.edit for case in plan.scene(every=True).cases}
        unknown = [name for name in named if name not in known]
        if unknown:
            raise SystemExit(f"--edits: {unknown[0]} is none of {', '.join(sorted(known))}")
        return plan

    def scene(self, *, every: bool = False) -> Scene:
        """Make the scene; with `every` edit, whichever are named."""
        library = clips.load(self.videos, self.images)
        return Scene(library, self.seed, self.other_s, self.repeat, () if every else self.edits)


@dataclass(frozen=True, slots=True)
class Hashed:
    """The entries of a set as each engine keeps them; `vpdq` has none without pdqhash."""

    ours: dict[str, tuple[Fingerprint, ...]]
    vpdq: dict[str, Codes]


def edit_rows(plan: Plan, jobs: int) -> list[report.Row]:
    """A row for each edit and strength."""
    scene = plan.scene()
    needed = list(dict.fromkeys(case.entries for case in scene.cases))
    entries = [(name, entry) for name in needed for entry in scene.entries[name]]
    report.note(f"hashing {len(entries)} entries, then {len(scene.cases)} uploads")
    has_peer = peers.available(lambda: __import__("pdqhash")) is not None
    with _workers(jobs, plan, {}) as pool:
        made = list(pool.map(partial(_hash_entry, has_peer=has_peer), *zip(*entries, strict=True)))
    hashed = {name: Hashed({}, {}) for name in needed}
    for (name, entry), (ours, vpdq) in zip(entries, made, strict=True):
        hashed[name].ours[entry] = ours
        if vpdq is not None:
            hashed[name].vpdq[entry] = vpdq
    with _workers(jobs, plan, hashed) as pool:
        numbers = range(len(scene.cases))
        judged = []
        for number, both in enumerate(pool.map(_judge_case, numbers), 1):
            judged.append(both)
            if number % 50 == 0:
                report.note(f"{number} of {len(numbers)} uploads")
    return list(_rows(scene.cases, judged))


def sampling_rows(plan: Plan, jobs: int) -> list[report.Row]:
    """Rows for ways to keep known videos and to look at uploads."""
    scene = plan.scene()
    numbers = [
        number
        for number, case in enumerate(scene.cases)
        if (case.edit, case.strength) in video_sampling.EDITS
    ]
    if not numbers:
        return []
    needed = list(dict.fromkeys(scene.cases[number].entries for number in numbers))
    entries = [(name, entry) for name in needed for entry in scene.entries[name]]
    report.note(f"hashing {len(entries)} entries and {len(numbers)} uploads densely")
    known: dict[str, dict[str, Sequence[Fingerprint]]] = {name: {} for name in needed}
    with _workers(jobs, plan, {}) as pool:
        made = pool.map(_hash_densely, *zip(*entries, strict=True))
        for (name, entry), frames in zip(entries, made, strict=True):
            known[name][entry] = frames
        looks = list(pool.map(_look, numbers))
    uploads = [
        (scene.cases[number].entries, upload) for number, upload in zip(numbers, looks, strict=True)
    ]
    shows = {
        name: {entry: one.shows for entry, one in scene.entries[name].items()} for name in needed
    }
    material = video_sampling.Material(shows, known, uploads)
    report.note(f"measuring {len(video_sampling.KEEPS)} ways to keep known videos")
    with _workers(jobs, plan, {}) as pool:
        measure = partial(video_sampling.rows, material=material)
        return list(chain.from_iterable(pool.map(measure, video_sampling.KEEPS)))


def _rows(cases: Sequence[Case], judged: Sequence[Sequence[Judged | None]]) -> Iterator[report.Row]:
    rows: dict[tuple[str, str], list[Sequence[Judged | None]]] = defaultdict(list)
    for case, both in zip(cases, judged, strict=True):
        rows[case.edit, case.strength].append(both)
    for (edit, strength), pairs in rows.items():
        ours, vpdq = ([one for one in side if one] for side in zip(*pairs, strict=True))
        errors = [error for one in ours for error in one.errors_s]
        yield {
            report.TABLE: EDITS,
            "edit": edit,
            "strength": strength,
            "uploads": len(pairs),
            "recall": _recall(ours),
            "false_matches": _wrong(ours),
            "recall_vpdq": _recall(vpdq),
            "false_matches_vpdq": _wrong(vpdq),
            "seconds_of_error": round(fmean(errors), 2) if errors else None,
            # What is found of an upload that was hurt is a measure, not a promise.
            "exact": False,
        }


def _recall(judged: Sequence[Judged]) -> float | None:
    wanted = sum(one.wanted for one in judged)
    return sum(one.found for one in judged) / wanted if wanted else None


def _wrong(judged: Sequence[Judged]) -> float | None:
    return fmean(one.wrong for one in judged) if judged else None


class _Worker:
    """What one process holds: the scene, and engines for each set of entries, kept in `folder`."""

    def __init__(self, plan: Plan, hashed: dict[str, Hashed], folder: str) -> None:
        self.plan = plan
        self.scene = plan.scene()
        self._hashed = hashed
        self._folder = folder
        self._engines: dict[str, tuple[Ours, Vpdq | None]] = {}

    def engines(self, entries: str) -> tuple[Ours, Vpdq | None]:
        """Ours and the vPDQ way, with a set of entries."""
        if entries not in self._engines:
            hashed = self._hashed[entries]
            folder = Path(tempfile.mkdtemp(dir=self._folder))
            ours = Ours(folder, local_features=self.plan.local_features)
            ours.add(hashed.ours)
            self._engines[entries] = ours, Vpdq(hashed.vpdq) if hashed.vpdq else None
        return self._engines[entries]

    def close(self) -> None:
        """Close what the engines hold."""
        for ours, _ in self._engines.values():
            ours.close()


_worker: _Worker | None = None


def _start(plan: Plan, hashed: dict[str, Hashed], folder: str) -> None:
    global _worker
    _worker = _Worker(plan, hashed, folder)


def _hash_entry(
    entries: str, entry: str, *, has_peer: bool
) -> tuple[tuple[Fingerprint, ...], Codes | None]:
    assert _worker is not None
    data = _worker.scene.entries[entries][entry].data()
    ours = Ours.hashed(data, local_features=_worker.plan.local_features)
    return ours, Vpdq.hashed(data) if has_peer else None


def _hash_densely(entries: str, entry: str) -> Sequence[Fingerprint]:
    assert _worker is not None
    return video_sampling.hashed_known(_worker.scene.entries[entries][entry].data())


def _look(number: int) -> video_sampling.Looks:
    assert _worker is not None
    return video_sampling.looks(_worker.scene.cases[number].make())


def _judge_case(number: int) -> tuple[Judged, Judged | None]:
    assert _worker is not None
    case = _worker.scene.cases[number]
    upload = case.make()
    if _worker.plan.keep is not None:
        _worker.plan.keep.mkdir(parents=True, exist_ok=True)
        name = f"{number:04} {case.edit} {case.strength}.mp4".replace("/", " a ")
        (_worker.plan.keep / name).write_bytes(upload.data)
    ours, vpdq = _worker.engines(case.entries)
    entries = _worker.scene.entries[case.entries]
    return (
        judge(upload, entries, ours.check(upload.data)),
        judge(upload, entries, vpdq.check(upload.data)) if vpdq else None,
    )


@contextmanager
def _workers(jobs: int, plan: Plan, hashed: dict[str, Hashed]) -> Iterator[Executor]:
    """Processes that have the scene; one job is done in this process."""
    with tempfile.TemporaryDirectory() as folder:
        initial: dict[str, Any] = {"initializer": _start, "initargs": (plan, hashed, folder)}
        if jobs > 1:
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(jobs, mp_context=context, **initial) as pool:
                yield pool
            return
        with ThreadPoolExecutor(1, **initial) as thread:
            yield thread
        if _worker is not None:
            _worker.close()


def plot(rows: Sequence[report.Row], folder: Path) -> Iterable[Path]:
    """Recall by edit, ours and vPDQ's."""
    found = [row for row in rows if row.get("recall") is not None and "edit" in row]
    return [plots.recall_by_edit(found, folder / "video_recall.svg")] if found else []
