"""The benchmark of hashing at a tiny size: what it says of distances is asserted, never times."""

import json
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.__main__ import main
from benchmarks.hashing import distances


def rows_of(tmp_path: Path, *arguments: str) -> list[dict[str, Any]]:
    """Run it and return the rows of its JSON file."""
    path = tmp_path / "results.json"
    assert main(["hashing", "--seed", "7", "--json", str(path), *arguments]) == 0
    rows: list[dict[str, Any]] = json.loads(path.read_text())["rows"]
    return rows


def test_every_step_is_measured_and_near(tmp_path: Path) -> None:
    """All engines of all steps; exact hashes are the peer's where it is, fast ones near them."""
    (tmp_path / "photos").mkdir()
    with Image.open(Path("hashsvc/demo/media/known/wine.jpg").absolute()) as picture:
        picture.save(tmp_path / "photos" / "wine.jpg")
    rows = rows_of(
        tmp_path,
        *("--images", str(tmp_path / "photos"), "--media", str(tmp_path / "nothing")),
        *("--count", "1", "--repeat", "1", "--sizes", "512x512", "--large", "0"),
    )
    assert {row["step"] for row in rows} >= {
        "PDQ of pixels",
        "eight forms of pixels",
        "bytes to PDQ",
        "bytes to PDQ, pHash",
        "bytes to all hashes",
        "fast decoding to at least 256 cells a side",
        "folder",
    }
    assert sum("hashsvc" in row["engine"] for row in rows if row["ms"]) == 9
    assert not any(row["wrong"] for row in rows)
    assert all(row["images_per_s"] > 0 for row in rows if row["ms"])


def test_distances_past_what_is_promised_are_counted() -> None:
    """A row with any makes the run fail."""
    far = distances([bytes(32), b"\xff" * 32], [bytes(32)] * 2, allowed=6)
    assert far == {
        "distance_to_reference_median": 128,
        "distance_to_reference_max": 256,
        "wrong": 1,
    }
    assert distances([bytes(32)], [], allowed=0) == {}
