"""The benchmark of edited pictures on a few small photographs: what it finds is asserted."""

import argparse
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from benchmarks import gallery, report, robustness
from benchmarks.picture_changes import encoded
from benchmarks.picture_engines import OURS, names
from tests.benchmarks.running import rows_of
from tests.benchmarks.test_picture_edits import photo

KNOWN = ("coffee", "fig", "wine")
ENGINES = "hashsvc,hashsvc one look,threatexchange PDQ,pdqhash dihedral,imagehash pHash"


@pytest.fixture
def folders(tmp_path: Path) -> tuple[str, ...]:
    """Three known pictures, one in two files, and two others, one of which is a known one.

    At 320 pixels PDQ samples a picture and its mirror image at the same places.
    """
    known, unrelated = tmp_path / "known", tmp_path / "unrelated"
    known.mkdir()
    unrelated.mkdir()
    for name in KNOWN:
        (known / f"{name}.jpg").write_bytes(encoded(photo(f"known/{name}.jpg", 320)))
    (known / "coffee2.jpg").write_bytes(encoded(photo("known/coffee.jpg", 128)))
    lines = ["file\tgroup", "coffee.jpg\tcoffee", "coffee2.jpg\tcoffee"]
    (known / "MANIFEST.tsv").write_text("\n".join(lines) + "\n")
    (unrelated / "planted.jpg").write_bytes(encoded(photo("known/fig.jpg", 200)))
    (unrelated / "cat.jpg").write_bytes(encoded(photo("unrelated/cat.jpg", 256)))
    return "--known", str(known), "--unrelated", str(unrelated), "--jobs", "1"


def of(rows: list[dict[str, Any]], table: str, edit: str) -> dict[str, dict[str, Any]]:
    """The rows of one edit by engine."""
    return {row["engine"]: row for row in rows if (row["table"], row.get("edit")) == (table, edit)}


def test_what_is_found_and_what_is_found_in_error(tmp_path: Path, folders: tuple[str, ...]) -> None:
    """Plain copies and other files of a group are found, and a planted picture counts as false."""
    edits = "plain copy,other copy of it,mirror"
    rows = rows_of(tmp_path, "robustness", *folders, "--edits", edits, "--engines", ENGINES)
    copies = of(rows, robustness.KNOWN, "plain copy")
    assert {"hashsvc", "hashsvc one look", "imagehash pHash"} <= copies.keys()
    for engine, row in copies.items():
        assert (row["recall"], row["uploads"], row["comparisons"]) == (1, 3, 6)
        assert row["false_matches"] == 0
        assert row["exact"] is engine.startswith("hashsvc")
        # `cat` is no false match of any, and of the other file one of three known ones is.
        false = of(rows, robustness.UNRELATED, "plain copy")[engine]
        assert (false["false_matches"], false["comparisons"], false["recall"]) == (1, 6, None)
        assert false["false_per_million"] == pytest.approx(1e6 / 6)
        other = of(rows, robustness.KNOWN, "other copy of it")[engine]
        assert (other["recall"], other["false_matches"], other["uploads"]) == (1, 0, 1)
    mirrored = of(rows, robustness.KNOWN, "mirror")
    assert mirrored["hashsvc"]["recall"] == 1
    assert mirrored["hashsvc one look"]["recall"] == 0
    assert mirrored["imagehash pHash"]["recall"] == 0
    together = of(rows, robustness.TOGETHER, "all edits of known pictures")
    assert together["hashsvc"]["recall"] == 1
    assert together["imagehash pHash"]["recall"] == pytest.approx(4 / 7)
    (line,) = (r for r in rows if (r["table"], r["edit"]) == (robustness.RECALL, "mirror"))
    assert line["hashsvc"] == 1


def test_its_small_load(tmp_path: Path, folders: tuple[str, ...]) -> None:
    """It runs with these arguments, and its rows make a picture that is the same each time."""
    arguments = (*robustness.SMALL, *folders, "--engines", "hashsvc")
    rows = rows_of(tmp_path, "robustness", *arguments)
    assert of(rows, robustness.KNOWN, "plain copy")["hashsvc"]["recall"] == 1
    assert len([row for row in rows if row.get("edit") == "picture in picture"]) == 3 * 3
    pytest.importorskip("matplotlib")
    (path,) = robustness.plot(rows, tmp_path)
    first = path.read_bytes()
    robustness.plot(rows, tmp_path)
    assert path.read_bytes() == first


def plan(*arguments: str) -> robustness.Plan:
    """What a command line asks for."""
    parser = argparse.ArgumentParser()
    robustness.add_arguments(parser)
    report.add_common_arguments(parser)
    return robustness.Plan.of(parser.parse_args(arguments))


def test_what_is_asked_for_has_to_exist(tmp_path: Path, folders: tuple[str, ...]) -> None:
    """An edit or engine that there is none of, and folders without pictures, are refused."""
    with pytest.raises(SystemExit, match=r"--edits: shaken is none of .*mirror"):
        plan(*folders, "--edits", "shaken")
    with pytest.raises(SystemExit, match=r"--engines: faster is none of hashsvc, "):
        plan(*folders, "--engines", "faster")
    with pytest.raises(SystemExit, match=r"--known and --unrelated: give both, or neither"):
        plan("--known", str(tmp_path))
    with pytest.raises(SystemExit, match=r"no pictures in .*benchmark"):
        plan("--known", str(Path(__file__).parent), "--unrelated", str(tmp_path))
    (tmp_path / "known" / "fig.jpg").write_bytes(b"\xff\xd8\xff\xe0 is all there is")
    with pytest.raises(SystemExit, match=r"fig.jpg cannot be read"):
        plan(*folders)


def test_the_sets_that_are_taken(
    tmp_path: Path, folders: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The largest file stands for its group; shared stand-ins go by role, else the demo's are."""
    found = gallery.load(tmp_path / "known", tmp_path / "unrelated")
    assert [picture.name for picture in found.known] == [f"{name}.jpg" for name in KNOWN]
    assert [picture.name for picture in found.copies] == ["coffee2.jpg"]
    few = gallery.load(tmp_path / "known", tmp_path / "unrelated", 1)
    assert (len(few.known), len(few.copies), len(few.unrelated)) == (1, 1, 1)
    monkeypatch.setattr(gallery, "SHARED", tmp_path / "nowhere")
    demo = gallery.load(None, None)
    assert (len(demo.known), len(demo.unrelated)) == (7, 8)
    images = tmp_path / "shared" / "images"
    images.mkdir(parents=True)
    lines = ["file\trole\tgroup"]
    for number, role in enumerate(("known", "benign", "known")):
        Image.new("RGB", (20, 20)).save(images / f"{number}.png")
        lines.append(f"images/{number}.png\t{role}\t{number}")
    (images.parent / "MANIFEST.tsv").write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(gallery, "SHARED", images.parent)
    shared = gallery.load(None, None)
    assert [picture.name for picture in shared.known] == ["0.png", "2.png"]
    assert [picture.name for picture in shared.unrelated] == ["1.png"]


def test_engines_are_told_apart() -> None:
    """No two have one name, and no name has a comma, which stands between names."""
    assert len(set(names())) == len(names()) > len(OURS)
    assert not [name for name in names() if "," in name]
