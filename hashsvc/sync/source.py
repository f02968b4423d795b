"""The seam between following a list and where it comes from: another node, a file, a test."""

from collections.abc import AsyncGenerator
from typing import Protocol

from hashsvc.errors import HashsvcError
from hashsvc.model_sync import FollowMessage, Wanted


class SourceLost(HashsvcError):
    """The source cannot be reached, went away, or refuses this node; it may be tried again."""

    reason = "SOURCE_UNAVAILABLE"


class Source(Protocol):
    """Where a list's log comes from. What it gives is not trusted."""

    def follow(self, wanted: Wanted) -> AsyncGenerator[FollowMessage, None]:
        """Give a list's log from a size on, `Started` first; ends only where it was asked to.

        Raises:
            SourceLost: it cannot, or cannot any more.
        """
