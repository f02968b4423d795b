"""A desk for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.matching.desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk without entries."""
    made = Desk(tmp_path)
    yield made
    made.store.close()
