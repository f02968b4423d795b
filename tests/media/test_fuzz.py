"""Mutated real media, for a bounded time; `python -m tests.media.fuzz` goes on for longer."""

from pathlib import Path

from tests.media.fuzz import fuzz, seeds

INPUTS = 600


async def test_every_input_ends_in_fingerprints_or_a_named_error(tmp_path: Path) -> None:
    """Whatever it does to its worker; the pool serves on."""
    outcomes = await fuzz(seeds(tmp_path), INPUTS, seed=20261124, workers=2)
    assert outcomes.total() - outcomes["workers replaced"] == INPUTS
    assert outcomes["fingerprints of image"] > INPUTS / 20
    assert outcomes["MEDIA_UNREADABLE"] > INPUTS / 20
