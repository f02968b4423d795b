"""Lists' signed logs: the tree over a list's records, and the checkpoints that its owner signs.

A leaf commits to SHA-256(salt, record bytes), so that the bytes and the salt of a record can be
erased, or kept from some readers, while the tree stays the same (RFC 6962, `merkle`, `tiles`).
After every transaction a checkpoint of the list is signed as a C2SP tlog-checkpoint (`notes`).
"""

import hashlib
import os
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from hashsvc.errors import PreconditionFailed, ProofError, StoreError
from hashsvc.lists.keychain import Rotation
from hashsvc.lists.keys import Signer, load_key, load_or_make_key, save_key
from hashsvc.lists.merkle import leaf_hash
from hashsvc.lists.notes import Checkpoint, sign_checkpoint
from hashsvc.lists.rules import is_name_part
from hashsvc.lists.tiles import RightEdge, Tile
from hashsvc.model import Change, HashList, KeyRotated
from hashsvc.store import records
from hashsvc.store.projection import Record
from hashsvc.store.store import Store
from hashsvc.store.transaction import Growth, WriteTransaction

SALT_BYTES = 16

_RECORDS_PER_READ = 10_000


def origin(list_name: str) -> str:
    """Return the name of a list's log in its checkpoints, which is its key's name too."""
    return f"hashsvc/{list_name}"


def record_leaf(salt: bytes, body: bytes) -> bytes:
    """Return the leaf hash, 32 bytes, of a record."""
    return leaf_hash(hashlib.sha256(salt + body).digest())


class ListKeys:
    """The private keys of the lists that are kept at this node.

    A list's first key is in the file partner/list.pem, later ones in partner/list.<id>.pem.
    """

    def __init__(self, folder: Path, *, passphrase: bytes | None = None) -> None:
        self._folder = folder
        self._passphrase = passphrase
        self._signers: dict[str, dict[str, Signer]] = {}

    def load_all(self) -> None:
        """Load every key that is here, so that one that cannot be used is found at start.

        Raises:
            ConfigError: a file cannot be used.
        """
        for path in sorted(self._folder.glob("*/*.pem")):
            name = path.name.partition(".")[0]
            if is_name_part(path.parent.name) and is_name_part(name):
                list_name = f"{path.parent.name}/{name}"
                if list_name not in self._signers:
                    self._signers[list_name] = self._load(list_name)

    def signer(self, list_name: str, key: str) -> Signer | None:
        """Return who signs with a list's public key, given as one word; None if it is not here.

        Raises:
            ConfigError: a file cannot be used.
        """
        found = self._signers.get(list_name, {}).get(key)
        if found is None:
            self._signers[list_name] = self._load(list_name)
            found = self._signers[list_name].get(key)
        return found

    def first(self, list_name: str) -> Signer:
        """Return who signs with a list's first key; a new one if there is none, on the disk then.

        Raises:
            ConfigError: the key's file cannot be used, or written.
        """
        path = self._folder / f"{list_name}.pem"
        return load_or_make_key(path, origin(list_name), passphrase=self._passphrase)

    def next(self, list_name: str) -> Signer:
        """Return who signs with a new key of a list, which is on the disk then.

        Raises:
            ConfigError: the key's file cannot be written.
        """
        signer = Signer.generate(origin(list_name))
        name = f"{list_name}.{signer.verifier.key_id.hex()}.pem"
        save_key(self._folder / name, signer, passphrase=self._passphrase)
        return signer

    def _load(self, list_name: str) -> dict[str, Signer]:
        partner, _, name = list_name.partition("/")
        folder = self._folder / partner
        found = {}
        for path in (folder / f"{name}.pem", *sorted(folder.glob(f"{name}.*.pem"))):
            if path.exists():
                signer = load_key(path, origin(list_name), passphrase=self._passphrase)
                found[signer.verifier.encode()] = signer
        return found


class SignedLogs:
    """Appends to lists' logs within write transactions. Used by one thread at a time.

    `forget` must follow a transaction that failed.
    """

    def __init__(self, keys: ListKeys) -> None:
        self._keys = keys
        self._edges: dict[str, RightEdge] = {}

    def is_home(self, hash_list: HashList) -> bool:
        """Tell whether a list is kept at this node: its key is here."""
        return self._keys.signer(hash_list.name, hash_list.key) is not None

    def create(self, tx: WriteTransaction, list_name: str, change: Change, now: datetime) -> None:
        """Start a list's log with the record that describes it, under a key of its own.

        Raises:
            ConfigError: the key cannot be written.
        """
        signer = self._keys.first(list_name)
        self._append(tx, list_name, 0, [(change, records.encode(change))], signer, now)

    def append(
        self,
        tx: WriteTransaction,
        hash_list: HashList,
        log: Sequence[tuple[Change, bytes]],
        now: datetime,
    ) -> None:
        """Append changes, each with its record bytes, to a list as it is in the transaction.

        Raises:
            PreconditionFailed: the list is not kept at this node.
            ConfigError: its key cannot be used.
        """
        self._append(tx, hash_list.name, hash_list.size, log, self._signer(hash_list), now)

    def rotate(self, tx: WriteTransaction, hash_list: HashList, now: datetime) -> None:
        """Replace a list's key by a new one, which signs from now on.

        Raises:
            PreconditionFailed: the list is not kept at this node.
            ConfigError: its key cannot be used, or the new one not be written.
        """
        before, after = self._signer(hash_list), self._keys.next(hash_list.name)
        rotation = Rotation(origin(hash_list.name), hash_list.size, before.verifier, after.verifier)
        change = KeyRotated(rotation.sign(before, after), now)
        log = [(change, records.encode(change))]
        self._append(tx, hash_list.name, hash_list.size, log, after, now)

    def forget(self) -> None:
        """Read every tree again from the store."""
        self._edges.clear()

    def sign_unsigned(self, store: Store) -> None:
        """Make the tree and the checkpoint of lists from before there were any.

        Raises:
            ConfigError: a key cannot be used.
        """
        for name in store.logs.unsigned_lists():
            signer, edge = self._keys.first(name), RightEdge()
            with store.write() as tx:
                while some := store.logs.list_records(name, edge.size, _RECORDS_PER_READ):
                    edge, tiles = edge.append([record_leaf(r.salt, r.body) for r in some])
                    # A checkpoint for each piece, so that followers can take it in pieces.
                    tx.sign(name, _growth(name, edge, tiles, signer))

    def _signer(self, hash_list: HashList) -> Signer:
        signer = self._keys.signer(hash_list.name, hash_list.key)
        if signer is None:
            raise PreconditionFailed(
                f"the key of {hash_list.name} is not at this node: "
                "change the list where it is kept",
                reason="LIST_KEPT_ELSEWHERE",
                metadata={"list": hash_list.name},
            )
        return signer

    def _append(
        self,
        tx: WriteTransaction,
        list_name: str,
        size: int,
        log: Sequence[tuple[Change, bytes]],
        signer: Signer,
        now: datetime,
    ) -> None:
        edge = self._edges.get(list_name)
        if edge is None or edge.size != size:
            try:
                edge = RightEdge.read(partial(tx.read_tile, list_name), size)
            except ProofError as error:
                raise StoreError(f"the log of {list_name} is damaged: {error}") from error
        salts = os.urandom(SALT_BYTES * len(log))
        made = [
            Record(size + i, change, body, salts[i * SALT_BYTES : (i + 1) * SALT_BYTES])
            for i, (change, body) in enumerate(log)
        ]
        edge, tiles = edge.append([record_leaf(r.salt, r.body) for r in made])
        tx.append(list_name, made, _growth(list_name, edge, tiles, signer), now)
        self._edges[list_name] = edge


def _growth(list_name: str, edge: RightEdge, tiles: Sequence[Tile], signer: Signer) -> Growth:
    checkpoint = Checkpoint(origin(list_name), edge.size, edge.root())
    note = sign_checkpoint(checkpoint, signer)
    return Growth(edge.size, tile_rows(tiles), note, signer.verifier.encode())


def tile_rows(tiles: Sequence[Tile]) -> list[tuple[int, int, bytes]]:
    """Return tiles as the store takes them."""
    return [(tile.level, tile.index, tile.hashes) for tile in tiles]
