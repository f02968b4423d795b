"""Canaries and descriptions of lists on the command line."""

from pathlib import Path

import pytest

from hashsvc.cli import canaries
from hashsvc_client import Client
from tests.commands import hashsvc
from tests.harness import flip, pdq_draft
from tests.processes import objects

LIST = "acme/known"


@pytest.fixture
def planted(node: str) -> str:
    """A node with a list in which bolt has two canaries, eve one."""
    with Client(node) as client:
        client.create_list(LIST)
        client.add_entries(LIST, [pdq_draft(number) for number in range(20)])
    for partner, count in (("bolt", 2), ("eve", 1)):
        done = hashsvc(
            "canaries", "plant", partner, "--list", LIST, "--count", str(count), "--server", node
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count(f"is a canary of {partner}") == count
    return node


def trace(node: str, file: Path) -> tuple[int, list[object]]:
    """The exit status, and whose canaries were found."""
    done = hashsvc("canaries", "trace", file, "--list", LIST, "--server", node, "--json")
    return done.returncode, [found["canary_of"] for found in objects(done)]


def test_a_leaked_copy_is_traced(planted: str, tmp_path: Path) -> None:
    """From what a partner sees of the list, even where somebody has changed some bits."""
    with Client(planted) as client:
        values = {
            entry.name: (entry.canary_of, entry.fingerprints[0].value)
            for entry in client.entries(LIST, show_fingerprints=True)
        }
    leak = tmp_path / "leak.csv"
    seen_by_bolt = [value for of, value in values.values() if of in ("", "bolt")]
    leak.write_text("".join(f"pdq,{flip(value, 20).hex().upper()}\n" for value in seen_by_bolt))
    assert trace(planted, leak) == (3, ["bolt", "bolt"])
    leak.write_text("".join(f"{value.hex()}\n" for of, value in values.values() if not of))
    assert trace(planted, leak) == (0, [])
    shown = hashsvc("canaries", "list", "--list", LIST, "--server", planted).stdout
    assert [line.split()[1] for line in shown.splitlines()[1:]] == ["bolt", "bolt", "eve"]


def test_words_are_found_where_reading_stops_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is read in pieces; a run of digits without end takes no memory."""
    monkeypatch.setattr(canaries, "_CHUNK_BYTES", 7)
    file = tmp_path / "leak"
    word = bytes(range(32)).hex().encode()
    file.write_bytes(b"x" + word + b"," + b"a" * 1_000 + b" " + word)
    assert list(canaries._hex_words(file)) == [word, word]


def test_the_owner_describes_a_list(node: str) -> None:
    """What is not named stays."""
    with Client(node) as client:
        client.create_list(LIST, purpose="as it was")
    done = hashsvc("describe", LIST, "--readers", "bolt, eve", "--server", node, "--json")
    (shown,) = objects(done)
    assert (shown["readers"], shown["purpose"]) == (["bolt", "eve"], "as it was")
    done = hashsvc("describe", LIST, "--name-contributors", "--server", node, "--json")
    (shown,) = objects(done)
    assert (shown["readers"], shown["names_contributors"]) == (["bolt", "eve"], True)
    done = hashsvc("describe", LIST, "--readers", "No Partner", "--server", node)
    assert done.returncode == 1
    assert "is not a partner's id" in done.stderr
