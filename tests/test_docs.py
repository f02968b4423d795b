"""The README is true: its code runs, its commands exist, its settings load."""

import re
import shutil
from pathlib import Path

import pytest

from hashsvc import testpattern
from hashsvc.config import load
from tests.commands import hashsvc

ROOT = Path(__file__).resolve().parent.parent
GROUPS = (
    "partners",
    "keys",
    "certs",
    "audit",
    "canaries",
    "follow",
    "distrust",
    "incidents",
    "witness",
)
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """Return the README's code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_python_example_runs(
    node: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As it stands, but for the address."""
    (code,) = blocks("python")
    shutil.copy(testpattern.PATH, tmp_path / "upload.jpg")
    monkeypatch.chdir(tmp_path)
    exec(code.replace("127.0.0.1:50051", node))  # noqa: S102 (our own README)
    assert "hashsvc/test#1 sha256 0 research" in capsys.readouterr().out


def test_the_settings_example_loads(tmp_path: Path) -> None:
    """Every key exists, in all of them."""
    found = []
    for number, text in enumerate(blocks("toml")):
        file = tmp_path / f"{number}.toml"
        file.write_text(text)
        found.append(load(file, {}))
    assert found[0].peers[0].address == "hub.example:50051"
    assert found[1].policy.rules[0].lists == {"acme/known"}


def test_every_command_and_option_shown_exists() -> None:
    """In the console examples and in the table."""
    shown = re.findall(r"^\$ (?:\.venv/bin/)?hashsvc ([^\n]*)", README, re.MULTILINE)
    shown += re.findall(r"`hashsvc ([^`]*)`", README)
    assert len(shown) > 10
    helps: dict[tuple[str, ...], str] = {}
    for command in shown:
        first, *words = command.split()
        is_group = first in GROUPS and words and not words[0].startswith("-")
        verb = (first, words[0]) if is_group else (first,)
        if verb not in helps:
            done = hashsvc(*verb, "--help")
            assert done.returncode == 0, command
            helps[verb] = done.stdout
        for word in words:
            if word.startswith("--"):
                assert word in helps[verb], command


def test_files_that_the_docs_link_to_exist() -> None:
    """Relative links of all pages at the root."""
    for page in ROOT.glob("*.md"):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text()):
            assert (ROOT / target).exists(), f"{page.name}: {target}"
