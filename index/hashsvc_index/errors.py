"""The exceptions that the library raises on purpose, all below `CodeIndexError`."""

from collections.abc import Iterable


class CodeIndexError(Exception):
    """Base of everything this library raises on purpose."""


class InvalidInputError(CodeIndexError, ValueError):
    """An argument has the wrong type, shape, dtype or range; nothing was changed."""


class DuplicateKeyError(CodeIndexError):
    """A key to add is live already, or stands twice in the call; nothing was changed.

    Attributes:
        keys: every offending key, ascending, each once.
    """

    _SHOWN = 5

    def __init__(self, keys: Iterable[int]) -> None:
        self.keys: tuple[int, ...] = tuple(sorted(set(keys)))
        shown = ", ".join(str(key) for key in self.keys[: self._SHOWN])
        more = f" and {len(self.keys) - self._SHOWN} more" if len(self.keys) > self._SHOWN else ""
        super().__init__(f"keys already in the index, or twice in the call: {shown}{more}")


class CorruptIndexError(CodeIndexError):
    """A saved index is missing, torn, damaged, or not one of these; make it again."""
