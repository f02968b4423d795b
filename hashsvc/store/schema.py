"""The tables, as the newest migration leaves them.

`records` is the truth; `entries`, `fingerprints` and the counters in `lists` are projections of
it, written in the same transaction, and can be rebuilt from it. Times are whole microseconds
since 1970, UTC. Versions: 0001 is the first; 0002 has partners and their credentials, 0003 the
audit log, 0004 the lists' signed logs and canaries, 0005 what following lists of others needs, 0006
which lists take local features.
"""

import sqlalchemy as sa

metadata = sa.MetaData()

node = sa.Table(
    "node",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),  # always 1
    sa.Column("node_id", sa.String(16), nullable=False),  # names this store in revisions
    sa.Column("log_size", sa.BigInteger, nullable=False),  # records in all lists; locks the writer
)

lists = sa.Table(
    "lists",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(127), nullable=False, unique=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("active_entries", sa.BigInteger, nullable=False),
    sa.Column("create_time", sa.BigInteger, nullable=False),
    sa.Column("readers", sa.Text, nullable=False),  # JSON, a list of texts
    sa.Column("names_contributors", sa.Boolean, nullable=False),
    sa.Column("key", sa.Text, nullable=False),  # the public key in force; empty until it is known
    sa.Column("local_features", sa.Boolean, nullable=False),
)

records = sa.Table(
    "records",
    metadata,
    sa.Column("position", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("list_id", sa.Integer, sa.ForeignKey("lists.id"), nullable=False),
    sa.Column("list_position", sa.BigInteger, nullable=False),  # from 0, no gaps: the leaf
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("entry_id", sa.BigInteger),  # the entry the record is about, if it is held
    # The record's bytes, never rewritten; both are empty when the record was erased.
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("salt", sa.LargeBinary(16), nullable=False),
    sa.Column("about", sa.BigInteger),  # sequence of the entry that a later record is about
    sa.UniqueConstraint("list_id", "list_position"),
    sa.Index(
        "records_about",
        "list_id",
        "about",
        sqlite_where=sa.text("about IS NOT NULL"),
        postgresql_where=sa.text("about IS NOT NULL"),
    ),
)

urgent = sa.Table(
    "urgent",  # the records that go ahead of the rest: those about an incident
    metadata,
    sa.Column("list_id", sa.Integer, sa.ForeignKey("lists.id"), primary_key=True),
    sa.Column("place", sa.BigInteger, primary_key=True),
)

tiles = sa.Table(
    "tiles",
    metadata,
    sa.Column("list_id", sa.Integer, sa.ForeignKey("lists.id"), primary_key=True),
    sa.Column("level", sa.Integer, primary_key=True),
    sa.Column("index", sa.BigInteger, primary_key=True),
    sa.Column("hashes", sa.LargeBinary, nullable=False),
)

checkpoints = sa.Table(
    "checkpoints",
    metadata,
    sa.Column("list_id", sa.Integer, sa.ForeignKey("lists.id"), primary_key=True),
    sa.Column("size", sa.BigInteger, primary_key=True),
    sa.Column("note", sa.LargeBinary, nullable=False),  # signed; the bytes as its signer made them
)

entries = sa.Table(
    "entries",
    metadata,
    # The position of the record that added the entry, so that it grows with the log.
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("list_id", sa.Integer, sa.ForeignKey("lists.id"), nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("media_type", sa.String(8), nullable=False),
    sa.Column("contributor", sa.String(63), nullable=False),
    sa.Column("description", sa.Text, nullable=False),  # JSON, as in the records
    sa.Column("fingerprint_count", sa.Integer, nullable=False),
    sa.Column("fingerprint_digest", sa.LargeBinary(32), nullable=False),
    sa.Column("create_time", sa.BigInteger, nullable=False),
    sa.Column("update_time", sa.BigInteger, nullable=False),
    sa.Column("withdraw_time", sa.BigInteger),
    sa.Column("withdraw_reason", sa.Text, nullable=False),
    sa.Column("arrive_time", sa.BigInteger, nullable=False),  # when this node took it in
    sa.UniqueConstraint("list_id", "sequence"),
    sa.Index("entries_by_fingerprints", "list_id", "fingerprint_digest"),
)

fingerprints = sa.Table(
    "fingerprints",
    metadata,
    sa.Column("entry_id", sa.BigInteger, sa.ForeignKey("entries.id"), primary_key=True),
    sa.Column("ordinal", sa.Integer, primary_key=True),
    sa.Column("algorithm", sa.String(8), nullable=False),
    sa.Column("value", sa.LargeBinary, nullable=False),
    sa.Column("quality", sa.SmallInteger),
    sa.Column("time_ms", sa.BigInteger),
    sa.Column("decoding", sa.String(8), nullable=False),
    sa.Column("variant", sa.String(64), nullable=False),
    sqlite_with_rowid=False,
)

canaries = sa.Table(
    "canaries",
    metadata,
    sa.Column("entry_id", sa.BigInteger, sa.ForeignKey("entries.id"), primary_key=True),
    sa.Column("partner", sa.String(63), nullable=False),  # the only one that sees the entry
)

rotations = sa.Table(
    "rotations",
    metadata,
    sa.Column("list_id", sa.Integer, sa.ForeignKey("lists.id"), primary_key=True),
    sa.Column("place", sa.BigInteger, primary_key=True),
    sa.Column("statement", sa.Text, nullable=False),  # a note, signed by the old key and the new
)

opinions = sa.Table(
    "opinions",  # the latest one of each partner on each entry
    metadata,
    sa.Column("list_id", sa.Integer, sa.ForeignKey("lists.id"), primary_key=True),
    sa.Column("entry", sa.String(150), primary_key=True),  # its name; it need not be held
    sa.Column("place", sa.BigInteger, nullable=False),
    sa.Column("opinion", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("time", sa.BigInteger, nullable=False),
    sa.Index("opinions_by_entry", "entry"),
)

distrusts = sa.Table(
    "distrusts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("list_id", sa.Integer, sa.ForeignKey("lists.id"), nullable=False),
    sa.Column("place", sa.BigInteger),  # of the record; none for a decision of this node alone
    sa.Column("contributor", sa.String(63), nullable=False),
    sa.Column("since_sequence", sa.BigInteger, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("create_time", sa.BigInteger, nullable=False),
    sa.Column("undo_time", sa.BigInteger),
    sa.Index("distrusts_by_list", "list_id"),
)

incidents = sa.Table(
    "incidents",
    metadata,
    sa.Column("list_id", sa.Integer, sa.ForeignKey("lists.id"), primary_key=True),
    sa.Column("incident", sa.String(128), primary_key=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("open_time", sa.BigInteger, nullable=False),
    sa.Column("conclude_time", sa.BigInteger),
)

promises = sa.Table(
    "promises",  # checkpoints that records were taken ahead under, to be held against the tree
    metadata,
    sa.Column("list_id", sa.Integer, sa.ForeignKey("lists.id"), primary_key=True),
    sa.Column("size", sa.BigInteger, primary_key=True),
    sa.Column("note", sa.LargeBinary, nullable=False),
)

ahead = sa.Table(
    "ahead",  # records that came ahead of their turn, with what proves them, to be passed on
    metadata,
    sa.Column("list_id", sa.Integer, sa.ForeignKey("lists.id"), primary_key=True),
    sa.Column("place", sa.BigInteger, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),  # of the promise
    sa.Column("proof", sa.LargeBinary, nullable=False),  # hashes of 32 bytes, from the leaf upwards
)

witnessed = sa.Table(
    "witnessed",  # the newest checkpoint that each witness cosigned
    metadata,
    sa.Column("list_id", sa.Integer, sa.ForeignKey("lists.id"), primary_key=True),
    sa.Column("witness", sa.String(255), primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("note", sa.LargeBinary, nullable=False),
)

subscriptions = sa.Table(
    "subscriptions",  # the lists of others that this node follows
    metadata,
    sa.Column("list_name", sa.String(127), primary_key=True),
    sa.Column("source", sa.Text, nullable=False),  # HOST:PORT, or empty: by bundles alone
    sa.Column("key", sa.Text, nullable=False),  # the public key that was pinned
    sa.Column("selection", sa.Text, nullable=False),  # JSON
    sa.Column("create_time", sa.BigInteger, nullable=False),
    sa.Column("verify_time", sa.BigInteger),  # of the newest checkpoint that was applied
    sa.Column("paused", sa.Boolean, nullable=False),
)

alarms = sa.Table(
    "alarms",  # what was refused of a list, with the evidence
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("list_name", sa.String(127), nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("held", sa.LargeBinary, nullable=False),  # the newest checkpoint that was good
    sa.Column("offered", sa.LargeBinary, nullable=False),  # what was offered instead, if signed
    sa.Column("time", sa.BigInteger, nullable=False),
    sa.Column("accept_time", sa.BigInteger),
    sa.Index("alarms_by_list", "list_name"),
)

requests = sa.Table(
    "requests",
    metadata,
    sa.Column("request_id", sa.String(192), primary_key=True),  # "sender/id", or the operator's
    sa.Column("digest", sa.LargeBinary(32), nullable=False),  # of the request's content
    sa.Column("answer", sa.Text, nullable=False),  # JSON
    sa.Column("create_time", sa.BigInteger, nullable=False),
    sa.Index("requests_by_time", "create_time"),
)

partners = sa.Table(
    "partners",
    metadata,
    sa.Column("id", sa.String(63), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("grants", sa.Text, nullable=False),  # JSON, a list of texts
    sa.Column("suspended", sa.Boolean, nullable=False),
    sa.Column("create_time", sa.BigInteger, nullable=False),
)

credentials = sa.Table(
    "credentials",
    metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("partner_id", sa.String(63), sa.ForeignKey("partners.id"), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("digest", sa.LargeBinary(32), nullable=False, unique=True),  # never the secret
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("create_time", sa.BigInteger, nullable=False),
    sa.Column("expire_time", sa.BigInteger),
    sa.Column("revoke_time", sa.BigInteger),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("position", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False),  # the record's bytes, never rewritten
)

audit_tiles = sa.Table(
    "audit_tiles",
    metadata,
    sa.Column("level", sa.Integer, primary_key=True),
    sa.Column("index", sa.BigInteger, primary_key=True),
    sa.Column("hashes", sa.LargeBinary, nullable=False),
)
