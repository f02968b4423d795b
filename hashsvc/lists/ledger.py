"""The ledger: the only writer. Validates a change, appends it, and lets the index follow."""

import hashlib
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from hashsvc.config import Limits
from hashsvc.errors import (
    AlreadyExists,
    InvalidRequest,
    PreconditionFailed,
)
from hashsvc.lists import canaries, opinions, rules
from hashsvc.lists.distrusted import Distrusted
from hashsvc.lists.logs import SignedLogs
from hashsvc.lists.readers import Readers
from hashsvc.model import (
    EVERYONE,
    AddedEntry,
    Change,
    Description,
    Entry,
    EntryAdded,
    EntryAmended,
    EntryDraft,
    EntryErased,
    EntryWithdrawn,
    HashList,
    Incident,
    IncidentConcluded,
    IncidentOpened,
    ListDescribed,
    ListKind,
    Opinion,
    OpinionGiven,
    OpinionKind,
    feedback_of,
)
from hashsvc.store import records
from hashsvc.store.store import Store
from hashsvc.store.transaction import WriteTransaction

_RANDOM = random.SystemRandom()
_T = TypeVar("_T")


class Ledger:
    """Applies changes to hash lists, one at a time, whole or not at all.

    Every method returns after its change is durable and `follow` was called; each takes a
    `request_id`, and repeating one gives the first answer again. Safe to call from any thread;
    `_lock` makes callers take turns, so that `follow` sees commits in order.
    """

    def __init__(
        self,
        store: Store,
        *,
        limits: Limits,
        min_pdq_quality: int,
        logs: SignedLogs,
        readers: Readers,
        follow: Callable[[], object],
        distrusted: Distrusted | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._logs = logs
        self._readers = readers
        self._distrusted = distrusted or Distrusted()
        self._limits = limits
        self._min_pdq_quality = min_pdq_quality
        self._follow = follow
        self._now = now
        self._lock = threading.Lock()

    def forget_old_requests(self) -> None:
        """Drop answers that are past their retention."""
        with self._lock, self._store.write() as tx:
            tx.forget_answers(self._now() - timedelta(days=self._limits.request_retention_days))

    def create_list(
        self,
        name: str,
        kind: ListKind,
        purpose: str,
        *,
        request_id: str,
        readers: Sequence[str] = EVERYONE,
        names_contributors: bool = False,
        local_features: bool = False,
        by: str = "",
        builtin: bool = False,
    ) -> tuple[HashList, int]:
        """Create a list and return it with the log position.

        Raises:
            InvalidRequest: the name, the purpose or a reader is malformed, or the name is reserved.
            AlreadyExists: the name is taken.
            LimitExceeded: the node has as many lists as it can.
        """
        rules.check_list_name(name, "list.name")
        rules.check_list_kind(name, kind, "list.name")
        rules.check_text(purpose, "list.purpose")
        chosen = rules.check_readers(readers, "list.readers")
        _check_not_reserved(name, "list.name", builtin=builtin)

        def apply(tx: WriteTransaction) -> Any:
            if tx.get_list(name) is not None:
                raise AlreadyExists(f"there is a list {name} already", metadata={"list": name})
            rules.check_room_for_list(tx.count_lists())
            change = ListDescribed(
                kind, purpose, chosen, names_contributors, self._now(), local_features
            )
            self._logs.create(tx, name, change, self._now())
            return {"position": tx.log_size}

        more = (str(names_contributors), str(local_features))
        content = ("create_list", name, kind, purpose, *chosen, *more)
        answer = self._once(by, request_id, content, apply, list_name=name)
        return self._list(name), answer["position"]

    def update_list(
        self, name: str, values: Mapping[str, Any], *, request_id: str, by: str = ""
    ) -> tuple[HashList, int]:
        """Set purpose, `readers`, `names_contributors` or `local_features`; return the list.

        Raises:
            InvalidRequest: a new value breaks a rule.
            NotFound: there is no such list.
            PreconditionFailed: the list is kept elsewhere.
        """
        rules.check_list_name(name, "list.name")
        _check_not_reserved(name, "list.name", builtin=False)
        rules.check_text(values.get("purpose", ""), "list.purpose")
        if "readers" in values:
            values = {**values, "readers": rules.check_readers(values["readers"], "list.readers")}

        def apply(tx: WriteTransaction) -> Any:
            now = rules.existing_list(tx.get_list(name), name)
            new = replace(now, **values)
            change = ListDescribed(
                new.kind,
                new.purpose,
                new.readers,
                new.names_contributors,
                self._now(),
                new.local_features,
            )
            self._append(tx, now, change)
            return {"position": tx.log_size}

        content = ("update_list", name, repr(sorted(values.items())))
        answer = self._once(by, request_id, content, apply, list_name=name)
        return self._list(name), answer["position"]

    def add_entries(
        self,
        list_name: str,
        drafts: Sequence[EntryDraft],
        *,
        request_id: str,
        by: str = "",
        builtin: bool = False,
    ) -> tuple[list[AddedEntry], int]:
        """Add a batch of entries; return what became of each, and the log position.

        A draft with exactly the fingerprints of an active entry of the list, or of an earlier
        draft, is not added again.

        Raises:
            InvalidRequest: an entry breaks a rule, or the list holds opinions, or takes no local
                features; nothing was added.
            LimitExceeded: the batch is too large.
            NotFound: there is no such list.
        """
        rules.check_list_name(list_name, "list")
        _check_not_reserved(list_name, "list", builtin=builtin)
        self._check_size(drafts)
        rules.check_drafts(drafts, self._now())
        ordered = [_in_record_order(draft) for draft in drafts]
        entries = [records.encode_draft(draft) for draft in ordered]

        def apply(tx: WriteTransaction) -> Any:
            hash_list = rules.existing_list(tx.get_list(list_name), list_name)
            rules.check_holds_entries(hash_list, "list")
            rules.check_takes_local(hash_list, drafts)
            digests = [records.fingerprint_digest(draft) for draft in ordered]
            sequences = tx.find_active(list_name, digests)
            changes: list[tuple[Change, bytes]] = []
            results = []
            for draft, digest, encoded in zip(ordered, digests, entries, strict=True):
                known = sequences.get(digest)
                if known is None:
                    change = EntryAdded(draft, by or hash_list.partner, self._now())
                    changes.append((change, records.encode(change, encoded)))
                    sequences[digest] = hash_list.size + len(changes) - 1
                results.append([sequences[digest], known is not None, self._is_matchable(draft)])
            if changes:
                self._logs.append(tx, hash_list, changes, self._now())
            # The list's name is for `forget_content`.
            return {"list": list_name, "entries": results, "position": tx.log_size}

        answer = self._once(by, request_id, ("add_entries", list_name, *entries), apply)
        added = [AddedEntry(f"{list_name}#{s}", old, can) for s, old, can in answer["entries"]]
        return added, answer["position"]

    def amend_entry(
        self,
        name: str,
        amendment: Description,
        fields: Sequence[str],
        *,
        request_id: str,
        by: str = "",
        viewer: str | None = None,
    ) -> tuple[Entry, int]:
        """Set the named fields of an entry's description; return the entry and the position.

        Raises:
            InvalidRequest: a new value breaks a rule.
            NotFound: there is no such entry.
            PreconditionFailed: the entry is withdrawn.
        """
        list_name, sequence = rules.check_entry_name(name, "entry.name")
        _check_not_reserved(list_name, "entry.name", builtin=False)
        values = {field: getattr(amendment, field) for field in fields}

        def apply(tx: WriteTransaction) -> Any:
            entry = rules.active_entry(tx.get_entry(list_name, sequence, viewer), name)
            description = replace(entry.description, **values)
            # An entry may be amended after it expired; only a new expiry must lie ahead.
            checked = (
                description if "expire_time" in fields else replace(description, expire_time=None)
            )
            rules.check_description(checked, "entry", self._now())
            self._change(tx, list_name, EntryAmended(sequence, description, self._now()))
            return {"entry": name, "position": tx.log_size}

        content = ("amend_entry", name, ",".join(fields), records.encode_description(amendment))
        answer = self._once(by, request_id, content, apply)
        return self._get_entry(list_name, sequence, viewer), answer["position"]

    def withdraw_entry(
        self, name: str, reason: str, *, request_id: str, by: str = "", viewer: str | None = None
    ) -> tuple[Entry, int]:
        """Withdraw an entry for good; return it and the log position.

        Raises:
            InvalidRequest: the reason is missing or too long.
            NotFound: there is no such entry.
            PreconditionFailed: the entry is withdrawn already.
        """
        list_name, sequence = rules.check_entry_name(name, "name")
        _check_not_reserved(list_name, "name", builtin=False)
        rules.check_text(reason, "reason", required=True)

        def apply(tx: WriteTransaction) -> Any:
            rules.active_entry(tx.get_entry(list_name, sequence, viewer), name)
            self._change(tx, list_name, EntryWithdrawn(sequence, reason, self._now()))
            return {"position": tx.log_size}

        answer = self._once(by, request_id, ("withdraw_entry", name, reason), apply)
        return self._get_entry(list_name, sequence, viewer), answer["position"]

    def erase_entry(
        self, name: str, reason: str, *, request_id: str, by: str = ""
    ) -> tuple[Entry, int]:
        """Erase an entry for legal reasons; return what is left of it, and the log position.

        Erasing again changes nothing. The saved index may hold the bare value, without its name,
        until the part of its files that it is in is written anew: they are made of the log when
        they are missing at a start. So may free space of a PostgreSQL database, until its VACUUM.

        Raises:
            InvalidRequest: the reason is missing or too long.
            NotFound: there is no such entry.
            PreconditionFailed: the list is kept elsewhere.
        """
        list_name, sequence = rules.check_entry_name(name, "name")
        _check_not_reserved(list_name, "name", builtin=False)
        rules.check_text(reason, "reason", required=True)

        def apply(tx: WriteTransaction) -> Any:
            entry = rules.existing_entry(tx.get_entry(list_name, sequence, None), name)
            if not entry.is_erased:
                self._change(tx, list_name, EntryErased(sequence, reason, self._now()))
                tx.forget_content(list_name, sequence)
            return {"position": tx.log_size}

        answer = self._once(by, request_id, ("erase_entry", name, reason), apply)
        return self._get_entry(list_name, sequence, None), answer["position"]

    def plant_canaries(
        self, list_name: str, partner: str, count: int, *, request_id: str, by: str = ""
    ) -> tuple[list[str], int]:
        """Add entries that only one partner sees; return their names and the log position.

        They are asserted by the list's owner, and look like entries of the list (see `canaries`).

        Raises:
            InvalidRequest: the partner is no partner's id, or the owner; the list holds opinions.
            LimitExceeded: they are too many.
            NotFound: there is no such list.
            PreconditionFailed: the list has no entry to resemble, or is kept elsewhere.
        """
        rules.check_list_name(list_name, "list")
        _check_not_reserved(list_name, "list", builtin=False)
        rules.check_canaries(list_name, partner, count)

        def apply(tx: WriteTransaction) -> Any:
            hash_list = rules.existing_list(tx.get_list(list_name), list_name)
            rules.check_holds_entries(hash_list, "list")
            now = self._now()
            changes: list[tuple[Change, bytes]] = []
            for like in tx.sample_entries(list_name, count):
                draft = _in_record_order(canaries.draft_like(like, _RANDOM, now))
                change = EntryAdded(draft, hash_list.partner, now)
                changes.append((change, records.encode(change)))
            if not changes:
                raise PreconditionFailed(
                    f"{list_name} has no entry that canaries could resemble: add some first",
                    reason="LIST_EMPTY",
                    metadata={"list": list_name},
                )
            self._logs.append(tx, hash_list, changes, now)
            sequences = range(hash_list.size, hash_list.size + len(changes))
            tx.mark_canaries(list_name, sequences, partner)
            return {"sequences": list(sequences), "position": tx.log_size}

        content = ("plant_canaries", list_name, partner, str(count))
        answer = self._once(by, request_id, content, apply)
        return [f"{list_name}#{s}" for s in answer["sequences"]], answer["position"]

    def give_opinion(
        self,
        partner: str,
        entry: str,
        opinion: OpinionKind,
        reason: str,
        *,
        request_id: str,
        by: str = "",
        viewer: str | None = None,
    ) -> tuple[Opinion, int]:
        """Put a partner's opinion on an entry of another into its feedback list, made if it is new.

        Returns the opinion, and the log position. What the partner holds already adds no record.

        Raises:
            InvalidRequest: a value breaks a rule, or the entry is the partner's own.
            NotFound: there is no such entry that the viewer sees.
            PreconditionFailed: the entry is withdrawn, or the feedback list is kept elsewhere.
            AlreadyExists: there is a list of its name which holds entries.
            LimitExceeded: the node has as many lists as it can.
        """
        list_name, sequence = rules.check_entry_name(entry, "entry")
        rules.check_opinion(partner, entry, opinion, reason)

        def apply(tx: WriteTransaction) -> Any:
            of = rules.active_entry(tx.get_entry(list_name, sequence, viewer), entry)
            given = OpinionGiven(entry, opinion, reason, self._now())
            time = opinions.give(tx, self._logs, partner, of, given)
            return {"time": time.isoformat(), "position": tx.log_size}

        content = ("give_opinion", partner, entry, opinion, reason)
        answer = self._once(by, request_id, content, apply, list_name=feedback_of(partner))
        time = datetime.fromisoformat(answer["time"])
        return Opinion(entry, partner, opinion, reason, time), answer["position"]

    def open_incident(
        self, list_name: str, incident: str, title: str, *, request_id: str, by: str = ""
    ) -> tuple[Incident, int]:
        """Open an incident in a list, or open it again; return it and the log position.

        Raises:
            InvalidRequest: its name or the title is malformed.
            NotFound: there is no such list.
            AlreadyExists: it is open.
            PreconditionFailed: the list is kept elsewhere.
        """
        self._check_incident(list_name, incident)
        rules.check_text(title, "title")

        def apply(tx: WriteTransaction) -> Any:
            found = tx.get_incident(list_name, incident)
            if found is not None and found.conclude_time is None:
                raise AlreadyExists(
                    f"the incident {incident} is open in {list_name} already",
                    reason="INCIDENT_ALREADY_OPEN",
                    metadata={"list": list_name},
                )
            self._change(tx, list_name, IncidentOpened(incident, title, self._now()))
            return {"position": tx.log_size}

        answer = self._once(by, request_id, ("open_incident", list_name, incident, title), apply)
        return self._get_incident(list_name, incident), answer["position"]

    def conclude_incident(
        self, list_name: str, incident: str, *, request_id: str, by: str = ""
    ) -> tuple[Incident, int]:
        """Conclude an incident in a list; return it and the log position.

        Raises:
            InvalidRequest: its name is malformed.
            NotFound: there is no such list, or no such incident in it.
            PreconditionFailed: it is concluded, or the list is kept elsewhere.
        """
        self._check_incident(list_name, incident)

        def apply(tx: WriteTransaction) -> Any:
            hash_list = rules.existing_list(tx.get_list(list_name), list_name)
            found = rules.existing_incident(
                tx.get_incident(list_name, incident), list_name, incident
            )
            if found.conclude_time is not None:
                raise PreconditionFailed(
                    f"the incident {incident} is concluded in {list_name} already",
                    reason="INCIDENT_CONCLUDED",
                    metadata={"list": list_name},
                )
            self._append(tx, hash_list, IncidentConcluded(incident, self._now()))
            return {"position": tx.log_size}

        answer = self._once(by, request_id, ("conclude_incident", list_name, incident), apply)
        return self._get_incident(list_name, incident), answer["position"]

    def rotate_key(self, list_name: str, *, request_id: str, by: str = "") -> tuple[HashList, int]:
        """Replace the key that signs a list's checkpoints; return the list and the log position.

        Raises:
            NotFound: there is no such list.
            PreconditionFailed: the list is kept elsewhere.
        """
        rules.check_list_name(list_name, "list")
        _check_not_reserved(list_name, "list", builtin=False)

        def apply(tx: WriteTransaction) -> Any:
            hash_list = rules.existing_list(tx.get_list(list_name), list_name)
            self._logs.rotate(tx, hash_list, self._now())
            return {"position": tx.log_size}

        answer = self._once(by, request_id, ("rotate_key", list_name), apply)
        return self._list(list_name), answer["position"]

    def now(self) -> datetime:
        """The time, by this node's clock."""
        return self._now()

    def take_in(self, list_name: str, apply: Callable[[WriteTransaction], None]) -> None:
        """Apply what was verified of a list that is kept elsewhere, in one transaction."""
        self.change(apply, list_name=list_name)

    def change(self, apply: Callable[[WriteTransaction], _T], *, list_name: str = "") -> _T:
        """Apply a change to any lists in one transaction; return what `apply` returned.

        `list_name` is a list of which what it says of itself may have changed.
        """
        with self._lock:
            try:
                with self._store.write() as tx:
                    answer = apply(tx)
            except BaseException:
                self._logs.forget()
                raise
            # Durable from here; a crash before the index follows is made good at the next start.
            self._learn(tx, list_name)
            self._follow()
        return answer

    def _once(
        self,
        by: str,
        request_id: str,
        content: Sequence[str | bytes],
        apply: Callable[[WriteTransaction], Any],
        *,
        list_name: str = "",
    ) -> Any:
        """Run `apply` in a transaction, or give the answer of its first run.

        `list_name` is a list of which what it says of itself may have changed.
        """
        rules.check_request_id(request_id)
        # One partner's ids never meet another's.
        key = f"{by}/{request_id}" if by else request_id
        digest = _content_digest(content)

        def once(tx: WriteTransaction) -> Any:
            earlier = tx.find_answer(key)
            if earlier is None:
                answer = apply(tx)
                tx.save_answer(key, digest, answer, self._now())
                return answer
            if earlier[0] != digest:
                raise InvalidRequest.of(
                    "request_id",
                    "was used before for a different request",
                    reason="REQUEST_ID_REUSED",
                )
            return earlier[1]

        return self.change(once, list_name=list_name)

    def _check_size(self, drafts: Sequence[EntryDraft]) -> None:
        if not drafts:
            raise InvalidRequest.of("entries", "give at least one entry")
        rules.check_limit(
            "max_batch_entries", "entries", len(drafts), self._limits.max_batch_entries
        )
        count = sum(len(draft.fingerprints) for draft in drafts)
        most = self._limits.max_batch_fingerprints
        rules.check_limit("max_batch_fingerprints", "fingerprints", count, most)

    def _is_matchable(self, draft: EntryDraft) -> bool:
        return bool(rules.searchable(draft.fingerprints, self._min_pdq_quality))

    def _change(self, tx: WriteTransaction, list_name: str, change: Change) -> None:
        self._append(tx, rules.existing_list(tx.get_list(list_name), list_name), change)

    def _append(self, tx: WriteTransaction, hash_list: HashList, change: Change) -> None:
        self._logs.append(tx, hash_list, [(change, records.encode(change))], change.time)

    def _learn(self, tx: WriteTransaction, list_name: str) -> None:
        """Keep who reads a list and who is distrusted now, before anybody is woken or matched."""
        if list_name:
            self._readers.learn(self._list(list_name))
        if tx.changes_trust:
            with self._store.read_distrusts() as rows:
                self._distrusted.learn(rows.find())

    def _list(self, name: str) -> HashList:
        return rules.existing_list(self._store.get_list(name), name)

    def _check_incident(self, list_name: str, incident: str) -> None:
        rules.check_list_name(list_name, "list")
        _check_not_reserved(list_name, "list", builtin=False)
        rules.check_incident(incident, "incident")

    def _get_incident(self, list_name: str, incident: str) -> Incident:
        found = self._store.get_incident(list_name, incident)
        return rules.existing_incident(found, list_name, incident)

    def _get_entry(self, list_name: str, sequence: int, viewer: str | None) -> Entry:
        entry = self._store.get_entry(list_name, sequence, viewer)
        return rules.existing_entry(entry, f"{list_name}#{sequence}")


def _in_record_order(draft: EntryDraft) -> EntryDraft:
    # The order records.decode gives, so that ordinals are the same on every node.
    ordered = sorted(draft.fingerprints, key=lambda fingerprint: fingerprint.algorithm)
    return replace(draft, fingerprints=tuple(ordered))


def _content_digest(content: Sequence[str | bytes]) -> bytes:
    digest = hashlib.sha256()
    for part in content:
        raw = part.encode() if isinstance(part, str) else part
        digest.update(len(raw).to_bytes(8) + raw)
    return digest.digest()


def _check_not_reserved(list_name: str, field: str, *, builtin: bool) -> None:
    if not builtin and list_name.startswith(f"{rules.RESERVED_PARTNER}/"):
        raise InvalidRequest.of(
            field, f"lists of {rules.RESERVED_PARTNER!r} are built in; use your own partner name"
        )
