"""Distrust of what a partner contributed: looked at first, then carried out at once, undoable.

A plan names what a preview showed: which lists, from which sequence on, and how many entries. It
holds for what this node had taken in by then, so nobody can hold distrust up by adding more; that
is distrusted too.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from hashsvc.errors import InvalidRequest, NotFound, PreconditionFailed
from hashsvc.lists import rules
from hashsvc.lists.ledger import Ledger
from hashsvc.lists.logs import SignedLogs
from hashsvc.model import (
    ANY_CONTRIBUTOR,
    ContributorDistrusted,
    Distrust,
    DistrustPreview,
    TrustRestored,
)
from hashsvc.store import records
from hashsvc.store.distrusts import DistrustRows, Reach
from hashsvc.store.store import Store
from hashsvc.store.transaction import WriteTransaction


class Trust:
    """Distrusts and restores trust. Safe to call from any thread."""

    def __init__(self, store: Store, ledger: Ledger, logs: SignedLogs) -> None:
        self._store = store
        self._ledger = ledger
        self._logs = logs

    def preview(
        self, partner: str, since: datetime, list_name: str = ""
    ) -> tuple[list[DistrustPreview], str]:
        """Return what distrust would do, by list, and the plan that `distrust` carries out.

        Raises:
            InvalidRequest: the partner, the time or the list's name is malformed.
            NotFound: there is no such list.
        """
        self._check(partner, since, list_name)
        with self._store.read_distrusts() as rows:
            position = rows.log_size()
            reaches = _reaches(rows, partner, since, position, list_name)
        found = self._previews(reaches)
        return found, _plan(position, partner, since, list_name, found)

    def distrust(
        self, plan: str, partner: str, since: datetime, list_name: str, reason: str
    ) -> tuple[list[Distrust], int]:
        """Carry a plan out; return what is distrusted by it, and how many entries ceased to match.

        Raises:
            InvalidRequest, NotFound: as `preview`; the reason is missing or too long.
            PreconditionFailed: it would not do any more what was previewed.
            ConfigError: the key of a list that is kept here cannot be used.
        """
        rules.check_text(reason, "reason", required=True)
        self._check(partner, since, list_name)
        position = _position(plan)

        def apply(tx: WriteTransaction) -> tuple[list[Distrust], int]:
            reaches = _reaches(tx.distrusts, partner, since, position, list_name)
            previews = self._previews(reaches)
            if plan != _plan(position, partner, since, list_name, previews):
                raise PreconditionFailed(
                    f"distrust of {partner} would not do any more what was previewed: "
                    "look at a new preview",
                    reason="PLAN_STALE",
                )
            before = tx.distrusts.newest_id()
            for reach in reaches:
                self._distrust(tx, partner, reach, reason)
            return tx.distrusts.find(after=before), sum(one.entries for one in previews)

        return self._ledger.change(apply)

    def restore(self, distrust_id: int, partner: str, reason: str) -> list[Distrust]:
        """Undo the distrust of an id, or all of a contributor that can be undone here.

        Returns what that was. What is undone already stays as it is.

        Raises:
            InvalidRequest: neither or both are given; the reason is missing or too long.
            NotFound: there is none of that id.
            PreconditionFailed: it is in the log of a list that is kept elsewhere.
            ConfigError: the key of a list that is kept here cannot be used.
        """
        rules.check_text(reason, "reason", required=True)
        if bool(distrust_id) == bool(partner):
            raise InvalidRequest.of("id", "give either this or a partner")

        def apply(tx: WriteTransaction) -> list[Distrust]:
            if partner:
                found = [d for d in tx.distrusts.find(contributor=partner) if self._may_undo(d)]
            else:
                found = [_existing(tx.distrusts.get(distrust_id), distrust_id)]
            for one in found:
                if one.undo_time is None:
                    self._restore(tx, one, reason)
            return [_existing(tx.distrusts.get(one.id), one.id) for one in found]

        return self._ledger.change(apply)

    def contributor(self, distrust_id: int) -> str:
        """Return whose distrust an id is.

        Raises:
            NotFound: there is none of that id.
        """
        with self._store.read_distrusts() as rows:
            return _existing(rows.get(distrust_id), distrust_id).contributor

    def _distrust(self, tx: WriteTransaction, partner: str, reach: Reach, reason: str) -> None:
        hash_list = rules.existing_list(tx.get_list(reach.list_name), reach.list_name)
        since, now = reach.since_sequence, self._ledger.now()
        if reach.first is None and reach.first_now is not None:
            since = reach.first_now
        if self._logs.is_home(hash_list):
            change = ContributorDistrusted(partner, since, reason, now)
            self._logs.append(tx, hash_list, [(change, records.encode(change))], now)
        else:
            tx.distrust(reach.list_name, partner, since, reason, now)

    def _restore(self, tx: WriteTransaction, one: Distrust, reason: str) -> None:
        now = self._ledger.now()
        if one.place is None:
            tx.restore_trust(one.id, now)
            return
        # Refused where the list is kept elsewhere.
        hash_list = rules.existing_list(tx.get_list(one.list_name), one.list_name)
        change = TrustRestored(one.place, reason, now)
        self._logs.append(tx, hash_list, [(change, records.encode(change))], now)

    def _may_undo(self, one: Distrust) -> bool:
        return one.place is None or self._is_home(one.list_name)

    def _previews(self, reaches: Sequence[Reach]) -> list[DistrustPreview]:
        return [
            DistrustPreview(r.list_name, r.entries, r.since_sequence, self._is_home(r.list_name))
            for r in reaches
        ]

    def _is_home(self, list_name: str) -> bool:
        hash_list = self._store.get_list(list_name)
        return hash_list is not None and self._logs.is_home(hash_list)

    def _check(self, partner: str, since: datetime, list_name: str) -> None:
        if partner == ANY_CONTRIBUTOR:
            if not list_name:
                raise InvalidRequest.of("list", f"name it, where the partner is {ANY_CONTRIBUTOR}")
        elif not rules.is_name_part(partner) or partner == rules.RESERVED_PARTNER:
            raise InvalidRequest.of("partner", "is not a partner's id")
        if since > self._ledger.now():
            raise InvalidRequest.of("since", "is in the future")
        if list_name:
            rules.check_list_name(list_name, "list")
            if list_name.startswith(f"{rules.RESERVED_PARTNER}/"):
                raise InvalidRequest.of("list", "is built in")
            rules.existing_list(self._store.get_list(list_name), list_name)


def _reaches(
    rows: DistrustRows, partner: str, since: datetime, position: int, list_name: str
) -> list[Reach]:
    found = rows.reach(partner, since, position, list_name)
    return [reach for reach in found if not reach.is_covered]


def _plan(
    position: int,
    partner: str,
    since: datetime,
    list_name: str,
    previews: Sequence[DistrustPreview],
) -> str:
    lists = [
        # Where there was nothing, what is added since moves the sequence, and is no other plan.
        (p.list_name, p.entries, p.is_kept_here, p.entries and p.since_sequence)
        for p in previews
    ]
    text = repr((position, partner, since.isoformat(), list_name, lists))
    return f"{position}.{hashlib.sha256(text.encode()).hexdigest()}"


def _position(plan: str) -> int:
    digits, _, digest = plan.partition(".")
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 19 and digest):
        raise InvalidRequest.of("plan", "is not one that a preview gave")
    return int(digits)


def _existing(found: Distrust | None, distrust_id: int) -> Distrust:
    if found is None:
        raise NotFound(
            f"there is no distrust {distrust_id}: list them",
            reason="DISTRUST_NOT_FOUND",
            metadata={"distrust": str(distrust_id)},
        )
    return found
