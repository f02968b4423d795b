"""Verifies a whole log as it is followed, on one's own, believing nothing of who sends it. No I/O.

Needs no copy of the list: what was verified is forgotten, but for the right edge of its tree. So a
log of any length takes as much memory as what comes between two of its checkpoints.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from hashsvc.errors import LogRefused, NoteError
from hashsvc.lists import rules
from hashsvc.lists.keychain import Keychain
from hashsvc.lists.keys import Witness
from hashsvc.lists.logs import origin
from hashsvc.lists.merkle import EMPTY_ROOT
from hashsvc.lists.notes import Checkpoint, cosignatures, peek_checkpoint
from hashsvc.lists.tiles import RightEdge
from hashsvc.lists.verifying import LogVerifier, Verified
from hashsvc.model import KeyRotated, ListDescribed
from hashsvc.model_sync import FollowMessage, Leaves, Rotated, ShownCheckpoint, Signed, Started


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A witness cosigned the log as it was at `size` records, at a time by its own clock."""

    witness: Witness
    size: int
    root: bytes
    time: datetime


@dataclass(frozen=True, slots=True)
class Audited:
    """A log that verified: `size` records, `withheld` of which came as hashes alone.

    `key` is the public key that signed its newest checkpoint, as one word.
    """

    size: int
    withheld: int
    root: bytes
    key: str


class Audit:
    """Verifies one list's log. Give it what `Follow` sends from size 0 on, then `finish`.

    `key` is the public key that is trusted, as one word; empty for the newest that is shown. Each
    of `witnessed` must be of a tree that the log has grown from.
    """

    def __init__(self, list_name: str, key: str, witnessed: Iterable[Witnessed] = ()) -> None:
        self._list_name = list_name
        self._key = key
        self._witnessed = tuple(witnessed)
        self._verifier: LogVerifier | None = None
        self._root = EMPTY_ROOT
        self._withheld = 0
        self.head_size = 0

    @property
    def size(self) -> int:
        """Records that are verified."""
        return 0 if self._verifier is None else self._verifier.size

    def receive(self, message: FollowMessage) -> None:
        """Take one message of the log in.

        Raises:
            LogRefused: it does not verify; the message says what does not.
        """
        match message:
            case Started():
                self._start(message)
            case Leaves():
                self._known.take(message)
                self._withheld += sum(not leaf.salt for leaf in message.leaves)
            case Signed():
                verified = self._known.close(message)
                self._check_keys(verified)
                self._known.commit(verified)
                self._root = verified.checkpoint.root
            case Rotated(statement=statement):
                self._known.rotated(statement)

    def finish(self) -> Audited:
        """Return what was verified.

        Raises:
            LogRefused: the log does not go as far as was said, or not from where a witness saw it.
        """
        if self.size < self.head_size:
            raise LogRefused(
                f"the node says that there are {self.head_size:,} records, and sent "
                f"{self.size:,} that verify"
            )
        for one in self._witnessed:
            if one.size > self.size:
                raise LogRefused(
                    f"{one.witness.name} cosigned it at {one.size:,} records, and the node shows "
                    f"{self.size:,}"
                )
            if self._known.roots.get(one.size) != one.root:
                raise LogRefused(
                    f"what {one.witness.name} cosigned at {one.size:,} records is not what this "
                    "log was then"
                )
        return Audited(
            self.size, self._withheld, self._root, self._known.keys.at(self.size).encode()
        )

    @property
    def _known(self) -> LogVerifier:
        if self._verifier is None:
            raise LogRefused("the stream does not begin with where the log stands")
        return self._verifier

    def _start(self, started: Started) -> None:
        if self._verifier is not None:
            raise LogRefused("the stream starts twice")
        key = self._key or newest_key(self._list_name, started.first_key, started.rotations)
        watched = [one.size for one in self._witnessed]
        self._verifier = LogVerifier(
            self._list_name, key, RightEdge(), lambda _: EMPTY_ROOT, watched=watched
        )
        self.head_size = self._verifier.start(started).size

    def _check_keys(self, verified: Verified) -> None:
        """Hold the keys that the node named against those that the log names."""
        first, end = verified.first, verified.checkpoint.size
        found = set()
        for place, leaf in enumerate(verified.leaves, first):
            # Reading every record would take most of the time.
            if leaf.salt and (place == 0 or b"rekeyed" in leaf.body):
                change = rules.read_record(leaf.body, place)
                if isinstance(change, KeyRotated):
                    found.add(place)
                if place == 0 and not isinstance(change, ListDescribed):
                    raise LogRefused("the first record does not describe the list")
        if found != self._known.keys.places(first, end):
            raise LogRefused("the keys shown are not those that the log names")


def newest_key(list_name: str, first_key: str, rotations: Sequence[str]) -> str:
    """Return the newest of the keys that a node shows for a list, as one word.

    Raises:
        LogRefused: they do not follow from each other.
    """
    try:
        keys = Keychain.read(origin(list_name), first_key, rotations)
    except NoteError as error:
        raise LogRefused(f"its keys are not sound: {error}") from error
    return keys.keys[-1][1].encode()


def witnessed_by(
    list_name: str, shown: ShownCheckpoint, witnesses: Sequence[Witness]
) -> list[Witnessed]:
    """Return the newest checkpoint of a list that each witness cosigned, of those that are shown.

    Raises:
        LogRefused: a witness has cosigned none, or its signature is not good.
    """
    found: dict[Witness, Witnessed] = {}
    for note in (*shown.cosigned, shown.note):
        try:
            checkpoint = peek_checkpoint(note)
            signed = cosignatures(note, witnesses)
        except NoteError as error:
            raise LogRefused(f"a cosigned checkpoint is not good: {error}") from error
        if checkpoint.origin != origin(list_name):
            continue
        for one in signed:
            before = found.get(one.witness)
            if before is None or before.size <= checkpoint.size:
                found[one.witness] = _witnessed(one.witness, checkpoint, one.time)
    for witness in witnesses:
        if witness not in found:
            raise LogRefused(f"the witness {witness.name} has cosigned no checkpoint of it")
    return [found[witness] for witness in witnesses]


def _witnessed(witness: Witness, checkpoint: Checkpoint, time: int) -> Witnessed:
    try:
        at = datetime.fromtimestamp(time, UTC)
    except (OverflowError, OSError, ValueError) as error:
        raise LogRefused(f"the cosignature of {witness.name} has no sensible time") from error
    return Witnessed(witness, checkpoint.size, checkpoint.root, at)
