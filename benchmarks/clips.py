"""Clips to measure with: a folder of them, with a manifest that says which show the same."""

import csv
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

import hashsvc
from benchmarks.footage import Film, encoded, joined, read
from benchmarks.hashing import paths
from benchmarks.unrelated import pan

SHARED = Path(os.environ.get("HASHSVC_SHARED_MEDIA", "../shared/media"))
DEMO = Path(hashsvc.__file__).parent / "demo" / "media"
SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".webm", ".mkv", ".ts", ".avi"})

_MADE = 3
_PAN_S = 6.0


@dataclass(frozen=True, slots=True)
class Clip:
    """A video file; files of one `group` show the same."""

    name: str
    group: str
    film: Film
    data: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Library:
    """What a folder has: `known` is one clip of each known group, `copies` are its other files.

    `pictures` are for made footage that nothing known is in.
    """

    known: Sequence[Clip]
    copies: Sequence[Clip]
    unrelated: Sequence[Clip]
    pictures: Sequence[Path]

    def other(self, seconds: float, rng: np.random.Generator) -> Film:
        """At least so long a film of unrelated clips, and of pans over pictures between them."""
        films = [clip.film for clip in self.unrelated]
        missing = max(_PAN_S, seconds - sum(film.seconds for film in films))
        count = int(missing // _PAN_S) + 1
        films += [
            pan(self.pictures[number], _PAN_S, int(rng.integers(1 << 30)))
            for number in rng.integers(len(self.pictures), size=count)
        ]
        order = rng.permutation(len(films))
        made = joined([films[number] for number in order], like=films[-1])
        return replace(made, shows=())


def default_folder() -> Path:
    """The shared stand-in videos where they are, else the clips of the demonstration."""
    shared = SHARED / "videos"
    return shared if shared.is_dir() else DEMO


def load(folder: Path, pictures: Path | None = None) -> Library:
    """The clips of a folder, told apart by its manifest or the one of the folder above it.

    Without one every file is a group of its own, and all are known. The folder of the demonstration
    gets some more, that pan over its pictures. Raises SystemExit for a folder without clips.
    """
    table = manifest(folder)
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        raise SystemExit(f"--videos: no clips in {folder}")
    groups: dict[str, list[Clip]] = {}
    roles: dict[str, str] = {}
    for path in files:
        line = table.get(path.name, {})
        group = line.get("group") or path.name
        film = read(path, group, keep=line.get("role") != "benign")
        groups.setdefault(group, []).append(Clip(path.name, group, film, path.read_bytes))
        roles.setdefault(group, line.get("role") or "known")
    known, copies = [], []
    for group, clips in groups.items():
        if roles[group] != "benign":
            longest = max(clips, key=lambda clip: clip.film.seconds)
            known.append(longest)
            copies += [clip for clip in clips if clip is not longest]
    if folder == DEMO:
        known += _made(paths(DEMO / "known"))
    unrelated = [clip for group in groups for clip in groups[group] if roles[group] == "benign"]
    return Library(known, copies, unrelated, _pictures(folder, pictures))


def manifest(folder: Path) -> dict[str, dict[str, str]]:
    """The lines of MANIFEST.tsv, there or in the folder above, by the name of the file."""
    for path in (folder / "MANIFEST.tsv", folder.parent / "MANIFEST.tsv"):
        if path.is_file():
            with path.open(encoding="utf-8") as file:
                return {
                    Path(line["file"]).name: line for line in csv.DictReader(file, delimiter="\t")
                }
    return {}


def _pictures(folder: Path, given: Path | None) -> list[Path]:
    """The pictures of a folder, or the benign ones beside the videos, or the demonstration's."""
    if given is not None:
        found = paths(given)
        if not found:
            raise SystemExit(f"--images: no pictures in {given}")
        return found
    table = manifest(folder)
    beside = folder.parent / "images"
    found = [path for path in paths(beside) if table.get(path.name, {}).get("role") == "benign"]
    return found or paths(DEMO / "unrelated")


def _made(pictures: Sequence[Path]) -> list[Clip]:
    """Clips that pan over two pictures each."""
    made = []
    for number in range(_MADE):
        pair = [pictures[(2 * number + other) % len(pictures)] for other in range(2)]
        name = " and ".join(path.stem for path in pair)
        film = joined([pan(path, _PAN_S, number, content=path.stem) for path in pair])
        made.append(Clip(name, name, film, partial(encoded, film)))
    return made
