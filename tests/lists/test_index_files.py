"""The saved index: whatever happens between saves, a start gives what the log says."""

import functools
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashsvc.config import Limits
from hashsvc.lists import rules
from hashsvc.lists.indexer import Indexer, Place
from hashsvc.lists.ledger import Ledger
from hashsvc.lists.logs import ListKeys, SignedLogs
from hashsvc.lists.readers import Readers
from hashsvc.model import Algorithm, EntryDraft, Fingerprint, ListKind, MediaType
from hashsvc.store.store import Store
from tests.harness import NOW, PROPAGANDA, indexed_codes, local_fingerprint

LIST = "acme/known"


@functools.cache
def draft(number: int) -> EntryDraft:
    """An entry with a fingerprint of each algorithm, random but for its number."""
    source = random.Random(number)
    fingerprints = []
    for algorithm in Algorithm:
        if algorithm.is_local:
            # As an entry of a picture has, or one of a video.
            fingerprints += [local_fingerprint(2 * number + i) for i in range(1 + number % 2)]
        else:
            quality = 90 if algorithm is Algorithm.PDQ else None
            value = source.randbytes(algorithm.bits // 8)
            fingerprints.append(Fingerprint(algorithm, value, quality=quality))
    return EntryDraft(MediaType.IMAGE, tuple(fingerprints), PROPAGANDA)


def indexed(*numbers: int, least_quality: int = 50) -> int:
    """How many keys these drafts have in the indexes."""
    return sum(
        len(indexed_codes(fingerprint))
        for number in numbers
        for fingerprint in rules.searchable(draft(number).fingerprints, least_quality)
    )


KEPT = [number for number in range(30) if number + 1 not in (1, 7, 30)]
"""Drafts whose entries the desk has not withdrawn."""


class Desk:
    """A ledger and the index that follows it, which can be closed and opened again."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        self.added = 0
        self.open()
        self.ledger.create_list(
            LIST, ListKind.KNOWN, "for tests", request_id="list", local_features=True
        )

    def open(self, min_pdq_quality: int = 50) -> None:
        """Open the store and the index, without following the log."""
        self.store = Store(self.url)
        self.indexer = Indexer(self.store, self.folder, min_pdq_quality=min_pdq_quality)
        self.ledger = Ledger(
            self.store,
            limits=Limits(),
            min_pdq_quality=min_pdq_quality,
            logs=SignedLogs(ListKeys(self.folder.parent / "keys")),
            readers=Readers(),
            follow=self.indexer.follow,
            now=lambda: NOW,
        )

    def close(self) -> None:
        """As after a crash: nothing is saved."""
        self.indexer.close()
        self.store.close()

    def add(self, count: int = 1) -> None:
        """Add so many entries in one batch."""
        drafts = [draft(self.added + i) for i in range(count)]
        self.ledger.add_entries(LIST, drafts, request_id=f"add-{self.added}")
        self.added += count

    def withdraw(self, sequence: int) -> None:
        """Withdraw the entry of that sequence."""
        self.ledger.withdraw_entry(f"{LIST}#{sequence}", "mistake", request_id=f"gone-{sequence}")

    def found(self, indexer: Indexer) -> set[tuple[Algorithm, Place]]:
        """All that a search for each fingerprint that was ever added finds."""
        return {
            (fingerprint.algorithm, Place.of(key))
            for number in range(self.added)
            for fingerprint in draft(number).fingerprints
            for key in indexer.search_codes(
                fingerprint.algorithm, indexed_codes(fingerprint), 0
            ).key.tolist()
        }

    def check(self) -> None:
        """The index is what one made from the log alone is."""
        with tempfile.TemporaryDirectory() as nothing:
            fresh = Indexer(self.store, Path(nothing), min_pdq_quality=50)
            fresh.follow()
            assert self.indexer.position == fresh.position
            assert len(self.indexer) == len(fresh)
            assert self.found(self.indexer) == self.found(fresh)
            fresh.close()


@pytest.fixture
def desk(store_url: str, tmp_path: Path) -> Iterator[Desk]:
    """A desk on each database with 30 entries, three withdrawn, and its index saved."""
    made = Desk(store_url, tmp_path / "index")
    made.add(30)
    for sequence in (1, 7, 30):
        made.withdraw(sequence)
    made.indexer.save()
    yield made
    made.check()
    made.close()


def test_a_start_goes_on_from_what_was_saved(desk: Desk) -> None:
    """Nothing of the log is read again."""
    desk.close()
    desk.open()
    assert desk.indexer.position == desk.indexer.saved_position == 34
    assert len(desk.indexer) == indexed(*KEPT)
    desk.check()


def test_nothing_is_written_when_nothing_came(desk: Desk) -> None:
    """A node at rest leaves its disk alone."""
    before = sorted(desk.folder.rglob("*"))
    desk.indexer.save()
    assert sorted(desk.folder.rglob("*")) == before
    desk.add()
    desk.indexer.save()
    assert sorted(desk.folder.rglob("*")) != before


def test_what_came_after_is_followed(desk: Desk) -> None:
    """Added to what was saved, and taken from it."""
    desk.add(5)
    desk.withdraw(2)
    desk.withdraw(34)
    desk.close()
    desk.open()
    assert (desk.indexer.position, desk.indexer.saved_position) == (34, 34)
    desk.indexer.follow()
    assert desk.indexer.position == 41


def test_a_lost_folder_is_made_again_beside_the_others(desk: Desk) -> None:
    """Each index has a position of its own."""
    shutil.rmtree(desk.folder / "pdq")
    desk.add(3)
    desk.close()
    desk.open()
    assert desk.indexer.position == 0
    desk.indexer.follow()
    desk.check()
    desk.indexer.save()
    desk.close()
    desk.open()
    assert desk.indexer.position == 37


def _cut(folder: Path) -> None:
    for path in folder.glob("*/rest-*"):
        path.write_bytes(path.read_bytes()[:-1])


def _swap(folder: Path) -> None:
    (folder / "pdq").rename(folder / "x")
    (folder / "sha256").rename(folder / "pdq")
    (folder / "x").rename(folder / "sha256")


def _garble(folder: Path) -> None:
    for path in folder.glob("*/manifest"):
        path.write_bytes(b"\x00" * 100)


@pytest.mark.parametrize("damage", [_cut, _swap, _garble, shutil.rmtree])
def test_damage_costs_time_only(desk: Desk, damage: Callable[[Path], None]) -> None:
    """Torn, foreign or lost files are not trusted and not fatal."""
    desk.close()
    damage(desk.folder)
    desk.open()
    assert desk.indexer.position == 0
    desk.indexer.follow()


def test_an_index_by_other_rules_is_made_again(desk: Desk) -> None:
    """What is indexed depends on the quality that counts."""
    desk.close()
    desk.open(min_pdq_quality=95)
    assert desk.indexer.position == 0
    desk.indexer.follow()
    assert len(desk.indexer) == indexed(*KEPT, least_quality=95)
    desk.close()
    desk.open()
    desk.indexer.follow()


def test_an_index_of_another_log_is_made_again(tmp_path: Path) -> None:
    """A database that was put back and then went another way has the same positions."""
    desk = Desk(f"sqlite:///{tmp_path / 'hashsvc.db'}", tmp_path / "index")
    desk.add(3)
    desk.close()
    shutil.copy(tmp_path / "hashsvc.db", tmp_path / "backup.db")
    desk.open()
    desk.indexer.follow()
    desk.add(4)
    desk.indexer.save()
    desk.close()
    for path in tmp_path.glob("hashsvc.db*"):
        path.unlink()
    shutil.copy(tmp_path / "backup.db", tmp_path / "hashsvc.db")
    desk.open()
    assert desk.indexer.position == 0
    desk.indexer.follow()
    desk.added = 100
    desk.add(4)
    desk.close()
    desk.open()
    assert desk.indexer.position == 0
    desk.indexer.follow()
    desk.added = 104
    desk.check()
    desk.close()


def test_a_full_disk_leaves_the_last_save_good(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next start goes on from there."""

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    desk.add(2)
    with monkeypatch.context() as patch:
        patch.setattr("hashsvc_index.files.replace_file", full)
        with pytest.raises(OSError, match="no space"):
            desk.indexer.save()
    assert desk.indexer.saved_position == 34
    desk.close()
    desk.open()
    assert desk.indexer.position == 34
    desk.indexer.follow()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 4)),
        st.tuples(st.just("withdraw"), st.integers(0, 99)),
        st.tuples(st.just("save"), st.none()),
        st.tuples(st.just("restart"), st.none()),
        st.tuples(st.just("lose"), st.sampled_from(Algorithm)),
    ),
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_any_order_of_changes_saves_and_crashes(steps: list[tuple[str, object]]) -> None:
    """The index is what the log says."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        desk = Desk(f"sqlite:///{folder / 'hashsvc.db'}", folder / "index")
        active: list[int] = []
        for step, value in steps:
            if step == "add" and isinstance(value, int):
                size = desk.store.log_size()
                desk.add(value)
                active += range(size, size + value)
            elif step == "withdraw" and isinstance(value, int) and active:
                desk.withdraw(active.pop(value % len(active)))
            elif step == "save":
                desk.indexer.save()
            elif step == "lose" and isinstance(value, Algorithm):
                shutil.rmtree(desk.folder / value.value, ignore_errors=True)
            elif step == "restart":
                desk.close()
                desk.open()
                desk.indexer.follow()
        desk.check()
        desk.close()
