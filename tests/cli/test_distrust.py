"""Distrust on the command line: looked at, asked for, undone."""

from hashsvc_client import Client
from tests.commands import hashsvc
from tests.harness import pdq_draft
from tests.processes import objects

LIST = "acme/known"
SINCE = ("--since", "2020-01-01")


def test_it_shows_asks_and_undoes(node: str) -> None:
    """Nothing changes without a yes."""
    with Client(node) as client:
        client.create_list(LIST)
        client.add_entries(LIST, [pdq_draft(1), pdq_draft(2)])
        server = ("--server", node)
        done = hashsvc("distrust", "preview", "acme", *SINCE, *server)
        row = done.stdout.splitlines()[1].split(maxsplit=3)
        assert row == [LIST, "2", "#1", "all who follow it"]
        (shown,) = objects(hashsvc("distrust", "preview", "acme", *SINCE, *server, "--json"))
        assert shown == {"list": LIST, "entries": 2, "since_sequence": 1, "kept_here": True}
        asked = ["distrust", "add", "acme", *SINCE, "--reason", "poison", *server]
        no = hashsvc(*asked, typed="n\n")
        assert no.returncode == 1
        assert "Distrust acme: 2 entries cease to match?" in no.stderr
        assert client.check(pdq_draft(1).fingerprints).matches
        yes = hashsvc(*asked, typed="y\n")
        assert yes.returncode == 0, yes.stderr
        assert not client.check(pdq_draft(1).fingerprints).matches
        assert "distrusted" in hashsvc("lists", LIST, *server).stdout
        assert hashsvc("export", "--list", LIST, "--jsonl", *server).stdout == ""
        (listed,) = objects(hashsvc("distrust", "list", *server, "--json"))
        assert (listed["contributor"], listed["since_sequence"]) == ("acme", 1)
        undo = ("distrust", "undo", str(listed["id"]), "--reason", "a mistake", *server)
        assert hashsvc(*undo).returncode == 0
        assert client.check(pdq_draft(1).fingerprints).matches
        assert objects(hashsvc("distrust", "list", *server, "--json")) == []
        (listed,) = objects(hashsvc("distrust", "list", "--undone", *server, "--json"))
        assert listed["undo_time"]


def test_for_programs(node: str) -> None:
    """There is nobody to ask, so they say yes; an unknown list is told."""
    with Client(node) as client:
        client.create_list(LIST)
        client.add_entries(LIST, [pdq_draft(1)])
    more = (*SINCE, "--reason", "poison", "--list", LIST, "--server", node, "--json")
    assert hashsvc("distrust", "add", "*", *more).returncode == 2
    (done,) = objects(hashsvc("distrust", "add", "*", *more, "--yes"))
    assert (done["list"], done["contributor"], done["reason"]) == (LIST, "*", "poison")
    again = hashsvc("distrust", "add", "*", *more, "--yes")
    assert (again.returncode, again.stdout) == (0, "")
    assert "nothing" in again.stderr
    assert hashsvc("distrust", "undo", "--reason", "x", "--server", node).returncode == 2
    (undone,) = objects(
        hashsvc("distrust", "undo", "--partner", "*", "--reason", "x", "--server", node, "--json")
    )
    assert undone["id"] == done["id"]
    done_ = hashsvc("distrust", "preview", "acme", *SINCE, "--list", "acme/none", "--server", node)
    assert done_.returncode == 1
    assert "there is no list acme/none" in done_.stderr
