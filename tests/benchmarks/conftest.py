"""What makes benchmarks cheap that are run for their answers, not for their times."""

from collections.abc import Iterator

import pytest

from benchmarks import node, noise


@pytest.fixture(autouse=True, scope="module")
def _cheap() -> Iterator[None]:
    """A short look at the machine's noise, and nodes that start decoders when they need them."""
    real = node.environ
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(noise, "_LARGE", noise._SMALL)
        patch.setattr(noise, "_ROUNDS", 4)
        patch.setattr(node, "environ", lambda: {**real(), "HASHSVC_DECODING__KEEP_READY": "0"})
        yield
