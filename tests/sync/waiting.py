"""Waiting for what other threads and processes do, by asking again."""

import time
from collections.abc import Callable

from hashsvc.model_sync import FollowState, FollowStatus
from hashsvc_client import Client
from hashsvc_client.admin import AdminClient
from tests.harness import pdq_draft

_LIMIT_S = 60.0


def until(holds: Callable[[], object]) -> None:
    """Ask until something holds; far beyond what is expected, give up."""
    end = time.monotonic() + _LIMIT_S
    while not holds():
        assert time.monotonic() < end, "it never came to hold"
        time.sleep(0.01)


def followed(address: str, list_name: str) -> FollowStatus:
    """How a list stands at a node."""
    with AdminClient(address) as admin:
        return next(s for s in admin.followed() if s.subscription.list_name == list_name)


def until_state(address: str, list_name: str, state: FollowState, size: int = 0) -> FollowStatus:
    """Wait until a list stands so at a node, with so many records at least."""
    found: list[FollowStatus] = []

    def holds() -> bool:
        found[:] = [followed(address, list_name)]
        return found[0].state is state and found[0].size >= size

    until(holds)
    return found[0]


def is_known(address: str, number: int) -> bool:
    """Tell whether what `pdq_draft` makes of a number matches at a node."""
    with Client(address) as client:
        return bool(client.check(pdq_draft(number).fingerprints).matches)
