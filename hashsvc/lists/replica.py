"""This node's copy of a list of another: what comes is verified, then applied at once."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

import structlog

from hashsvc.errors import LogRefused, NoteError, StoreError
from hashsvc.lists import rules
from hashsvc.lists.keychain import Keychain, first_key_of
from hashsvc.lists.ledger import Ledger
from hashsvc.lists.logs import origin, tile_rows
from hashsvc.lists.merkle import HASH_BYTES, tree_root
from hashsvc.lists.notes import Checkpoint
from hashsvc.lists.tiles import RightEdge, TileNodes
from hashsvc.lists.verifying import LogVerifier, Verified, leaf_hash_of
from hashsvc.model import Change, KeyRotated, ListDescribed
from hashsvc.model_sync import (
    Ahead,
    FollowMessage,
    Heartbeat,
    Leaf,
    Leaves,
    Rotated,
    Signed,
    Started,
)
from hashsvc.store.projection import Record
from hashsvc.store.store import Store
from hashsvc.store.transaction import Growth, WriteTransaction

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Progress:
    """What a message led to: `size` records are applied of `head_size`."""

    size: int
    head_size: int


class Replica:
    """The copy of one list. Used by one thread at a time; opened anew after any error.

    `pinned` is the list's public key that is trusted, as one word.
    """

    def __init__(self, store: Store, ledger: Ledger, list_name: str, pinned: str) -> None:
        self._store = store
        self._ledger = ledger
        self._list_name = list_name
        hash_list = store.get_list(list_name)
        size = 0 if hash_list is None else hash_list.size
        self._read_tile = partial(store.logs.read_tile, list_name)
        self._nodes = TileNodes(self._read_tile, size), size
        promises = store.logs.promises(list_name)
        edge = RightEdge.read(self._read_tile, size)
        self._verifier = LogVerifier(list_name, pinned, edge, self._root_at, promises)
        self._head_size = size
        self._held_note = store.logs.checkpoint(list_name) or b""

    @property
    def size(self) -> int:
        """Records that are verified and applied."""
        return self._verifier.size

    @property
    def held_note(self) -> bytes:
        """The newest checkpoint that was applied; empty for none."""
        return self._held_note

    @property
    def keys(self) -> Keychain:
        """The list's keys, once a stream has started."""
        return self._verifier.keys

    def held_keys(self) -> Keychain | None:
        """The list's keys as they are held; None where nothing is.

        Raises:
            NoteError: they are damaged.
        """
        hash_list = self._store.get_list(self._list_name)
        if hash_list is None:
            return None
        rotations = [one for _, one in self._store.logs.rotations(self._list_name)]
        first_key = first_key_of(hash_list.key, rotations)
        return Keychain.read(origin(self._list_name), first_key, rotations)

    def check_held(self, message: Leaves | Signed) -> None:
        """Hold places, or a checkpoint, that were applied before against what is held.

        Raises:
            LogRefused: they are not the same.
        """
        if isinstance(message, Signed):
            self._verifier.check_held(message.note)
            return
        if message.first < 0:
            raise LogRefused(f"place {message.first} is none of a log")
        for place, leaf in enumerate(message.leaves, message.first):
            if leaf_hash_of(leaf) != self._tree().node(0, place):
                raise LogRefused(f"the record at place {place} is not the one that is held")

    def is_of_log(self, checkpoint: Checkpoint) -> bool:
        """Tell whether a checkpoint of at most what is held is one of this tree."""
        return checkpoint.size <= self.size and self._root_at(checkpoint.size) == checkpoint.root

    def _root_at(self, size: int) -> bytes:
        return tree_root(self._tree(), size)

    def _tree(self) -> TileNodes:
        nodes, size = self._nodes
        if size != self.size:
            nodes = TileNodes(self._read_tile, self.size)
            self._nodes = nodes, self.size
        return nodes

    def receive(self, message: FollowMessage) -> Progress:
        """Take one message of the list's log in.

        Raises:
            LogRefused: it does not verify; nothing of it was applied.
            LogBehind: the source has less than is held here.
        """
        match message:
            case Started():
                self._head_size = self._verifier.start(message).size
                self._check_held_key(message.head)
            case Rotated(statement=statement):
                self._verifier.rotated(statement)
            case Leaves():
                self._verifier.take(message)
            case Signed(head_size=head_size):
                self._apply(self._verifier.close(message))
                self._head_size = max(head_size, self.size)
            case Ahead():
                self._apply_ahead(message)
            case Heartbeat(head_size=head_size):
                self._head_size = max(head_size, self.size)
        return Progress(self.size, self._head_size)

    def _check_held_key(self, offered: bytes) -> None:
        """Refuse keys by which the checkpoint that is held would be another's."""
        if not self._held_note:
            return
        try:
            self._verifier.keys.open(self._held_note)
        except NoteError as error:
            text = f"its keys are not those of what is held: {error}"
            raise LogRefused(text, offered=offered) from error

    def _apply(self, verified: Verified) -> None:
        first, end = verified.first, verified.checkpoint.size
        said = [
            (place, leaf, rules.read_record(leaf.body, place))
            for place, leaf in enumerate(verified.leaves, first)
            if leaf.salt
        ]
        self._check_described(first, said, verified.note)
        self._check_rotations(first, end, said, verified.note)
        growth = Growth(end, tile_rows(verified.tiles), verified.note, verified.key)

        def apply(tx: WriteTransaction) -> None:
            if first == 0:
                rules.check_room_for_list(tx.count_lists())
            held = tx.held_places(self._list_name, first, end)
            records = [
                Record(place, change, leaf.body, leaf.salt)
                for place, leaf, change in said
                if place not in held
            ]
            now = self._ledger.now()
            tx.append(self._list_name, records, growth, now)
            tx.pass_ahead(self._list_name, end)
            tx.note_verified(self._list_name, now)

        self._ledger.take_in(self._list_name, apply)
        self._verifier.commit(verified)
        self._held_note = verified.note
        self._tell_of_unknown(change for _, _, change in said)

    def _apply_ahead(self, message: Ahead) -> None:
        """Apply a record before its turn, if it is not held already."""
        checkpoint = self._verifier.ahead(message)
        if not self.size:
            raise LogRefused("a record came ahead of what describes the list")
        change = rules.read_record(message.body, message.place)
        record = Record(message.place, change, message.body, message.salt, is_urgent=True)

        def apply(tx: WriteTransaction) -> None:
            if tx.held_places(self._list_name, message.place, message.place + 1):
                return
            tx.append(self._list_name, [record], None, self._ledger.now())
            if message.place >= self.size:
                proof = b"".join(message.proof)
                signed = (checkpoint.size, message.note)
                tx.keep_ahead(self._list_name, message.place, signed, proof)
                # Whoever is passed this needs the key that signed it, of which the log tells later.
                tx.keep_rotations(self._list_name, self._verifier.rotations)

        self._ledger.take_in(self._list_name, apply)

    def _check_described(
        self, first: int, said: list[tuple[int, Leaf, Change | None]], note: bytes
    ) -> None:
        if first == 0 and not (said and said[0][0] == 0 and isinstance(said[0][2], ListDescribed)):
            raise LogRefused("its first record does not describe the list", offered=note)

    def _check_rotations(
        self, first: int, end: int, said: list[tuple[int, Leaf, Change | None]], note: bytes
    ) -> None:
        """Hold the keys that the source named against those that the log names."""
        found = {place for place, _, change in said if isinstance(change, KeyRotated)}
        if found != self._verifier.keys.places(first, end):
            raise LogRefused("its keys are not those that the log names", offered=note)

    def _tell_of_unknown(self, changes: Iterable[Change | None]) -> None:
        if unknown := sum(change is None for change in changes):
            _log.warning("records not understood", list=self._list_name, records=unknown)


def proof_hashes(proof: bytes) -> tuple[bytes, ...]:
    """Return the hashes of a proof as the store keeps it.

    Raises:
        StoreError: it is damaged.
    """
    if len(proof) % HASH_BYTES:
        raise StoreError(f"a proof has {len(proof)} bytes, which is not whole hashes")
    return tuple(proof[at : at + HASH_BYTES] for at in range(0, len(proof), HASH_BYTES))
