"""Saved indexes: they open as they were, and what is damaged is never trusted."""

import contextlib
import json
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hashsvc_index import CorruptIndexError, DigestIndex, HammingIndex, compiled, segment
from tests.index.support import Row, random_codes, rows

CODES = random_codes(np.random.default_rng(0), 700, 256)
CODES[300:320] = CODES[299]


@pytest.fixture(scope="module", name="made")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two segments, removed keys, keys that share codes, and a tail."""
    folder = tmp_path_factory.mktemp("made") / "index"
    index = HammingIndex(256, seal_rows=60, background=False)
    for first, last in [(0, 500), (500, 600), (600, 650)]:
        index.add(np.arange(first, last), CODES[first:last])
        index.settle()
    assert index.remove(np.array([3, 299, 301, 555, 649])) == 5
    assert len(index._snapshot.segments) == 2
    index.save(folder, revision=77)
    return folder


@pytest.fixture(name="folder")
def _folder(made: Path, tmp_path: Path) -> Path:
    """A copy of it to damage."""
    return Path(shutil.copytree(made, tmp_path / "index"))


def everything(index: HammingIndex) -> list[Row]:
    """All hits for all codes."""
    return rows(index.search(CODES, 31))


def opened(folder: Path, *, verify: bool = True) -> HammingIndex:
    """Open, and leave the merging alone."""
    return HammingIndex.open(folder, bits=256, verify=verify, seal_rows=60, background=False)


@pytest.mark.parametrize("verify", [True, False])
def test_opens_as_it_was(made: Path, *, verify: bool) -> None:
    """The same keys under the same revision; changes go on from there, in other files."""
    index = opened(made, verify=verify)
    gone = {3, 299, 301, 555, 649}
    found = {(key, distance) for query, key, distance in everything(index) if query == key}
    assert found == {(key, 0) for key in range(650) if key not in gone}
    assert (index.revision, len(index), index.bits) == (77, 645, 256)
    index.add(np.array([3]), CODES[[3]])
    assert index.remove(np.array([4])) == 1
    index.add(np.arange(650, 700), CODES[650:])
    index.settle()
    assert len(index) == 695
    again = opened(made)
    assert everything(again) == everything(opened(made))
    assert len(again) == 645


def test_only_what_changed_is_written_and_nothing_is_left_over(folder: Path) -> None:
    """A second save keeps the files of segments that are still there."""
    index = opened(folder)
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    index.remove(np.array([10]))
    index.save(folder, 78)
    after = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    kept = {name for name in before if name.startswith("segment-")}
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert len(after) == len(before)
    assert opened(folder).revision == 78
    index.remove(np.arange(700))
    index.settle()
    index.save(folder, 79)
    assert len(list(folder.iterdir())) == 2
    assert len(opened(folder)) == 0


def test_a_moment_is_saved_as_it_was(tmp_path: Path) -> None:
    """Whatever was added, removed and merged since."""
    index = HammingIndex(256, seal_rows=60, background=False)
    index.add(np.arange(300), CODES[:300])
    index.settle()
    index.add(np.arange(300, 400), CODES[300:400])
    index.add(np.arange(400, 410), CODES[400:410])
    index.remove(np.array([5, 350, 405]))
    expected = everything(index)
    moment = index.snapshot
    index.remove(np.arange(0, 400, 7))
    index.add(np.arange(410, 700), CODES[410:])
    index.settle()
    assert everything(index) != expected
    index.save(tmp_path, 5, about="something", snapshot=moment)
    again = opened(tmp_path)
    assert everything(again) == expected
    assert (again.revision, again.about) == (5, "something")
    index.save(tmp_path, 6)
    assert everything(opened(tmp_path)) == everything(index)


def test_several_processes_open_one_folder(made: Path) -> None:
    """Another process finds the same, while it is open here."""
    index = opened(made)
    program = (
        "import sys, pathlib, numpy as np; from hashsvc_index import HammingIndex\n"
        "index = HammingIndex.open(pathlib.Path(sys.argv[1]), bits=256)\n"
        "codes = np.frombuffer(sys.stdin.buffer.read(), np.uint8).reshape(-1, 32)\n"
        "print(index.search(codes, 31).key.tolist())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program, str(made)],
        input=CODES.tobytes(),
        capture_output=True,
        check=True,
    )
    assert json.loads(answer.stdout) == index.search(CODES, 31).key.tolist()


def places(size: int) -> list[int]:
    """Bytes to damage: the header, page borders and some between."""
    rng = np.random.default_rng(size)
    wanted = [
        0,
        7,
        8,
        12,
        16,
        40,
        300,
        4096,
        4097,
        size // 2,
        size - 1,
        *rng.integers(size, size=4),
    ]
    return sorted({int(at) for at in wanted if at < size})


def test_every_flipped_byte_is_noticed_or_means_nothing(folder: Path) -> None:
    """A flip in any region of any file: an error, or (between arrays) the right answer."""
    right = everything(opened(folder))
    noticed = 0
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        for at in places(len(content)):
            path.write_bytes(content[:at] + bytes([content[at] ^ 0x5A]) + content[at + 1 :])
            try:
                assert everything(opened(folder)) == right
            except CorruptIndexError:
                noticed += 1
            # Without checksums: an error or an answer, but no crash.
            with contextlib.suppress(CorruptIndexError):
                everything(opened(folder, verify=False))
        path.write_bytes(content)
    assert noticed > 30
    assert everything(opened(folder)) == right


def test_each_array_is_covered_by_a_checksum(folder: Path) -> None:
    """One flipped bit in the middle of each array of each file."""
    for path in sorted(folder.glob("*-*")):
        content = path.read_bytes()
        length = int.from_bytes(content[8:12], "little")
        start = -(-(16 + length) // 4096) * 4096
        for entry in json.loads(content[16 : 16 + length])["arrays"]:
            size = int(np.prod(entry["shape"])) * np.dtype(entry["type"]).itemsize
            if size:
                damaged = bytearray(content)
                damaged[start + entry["at"] + size // 2] ^= 1
                path.write_bytes(damaged)
                with pytest.raises(CorruptIndexError, match=f"{entry['name']} is damaged"):
                    opened(folder)
        path.write_bytes(content)


def test_truncated_longer_empty_and_missing_files(folder: Path) -> None:
    """Every file, cut at many lengths, prolonged, and gone; also when nothing is verified."""
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        for length in (0, 1, 15, 16, 100, 4095, 4096, len(content) // 2, len(content) - 1):
            if length < len(content):
                path.write_bytes(content[:length])
                with pytest.raises(CorruptIndexError):
                    opened(folder, verify=False)
        path.write_bytes(content + b"more")
        with pytest.raises(CorruptIndexError):
            opened(folder, verify=False)
        path.unlink()
        with pytest.raises(CorruptIndexError):
            opened(folder, verify=False)
        path.write_bytes(content)
    opened(folder)


def rewritten(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    """Change the manifest and make its checksum right again."""

    def act(folder: Path) -> None:
        path = folder / "manifest"
        manifest = json.loads(path.read_text().splitlines()[0])
        change(manifest)
        text = json.dumps(manifest)
        path.write_text(f"{text}\n{zlib.crc32(text.encode()):08x}\n")

    return act


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: shutil.rmtree(folder),
        lambda folder: (folder / "manifest").write_bytes(b"\x80\x04K\x01."),
        lambda folder: (folder / "manifest").write_text("{}\n00000000\n"),
        rewritten(lambda manifest: manifest.update(format=2)),
        rewritten(lambda manifest: manifest.update(bits=64)),
        rewritten(lambda manifest: manifest.update(keys=1)),
        rewritten(lambda manifest: manifest.update(segments=None)),
        rewritten(lambda manifest: manifest.update(segments=manifest["segments"][::-1])),
        rewritten(lambda manifest: manifest.update(segments=manifest["segments"][:1])),
        rewritten(lambda manifest: manifest.update(segments=[manifest["rest"]])),
        rewritten(lambda manifest: manifest.update(rest=manifest["segments"][0])),
        rewritten(lambda manifest: manifest.update(rest="..")),
        rewritten(lambda manifest: manifest.clear()),
    ],
)
def test_foreign_folders(folder: Path, damage: Callable[[Path], object]) -> None:
    """What is well-formed but not this index is refused."""
    damage(folder)
    with pytest.raises(CorruptIndexError):
        opened(folder)


def test_of_other_bits_or_kind(folder: Path, tmp_path: Path) -> None:
    """A folder of another index is refused; digests come back."""
    with pytest.raises(CorruptIndexError):
        HammingIndex.open(folder, bits=64)
    digests = DigestIndex(160, seal_rows=10)
    digests.add(np.arange(100), CODES[:100, :20])
    digests.settle()
    digests.save(tmp_path / "digests", 5)
    again = DigestIndex.open(tmp_path / "digests", bits=160)
    assert rows(again.search(CODES[:100, :20])) == [(key, key, 0) for key in range(100)]
    assert (again.revision, len(again)) == (5, 100)


def test_a_folder_opens_without_numba(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments with tables are read without the tables; nothing is lost in saving again."""
    right = everything(opened(folder))
    with monkeypatch.context() as patch:
        patch.setenv(compiled.WITHOUT, "1")
        compiled.kernels.cache_clear()
        segment.allowances.cache_clear()
        index = opened(folder)
        assert everything(index) == right
        index.save(folder, 80)
    compiled.kernels.cache_clear()
    segment.allowances.cache_clear()
    assert everything(opened(folder)) == right
