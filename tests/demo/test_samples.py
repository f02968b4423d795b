"""The shipped media are all accounted for, and can be used."""

import csv

import pytest

from hashsvc.demo import samples
from hashsvc.media import fingerprint_file

MAX_BYTES = 3_500_000

FILES = {
    str(path.relative_to(samples.MEDIA)): path
    for folder in (samples.KNOWN, samples.UNRELATED)
    for path in samples.files(folder)
}


def licences() -> list[dict[str, str]]:
    """The rows of LICENCES.tsv."""
    with samples.LICENCES.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_every_file_is_listed_once_and_nothing_else() -> None:
    """What is shipped and what is listed are the same."""
    listed = sorted(row["file"] for row in licences())
    on_disk = sorted(
        str(path.relative_to(samples.MEDIA))
        for path in samples.MEDIA.rglob("*")
        if path.is_file() and path != samples.LICENCES
    )
    assert listed == on_disk == sorted(FILES)


@pytest.mark.parametrize("row", licences(), ids=lambda row: row["file"])
def test_every_file_has_an_open_licence_and_an_author(row: dict[str, str]) -> None:
    """No column is empty; the licence lets anybody ship the file and change it."""
    assert all(value.strip() for value in row.values())
    assert row["licence"].startswith(("CC0-1.0", "CC-BY-", "Public domain"))
    assert not row["licence"].startswith(("CC-BY-NC", "CC-BY-ND", "CC-BY-SA"))
    assert row["licence_url"].startswith("https://")


@pytest.mark.parametrize("name", sorted(FILES))
def test_every_file_opens(name: str) -> None:
    """Each can be decoded whole."""
    found = fingerprint_file(FILES[name])
    assert found.limitation is None
    assert found.fingerprints


def test_the_media_are_small() -> None:
    """They are in the wheel, so they count."""
    assert sum(path.stat().st_size for path in FILES.values()) < MAX_BYTES
