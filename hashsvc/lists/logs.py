"""Lists' signed logs: the tree over a list's records, and the checkpoints that its owner signs.

A leaf commits to SHA-256(salt, record bytes), so that the bytes and the salt of a record can be
erased, or kept from some readers, while the tree stays the same (RFC 6962, `merkle`, `tiles`).
After every transaction a checkpoint of the list is signed as a C2SP tlog-checkpoint (`notes`).
"""

import hashlib
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from hashsvc.errors import PreconditionFailed, ProofError, StoreError
from hashsvc.lists.keys import Signer, load_key, load_or_make_key
from hashsvc.lists.merkle import leaf_hash
from hashsvc.lists.notes import Checkpoint, sign_checkpoint
from hashsvc.lists.rules import is_name_part
from hashsvc.lists.tiles import RightEdge, Tile
from hashsvc.model import Change
from hashsvc.store.store import Store
from hashsvc.store.transaction import Growth, Record, WriteTransaction

SALT_BYTES = 16

_RECORDS_PER_READ = 10_000


def origin(list_name: str) -> str:
    """Return the name of a list's log in its checkpoints, which is its key's name too."""
    return f"hashsvc/{list_name}"


def record_leaf(salt: bytes, body: bytes) -> bytes:
    """Return the leaf hash, 32 bytes, of a record."""
    return leaf_hash(hashlib.sha256(salt + body).digest())


class ListKeys:
    """The private keys of the lists that are kept at this node, a file each: partner/list.pem."""

    def __init__(self, folder: Path, *, passphrase: bytes | None = None) -> None:
        self._folder = folder
        self._passphrase = passphrase
        self._signers: dict[str, Signer] = {}

    def load_all(self) -> None:
        """Load every key that is here, so that one that cannot be used is found at start.

        Raises:
            ConfigError: a file cannot be used.
        """
        for path in sorted(self._folder.glob("*/*.pem")):
            if is_name_part(path.parent.name) and is_name_part(path.stem):
                self.signer(f"{path.parent.name}/{path.stem}")

    def signer(self, list_name: str) -> Signer | None:
        """Return the signer of a list; None for one whose key is not here.

        Raises:
            ConfigError: its file cannot be used.
        """
        found = self._signers.get(list_name)
        if found is None and self._path(list_name).exists():
            found = load_key(self._path(list_name), origin(list_name), passphrase=self._passphrase)
            self._signers[list_name] = found
        return found

    def make(self, list_name: str) -> Signer:
        """Return the signer of a list, with a new key if there is none: it is on the disk then.

        Raises:
            ConfigError: the key's file cannot be used, or written.
        """
        found = self.signer(list_name)
        if found is None:
            found = self._signers[list_name] = load_or_make_key(
                self._path(list_name), origin(list_name), passphrase=self._passphrase
            )
        return found

    def _path(self, list_name: str) -> Path:
        return self._folder / f"{list_name}.pem"


class SignedLogs:
    """Appends to lists' logs within write transactions. Used by one thread at a time.

    `forget` must follow a transaction that failed.
    """

    def __init__(self, keys: ListKeys) -> None:
        self._keys = keys
        self._edges: dict[str, RightEdge] = {}

    def create(self, tx: WriteTransaction, list_name: str, record: tuple[Change, bytes]) -> None:
        """Start a list's log with the record that describes it, under a key of its own.

        Raises:
            ConfigError: the key cannot be written.
        """
        self._append(tx, list_name, 0, [record], self._keys.make(list_name))

    def append(
        self, tx: WriteTransaction, list_name: str, size: int, log: Sequence[tuple[Change, bytes]]
    ) -> None:
        """Append changes, each with its record bytes, to a list that has `size` records.

        Raises:
            PreconditionFailed: the list is not kept at this node.
            ConfigError: its key cannot be used.
        """
        signer = self._keys.signer(list_name)
        if signer is None:
            raise PreconditionFailed(
                f"the key of {list_name} is not at this node: change the list where it is kept",
                metadata={"list": list_name},
            )
        self._append(tx, list_name, size, log, signer)

    def forget(self) -> None:
        """Read every tree again from the store."""
        self._edges.clear()

    def sign_unsigned(self, store: Store) -> None:
        """Make the tree and the checkpoint of lists from before there were any.

        Raises:
            ConfigError: a key cannot be used.
        """
        for name in store.unsigned_lists():
            edge, tiles = RightEdge(), {}
            while records := store.list_records(name, edge.size, _RECORDS_PER_READ):
                edge, some = edge.append([record_leaf(r.salt, r.body) for r in records])
                tiles.update({(tile.level, tile.index): tile for tile in some})
            growth = _growth(name, edge, list(tiles.values()), self._keys.make(name))
            with store.write() as tx:
                tx.sign(name, growth)

    def _append(
        self,
        tx: WriteTransaction,
        list_name: str,
        size: int,
        log: Sequence[tuple[Change, bytes]],
        signer: Signer,
    ) -> None:
        edge = self._edges.get(list_name)
        if edge is None or edge.size != size:
            try:
                edge = RightEdge.read(partial(tx.read_tile, list_name), size)
            except ProofError as error:
                raise StoreError(f"the log of {list_name} is damaged: {error}") from error
        salts = os.urandom(SALT_BYTES * len(log))
        records = [
            Record(change, body, salts[i * SALT_BYTES : (i + 1) * SALT_BYTES])
            for i, (change, body) in enumerate(log)
        ]
        edge, tiles = edge.append([record_leaf(r.salt, r.body) for r in records])
        tx.append(list_name, records, _growth(list_name, edge, tiles, signer))
        self._edges[list_name] = edge


def _growth(list_name: str, edge: RightEdge, tiles: Sequence[Tile], signer: Signer) -> Growth:
    checkpoint = Checkpoint(origin(list_name), edge.size, edge.root())
    changed = [(tile.level, tile.index, tile.hashes) for tile in tiles]
    return Growth(changed, sign_checkpoint(checkpoint, signer))
