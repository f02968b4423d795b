"""The command line as its users run it: status, tables, JSON; most of it as processes."""

import csv
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from hashsvc import testpattern
from hashsvc.demo import samples
from hashsvc.demo.pictures import BAR
from hashsvc.media import Recipe, fingerprint_file
from hashsvc.media.recipe import PERCEPTUAL
from hashsvc.model import Algorithm, Basis, Description, EntryDraft
from hashsvc_client import Client
from tests import commands, plain
from tests.media.making import film, movie, scene
from tests.processes import MATCHED, hashsvc, objects, serving

# Pictures of which the C++ tool's hash is far from that of the whole picture.
FINE_TEXTURE = ("images/gb82sc_codec_wiki.jpg", "images/gb82_grass_lossless.jpg")
CONTRIBUTE = ("contribute", "--label", "propaganda", "--basis", "platform_moderation", "--list")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a node of its own process."""
    with serving(tmp_path_factory.mktemp("node") / "data") as running:
        yield running.address


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder, with one below it, of two pictures, one of them twice, and a text file."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "below").mkdir()
    with Image.open(testpattern.PATH) as image:
        picture = image.convert("RGB")
    picture.crop((0, 0, 300, 300)).save(folder / "a.png")
    picture.crop((150, 80, 500, 400)).save(folder / "below" / "b.jpg")
    (folder / "c.misleading.txt").write_bytes((folder / "a.png").read_bytes())
    (folder / "notes.jpg").write_text("this is no picture")
    (folder / "nothing.jpg").touch()
    return folder


def test_help_and_version() -> None:
    """Every verb says what it does; a wrong one is a usage error."""
    done = hashsvc("--help")
    assert done.returncode == 0
    for verb in ("serve", "demo", "hash", "check", "contribute", "withdraw", "lists", "selftest"):
        assert f" {verb} " in done.stdout
        assert commands.hashsvc(verb, "--help").returncode == 0
    assert hashsvc("--version").stdout.startswith("hashsvc 0.")
    assert commands.hashsvc("chek").returncode == 2
    assert hashsvc("check").returncode == 2
    assert "--basis" in commands.hashsvc("contribute", "--list", "acme/x", "a.png").stderr


def test_hash_prints_what_the_library_finds(pictures: Path) -> None:
    """By content, not by name; what is no media is an error and the rest goes on."""
    done = hashsvc("hash", "--json", pictures)
    found = {Path(o["file"]).name: o for o in objects(done)}
    assert done.returncode == 1
    names = ["a.png", "b.jpg", "c.misleading.txt", "notes.jpg", "nothing.jpg"]
    assert list(found) == names
    assert "empty" in found["nothing.jpg"]["error"]
    assert found["a.png"]["fingerprints"] == found["c.misleading.txt"]["fingerprints"]
    assert [f["algorithm"] for f in found["a.png"]["fingerprints"]] == [
        "sha256",
        "md5",
        "pdq",
        "phash",
    ]
    assert found["a.png"]["media_type"] == "image"
    assert "text" in found["notes.jpg"]["error"]
    pdq = found["a.png"]["fingerprints"][2]
    table = hashsvc("hash", pictures / "a.png")
    assert (table.returncode, pdq["quality"]) == (0, 100)
    assert pdq["value"] in table.stdout


def test_hash_makes_what_is_asked_for(pictures: Path, tmp_path: Path) -> None:
    """Algorithms, forms, the C++ tool's variant, fast decoding; each says so in both outputs."""
    with Image.open(pictures / "a.png") as small:
        small.resize((1200, 900)).save(tmp_path / "large.jpg")
    options = ("--algorithm", "pdq", "--algorithm", "dhash", "--dihedral", "--shrunk512", "--fast")
    (found,) = objects(commands.hashsvc("hash", "--json", *options, tmp_path / "large.jpg"))
    values = found["fingerprints"]
    assert (found["width"], found["height"]) == (1200, 900)
    assert [f["algorithm"] for f in values] == ["sha256", "md5", *["pdq"] * 16, "dhash"]
    assert len({f["variant"] for f in values}) == 16
    assert {f["decoding"] for f in values[2:]} == {"fast"}
    table = commands.hashsvc("hash", *options, tmp_path / "large.jpg").stdout.splitlines()
    assert sum(line.endswith("quality 100  flip_horizontal  fast") for line in table) == 1
    assert sum("shrunk512_transpose" in line for line in table) == 1
    with Image.open(pictures / "a.png") as small:
        set_into(small.convert("RGB")).save(tmp_path / "page.jpg")
    (page,) = objects(commands.hashsvc("hash", "--json", "--insets", tmp_path / "page.jpg"))
    assert {f["variant"] for f in page["fingerprints"]} == {"original", "inset"}
    plain = commands.hashsvc("hash", tmp_path / "large.jpg").stdout
    assert len(plain.splitlines()) == 5
    assert "fast" not in plain
    refused = commands.hashsvc("hash", "--algorithm", "md5", tmp_path / "large.jpg")
    assert refused.returncode == 2
    assert "digests come anyway" in refused.stderr


def test_plain_pictures_are_hashed_where_that_is_asked_for(tmp_path: Path) -> None:
    """Else their digests are given, and it is said why."""
    (tmp_path / "bars.jpg").write_bytes(plain.picture("bars", 1))
    shown = commands.hashsvc("hash", tmp_path / "bars.jpg").stdout
    assert "pdq" not in shown
    assert "low_information: not enough information: too plain" in shown
    (found,) = objects(commands.hashsvc("hash", "--plain", "--json", tmp_path / "bars.jpg"))
    assert [f["algorithm"] for f in found["fingerprints"]] == ["sha256", "md5", "pdq", "phash"]
    assert found["limitation"] is None


def test_hashing_a_folder_says_how_fast(pictures: Path, tmp_path: Path) -> None:
    """A last line on stderr, where there is more than a handful."""
    for number in range(8):
        shutil.copy(pictures / "a.png", tmp_path / f"{number}.png")
    done = hashsvc("hash", "--json", tmp_path)
    assert len(objects(done)) == 8
    last = done.stderr.splitlines()[-1]
    assert re.fullmatch(r"8 files in [\d.]+ s with \d+ decoders?: [\d,]+ files a second", last)
    assert hashsvc("hash", tmp_path / "0.png").stderr == ""


def set_into(picture: Image.Image) -> Image.Image:
    """A picture at half the width of another one."""
    with Image.open(samples.UNRELATED / "rocket.jpg") as other:
        page = ImageOps.fit(other.convert("RGB"), (1080, 810))
    page.paste(ImageOps.contain(picture, (540, 540)), (300, 200))
    return page


def test_changed_copies_are_found_and_say_how(server: str, tmp_path: Path) -> None:
    """Mirrored, turned, bordered, captioned, set into another, or both: the variant names it."""
    known = samples.KNOWN / "fig.jpg"
    commands.hashsvc(*CONTRIBUTE, "acme/changed", known, server=server)
    with Image.open(known) as picture:
        mirrored = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        copies = {
            "flip_horizontal": mirrored,
            # A copy turned clockwise is found by turning it back.
            "rotate90": picture.transpose(Image.Transpose.ROTATE_270),
            "trimmed": ImageOps.expand(picture, 50, "white"),
            "trimmed_flip_horizontal": ImageOps.expand(mirrored, (0, 120), "black"),
            "framed": BAR.change(picture.convert("RGB")),
            "framed_flip_horizontal": BAR.change(mirrored),
            "inset": set_into(picture.convert("RGB")),
            "inset_flip_horizontal": set_into(mirrored),
        }
    for name, copy in copies.items():
        copy.save(tmp_path / f"{name}.jpg")
    for how in ((), ("--send-media",)):
        done = commands.hashsvc("check", "--json", *how, tmp_path, server=server)
        assert done.returncode == MATCHED
        for answer in objects(done):
            (match,) = answer["matches"]
            assert match["variant"].removeprefix("shrunk512_") == Path(answer["file"]).stem
            assert match["distance"] <= 24


def test_turned_videos_are_found_where_asked_for(server: str, tmp_path: Path) -> None:
    """Eight looks at every frame cost too much to be taken always."""
    turned = [np.rot90(scene(n // 10), k=-1).copy() for n in range(50)]
    (tmp_path / "known.mp4").write_bytes(movie(tmp_path / "a.mp4", "mpeg4", seconds=5))
    (tmp_path / "turned.mp4").write_bytes(film(tmp_path / "b.mp4", "mpeg4", turned))
    copy = tmp_path / "turned.mp4"
    media = fingerprint_file(tmp_path / "known.mp4")
    description = Description(labels=("propaganda",), basis=Basis.RESEARCH)
    with Client(server) as client:
        client.create_list("acme/turned")
        draft = EntryDraft(media.media_type, media.fingerprints, description)
        client.add_entries("acme/turned", [draft])
        assert not client.check_file(copy).matches
    (answer,) = objects(commands.hashsvc("check", "--dihedral", "--json", copy, server=server))
    assert answer["matches"][0]["variant"] == "rotate90"
    refused = commands.hashsvc("check", "--dihedral", "--send-media", copy, server=server)
    assert refused.returncode == 2
    assert "the node decides" in refused.stderr


def test_lists_made_with_the_cpp_tool_are_found(
    server: str, shared_media: Path, tmp_path: Path
) -> None:
    """By the variant that shrinks as it does: without it they would be 18 bits or more away."""
    with (shared_media / "vectors/dev_set/image_hashes.tsv").open() as file:
        rows = {row["file"]: row for row in csv.DictReader(file, delimiter="\t")}
    found: dict[str, int] = {}
    for number, name in enumerate(FINE_TEXTURE):
        lines = ["algorithm,value,quality", f"pdq,{rows[name]['pdq_cpp_reference']},100"]
        (tmp_path / "hashes.csv").write_text("\n".join(lines))
        listed = (f"acme/cpp-{number}", "--csv", tmp_path / "hashes.csv")
        commands.hashsvc(*CONTRIBUTE, *listed, server=server)
        for exact in ((), ("--exact",)):
            done = commands.hashsvc("check", "--json", *exact, shared_media / name, server=server)
            (match,) = objects(done)[0]["matches"]
            assert match["variant"] == "shrunk512"
            found[f"{name} {exact}"] = match["distance"]
    assert all(bits == 0 for name, bits in found.items() if "--exact" in name)
    assert all(bits <= 20 for bits in found.values())


def test_every_variant_of_an_entry_gets_in(server: str, shared_media: Path) -> None:
    """Many values of one algorithm in one entry and one check are nothing special."""
    recipe = Recipe(algorithms=PERCEPTUAL, dihedral=True, shrunk512=True)
    path = shared_media / "images" / "kodak_11.jpg"
    media = fingerprint_file(path, recipe=recipe)
    variants = {f.variant for f in media.fingerprints}
    assert len(variants) == 16
    description = Description(labels=("propaganda",), basis=Basis.RESEARCH)
    draft = EntryDraft(media.media_type, media.fingerprints, description)
    with Client(server) as client:
        client.create_list("acme/variants")
        (added,) = client.add_entries("acme/variants", [draft]).entries
        (match,) = client.check_file(path, recipe=recipe).matches
        kept = client.get_entry(added.name)
    assert match.entry == added.name
    assert {e.variant for e in match.evidence if e.algorithm is Algorithm.PDQ} == variants
    assert set(kept.fingerprints) == set(media.fingerprints)


def test_contribute_check_withdraw(server: str, pictures: Path) -> None:
    """The main job, in the order a platform does it."""
    before = hashsvc("check", pictures / "a.png", server=server)
    assert before.returncode == 0
    assert "NO_MATCH" in before.stdout
    done = hashsvc(*CONTRIBUTE, "acme/known", "--json", pictures / "a.png", server=server)
    (added,) = objects(done)
    assert done.returncode == 0
    assert (added["entry"], added["already_present"]) == ("acme/known#1", False)
    again = hashsvc(*CONTRIBUTE, "acme/known", pictures / "a.png", server=server)
    assert "was there already" in again.stdout

    done = hashsvc("check", "--json", pictures, server=server)
    found = {Path(o["file"]).name: o for o in objects(done)}
    assert done.returncode == MATCHED
    assert {name: o["outcome"] for name, o in found.items()} == {
        "a.png": "MATCH",
        "b.jpg": "NO_MATCH",
        "c.misleading.txt": "MATCH",
        "notes.jpg": "UNDETERMINED",
        "nothing.jpg": "UNDETERMINED",
    }
    assert found["a.png"]["action"] == "review"
    assert found["notes.jpg"]["reason"] == "unreadable"
    (match,) = found["a.png"]["matches"]
    expected = {
        "entry": "acme/known#1",
        "list": "acme/known",
        "algorithm": "sha256",
        "distance": 0,
        "variant": "original",
        "labels": ["propaganda"],
        "basis": "platform_moderation",
    }
    assert expected.items() <= match.items()

    sent = hashsvc("check", "--json", "--send-media", pictures, server=server)
    assert {Path(o["file"]).name: o["outcome"] for o in objects(sent)} == {
        name: o["outcome"] for name, o in found.items()
    }

    shown = objects(hashsvc("lists", "acme/known", "--json", server=server))
    assert [entry["entry"] for entry in shown] == ["acme/known#1"]
    done = hashsvc("withdraw", "acme/known#1", "--reason", "test is over", server=server)
    assert (done.returncode, done.stdout) == (0, "acme/known#1 is withdrawn\n")
    assert hashsvc("check", pictures / "a.png", server=server).returncode == 0
    assert "test is over" in hashsvc("lists", "acme/known", "--withdrawn", server=server).stdout
    assert "acme/known" in hashsvc("lists", server=server).stdout


def test_the_test_pattern(server: str) -> None:
    """A probe from end to end."""
    done = hashsvc("check", "--test-pattern", "--json", server=server)
    assert done.returncode == MATCHED
    assert objects(done)[0]["matches"][0]["list"] == "hashsvc/test"


def test_a_clip(server: str, shared_media: Path, tmp_path: Path) -> None:
    """Timed frames, both shares of a match, and which seconds are which."""
    clip = shared_media / "videos" / "chaplin_360p.mp4"
    (hashed,) = objects(commands.hashsvc("hash", "--json", clip))
    times = [f["time_s"] for f in hashed["fingerprints"] if f["algorithm"] == "pdq"]
    assert hashed["media_type"] == "video"
    assert len(times) >= 9
    assert times == sorted(times)
    commands.hashsvc(*CONTRIBUTE, "acme/clips", clip, server=server)
    shutil.copy(clip, tmp_path / "copy")
    with (tmp_path / "copy").open("ab") as file:
        file.write(bytes(10))
    for how in ((), ("--send-media",)):
        done = commands.hashsvc("check", "--json", *how, tmp_path / "copy", server=server)
        (match,) = objects(done)[0]["matches"]
        assert match["algorithm"] == "pdq"
        assert match["upload_percent"] > 90
        assert match["known_percent"] > 90
        (segment,) = match["segments"]
        assert segment["variant"] == "original"
        assert segment["likeness"] < 0.2
        for side in ("upload", "known"):
            assert segment[f"{side}_start_s"] < 1
            assert 9 < segment[f"{side}_end_s"] < 11
    done = commands.hashsvc("check", tmp_path / "copy", server=server)
    assert done.returncode == MATCHED
    assert "  upload 00:00-00:09 = acme/clips#1 00:00-00:09" in done.stdout


def test_a_csv_of_hashes(server: str, tmp_path: Path) -> None:
    """Cells override what the command line says; a bad line is named, and ends it."""
    table = tmp_path / "hashes.csv"
    rows = ["algorithm,value,quality,labels,basis"]
    rows += [f"pdq,{i:064x},90,," for i in range(1, 2501)]
    rows += [f"md5,{7:032x},,recruitment manifesto,court_order"]
    table.write_text("\n".join(rows))
    done = commands.hashsvc(*CONTRIBUTE, "acme/csv", "--csv", table, server=server)
    assert (done.returncode, done.stderr) == (0, "acme/csv: 2,501 added\n")
    last = objects(commands.hashsvc("lists", "acme/csv", "--json", server=server))[-1]
    assert (last["labels"], last["basis"]) == (["recruitment", "manifesto"], "court_order")
    table.write_text("signal_type,signal_str\npdq," + "f" * 64 + "\npdq,xyz\n")
    done = commands.hashsvc(*CONTRIBUTE, "acme/csv", "--csv", table, server=server)
    assert done.returncode == 1
    assert f"{table}:3" in done.stderr
    table.write_text("a,b\n1,2\n")
    done = commands.hashsvc(*CONTRIBUTE, "acme/csv", "--csv", table, server=server)
    assert "names no column algorithm and value" in done.stderr


def test_mistakes_are_told_in_a_line(server: str, pictures: Path, tmp_path: Path) -> None:
    """Without a traceback, with the status of an error."""
    for arguments, words in (
        ((*CONTRIBUTE, "Acme", pictures / "a.png"), "is not a list name"),
        (("withdraw", "acme/known#999", "--reason", "x"), "there is no entry"),
        (("lists", "acme/nothing"), "there is no list"),
        (("check", tmp_path / "absent"), "No such file"),
    ):
        done = commands.hashsvc(*arguments, server=server)
        assert done.returncode == 1, arguments
        assert words in done.stderr
        assert "Traceback" not in done.stderr
    nobody = hashsvc("lists", server=f"unix:{tmp_path / 'nobody'}")
    assert nobody.returncode == 1
    assert nobody.stderr.startswith("error: ")


def test_logs_hold_no_hashes_and_no_names(pictures: Path, tmp_path: Path) -> None:
    """What a whole run logs never shows a value, a file or a request id."""
    with serving(tmp_path / "data") as running:
        commands.hashsvc(*CONTRIBUTE, "acme/known", pictures / "a.png", server=running.address)
        commands.hashsvc("check", "--send-media", pictures, server=running.address)
        commands.hashsvc("check", pictures, server=running.address)
        running.stop()
        text = running.log.read_text()
    assert 'MatchService/CheckMedia"' in text
    for hashed in objects(commands.hashsvc("hash", "--json", pictures)):
        for fingerprint in hashed.get("fingerprints", ()):
            assert fingerprint["value"] not in text
    for name in ("a.png", "b.jpg", "misleading", "request_id", str(pictures)):
        assert name not in text


@pytest.mark.parametrize(
    ("missing", "arguments"),
    [
        ("structlog", ["serve"]),
        ("cryptography", ["certs", "init", "tls"]),
        ("cryptography", ["certs", "client", "tls", "acme"]),
        ("sqlalchemy", ["partners", "first-admin", "hub", "--data", "data"]),
        ("cryptography.exceptions", ["witness", "keygen", "w1.pem", "--name", "w1"]),
        ("cryptography.exceptions", ["prove", "acme/known#1", "--to", "proof"]),
        ("orjson", ["verify", "acme/known"]),
    ],
)
def test_the_client_alone_says_what_is_missing(
    tmp_path: Path, missing: str, arguments: list[str]
) -> None:
    """For what only the server's packages can do; nothing is made on the way."""
    code = (
        "import sys; sys.modules[sys.argv.pop(1)] = None; "
        "from hashsvc.cli.main import run; sys.argv[0] = 'hashsvc'; run()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, missing, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"error: this install is the client alone ({missing} is missing)" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
