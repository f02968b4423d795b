"""Private keys at rest: encrypted where the operator gives a passphrase, checked at start."""

from pathlib import Path
from typing import Any

import grpc
import pytest
from structlog.testing import capture_logs

from hashsvc.app import Node
from hashsvc.config import load
from hashsvc.errors import ConfigError
from hashsvc.private_keys import read_key, to_pem
from hashsvc.v1.list_service_pb2_grpc import ListServiceStub
from tests.harness import running_node
from tests.service.tls_files import Tls, health
from tests.service.town import add, create, refused, set_up


def secret(path: Path, text: bytes) -> Path:
    """A passphrase's file, for its owner alone."""
    path.write_bytes(text)
    path.chmod(0o600)
    return path


def encrypt(path: Path, passphrase: bytes) -> None:
    """Encrypt a plain key where it is."""
    path.write_bytes(to_pem(read_key(path, passphrase=None, setting=""), passphrase=passphrase))


def contribute(address: str, number: int) -> None:
    """Add an entry to acme/known, which needs the list's key."""
    with grpc.insecure_channel(address) as channel:
        stub = ListServiceStub(channel)
        stub.CreateList(create("acme/known"), timeout=10)
        (added,) = stub.AddEntries(iter([add("acme/known", number)]), timeout=10)
        assert len(added.entries) == 1


def refuses(folder: Path, message: str, **flags: Any) -> None:
    """Assert that a node does not start, and says why."""
    with pytest.raises(ConfigError, match=message), running_node(folder, **flags):
        pass


def test_keys_are_encrypted(tmp_path: Path) -> None:
    """Those of lists and the node's own; a newline at the end is no part of the passphrase."""
    data, keys = tmp_path / "data", tmp_path / "data" / "keys"
    given = {"keys_passphrase_file": secret(tmp_path / "passphrase", b"correct horse\n")}
    with running_node(data, **given) as address:
        contribute(address, 1)
    found = sorted(keys.rglob("*.pem"))
    assert [path.relative_to(keys).as_posix() for path in found] == [
        "lists/acme/known.pem",
        "lists/hashsvc/test.pem",
        "node.pem",
    ]
    assert all(b"BEGIN ENCRYPTED PRIVATE KEY" in path.read_bytes() for path in found)
    secret(tmp_path / "passphrase", b"correct horse")
    with running_node(data, **given) as address:
        contribute(address, 2)
    refuses(data, "is encrypted: name the file of its passphrase in keys_passphrase_file")
    for wrong in (b"battery staple\n", b"correct horse\n\n", b"correct horse \n"):
        secret(tmp_path / "passphrase", wrong)
        refuses(data, "keys_passphrase_file has not its passphrase", **given)


def test_plain_keys_beside_a_passphrase_are_refused(tmp_path: Path) -> None:
    """Nobody believes his keys encrypted when they are not; encrypted by hand they count."""
    data = tmp_path / "data"
    with running_node(data) as address:
        contribute(address, 1)
    given = {"keys_passphrase_file": secret(tmp_path / "passphrase", b"correct horse")}
    refuses(data, r"known.pem is not encrypted: encrypt it, or leave out", **given)
    for path in data.glob("keys/**/*.pem"):
        encrypt(path, b"correct horse")
    with running_node(data, **given) as address:
        contribute(address, 2)


def test_every_key_is_looked_at_at_start(tmp_path: Path) -> None:
    """Not when the first contribution comes; what is no list's key is passed over."""
    data = tmp_path / "data"
    with running_node(data) as address:
        contribute(address, 1)
    key = data / "keys" / "lists" / "acme" / "known.pem"
    (key.parent / "a copy.pem").write_bytes(b"nonsense")
    key.chmod(0o640)
    refuses(data, f"chmod 600 {key}")
    key.chmod(0o600)
    with running_node(data) as address:
        contribute(address, 2)
    for path in (key, data / "keys" / "node.pem"):
        whole = path.read_bytes()
        path.write_bytes(b"nonsense")
        refuses(data, f"{path} is not a private key in PEM")
        path.write_bytes(whole)


@pytest.mark.parametrize(
    ("text", "mode", "message"),
    [
        (b"correct horse", 0o640, "chmod 600"),
        (b"", 0o600, "is empty: put the passphrase into it"),
        (b"\n", 0o600, "is empty: put the passphrase into it"),
        (b"x" * 1_024, 0o600, "too long"),
        (None, 0o600, "keys_passphrase_file: cannot read .*: No such file"),
    ],
)
def test_files_of_passphrases_that_cannot_be_used(
    tmp_path: Path, text: bytes | None, mode: int, message: str
) -> None:
    """The node does not start, makes no key, and says what is wrong."""
    path = tmp_path / "passphrase"
    if text is not None:
        secret(path, text).chmod(mode)
    refuses(tmp_path / "data", message, keys_passphrase_file=path)
    assert not (tmp_path / "data" / "keys").exists()


@pytest.fixture
def tls(tmp_path: Path) -> Tls:
    """Files of TLS with an encrypted key."""
    made = Tls(tmp_path / "tls")
    encrypt(made.key, b"correct horse")
    return made


def test_the_key_of_tls_may_be_encrypted(tmp_path: Path, tls: Tls) -> None:
    """A node serves with it; what does not fit is refused with what to do."""
    files = tls.settings(client_ca=False)
    right = secret(tmp_path / "right", b"correct horse\n")
    wrong = secret(tmp_path / "wrong", b"battery staple\n")
    data = tmp_path / "data"
    locked = files | {"key_passphrase_file": right}
    with running_node(data, listen="localhost:0", tls=locked) as address:
        assert health(address, tls.ca) == 1

    def refused_with(message: str, **changed: Path) -> None:
        with pytest.raises(ConfigError, match=message):
            Node(load(None, {"data": data, "tls": files | changed}))

    refused_with(r"^tls: .* is encrypted: name the file .* in tls.key_passphrase_file$")
    refused_with("tls.key_passphrase_file has not its passphrase", key_passphrase_file=wrong)
    right.chmod(0o604)
    refused_with("chmod 600", key_passphrase_file=right)
    right.chmod(0o600)
    plain = Tls(tmp_path / "plain").key
    refused_with("is not encrypted", key=plain, key_passphrase_file=right)
    with pytest.raises(ConfigError, match="needs certificate and key"):
        load(None, {"tls": {"key_passphrase_file": right}})


def test_a_key_of_tls_that_is_renewed_wrongly(tmp_path: Path, tls: Tls) -> None:
    """It is logged once, and the old one goes on; put right, it counts, on all acceptors."""
    renewed = Tls(tmp_path / "renewed")
    passphrase = secret(tmp_path / "passphrase", b"correct horse\n")
    files = tls.settings(client_ca=False) | {"key_passphrase_file": passphrase}
    data = tmp_path / "data"
    set_up(data)
    flags = {"listen": "localhost:0", "authentication": True, "tls": files}
    with capture_logs() as logs, running_node(data, **flags) as address:
        assert health(address, tls.ca) == 1
        renewed.key.replace(tls.key)
        for _ in range(20):
            assert health(address, tls.ca) == 1
        told = [log for log in logs if log["event"] == "tls not renewed"]
        assert len(told) == 1
        assert f"private key {tls.key} is not encrypted: encrypt it" in told[0]["because"]
        encrypt(tls.key, b"correct horse")
        renewed.certificate.replace(tls.certificate)
        for _ in range(20):
            assert health(address, renewed.ca) == 1
        assert refused(lambda: health(address, tls.ca)) is grpc.StatusCode.UNAVAILABLE
        assert [log["event"] for log in logs].count("tls not renewed") == 1
