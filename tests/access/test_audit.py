"""The audit log: what goes in comes out, in order, and nothing can be changed unseen."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa

from hashsvc.access.audit import Audited, AuditLog
from hashsvc.access.audit_head import Head, verify
from hashsvc.access.signed_head import open_head, origin
from hashsvc.errors import NoteError, ProofError, StoreError
from hashsvc.lists.keys import Signer
from hashsvc.lists.merkle import EMPTY_ROOT
from hashsvc.store import schema
from hashsvc.store.store import Store
from tests.harness import NOW
from tests.lists.conftest import store_url

__all__ = ["store_url"]

CALL = Audited("acme", "aaaaaaaa", "ipv4:127.0.0.1:5", "/x/Y", "OK", {"list": "acme/known"})

SIGNER = Signer.generate(origin("aaaaaaaa"))


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """An empty store on each database."""
    made = Store(store_url)
    yield made
    made.close()


def open_log(store: Store) -> AuditLog:
    """The log, as a start opens it."""
    return AuditLog(store.audit, SIGNER, now=lambda: NOW)


def test_records_say_who_did_what(store: Store) -> None:
    """When, from where, with which outcome; as JSON with sorted keys."""
    log = open_log(store)
    assert log.head == Head(0, EMPTY_ROOT)
    log.append(CALL)
    (record,) = log.records(0, 10)
    assert json.loads(record) == {
        "v": 1,
        "time": "2026-11-22T12:00:00.000000+00:00",
        "partner": "acme",
        "credential": "aaaaaaaa",
        "peer": "ipv4:127.0.0.1:5",
        "method": "/x/Y",
        "status": "OK",
        "about": {"list": "acme/known"},
    }
    assert record == json.dumps(json.loads(record), sort_keys=True, separators=(",", ":")).encode()


def test_every_head_holds_for_what_was_there(store: Store) -> None:
    """Across tiles and starts; and for nothing else."""
    log, heads = open_log(store), []
    for number in range(300):
        if number in (7, 256, 257):
            log = open_log(store)
        log.append(replace(CALL, about={"number": str(number)}))
        heads.append(log.head)
    records = open_log(store).records(0, 1_000)
    assert open_log(store).head == heads[-1]
    assert [json.loads(record)["about"]["number"] for record in records] == [
        str(number) for number in range(300)
    ]
    assert log.records(298, 10) == records[298:]
    for head in (*heads[:20], *heads[250:260], heads[-1]):
        verify(records, head)
        verify(records[: head.size], head)
        with pytest.raises(ProofError):
            verify(records[: head.size - 1], head)
        with pytest.raises(ProofError):
            verify([*records[: head.size - 1], b"{}"], head)
    with pytest.raises(ProofError, match="not those of this head"):
        verify([records[1], records[0], *records[2:]], heads[5])


def test_heads_are_signed(store: Store) -> None:
    """A note opens with the log's key as that head; a changed one, or another key, does not."""
    log = open_log(store)
    for _ in range(3):
        head = log.head
        note = log.sign(head)
        assert note.startswith(b"hashsvc/nodes/aaaaaaaa/audit\n%d\n" % head.size)
        assert open_head(note, log.verifier_key) == head
        log.append(CALL)
    with pytest.raises(NoteError, match="is not good"):
        open_head(note.replace(b"\n2\n", b"\n1\n"), log.verifier_key)
    for other in (SIGNER.name, "hashsvc/nodes/bbbbbbbb/audit"):
        with pytest.raises(NoteError, match="not signed by a known key"):
            open_head(note, Signer.generate(other).verifier.encode())
    with pytest.raises(NoteError, match="not a verifier key"):
        open_head(note, "nonsense")


def test_writers_take_turns(store: Store) -> None:
    """Records of many threads are all in, once each."""
    log = open_log(store)

    def write(number: int) -> None:
        for i in range(10):
            log.append(replace(CALL, status=f"{number}.{i}"))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    records = log.records(0, 100)
    assert len({json.loads(record)["status"] for record in records}) == 40
    verify(records, log.head)


def test_a_log_that_lost_its_tree_is_not_opened(store: Store) -> None:
    """The operator hears of it."""
    log = open_log(store)
    for _ in range(3):
        log.append(CALL)
    engine = sa.create_engine(store._engine.url)
    with engine.begin() as connection:
        connection.execute(sa.delete(schema.audit_tiles))
    engine.dispose()
    with pytest.raises(StoreError, match="audit log is damaged"):
        open_log(store)
