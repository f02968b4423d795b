"""The nouns of following a list: what travels, what is taken, how it stands. Frozen, no I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from hashsvc.model import Description


@dataclass(frozen=True, slots=True)
class Selection:
    """What a follower takes of a list: entries that fit each of these that is not empty.

    Records that are not about an entry are always taken.
    """

    labels: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    incidents: tuple[str, ...] = ()

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return not (self.labels or self.entities or self.bases or self.incidents)

    def takes(self, description: Description) -> bool:
        """Tell whether an entry of which this is said is taken."""
        return (
            _meet(self.labels, description.labels)
            and _meet(self.entities, description.entities)
            and _meet(self.bases, (str(description.basis),))
            and _meet(self.incidents, (description.incident,))
        )

    def to_document(self) -> dict[str, Any]:
        """As JSON has it: what is not empty."""
        named = {one.name: list(getattr(self, one.name)) for one in fields(self)}
        return {name: values for name, values in named.items() if values}

    @classmethod
    def from_document(cls, document: Mapping[str, Sequence[str]]) -> Self:
        """The inverse."""
        return cls(**{name: tuple(values) for name, values in document.items()})


def _meet(wanted: Sequence[str], found: Sequence[str]) -> bool:
    return not wanted or not set(wanted).isdisjoint(found)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a follower asks for: a list, from a size of its log on, and what it takes of it.

    With `is_to_head` the stream ends at the newest checkpoint, else it stays live.
    """

    list_name: str
    size: int
    selection: Selection = field(default_factory=Selection)
    is_to_head: bool = False


@dataclass(frozen=True, slots=True)
class Leaf:
    """One place of a log as it travels: a record with its salt, or, of one that is not for the
    receiver or was erased, its leaf hash alone (32 bytes)."""

    body: bytes = b""
    salt: bytes = b""
    hash: bytes = b""


@dataclass(frozen=True, slots=True)
class Started:
    """The first message: the newest checkpoint, and how the list's key changed over time.

    `is_home` says that the sender is where the list is kept. `first_key` is the list's first key;
    `rotations` are the statements by which it was replaced, in order.
    """

    head: bytes
    first_key: str
    rotations: tuple[str, ...]
    is_home: bool


@dataclass(frozen=True, slots=True)
class Leaves:
    """The next places of the log, without a gap; they count once a `Signed` follows."""

    first: int
    leaves: tuple[Leaf, ...]


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint over all places up to here; `head_size` is how far the log goes."""

    note: bytes
    head_size: int


@dataclass(frozen=True, slots=True)
class Ahead:
    """A record ahead of its turn, with the proof that a signed checkpoint covers it."""

    place: int
    body: bytes
    salt: bytes
    note: bytes
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Nothing new: the log's size as the sender has it."""

    head_size: int


@dataclass(frozen=True, slots=True)
class Rotated:
    """While the stream was open the list's key was replaced, as this statement says."""

    statement: str


FollowMessage = Started | Leaves | Signed | Ahead | Heartbeat | Rotated


@dataclass(frozen=True, slots=True)
class ShownCheckpoint:
    """A list's newest checkpoint as a node shows it, with what its witnesses cosigned.

    `cosigned` are the newest checkpoints of those witnesses that have not cosigned this one. The
    keys are as in `Started`. Nothing of it is verified.
    """

    note: bytes
    cosigned: tuple[bytes, ...]
    first_key: str
    rotations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """A place of a log, a checkpoint that covers it, and the hashes which prove it, leaf first.

    The keys are as in `Started`. Nothing of it is verified.
    """

    note: bytes
    leaf: Leaf
    hashes: tuple[bytes, ...]
    first_key: str
    rotations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Subscription:
    """A list of another node that this one follows.

    `source` is HOST:PORT, or empty where bundles alone are imported. `key` is the public key that
    was pinned. `verify_time` is when a checkpoint was last verified and applied.
    """

    list_name: str
    source: str
    key: str
    selection: Selection
    create_time: datetime
    verify_time: datetime | None = None
    is_paused: bool = False


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that was refused of a list: why, what was held, and what was offered instead."""

    id: int
    list_name: str
    source: str
    reason: str
    held: bytes
    offered: bytes
    time: datetime
    accept_time: datetime | None = None


class FollowState(StrEnum):
    """How following a list stands."""

    PAUSED = "paused"
    CONNECTING = "connecting"
    CATCHING_UP = "catching_up"
    LIVE = "live"
    WAITING = "waiting"
    REFUSED = "refused"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class FollowStatus:
    """How a subscription stands: `size` records are verified and applied, of `head_size`.

    `detail` says in words what is amiss. `ahead` counts records that came ahead of their turn.
    """

    subscription: Subscription
    state: FollowState
    size: int = 0
    head_size: int = 0
    ahead: int = 0
    detail: str = ""
    alarms: tuple[Alarm, ...] = ()

    @property
    def behind(self) -> int:
        """Records that the source has and this node has not applied."""
        return max(0, self.head_size - self.size)


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of a bundle that goes up to `bundle_size` records: `added` were not held before."""

    status: FollowStatus
    added: int
    bundle_size: int
