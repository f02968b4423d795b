"""Witnesses on the command line: they cosign what follows, refuse forks, and see no record."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from hashsvc.errors import ConfigError
from hashsvc.lists.keys import Witness
from hashsvc.lists.notes import cosignatures
from hashsvc.lists.witnessing import Seen, WitnessState
from hashsvc.v1 import admin_service_pb2
from hashsvc_client import Client, Security
from tests.commands import hashsvc
from tests.harness import pdq_draft, running_node
from tests.processes import objects
from tests.service.town import Town, running_town

LIST = "acme/known"


class Clerk:
    """A witness with its files."""

    def __init__(self, folder: Path, name: str = "w1") -> None:
        folder.mkdir(exist_ok=True)
        self.file, self.state = folder / f"{name}.pem", folder / f"{name}.json"
        done = hashsvc("witness", "keygen", self.file, "--name", f"witness.example/{name}")
        assert done.returncode == 0, done.stderr
        self.key = done.stdout.strip()

    def cosign(self, node: str, *arguments: str, api_key: str = "") -> tuple[int, str, str]:
        """Cosign the list; the exit status and what was said."""
        files = ("--key", self.file, "--state", self.state)
        env = {"HASHSVC_API_KEY": api_key}
        done = hashsvc("witness", "cosign", LIST, *files, *arguments, server=node, env=env)
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def clerk(tmp_path: Path) -> Clerk:
    """A witness."""
    return Clerk(tmp_path / "clerk")


def fill(node: str, *numbers: int) -> str:
    """Add entries to the list, and return its key."""
    with Client(node) as client:
        if LIST not in [one.name for one in client.lists()]:
            client.create_list(LIST)
        client.add_entries(LIST, [pdq_draft(number) for number in numbers])
        return client.get_list(LIST).key


def test_keygen_keeps_the_key_private(clerk: Clerk, tmp_path: Path) -> None:
    """And never writes over one."""
    assert Witness.decode(clerk.key).name == "witness.example/w1"
    assert clerk.file.stat().st_mode & 0o777 == 0o600
    before = clerk.file.read_bytes()
    done = hashsvc("witness", "keygen", clerk.file, "--name", "witness.example/w1")
    assert done.returncode == 1
    assert "already" in done.stderr
    assert clerk.file.read_bytes() == before
    done = hashsvc("witness", "keygen", tmp_path / "x", "--name", "a b")
    assert "is not a key's name" in done.stderr
    assert not (tmp_path / "x").exists()


def test_what_was_cosigned_is_demanded(node: str, clerk: Clerk, tmp_path: Path) -> None:
    """`verify --witness` wants each witness, and says how old its cosignature is."""
    key = fill(node, 1, 2)
    demanded = ("verify", LIST, "--key", key, "--witness", clerk.key)
    done = hashsvc(*demanded, server=node)
    assert (done.returncode, done.stderr) == (
        1,
        "error: acme/known does not verify: the witness witness.example/w1 has cosigned no "
        "checkpoint of it\n",
    )
    status, out, told = clerk.cosign(node, "--list-key", key)
    assert (status, out) == (0, "acme/known: cosigned 3 records\n")
    assert told == f"this is the first checkpoint of {LIST} in {clerk.state}\n"
    fill(node, 3)
    done = hashsvc(*demanded, server=node)
    assert done.returncode == 0, done.stderr
    assert "  records  4\n" in done.stdout
    assert "  witness  witness.example/w1 cosigned 3 records, " in done.stdout
    assert clerk.cosign(node)[:2] == (0, "acme/known: cosigned 4 records\n")
    assert clerk.cosign(node)[0] == 0
    other = Clerk(tmp_path / "other", "w2")
    other.cosign(node)
    done = hashsvc(*demanded, "--witness", other.key, "--json", server=node)
    (shown,) = objects(done)
    assert [one["records"] for one in shown["witnesses"]] == [4, 4]
    assert all(0 <= one["age_s"] < 600 for one in shown["witnesses"])
    with Client(node) as client:
        note = client.checkpoint(LIST).note
    keys = [Witness.decode(clerk.key), Witness.decode(other.key)]
    assert len(cosignatures(note, keys)) == 2
    done = hashsvc(*demanded, "--witness", key, server=node)
    assert done.stderr.startswith("error: --witness: this is a key of kind 1")


@pytest.fixture
def forks(tmp_path: Path) -> Iterator[tuple[str, str, str]]:
    """Three nodes with one list and key: at four records, at three, and at four others."""
    folders = [tmp_path / name for name in ("one", "two", "three")]
    with running_node(folders[0]) as address:
        fill(address, 1, 2)
    for folder in folders[1:]:
        shutil.copytree(folders[0], folder)
    with (
        running_node(folders[0]) as one,
        running_node(folders[1]) as two,
        running_node(folders[2]) as three,
    ):
        fill(one, 3)
        fill(three, 4)
        yield one, two, three


def test_forks_and_shrinking_are_refused(forks: tuple[str, str, str], clerk: Clerk) -> None:
    """Loudly, with both checkpoints; what was cosigned before stays in the state."""
    one, two, three = forks
    assert clerk.cosign(one)[0] == 0
    kept = clerk.state.read_bytes()
    for node, told in (
        (two, "it shrank from 4 records to 3"),
        (three, "it is a fork: 4 records do not follow from 4"),
    ):
        status, out, error = clerk.cosign(node)
        assert (status, out) == (1, "")
        assert error.startswith(f"error: acme/known is NOT cosigned: {told}")
        assert error.count("hashsvc/acme/known\n") == 2
    fill(three, 5)
    status, _, error = clerk.cosign(three)
    assert status == 1
    assert "it is a fork: 5 records do not follow from 4" in error
    assert clerk.state.read_bytes() == kept
    # Nor does a client take the one for the other, where it demands the witness.
    with Client(one) as client:
        cosigned = client.checkpoint(LIST).note
    with pytest.raises(Exception, match="not a checkpoint of this log"), Client(three) as client:
        client.add_cosignature(LIST, cosigned, clerk.key)


def test_another_key_of_the_list_is_refused(node: str, clerk: Clerk, tmp_path: Path) -> None:
    """The key is pinned with the first checkpoint; a rotation is followed."""
    fill(node, 1)
    status, _, told = clerk.cosign(node)
    assert status == 0
    assert "which is what the node shows" in told
    with running_node(tmp_path / "other") as other:
        key = fill(other, 1)
        assert "its key is not the pinned one" in clerk.cosign(other)[2]
        assert "its key is not the pinned one" in clerk.cosign(node, "--list-key", key)[2]


def test_the_state_is_private_and_whole(node: str, clerk: Clerk) -> None:
    """One that is damaged, or that others may change, is not used: nor is a new one made."""
    fill(node, 1)
    clerk.cosign(node)
    assert clerk.state.stat().st_mode & 0o777 == 0o600
    good = clerk.state.read_text()
    assert set(json.loads(good)["lists"]) == {LIST}
    state = WitnessState(clerk.state)
    with state.locked(), pytest.raises(ConfigError, match="another process"):
        WitnessState(clerk.state).locked().__enter__()
    for bad in ("", "{}", good[:-30], '{"v": 2, "lists": {}}', '{"v": 1, "lists": {"a": 1}}'):
        clerk.state.write_text(bad)
        with pytest.raises(ConfigError, match="is not the state of a witness"):
            state.save(LIST, Seen("", ""))
        assert clerk.state.read_text() == bad
    status, _, told = clerk.cosign(node)
    assert (status, "is not the state of a witness" in told) == (1, True)
    clerk.state.chmod(0o644)
    with pytest.raises(ConfigError, match="is not for its owner alone"):
        state.seen(LIST)
    clerk.file.with_name("w1.pem.pub").unlink()
    assert "which names the key, cannot be read" in clerk.cosign(node)[2]


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """A node with authentication, with a partner that may only witness the list."""
    with running_town(tmp_path / "data") as made:
        by = made.by("hub")
        partner = {"id": "wit", "grants": [f"witness:{LIST}"]}
        made.admin.CreatePartner(admin_service_pb2.CreatePartnerRequest(partner=partner), **by)
        request = admin_service_pb2.CreateApiKeyRequest(partner="wit")
        made.keys["wit"] = made.admin.CreateApiKey(request, **by).api_key
        yield made


def test_a_witness_has_no_other_rights(town: Town, clerk: Clerk, tmp_path: Path) -> None:
    """It cosigns, and can neither verify, prove nor export; who may read cannot cosign."""
    mine = {"HASHSVC_API_KEY": town.keys["wit"]}
    assert clerk.cosign(town.address, api_key=town.keys["wit"])[0] == 0
    for command in (
        ("verify", LIST),
        ("prove", f"{LIST}#1"),
        ("export", "--list", LIST, "--bundle", "--to", str(tmp_path / "x")),
        ("lists", LIST),
    ):
        done = hashsvc(*command, server=town.address, env=mine)
        assert (done.returncode, done.stdout) == (1, ""), command
        assert "there is no list acme/known" in done.stderr
    assert not (tmp_path / "x").exists()
    other = Clerk(tmp_path / "other", "w2")
    status, _, told = other.cosign(town.address, api_key=town.keys["bolt"])
    assert (status, "bolt lacks the role witness" in told) == (1, True)
    done = hashsvc(
        *("verify", LIST, "--witness", clerk.key),
        server=town.address,
        env={"HASHSVC_API_KEY": town.keys["bolt"]},
    )
    assert done.returncode == 0, done.stderr
    with Client(town.address, security=Security(api_key=town.keys["wit"])) as client:
        assert cosignatures(client.checkpoint(LIST).note, [Witness.decode(clerk.key)])
    done = hashsvc(
        *("import", tmp_path / "x"), server=town.address, env={"HASHSVC_API_KEY": town.keys["bolt"]}
    )
    assert done.returncode == 1
