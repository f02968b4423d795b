"""Opinions: what a partner holds of entries of others, in a list of its own."""

from datetime import datetime

from hashsvc.errors import AlreadyExists
from hashsvc.lists import rules
from hashsvc.lists.logs import SignedLogs
from hashsvc.model import (
    EVERYONE,
    Entry,
    HashList,
    ListDescribed,
    ListKind,
    OpinionGiven,
    feedback_of,
)
from hashsvc.store import records
from hashsvc.store.transaction import WriteTransaction

_PURPOSE = "What {partner} holds of entries in the lists of others."


def give(
    tx: WriteTransaction, logs: SignedLogs, partner: str, entry: Entry, given: OpinionGiven
) -> datetime:
    """Append a partner's opinion on an entry to its feedback list, which is made if it is new.

    Returns since when the partner says so: where it holds the very same already, nothing is added.

    Raises:
        InvalidRequest: the partner asserts the entry itself.
        PreconditionFailed: the feedback list is kept elsewhere.
        AlreadyExists: there is a list of its name which holds entries.
        LimitExceeded: the node has as many lists as it can.
    """
    if entry.contributor == partner:
        raise rules.own_entry()
    feedback = _ensure_list(tx, logs, partner, given.time)
    before = tx.get_opinion(feedback.name, given.entry)
    if before is not None and (before.opinion, before.reason) == (given.opinion, given.reason):
        return before.time
    logs.append(tx, feedback, [(given, records.encode(given))], given.time)
    return given.time


def _ensure_list(tx: WriteTransaction, logs: SignedLogs, partner: str, now: datetime) -> HashList:
    name = feedback_of(partner)
    found = tx.get_list(name)
    if found is None:
        rules.check_room_for_list(tx.count_lists())
        purpose = _PURPOSE.format(partner=partner)
        described = ListDescribed(ListKind.FEEDBACK, purpose, EVERYONE, False, now)
        logs.create(tx, name, described, now)
        found = rules.existing_list(tx.get_list(name), name)
    if found.kind is not ListKind.FEEDBACK:
        raise AlreadyExists(
            f"{name} holds entries, and opinions need that name", metadata={"list": name}
        )
    return found
