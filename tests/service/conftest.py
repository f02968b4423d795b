"""Fixtures of the tests over gRPC."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.footage import Studio
from tests.service.town import Town, running_town


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """A node with authentication, partners and two lists."""
    with running_town(tmp_path / "data") as made:
        yield made


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """What makes clips."""
    return Studio(tmp_path_factory.mktemp("studio"))
