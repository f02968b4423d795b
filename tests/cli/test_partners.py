"""Partners, keys and certificates on the command line, from the first admin on."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from hashsvc.errors import ConfigError
from hashsvc.lists.keys import Signer
from hashsvc_client import Client, RequestRefused, Security
from tests.commands import hashsvc
from tests.harness import pdq_draft, running_node
from tests.processes import objects, serving


def run(server: str, key: str, *arguments: str, **more: str) -> list[dict[str, object]]:
    """Run a command as the owner of a key, and read what it says."""
    done = hashsvc(*arguments, "--json", env=environment(server, key, **more))
    assert done.returncode == 0, done.stderr
    return objects(done)


def environment(server: str, key: str, **more: str) -> dict[str, str]:
    """What a caller adds to its environment."""
    return {"HASHSVC_SERVER": server, "HASHSVC_API_KEY": key, **more}


@pytest.fixture
def key(tmp_path: Path) -> str:
    """The key of the first admin, hub."""
    done = hashsvc("partners", "first-admin", "hub", "--data", tmp_path / "data", "--json")
    assert done.returncode == 0, done.stderr
    return str(objects(done)[0]["api_key"])


@pytest.fixture
def server(tmp_path: Path, key: str) -> Iterator[str]:
    """A node with authentication."""
    config = tmp_path / "hashsvc.toml"
    config.write_text("authentication = true\n")
    with serving(tmp_path / "data", "--config", str(config)) as node:
        yield node.address


def test_from_the_first_admin_to_a_partner_that_is_out(server: str, key: str) -> None:
    """Add, give a key, use it, see it, change, suspend, resume, revoke."""
    run(server, key, "partners", "add", "acme", "--name", "Acme Video", "--grant", "check")
    (made,) = run(
        server, key, "keys", "create", "acme", "--label", "edge", "--expires", "2099-01-01"
    )
    acme = str(made["api_key"])
    draft = pdq_draft(1)
    with Client(server, security=Security(api_key=acme)) as client:
        assert client.check(draft.fingerprints).revision
        with pytest.raises(RequestRefused, match="lacks the role contribute"):
            client.create_list("acme/known")
        run(server, key, "partners", "update", "acme", "--grant", "check", "--grant", "contribute")
        client.create_list("acme/known")
        client.add_entries("acme/known", [draft])
        run(server, key, "partners", "suspend", "acme")
        with pytest.raises(RequestRefused, match="no credential that counts"):
            client.check(draft.fingerprints)
        run(server, key, "partners", "resume", "acme")
        assert client.check(draft.fingerprints).matches
        (gone,) = run(server, key, "keys", "revoke", str(made["id"]))
        assert gone["revoke_time"]
        with pytest.raises(RequestRefused):
            client.check(draft.fingerprints)
    found = run(server, key, "partners", "list")
    assert [(p["partner"], p["grants"], p["state"]) for p in found] == [
        ("acme", ["check", "contribute"], "active"),
        ("hub", ["check", "contribute:*", "follow:*", "witness:*", "review", "admin"], "active"),
    ]
    (listed,) = run(server, key, "keys", "list", "acme")
    assert (listed["id"], listed["label"]) == (made["id"], "edge")
    assert acme.rpartition("_")[2] not in str(listed)


def test_the_audit_log_can_be_kept_and_held_against_a_head(
    server: str, key: str, tmp_path: Path
) -> None:
    """Later records change nothing about an earlier head; a changed one does."""
    run(server, key, "partners", "add", "acme", "--grant", "check")
    first = hashsvc("audit", "export", env=environment(server, key))
    assert first.returncode == 0, first.stderr
    size, root = first.stderr.split()[-2:]
    assert int(size) == len(first.stdout.splitlines())
    run(server, key, "partners", "suspend", "acme")
    later = hashsvc("audit", "export", env=environment(server, key)).stdout
    assert later.startswith(first.stdout)
    assert '"about":{"fields":"suspended","partner":"acme"}' in later
    file = tmp_path / "audit.jsonl"
    file.write_text(later)
    assert hashsvc("audit", "verify", file, size, root).returncode == 0
    file.write_text(later.replace("acme", "bolt"))
    done = hashsvc("audit", "verify", file, size, root)
    assert done.returncode == 1
    assert "not those of this head" in done.stderr


def test_signed_heads_can_be_kept(tmp_path: Path, key: str) -> None:
    """With the node's key they hold an export, after a start too; another node's key does not."""
    heads = [tmp_path / "first", tmp_path / "second"]
    told: list[str] = []
    for head in heads:
        with running_node(tmp_path / "data", authentication=True) as address:
            given = environment(address, key)
            run(address, key, "partners", "add", head.name)
            known = ("--key", told[0]) if told else ()
            done = hashsvc("audit", "export", "--head", head, *known, env=given)
            assert done.returncode == 0, done.stderr
            signed, last = done.stderr.splitlines()
            told.append(signed.removeprefix("signed by "))
            size, root = last.split()[-2:]
            assert head.read_text().splitlines()[1:3] == [
                size,
                base64.b64encode(bytes.fromhex(root)).decode(),
            ]
            other = Signer.generate("hashsvc/nodes/x/audit").verifier.encode()
            for arguments, message in (
                (("--head", head), "already"),
                (("--key", other), "not signed by a known key"),
            ):
                again = hashsvc("audit", "export", *arguments, env=given)
                assert (again.returncode, again.stdout) == (1, "")
                assert message in again.stderr
    assert told[0] == told[1]
    export = tmp_path / "audit.jsonl"
    export.write_text(done.stdout)
    for head in heads:
        done = hashsvc("audit", "verify", export, "--head", head, "--key", told[0])
        assert done.returncode == 0, done.stderr
    export.write_text(export.read_text().replace("second", "third"))
    for head, fits in zip(heads, (True, False), strict=True):
        done = hashsvc("audit", "verify", export, "--head", head, "--key", told[0])
        assert (done.returncode == 0) is fits
    assert "not those of this head" in done.stderr
    for wrong in ((), ("--head", heads[0]), ("1", "aa", "--key", told[0]), ("1",)):
        assert hashsvc("audit", "verify", export, *wrong).returncode == 2


def test_a_key_is_shown_alone_on_stdout(server: str, key: str) -> None:
    """So that it can be piped into a vault; people are told on stderr."""
    done = hashsvc("keys", "create", "hub", env=environment(server, key))
    assert done.returncode == 0
    assert done.stdout.count("\n") == 1
    assert done.stdout.startswith("hsk_")
    assert "shown this once" in done.stderr


def test_without_a_key_or_with_another(server: str) -> None:
    """The command says so, with status 1."""
    for text in ("", "hsk_wrong"):
        done = hashsvc("lists", env=environment(server, text))
        assert done.returncode == 1
        assert "error: " in done.stderr


def test_first_admin_wants_the_node_stopped(server: str, tmp_path: Path) -> None:
    """As it changes the database under it."""
    done = hashsvc("partners", "first-admin", "other", "--data", tmp_path / "data")
    assert done.returncode == 1
    assert "another hashsvc is using" in done.stderr


def test_mutual_tls_from_the_command_line(tmp_path: Path, key: str) -> None:
    """certs init, certs client, keys create --certificate; then a call without any key."""
    folder = tmp_path / "tls"
    done = hashsvc("certs", "init", folder)
    assert done.returncode == 0, done.stderr
    config = tmp_path / "hashsvc.toml"
    text = done.stdout.replace("# client_ca", "client_ca").partition("  #")[0]
    config.write_text(f"authentication = true\n{text}\n")
    assert hashsvc("certs", "client", folder, "hub").returncode == 0
    assert hashsvc("certs", "init", folder).returncode == 1
    assert (folder / "hub.key").stat().st_mode & 0o077 == 0
    tls = {
        "HASHSVC_TLS_CA": str(folder / "ca.crt"),
        "HASHSVC_TLS_CERTIFICATE": str(folder / "hub.crt"),
        "HASHSVC_TLS_KEY": str(folder / "hub.key"),
    }
    with serving(tmp_path / "data", "--config", str(config)) as node:
        port = node.address.rpartition(":")[2]
        server = f"localhost:{port}"
        certificate = str(folder / "hub.crt")
        run(server, key, "keys", "create", "hub", "--certificate", certificate, **tls)
        assert [p["partner"] for p in run(server, "", "partners", "list", **tls)] == ["hub"]


def test_a_key_does_not_leave_the_machine_in_the_clear() -> None:
    """The client refuses before it connects; and never prints the key."""
    security = Security(api_key="hsk_secret")
    with pytest.raises(ConfigError, match="without TLS"):
        Client("example.org:50051", security=security)
    assert "secret" not in repr(security)
    with pytest.raises(ConfigError, match="go together"):
        Client("localhost:1", security=Security(certificate=Path("x")))


def test_a_client_certificate_needs_the_right_authority(tmp_path: Path) -> None:
    """The key of another, or a broken file, is told in one line."""
    for name in ("one", "two"):
        assert hashsvc("certs", "init", tmp_path / name).returncode == 0
    (tmp_path / "one" / "ca.key").write_bytes((tmp_path / "two" / "ca.key").read_bytes())
    done = hashsvc("certs", "client", tmp_path / "one", "acme")
    assert (done.returncode, done.stderr) == (
        1,
        "error: ca.key is not the key of ca.crt, or not one of `certs init`\n",
    )
    (tmp_path / "two" / "ca.key").write_text("nonsense")
    done = hashsvc("certs", "client", tmp_path / "two", "acme")
    assert done.returncode == 1
    assert done.stderr.startswith("error: this is not an authority of `certs init`: ")
    assert not (tmp_path / "one" / "acme.key").exists()
