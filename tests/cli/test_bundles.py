"""Bundles on the command line: a list goes to another node in a file; hostile files are told."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hashsvc.errors import BundleError
from hashsvc.lists.keys import Signer, Verifier
from hashsvc.model_sync import FollowState
from hashsvc.sync import bundle
from hashsvc_client import Client
from hashsvc_client.admin import AdminClient
from tests.commands import hashsvc
from tests.harness import check_invariants, pdq_draft, running_node
from tests.processes import objects

LIST = "acme/known"


@pytest.fixture
def home(node: str) -> str:
    """A node with a list of three entries: four records."""
    with Client(node) as client:
        client.create_list(LIST, purpose="for the tests")
        client.add_entries(LIST, [pdq_draft(number) for number in range(3)])
    return node


@pytest.fixture
def other(tmp_path: Path) -> Iterator[str]:
    """A node that cannot reach it."""
    with running_node(tmp_path / "other") as address:
        yield address


def key_of(node: str) -> str:
    """The list's key."""
    with Client(node) as client:
        return client.get_list(LIST).key


def add(node: str, *numbers: int) -> None:
    """Add entries to the list."""
    with Client(node) as client:
        client.add_entries(LIST, [pdq_draft(number) for number in numbers])


def test_a_list_goes_to_a_node_without_a_link(home: str, other: str, tmp_path: Path) -> None:
    """Whole at first, then what came since; it matches there, and its tables are what it says."""
    whole, since = tmp_path / "whole", tmp_path / "since"
    done = hashsvc("export", "--list", LIST, "--bundle", "--to", whole, server=home)
    assert done.returncode == 0, done.stderr
    assert "acme/known: 4 records" in done.stderr
    assert whole.stat().st_mode & 0o777 == 0o600
    refused = hashsvc("import", whole, server=other)
    assert (refused.returncode, refused.stderr) == (
        1,
        "error: acme/known is not followed: give its key, as its owner says it\n",
    )
    done = hashsvc("import", whole, "--key", key_of(home), server=other)
    assert (done.returncode, done.stdout) == (
        0,
        "acme/known: 4 records added, 4 are held\n",
    ), done.stderr
    add(home, 7, 8)
    done = hashsvc("export", "--list", LIST, "--bundle", "--since", "4", "--to", since, server=home)
    assert "acme/known: 2 records since 4" in done.stderr
    (shown,) = objects(hashsvc("import", since, "--json", server=other))
    assert shown == {
        "list": LIST,
        "added": 2,
        "records": 6,
        "bundle_records": 6,
        "key": key_of(home),
    }
    with Client(other) as client:
        assert client.check(pdq_draft(8).fingerprints).matches[0].entry == f"{LIST}#5"
    with AdminClient(other) as client:
        (status,) = client.followed()
    assert (status.state, status.size, status.alarms) == (FollowState.OFFLINE, 6, ())
    assert status.subscription.verify_time is not None
    check_invariants(f"sqlite:///{tmp_path / 'other' / 'hashsvc.db'}", tmp_path)


def test_again_and_older_change_nothing(home: str, other: str, tmp_path: Path) -> None:
    """And it is said; a bundle that overlaps with what is held brings the rest."""
    old, new = tmp_path / "old", tmp_path / "new"
    hashsvc("export", "--list", LIST, "--bundle", "--to", old, server=home)
    add(home, 7)
    hashsvc("export", "--list", LIST, "--bundle", "--to", new, server=home)
    assert hashsvc("import", old, "--key", key_of(home), server=other).returncode == 0
    assert "1 records added, 5 are held" in hashsvc("import", new, server=other).stdout
    for path, size in ((new, 5), (old, 4)):
        done = hashsvc("import", path, server=other)
        assert (done.returncode, done.stdout) == (
            0,
            f"acme/known: nothing new: the bundle goes up to {size} records, and 5 are held\n",
        )


def test_what_is_missing_is_named(home: str, other: str, tmp_path: Path) -> None:
    """Of a bundle that begins after what is held, and of an export past the log's end."""
    whole, late = tmp_path / "whole", tmp_path / "late"
    hashsvc("export", "--list", LIST, "--bundle", "--to", whole, server=home)
    add(home, 7, 8)
    hashsvc("export", "--list", LIST, "--bundle", "--since", "5", "--to", late, server=home)
    hashsvc("import", whole, "--key", key_of(home), server=other)
    done = hashsvc("import", late, server=other)
    assert (done.returncode, done.stderr) == (
        1,
        "error: the bundle begins after 5 records of acme/known, and 4 are held: import one that "
        "begins at 4 or before\n",
    )
    with AdminClient(other) as client:
        assert client.followed()[0].alarms == ()
    done = hashsvc(
        "export", "--list", LIST, "--bundle", "--since", "7", "--to", tmp_path / "x", server=home
    )
    assert (done.returncode, done.stderr) == (
        1,
        "error: --since: the log of acme/known has 6 records\n",
    )
    assert not (tmp_path / "x").exists()


def test_another_key_or_list_is_refused(home: str, other: str, tmp_path: Path) -> None:
    """The right key helps afterwards: a wrong one is not pinned."""
    path, moved = tmp_path / "bundle", tmp_path / "moved"
    hashsvc("export", "--list", LIST, "--bundle", "--to", path, server=home)
    with Client(other) as client:
        client.create_list("bolt/known")
        wrong = client.get_list("bolt/known").key
    done = hashsvc("import", path, "--key", wrong, server=other)
    assert "start.key: is not a key of this list" in done.stderr
    with running_node(tmp_path / "third") as third:
        with Client(third) as client:
            client.create_list(LIST)
        done = hashsvc("import", path, "--key", key_of(third), server=other)
        assert (done.returncode, done.stderr) == (1, "error: its key is not the pinned one\n")
        done = hashsvc("import", path, "--key", key_of(home), server=third)
        assert "acme/known is kept at this node" in done.stderr
    moved.write_bytes(path.read_bytes().replace(b"acme/known 0", b"acme/other 0", 1))
    key = Verifier("hashsvc/acme/other", Verifier.decode(key_of(home)).public_key).encode()
    done = hashsvc("import", moved, "--key", key, server=other)
    assert done.stderr.startswith("error: its keys are not sound: this is a key of 'hashsvc/acme/")
    with AdminClient(other) as client:
        assert not client.followed()
    assert hashsvc("import", path, "--key", key_of(home), server=other).returncode == 0


def test_what_was_good_stays(home: str, other: str, tmp_path: Path) -> None:
    """A bundle that was changed after its first checkpoint is refused there, and an alarm kept."""
    first, path = tmp_path / "first", tmp_path / "bundle"
    hashsvc("export", "--list", LIST, "--bundle", "--to", first, server=home)
    hashsvc("import", first, "--key", key_of(home), server=other)
    add(home, 7)
    hashsvc("export", "--list", LIST, "--bundle", "--since", "4", "--to", path, server=home)
    data = bytearray(path.read_bytes())
    at = data.index(b'"quality":[100]') + len(b'"quality":[')
    data[at] = ord("9")
    path.write_bytes(data)
    done = hashsvc("import", path, server=other)
    assert (done.returncode, done.stderr) == (
        1,
        "error: the first 5 records are not those of a checkpoint\n",
    )
    with AdminClient(other) as client:
        (status,) = client.followed()
        assert (status.size, len(status.alarms)) == (4, 1)
        assert status.alarms[0].source == "a bundle"
    done = hashsvc("follow", "alarms", LIST, server=other)
    assert "acme/known from a bundle" in done.stdout


def frame(data: bytes) -> bytes:
    """A frame of a bundle."""
    return len(data).to_bytes(4) + data


HEADER = b"hashsvc bundle 1 acme/known 0\n"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "this is not a bundle"),
        (b"PK\x03\x04 something else", "this is not a bundle"),
        (b"hashsvc bundle" + b"x" * 100_000, "this is not a bundle"),
        (b"hashsvc bundle 1 ../../etc/passwd 0\n", "the first line of the bundle is damaged"),
        (b"hashsvc bundle 1 acme/known\n", "the first line of the bundle is damaged"),
        (b"hashsvc bundle 1 acme/known 0", "the first line of the bundle is damaged"),
        (b"hashsvc bundle 2 acme/known 0\n", "is of version 2, this hashsvc reads version 1"),
        (HEADER.replace(b"/known", b"//"), "the first line of the bundle is damaged"),
        (HEADER, "the bundle is cut: it ends before frame 1"),
        (HEADER + bytes(4), "does not begin with where the log stands"),
        (HEADER + b"\xff\xff\xff\xff", "it would have 4,294,967,295 bytes"),
        (HEADER + (1 << 30).to_bytes(4) + b"x" * 1_000, "it would have 1,073,741,824 bytes"),
        (HEADER + b"\x00\x00\x01\x00" + b"x" * 10, "is cut within frame 1"),
        (HEADER + frame(b"\xff" * 20) + bytes(4), "frame 1 of the bundle is damaged"),
        (HEADER + b"\x00\x00", "the bundle is cut: it ends before frame 1"),
    ],
)
def test_hostile_files_are_told_in_a_line(
    data: bytes, told: str, following: tuple[str, str], tmp_path: Path
) -> None:
    """Whatever is in them."""
    node, key = following
    path = tmp_path / "bundle"
    path.write_bytes(data)
    done = hashsvc("import", path, "--key", key, server=node)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert told in done.stderr


@pytest.fixture(scope="module")
def following(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A node, and a key of a list that is kept nowhere."""
    key = Signer.generate("hashsvc/acme/known").verifier.encode()
    with running_node(tmp_path_factory.mktemp("following") / "data") as address:
        yield address, key


def test_what_follows_the_end_is_told(tmp_path: Path) -> None:
    """A second bundle in one file would not be read, and nothing else is either."""
    path = tmp_path / "bundle"
    path.write_bytes(HEADER + bytes(4) + b"x")
    with path.open("rb") as file:
        assert bundle.read_header(file) == bundle.Header(LIST, 0)
        with pytest.raises(BundleError, match="goes on after its end"):
            list(bundle.read_messages(file))


def test_a_cut_bundle_is_refused_with_an_alarm(home: str, other: str, tmp_path: Path) -> None:
    """Wherever it is cut: within a frame, between frames, before its end."""
    path = tmp_path / "bundle"
    hashsvc("export", "--list", LIST, "--bundle", "--to", path, server=home)
    data = path.read_bytes()
    with AdminClient(other) as client:
        client.follow(LIST, "", key=key_of(home))
    path.write_bytes(data[:-700])
    done = hashsvc("import", path, server=other)
    assert "the bundle is cut within frame" in done.stderr
    with AdminClient(other) as client:
        (alarm,) = client.followed()[0].alarms
    assert "the bundle was cut: it says that it goes up to 4 records" in alarm.reason
    path.write_bytes(data[:-4])
    done = hashsvc("import", path, server=other)
    assert "the bundle is cut: it ends before frame" in done.stderr
    with AdminClient(other) as client:
        assert client.followed()[0].size == 4


def test_a_bundle_of_a_selection(home: str, other: str, tmp_path: Path) -> None:
    """What is not taken comes as hashes alone, and the log is verified all the same."""
    path = tmp_path / "bundle"
    done = hashsvc(
        *("export", "--list", LIST, "--bundle", "--label", "manifesto", "--to", path), server=home
    )
    assert "4 records, 3 of them as hashes alone" in done.stderr
    done = hashsvc("import", path, "--key", key_of(home), server=other)
    assert done.returncode == 0, done.stderr
    with Client(other) as client:
        assert client.get_list(LIST).size == 4
        assert not list(client.entries(LIST))
