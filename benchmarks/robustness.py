"""Known pictures in edited uploads: what is found, what is found in error, and what it costs.

Each edit is done to every known picture, and the upload shown to every engine. `recall` is the
share of uploads in which the picture is found. `false_matches` counts other pictures that are
found, of whatever is known: an edited known picture is compared with all others, and `comparisons`
counts these. Then some edits are done to unrelated pictures, those that take away what tells
pictures apart, or add what many have: there everything that is found is false. `ms` is the mean
processor time of a check: decoding, hashing, and asking.

`hashsvc` is the whole service by default: files hashed by its client, checked over gRPC by a node
that the known pictures were contributed to. Other rows of ours have parts of it switched off or on.
Beside it: PDQ of threatexchange with its own index, threshold (31 bits) and quality (50); the eight
forms of pdqhash at the same; and imagehash within 10 bits of 64, as their author advises, for the
library leaves that to its callers.

The attacks change a picture as little as possible so that a hash moves as far as possible; their
strength is the peak signal-to-noise ratio that they keep to, and 40 dB can hardly be seen. A hash
collision is an unrelated picture that was given the hash of a known one.
"""

import argparse
import multiprocessing
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing.util import Finalize
from pathlib import Path
from time import process_time

from PIL import Image

from benchmarks import gallery, picture_engines, plots, report
from benchmarks.gallery import Gallery, Picture
from benchmarks.picture_changes import decoded
from benchmarks.picture_edits import PLAIN_COPY, Edit, Material, catalogue
from hashsvc.cli.files import cores

HELP = "known pictures in edited uploads, and the cost of looking for them, beside other hashes"
SMALL: Sequence[str] = (
    *("--edits", "plain copy,JPEG,crop,picture in picture", "--pictures", "3", "--jobs", "1"),
)
KNOWN, UNRELATED = "edits of known pictures", "edits of unrelated pictures"
TOGETHER = "all together"
RECALL = "recall of known pictures, engine by engine"

_COPY = Edit("other copy of it", "as found", PLAIN_COPY.change)
_MOST_PIXELS = 2048
"""The longer side of what edits are done to, as platforms shrink what is larger."""
_OTHERS = 9


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this benchmark."""
    text = (
        "folder of known pictures (default: with HASHSVC_SHARED_MEDIA its images by their role, "
        "else the demonstration's)"
    )
    parser.add_argument("--known", type=Path, metavar="DIR", help=text)
    parser.add_argument(
        "--unrelated", type=Path, metavar="DIR", help="folder of pictures that show nothing known"
    )
    text = "edits to measure, with commas between (default: all)"
    parser.add_argument("--edits", default="", metavar="NAME,...", help=text)
    text = f"of {', '.join(picture_engines.names())} (default: all)"
    parser.add_argument("--engines", default="", metavar="NAME,...", help=text)
    text = "at most so many known and so many unrelated pictures, evenly from all (default: all)"
    parser.add_argument("--pictures", type=int, default=0, metavar="N", help=text)
    text = "processes that make and check uploads (default: one for each core)"
    parser.add_argument("--jobs", type=int, default=cores(), help=text)


def run(arguments: argparse.Namespace) -> list[report.Row]:
    """A row for each edit, strength and engine, and one for all edits together."""
    plan = Plan.of(arguments)
    tasks = plan.tasks()
    report.note(f"{len(tasks)} pictures, each edited in up to {len(plan.catalogue())} ways")
    tallies: dict[_Key, Tally] = defaultdict(Tally)
    with _workers(arguments.jobs, plan) as pool:
        for number, answers in enumerate(pool.map(_judge, tasks), 1):
            for key, answer in answers:
                tallies[key].add(answer)
            if number % 20 == 0:
                report.note(f"{number} of {len(tasks)} pictures")
    measured = {engine for *_, engine in tallies}
    engines = [name for name in plan.engines if name in measured]
    return list(_rows(plan, tallies, engines))


@dataclass(frozen=True, slots=True)
class Plan:
    """What a process needs to know to make the same uploads; `edits` and `engines` by name."""

    gallery: Gallery
    seed: int
    edits: tuple[str, ...]
    engines: tuple[str, ...]

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> "Plan":
        """The plan of a command line. Raises SystemExit for names that there are none of."""
        edits = {edit.name: None for edit in [PLAIN_COPY, _COPY, *catalogue()]}
        return cls(
            gallery.load(arguments.known, arguments.unrelated, arguments.pictures),
            arguments.seed,
            _named("--edits", arguments.edits, list(edits)),
            _named("--engines", arguments.engines, picture_engines.names()),
        )

    def tasks(self) -> list["Task"]:
        """What is to be done, picture by picture."""
        pictures = self.gallery
        made = [
            *(Task(KNOWN, picture, number) for number, picture in enumerate(pictures.known)),
            *(Task(KNOWN, picture, 0, is_copy=True) for picture in pictures.copies),
            *(Task(UNRELATED, one, number) for number, one in enumerate(pictures.unrelated)),
        ]
        return [task for task in made if self.edits_of(task)]

    def edits_of(self, task: "Task") -> list[Edit]:
        """The edits of one picture."""
        if task.is_copy:
            return [_COPY] if _COPY.name in self.edits else []
        return [
            edit
            for edit in self.catalogue()
            if (edit.of_known if task.table == KNOWN else edit.of_unrelated)
        ]

    def catalogue(self) -> list[Edit]:
        """The edits that are named."""
        return [edit for edit in catalogue() if edit.name in self.edits]


@dataclass(frozen=True, slots=True)
class Task:
    """A picture to edit in every way; its `number` among those of its kind picks its company."""

    table: str
    picture: Picture
    number: int
    is_copy: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What one engine said of one upload; `is_found` is None where nothing is to be found.

    In `comparisons` it could be wrong.
    """

    is_found: bool | None
    wrong: int
    comparisons: int
    seconds: float


_Key = tuple[str, str, str, str]
"""Table, edit, strength, engine."""


@dataclass(slots=True)
class Tally:
    """The answers of one row."""

    uploads: int = 0
    wanted: int = 0
    found: int = 0
    wrong: int = 0
    comparisons: int = 0
    seconds: float = 0.0

    @property
    def recall(self) -> float | None:
        """The share of what is to be found that is."""
        return self.found / self.wanted if self.wanted else None

    def add(self, answer: "Answer | Tally") -> None:
        """Count one more, or all of another row."""
        if isinstance(answer, Tally):
            self.uploads += answer.uploads
            self.wanted += answer.wanted
            self.found += answer.found
        else:
            self.uploads += 1
            self.wanted += answer.is_found is not None
            self.found += bool(answer.is_found)
        self.wrong += answer.wrong
        self.comparisons += answer.comparisons
        self.seconds += answer.seconds


def _named(option: str, text: str, known: Sequence[str]) -> tuple[str, ...]:
    named = tuple(filter(None, text.split(",")))
    unknown = [name for name in named if name not in known]
    if unknown:
        raise SystemExit(f"{option}: {unknown[0]} is none of {', '.join(known)}")
    return named or tuple(known)


def _rows(plan: Plan, tallies: dict[_Key, Tally], engines: Sequence[str]) -> Iterator[report.Row]:
    """What all edits came to, then recall beside each other, then every row."""
    edits = [_COPY, *plan.catalogue()]
    yield from _together(edits, tallies, engines)
    for edit in edits:
        line = {
            engine: tallies.get((KNOWN, edit.name, edit.strength, engine)) for engine in engines
        }
        if any(line.values()):
            recall = {engine: tally and tally.recall for engine, tally in line.items()}
            yield {report.TABLE: RECALL, "edit": edit.name, "strength": edit.strength, **recall}
    for table in (KNOWN, UNRELATED):
        for edit in edits:
            for engine in engines:
                key = (table, edit.name, edit.strength, engine)
                if key in tallies:
                    yield _row(key, tallies[key])


def _together(
    edits: Sequence[Edit], tallies: dict[_Key, Tally], engines: Sequence[str]
) -> Iterator[report.Row]:
    for what, is_attack in (("edits", False), ("attacks", True)):
        names = {edit.name for edit in edits if edit.is_attack is is_attack}
        for table in (KNOWN, UNRELATED):
            for engine in engines:
                total = Tally()
                for key, tally in tallies.items():
                    if key[0] == table and key[1] in names and key[3] == engine:
                        total.add(tally)
                if total.uploads:
                    of = table.removeprefix("edits of ")
                    yield _row((TOGETHER, f"all {what} of {of}", "-", engine), total)


def _row(key: _Key, tally: Tally) -> report.Row:
    table, edit, strength, engine = key
    return {
        report.TABLE: table,
        "edit": edit,
        "strength": strength,
        "engine": engine,
        "uploads": tally.uploads,
        "recall": tally.recall,
        "false_matches": tally.wrong,
        "comparisons": tally.comparisons,
        "false_per_million": 1e6 * tally.wrong / max(1, tally.comparisons),
        "ms": 1000 * tally.seconds / tally.uploads,
        # What is found of an edited upload is a measure; that we find the file itself is a promise.
        "exact": edit == PLAIN_COPY.name and picture_engines.is_ours(engine),
    }


class _Worker:
    """What one process holds: the engines, which know the pictures."""

    def __init__(self, plan: Plan, folder: str) -> None:
        self.plan = plan
        self.groups = {picture.name: picture.group for picture in plan.gallery.known}
        known = {picture.name: picture.path.read_bytes() for picture in plan.gallery.known}
        self.stack = ExitStack()
        self.engines = self.stack.enter_context(
            picture_engines.learned(plan.engines, known, Path(folder))
        )

    def judge(self, task: Task) -> list[tuple[_Key, Answer]]:
        """Make every upload of a picture, and ask every engine about it."""
        material = self._material(task)
        made = []
        for number, edit in enumerate(self.plan.edits_of(task)):
            upload = edit.make(material, self.plan.seed, task.picture.name)
            # Each is first in turn, as the first one finds the processor's caches cold.
            first = (task.number + number) % len(self.engines)
            for engine in [*self.engines[first:], *self.engines[:first]]:
                start = process_time()
                found = engine.check(upload)
                seconds = process_time() - start
                key = (task.table, edit.name, edit.strength, engine.name)
                made.append((key, self._answer(task, found, seconds)))
        return made

    def _answer(self, task: Task, found: frozenset[str], seconds: float) -> Answer:
        groups = [self.groups[name] for name in found]
        right = groups.count(task.picture.group)
        own = list(self.groups.values()).count(task.picture.group)
        return Answer(
            right > 0 if task.table == KNOWN else None,
            len(groups) - right,
            len(self.groups) - own,
            seconds,
        )

    def _material(self, task: Task) -> Material:
        known, unrelated = self.plan.gallery.known, self.plan.gallery.unrelated
        own = task.picture.group
        others = [picture for picture in unrelated if picture.group != own] or unrelated
        first = task.number * _OTHERS
        beside = [others[(first + n) % len(others)] for n in range(min(_OTHERS, len(others)))]
        return Material(
            task.picture.path.read_bytes(),
            _picture(task.picture.path),
            [_picture(picture.path) for picture in beside],
            _picture(known[task.number % len(known)].path),
        )


@lru_cache(maxsize=16)
def _picture(path: Path) -> Image.Image:
    """A picture as RGB, no larger than platforms let it be."""
    picture = decoded(path.read_bytes())
    picture.thumbnail((_MOST_PIXELS, _MOST_PIXELS), Image.Resampling.LANCZOS)
    return picture


_worker: _Worker | None = None


def _start(plan: Plan, folder: str) -> None:
    global _worker
    # A folder for each process: nodes do not share one.
    _worker = _Worker(plan, tempfile.mkdtemp(dir=folder))


def _start_process(plan: Plan, folder: str) -> None:
    _start(plan, folder)
    assert _worker is not None
    # Nodes are stopped before the process waits for their threads.
    Finalize(None, _worker.stack.close, exitpriority=1)


def _judge(task: Task) -> list[tuple[_Key, Answer]]:
    assert _worker is not None
    return _worker.judge(task)


@contextmanager
def _workers(jobs: int, plan: Plan) -> Iterator[Executor]:
    """Processes that have the engines; one job is done in this process."""
    with tempfile.TemporaryDirectory() as folder:
        if jobs > 1:
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(jobs, context, _start_process, (plan, folder)) as pool:
                yield pool
            return
        with ThreadPoolExecutor(1, initializer=_start, initargs=(plan, folder)) as thread:
            yield thread
        if _worker is not None:
            _worker.stack.close()


def plot(rows: Sequence[report.Row], folder: Path) -> Iterable[Path]:
    """Recall by edit and engine."""
    found = [row for row in rows if row.get(report.TABLE) == KNOWN]
    return [plots.recall_of_engines(found, folder / "robustness_recall.svg")] if found else []
