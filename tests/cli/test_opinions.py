"""Opinions on the command line."""

import shutil
from pathlib import Path

from hashsvc import testpattern
from hashsvc.media import FOR_LISTS, fingerprint_file
from hashsvc.model import EntryDraft
from hashsvc_client import Client
from tests.commands import hashsvc
from tests.harness import PROPAGANDA
from tests.processes import MATCHED, objects

LIST, ENTRY = "acme/known", "acme/known#1"


def test_opinions_are_given_shown_and_marked(node: str, tmp_path: Path) -> None:
    """As tables for people and as JSON for programs; a check marks what is disputed."""
    picture = tmp_path / "upload.jpg"
    shutil.copy(testpattern.PATH, picture)
    media = fingerprint_file(picture, recipe=FOR_LISTS)
    with Client(node) as client:
        client.create_list(LIST)
        client.add_entries(LIST, [EntryDraft(media.media_type, media.fingerprints, PROPAGANDA)])
    done = hashsvc("opinion", ENTRY, "confirm", "--partner", "bolt", server=node)
    assert (done.returncode, done.stdout) == (0, f"bolt holds of {ENTRY}: confirm\n")
    assert "(disputed" not in hashsvc("check", picture, server=node).stdout
    say = ("opinion", ENTRY, "out_of_scope", "--reason", "the news\x1b[2J", "--partner", "bolt")
    (given,) = objects(hashsvc(*say, "--json", server=node))
    assert (given["partner"], given["opinion"]) == ("bolt", "out_of_scope")
    shown = hashsvc("opinions", LIST, server=node).stdout
    assert f"{ENTRY}  bolt     out of scope" in shown
    assert "the news\\x1b[2J" in shown
    assert objects(hashsvc("opinions", ENTRY, "--json", server=node)) == [given]
    history = objects(hashsvc("opinions", ENTRY, "--history", "--json", server=node))
    assert [one["opinion"] for one in history] == ["confirm", "out_of_scope"]
    done = hashsvc("check", picture, server=node)
    assert done.returncode == MATCHED
    assert f"{ENTRY} (disputed by 1)" in done.stdout
    (verdict,) = objects(hashsvc("check", picture, "--json", server=node))
    (counts,) = [one["opinions"] for one in verdict["matches"] if one["entry"] == ENTRY]
    wanted = {"confirm": 0, "dispute": 0, "out_of_scope": 1, "seen": 0, "pending": 0}
    assert counts == wanted
    (entry,) = objects(hashsvc("lists", LIST, "--json", server=node))
    assert entry["opinions"] == wanted
    assert "1 out of scope" in hashsvc("lists", LIST, server=node).stdout


def test_a_refused_opinion_says_what_is_wrong(node: str) -> None:
    """In one line, with the status of an error; an opinion that there is not is a usage error."""
    done = hashsvc("opinion", ENTRY, "dispute", "--partner", "bolt", server=node)
    assert done.returncode == 1
    assert done.stderr.startswith("error: reason: ")
    assert hashsvc("opinion", ENTRY, "nonsense", server=node).returncode == 2
    done = hashsvc("opinion", ENTRY, "confirm", server=node)
    assert "say whose opinion it is" in done.stderr
