"""The nouns of hashsvc as frozen values, with no I/O and no third-party imports."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Self


class Algorithm(StrEnum):
    """A fingerprint algorithm; it is always named, never guessed from a length."""

    SHA256 = "sha256"
    MD5 = "md5"
    SHA1 = "sha1"
    PDQ = "pdq"
    PHASH = "phash"
    DHASH = "dhash"
    WHASH = "whash"
    ORB = "orb"

    @property
    def bits(self) -> int:
        """Width of a value in bits; of the code of each local feature."""
        return _BITS[self]

    @property
    def is_local(self) -> bool:
        """Whether a value is a set of local features, of any length (see `features`)."""
        return self is Algorithm.ORB

    @property
    def is_of_whole(self) -> bool:
        """Whether a value is a perceptual hash of a whole picture or frame."""
        return not self.is_digest and not self.is_local

    @property
    def is_digest(self) -> bool:
        """Whether only equal values match (a cryptographic digest of the file's bytes)."""
        return self in _DIGESTS


_BITS = {
    Algorithm.SHA256: 256,
    Algorithm.MD5: 128,
    Algorithm.SHA1: 160,
    Algorithm.PDQ: 256,
    Algorithm.PHASH: 64,
    Algorithm.DHASH: 64,
    Algorithm.WHASH: 64,
    Algorithm.ORB: 256,
}
_DIGESTS = frozenset({Algorithm.SHA256, Algorithm.MD5, Algorithm.SHA1})


class Decoding(StrEnum):
    """How the media was decoded before hashing."""

    EXACT = "exact"
    FAST = "fast"


class LocalFeatures(StrEnum):
    """When the local features of uploads are looked up."""

    NEVER = "never"
    AFTER = "after"
    ALWAYS = "always"


ORIGINAL = "original"
"""The variant of media hashed as it is."""


class MediaType(StrEnum):
    """What an entry or an upload is; an animated picture is a video."""

    IMAGE = "image"
    VIDEO = "video"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """One value that stands for a media file, or for one frame of a video.

    `value` has `algorithm.bits / 8` bytes, most significant bit first, so that `value.hex()`
    is the form other tools print; that of local features is as `features` says. `quality` is PDQ's
    0..100. `time_ms` is the frame's offset from the start of the video in milliseconds. `variant`
    names the look at the media that was hashed.
    """

    algorithm: Algorithm
    value: bytes
    quality: int | None = None
    time_ms: int | None = None
    decoding: Decoding = Decoding.EXACT
    variant: str = ORIGINAL


class UndeterminedReason(StrEnum):
    """Why a check can give neither a match nor a trustworthy "no"."""

    LOW_INFORMATION = "low_information"
    UNREADABLE = "unreadable"
    PARTLY_SEEN = "partly_seen"
    INDEX_BEHIND = "index_behind"


@dataclass(frozen=True, slots=True)
class MediaFingerprints:
    """What hashing one file gave.

    `format` is the container found in the content (`jpeg`, `mp4`, ...). `width` and `height` are
    pixels after orientation, `duration_ms` is None for an image. `limitation` says what could
    not be seen (a video that ends early), `detail` says it in words. `progressive` says that the
    file is laid out so that it can be decoded while its bytes come; others are needed whole.
    """

    media_type: MediaType
    format: str
    width: int
    height: int
    duration_ms: int | None
    fingerprints: tuple[Fingerprint, ...]
    limitation: UndeterminedReason | None = None
    detail: str = ""
    progressive: bool = False


class Basis(StrEnum):
    """On what ground an entry is asserted."""

    PLATFORM_MODERATION = "platform_moderation"
    TRUSTED_FLAGGER = "trusted_flagger"
    GOVERNMENT_REFERRAL = "government_referral"
    REMOVAL_ORDER = "removal_order"
    COURT_ORDER = "court_order"
    RESEARCH = "research"


class Severity(IntEnum):
    """How grave the contributor holds an entry to be; 0 is unstated."""

    UNSPECIFIED = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4


class ListKind(StrEnum):
    """What being in a list means."""

    KNOWN = "known"
    EXEMPTION = "exemption"
    FEEDBACK = "feedback"


def feedback_of(partner: str) -> str:
    """The name of the list that holds a partner's opinions."""
    return f"{partner}/feedback"


def is_feedback(list_name: str) -> bool:
    """Tell whether a name is that of a list of opinions."""
    return list_name.endswith("/feedback")


PURPOSES = frozenset(
    {
        "radicalisation",
        "recruitment",
        "training",
        "planning",
        "fundraising",
        "glorification",
        "violent_act",
        "propaganda",
    }
)
"""The labels that name the purpose terrorist media serves."""


EVERYONE = ("*",)
"""Readers of a list: whoever a node's administrators let follow it."""


@dataclass(frozen=True, slots=True)
class HashList:
    """A shared hash list. `size` is the number of records in its log.

    `readers` are the partners that may follow it or learn that something is in it, beside its
    owner. `names_contributors` lets callers who may only check see who asserts an entry.
    `local_features` says that its entries may have such, which cost about 40 KB each. `key` is
    the public key that its checkpoints are signed with now, as one word.
    """

    name: str
    kind: ListKind
    purpose: str
    size: int
    active_entries: int
    create_time: datetime
    readers: tuple[str, ...] = EVERYONE
    names_contributors: bool = False
    key: str = ""
    local_features: bool = False

    @property
    def partner(self) -> str:
        """The partner who owns the list."""
        return self.name.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Description:
    """What a contributor says of an entry, and may amend later."""

    labels: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    basis: Basis | None = None
    severity: Severity = Severity.UNSPECIFIED
    incident: str = ""
    expire_time: datetime | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class EntryDraft:
    """An entry as contributed, before the list gives it a name."""

    media_type: MediaType
    fingerprints: tuple[Fingerprint, ...]
    description: Description


@dataclass(frozen=True, slots=True)
class Entry:
    """One known media item in a list; `name` is `partner/list#sequence`.

    `canary_of` is the only partner that sees it, of an entry that stands for no media and was
    planted to tell where a list leaked; empty for all others. `opinions` counts those of other
    partners, where that was asked for. `is_distrusted` says that it does not match at the node that
    was asked, because of who contributed it. Of one that `is_erased` nothing is left of its
    fingerprints and description.
    """

    name: str
    media_type: MediaType
    description: Description
    contributor: str
    fingerprints: tuple[Fingerprint, ...]
    create_time: datetime
    update_time: datetime
    withdraw_time: datetime | None = None
    withdraw_reason: str = ""
    canary_of: str = ""
    opinions: "OpinionCounts | None" = None
    is_distrusted: bool = False
    is_erased: bool = False

    @property
    def list_name(self) -> str:
        """The list the entry is in."""
        return self.name.partition("#")[0]

    @property
    def sequence(self) -> int:
        """The place of the record that added it."""
        return int(self.name.partition("#")[2])


@dataclass(frozen=True, slots=True)
class EntryAdded:
    """Record kind: an entry came in. Its name's sequence is the record's place in the log."""

    draft: EntryDraft
    contributor: str
    time: datetime


@dataclass(frozen=True, slots=True)
class EntryAmended:
    """Record kind: what is said of an entry changed; `description` is the whole new one."""

    sequence: int
    description: Description
    time: datetime


@dataclass(frozen=True, slots=True)
class EntryWithdrawn:
    """Record kind: an entry is withdrawn for good."""

    sequence: int
    reason: str
    time: datetime


@dataclass(frozen=True, slots=True)
class ListDescribed:
    """Record kind: what a list is. The first record of every list; a later one changes it."""

    kind: ListKind
    purpose: str
    readers: tuple[str, ...]
    names_contributors: bool
    time: datetime
    local_features: bool = False


@dataclass(frozen=True, slots=True)
class EntryErased:
    """Record kind: an entry's bytes are gone, on every node, for legal reasons; its leaf stays."""

    sequence: int
    reason: str
    time: datetime


@dataclass(frozen=True, slots=True)
class KeyRotated:
    """Record kind: from the next record on the list's checkpoints are signed by another key.

    `statement` is a note that says so, signed by both keys.
    """

    statement: str
    time: datetime


class OpinionKind(StrEnum):
    """What a partner holds of another's entry."""

    CONFIRM = "confirm"
    DISPUTE = "dispute"
    OUT_OF_SCOPE = "out_of_scope"
    SEEN = "seen"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class OpinionGiven:
    """Record kind, of a feedback list: its owner's opinion on an entry; the latest one counts."""

    entry: str
    opinion: OpinionKind
    reason: str
    time: datetime


ANY_CONTRIBUTOR = "*"
"""Stands for whoever contributed to a list, where somebody is distrusted."""


@dataclass(frozen=True, slots=True)
class ContributorDistrusted:
    """Record kind: what a contributor, or any, added from a sequence on does not match any more."""

    contributor: str
    since_sequence: int
    reason: str
    time: datetime


@dataclass(frozen=True, slots=True)
class TrustRestored:
    """Record kind: the record of distrust at a place of the log is undone."""

    place: int
    reason: str
    time: datetime


@dataclass(frozen=True, slots=True)
class IncidentOpened:
    """Record kind: an unfolding event; what is added under its name goes ahead of all else."""

    incident: str
    title: str
    time: datetime


@dataclass(frozen=True, slots=True)
class IncidentConcluded:
    """Record kind: what is added under its name goes with the rest again."""

    incident: str
    time: datetime


Change = (
    EntryAdded
    | EntryAmended
    | EntryWithdrawn
    | EntryErased
    | ListDescribed
    | KeyRotated
    | OpinionGiven
    | ContributorDistrusted
    | TrustRestored
    | IncidentOpened
    | IncidentConcluded
)
"""One change to a list: what a record of its log says."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """A partner's opinion on an entry; `partner` owns the feedback list that it is in."""

    entry: str
    partner: str
    opinion: OpinionKind
    reason: str
    time: datetime


@dataclass(frozen=True, slots=True)
class OpinionCounts:
    """How many partners hold what of an entry, beside its contributor and its list's owner."""

    confirm: int = 0
    dispute: int = 0
    out_of_scope: int = 0
    seen: int = 0
    pending: int = 0

    @classmethod
    def of(cls, opinions: Iterable[OpinionKind]) -> Self:
        """Count opinions of which each is another partner's."""
        return cls(**{kind.value: count for kind, count in Counter(opinions).items()})

    @classmethod
    def told(
        cls,
        opinions: Iterable[tuple[str, OpinionKind]],
        may_count: Callable[[str], bool] | None = None,
    ) -> Self:
        """Count those in feedback lists of which `may_count` says so; None counts all."""
        return cls.of(kind for name, kind in opinions if may_count is None or may_count(name))

    @property
    def disputing(self) -> int:
        """Partners that hold the entry wrong: false, or out of the list's scope."""
        return self.dispute + self.out_of_scope


@dataclass(frozen=True, slots=True)
class Distrust:
    """What a contributor added to a list from a sequence on does not match.

    `place` is that of the record that says so, None for a decision of this node alone.
    """

    id: int
    list_name: str
    contributor: str
    since_sequence: int
    reason: str
    create_time: datetime
    place: int | None = None
    undo_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class DistrustPreview:
    """What distrust would do in one list: how many entries that match now would not, those from
    which sequence on, and whether the list is kept here, so that its followers would do the same.
    """

    list_name: str
    entries: int
    since_sequence: int
    is_kept_here: bool


@dataclass(frozen=True, slots=True)
class Incident:
    """An unfolding event that entries of a list may name."""

    list_name: str
    incident: str
    title: str
    open_time: datetime
    conclude_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class AddedEntry:
    """What became of one entry of a batch."""

    name: str
    already_present: bool
    matchable: bool


@dataclass(frozen=True, slots=True)
class KnownEntry:
    """What a match needs to know of an entry: of its list, and its fingerprints by ordinal.

    The fingerprints carry no values. `opinions` are those of other partners, each with the feedback
    list that it is in.
    """

    entry: Entry
    kind: ListKind
    names_contributors: bool
    opinions: tuple[tuple[str, OpinionKind], ...] = ()


class Outcome(StrEnum):
    """What a check found."""

    NO_MATCH = "no_match"
    MATCH = "match"
    UNDETERMINED = "undetermined"


class Action(StrEnum):
    """What the asking platform's policy makes of a verdict, mildest first."""

    ALLOW = "allow"
    LOG = "log"
    REVIEW = "review"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fingerprint of the upload that lies within the radius of one known fingerprint.

    `distance` is in bits, 0 for digests, the mean for local features, of which `located` says more.
    The times are offsets into the upload and into the known video. The known value itself is never
    part of it.
    """

    algorithm: Algorithm
    distance: int
    variant: str = ORIGINAL
    upload_time_ms: int | None = None
    known_time_ms: int | None = None
    located: "Located | None" = None


@dataclass(frozen=True, slots=True)
class Located:
    """Where a known picture is in an upload, by its local features.

    So many known `features` were found where they should be. `corners` are the known picture's in
    the upload, x and y as shares of the upload's width and height, clockwise from the known upper
    left; what is outside of 0 to 1 is cut off. `visible` is the share of it that is not.
    """

    features: int
    corners: tuple[tuple[float, float], ...]
    visible: float


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of two videos matches: vPDQ's two percentages, counted in seconds of video.

    Matched are the seconds of the segments; the totals are how far the upload was seen, and how
    long the known video is. So it does not matter how densely either side was sampled.
    """

    upload_matched_s: int
    upload_total_s: int
    known_matched_s: int
    known_total_s: int

    @property
    def upload_percent(self) -> float:
        """Share of the upload's seconds that match, 0..100."""
        return 100 * self.upload_matched_s / self.upload_total_s

    @property
    def known_percent(self) -> float:
        """Share of the known video's seconds that match, 0..100."""
        return 100 * self.known_matched_s / self.known_total_s


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of an upload that is a part of a known video; milliseconds from their starts.

    `pace` is how many seconds of the known video pass in one of the upload. `distance` is the mean
    over its frames, in bits; `likeness` is that as a share of the distance of the same frames to
    the rest of the known video. `variant` names the look at the upload that shows it. All but that
    and the place in the upload is None for who may not see it.
    """

    upload_start_ms: int
    upload_end_ms: int
    known_start_ms: int | None = None
    known_end_ms: int | None = None
    pace: float | None = None
    distance: float | None = None
    likeness: float | None = None
    variant: str = ORIGINAL

    @property
    def length_ms(self) -> int:
        """Milliseconds of the upload."""
        return self.upload_end_ms - self.upload_start_ms


class Confidence(StrEnum):
    """How sure a match is, in four classes, the surest first; `calibration` says how sure."""

    EXACT = "exact"
    NEAR_CERTAIN = "near_certain"
    LIKELY = "likely"
    WEAK = "weak"


@dataclass(frozen=True, slots=True)
class Match:
    """One entry that the upload matches.

    `algorithm` and `variant` are those of the strongest piece of evidence. `evidence` is best
    first; a caller who may not see it has neither that nor coverage, of the segments only where
    they are in the upload, and the contributor only where `names_contributor`: the list's owner
    agrees. `segments` are those of two videos, in the order of the upload. `canary_of` is as in an
    entry. `opinions` counts those that the caller may know of. `confidence_basis` says in words
    what the confidence is based on, and no more than its class does. `contradicted` says that
    hashes of the whole are near, but the known picture's local features are not in the upload.
    """

    entry: str
    media_type: MediaType
    description: Description
    contributor: str
    algorithm: Algorithm
    variant: str
    confidence: Confidence
    evidence: tuple[Evidence, ...] = ()
    coverage: Coverage | None = None
    segments: tuple[Segment, ...] = ()
    names_contributor: bool = False
    canary_of: str = ""
    opinions: OpinionCounts = OpinionCounts()
    confidence_basis: str = ""
    contradicted: bool = False

    @property
    def list_name(self) -> str:
        """The list the matched entry is in."""
        return self.entry.partition("#")[0]

    @property
    def distance(self) -> int | None:
        """Bits of the strongest piece of evidence; None for who may not see it."""
        return self.evidence[0].distance if self.evidence else None

    @property
    def located(self) -> Located | None:
        """Where it is in the upload; None for who may not see it, and where hashes alone say so."""
        return next((one.located for one in self.evidence if one.located is not None), None)

    @property
    def is_exact(self) -> bool:
        """Whether the very same file is known (a digest is equal)."""
        return self.algorithm.is_digest


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to a check.

    `matches` is best first; `total_matches` counts those that a limit left out too.
    `exemptions` are matches in exemption lists. `searched` says which algorithms were looked up,
    `held` of which there is anything to be found in the lists that the caller may check.
    """

    outcome: Outcome
    action: Action
    revision: str
    reason: UndeterminedReason | None = None
    detail: str = ""
    matches: tuple[Match, ...] = ()
    total_matches: int = 0
    exemptions: tuple[Match, ...] = ()
    searched: tuple[Algorithm, ...] = field(default=())
    held: frozenset[Algorithm] = frozenset()


class Role(StrEnum):
    """What a partner may do on a node."""

    CHECK = "check"
    CONTRIBUTE = "contribute"
    FOLLOW = "follow"
    WITNESS = "witness"
    REVIEW = "review"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Grant:
    """A role, and for CHECK, CONTRIBUTE, FOLLOW and WITNESS the lists it is for.

    `lists` is a list's name, all of a partner's (`acme/*`), all there are (`*`), or empty: for
    CHECK that is all, for the others the partner's own. Of other roles it is empty.
    """

    role: Role
    lists: str = ""

    def __str__(self) -> str:
        return f"{self.role}:{self.lists}" if self.lists else str(self.role)

    @property
    def is_for_all(self) -> bool:
        """Whether it is for all lists there are."""
        return self.lists == "*" or (self.role is Role.CHECK and not self.lists)


@dataclass(frozen=True, slots=True)
class Partner:
    """An organisation in the cooperation; `name` is for people."""

    id: str
    name: str
    grants: tuple[Grant, ...]
    is_suspended: bool
    create_time: datetime


class CredentialKind(StrEnum):
    """How a partner proves who it is."""

    API_KEY = "api_key"
    CERTIFICATE = "certificate"


@dataclass(frozen=True, slots=True)
class Credential:
    """An API key or a client certificate of a partner; never the secret itself."""

    id: str
    partner: str
    kind: CredentialKind
    label: str
    create_time: datetime
    expire_time: datetime | None = None
    revoke_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a call: a partner with what it may do; the credential's id, empty for none."""

    partner: str
    grants: tuple[Grant, ...]
    credential: str = ""

    def may(self, role: Role, list_name: str = "") -> bool:
        """Tell whether a role is granted, for a list where one is named."""
        return any(
            grant.role is role and (not list_name or self._covers(grant, list_name))
            for grant in self.grants
        )

    def may_everywhere(self, role: Role) -> bool:
        """Tell whether a role is granted for all lists."""
        return any(grant.role is role and grant.is_for_all for grant in self.grants)

    def _covers(self, grant: Grant, list_name: str) -> bool:
        if grant.is_for_all:
            return True
        owner = list_name.partition("/")[0]
        return grant.lists in (list_name, f"{owner}/*") if grant.lists else owner == self.partner


OPERATOR = Caller("operator", tuple(Grant(role, "*") for role in Role))
"""The caller of a node without authentication: whoever can reach it on its own machine."""
