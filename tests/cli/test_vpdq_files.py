"""vPDQ files on the command line: made, contributed, checked and exported."""

import csv
import json
import random
import stat
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest
from PIL import Image

from hashsvc.cli import contribute
from hashsvc.media import vpdq
from hashsvc.model import Algorithm, EntryDraft, Fingerprint, MediaType
from hashsvc_client import Client
from tests.commands import hashsvc
from tests.harness import PROPAGANDA, pdq_draft, running_node
from tests.media.making import movie
from tests.processes import MATCHED, objects


def vpdq_text(seed: int, count: int = 9) -> str:
    """A vPDQ file of made-up hashes, a frame a second."""
    values = random.Random(seed)
    return "".join(f"{i},100,{values.randbytes(32).hex()},{i}.000\n" for i in range(count))


CONTRIBUTE = ("contribute", "--label", "propaganda", "--basis", "platform_moderation", "--list")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running node."""
    with running_node(tmp_path_factory.mktemp("node") / "data") as address:
        yield address


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of eight seconds, each of another picture."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    movie(path, "mpeg4", seconds=8)
    return path


def test_a_video_goes_through_vpdq_files(server: str, clip: Path, tmp_path: Path) -> None:
    """Hashed to a file, contributed from it, found by the video and by the file, exported alike."""
    done = hashsvc("hash", "--vpdq", clip)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split(",") for line in done.stdout.splitlines()]
    assert [(line[0], line[3]) for line in lines] == [(str(i), f"{i}.000") for i in range(8)]
    (hashed,) = objects(hashsvc("hash", "--json", clip))
    frames = [f for f in hashed["fingerprints"] if f["algorithm"] == "pdq"]
    assert [line[2] for line in lines] == [frame["value"] for frame in frames]
    file = tmp_path / "clip.txt"
    file.write_text(done.stdout)

    done = hashsvc(*CONTRIBUTE, "acme/made", "--json", "--vpdq", file, server=server)
    (added,) = objects(done)
    assert (added["entry"], added["file"], added["matchable"]) == ("acme/made#1", str(file), True)
    with Client(server) as client:
        entry = client.get_entry("acme/made#1")
    assert entry.media_type is MediaType.VIDEO
    assert entry.fingerprints == vpdq.parse(file.read_bytes())

    for arguments in ((clip,), ("--vpdq", file)):
        done = hashsvc("check", "--json", *arguments, server=server)
        assert done.returncode == MATCHED
        assert [match["entry"] for match in objects(done)[0]["matches"]] == ["acme/made#1"]

    to = tmp_path / "out.txt"
    command = ("export", "--entry", "acme/made#1", "--vpdq")
    done = hashsvc(*command, "--to", to, server=server)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert to.read_bytes() == file.read_bytes()
    assert stat.S_IMODE(to.stat().st_mode) == 0o600
    assert hashsvc(*command, "--to", to, server=server).returncode == 1


def test_the_json_form_goes_in_and_out(server: str, clip: Path, tmp_path: Path) -> None:
    """A folder of files is as many entries; which form each is in is seen in it."""
    written = hashsvc("hash", "--vpdq-json", clip).stdout
    assert json.loads(written)[1].endswith(",100,1.000")
    (tmp_path / "a").write_text(written)
    (tmp_path / "b").write_text(vpdq_text(1))
    done = hashsvc(*CONTRIBUTE, "acme/forms", "--vpdq", tmp_path, server=server)
    assert (done.returncode, done.stderr) == (0, "acme/forms: 2 added\n")
    command = ("export", "--vpdq-json", "--entry", "acme/forms#1")
    assert hashsvc(*command, server=server).stdout == written


@pytest.fixture(scope="module")
def published(shared_media: Path) -> Path:
    """The folder of the published videos and their hashes."""
    return shared_media / "vectors" / "vpdq"


@pytest.mark.parametrize("known", ["every frame", "one a second"])
def test_lists_of_others_match(server: str, published: Path, tmp_path: Path, known: str) -> None:
    """However densely the known and the checked side were hashed, and by whom; others do not."""
    every = published / "sample-hashes" / "chair-20-sd-bar.txt"
    sparse = tmp_path / "one-a-second.json"
    with (published / "chair-20_one_per_second_expected.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    sparse.write_text(
        json.dumps([f"{r['pdq']},{r['quality']},{float(r['second']):.3}" for r in rows])
    )
    name = f"acme/{known.replace(' ', '-')}"
    listed = every if known == "every frame" else sparse
    hashsvc(*CONTRIBUTE, name, "--vpdq", listed, server=server)
    other = published / "sample-hashes" / "pattern-sd-grey-bar.txt"
    video = published / "videos" / "chair-20-sd-bar.mp4"
    files = ("--vpdq", every, "--vpdq", sparse, "--vpdq", other)
    answers = objects(hashsvc("check", "--json", video, *files, server=server))
    assert [answer["file"] for answer in answers] == list(map(str, (video, every, sparse, other)))
    for answer in answers[:3]:
        (match,) = (match for match in answer["matches"] if match["list"] == name)
        assert match["known_percent"] > 90
    assert answers[3]["outcome"] == "NO_MATCH"


def test_a_bad_file_is_named_and_the_rest_goes_on(server: str, tmp_path: Path) -> None:
    """In a check it is without a clear answer, in a contribution it fails."""
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text(vpdq_text(2))
    bad.write_text(good.read_text() * 2)
    told = f"{bad}: is no vPDQ file: line 10: is not after the frame before it; a file is of one"
    done = hashsvc("check", "--vpdq", tmp_path, "--vpdq", tmp_path / "none", server=server)
    assert done.returncode == 1
    assert told in done.stderr
    assert "No such file" in done.stderr
    assert "NO_MATCH" in done.stdout
    done = hashsvc(*CONTRIBUTE, "acme/bad", "--vpdq", tmp_path, server=server)
    assert done.returncode == 1
    assert told in done.stderr
    assert "acme/bad: 1 added, 1 failed" in done.stderr


async def test_files_too_large_for_one_message_go_in_several() -> None:
    """Twenty videos of an hour, every frame hashed, are more than a message may hold."""

    async def drafts() -> AsyncGenerator[EntryDraft, None]:
        for frames in (1, 40_000, 40_000, 1, 1, 100_000, 1, 1, 1):
            values = pdq_draft(1, time_ms=0).fingerprints * frames
            yield EntryDraft(MediaType.VIDEO, values, PROPAGANDA)

    batches = [batch async for batch in contribute._batches(drafts(), 2)]
    sizes = [[len(draft.fingerprints) for draft in batch] for batch in batches]
    assert sizes == [[1, 40_000], [40_000, 1], [1], [100_000], [1, 1], [1]]


def test_only_videos_that_match_are_exported_as_vpdq(server: str, tmp_path: Path) -> None:
    """What else there may be is said, and no file is made."""
    untimed = Fingerprint(Algorithm.PDQ, bytes(range(32)), 100)
    drafts = [
        pdq_draft(1),
        EntryDraft(MediaType.VIDEO, (untimed,), PROPAGANDA),
        EntryDraft(MediaType.VIDEO, pdq_draft(2, time_ms=0).fingerprints, PROPAGANDA),
    ]
    with Client(server) as client:
        client.create_list("acme/others")
        client.add_entries("acme/others", drafts)
        client.withdraw_entry("acme/others#3", "wrong")
    to = tmp_path / "out"
    for sequence, told in (
        (1, "is of a picture; vPDQ is of videos"),
        (2, "there is PDQ without a time"),
        (3, "does not match now: it is withdrawn"),
        (4, "there is no entry"),
    ):
        name = f"acme/others#{sequence}"
        done = hashsvc("export", "--vpdq", "--entry", name, "--to", to, server=server)
        assert done.returncode == 1
        assert told in done.stderr
    assert not to.exists()


def test_what_does_not_go_together_is_a_usage_error(clip: Path, tmp_path: Path) -> None:
    """One file a video, one form at a time, and nothing that could change hashes that are made."""
    for arguments, told in (
        (("hash", "--vpdq", clip, clip), "name one file"),
        (("hash", "--vpdq", "--json", clip), "say one of"),
        (("check", "--vpdq", clip, "--dihedral"), "hashed already"),
        (("contribute", "--list", "acme/x", "--vpdq", clip), "--basis"),
        (("export", "--list", "acme/x", "--vpdq"), "--entry"),
        (("export", "--entry", "acme/x#1", "--csv"), "--list"),
    ):
        done = hashsvc(*arguments, env={"COLUMNS": "200"})
        assert done.returncode == 2, arguments
        assert told in done.stderr
    picture = tmp_path / "picture.png"
    Image.new("RGB", (64, 64)).save(picture)
    done = hashsvc("hash", "--vpdq", picture)
    assert (done.returncode, done.stdout) == (1, "")
    assert "is a picture; vPDQ is of videos" in done.stderr
