"""The demo of following as a whole, and what it does when something is not as it should be."""

import re
import subprocess
import sys
from pathlib import Path

from hashsvc.demo import report, sync_report, tampering
from hashsvc.model import EntryAdded
from hashsvc.store import records
from hashsvc.store.store import Store
from hashsvc_client import Client
from tests.harness import pdq_draft, running_node


def test_all_is_as_expected(tmp_path: Path) -> None:
    """The command ends with 0, tells of the match, the withdrawal and the alarm, and cleans up."""
    ended = subprocess.run(
        [sys.executable, "-m", "hashsvc", "demo", "--sync"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={"PYTHONIOENCODING": "utf-8", "TMPDIR": str(tmp_path)},
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    count = re.search(r"^(\d+) of (\d+) as expected", ended.stdout, re.MULTILINE)
    assert count is not None
    assert count[1] == count[2]
    assert int(count[2]) >= 20
    said = " ".join(ended.stdout.split())
    assert re.search(
        r"bolt recognises a copy \([^)]*\): acme/known#1, pdq \d+ bits away [\d.]+ m?s", said
    )
    assert re.search(r"bolt does not match the copy any more \d+ m?s", said)
    assert "why the first 5 records are not those of a checkpoint" in said
    assert "held a checkpoint of 4 records, root " in said
    assert "offered a checkpoint of 5 records, root " in said
    assert re.search(r"^bolt +acme/known +\S+ +live +5 +0 +1$", ended.stdout, re.MULTILINE)
    assert not ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_as_expected_is_shown_and_fails_the_demo() -> None:
    """By its line, and again at the end."""
    story = sync_report.Story()
    with report.out.capture() as captured:
        story.expect("acme", "does right", is_right=True, seconds=0.02)
        story.expect("bolt", "believes the hub", is_right=False)
        assert not story.end(1)
    assert "Wrong: bolt believes the hub" in captured.get()
    assert "1 of 2 as expected" in captured.get()


def test_what_the_hub_makes_up_is_well_formed(tmp_path: Path) -> None:
    """So that nothing but the signature tells: the record alone has other fingerprints."""
    with running_node(tmp_path / "data") as address, Client(address) as client:
        client.create_list("acme/known")
        client.add_entries("acme/known", [pdq_draft(1), pdq_draft(2)])
    database = tmp_path / "data" / "hashsvc.db"
    store = Store(f"sqlite:///{database}")
    try:
        before = store.logs.list_records("acme/known", 0, 10)
        tampering.swap_fingerprints(database, "acme/known", 2, pdq_draft(3).fingerprints)
        after = store.logs.list_records("acme/known", 0, 10)
    finally:
        store.close()
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, True, False]
    assert after[2].salt == before[2].salt
    forged = records.decode(after[2].body)
    assert isinstance(forged, EntryAdded)
    assert forged.draft == pdq_draft(3)
