"""Whose entries do not match, in memory, since every match asks."""

from collections.abc import Iterable
from dataclasses import replace

from hashsvc.model import ANY_CONTRIBUTOR, Distrust, Entry


class Distrusted:
    """The distrust that holds. Changed under the ledger's lock, read from any thread."""

    def __init__(self, distrusts: Iterable[Distrust] = ()) -> None:
        self._since: dict[str, dict[str, int]] = {}
        self.learn(distrusts)

    def learn(self, distrusts: Iterable[Distrust]) -> None:
        """Know what holds now, in the place of what was known before."""
        since: dict[str, dict[str, int]] = {}
        for one in distrusts:
            of_list = since.setdefault(one.list_name, {})
            earlier = of_list.get(one.contributor, one.since_sequence)
            of_list[one.contributor] = min(earlier, one.since_sequence)
        self._since = since

    def covers(self, entry: Entry) -> bool:
        """Tell whether an entry does not match because of who contributed it."""
        if not self._since:
            return False
        of_list = self._since.get(entry.list_name)
        if of_list is None:
            return False
        by_any = of_list.get(ANY_CONTRIBUTOR)
        since = of_list.get(entry.contributor, by_any)
        if since is None:
            return False
        return entry.sequence >= (since if by_any is None else min(since, by_any))

    def marked(self, entry: Entry) -> Entry:
        """Return an entry that says so."""
        return replace(entry, is_distrusted=True) if self.covers(entry) else entry
