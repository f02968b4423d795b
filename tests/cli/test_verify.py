"""Verifying logs and proofs on the command line: whatever the node says."""

import base64
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hashsvc.errors import ProofError
from hashsvc.lists.keys import Signer
from hashsvc.lists.proofs import RecordProof
from hashsvc_client import Client
from tests.commands import hashsvc
from tests.harness import pdq_draft
from tests.processes import objects

LIST = "acme/known"


@pytest.fixture
def key(node: str) -> str:
    """The key of a list of three entries at the node."""
    with Client(node) as client:
        client.create_list(LIST)
        client.add_entries(LIST, [pdq_draft(number) for number in range(3)])
        return client.get_list(LIST).key


def changed(folder: Path, table: str, column: str, old: bytes, new: bytes) -> None:
    """Change bytes in the node's database behind its back, in the newest row that has them."""
    with sqlite3.connect(folder / "data" / "hashsvc.db") as connection:
        rows = connection.execute(f"SELECT rowid, {column} FROM {table}")  # noqa: S608 (our own)
        row, data = [(row, data) for row, data in rows if old in data][-1]
        connection.execute(
            f"UPDATE {table} SET {column} = ? WHERE rowid = ?",  # noqa: S608
            (data.replace(old, new) if old else new, row),
        )
    connection.close()


def test_a_log_verifies(node: str, key: str) -> None:
    """Under the key given; without it under the one that is shown, and that is said."""
    done = hashsvc("verify", LIST, "--key", key, server=node)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[:2] == ["acme/known verifies", "  records  4"]
    assert lines[3] == f"  key      {key}"
    done = hashsvc("verify", LIST, server=node)
    assert done.returncode == 0
    assert done.stderr.startswith("this is under the key that the node shows: compare it")
    (shown,) = objects(hashsvc("verify", LIST, "--json", server=node))
    with Client(node) as client:
        root = client.checkpoint(LIST).note.split(b"\n")[2].decode()
    assert (shown["records"], shown["withheld"], shown["root"]) == (4, 0, root)
    assert (shown["verified"], shown["key"], shown["key_given"]) == (True, key, False)


def test_what_is_withheld_is_counted(node: str, key: str, tmp_path: Path) -> None:
    """As hashes alone it is verified all the same."""
    value = base64.b64encode(pdq_draft(2).fingerprints[0].value)
    with sqlite3.connect(tmp_path / "data" / "hashsvc.db") as connection:
        rows = connection.execute("SELECT rowid, body FROM records").fetchall()
        (row,) = (row for row, body in rows if value in body)
        connection.execute("UPDATE records SET body = x'', salt = x'' WHERE rowid = ?", (row,))
    connection.close()
    done = hashsvc("verify", LIST, "--key", key, server=node)
    assert done.returncode == 0
    assert "  records  4, 1 of them as hashes alone (withheld or erased)" in done.stdout


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            ("records", "body", b'"quality":[100]', b'"quality":[99]'),
            "the first 4 records are not those of a checkpoint",
        ),
        (("records", "salt", b"", b"x" * 16), "the first 4 records are not those of"),
        (
            ("checkpoints", "note", b"hashsvc/acme/known\n4\n", b"hashsvc/acme/known\n5\n"),
            "its checkpoint is not good",
        ),
    ],
)
def test_a_node_that_lies_is_found_out(
    change: tuple[str, str, bytes, bytes], told: str, node: str, key: str, tmp_path: Path
) -> None:
    """Exit status 1, with the reason; for programs too."""
    changed(tmp_path, *change)
    done = hashsvc("verify", LIST, "--key", key, "--json", server=node)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: acme/known does not verify: {told}")
    assert len(done.stderr.splitlines()) == 1
    (shown,) = objects(done)
    assert shown["verified"] is False
    assert shown["reason"].startswith(told)


def test_another_key_does_not_verify(node: str, key: str) -> None:
    """Nor does what is no key, a list that is not there, or nothing."""
    other = Signer.generate("hashsvc/acme/known").verifier.encode()
    assert key != other
    done = hashsvc("verify", LIST, "--key", other, server=node)
    assert done.stderr == "error: acme/known does not verify: its key is not the pinned one\n"
    done = hashsvc("verify", LIST, "--key", "abc", server=node)
    assert done.stderr.startswith("error: --key: ")
    done = hashsvc("verify", "acme/other", server=node)
    assert (done.returncode, done.stderr) == (1, "error: there is no list acme/other\n")
    assert hashsvc("verify", server=node).returncode == 2
    assert hashsvc("verify", LIST, "--proof", "x", server=node).returncode == 2


def test_a_proof_needs_no_node(node: str, key: str, tmp_path: Path) -> None:
    """It says which entry, in which list, under which key and checkpoint."""
    path = tmp_path / "proof.json"
    done = hashsvc("prove", f"{LIST}#2", "--to", path, server=node)
    assert (done.returncode, done.stderr) == (
        0,
        "acme/known#2: proven within the first 4 records\n",
    )
    assert path.stat().st_mode & 0o777 == 0o600
    done = hashsvc("verify", "--proof", path, "--key", key, server="127.0.0.1:1")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "acme/known#2 is in the log of acme/known"
    assert "an image that acme added on " in lines[1]
    assert lines[2] == "  within   the first 4 records; later ones may change it"
    assert lines[4] == f"  key      {key}"
    done = hashsvc("verify", "--proof", path, "--json")
    (shown,) = objects(done)
    assert (shown["entry"], shown["records"], shown["key_given"]) == (f"{LIST}#2", 4, False)
    assert json.loads(shown["record"])["contributor"] == "acme"
    assert "under the key that the proof shows" in hashsvc("verify", "--proof", path).stderr
    for entry, told in ((f"{LIST}#0", "entry"), (f"{LIST}#9", "the log has 4 records")):
        done = hashsvc("prove", entry, "--to", tmp_path / "x", server=node)
        assert done.returncode == 1
        assert told in done.stderr
        assert not (tmp_path / "x").exists()


def flipped(text: str) -> str:
    """Bytes in base64 with one bit changed."""
    data = bytearray(base64.b64decode(text))
    data[len(data) // 2] ^= 1
    return base64.b64encode(data).decode()


def test_a_proof_that_was_changed_proves_nothing(node: str, key: str, tmp_path: Path) -> None:
    """Whichever field it is; with a key or without."""
    path = tmp_path / "proof.json"
    hashsvc("prove", f"{LIST}#2", "--to", path, server=node)
    good = json.loads(path.read_bytes())
    other = Signer.generate("hashsvc/acme/known").verifier.encode()
    changes: dict[str, list[Callable[[Any], Any]]] = {
        "format": [lambda _: "hashsvc proof 2"],
        "list": [lambda _: "acme/other", lambda _: "", lambda _: 1],
        "place": [lambda _: 1, lambda _: -1, lambda _: 4, lambda _: "2", lambda _: True],
        "record": [flipped, lambda text: text[:-4], lambda _: "?"],
        "salt": [flipped, lambda _: "", lambda _: None],
        "checkpoint": [
            lambda text: text.replace("\n4\n", "\n5\n"),
            lambda text: text.replace("acme/known\n", "acme/other\n", 1),
            lambda text: text[:60] + ("A" if text[60] != "A" else "B") + text[61:],
            lambda text: text.partition("\n\n")[0],
            lambda _: "\ud800",
        ],
        "proof": [
            lambda some: [flipped(some[0]), *some[1:]],
            lambda some: [*some[:-1], flipped(some[-1])],
            lambda some: some[:-1],
            lambda some: [*some, some[0]],
            lambda _: [1],
        ],
        "first_key": [lambda _: other, lambda text: text[:-1], lambda _: ""],
        "rotations": [lambda _: ["hashsvc key rotation\n"], lambda _: [1], lambda _: None],
        "leaf_hash": [lambda _: base64.b64encode(bytes(32)).decode()],
        "more": [lambda _: 1],
    }
    assert set(changes) == {*good, "leaf_hash", "more"}
    RecordProof.from_json(path.read_bytes()).verify(key)
    for field, tries in changes.items():
        for change in tries:
            bad = json.dumps({**good, field: change(good.get(field))}).encode()
            for under in (key, ""):
                with pytest.raises(ProofError):
                    RecordProof.from_json(bad).verify(under)
    for field in good:
        missing = {name: value for name, value in good.items() if name != field}
        with pytest.raises(ProofError):
            RecordProof.from_json(json.dumps(missing).encode())
    with pytest.raises(ProofError, match="not under the key given"):
        RecordProof.from_json(path.read_bytes()).verify(other)
    for junk in (b"", b"[]", b"\xff", b"[" * 100_000, b'{"format":NaN}'):
        path.write_bytes(junk)
        done = hashsvc("verify", "--proof", path)
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
