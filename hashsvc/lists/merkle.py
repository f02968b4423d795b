"""The Merkle tree of a log: roots, inclusion and consistency proofs. No I/O.

RFC 6962 and RFC 9162, section 2.1, with SHA-256. A leaf is always given by its hash (`leaf_hash`).
The node (level, index) is the root of the complete subtree over the 2**level leaves from
index * 2**level on; (0, i) is leaf i.

A proof says nothing of who vouches for a root or a size: take both from one signed checkpoint.
Trees of several sizes can have a leaf in the same place; a proof then fits all of them.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Protocol

from hashsvc.errors import ProofError

HASH_BYTES = 32

MAX_SIZE = (1 << 63) - 1
"""Leaves in a tree; what a database's integer holds."""

EMPTY_ROOT = hashlib.sha256(b"").digest()
"""The root of the tree without leaves."""


class Nodes(Protocol):
    """Where proofs are made from: the nodes of a tree."""

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a complete subtree of 2**level leaves.

        Raises:
            ProofError: the tree has no such node.
        """


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf, 32 bytes."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of the node above two others, 32 bytes."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """A growing tree of which only the roots of its complete subtrees are kept, at most 63.

    Enough to append and to know the root. Not for use by several threads.
    """

    __slots__ = ("_peaks", "_size")

    def __init__(self, peaks: Iterable[bytes] = (), size: int = 0) -> None:
        """Start from the roots of the complete subtrees of a tree, greatest first.

        Raises:
            ProofError: a tree of that size has other subtrees.
        """
        self._peaks = list(peaks)
        self._size = size
        if not 0 <= size <= MAX_SIZE or len(self._peaks) != size.bit_count():
            raise ProofError(f"{len(self._peaks)} hashes are not the frontier of {size} leaves")
        _check_hashes(self._peaks)

    @property
    def size(self) -> int:
        """Leaves in the tree."""
        return self._size

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """Roots of the complete subtrees, greatest first."""
        return tuple(self._peaks)

    def append(self, leaf: bytes) -> None:
        """Add a leaf, given its hash.

        Raises:
            ProofError: it does not have 32 bytes.
        """
        self.extend((leaf,))

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Add leaves, given their hashes: all, or none when one is wrong.

        Raises:
            ProofError: a hash does not have 32 bytes.
        """
        _check_hashes(leaves)
        peaks, size = self._peaks, self._size
        for leaf in leaves:
            node, trees = leaf, size
            # As in counting: each one at the end of the size is a subtree as large as this one.
            while trees & 1:
                node = node_hash(peaks.pop(), node)
                trees >>= 1
            peaks.append(node)
            size += 1
        self._size = size

    def root(self) -> bytes:
        """Return the root of the tree."""
        return _fold(self._peaks)

    def copy(self) -> "Frontier":
        """Return a frontier that grows apart from this one."""
        return Frontier(self._peaks, self._size)

    def to_bytes(self) -> bytes:
        """Return the size (8 bytes, big-endian) and the peaks."""
        return self._size.to_bytes(8) + b"".join(self._peaks)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Frontier":
        """Return the frontier whose `to_bytes` these are.

        Raises:
            ProofError: they are no frontier's.
        """
        if len(data) < 8:
            raise ProofError(f"these {len(data)} bytes are not a frontier")
        peaks = [data[at : at + HASH_BYTES] for at in range(8, len(data), HASH_BYTES)]
        return cls(peaks, int.from_bytes(data[:8]))


def frontier(nodes: Nodes, size: int) -> Frontier:
    """Return the frontier of the first `size` leaves of a tree.

    Raises:
        ProofError: the tree does not have that many.
    """
    return Frontier(_complete_subtrees(nodes, 0, size), size)


def tree_root(nodes: Nodes, size: int) -> bytes:
    """Return the root of the first `size` leaves of a tree.

    Raises:
        ProofError: the tree does not have that many.
    """
    return frontier(nodes, size).root()


def inclusion_proof(nodes: Nodes, index: int, size: int) -> list[bytes]:
    """Return the proof that leaf `index` is in the tree of the first `size` leaves.

    At most 63 hashes, from the leaf upwards. RFC 9162, section 2.1.3.1.

    Raises:
        ProofError: there is no such leaf or no such tree.
    """
    _check_size(size, "the size")
    _check_index(index, size)
    proof = []
    start, end = 0, size
    while end - start > 1:
        split = _split(start, end)
        if index < split:
            proof.append(_range_root(nodes, split, end))
            end = split
        else:
            proof.append(_range_root(nodes, start, split))
            start = split
    return proof[::-1]


def consistency_proof(nodes: Nodes, old_size: int, new_size: int) -> list[bytes]:
    """Return the proof that the tree of the first `old_size` leaves grew into that of `new_size`.

    At most 64 hashes; none if the old tree is empty or the same. RFC 9162, section 2.1.4.1.

    Raises:
        ProofError: there are no such trees.
    """
    _check_sizes(old_size, new_size)
    if old_size in (0, new_size):
        return []
    proof = []
    start, end = 0, new_size
    # Down to the subtree that ends where the old tree ended.
    while end != old_size:
        split = _split(start, end)
        if old_size <= split:
            proof.append(_range_root(nodes, split, end))
            end = split
        else:
            proof.append(_range_root(nodes, start, split))
            start = split
    # A subtree from leaf 0 on is the whole old tree, whose root the verifier has.
    if start:
        proof.append(_range_root(nodes, start, end))
    return proof[::-1]


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that a tree of `size` leaves and this root has this leaf hash at `index`.

    RFC 9162, section 2.1.3.2.

    Raises:
        ProofError: that is not proven; the message says what does not fit.
    """
    _check_size(size, "the size")
    _check_index(index, size)
    _check_hashes((leaf, root, *proof))
    node, at, last = leaf, index, size - 1
    for sibling in proof:
        if last == 0:
            raise ProofError("the proof is too long")
        if at & 1 or at == last:
            node = node_hash(sibling, node)
            at, last = _past_the_edge(at, last)
        else:
            node = node_hash(node, sibling)
        at >>= 1
        last >>= 1
    if last:
        raise ProofError("the proof is too short")
    if node != root:
        raise ProofError(f"leaf {index} is not in the tree of {size} leaves with this root")


def verify_consistency(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that a tree of `old_size` leaves grew into one of `new_size` by appending alone.

    RFC 9162, section 2.1.4.2.

    Raises:
        ProofError: that is not proven; the message says what does not fit.
    """
    _check_sizes(old_size, new_size)
    _check_hashes((old_root, new_root, *proof))
    if old_size == 0 and old_root != EMPTY_ROOT:
        raise ProofError("the old root is not that of an empty tree")
    if old_size == new_size and old_root != new_root:
        raise ProofError(f"two trees of {old_size} leaves have different roots")
    if old_size in (0, new_size):
        if proof:
            raise ProofError("the proof is too long")
        return
    old_node, new_node = _replay(old_size, old_root, new_size, proof)
    if old_node != old_root:
        raise ProofError(f"the proof does not lead to the old root, of {old_size} leaves")
    if new_node != new_root:
        raise ProofError(f"the proof does not lead to the new root, of {new_size} leaves")


def _replay(
    old_size: int, old_root: bytes, new_size: int, proof: Sequence[bytes]
) -> tuple[bytes, bytes]:
    """Return the old and the new root that a consistency proof leads to; 0 < old < new."""
    hashes = list(proof)
    if old_size.bit_count() == 1:
        # The old tree is one complete subtree, which the proof leaves out.
        hashes.insert(0, old_root)
    if not hashes:
        raise ProofError("the proof is too short")
    at, last = old_size - 1, new_size - 1
    while at & 1:
        at >>= 1
        last >>= 1
    old_node = new_node = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            raise ProofError("the proof is too long")
        if at & 1 or at == last:
            old_node = node_hash(sibling, old_node)
            new_node = node_hash(sibling, new_node)
            at, last = _past_the_edge(at, last)
        else:
            new_node = node_hash(new_node, sibling)
        at >>= 1
        last >>= 1
    if last:
        raise ProofError("the proof is too short")
    return old_node, new_node


def _past_the_edge(at: int, last: int) -> tuple[int, int]:
    """Go up from the node at the right edge past the levels on which it has no sibling."""
    while at and not at & 1:
        at >>= 1
        last >>= 1
    return at, last


def _split(start: int, end: int) -> int:
    """Return where the left subtree of a range of leaves ends: the greatest power of two below."""
    return start + (1 << ((end - start - 1).bit_length() - 1))


def _range_root(nodes: Nodes, start: int, end: int) -> bytes:
    """Return the root over a range of leaves that is a subtree, complete or at the right edge."""
    return _fold(_complete_subtrees(nodes, start, end))


def _complete_subtrees(nodes: Nodes, start: int, end: int) -> list[bytes]:
    """Return the complete subtrees of which a subtree consists, greatest first."""
    hashes = []
    while start < end:
        level = (end - start).bit_length() - 1
        hashes.append(nodes.node(level, start >> level))
        start += 1 << level
    return hashes


def _fold(subtrees: Sequence[bytes]) -> bytes:
    """Return the root above complete subtrees, greatest first."""
    if not subtrees:
        return EMPTY_ROOT
    root = subtrees[-1]
    for left in subtrees[-2::-1]:
        root = node_hash(left, root)
    return root


def _check_size(size: int, noun: str) -> None:
    if not 0 <= size <= MAX_SIZE:
        raise ProofError(f"{noun}, {size}, is outside 0 to {MAX_SIZE}")


def _check_sizes(old_size: int, new_size: int) -> None:
    _check_size(old_size, "the old size")
    _check_size(new_size, "the new size")
    if old_size > new_size:
        raise ProofError(f"a tree of {old_size} leaves cannot grow into one of {new_size}")


def _check_index(index: int, size: int) -> None:
    if not 0 <= index < size:
        raise ProofError(f"there is no leaf {index} in a tree of {size} leaves")


def _check_hashes(hashes: Iterable[bytes]) -> None:
    for value in hashes:
        if len(value) != HASH_BYTES:
            raise ProofError(f"a hash has {HASH_BYTES} bytes, this one has {len(value)}")
