"""The sample media this package ships; `media/LICENCES.tsv` says whose they are."""

from pathlib import Path

MEDIA = Path(__file__).parent / "media"

LICENCES = MEDIA / "LICENCES.tsv"
"""One line a file: licence, author, where it came from, and how it was changed since."""

KNOWN = MEDIA / "known"
"""The files that play the listed media."""

UNRELATED = MEDIA / "unrelated"
"""The files that play everybody else's uploads."""


def files(folder: Path) -> list[Path]:
    """Return the files of one of the folders, by name."""
    return sorted(path for path in folder.iterdir() if path.is_file())
