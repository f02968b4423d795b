"""Takes a bundle into this node's copy of a list: what it holds is what a source would send.

Unlike a source, a bundle may come late, again, or overlap with what is held. What is held already
is held against it and passed over; the rest goes the way of all that comes.
"""

from hashsvc.errors import LogRefused, NoteError
from hashsvc.lists.notes import peek_checkpoint
from hashsvc.lists.replica import Replica
from hashsvc.model_sync import Ahead, FollowMessage, Leaves, Signed, Started

MAX_MESSAGES = 1_000_000
"""Messages of one bundle."""


class Intake:
    """One bundle on its way into a replica. Used by one thread at a time.

    `key` is a public key that it must be signed under beside the pinned one; empty for none.
    """

    def __init__(self, replica: Replica, key: str) -> None:
        self._replica = replica
        self._key = key
        self._messages = 0
        self.head_size = 0
        self.is_started = False
        self.is_older = False

    def receive(self, message: FollowMessage) -> None:
        """Take one message in; once `is_older`, the rest need not be read.

        Raises:
            LogRefused: it does not verify, or is not what is held; nothing of it was applied.
        """
        self._messages += 1
        if self._messages > MAX_MESSAGES:
            raise LogRefused(f"it has more than {MAX_MESSAGES:,} messages")
        size = self._replica.size
        match message:
            case Started():
                self._start(message)
            case Leaves(first=first, leaves=leaves) if first < size:
                held = Leaves(first, leaves[: size - first])
                self._check_started()
                self._replica.check_held(held)
                if len(leaves) > size - first:
                    self._replica.receive(Leaves(size, leaves[size - first :]))
            case Signed(note=note) | Ahead(note=note) if _size(note) <= size:
                self._check_started()
                if isinstance(message, Signed):
                    self._replica.check_held(message)
                elif _size(note) == size:
                    self._replica.receive(message)
            case _:
                self._check_started()
                self._replica.receive(message)

    def finish(self) -> None:
        """Note that nothing more comes.

        Raises:
            LogRefused: the bundle does not go as far as it says.
        """
        self._check_started()
        if not self.is_older and self._replica.size < self.head_size:
            raise LogRefused(
                f"the bundle was cut: it says that it goes up to {self.head_size:,} records, "
                f"and {self._replica.size:,} are verified"
            )

    def _start(self, started: Started) -> None:
        if self.is_started:
            raise LogRefused("it starts twice", offered=started.head)
        head_size = _size(started.head)
        # A bundle that is behind is old; that is not the list's home taking something back.
        if head_size < self._replica.size:
            self._check_older(started.head)
            self.is_older = True
        else:
            self._replica.receive(started)
            if self._key and not self._replica.keys.holds(self._key):
                raise LogRefused("it is not signed under the key given", offered=started.head)
        self.head_size = head_size
        self.is_started = True

    def _check_older(self, head: bytes) -> None:
        """Hold the newest checkpoint of an older bundle against what is held.

        Its keys may end before the one that is pinned, so it is opened with those that are held.
        """
        try:
            keys = self._replica.held_keys()
            if keys is None or (self._key and not keys.holds(self._key)):
                raise LogRefused("the list is not held under the key given", offered=head)
            checkpoint = keys.open(head)
        except NoteError as error:
            raise LogRefused(f"its checkpoint is not good: {error}", offered=head) from error
        if not self._replica.is_of_log(checkpoint):
            text = f"its first {checkpoint.size} records are not those that are held"
            raise LogRefused(text, offered=head)

    def _check_started(self) -> None:
        if not self.is_started:
            raise LogRefused("the bundle does not begin with where the log stands")


def _size(note: bytes) -> int:
    """Return the size that a checkpoint says it is of."""
    try:
        return peek_checkpoint(note).size
    except NoteError as error:
        raise LogRefused(f"its checkpoint is not good: {error}", offered=note) from error
