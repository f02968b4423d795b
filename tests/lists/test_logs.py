"""Lists' signed logs: what the ledger appends can be verified by whoever has the list's key."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from hashsvc.config import Limits
from hashsvc.errors import ConfigError, InvalidRequest, PreconditionFailed
from hashsvc.lists.indexer import Indexer
from hashsvc.lists.ledger import Ledger
from hashsvc.lists.logs import ListKeys, SignedLogs, origin, record_leaf
from hashsvc.lists.merkle import Frontier, consistency_proof, verify_consistency
from hashsvc.lists.notes import open_checkpoint
from hashsvc.lists.readers import Readers
from hashsvc.lists.tiles import TileNodes
from hashsvc.model import EVERYONE, EntryAdded, ListDescribed, ListKind
from hashsvc.store import migrate, records, schema, transaction
from hashsvc.store.store import Store
from tests.harness import NOW, PROPAGANDA, check_checkpoint, check_invariants, pdq_draft

LIST = "acme/known"


class Books:
    """A ledger with its keys."""

    def __init__(self, url: str, folder: Path) -> None:
        self.store = Store(url)
        self.keys = ListKeys(folder / "keys")
        self.logs = SignedLogs(self.keys)
        indexer = Indexer(self.store, folder / "index", min_pdq_quality=50)
        self.ledger = Ledger(
            self.store,
            limits=Limits(),
            min_pdq_quality=50,
            logs=self.logs,
            readers=Readers(),
            follow=indexer.follow,
            now=lambda: NOW,
        )

    def checkpoint(self, name: str = LIST) -> tuple[int, bytes]:
        """The size and root of the newest checkpoint, whose signature is good."""
        hash_list, note = self.store.get_list(name), self.store.logs.checkpoint(name)
        assert hash_list is not None
        signer = self.keys.signer(name, hash_list.key)
        assert signer is not None
        assert note is not None
        found = open_checkpoint(note, signer.verifier, origin=origin(name))
        return found.size, found.root

    def add(self, *numbers: int) -> None:
        """Add an entry for each number, in one batch."""
        drafts = [pdq_draft(number) for number in numbers]
        self.ledger.add_entries(LIST, drafts, request_id=f"add {numbers[0]}")


@pytest.fixture
def books(store_url: str, tmp_path: Path) -> Iterator[Books]:
    """Books on each database, with one list; at the end their parts must agree."""
    made = Books(store_url, tmp_path)
    made.ledger.create_list(LIST, ListKind.KNOWN, "for tests", request_id="list")
    yield made
    made.store.close()
    check_invariants(store_url, tmp_path)


def test_every_change_is_under_a_signed_checkpoint(books: Books) -> None:
    """And each checkpoint is a prefix of the next."""
    seen = [books.checkpoint()]
    books.add(1, 2, 3)
    seen.append(books.checkpoint())
    books.ledger.amend_entry(f"{LIST}#2", PROPAGANDA, ["note"], request_id="amend")
    seen.append(books.checkpoint())
    books.ledger.withdraw_entry(f"{LIST}#1", "mistake", request_id="withdraw")
    seen.append(books.checkpoint())
    books.ledger.update_list(LIST, {"purpose": "better"}, request_id="update")
    seen.append(books.checkpoint())
    assert [size for size, _ in seen] == [1, 4, 5, 6, 7]
    nodes = TileNodes(lambda *at: books.store.logs.read_tile(LIST, *at), seen[-1][0])
    for (size, root), (later, later_root) in pairwise(seen):
        proof = consistency_proof(nodes, size, later)
        verify_consistency(size, root, later, later_root, proof)


def test_a_refused_change_leaves_the_log_as_it_was(books: Books) -> None:
    """What was computed for it does not stay in memory either."""
    books.add(1)
    before = books.checkpoint()
    with pytest.raises(InvalidRequest):
        # Found out after the log has grown: the id was used for another request.
        books.ledger.add_entries(LIST, [pdq_draft(2)], request_id="add 1")
    assert books.checkpoint() == before
    books.add(3)
    assert books.checkpoint()[0] == before[0] + 1


def test_a_transaction_that_fails_late_is_not_in_the_tree(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tree that was made for it is forgotten."""
    with monkeypatch.context() as patched:
        patched.setattr("hashsvc.store.transaction.WriteTransaction.save_answer", _fail)
        with pytest.raises(OSError, match="disk"):
            books.add(1)
    books.add(2)
    assert books.checkpoint()[0] == 2


def _fail(*_: object) -> None:
    raise OSError("disk")


def test_a_restart_goes_on_from_the_tiles(books: Books, store_url: str, tmp_path: Path) -> None:
    """With the key of the list, which its owner alone can read."""
    books.add(*range(300))
    again = Books(store_url, tmp_path)
    again.add(300, 301)
    assert again.checkpoint()[0] == 303
    again.store.close()
    (key,) = (tmp_path / "keys").glob("*/*.pem")
    assert key == tmp_path / "keys" / "acme" / "known.pem"
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.parent.stat().st_mode & 0o777 == 0o700


def test_who_lacks_the_key_changes_nothing(books: Books, store_url: str, tmp_path: Path) -> None:
    """A list is changed where its key is; a key that others may read is refused."""
    books.add(1)
    key = tmp_path / "keys" / "acme" / "known.pem"
    aside = key.rename(tmp_path / "aside.pem")
    elsewhere = Books(store_url, tmp_path)
    with pytest.raises(PreconditionFailed, match="the key of acme/known is not at this node"):
        elsewhere.add(2)
    aside.chmod(0o644)
    aside.rename(key)
    with pytest.raises(ConfigError, match="chmod 600"):
        elsewhere.add(2)
    key.chmod(0o600)
    elsewhere.add(2)
    elsewhere.store.close()


def test_checkpoints_are_kept_a_step_apart(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """So a follower of a long log applies it in pieces, and the table stays short."""
    monkeypatch.setattr(transaction, "CHECKPOINT_STEP", 100)
    for number in range(0, 250, 10):
        books.add(*range(number, number + 10))
    point = schema.checkpoints
    with books.store._engine.begin() as connection:
        sizes = list(connection.execute(sa.select(point.c.size).order_by(point.c.size)).scalars())
    assert len(sizes) == 4
    gaps = [later - size for size, later in pairwise(sizes)]
    assert max(gaps) <= 100
    assert sizes[-1] == 251


def test_equal_records_have_different_leaves(books: Books) -> None:
    """The salt keeps who has the tree alone from guessing what is in it."""
    books.ledger.create_list("acme/other", ListKind.KNOWN, "for tests", request_id="other")
    first = books.store.logs.list_records(LIST, 0, 1)[0]
    second = books.store.logs.list_records("acme/other", 0, 1)[0]
    assert first.body == second.body
    assert first.salt != second.salt
    assert record_leaf(first.salt, first.body) != record_leaf(second.salt, second.body)


def test_a_database_from_before_gets_its_logs(tmp_path: Path) -> None:
    """Entries keep their names; what described the lists comes to the place that was free."""
    path = tmp_path / "hashsvc.db"
    _make_database_of_version_3(path)
    books = Books(f"sqlite:///{path}", tmp_path)
    books.logs.sign_unsigned(books.store)
    assert books.store.logs.unsigned_lists() == []
    assert books.checkpoint()[0] == 3
    (found,) = books.store.get_lists(after="", limit=10)
    assert (found.size, found.readers, found.names_contributors) == (3, EVERYONE, False)
    described, added, _ = books.store.logs.list_records(LIST, 0, 10)
    assert records.decode(described.body) == ListDescribed(
        ListKind.KNOWN, "for „tests“", EVERYONE, False, NOW
    )
    tree = Frontier()
    tree.extend([record_leaf(r.salt, r.body) for r in books.store.logs.list_records(LIST, 0, 10)])
    assert tree.root() == books.checkpoint()[1]
    assert isinstance(records.decode(added.body), EntryAdded)
    entry = books.store.get_entry(LIST, 1)
    assert entry is not None
    books.add(7)
    assert books.store.get_entry(LIST, 3) is not None
    check_checkpoint(books.store, LIST)
    books.store.close()


def make_old_database(path: Path, version: str) -> None:
    """An empty one, with the tables of an older version."""
    engine = sa.create_engine(f"sqlite:///{path}")
    config = Config()
    folder = Path(migrate.__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)
    engine.dispose()


def _make_database_of_version_3(path: Path) -> None:
    """One list with two entries, as an older version left it."""
    make_old_database(path, "0003")
    now = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()) * 1_000_000
    with sqlite3.connect(path) as database:
        database.execute("INSERT INTO node VALUES (1, 'abcd', 2)")
        row = (1, LIST, "known", "for „tests“", 2, 2, now)
        database.execute("INSERT INTO lists VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        for at in (1, 2):
            draft = pdq_draft(at)
            body = records.encode(EntryAdded(draft, "acme", NOW))
            database.execute(
                "INSERT INTO records VALUES (?, 1, ?, 'added', ?, ?)", (at, at, at, body)
            )
            digest, description = records.fingerprint_digest(draft), draft.description
            text = records.encode_description(description)
            database.execute(
                "INSERT INTO entries VALUES (?, 1, ?, 'image', 'acme', ?, 1, ?, ?, ?, NULL, '')",
                (at, at, text, digest, now, now),
            )
            database.execute(
                "INSERT INTO fingerprints VALUES (?, 0, 'pdq', ?, 100, NULL, 'exact', 'original')",
                (at, draft.fingerprints[0].value),
            )
    database.close()
