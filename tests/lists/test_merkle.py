"""Merkle trees, held against the definitions of RFC 6962; tiles, held against the trees."""

from collections.abc import Callable, Iterator
from functools import cache
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hashsvc.errors import HashsvcError, ProofError
from hashsvc.lists.merkle import (
    EMPTY_ROOT,
    HASH_BYTES,
    MAX_SIZE,
    Frontier,
    consistency_proof,
    frontier,
    inclusion_proof,
    leaf_hash,
    node_hash,
    tree_root,
    verify_consistency,
    verify_inclusion,
)
from hashsvc.lists.tiles import WIDTH, RightEdge, Tile, TileNodes

SMALL = 300
LARGE = 70_000
LEAVES = [leaf_hash(i.to_bytes(4)) for i in range(LARGE)]

# Leaves, roots and proofs as published by Certificate Transparency (certificate-transparency,
# cpp/merkletree/merkle_tree_test.cc; also in github.com/transparency-dev/merkle).
CT_LEAVES = [
    leaf_hash(bytes.fromhex(data))
    for data in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
CT_ROOTS = [
    bytes.fromhex(root)
    for root in (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]
CT_INCLUSION = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
CT_CONSISTENCY = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
    (6, 7): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
}


# The definitions of RFC 6962, section 2.1, as they are written there; ranges of LEAVES are trees.


def below(count: int) -> int:
    """Return the greatest power of two smaller than a number."""
    k = 1
    while k * 2 < count:
        k *= 2
    return k


@cache
def root_of(start: int, end: int) -> bytes:
    """MTH."""
    if start == end:
        return EMPTY_ROOT
    if end - start == 1:
        return LEAVES[start]
    split = start + below(end - start)
    return node_hash(root_of(start, split), root_of(split, end))


def path(index: int, start: int, end: int) -> list[bytes]:
    """PATH, of a leaf by its place in LEAVES."""
    if end - start == 1:
        return []
    split = start + below(end - start)
    if index < split:
        return [*path(index, start, split), root_of(split, end)]
    return [*path(index, split, end), root_of(start, split)]


def subproof(old: int, start: int, end: int, whole: bool) -> list[bytes]:
    """SUBPROOF, of an end by its place in LEAVES."""
    if old == end:
        return [] if whole else [root_of(start, end)]
    split = start + below(end - start)
    if old <= split:
        return [*subproof(old, start, split, whole), root_of(split, end)]
    return [*subproof(old, split, end, False), root_of(start, split)]


def growth(old: int, new: int) -> list[bytes]:
    """PROOF; none for an empty tree, of which RFC 6962 says nothing."""
    return subproof(old, 0, new, True) if old else []


class NaiveNodes:
    """Nodes by the definition."""

    def node(self, level: int, index: int) -> bytes:
        """Return MTH of the range."""
        return root_of(index << level, (index + 1) << level)


NAIVE = NaiveNodes()


# What a proof of some shape computes, written out: the shape is all that sizes and indexes are for.


def inclusion_shape(index: int, start: int, end: int, used: int) -> tuple[str, int]:
    """Return the expression of the root, and how many hashes of the proof it takes."""
    if end - start == 1:
        return "leaf", used
    split = start + below(end - start)
    if index < split:
        inner, used = inclusion_shape(index, start, split, used)
        return f"({inner} {used})", used + 1
    inner, used = inclusion_shape(index, split, end, used)
    return f"({used} {inner})", used + 1


def consistency_shape(
    old: int, start: int, end: int, whole: bool, used: int
) -> tuple[str, str, int]:
    """Return the expressions of both roots, and how many hashes of the proof they take."""
    if old == end:
        return ("old", "old", used) if whole else (str(used), str(used), used + 1)
    split = start + below(end - start)
    if old <= split:
        before, after, used = consistency_shape(old, start, split, whole, used)
        return before, f"({after} {used})", used + 1
    before, after, used = consistency_shape(old, split, end, False, used)
    return f"({used} {before})", f"({used} {after})", used + 1


def flips(number: int, bits: int) -> Iterator[int]:
    """Yield a number with each of its lowest bits flipped."""
    yield from (number ^ (1 << bit) for bit in range(bits))


def bit_flips(value: bytes) -> Iterator[bytes]:
    """Yield bytes with each single bit flipped."""
    yield from (
        flipped.to_bytes(len(value)) for flipped in flips(int.from_bytes(value), len(value) * 8)
    )


def holds(verify: Callable[..., None], *arguments: object) -> bool:
    """Tell whether a proof is accepted; it may fail in no other way than with ProofError."""
    try:
        verify(*arguments)
    except ProofError:
        return False
    return True


class Tiles(dict[tuple[int, int], bytes]):
    """A store of tiles, and the edge of what has been written."""

    def __init__(self) -> None:
        super().__init__()
        self.edge = RightEdge()
        self.last: list[Tile] = []

    def append(self, leaves: list[bytes]) -> None:
        """Append a batch."""
        self.edge, self.last = self.edge.append(leaves)
        for tile in self.last:
            self[tile.level, tile.index] = tile.hashes

    def read(self, level: int, index: int) -> bytes | None:
        """Return a tile as it is now."""
        return self.get((level, index))


@pytest.fixture(scope="module")
def large() -> Tiles:
    """A tree of LARGE leaves in tiles, which tests only read."""
    tiles = Tiles()
    for start in range(0, LARGE, 999):
        tiles.append(LEAVES[start : start + 999])
    return tiles


def test_published_roots() -> None:
    """The trees of Certificate Transparency."""
    grown = Frontier()
    assert grown.root() == EMPTY_ROOT == CT_ROOTS[0]
    for size, leaf in enumerate(CT_LEAVES, 1):
        grown.append(leaf)
        assert grown.root() == CT_ROOTS[size]
        assert RightEdge().append(CT_LEAVES[:size])[0].root() == CT_ROOTS[size]


def test_published_proofs() -> None:
    """Are made, and verify."""
    tiles = Tiles()
    tiles.append(CT_LEAVES)
    nodes = TileNodes(tiles.read, 8)
    for (index, size), proof in CT_INCLUSION.items():
        hashes = [bytes.fromhex(value) for value in proof]
        assert inclusion_proof(nodes, index, size) == hashes
        verify_inclusion(CT_LEAVES[index], index, size, hashes, CT_ROOTS[size])
    for (old, new), proof in CT_CONSISTENCY.items():
        hashes = [bytes.fromhex(value) for value in proof]
        assert consistency_proof(nodes, old, new) == hashes
        verify_consistency(old, CT_ROOTS[old], new, CT_ROOTS[new], hashes)


def test_a_node_is_not_a_leaf() -> None:
    """The prefixes keep them apart, whatever the data."""
    left, right = LEAVES[:2]
    assert leaf_hash(left + right) != node_hash(left, right) != leaf_hash(b"\x01" + left + right)
    assert node_hash(left, right) != node_hash(right, left)


def test_roots_of_all_small_sizes() -> None:
    """Appended one by one, at once, and from nodes."""
    grown = Frontier()
    for size in range(SMALL + 1):
        assert grown.size == size
        assert grown.root() == root_of(0, size) == tree_root(NAIVE, size)
        assert frontier(NAIVE, size).peaks == grown.peaks
        at_once = Frontier()
        at_once.extend(LEAVES[:size])
        assert at_once.peaks == grown.peaks
        grown.append(LEAVES[size])


def test_proofs_of_all_small_sizes() -> None:
    """Are as defined, whether from the tree or from tiles, and verify."""
    tiles = Tiles()
    tiles.append(LEAVES[:SMALL])
    for size in range(SMALL + 1):
        nodes = TileNodes(tiles.read, size)
        root = root_of(0, size)
        for at in range(size):
            proof = path(at, 0, size)
            assert inclusion_proof(nodes, at, size) == proof
            verify_inclusion(LEAVES[at], at, size, proof, root)
        for old in range(size + 1):
            proof = growth(old, size)
            assert consistency_proof(nodes, old, size) == proof
            verify_consistency(old, root_of(0, old), size, root, proof)


EDGES = [0, 1, 255, 256, 257, 511, 512, 513, 65_279, 65_535, 65_536, 65_537, 65_793, LARGE]


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_proofs_from_tiles_are_those_of_the_tree(large: Tiles, data: st.DataObject) -> None:
    """For every size that the log ever had, from the tiles that it has now."""
    sizes = st.integers(0, LARGE) | st.sampled_from(EDGES)
    old, new = sorted((data.draw(sizes), data.draw(sizes)))
    nodes = TileNodes(large.read, new, cached_tiles=2)
    assert tree_root(nodes, old) == root_of(0, old)
    proof = consistency_proof(nodes, old, new)
    assert proof == growth(old, new)
    verify_consistency(old, root_of(0, old), new, root_of(0, new), proof)
    if new:
        index = min(data.draw(sizes), new - 1)
        proof = inclusion_proof(nodes, index, new)
        assert proof == path(index, 0, new)
        verify_inclusion(LEAVES[index], index, new, proof, root_of(0, new))


@pytest.mark.parametrize(
    ("index", "size"), [(0, 1), (0, 2), (1, 2), (2, 3), (4, 7), (6, 7), (21, 40)]
)
def test_no_altered_inclusion_proof_is_accepted(index: int, size: int) -> None:
    """With any one bit of a hash flipped; another index or size only if it means the same place."""
    leaf, root, proof = LEAVES[index], root_of(0, size), path(index, 0, size)
    assert holds(verify_inclusion, leaf, index, size, proof, root)
    assert not any(
        holds(verify_inclusion, bad, index, size, proof, root) for bad in bit_flips(leaf)
    )
    assert not any(
        holds(verify_inclusion, leaf, index, size, proof, bad) for bad in bit_flips(root)
    )
    for at, value in enumerate(proof):
        for bad in bit_flips(value):
            altered = [*proof[:at], bad, *proof[at + 1 :]]
            assert not holds(verify_inclusion, leaf, index, size, altered, root)
    for other in flips(index, 64):
        assert not holds(verify_inclusion, leaf, other, size, proof, root)
    for other in flips(size, 64):
        same = index < other <= MAX_SIZE and (
            inclusion_shape(index, 0, other, 0) == inclusion_shape(index, 0, size, 0)
        )
        assert holds(verify_inclusion, leaf, index, other, proof, root) == same


@pytest.mark.parametrize(
    ("old", "new"), [(1, 2), (2, 3), (3, 4), (4, 7), (6, 7), (5, 8), (8, 13), (21, 40), (32, 33)]
)
def test_no_altered_consistency_proof_is_accepted(old: int, new: int) -> None:
    """With any one bit of a hash flipped; other sizes only if they mean the same computation."""
    old_root, new_root, proof = root_of(0, old), root_of(0, new), growth(old, new)
    assert holds(verify_consistency, old, old_root, new, new_root, proof)
    for bad in bit_flips(old_root):
        assert not holds(verify_consistency, old, bad, new, new_root, proof)
    for bad in bit_flips(new_root):
        assert not holds(verify_consistency, old, old_root, new, bad, proof)
    for at, value in enumerate(proof):
        for bad in bit_flips(value):
            altered = [*proof[:at], bad, *proof[at + 1 :]]
            assert not holds(verify_consistency, old, old_root, new, new_root, altered)
    shape = consistency_shape(old, 0, new, True, 0)
    for other in flips(old, 64):
        same = 0 < other < new and consistency_shape(other, 0, new, True, 0) == shape
        assert holds(verify_consistency, other, old_root, new, new_root, proof) == same
    for other in flips(new, 64):
        same = old < other <= MAX_SIZE and consistency_shape(old, 0, other, True, 0) == shape
        assert holds(verify_consistency, old, old_root, other, new_root, proof) == same


@given(st.integers(1, 5_000), st.integers(1, 5_000), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_altered_proofs_of_larger_trees(first: int, second: int, random: Random) -> None:
    """Hashes dropped, doubled, swapped, cut and replaced."""
    old, new = sorted((first, second))
    index = random.randrange(new)
    root = root_of(0, new)
    for proof, verify in (
        (path(index, 0, new), lambda p: verify_inclusion(LEAVES[index], index, new, p, root)),
        (growth(old, new), lambda p: verify_consistency(old, root_of(0, old), new, root, p)),
    ):
        assert holds(verify, proof)
        for wrong in altered_lists(proof, random):
            assert wrong == proof or not holds(verify, wrong)


def altered_lists(proof: list[bytes], random: Random) -> Iterator[list[bytes]]:
    """Yield a proof changed in ways in which one may go wrong."""
    yield [*proof, random.randbytes(HASH_BYTES)]
    yield [random.randbytes(HASH_BYTES), *proof]
    yield [*proof, EMPTY_ROOT]
    if proof:
        at = random.randrange(len(proof))
        yield proof[:-1]
        yield proof[1:]
        yield proof[:at] + proof[at + 1 :]
        yield [*proof[: at + 1], *proof[at:]]
        yield [*proof[:at], proof[at][:-1], *proof[at + 1 :]]
        yield [*proof[:at], proof[at] + b"\x00", *proof[at + 1 :]]
        yield [*proof[:at], b"", *proof[at + 1 :]]
        yield proof[::-1]


@pytest.mark.parametrize(
    ("message", "verify", "arguments"),
    [
        ("no leaf 0", verify_inclusion, (LEAVES[0], 0, 0, [], EMPTY_ROOT)),
        ("no leaf 3", verify_inclusion, (LEAVES[0], 3, 3, [], LEAVES[0])),
        ("no leaf -1", verify_inclusion, (LEAVES[0], -1, 1, [], LEAVES[0])),
        ("the size, -1", verify_inclusion, (LEAVES[0], 0, -1, [], LEAVES[0])),
        ("the size", verify_inclusion, (LEAVES[0], 0, MAX_SIZE + 1, [], LEAVES[0])),
        ("has 31", verify_inclusion, (LEAVES[0][1:], 0, 1, [], LEAVES[0])),
        ("has 0", verify_inclusion, (LEAVES[0], 0, 1, [], b"")),
        ("too long", verify_inclusion, (LEAVES[0], 0, 1, [LEAVES[1]], LEAVES[0])),
        ("too short", verify_inclusion, (LEAVES[0], 0, 2, [], LEAVES[0])),
        ("not in the tree", verify_inclusion, (LEAVES[0], 0, 1, [], LEAVES[1])),
        ("old size, -1", verify_consistency, (-1, EMPTY_ROOT, 1, LEAVES[0], [])),
        ("new size", verify_consistency, (0, EMPTY_ROOT, MAX_SIZE + 1, LEAVES[0], [])),
        ("cannot grow", verify_consistency, (2, LEAVES[0], 1, LEAVES[0], [])),
        ("empty tree", verify_consistency, (0, LEAVES[0], 1, LEAVES[0], [])),
        ("too long", verify_consistency, (0, EMPTY_ROOT, 1, LEAVES[0], [LEAVES[0]])),
        ("too long", verify_consistency, (1, LEAVES[0], 1, LEAVES[0], [LEAVES[0]])),
        ("different roots", verify_consistency, (1, LEAVES[0], 1, LEAVES[1], [])),
        ("different roots", verify_consistency, (0, EMPTY_ROOT, 0, LEAVES[1], [])),
        ("too long", verify_consistency, (3, root_of(0, 3), 4, root_of(0, 4), growth(3, 4) * 2)),
        ("has 31", verify_inclusion, (LEAVES[0], 0, 2, [LEAVES[1][1:]], root_of(0, 2))),
        ("has 33", verify_consistency, (1, LEAVES[0], 2, root_of(0, 2), [LEAVES[1] + b"x"])),
        ("has 31", verify_consistency, (1, LEAVES[0][1:], 2, root_of(0, 2), [LEAVES[1]])),
        ("too short", verify_consistency, (1, LEAVES[0], 2, LEAVES[1], [])),
        ("too short", verify_consistency, (3, LEAVES[0], 5, LEAVES[1], [])),
        ("old root", verify_consistency, (3, root_of(0, 4), 7, root_of(0, 7), growth(3, 7))),
        ("new root", verify_consistency, (3, root_of(0, 3), 7, root_of(0, 6), growth(3, 7))),
    ],
)
def test_refusals_say_what_does_not_fit(
    message: str, verify: Callable[..., None], arguments: tuple[object, ...]
) -> None:
    """In words."""
    with pytest.raises(ProofError, match=message):
        verify(*arguments)


def test_a_growing_tree_may_start_empty() -> None:
    """Every log grew out of the empty one."""
    verify_consistency(0, EMPTY_ROOT, 7, root_of(0, 7), [])
    verify_consistency(0, EMPTY_ROOT, 0, EMPTY_ROOT, [])


def test_no_proofs_of_what_is_not_there() -> None:
    """Neither by the proofs' own rules nor by the tiles'."""
    tiles = Tiles()
    tiles.append(LEAVES[:10])
    nodes = TileNodes(tiles.read, 9)
    for wrong in (
        lambda: inclusion_proof(nodes, 3, 3),
        lambda: inclusion_proof(nodes, -1, 3),
        lambda: inclusion_proof(nodes, 3, 10),
        lambda: consistency_proof(nodes, 5, 4),
        lambda: consistency_proof(nodes, -1, 4),
        lambda: consistency_proof(nodes, 4, 10),
        lambda: tree_root(nodes, 10),
        lambda: frontier(nodes, -1),
    ):
        with pytest.raises(ProofError):
            wrong()
    for level, index in ((0, 9), (0, -1), (-1, 0), (3, 1), (64, 0)):
        with pytest.raises(ProofError, match="has no node"):
            nodes.node(level, index)


def test_proof_errors_are_ours() -> None:
    """So that every edge of the service knows what to do with them."""
    assert issubclass(ProofError, HashsvcError)


@given(st.integers(0, 5_000))
@example(MAX_SIZE)
def test_a_frontier_survives_its_bytes(size: int) -> None:
    """And goes on growing from them."""
    peaks = [LEAVES[i] for i in range(size.bit_count())]
    kept = Frontier(peaks, size)
    again = Frontier.from_bytes(kept.to_bytes())
    assert (again.size, again.peaks, again.root()) == (kept.size, kept.peaks, kept.root())
    if size <= 5_000:
        again = Frontier.from_bytes(frontier(NAIVE, size).to_bytes())
        again.extend(LEAVES[size : size + 3])
        assert again.root() == root_of(0, size + 3)


@given(st.binary(max_size=200) | st.integers(0, 2**64 - 1).map(lambda size: size.to_bytes(8)))
@example((MAX_SIZE + 1).to_bytes(8) + bytes(HASH_BYTES))
@example(MAX_SIZE.to_bytes(8) + bytes(HASH_BYTES) * 63)
def test_other_bytes_are_no_frontier(data: bytes) -> None:
    """Unless they are exactly what one would write."""
    size = int.from_bytes(data[:8])
    if len(data) == 8 + HASH_BYTES * size.bit_count() and size <= MAX_SIZE:
        assert Frontier.from_bytes(data).to_bytes() == data
    else:
        with pytest.raises(ProofError):
            Frontier.from_bytes(data)


def test_a_wrong_hash_leaves_a_frontier_as_it_was() -> None:
    """All leaves of a batch are taken, or none."""
    grown = Frontier()
    grown.extend(LEAVES[:5])
    for wrong in (b"", LEAVES[6][1:], LEAVES[6] + b"\x00"):
        with pytest.raises(ProofError):
            grown.extend([LEAVES[5], wrong])
        with pytest.raises(ProofError):
            Frontier([wrong], 4)
    assert (grown.size, grown.root()) == (5, root_of(0, 5))
    with pytest.raises(ProofError):
        Frontier(LEAVES[:2], 4)
    with pytest.raises(ProofError):
        Frontier(LEAVES[:1], -1)


def test_a_copy_grows_apart() -> None:
    """For trying out a batch."""
    grown = Frontier()
    grown.extend(LEAVES[:5])
    other = grown.copy()
    other.append(LEAVES[5])
    assert (grown.root(), other.root()) == (root_of(0, 5), root_of(0, 6))


@given(st.lists(st.integers(0, 700) | st.sampled_from([1, 255, 256, 257]), max_size=12))
@settings(max_examples=60, deadline=None)
def test_batches_do_not_show_in_tiles(batches: list[int]) -> None:
    """Only changed tiles are written, each once, and what is kept follows from the leaves alone."""
    tiles, size = Tiles(), 0
    for batch in batches:
        before = dict(tiles)
        tiles.append(LEAVES[size : size + batch])
        size += batch
        written = [(tile.level, tile.index) for tile in tiles.last]
        assert len(written) == len(set(written))
        assert set(written) == {key for key in tiles if tiles[key] != before.get(key)}
        assert all(tiles[key].startswith(old) for key, old in before.items())
        assert tiles.edge.root() == root_of(0, size)
        assert tiles.edge.frontier().peaks == frontier(NAIVE, size).peaks
        assert RightEdge.read(tiles.read, size) == tiles.edge
    assert dict(tiles) == {
        (level, index): b"".join(
            root_of(at * 256**level, (at + 1) * 256**level)
            for at in range(index * WIDTH, min((index + 1) * WIDTH, size // 256**level))
        )
        for level in range(3)
        for index in range(-(-(size // 256**level) // WIDTH))
    }


def test_a_tree_of_the_specification(large: Tiles) -> None:
    """C2SP tlog-tiles says which tiles 70,000 leaves have, and which 256."""
    widths = {key: len(hashes) // HASH_BYTES for key, hashes in large.items()}
    assert widths == {
        **{(0, index): 256 for index in range(273)},
        (0, 273): 112,
        (1, 0): 256,
        (1, 1): 17,
        (2, 0): 1,
    }
    assert [(tile.level, tile.index) for tile in RightEdge().append(LEAVES[:256])[1]] == [
        (0, 0),
        (1, 0),
    ]


def test_an_edge_is_read_for_any_size_that_was(large: Tiles) -> None:
    """From tiles that have grown since; a tree grown on from there is the same."""
    for size in (*EDGES, 300, 66_000):
        edge = RightEdge.read(large.read, size)
        assert edge.root() == root_of(0, size)
        more = LEAVES[size : size + 600]
        assert edge.append(more)[0].root() == root_of(0, size + len(more))


def test_an_edge_that_was_not_written_is_still_good() -> None:
    """Appending changes nothing in place."""
    edge, _ = RightEdge().append(LEAVES[:300])
    again, _ = edge.append(LEAVES[300:900])
    assert (edge.size, edge.root()) == (300, root_of(0, 300))
    assert edge.append(LEAVES[300:900])[0] == again
    assert edge.append([]) == (edge, [])
    with pytest.raises(ProofError):
        edge.append([LEAVES[300], b"short"])
    with pytest.raises(ProofError, match="at most"):
        RightEdge(MAX_SIZE).append(LEAVES[:1])


@pytest.mark.parametrize("damage", [None, b"", LEAVES[0] * 43, LEAVES[0] * 43 + b"\x00" * 31])
def test_missing_and_short_tiles_are_named(damage: bytes | None) -> None:
    """Nothing is made up in their place."""

    def read(level: int, index: int) -> bytes | None:
        return damage if (level, index) == (0, 1) else bytes(256 * HASH_BYTES)

    with pytest.raises(ProofError, match="tile 1 of level 0"):
        RightEdge.read(read, 300)
    with pytest.raises(ProofError, match="tile 1 of level 0"):
        TileNodes(read, 300).node(0, 256)
    with pytest.raises(ProofError, match="outside"):
        RightEdge.read(read, -1)


def test_few_tiles_are_read(large: Tiles) -> None:
    """A proof takes at most two a level, and tiles are kept."""
    read: list[tuple[int, int]] = []

    def counted(level: int, index: int) -> bytes | None:
        read.append((level, index))
        return large.read(level, index)

    nodes = TileNodes(counted, LARGE)
    inclusion_proof(nodes, 1_000, LARGE)
    assert sorted(read) == [(0, 3), (0, 273), (1, 0), (1, 1)]
    inclusion_proof(nodes, 1_001, LARGE)
    assert len(read) == 4
