"""A real node for tests, and the check that its parts still agree with its log.

`running_node` runs a node in a thread of this process, on a free loopback port and a real SQLite
file, for tests that use the blocking client or gRPC by hand. `check_invariants` replays every
record into an empty store and compares: entries, lists, opinions and index must be what the log
says, and each list's newest checkpoint must be of its records.
"""

import asyncio
import math
import random
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from hashsvc import feature_values, features
from hashsvc.app import Node
from hashsvc.config import load
from hashsvc.features import Features
from hashsvc.lists import rules
from hashsvc.lists.indexer import Indexer
from hashsvc.lists.logs import origin, record_leaf
from hashsvc.lists.merkle import HASH_BYTES, Frontier
from hashsvc.lists.notes import Checkpoint
from hashsvc.lists.tiles import WIDTH, RightEdge
from hashsvc.model import (
    Algorithm,
    Basis,
    Description,
    EntryDraft,
    Fingerprint,
    MediaType,
)
from hashsvc.store import records, schema
from hashsvc.store.projection import Record
from hashsvc.store.store import Store
from hashsvc.store.transaction import Growth

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PROPAGANDA = Description(labels=("propaganda",), basis=Basis.PLATFORM_MODERATION)


@contextmanager
def running_node(folder: Path, **flags: Any) -> Iterator[str]:
    """Run a node on a data folder and give its address; `flags` are settings.

    Unless they say otherwise it starts decoders, which takes a while, when it needs them.
    """
    own = {
        "data": folder,
        "listen": "127.0.0.1:0",
        "drain_s": 2,
        "decoding": {"workers": 1, "keep_ready": 0},
    }
    settings = load(None, own | flags)
    addresses: list[str] = []
    failures: list[BaseException] = []
    started = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def main() -> None:
        async with Node(settings) as node:
            addresses.append(node.address)
            started.set()
            await stop.wait()

    def run() -> None:
        try:
            loop.run_until_complete(main())
        except BaseException as error:
            failures.append(error)
        finally:
            started.set()
            loop.close()

    thread = threading.Thread(target=run, name="node")
    thread.start()
    started.wait()
    try:
        if failures:
            raise failures[0]
        yield addresses[0]
    finally:
        if not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)
        thread.join()
        if failures:
            raise failures[0]


def pdq_draft(
    value: bytes | int, description: Description = PROPAGANDA, **kwargs: Any
) -> EntryDraft:
    """Return an image entry of one PDQ value; a number makes its own random value."""
    if isinstance(value, int):
        value = random.Random(value).randbytes(32)
    return EntryDraft(
        MediaType.IMAGE,
        (Fingerprint(Algorithm.PDQ, value, **{"quality": 100, **kwargs}),),
        description,
    )


def flip(value: bytes, bits: int, seed: int = 0) -> bytes:
    """Return a value that differs in exactly that many bits."""
    number = int.from_bytes(value)
    for place in random.Random(seed).sample(range(len(value) * 8), bits):
        number ^= 1 << place
    return number.to_bytes(len(value))


def check_invariants(url: str, scratch: Path, *, min_pdq_quality: int = 50) -> None:
    """Assert that a store's tables, and an index made from it, are what its records say."""
    store = Store(url)
    replayed = Store(f"sqlite:///{scratch / f'replay-{random.getrandbits(64):x}.db'}")
    try:
        _replay(store, replayed)
        lists = store.get_lists(after="", limit=1_000)
        assert lists == replayed.get_lists(after="", limit=1_000)
        assert _opinions(store) == _opinions(replayed)
        assert _told(store) == _told(replayed)
        expected = 0
        indexer = Indexer(store, scratch / "no-index", min_pdq_quality=min_pdq_quality)
        indexer.follow()
        for hash_list in lists:
            check_checkpoint(store, hash_list.name)
            entries = [
                s.get_entries(
                    hash_list.name,
                    after=0,
                    limit=1_000_000,
                    with_withdrawn=True,
                    with_fingerprints=True,
                )
                for s in (store, replayed)
            ]
            # What was erased cannot be replayed: its bytes are gone. Canaries are not in the log.
            kept = [
                replace(e, canary_of="")
                for e in entries[0]
                if e.fingerprints or e.withdraw_time is None
            ]
            assert kept == entries[1]
            active = [entry for entry in entries[0] if entry.withdraw_time is None]
            assert len(active) == hash_list.active_entries
            codes: dict[Algorithm, list[NDArray[np.uint8]]] = defaultdict(list)
            for entry in active:
                for fingerprint in rules.searchable(entry.fingerprints, min_pdq_quality):
                    codes[fingerprint.algorithm].append(indexed_codes(fingerprint))
            for algorithm, some in codes.items():
                asked = np.concatenate(some)
                expected += len(asked)
                found = indexer.search_codes(algorithm, asked, 0)
                assert len(np.unique(found.query)) == len(asked)
        assert len(indexer) == expected
        assert indexer.position == store.log_size()
    finally:
        store.close()
        replayed.close()


def indexed_codes(fingerprint: Fingerprint) -> NDArray[np.uint8]:
    """What of a fingerprint is in the index: codes (n, width).

    Of local features whose place and size are alike by `features.geometry` one is, the first.
    """
    if not fingerprint.algorithm.is_local:
        return np.frombuffer(fingerprint.value, np.uint8)[None]
    found = features.unpack(fingerprint.value)
    return found.codes[np.unique(features.geometry(found), return_index=True)[1]]


def local_fingerprint(seed: int, count: int = 5) -> Fingerprint:
    """Return local features made up at random, of a picture in 4:3."""
    chance = np.random.default_rng(seed)
    shape = (1.0, 0.75)
    found = Features(
        codes=chance.integers(0, 256, (count, feature_values.CODE_BYTES), np.uint8),
        places=chance.random((count, 2)) * shape,
        sizes=np.exp2(chance.uniform(-5, -2, count)),
        angles=chance.uniform(0, math.tau, count),
        shape=shape,
    )
    return Fingerprint(Algorithm.ORB, features.pack(found))


def check_checkpoint(store: Store, list_name: str) -> None:
    """Assert that a list's newest checkpoint is of all its records, and that its tiles agree."""
    hash_list = store.get_list(list_name)
    assert hash_list is not None
    held = {
        r.place: record_leaf(r.salt, r.body)
        for r in store.logs.list_records(list_name, 0, 1_000_000)
        if r.salt
    }
    leaves = []
    for place in range(hash_list.size):
        tile = store.logs.read_tile(list_name, 0, place // WIDTH) or b""
        leaf = tile[place % WIDTH * HASH_BYTES :][:HASH_BYTES]
        assert held.get(place, leaf) == leaf
        leaves.append(leaf)
    tree = Frontier()
    tree.extend(leaves)
    note = store.logs.checkpoint(list_name)
    assert note is not None
    head = Checkpoint.parse(note.decode().partition("\n\n")[0] + "\n")
    assert head == Checkpoint(origin(list_name), len(leaves), tree.root())
    edge = RightEdge.read(partial(store.logs.read_tile, list_name), head.size)
    assert edge.root() == head.root


def _told(store: Store) -> list[Any]:
    """What the records that are about no entry say, by list."""
    one = schema.distrusts
    columns = (one.c.place, one.c.contributor, one.c.since_sequence, one.c.reason, one.c.undo_time)
    distrusts = sa.select(schema.lists.c.name, *columns).join_from(one, schema.lists)
    distrusts = distrusts.where(one.c.place.is_not(None))
    what = schema.incidents
    incidents = sa.select(schema.lists.c.name, *what.c[1:]).join_from(what, schema.lists)
    return [sorted(map(str, _rows(store, query))) for query in (distrusts, incidents)]


def _replay(store: Store, into: Store) -> None:
    """Append every record of one store to another, and check that positions have no gaps.

    A list that is kept here has no gaps either, and its records are as this version writes them.
    """
    lists = {row.id: row for row in _rows(store, sa.select(schema.lists))}
    places: dict[int, list[int]] = {list_id: [] for list_id in lists}
    query = sa.select(schema.records).order_by(schema.records.c.position)
    numbered = enumerate(_rows(store, query), 1)
    for list_id, run in groupby(numbered, key=lambda one: one[1].list_id):
        logs: list[list[Record]] = [[]]
        for number, row in run:
            assert row.position == number
            places[list_id].append(row.list_position)
            change = rules.read_record(row.body, row.list_position) if row.salt else None
            assert change is None or records.encode(change) == row.body
            if logs[-1] and row.list_position < logs[-1][-1].place:
                # It came later, and not with these: what comes at once is in the order of places.
                logs.append([])
            logs[-1].append(Record(row.list_position, change, row.body, row.salt))
        for log in logs:
            with into.write() as tx:
                tx.append(lists[list_id].name, log, None, NOW)
    subscribed = {one.list_name for one in store.subscriptions.all()}
    for list_id, row in lists.items():
        assert len(set(places[list_id])) == len(places[list_id])
        if row.name not in subscribed:
            assert sorted(places[list_id]) == list(range(row.size))
        with into.write() as tx:
            tx.sign(row.name, Growth(row.size, (), b"", row.key))


def _opinions(store: Store) -> set[tuple[Any, ...]]:
    """The table of opinions, with the names of lists."""
    one = schema.opinions
    query = sa.select(schema.lists.c.name, *one.c).join(
        schema.lists, schema.lists.c.id == one.c.list_id
    )
    return {(row.name, *row[2:]) for row in _rows(store, query)}


def _rows(store: Store, query: sa.Select[Any]) -> list[Any]:
    with store._engine.begin() as connection:
        return list(connection.execute(query))
