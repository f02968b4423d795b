"""Runs a benchmark as the command line does."""

import json
from pathlib import Path
from typing import Any

from benchmarks.__main__ import main


def rows_of(tmp_path: Path, *arguments: str) -> list[dict[str, Any]]:
    """Run one benchmark and return the rows of its JSON file."""
    path = tmp_path / "results.json"
    assert main([*arguments, "--seed", "7", "--json", str(path)]) == 0
    document = json.loads(path.read_text())
    assert document["environment"]["seed"] == 7
    rows: list[dict[str, Any]] = document["rows"]
    return rows
