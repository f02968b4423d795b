"""How the database answers: what is done to one entry must not walk the list that it is in."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from hashsvc.store.store import Store
from tests.harness import PROPAGANDA, pdq_draft
from tests.lists.test_ledger import Books

# All of a list, or of a table of the log's size, is looked at.
_WALK = re.compile(
    r"SEARCH (records|entries) USING (COVERING )?INDEX \S+ \(list_id=\?\)|SCAN (records|entries)"
)
_LIST = "acme/known"


@contextmanager
def plans(store: Store) -> Iterator[list[str]]:
    """Gather the plans of all statements that the store runs."""
    found: list[str] = []

    def explain(
        connection: Any, cursor: Any, statement: str, values: Any, _context: Any, many: bool
    ) -> None:
        if not many and statement.split()[0] in ("SELECT", "UPDATE", "DELETE"):
            asked = connection.connection.cursor().execute(
                f"EXPLAIN QUERY PLAN {statement}", values
            )
            found.extend(f"{row[3]}: {statement}" for row in asked)

    sa.event.listen(store._engine, "before_cursor_execute", explain)
    try:
        yield found
    finally:
        sa.event.remove(store._engine, "before_cursor_execute", explain)


@pytest.mark.parametrize(
    "act",
    [
        lambda books: books.ledger.add_entries(_LIST, [pdq_draft(9)], request_id="a"),
        lambda books: books.ledger.amend_entry(
            f"{_LIST}#1", PROPAGANDA, ["labels"], request_id="m"
        ),
        lambda books: books.ledger.withdraw_entry(f"{_LIST}#1", "mistake", request_id="w"),
        lambda books: books.store.logs.records_about(_LIST, 1),
    ],
    ids=["add", "amend", "withdraw", "records about"],
)
def test_what_is_done_to_one_entry_does_not_walk_its_list(
    act: Callable[[Books], object], tmp_path: Path
) -> None:
    """A withdrawal from a list of a million entries takes no longer than from one of ten."""
    books = Books(f"sqlite:///{tmp_path / 'hashsvc.db'}", tmp_path)
    books.ledger.add_entries(_LIST, [pdq_draft(n) for n in range(5)], request_id="before")
    with plans(books.store) as found:
        act(books)
    books.store.close()
    assert any("SEARCH records" in plan or "SEARCH entries" in plan for plan in found)
    assert [plan for plan in found if _WALK.search(plan)] == []
