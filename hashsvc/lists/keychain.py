"""The keys of a list over time: each one was handed over to by the one before.

A rotation is a statement, a note that both keys have signed:

    hashsvc key rotation
    <the log's origin>
    <place of the record that says so>
    <the key before>
    <the key after>

Checkpoints of at most that many records are signed by the key before, those of more by the key
after. So who knows one key of a list, whichever it is, knows all of them.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hashsvc.errors import NoteError
from hashsvc.lists.keys import Signer, Verifier
from hashsvc.lists.notes import Checkpoint, open_checkpoint, open_note, peek_checkpoint, sign

_TITLE = "hashsvc key rotation"
_PLACE = re.compile(r"[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Rotation:
    """A key is replaced by the record at a place of the log."""

    origin: str
    place: int
    before: Verifier
    after: Verifier

    def text(self) -> str:
        """Return the text of the statement."""
        lines = (_TITLE, self.origin, str(self.place), self.before.encode(), self.after.encode())
        return "".join(f"{line}\n" for line in lines)

    def sign(self, before: Signer, after: Signer) -> str:
        """Return the statement, signed by both keys."""
        return sign(self.text(), before, after).decode()

    @classmethod
    def read(cls, statement: str, origin: str) -> "Rotation":
        """Return what a statement about a log says, which both of its keys have signed.

        Raises:
            NoteError: it is malformed, about another log, or not signed so.
        """
        lines = statement.split("\n")
        if len(lines) < 5 or lines[:2] != [_TITLE, origin] or not _PLACE.fullmatch(lines[2]):
            raise NoteError(f"this is not a statement that a key of {origin} is replaced")
        before, after = map(Verifier.decode, lines[3:5])
        found = cls(origin, int(lines[2]), before, after)
        note = open_note(statement.encode(), [before, after])
        if note.text != found.text() or set(note.verified_by) != {before, after}:
            raise NoteError(f"the statement that a key of {origin} is replaced lacks a signature")
        return found


@dataclass(frozen=True, slots=True)
class Keychain:
    """The keys of the log `origin`, each with the least size of the checkpoints that it signs."""

    origin: str
    keys: tuple[tuple[int, Verifier], ...]

    @classmethod
    def read(cls, origin: str, first_key: str, rotations: Iterable[str]) -> "Keychain":
        """Return the keys that begin with the first and follow from statements, in order.

        Raises:
            NoteError: a key or a statement is malformed, not signed, or does not follow.
        """
        first = Verifier.decode(first_key)
        if first.name != origin:
            raise NoteError(f"this is a key of {first.name!r}, not of {origin!r}")
        chain = cls(origin, ((0, first),))
        for statement in rotations:
            chain = chain.rotated(statement)
        return chain

    def rotated(self, statement: str) -> "Keychain":
        """Return the keys with one more.

        Raises:
            NoteError: the statement is malformed, not signed, or does not follow.
        """
        rotation = Rotation.read(statement, self.origin)
        since, newest = self.keys[-1]
        if rotation.before != newest or rotation.place < since:
            raise NoteError(f"the keys of {self.origin} do not follow from each other")
        if rotation.after.name != self.origin:
            raise NoteError(f"a key of {self.origin} has another name")
        return Keychain(self.origin, (*self.keys, (rotation.place + 1, rotation.after)))

    def holds(self, key: str) -> bool:
        """Tell whether a key, as one word, is one of these."""
        return any(verifier.encode() == key for _, verifier in self.keys)

    def at(self, size: int) -> Verifier:
        """Return the key that signs checkpoints of a size."""
        return next(key for since, key in reversed(self.keys) if since <= size)

    def places(self, start: int, end: int) -> set[int]:
        """Return the places from `start` up to `end` whose records replace a key."""
        return {since - 1 for since, _ in self.keys[1:] if start < since <= end}

    def open(self, note: bytes) -> Checkpoint:
        """Return a checkpoint of the log that its key at that size has signed.

        Raises:
            NoteError: it is malformed, not signed so, or of another log.
        """
        key = self.at(peek_checkpoint(note).size)
        return open_checkpoint(note, key, origin=self.origin)


def first_key_of(key: str, rotations: Sequence[str]) -> str:
    """Return a list's first key, of its newest and the statements by which it was replaced."""
    # The fourth line of a statement is the key before it.
    return rotations[0].split("\n")[3] if rotations else key
