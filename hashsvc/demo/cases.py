"""Which uploads the demo checks, and what the right verdict on each is."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from hashsvc import testpattern
from hashsvc.demo import clips, pictures, samples
from hashsvc.model import Outcome

CLIP = samples.KNOWN / "bunny.mp4"
"""The known clip."""

_TOO_PLAIN = samples.UNRELATED / "gradient.jpg"
_CUT_S = 1.3

_ALTERED = (
    ("stream", pictures.JPEG_30),
    ("wine", pictures.JPEG_30),
    ("brushes", pictures.HALF),
    ("wine", pictures.QUARTER),
    ("meadow", pictures.QUARTER),
    ("dandelions", pictures.BRIGHTER),
    ("meadow", pictures.CONTRAST),
    ("brushes", pictures.GREY),
    ("coffee", pictures.CAPTION),
    ("wine", pictures.CAPTION),
    ("fig", pictures.BLUR),
    ("dandelions", pictures.WEBP),
    ("stream", pictures.COMBINED),
    ("fig", pictures.MIRROR),
    ("brushes", pictures.BAR),
)
_PARTS = (
    ("coffee", pictures.CROP),
    ("wine", pictures.CORNER),
    ("fig", pictures.TURNED),
    ("stream", pictures.COLLAGE),
    ("brushes", pictures.INSET),
    ("coffee", pictures.MIRRORED_INSET),
)
_NOT_YET = (("coffee", pictures.MIRRORED_CROP),)


@dataclass(frozen=True, slots=True)
class Case:
    """One upload.

    `original` names the known file it shows, for a right MATCH, from `starts_s` seconds on if that
    is a clip. `send_media` lets the server hash it."""

    path: Path
    name: str
    alteration: str
    expected: Outcome
    original: str = ""
    send_media: bool = False
    starts_s: float = 0.0

    @property
    def is_clip(self) -> bool:
        """Whether it is a clip and no picture."""
        return self.path.suffix == clips.SUFFIX


@dataclass(frozen=True, slots=True)
class Section:
    """Uploads of one kind; those of a section that is not counted may get any verdict."""

    title: str
    cases: tuple[Case, ...]
    counted: bool = True


def make(folder: Path) -> list[Section]:
    """Write the uploads into a folder and return them."""
    return [
        Section("Test pattern: matches on every node", (_test_pattern(),)),
        Section("Exact copies of known media", _exact(folder)),
        Section("Altered copies of known media", _altered(folder)),
        Section("Parts of known media, and known media as a part", _pictures(_PARTS, folder)),
        Section("Unrelated media: must not match", _unrelated(folder)),
        Section("Too plain to judge: must say so, not pass as clean", _plain(folder)),
        Section(
            "What this version does not recognise yet (not counted)",
            _pictures(_NOT_YET, folder),
            counted=False,
        ),
    ]


def _test_pattern() -> Case:
    path = testpattern.PATH
    return Case(path, path.stem.replace("_", " "), "none", Outcome.MATCH, original=path.name)


def _exact(folder: Path) -> tuple[Case, ...]:
    made = []
    for name, send_media in (
        ("coffee.jpg", False),
        ("fig.jpg", False),
        ("stream.jpg", True),
        (CLIP.name, False),
    ):
        path = Path(shutil.copyfile(samples.KNOWN / name, folder / f"copy of {name}"))
        remark = "none, server hashes" if send_media else "none"
        made.append(Case(path, name, remark, Outcome.MATCH, original=name, send_media=send_media))
    return tuple(made)


def _altered(folder: Path) -> tuple[Case, ...]:
    whole = folder / "bunny, half size.mp4"
    cut, quoted = folder / "bunny, start cut.mp4", folder / "bunny, quoted.mp4"
    before, after = (samples.UNRELATED / name for name in ("mountains.jpg", "dogs.jpg"))
    clips.write_half_size(CLIP, whole)
    clips.write_half_size(CLIP, cut, first_s=_CUT_S)
    clips.write_quoted(CLIP, quoted, before=before, after=after)
    return (
        *_pictures(_ALTERED, folder),
        _altered_clip(whole, "half size"),
        _altered_clip(cut, f"half, first {_CUT_S} s cut", send_media=True),
        replace(_altered_clip(quoted, "mirrored, amid others"), starts_s=clips.PAN_S),
    )


def _altered_clip(path: Path, alteration: str, *, send_media: bool = False) -> Case:
    return Case(
        path, CLIP.name, alteration, Outcome.MATCH, original=CLIP.name, send_media=send_media
    )


def _altered_picture(stem: str, alteration: pictures.Alteration, folder: Path) -> Case:
    original = samples.KNOWN / f"{stem}.jpg"
    path = alteration.write(original, folder)
    return Case(path, original.name, alteration.name, Outcome.MATCH, original=original.name)


def _unrelated(folder: Path) -> tuple[Case, ...]:
    photos = [path for path in samples.files(samples.UNRELATED) if path != _TOO_PLAIN]
    clip = folder / "panned.mp4"
    clips.write_pan([samples.UNRELATED / name for name in ("mountains.jpg", "dogs.jpg")], clip)
    return (
        *(Case(path, path.name, "none", Outcome.NO_MATCH) for path in photos),
        Case(clip, clip.name, "made of two photos", Outcome.NO_MATCH),
    )


def _plain(folder: Path) -> tuple[Case, ...]:
    grey = folder / "grey.png"
    pictures.write_plain(grey)
    return tuple(Case(path, path.name, "none", Outcome.UNDETERMINED) for path in (grey, _TOO_PLAIN))


def _pictures(changes: Iterable[tuple[str, pictures.Alteration]], folder: Path) -> tuple[Case, ...]:
    return tuple(_altered_picture(stem, alteration, folder) for stem, alteration in changes)
