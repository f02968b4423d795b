"""The nodes of a Merkle tree, kept in tiles, so that proofs for any past size can be made. No I/O.

C2SP tlog-tiles. Tile (level, index) holds up to 256 hashes, concatenated: those of the tree's nodes
(8 * level, 256 * index) and on. A full tile never changes; its root is one hash of the next level.
The last tile of a level is partial, or missing when it would be empty. So a tree of n leaves takes
about 32 * n * 256 / 255 bytes, and what lies between the levels is hashed again when it is needed.

Whoever keeps the tiles has `read_tile(level, index) -> bytes | None`, which may give more hashes
than a tree of an older size had.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from hashsvc.errors import ProofError
from hashsvc.lists.merkle import HASH_BYTES, MAX_SIZE, Frontier, node_hash

HEIGHT = 8
"""Levels of the tree from one level of tiles to the next."""

WIDTH = 1 << HEIGHT
"""Hashes in a full tile."""

ReadTile = Callable[[int, int], bytes | None]


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile to write in the place of what was there: 1 to 256 hashes, concatenated."""

    level: int
    index: int
    hashes: bytes


@dataclass(frozen=True, slots=True)
class _Partial:
    """The last tile of a level: 0 to 255 hashes, and the roots of the subtrees that they make."""

    hashes: bytes = b""
    peaks: tuple[bytes, ...] = ()

    def frontier(self) -> Frontier:
        return Frontier(self.peaks, len(self.hashes) // HASH_BYTES)


@dataclass(frozen=True, slots=True)
class RightEdge:
    """The partial tiles of a tree: all that is needed to append to it. Starts as an empty tree."""

    size: int = 0
    _partials: tuple[_Partial, ...] = ()

    @classmethod
    def read(cls, read_tile: ReadTile, size: int) -> "RightEdge":
        """Return the edge of the tree of the first `size` leaves.

        Raises:
            ProofError: a tile is missing, too short, or not of whole hashes.
        """
        if not 0 <= size <= MAX_SIZE:
            raise ProofError(f"the size, {size}, is outside 0 to {MAX_SIZE}")
        partials = []
        for level in range(_levels(size)):
            hashes = _read(read_tile, level, size >> HEIGHT * (level + 1), size)
            tile = Frontier()
            tile.extend(_hashes_of(hashes))
            partials.append(_Partial(hashes, tile.peaks))
        return cls(size, tuple(partials))

    def append(self, leaves: Sequence[bytes]) -> tuple["RightEdge", list[Tile]]:
        """Return the edge after adding leaf hashes, and the tiles to write, each of them once.

        This edge stays as it is, so whoever fails to write goes on from it. Takes one hash a leaf.

        Raises:
            ProofError: a hash does not have 32 bytes, or the tree would be too large.
        """
        if self.size + len(leaves) > MAX_SIZE:
            raise ProofError(f"a tree has {MAX_SIZE} leaves at most")
        partials = list(self._partials)
        tiles: list[Tile] = []
        hashes, level = leaves, 0
        while hashes:
            if level == len(partials):
                partials.append(_Partial())
            first = self.size >> HEIGHT * (level + 1)
            partials[level], hashes = _fill(partials[level], hashes, level, first, tiles)
            level += 1
        return replace(self, size=self.size + len(leaves), _partials=tuple(partials)), tiles

    def frontier(self) -> Frontier:
        """Return the frontier of the whole tree."""
        peaks = [peak for partial in reversed(self._partials) for peak in partial.peaks]
        return Frontier(peaks, self.size)

    def root(self) -> bytes:
        """Return the root of the tree."""
        return self.frontier().root()


class TileNodes:
    """The nodes of the tree of the first `size` leaves, from tiles (`merkle.Nodes`).

    Keeps the last few tiles, with the hashes made from them: about 30 kB each.
    """

    def __init__(self, read_tile: ReadTile, size: int, *, cached_tiles: int = 64) -> None:
        self._read_tile = read_tile
        self._size = size
        self._rows = lru_cache(maxsize=cached_tiles)(self._make_rows)

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a complete subtree of 2**level leaves.

        Raises:
            ProofError: the tree has no such node; a tile is missing or too short.
        """
        if level < 0 or index < 0 or (index + 1) << level > self._size:
            raise ProofError(f"a tree of {self._size} leaves has no node {index} of level {level}")
        tile_level, height = divmod(level, HEIGHT)
        tile_index, at = divmod(index, WIDTH >> height)
        return self._rows(tile_level, tile_index)[height][at]

    def _make_rows(self, level: int, index: int) -> list[list[bytes]]:
        """Return the hashes of a tile, and those above them, row by row."""
        row = _hashes_of(_read(self._read_tile, level, index, self._size))
        rows = [row]
        while len(row) > 1:
            row = [node_hash(row[i], row[i + 1]) for i in range(0, len(row) - 1, 2)]
            rows.append(row)
        return rows


def _fill(
    partial: _Partial, hashes: Sequence[bytes], level: int, index: int, tiles: list[Tile]
) -> tuple[_Partial, list[bytes]]:
    """Add hashes to the last tile of a level, and the tiles that this changes to `tiles`.

    Returns the new last tile, and the roots of the tiles that became full.
    """
    roots = []
    at = 0
    while at < len(hashes):
        tile = partial.frontier()
        added = hashes[at : at + WIDTH - tile.size]
        tile.extend(added)
        partial = _Partial(partial.hashes + b"".join(added), tile.peaks)
        tiles.append(Tile(level, index, partial.hashes))
        at += len(added)
        if tile.size == WIDTH:
            roots.append(tile.root())
            partial = _Partial()
            index += 1
    return partial, roots


def _levels(size: int) -> int:
    """Return how many levels of tiles a tree has."""
    return -(-size.bit_length() // HEIGHT)


def _read(read_tile: ReadTile, level: int, index: int, size: int) -> bytes:
    """Return those hashes of a tile that a tree of `size` leaves has."""
    width = min(WIDTH, (size >> HEIGHT * level) - index * WIDTH)
    if width == 0:
        return b""
    hashes = read_tile(level, index)
    if hashes is None:
        raise ProofError(f"tile {index} of level {level} is missing")
    if len(hashes) < width * HASH_BYTES:
        raise ProofError(
            f"tile {index} of level {level} has {len(hashes)} bytes, "
            f"a tree of {size} leaves needs {width * HASH_BYTES}"
        )
    return hashes[: width * HASH_BYTES]


def _hashes_of(tile: bytes) -> list[bytes]:
    return [tile[at : at + HASH_BYTES] for at in range(0, len(tile), HASH_BYTES)]
