"""Holds what comes of a list's log against its key and against what is held already. No I/O.

Nothing is believed because of who sent it. A batch of places counts once a checkpoint over them is
signed by the list's key, and has the root that these places make with those before them. So a log
that shrinks, forks, changes what was, or is signed by another key, is refused whole.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from hashsvc.errors import LogBehind, LogRefused, NoteError, ProofError
from hashsvc.lists.keychain import Keychain
from hashsvc.lists.logs import SALT_BYTES, origin, record_leaf
from hashsvc.lists.merkle import HASH_BYTES, verify_inclusion
from hashsvc.lists.notes import Checkpoint, peek_checkpoint
from hashsvc.lists.tiles import RightEdge, Tile
from hashsvc.model_sync import Ahead, Leaf, Leaves, Signed, Started

MAX_PENDING_LEAVES = 50_000
MAX_PENDING_BYTES = 256 << 20
"""What may come between two checkpoints, so that a sender without end is bounded."""


@dataclass(frozen=True, slots=True)
class Verified:
    """Places of a log that a checkpoint covers: those from `first` on, and what the tree becomes.

    `key` is the public key that signed it, as one word.
    """

    first: int
    leaves: Sequence[Leaf]
    edge: RightEdge
    tiles: Sequence[Tile]
    checkpoint: Checkpoint
    note: bytes
    key: str


class LogVerifier:
    """Follows one list's log from a tree that was verified before. Not for use by several threads.

    `pinned` is the public key that is trusted, as one word; it may be any that the list had. `edge`
    is that of the tree so far, `root_at` gives its root at a smaller size. `promises` are
    checkpoints under which records were taken ahead. `roots` will have the tree's roots at the
    sizes `watched`, as far as it gets.
    """

    def __init__(
        self,
        list_name: str,
        pinned: str,
        edge: RightEdge,
        root_at: Callable[[int], bytes],
        promises: Iterable[bytes] = (),
        watched: Iterable[int] = (),
    ) -> None:
        self._list_name = list_name
        self._pinned = pinned
        self._edge = edge
        self._root_at = root_at
        self._promises = {peek_checkpoint(note).size: note for note in promises}
        self._watched = set(watched)
        self.roots: dict[int, bytes] = {}
        self._keys: Keychain | None = None
        self._statements: list[str] = []
        self._pending: list[tuple[Leaf, bytes]] = []
        self._pending_bytes = 0

    @property
    def size(self) -> int:
        """Places that are verified."""
        return self._edge.size

    @property
    def keys(self) -> Keychain:
        """The list's keys, once a stream has started."""
        if self._keys is None:
            raise LogRefused("the stream does not begin with where the log stands")
        return self._keys

    @property
    def rotations(self) -> list[tuple[int, str]]:
        """The places and statements by which the key was replaced, as the sender has them."""
        places = [since - 1 for since, _ in self.keys.keys[1:]]
        return list(zip(places, self._statements, strict=True))

    def start(self, started: Started) -> Checkpoint:
        """Begin a stream; return the newest checkpoint that the sender has.

        Raises:
            LogRefused: its keys do not lead to the pinned one, or it is not of the same log.
            LogBehind: the sender has less than is held here.
        """
        self._pending, self._pending_bytes = [], 0
        try:
            keys = Keychain.read(origin(self._list_name), started.first_key, started.rotations)
        except NoteError as error:
            raise LogRefused(f"its keys are not sound: {error}", offered=started.head) from error
        if not keys.holds(self._pinned):
            raise LogRefused("its key is not the pinned one", offered=started.head)
        self._keys, self._statements = keys, list(started.rotations)
        head = self._open(started.head)
        if head.size <= self.size and head.root != self._root_at(head.size):
            raise LogRefused(
                f"its first {head.size} records are not those that are held", offered=started.head
            )
        if head.size < self.size:
            if started.is_home:
                text = f"it shrank from {self.size} records to {head.size}"
                raise LogRefused(text, offered=started.head)
            raise LogBehind(f"the source has {head.size} records of the {self.size} held here")
        return head

    def rotated(self, statement: str) -> None:
        """Learn of another key.

        Raises:
            LogRefused: the statement is not sound.
        """
        try:
            self._keys = self.keys.rotated(statement)
            self._statements.append(statement)
        except NoteError as error:
            raise LogRefused(f"its keys are not sound: {error}") from error

    def check_held(self, note: bytes) -> int:
        """Return the size of a checkpoint of places that were verified before.

        Raises:
            LogRefused: it is not good, or not of these places; or of more than these.
        """
        checkpoint = self._open(note)
        if checkpoint.size > self.size or checkpoint.root != self._root_at(checkpoint.size):
            text = f"its first {checkpoint.size} records are not those that are held"
            raise LogRefused(text, offered=note)
        return checkpoint.size

    def take(self, leaves: Leaves) -> None:
        """Keep places until a checkpoint covers them.

        Raises:
            LogRefused: they do not follow, are malformed, or too many.
        """
        if leaves.first != self.size + len(self._pending):
            raise LogRefused(f"place {leaves.first} does not follow what came before")
        for leaf in leaves.leaves:
            self._pending.append((leaf, leaf_hash_of(leaf)))
            self._pending_bytes += len(leaf.body)
        if len(self._pending) > MAX_PENDING_LEAVES or self._pending_bytes > MAX_PENDING_BYTES:
            raise LogRefused("too much comes without a checkpoint")

    def close(self, signed: Signed) -> Verified:
        """Return what a checkpoint covers; `commit` it once it is applied.

        Raises:
            LogRefused: the checkpoint is not good, or not over these places.
        """
        checkpoint = self._open(signed.note)
        if checkpoint.size != self.size + len(self._pending) or not self._pending:
            raise LogRefused(
                f"a checkpoint of {checkpoint.size} records came after "
                f"{self.size + len(self._pending)}",
                offered=signed.note,
            )
        edge, tiles = self._grown(checkpoint, signed.note)
        leaves = [leaf for leaf, _ in self._pending]
        key = self.keys.at(checkpoint.size).encode()
        return Verified(self.size, leaves, edge, tiles, checkpoint, signed.note, key)

    def commit(self, verified: Verified) -> None:
        """Go on from what was applied."""
        self._edge = verified.edge
        self._pending, self._pending_bytes = [], 0
        self._promises = {s: one for s, one in self._promises.items() if s > verified.edge.size}

    def ahead(self, message: Ahead) -> Checkpoint:
        """Return the checkpoint that covers a record which comes ahead of its turn.

        Raises:
            LogRefused: that is not proven.
        """
        checkpoint = self._open(message.note)
        self._check_promise(checkpoint, message.note)
        if checkpoint.size < self.size or len(message.salt) != SALT_BYTES:
            raise LogRefused("a record ahead of its turn is malformed", offered=message.note)
        if checkpoint.size == self.size and checkpoint.root != self._edge.root():
            raise LogRefused("a record ahead of its turn is not of this log", offered=message.note)
        leaf = record_leaf(message.salt, message.body)
        try:
            verify_inclusion(leaf, message.place, checkpoint.size, message.proof, checkpoint.root)
        except ProofError as error:
            text = f"a record ahead of its turn is not proven: {error}"
            raise LogRefused(text, offered=message.note) from error
        if checkpoint.size > self.size:
            self._promises[checkpoint.size] = message.note
        return checkpoint

    def _grown(self, checkpoint: Checkpoint, note: bytes) -> tuple[RightEdge, list[Tile]]:
        """Return the tree with what is pending, and its tiles that change."""
        self._check_promise(checkpoint, note)
        hashes = [leaf for _, leaf in self._pending]
        edge, tiles = self._edge, dict[tuple[int, int], Tile]()
        due = {**self._promises, checkpoint.size: note}
        roots: dict[int, bytes] = {}
        for size in sorted(s for s in {*due} | self._watched if self.size < s <= checkpoint.size):
            edge, some = edge.append(hashes[edge.size - self.size : size - self.size])
            tiles |= {(tile.level, tile.index): tile for tile in some}
            roots[size] = edge.root()
            if size in due and roots[size] != peek_checkpoint(due[size]).root:
                raise LogRefused(
                    f"the first {size} records are not those of a checkpoint",
                    offered=note,
                    held=self._promises.get(size, b""),
                )
        self.roots |= {size: root for size, root in roots.items() if size in self._watched}
        return edge, list(tiles.values())

    def _check_promise(self, checkpoint: Checkpoint, note: bytes) -> None:
        """Refuse a second checkpoint of a size that says something else."""
        promised = self._promises.get(checkpoint.size)
        if promised is not None and peek_checkpoint(promised) != checkpoint:
            raise LogRefused("two checkpoints of one size differ", offered=note, held=promised)

    def _open(self, note: bytes) -> Checkpoint:
        try:
            return self.keys.open(note)
        except NoteError as error:
            raise LogRefused(f"its checkpoint is not good: {error}", offered=note) from error


def leaf_hash_of(leaf: Leaf) -> bytes:
    """Return the leaf hash, 32 bytes, of one place.

    Raises:
        LogRefused: it is malformed.
    """
    if leaf.salt:
        if len(leaf.salt) != SALT_BYTES or leaf.hash:
            raise LogRefused("a record of the log is malformed")
        return record_leaf(leaf.salt, leaf.body)
    if len(leaf.hash) != HASH_BYTES or leaf.body:
        raise LogRefused("a place of the log is malformed")
    return leaf.hash
