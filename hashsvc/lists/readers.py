"""Who may read each list, in memory, since every check asks."""

from collections.abc import Iterable

from hashsvc.model import EVERYONE, HashList


class Readers:
    """What the owners of lists say of their readers. Changed under the ledger's lock."""

    def __init__(self, lists: Iterable[HashList] = ()) -> None:
        self._named: dict[str, frozenset[str]] = {}
        for hash_list in lists:
            self.learn(hash_list)

    def learn(self, hash_list: HashList) -> None:
        """Keep whom a list names now."""
        if hash_list.readers == EVERYONE:
            self._named.pop(hash_list.name, None)
        else:
            self._named[hash_list.name] = frozenset(hash_list.readers)

    @property
    def are_everyone(self) -> bool:
        """Whether every list is for everyone."""
        return not self._named

    def may_read(self, list_name: str, partner: str) -> bool:
        """Tell whether a partner is a reader of a list, or its owner."""
        named = self._named.get(list_name)
        return named is None or partner in named or partner == list_name.partition("/")[0]
