"""Pictures to measure with: known ones and unrelated ones, and which of them show the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from PIL import Image

from benchmarks.clips import DEMO, SHARED, manifest
from benchmarks.hashing import paths
from benchmarks.picture_changes import decoded

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Picture:
    """A file; those of one `group` show the same, and to take one for another is no error."""

    name: str
    group: str
    path: Path


@dataclass(frozen=True, slots=True)
class Gallery:
    """`known` is one picture of each known group, `copies` are its other files."""

    known: Sequence[Picture]
    copies: Sequence[Picture]
    unrelated: Sequence[Picture]


def load(known: Path | None, unrelated: Path | None, most: int = 0) -> Gallery:
    """The pictures of two folders, or of the shared stand-ins, or of the demonstration.

    A MANIFEST.tsv in a folder or above it says which files are of one group, by `file` and `group`;
    without one every file is a group of its own. `most` limits how many known groups, and how many
    unrelated pictures, are taken, evenly from all; 0 takes all. Raises SystemExit where a folder
    has no pictures, one cannot be read, or only one of the two is given.
    """
    if (known is None) != (unrelated is None):
        raise SystemExit("--known and --unrelated: give both, or neither")
    if known is not None and unrelated is not None:
        made = _thinned(_pictures(known), _pictures(unrelated), most)
        _check([*made.known, *made.copies, *made.unrelated])
        return made
    shared = SHARED / "images"
    if not manifest(shared):
        return _thinned(_pictures(DEMO / "known"), _pictures(DEMO / "unrelated"), most)
    table = manifest(shared)
    both = _pictures(shared)
    # As for clips: the role of a group is that of its first file.
    roles: dict[str, str] = {}
    for picture in both:
        roles.setdefault(picture.group, table.get(picture.path.name, {}).get("role") or "known")
    return _thinned(
        [picture for picture in both if roles[picture.group] != "benign"],
        [picture for picture in both if roles[picture.group] == "benign"],
        most,
    )


def _check(pictures: Sequence[Picture]) -> None:
    """Look whether all can be read, before hours of work."""
    for picture in pictures:
        try:
            decoded(picture.path.read_bytes())
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise SystemExit(f"{picture.path} cannot be read ({error}): take it away") from error


def _pictures(folder: Path) -> list[Picture]:
    table = manifest(folder)
    found = [
        Picture(
            path.relative_to(folder).as_posix(),
            table.get(path.name, {}).get("group") or path.relative_to(folder).as_posix(),
            path,
        )
        for path in paths(folder)
    ]
    if not found:
        raise SystemExit(f"--known and --unrelated: no pictures in {folder}")
    return found


def _thinned(known: Sequence[Picture], unrelated: Sequence[Picture], most: int) -> Gallery:
    groups: dict[str, list[Picture]] = {}
    for picture in known:
        groups.setdefault(picture.group, []).append(picture)
    best, copies = [], []
    for group in _some(list(groups), most):
        # The largest file stands for all: of what is shrunk, less is left to find.
        first, *others = sorted(groups[group], key=lambda one: -one.path.stat().st_size)
        best.append(first)
        copies += others
    return Gallery(best, copies, _some(unrelated, most))


def _some(items: Sequence[Item], most: int) -> list[Item]:
    """At most so many, evenly from all."""
    count = min(most or len(items), len(items))
    return [items[number * len(items) // count] for number in range(count)]
