"""Erasing an entry for legal reasons, over real gRPC: it is gone from every node's database."""

import base64
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import grpc
import pytest

from hashsvc.model import Description
from hashsvc.model_sync import Selection
from hashsvc.store.store import Store
from hashsvc.v1 import list_service_pb2, sync_service_pb2
from hashsvc.v1.sync_service_pb2_grpc import SyncServiceStub
from hashsvc_client import RequestRefused
from tests.commands import hashsvc
from tests.harness import PROPAGANDA, pdq_draft
from tests.processes import objects
from tests.service.pair import LIST, Pair, running_pair, running_side
from tests.service.test_access import audit_records
from tests.service.town import Town, add, refused
from tests.sync.waiting import until

NOTE, AMENDED = "a note to be forgotten", "an amendment to be forgotten"
ENTRY = f"{LIST}#1"


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """A home with an entry that was amended, among others, and a follower that has them."""
    with running_pair(tmp_path) as made:
        made.follow()
        draft = pdq_draft(1)
        noted = replace(draft, description=replace(draft.description, note=NOTE))
        made.home.client.add_entries(LIST, [noted, pdq_draft(2)], request_id="mine")
        made.home.client.amend_entry(ENTRY, Description(note=AMENDED), ["note"], request_id="amend")
        # Pages are split and filled after it.
        for start in range(100, 700, 100):
            made.home.add(*range(start, start + 100))
        made.sync()
        yield made


def secrets(database: Path) -> dict[str, bytes]:
    """What of the entry must not stay."""
    value = pdq_draft(1).fingerprints[0].value
    store = Store(f"sqlite:///{database}")
    salts = {f"salt {r.place}": r.salt for r in store.logs.held_records(LIST, 0, 10_000)}
    store.close()
    (amended,) = [place for place in salts if place == "salt 3"]
    return {
        "value": value,
        "value in the record": base64.b64encode(value),
        "note": NOTE.encode(),
        "amendment": AMENDED.encode(),
        "salt": salts["salt 1"],
        "salt of the amendment": salts[amended],
    }


def found(database: Path, wanted: dict[str, bytes]) -> set[str]:
    """What of it the files of a database hold, once its journal is written back."""
    with sqlite3.connect(database) as connection:
        assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    connection.close()
    files = [database, *database.parent.glob(f"{database.name}-*")]
    held = b"".join(file.read_bytes() for file in files)
    return {name for name, text in wanted.items() if text in held}


def test_it_is_gone_everywhere(pair: Pair, tmp_path: Path) -> None:
    """From the files of the home's database and of the follower's; logs still verify."""
    both = [(side, secrets(side.database)) for side in (pair.home, pair.away)]
    for side, wanted in both:
        assert found(side.database, wanted) == set(wanted)
    erased = pair.home.client.erase_entry(ENTRY, "order 12/26")
    assert (erased.is_erased, erased.fingerprints) == (True, ())
    pair.sync()
    for side, wanted in both:
        assert not side.matches(1)
        assert side.matches(2)
        entry = side.client.get_entry(ENTRY)
        assert entry.is_erased
        assert (entry.fingerprints, entry.description) == ((), Description())
        assert (entry.withdraw_reason, entry.contributor) == ("order 12/26", "acme")
        assert entry.withdraw_time is not None
        assert found(side.database, wanted) == set()
    with running_side(tmp_path / "new") as new:
        new.admin.follow(LIST, pair.away.source)
        size = pair.home.client.get_list(LIST).size
        until(lambda: new.status().size == size)
        assert not new.matches(1)
        assert new.matches(2)
        with pytest.raises(RequestRefused, match="no entry"):
            new.client.get_entry(ENTRY)
        assert found(new.database, both[0][1]) == set()


def test_only_its_leaf_hash_is_handed_out(pair: Pair) -> None:
    """And proofs of it go on."""
    with grpc.insecure_channel(pair.home.source) as channel:
        stub = SyncServiceStub(channel)
        request = sync_service_pb2.GetInclusionProofRequest(list=LIST, place=1)
        assert NOTE.encode() in stub.GetInclusionProof(request, timeout=10).leaf.body
        pair.home.client.erase_entry(ENTRY, "order")
        leaf = stub.GetInclusionProof(request, timeout=10).leaf
        assert (leaf.body, leaf.salt, len(leaf.hash)) == (b"", b"", 32)
    pair.sync()


def test_erasing_again_changes_nothing(pair: Pair) -> None:
    """Nor does a repeated request; and digests of requests tell nothing to who guesses."""
    pair.home.client.erase_entry(ENTRY, "order", request_id="e")
    size = pair.home.client.get_list(LIST).size
    assert pair.home.client.erase_entry(ENTRY, "order", request_id="e").is_erased
    assert pair.home.client.erase_entry(ENTRY, "another order").withdraw_reason == "order"
    assert pair.home.client.get_list(LIST).size == size
    with pytest.raises(RequestRefused):
        pair.home.client.amend_entry(ENTRY, Description(note=AMENDED), ["note"], request_id="amend")
    with pytest.raises(RequestRefused):
        pair.home.client.withdraw_entry(ENTRY, "why")
    draft = pdq_draft(1)
    noted = replace(draft, description=replace(draft.description, note=NOTE))
    with pytest.raises(RequestRefused) as caught:
        pair.home.client.add_entries(LIST, [noted, pdq_draft(2)], request_id="mine")
    assert caught.value.reason == "REQUEST_ID_REUSED"
    with sqlite3.connect(pair.home.database) as connection:
        rows = connection.execute("SELECT request_id, digest FROM requests").fetchall()
    connection.close()
    assert {name for name, digest in rows if not digest} == {"mine", "amend"}


def test_a_withdrawn_entry_can_be_erased(pair: Pair) -> None:
    """And followers that were away erase it when they come back."""
    wanted = secrets(pair.away.database)
    pair.home.client.withdraw_entry(ENTRY, "a mistake")
    pair.sync()
    pair.away.stop()
    assert pair.home.client.erase_entry(ENTRY, "order").withdraw_reason == "a mistake"
    pair.away.start()
    pair.sync()
    assert pair.away.client.get_entry(ENTRY).is_erased
    assert found(pair.away.database, wanted) == set()


def test_followers_of_a_part_of_the_list_erase_too(pair: Pair) -> None:
    """Though nobody knows any more whether the entry was in that part."""
    pair.away.admin.unfollow(LIST)
    pair.home.client.create_list("acme/other")
    pair.home.add(1, 2, name="acme/other")
    part = Selection(labels=PROPAGANDA.labels)
    pair.away.admin.follow("acme/other", pair.home.source, selection=part)
    until(lambda: pair.away.status("acme/other").size == 3)
    pair.away.admin.follow("acme/other", pair.home.source, selection=part, is_paused=True)
    pair.home.client.erase_entry("acme/other#1", "order")
    pair.away.admin.follow("acme/other", pair.home.source, selection=part)
    until(lambda: pair.away.status("acme/other").size == 4)
    assert pair.away.client.get_entry("acme/other#1").is_erased
    assert "acme/other#2" in pair.away.matches(2)


def test_only_the_owner_and_administrators_erase(town: Town) -> None:
    """Who contributes does not; and it is in the audit log."""
    list(town.lists.AddEntries(iter([add("acme/shared", 5)]), **town.by("bolt")))

    def erase(by: str, name: str = "acme/shared#2") -> list_service_pb2.EraseEntryResponse:
        request = list_service_pb2.EraseEntryRequest(
            request_id=f"{by} {name}", name=name, reason="order"
        )
        return town.lists.EraseEntry(request, **town.by(by))

    assert refused(partial(erase, "bolt")) is grpc.StatusCode.PERMISSION_DENIED
    assert refused(partial(erase, "eve")) is grpc.StatusCode.NOT_FOUND
    assert refused(partial(erase, "acme", "acme/shared#9")) is grpc.StatusCode.NOT_FOUND
    assert erase("acme").entry.erased
    assert erase("hub", "acme/shared#1").entry.erased
    records = [r for r in audit_records(town) if r["method"].endswith("/EraseEntry")]
    assert [(r["partner"], r["status"]) for r in records] == [
        ("bolt", "PERMISSION_DENIED"),
        ("eve", "NOT_FOUND"),
        ("acme", "NOT_FOUND"),
        ("acme", "OK"),
        ("hub", "OK"),
    ]
    assert records[3]["about"] == {"list": "acme/shared", "entry": "acme/shared#2"}


def test_the_command_asks_first(pair: Pair) -> None:
    """A node that only follows the list refuses."""
    words = ("erase", ENTRY, "--reason", "order", "--server")
    assert hashsvc(*words, pair.home.source).returncode == 1
    done = hashsvc(*words, pair.away.source, "--yes")
    assert "change the list where it is kept" in done.stderr
    assert pair.home.matches(1)
    (shown,) = objects(hashsvc(*words, pair.home.source, "--yes", "--json"))
    assert shown == {"entry": ENTRY, "erased": True}
    shown_ = hashsvc("lists", LIST, "--withdrawn", "--server", pair.home.source).stdout
    assert "erased" in shown_
    pair.sync()
