"""What the verbs print of texts that others wrote."""

from pathlib import Path

import pytest

from hashsvc.cli.output import visible
from hashsvc.model import Segment
from hashsvc.wording import segment_line
from hashsvc_client import Client
from tests.commands import hashsvc
from tests.harness import pdq_draft
from tests.processes import objects

CLEARS, TITLE = "\x1b[2J\x1b[1;1H", "\x1b]0;owned\x07"
TURNED = "\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ok", "plain, ok"),
        ("[bold]no markup[/bold]", "[bold]no markup[/bold]"),
        (CLEARS, "\\x1b[2J\\x1b[1;1H"),
        (TITLE, "\\x1b]0;owned\\x07"),
        ("a\nb\rc\td", "a\\nb\\rc\\td"),
        (TURNED, "\\u202egpj.exe"),
        ("\udcff\u2028", "\\udcff\\u2028"),
        ("Дом 見出し हिन्दी क्\u200dष é", "Дом 見出し हिन्दी क्\u200dष é"),
    ],
)
def test_what_a_terminal_would_obey_is_shown(text: str, shown: str) -> None:
    """Other letters of any script stay as they are."""
    assert visible(text) == shown


def test_lists_of_others_write_nothing_of_their_own(node: str, tmp_path: Path) -> None:
    """Neither as controls nor as the markup of the library that draws the tables."""
    purpose = f"[red]{CLEARS}{TURNED}[/red]"
    with Client(node) as client:
        client.create_list("acme/known", purpose=purpose)
        client.add_entries("acme/known", [pdq_draft(1)])
        client.withdraw_entry("acme/known#1", f"{TITLE}why")
    lists = hashsvc("lists", server=node)
    assert "[red]\\x1b[2J\\x1b[1;1H\\u202egpj.exe[/red]" in lists.stdout
    entries = hashsvc("lists", "acme/known", "--withdrawn", server=node)
    assert "\\x1b]0;owned\\x07why" in entries.stdout
    missing = hashsvc("hash", tmp_path / f"{TITLE}.png")
    assert "\\x1b]0;owned\\x07.png" in missing.stderr
    for done in (lists, entries, missing):
        assert not {"\x1b", "\x07", TURNED[0]} & set(done.stdout + done.stderr)
    (found,) = (o for o in objects(hashsvc("lists", "--json", server=node)) if "acme" in o["list"])
    assert found["purpose"] == purpose


def test_segments_are_told_as_far_as_they_are_known() -> None:
    """Hours only where there are some; without the known side where that is withheld."""
    segment = Segment(41_000, 72_900, known_start_ms=123_000, known_end_ms=7_354_000)
    told = segment_line("acme/known#881", segment)
    assert told == "upload 00:41-01:12 = acme/known#881 02:03-2:02:34"
    withheld = Segment(3_600_000, 3_661_000, variant="trimmed")
    assert segment_line("a/b#1", withheld) == "upload 1:00:00-1:01:01 = a/b#1 (trimmed)"
