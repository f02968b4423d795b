"""Every setting of a node, with its unit, its default and what changing it does.

Settings come from one TOML file, overridden by environment variables (`HASHSVC_LISTEN`,
`HASHSVC_MATCHING__PDQ_RADIUS`), overridden by command line flags. Unknown keys in the file are
errors.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from hashsvc.addresses import is_address, is_loopback
from hashsvc.errors import ConfigError
from hashsvc.media import Limits as MediaLimits
from hashsvc.model import Action, Basis, Confidence, LocalFeatures, Severity


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


_MEDIA = MediaLimits()


class Limits(_Section):
    """Bounds on what one caller can make the node do. Past one: RESOURCE_EXHAUSTED."""

    max_message_bytes: int = Field(default=16 * 1024 * 1024, gt=0)
    """Largest gRPC message. Larger ones are refused before they are read."""
    max_media_bytes: int = Field(default=256 * 1024 * 1024, gt=0)
    """Largest file CheckMedia takes. It is held in memory while it comes in."""
    max_media_buffer_bytes: int = Field(default=1024 * 1024 * 1024, gt=0)
    """Memory for all uploads that are coming in or being decoded at once."""
    max_batch_checks: int = Field(default=1_000, gt=0)
    """Uploads in one message of CheckBatch."""
    max_check_fingerprints: int = Field(default=120_000, gt=0)
    """Fingerprints of one upload: four hours of video at eight frames a second."""
    max_batch_entries: int = Field(default=1_000, gt=0)
    """Entries in one message of AddEntries, which is one transaction."""
    max_batch_fingerprints: int = Field(default=100_000, gt=0)
    """Fingerprints in one message of AddEntries."""
    max_matches: int = Field(default=100, gt=0)
    """Matches in one verdict; `total_matches` counts the rest."""
    max_concurrent_checks: int = Field(default=256, gt=0)
    """Checks under way at once; the next is refused at once instead of queued."""
    max_concurrent_writes: int = Field(default=64, gt=0)
    """Writes under way at once."""
    max_concurrent_streams: int = Field(default=64, gt=0)
    """Open AddEntries streams, and CheckBatch streams: idle ones take no other call's place."""
    max_concurrent_followers: int = Field(default=500, gt=0)
    """Open Follow streams, one for each list and follower."""
    follow_heartbeat_s: float = Field(default=15, gt=0)
    """Seconds after which an open Follow stream on which nothing is new says so."""
    max_concurrent_reads: int = Field(default=64, gt=0)
    """Look-ups of lists and entries at once."""
    max_concurrent_media: int = Field(default=32, gt=0)
    """CheckMedia calls at once, those waiting for a decoder included."""
    max_concurrent_videos: int = Field(default=64, gt=0)
    """CheckVideo calls at once; of those that send bytes `decoding.stream_workers` are decoded, the
    rest wait."""
    max_concurrent_calls: int = Field(default=2_000, gt=0)
    """Calls of any kind at once, idle streams and those that wait for their turn included."""
    partner_share_percent: int = Field(default=50, gt=0, le=100)
    """How much of each of these one partner may take; the rest is left for others."""
    max_near_per_entry: int = Field(default=1_000, gt=0)
    """Different uploads in an hour that may come near one entry, from a partner that may only check
    against its list; see `access/probing.py`."""
    max_partner_calls_per_s: float = Field(default=5_000, ge=1)
    """Calls of one partner a second; of a stream each message is one, and each ten checks or
    entries in it one more. Calls beyond it are refused, streams are read more slowly."""
    acceptors: int = Field(default=64, gt=0, le=256)
    """Servers that share the port of a node with authentication, so that a call waits behind few
    others until it is known whose it is."""
    max_handshake_s: float = Field(default=10, gt=0)
    """Seconds in which a new connection must have agreed on TLS and HTTP/2; else it is closed."""
    max_idle_connection_s: float = Field(default=900, gt=0)
    """Seconds after which a connection without any call is closed; clients open it again."""
    max_idle_stream_s: float = Field(default=600, gt=0)
    """Seconds for which nothing need come in on an open stream; then it ends, its place is free."""
    max_upload_s: float = Field(default=600, gt=0)
    """Seconds that a file may take to come in by CheckMedia."""
    request_retention_days: int = Field(default=30, ge=30)
    """How long a repeated `request_id` gives its first answer."""


class Decoding(_Section):
    """Limits on fingerprinting one untrusted file, each in a worker process of its own.

    The names are those of `hashsvc.media.Limits`, which says more about each.
    """

    workers: int = Field(default=2, gt=0)
    """Decoder processes for whole files: about one a core. Each may use `decode_memory_bytes`."""
    stream_workers: int = Field(default=16, gt=0)
    """Uploads that are decoded while they come in, at once: each holds a process for as long as it
    takes."""
    keep_ready: int = Field(default=1, ge=0)
    """Processes of each of these kinds that are kept ready, 40 MB each; others are started when
    needed, which takes 0.4 s, and end when idle for a minute. With 0 a node that cannot start
    decoders finds out at the first file."""
    require_confinement: bool = False
    """Whether a node refuses to start where seccomp or Landlock does not hold for its decoders."""
    max_pixels: int = Field(default=_MEDIA.max_pixels, gt=0)
    """Pixels of a picture or of one video frame."""
    max_side_pixels: int = Field(default=_MEDIA.max_side_pixels, gt=0)
    """Width or height of a picture."""
    max_duration_s: float = Field(default=_MEDIA.max_duration_s, gt=0)
    """Length of a video, in seconds."""
    max_stream_bytes: int = Field(default=_MEDIA.max_stream_bytes, gt=0)
    """Bytes of a video that is decoded while they come; it is not kept."""
    max_held_bytes: int = Field(default=_MEDIA.max_held_bytes, gt=0)
    """Bytes of a video that a decoder holds for a closer look at what has passed."""
    decode_memory_bytes: int = Field(default=_MEDIA.decode_memory_bytes, gt=0)
    """Memory a worker may use above what it needs to start."""
    decode_cpu_s: float = Field(default=_MEDIA.decode_cpu_s, gt=0)
    """Processor seconds for one file."""
    decode_wall_s: float = Field(default=_MEDIA.decode_wall_s, gt=0)
    """Seconds of work on one file; what it is waited for does not count."""
    decode_share: float = Field(default=_MEDIA.decode_share, gt=0)
    """Seconds that each second of video decoded so far adds to both of these."""


class ListMatching(_Section):
    """What is different for some lists."""

    name: str = Field(pattern="^[a-z0-9-]+/([a-z0-9-]+|[*])$")
    """A list, such as `acme/known`, or all of a partner's: `acme/*`."""
    pdq_radius: int | None = Field(default=None, ge=0, le=96)
    """As for all lists, like those below. One that is not given is that of all lists."""
    hash64_radius: int | None = Field(default=None, ge=0, le=16)
    min_pdq_quality: int | None = Field(default=None, ge=0, le=100)
    """No less than that of all lists, below which nothing is searched."""


class Matching(_Section):
    """How near is a match.

    What `hashsvc/calibration.py` says of an algorithm counts beside this: no setting makes a hash
    match at a distance at which more than 1 in 100,000 comparisons of different pictures errs.
    """

    pdq_radius: int = Field(default=31, ge=0, le=96)
    """Bits of 256. 31 is PDQ's published recommendation; more finds more and errs more. Past 88
    nothing matches."""
    min_pdq_quality: int = Field(default=50, ge=0, le=100)
    """PDQ values below are neither searched with nor for. 50 is PDQ's recommendation."""
    hash64_radius: int = Field(default=8, ge=0, le=16)
    """Bits of 64: for pHash up to 11, for dHash up to 5. wHash does not match at all, as different
    pictures have the same too often."""
    lists: tuple[ListMatching, ...] = ()
    """What is different for some lists, as `[[matching.lists]]`; the first that fits counts."""
    local_features: LocalFeatures = LocalFeatures.AFTER
    """When an upload's local features are looked up in lists that have such: `after` all else found
    comes to nothing, which saves their time where hashes do; `always`, which may find more entries;
    or `never`. Of a video that comes in by and by, `after` means until hashes find something. But
    for `never`, pictures that a hash of the whole is near get a second look by them, which makes
    the match surer, or contradicts it."""
    local_radius: int = Field(default=31, ge=0, le=47)
    """Bits of 256 up to which local features of two pictures vote for one another. It proves
    nothing yet: what is in the same place does."""
    video_frame_radius: int = Field(default=47, ge=0, le=96)
    """Bits up to which a frame of a video makes a known one be looked at. It proves nothing yet, so
    it may be wider than `pdq_radius`; past 47 searching is slow."""
    video_evidence_s: float = Field(default=1.3, gt=0)
    """Seconds of a known video that must be seen in their order and at their pace. Each counts less
    the more the rest of the known video looks like the upload too; half of a shorter one is
    enough."""
    video_likeness_percent: float = Field(default=70, gt=0, le=100)
    """Mean distance of a segment's frames, at most this share of that to the rest of the known
    video: clips shot in one room have about 100, copies little."""
    video_bits: float = Field(default=62, gt=0, le=128)
    """Mean distance of a segment's frames, in bits, at most."""
    video_moments: int = Field(default=3, ge=1)
    """Frames in a segment that differ from one another, on either side, at least; a still picture
    has one."""
    video_share_percent: float = Field(default=60, gt=0, le=100)
    """A known picture matches a video when it is in this share of its seconds."""
    wait_for_revision_s: float = Field(default=5, ge=0)
    """How long a check waits for its `min_revision`, if its deadline is not sooner."""

    @model_validator(mode="after")
    def _check_qualities(self) -> Self:
        for own in self.lists:
            if own.min_pdq_quality is not None and own.min_pdq_quality < self.min_pdq_quality:
                raise ValueError(
                    f"lists: min_pdq_quality of {own.name} is {own.min_pdq_quality}, below that of "
                    f"all lists, which is {self.min_pdq_quality}; lower that one, or leave it out"
                )
        return self


class Tls(_Section):
    """Files in PEM. They are read anew when they change, so that certificates can be renewed."""

    certificate: Path | None = None
    """The node's certificate, with those between it and the root."""
    key: Path | None = None
    """Its private key; only the owner of the file may read it."""
    key_passphrase_file: Path | None = None
    """A file, for its owner alone, with the passphrase that the key is encrypted with. It is read
    at start, and counts for renewed keys too."""
    client_ca: Path | None = None
    """Who signs client certificates. With it a caller without one is turned away."""


class PolicyRule(_Section):
    """One rule: applies to matches that fit every condition given."""

    action: Action
    """What to do."""
    lists: frozenset[str] = frozenset()
    """Names of lists; empty means any."""
    labels: frozenset[str] = frozenset()
    """At least one of these labels; empty means any."""
    basis: frozenset[Basis] = frozenset()
    """One of these bases; empty means any."""
    min_severity: Severity = Severity.UNSPECIFIED
    """At least this severity."""
    exact: bool | None = None
    """True: only the very same file; false: only near matches."""
    min_confidence: Confidence = Confidence.WEAK
    """At least this sure: `exact`, `near_certain`, `likely` or `weak`, which is all matches;
    `hashsvc/calibration.py` says what each was measured to mean."""
    disputed: bool | None = None
    """True: only entries that at least one partner disputes or holds out of scope; false: only
    those of which nobody does. Confirmations weigh nothing against it. So a rule with it and the
    action `review`, ahead of one that blocks, sends a person what partners do not agree on. Those
    opinions count that the caller is told of in the verdict."""


class Policy(_Section):
    """What this node's platform makes of a verdict. Nothing blocks unless a rule here says so."""

    rules: tuple[PolicyRule, ...] = ()
    """The first rule that fits a match decides for it; the gravest match decides for the upload."""
    match: Action = Action.REVIEW
    """For a match that no rule fits."""
    undetermined: Action = Action.LOG
    """For an upload that could not be judged."""
    exempted: Action = Action.LOG
    """For a match, where the upload is also in an exemption list. An exemption that local features
    contradict counts for matches alone that they contradict too."""


class Peer(_Section):
    """Another node that this one follows lists at, and how it proves itself there."""

    address: str
    """HOST:PORT, as subscriptions name it."""
    api_key_file: Path | None = None
    """File with this node's API key there; only its owner may read it."""
    tls: bool = False
    """Whether to use TLS with the system's roots; each file below means so too."""
    ca: Path | None = None
    """Who signs the other node's certificate, in PEM."""
    certificate: Path | None = None
    """This node's client certificate there, in PEM."""
    key: Path | None = None
    """Its private key; only the owner of the file may read it."""


class Following(_Section):
    """How lists of other nodes are followed."""

    silence_s: float = Field(default=60, gt=0)
    """Seconds without any message after which a source counts as gone; more than its heartbeat."""
    retry_least_s: float = Field(default=0.2, gt=0)
    """Seconds before a source that was lost is tried again; doubled with each try, with jitter."""
    retry_most_s: float = Field(default=30, gt=0)
    """The most of these."""
    retry_refused_s: float = Field(default=300, gt=0)
    """Seconds before a source whose log was refused is tried again."""


class Settings(BaseSettings):
    """All settings of a node."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="HASHSVC_", env_nested_delimiter="__"
    )

    data: Path = Path("hashsvc-data")
    """Folder for the database and the saved index; made if missing. One node at a time."""
    listen: str = "127.0.0.1:50051"
    """HOST:PORT, port 0 for any free one, or unix:PATH. Loopback only, unless there is TLS and
    authentication."""
    metrics: str = ""
    """HOST:PORT where Prometheus may read `/metrics` over HTTP; empty: nowhere. Loopback only."""
    database_url: str = ""
    """SQLAlchemy URL; empty means an SQLite file in `data`."""
    keys_passphrase_file: Path | None = None
    """A file, for its owner alone, with the passphrase that the private keys in `data` are
    encrypted with. It is read at start. With it, keys that are not encrypted are refused."""
    index_save_s: float = Field(default=60, gt=0)
    """Seconds between saves of the index. After a crash what came since is followed again."""
    drain_s: float = Field(default=10, ge=0)
    """Seconds that calls under way have to end after SIGTERM."""
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")
    """Least level that is logged."""
    limits: Limits = Limits()
    decoding: Decoding = Decoding()
    matching: Matching = Matching()
    policy: Policy = Policy()
    tls: Tls = Tls()
    peers: tuple[Peer, ...] = ()
    """Nodes at which lists are followed, where that needs TLS or a credential."""
    following: Following = Following()
    authentication: bool = False
    """Whether callers need a credential. Without it whoever reaches the node may do everything."""

    @property
    def store_url(self) -> str:
        """The SQLAlchemy URL in use."""
        return self.database_url or f"sqlite:///{(self.data / 'hashsvc.db').absolute()}"

    @property
    def keys_folder(self) -> Path:
        """Where the private keys of this node's lists are."""
        return self.data / "keys" / "lists"

    @property
    def node_key(self) -> Path:
        """The node's own private key, which signs the heads of its audit log."""
        return self.data / "keys" / "node.pem"


def load(file: Path | None, flags: Mapping[str, Any]) -> Settings:
    """Return the settings from a TOML file, the environment and command line flags.

    Raises:
        ConfigError: a setting is unknown, malformed or unsafe; the message names it.
    """

    class FromFile(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            toml = TomlConfigSettingsSource(settings_cls, toml_file=file)
            return (init_settings, env_settings, toml)

    if file is not None and not file.is_file():
        raise ConfigError(f"there is no configuration file {file}")
    try:
        settings = FromFile(**flags)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise ConfigError("wrong settings: " + "; ".join(lines)) from None
    except ValueError as error:  # malformed TOML
        raise ConfigError(f"cannot read {file}: {error}") from None
    check_addresses(settings)
    return settings


def check_addresses(settings: Settings) -> None:
    """Refuse addresses that other machines could reach without TLS and a credential.

    Raises:
        ConfigError: one is malformed, or not loopback; or the settings of TLS do not fit together.
    """
    tls = settings.tls
    if (tls.certificate is None) is not (tls.key is None):
        raise ConfigError("tls: certificate and key go together")
    if tls.client_ca is not None and tls.key is None:
        raise ConfigError("tls: client_ca needs certificate and key")
    if tls.key_passphrase_file is not None and tls.key is None:
        raise ConfigError("tls: key_passphrase_file needs certificate and key")
    is_safe = tls.key is not None and settings.authentication
    if not settings.listen.startswith("unix:"):
        _check_address(
            "listen",
            settings.listen,
            None if is_safe else "without TLS and authentication (settings tls, authentication)",
        )
    if settings.metrics:
        _check_address("metrics", settings.metrics, "metrics have neither TLS nor authentication")


def _check_address(name: str, address: str, danger: str | None) -> None:
    host = address.rpartition(":")[0]
    if address.startswith("unix:") or not is_address(address):
        raise ConfigError(f"{name}: {address!r} is not HOST:PORT, such as 127.0.0.1:50051")
    if danger is not None and not is_loopback(host):
        raise ConfigError(
            f"{name}: refusing {address!r}: {danger}; this machine only (127.0.0.1, [::1], "
            "localhost; unix:PATH for calls)"
        )
