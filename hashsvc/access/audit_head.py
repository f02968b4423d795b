"""The head of the audit log's tree: who keeps one can tell later whether the log was changed."""

from collections.abc import Iterable
from dataclasses import dataclass

from hashsvc.errors import ProofError
from hashsvc.lists.merkle import Frontier, leaf_hash


@dataclass(frozen=True, slots=True)
class Head:
    """The number of records, and the root of the tree over them: 32 bytes."""

    size: int
    root: bytes


def verify(records: Iterable[bytes], head: Head) -> None:
    """Hold records, from the first on, against a head that was noted when there were `head.size`.

    Raises:
        ProofError: there are fewer, or they are not those of the head.
    """
    frontier = Frontier()
    for body in records:
        if frontier.size == head.size:
            break
        frontier.append(leaf_hash(body))
    if frontier.size < head.size:
        raise ProofError(f"there are {frontier.size} records, not {head.size}")
    if frontier.root() != head.root:
        raise ProofError(f"the first {head.size} records are not those of this head")
