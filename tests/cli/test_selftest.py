"""`hashsvc selftest`: the shipped values are right, and what is wrong is said."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import imagehash
import numpy as np
import pytest
import typer
from PIL import Image, ImageOps

from hashsvc import testpattern
from hashsvc.cli import selftest
from hashsvc.errors import MediaUnreadable
from hashsvc.lists.ledger import Ledger
from hashsvc.media import Recipe, fingerprint_file
from hashsvc.media.image import channels
from hashsvc.media.recipe import PERCEPTUAL
from hashsvc.model import Algorithm, Fingerprint, ListKind, MediaFingerprints
from hashsvc.store.store import Store
from hashsvc.testpattern import vectors
from hashsvc.testpattern.vectors import Vector
from hashsvc_client import Client
from tests.commands import hashsvc
from tests.harness import running_node
from tests.media import make_vectors
from tests.processes import objects, serving

ALL = Recipe(algorithms=PERCEPTUAL, dihedral=True, shrunk512=True)
LOADED = vectors.load()
NAMES = [vector.name for vector in LOADED.vectors]
PICTURES = [v for v in LOADED.vectors if v.name.startswith(("png", "jpeg", "webp", "gif_still"))]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a node of its own process."""
    with serving(tmp_path_factory.mktemp("node") / "data") as running:
        yield running.address


def test_all_is_equal_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Status 0; that no node was asked is said in plain words."""
    monkeypatch.delenv("HASHSVC_SERVER", raising=False)
    done = hashsvc("selftest")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not compared with one" in done.stderr
    assert "hashed here, fast" in done.stdout
    assert "node" not in done.stdout


def test_all_is_equal_at_a_node(server: str) -> None:
    """Our hashes find the node's entries, and it hashes the files as we do, at 0 bits."""
    done = hashsvc("selftest", "--json", server=server)
    assert done.returncode == 0, done.stdout + done.stderr
    compared = objects(done)
    kinds = {one["compared"] for one in compared}
    assert kinds == {selftest.HERE, selftest.FAST, selftest.FOUND, selftest.THERE}
    for kind in kinds:
        assert {one["vector"] for one in compared if one["compared"] == kind} == set(NAMES)
    for one in compared:
        assert one["equal"]
        # No node matches by wHash: there is nothing that it could find.
        assert (one["compared"], one["algorithm"]) != (selftest.FOUND, "whash")
    moved = [one for one in compared if one["bits_apart"]]
    assert {one["vector"] for one in moved} <= {"jpeg_large", "mp4_clip"}
    # What a node is sent, it decodes fast.
    assert {one["compared"] for one in moved} <= {selftest.FAST, selftest.THERE}


def test_a_node_from_before_gets_the_vectors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At its next start, once, behind the test pattern, which keeps its name."""

    def as_before(ledger: Ledger, store: Store) -> None:
        kind, request_id = ListKind.KNOWN, "builtin:test-list:v1"
        ledger.create_list(testpattern.LIST, kind, "", request_id=request_id, builtin=True)
        ledger.add_entries(
            testpattern.LIST,
            [testpattern.ENTRY],
            request_id="builtin:test-pattern:v1",
            builtin=True,
        )

    with monkeypatch.context() as patched:
        patched.setattr("hashsvc.app._ensure_test_entries", as_before)
        with running_node(tmp_path / "data") as node, Client(node) as client:
            assert client.get_list(testpattern.LIST).size == 2
    for _ in range(2):
        with running_node(tmp_path / "data") as node, Client(node) as client:
            labels = [entry.description.labels for entry in client.entries(testpattern.LIST)]
            pattern = client.check_file(testpattern.PATH)
        assert labels[0] == ("test_pattern",)
        assert [label for _, label in labels[1:]] == [v.label for v in LOADED.vectors]
        assert [match.entry for match in pattern.matches] == [f"{testpattern.LIST}#1"]


def test_a_node_that_is_away_is_an_error(tmp_path: Path) -> None:
    """Not a difference, and not a success."""
    done = hashsvc("selftest", server=f"unix:{tmp_path / 'nobody'}")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")


def test_there_are_vectors_of_every_kind() -> None:
    """And they stay small."""
    files = {vector.path.name for vector in LOADED.vectors}
    shipped = {path.name for path in vectors.FOLDER.iterdir()}
    assert shipped == files | {"vectors.json", "README.md"}
    assert sum(path.stat().st_size for path in vectors.FOLDER.iterdir()) < 300_000
    suffixes = {Path(file).suffix for file in files}
    assert suffixes == {".png", ".jpg", ".gif", ".webp", ".mp4"}


@pytest.mark.parametrize("vector", PICTURES, ids=lambda vector: vector.name)
def test_the_values_are_those_of_other_libraries(vector: Vector) -> None:
    """The shipped values were not made by us alone: imagehash's, and pdqhash's where it is."""
    with Image.open(vector.path) as opened:
        rgb = channels(ImageOps.exif_transpose(opened))
    values = {
        e.fingerprint.algorithm: e.fingerprint.value.hex()
        for e in vector.expected
        if e.fingerprint.variant == "original"
    }
    assert values[Algorithm.PHASH] == str(imagehash.phash(rgb))
    assert values[Algorithm.DHASH] == str(imagehash.dhash(rgb))
    assert values[Algorithm.WHASH] == str(imagehash.whash(rgb))
    oracle = pytest.importorskip("pdqhash")
    bits, _ = oracle.compute(np.ascontiguousarray(rgb))
    assert values[Algorithm.PDQ] == np.packbits(bits).tobytes().hex()


def test_the_script_draws_what_is_shipped(tmp_path: Path) -> None:
    """The same pictures, and the same description of them but for what encoders write."""
    make_vectors.write(tmp_path)
    again = json.loads((tmp_path / "vectors.json").read_text())
    shipped = json.loads((vectors.FOLDER / "vectors.json").read_text())
    assert [v["file"] for v in again["vectors"]] == [v["file"] for v in shipped["vectors"]]
    for new, old in zip(again["vectors"], shipped["vectors"], strict=True):
        for one, other in zip(new["expected"], old["expected"], strict=True):
            assert one["variant"] == other["variant"]
            if one["algorithm"] == "pdq":
                assert apart(one["value"], other["value"]) <= other["tolerance_bits"], new["name"]


def apart(one: str, other: str) -> int:
    """Differing bits of two hexadecimal values."""
    return selftest.distance(bytes.fromhex(one), bytes.fromhex(other))


def test_vectors_are_far_from_each_other_and_from_their_mistakes() -> None:
    """A check finds one entry, and a mistake that matters is told from rounding."""
    values = {
        vector.name: [
            e.fingerprint.value for e in vector.expected if e.fingerprint.algorithm is Algorithm.PDQ
        ]
        for vector in LOADED.vectors
    }
    for name, some in values.items():
        others = [value for other in NAMES if other != name for value in values[other]]
        assert min(selftest.distance(a, b) for a in some for b in others) > 62
    causes = {cause for vector in LOADED.vectors for cause in vector.mistakes.values()}
    assert len(causes) >= 6


def compared(vector: Vector, found: MediaFingerprints | MediaUnreadable) -> list[str]:
    """The causes of what differs."""
    some = selftest.compare(vector, selftest.HERE, found, ALL)
    return [selftest.cause(one) for one in some if not one.is_equal]


def changed(found: MediaFingerprints, *values: Fingerprint) -> MediaFingerprints:
    """The result with the values of the same algorithm and variant put in place."""
    new = {(f.algorithm, f.variant): f for f in values}
    return replace(
        found,
        fingerprints=tuple(new.get((f.algorithm, f.variant), f) for f in found.fingerprints),
    )


@pytest.mark.parametrize("vector", LOADED.vectors, ids=lambda vector: vector.name)
def test_known_mistakes_are_named(vector: Vector) -> None:
    """Each value that is shipped as a mistake's, and bits in the wrong order."""
    found = fingerprint_file(vector.path, recipe=ALL)
    assert compared(vector, found) == []
    pdq = next(f for f in found.fingerprints if f.algorithm is Algorithm.PDQ)
    for value, mistake in vector.mistakes.items():
        if selftest.distance(value, pdq.value) > vector.expected[2].tolerance_bits:
            assert mistake in compared(vector, changed(found, replace(pdq, value=value)))
    backwards = replace(pdq, value=selftest.reversed_bits(pdq.value))
    assert set(compared(vector, changed(found, backwards))) >= {
        "the bits are in the opposite order"
    }


def test_other_differences_are_told_apart() -> None:
    """A changed file, a missing value, a file that cannot be read, another rounding or picture."""
    vector = LOADED.vectors[0]
    found = fingerprint_file(vector.path, recipe=ALL)
    sha256, _, pdq, *_ = found.fingerprints
    assert "changed" in compared(vector, changed(found, replace(sha256, value=bytes(32))))[0]
    few = int.from_bytes(pdq.value) ^ 0b111
    near = replace(pdq, value=few.to_bytes(32))
    assert "rounding" in compared(vector, changed(found, near))[0]
    far = replace(pdq, value=bytes(31) + b"\1")
    assert "another picture" in compared(vector, changed(found, far))[0]
    without = replace(found, fingerprints=found.fingerprints[:-1])
    assert compared(vector, without) == ["no such value was made"]
    lost = compared(vector, MediaUnreadable("no decoder"))
    assert len(lost) == len(vector.expected)
    assert "cannot be hashed: no decoder" in lost[0]


def test_a_difference_is_a_line_and_a_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says which vector, which value, what was expected and what came out."""
    folder = tmp_path / "vectors"
    shutil.copytree(vectors.FOLDER, folder)
    shutil.copy(folder / "png_palette.png", folder / "png_rgb.png")
    monkeypatch.setattr(vectors, "FOLDER", folder)
    vectors.load.cache_clear()
    try:
        with pytest.raises(typer.Exit) as ended:
            selftest.selftest(server="")
    finally:
        vectors.load.cache_clear()
    assert ended.value.exit_code == 1
    text = capsys.readouterr().out
    assert "png_rgb, sha256, hashed here: the shipped file was changed; expected " in text
    assert "png_rgb, pdq rotate90, hashed here: another picture was seen" in text
    assert "jpeg_" not in text
