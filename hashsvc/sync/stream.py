"""One follower's way through a list's log, at the node that hands it out."""

from collections.abc import Sequence

from hashsvc.errors import LogBehind
from hashsvc.lists.feed import Feed, Reader
from hashsvc.lists.notes import peek_checkpoint
from hashsvc.model_sync import Ahead, FollowMessage, Leaf, Leaves, Rotated, Signed, Started

_CHUNK_BYTES = 1 << 20
_LEAF_BYTES = 64
# Urgent records that are read at once, and that one stream remembers to have sent.
_URGENT, _MOST_SENT = 100, 20_000


class LogStream:
    """Gives what there is of a log, from `size` on, each place once. Not for several threads."""

    def __init__(self, feed: Feed, list_name: str, size: int) -> None:
        self._feed = feed
        self._list = list_name
        self._sent: set[int] = set()
        self._rotations = 0
        self.size = size

    def start(self) -> Started:
        """Say where the log stands.

        Raises:
            NotFound: there is no such list.
            LogBehind: this node has less than the follower, and is not the list's home.
        """
        started = self._feed.started(self._list)
        self._rotations = len(started.rotations)
        head = peek_checkpoint(started.head)
        if head.size < self.size and not started.is_home:
            raise LogBehind(
                f"this node has {head.size:,} records of {self._list}",
                metadata={"list": self._list},
            )
        return started

    def more(self, reader: Reader) -> list[FollowMessage]:
        """Give what there is now for a reader: urgent records, and places up to some checkpoint.

        Nothing means that there is no more for now.
        """
        urgent: list[Ahead] = []
        if self.size and len(self._sent) < _MOST_SENT:
            urgent = self._feed.urgent(self._list, self.size, self._sent, _URGENT, reader)
        found = self._feed.next_checkpoint(self._list, self.size)
        messages: list[FollowMessage] = [*self._rotated(), *urgent]
        if found is not None:
            messages += self._until(*found, reader)
        return messages

    def _until(self, end: int, note: bytes, reader: Reader) -> list[FollowMessage]:
        """Give the places up to a checkpoint, and what it makes a reader take of those before."""
        leaves, late = self._feed.leaves(self._list, self.size, end, reader)
        messages: list[FollowMessage] = [
            Leaves(first, tuple(some)) for first, some in _chunks(self.size, leaves)
        ]
        head = peek_checkpoint(self._feed.checkpoint(self._list))
        messages.append(Signed(note, head.size))
        self.size = end
        self._sent = {place for place in self._sent if place >= end}
        if late:
            everything = Reader(reader.partner, reader.may_see)
            urgent = self._feed.ahead(self._list, late, set(), everything)
            messages += [*self._rotated(), *urgent]
        return messages

    def _rotated(self) -> list[Rotated]:
        """Return what is new of the list's keys: read after a note and told before it, so that the
        key that signed the note is known."""
        rotations = self._feed.rotations(self._list)
        new = rotations[self._rotations :]
        self._rotations = len(rotations)
        return [Rotated(statement) for statement in new]


def _chunks(first: int, leaves: Sequence[Leaf]) -> list[tuple[int, list[Leaf]]]:
    """Cut places into messages of a sensible size."""
    chunks: list[tuple[int, list[Leaf]]] = []
    size = _CHUNK_BYTES
    for place, leaf in enumerate(leaves, first):
        if size >= _CHUNK_BYTES:
            chunks.append((place, []))
            size = 0
        chunks[-1][1].append(leaf)
        size += len(leaf.body) + _LEAF_BYTES
    return chunks
