"""What a node hands out of its lists' logs, to those who follow, audit and witness them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from hashsvc.errors import InvalidRequest, NoteError, ProofError, StoreError
from hashsvc.lists import rules
from hashsvc.lists.keychain import Keychain, first_key_of
from hashsvc.lists.keys import Witness
from hashsvc.lists.logs import SignedLogs, origin
from hashsvc.lists.merkle import HASH_BYTES, consistency_proof, inclusion_proof, tree_root
from hashsvc.lists.notes import (
    MAX_SIGNATURES,
    Checkpoint,
    cosignatures,
    only_signed_by,
    peek_checkpoint,
    same_text,
    with_signatures,
)
from hashsvc.lists.replica import proof_hashes
from hashsvc.lists.tiles import WIDTH, TileNodes
from hashsvc.model import (
    Description,
    EntryAdded,
    EntryAmended,
    EntryErased,
    HashList,
    OpinionGiven,
)
from hashsvc.model_sync import Ahead, Leaf, Selection, Started
from hashsvc.store.logs import HeldRecord
from hashsvc.store.projection import KINDS
from hashsvc.store.store import Store

MAX_WITNESSES = MAX_SIGNATURES - 1
"""Witnesses of one list: all may cosign one checkpoint, beside the list's own key."""

_MOST_KEY = 500

REACH = 2_000
"""Records that are sent at once if checkpoints allow: their follower applies them in one
transaction."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who gets records: a partner, who sees no canary but its own, or None, who sees all.

    `may_see` says of which lists, by name, it may know.
    """

    partner: str | None
    may_see: Callable[[str], bool]
    selection: Selection = field(default_factory=Selection)


@dataclass(frozen=True, slots=True)
class Proven:
    """A place of a log with the proof that a checkpoint covers it."""

    leaf: Leaf
    note: bytes
    proof: tuple[bytes, ...]


class Feed:
    """Reads the lists' logs. Safe to use from many threads."""

    def __init__(self, store: Store, logs: SignedLogs) -> None:
        self._store = store
        self._logs = logs

    def started(self, list_name: str) -> Started:
        """Return where a list's log stands, and whose it is.

        Raises:
            NotFound: there is no such list.
        """
        # The keys are read after the checkpoint, so that the one that signed it is among them.
        head = self.checkpoint(list_name)
        hash_list = self._list(list_name)
        rotations = self.rotations(list_name)
        first_key = first_key_of(hash_list.key, rotations)
        return Started(head, first_key, tuple(rotations), self._logs.is_home(hash_list))

    def rotations(self, list_name: str) -> list[str]:
        """Return the statements by which a list's key was replaced, in order."""
        return [statement for _, statement in self._store.logs.rotations(list_name)]

    def checkpoint(self, list_name: str) -> bytes:
        """Return a list's newest checkpoint.

        Raises:
            NotFound: there is no such list.
        """
        note = self._store.logs.checkpoint(list_name)
        if note is None:
            raise rules.no_list(list_name)
        return note

    def next_checkpoint(self, list_name: str, size: int) -> tuple[int, bytes] | None:
        """Return size and note of a checkpoint some way after a size; None at the end."""
        return self._store.logs.next_checkpoint(list_name, size, REACH)

    def leaves(
        self, list_name: str, start: int, end: int, reader: Reader
    ) -> tuple[list[Leaf], list[int]]:
        """Return the places from `start` up to `end` as a reader gets them.

        Also returns places before that it did not get and that an amendment makes it take.
        """
        held = {one.place: one for one in self._store.logs.held_records(list_name, start, end)}
        given, late = self._chosen(list_name, held.values(), reader)
        hashes = self._hashes(list_name, start, end, given)
        return [
            Leaf(held[place].body, held[place].salt) if place in given else Leaf(hash=hashes[place])
            for place in range(start, end)
        ], late

    def urgent(
        self, list_name: str, size: int, sent: set[int], limit: int, reader: Reader
    ) -> list[Ahead]:
        """Return up to `limit` urgent records from a size on that were not sent, with their proofs.

        Those that are not for the reader are put into `sent`.
        """
        places = self._store.logs.urgent_places(list_name, size, len(sent) + limit)
        return self.ahead(list_name, [p for p in places if p not in sent][:limit], sent, reader)

    def ahead(
        self, list_name: str, places: Sequence[int], sent: set[int], reader: Reader
    ) -> list[Ahead]:
        """Return records at some places, each with its proof; those that were given or are not for
        the reader are put into `sent`."""
        held = self._store.logs.records_at(list_name, places)
        given, _ = self._chosen(list_name, held, reader)
        sent.update(places)
        found = []
        for one in held:
            if one.place in given and (proven := self._proof(list_name, one.place)) is not None:
                note, proof = proven
                found.append(Ahead(one.place, one.body, one.salt, note, proof))
        return found

    def prove(self, list_name: str, place: int, reader: Reader) -> Proven:
        """Return the proof that a record is in the log.

        Raises:
            NotFound: there is no such list.
            InvalidRequest: the log has no such place.
        """
        size = self._list(list_name).size
        if not 0 <= place < size:
            raise InvalidRequest.of("place", f"the log has {size:,} records")
        (leaf,), _ = self.leaves(list_name, place, place + 1, reader)
        proven = self._proof(list_name, place)
        if proven is None:
            raise StoreError(f"the log of {list_name} is damaged: no proof of place {place}")
        return Proven(leaf, *proven)

    def consistency(self, list_name: str, old_size: int, new_size: int) -> list[bytes]:
        """Return the proof that one tree of a list's log grew into another.

        Raises:
            NotFound: there is no such list.
            InvalidRequest: the log has no trees of these sizes.
        """
        size = self._list(list_name).size
        if not 0 <= old_size <= new_size <= size:
            raise InvalidRequest.of(
                "new_size", f"give sizes with old_size <= new_size <= {size:,}, the log's"
            )
        return consistency_proof(self._nodes(list_name, size), old_size, new_size)

    def cosigned(self, list_name: str) -> tuple[bytes, list[bytes]]:
        """Return the newest checkpoint with all that is signed on it, and older ones of witnesses.

        Raises:
            NotFound: there is no such list.
        """
        note = self.checkpoint(list_name)
        older = []
        for _, _, cosigned in self._store.logs.cosigned(list_name):
            if same_text(cosigned, note):
                note = with_signatures(note, cosigned)
            else:
                older.append(cosigned)
        return note, older

    def cosign(self, list_name: str, note: bytes, witness_key: str) -> None:
        """Keep a witness's cosignature on a checkpoint of the log.

        Raises:
            NotFound: there is no such list.
            InvalidRequest: the note is no checkpoint of this log, or not signed by its key and
                the witness.
            LimitExceeded: the list has too many witnesses.
        """
        started = self.started(list_name)
        if len(witness_key) > _MOST_KEY:
            raise InvalidRequest.of("witness", f"is longer than {_MOST_KEY} characters")
        try:
            witness = Witness.decode(witness_key)
            keys = Keychain.read(origin(list_name), started.first_key, started.rotations)
            checkpoint = keys.open(note)
            if not cosignatures(note, [witness]):
                raise NoteError(f"{witness.name} has not signed it")
            self._check_of_log(list_name, checkpoint)
            # What else is signed on it is not known to be good: it would be handed out with it.
            note = only_signed_by(note, [keys.at(checkpoint.size), witness])
        except NoteError as error:
            raise InvalidRequest.of("note", str(error)) from error
        before = {key: size for key, size, _ in self._store.logs.cosigned(list_name)}
        _check_distinct(witness, map(Witness.decode, before), origin(list_name))
        rules.check_limit("MAX_WITNESSES", "witnesses", len({*before, witness_key}), MAX_WITNESSES)
        if before.get(witness_key, 0) <= checkpoint.size:
            self._store.logs.save_cosigned(list_name, witness_key, checkpoint.size, note)

    def _check_of_log(self, list_name: str, checkpoint: Checkpoint) -> None:
        """Raise NoteError if a checkpoint is not one of a list's log."""
        size = self._list(list_name).size
        if checkpoint.size > size:
            raise NoteError(f"the log has {size} records, not {checkpoint.size}")
        if tree_root(self._nodes(list_name, size), checkpoint.size) != checkpoint.root:
            raise NoteError("it is not a checkpoint of this log")

    def _proof(self, list_name: str, place: int) -> tuple[bytes, tuple[bytes, ...]] | None:
        """Return a checkpoint that covers a place, and the inclusion proof in its tree."""
        note = self.checkpoint(list_name)
        size = peek_checkpoint(note).size
        if place < size:
            try:
                return note, tuple(inclusion_proof(self._nodes(list_name, size), place, size))
            except ProofError as error:
                raise StoreError(f"the log of {list_name} is damaged: {error}") from error
        kept = self._store.logs.proof_ahead(list_name, place)
        return None if kept is None else (kept[0], proof_hashes(kept[1]))

    def _nodes(self, list_name: str, size: int) -> TileNodes:
        return TileNodes(partial(self._store.logs.read_tile, list_name), size)

    def _hashes(self, list_name: str, start: int, end: int, given: set[int]) -> dict[int, bytes]:
        """Return the leaf hashes of the places that are not given."""
        hashes: dict[int, bytes] = {}
        tile, tile_index = b"", -1
        for place in range(start, end):
            if place in given:
                continue
            index, at = divmod(place, WIDTH)
            if index != tile_index:
                tile_index, tile = index, self._store.logs.read_tile(list_name, 0, index) or b""
            hashes[place] = tile[at * HASH_BYTES : (at + 1) * HASH_BYTES]
            if len(hashes[place]) != HASH_BYTES:
                raise StoreError(f"the log of {list_name} is damaged: place {place} has no leaf")
        return hashes

    def _chosen(
        self, list_name: str, held: Iterable[HeldRecord], reader: Reader
    ) -> tuple[set[int], list[int]]:
        """Return the places that a reader gets, and those it should have got before."""
        given: set[int] = set()
        late: list[int] = []
        takes_all = reader.selection.is_everything
        held = list(held)
        withheld = self._withheld_opinions(held, reader)
        for one in held:
            if reader.partner is not None and one.canary_of not in ("", reader.partner):
                continue
            if one.place in withheld:
                continue
            if takes_all or self._is_selected(list_name, one, reader, late):
                given.add(one.place)
        return given, late

    def _withheld_opinions(self, held: Iterable[HeldRecord], reader: Reader) -> set[int]:
        """Return the places of opinions on entries that a reader may not know of."""
        about: dict[int, str] = {}
        for one in held:
            if one.kind == KINDS[OpinionGiven]:
                change = rules.read_record(one.body, one.place)
                about[one.place] = change.entry if isinstance(change, OpinionGiven) else ""
        canaries: set[str] = set()
        if reader.partner is not None and about:
            canaries = self._store.opinions.hidden_from(
                filter(None, about.values()), reader.partner
            )
        return {place for place, entry in about.items() if not _may_know(entry, canaries, reader)}

    def _is_selected(
        self, list_name: str, one: HeldRecord, reader: Reader, late: list[int]
    ) -> bool:
        """Tell whether a record is about an entry that is selected, or about none."""
        takes = reader.selection.takes
        if one.kind == KINDS[EntryAdded]:
            said = _description(one)
            return said is not None and takes(said)
        # What was erased is known to nobody here any more, so that it goes to everybody.
        if one.about is None or one.kind == KINDS[EntryErased]:
            return True
        # Taken by what was said of the entry at any time until then.
        before = self._store.logs.records_at(list_name, [one.about])
        before += self._store.logs.records_about(list_name, one.about)
        said_before = [_description(r) for r in before if r.place < one.place]
        if any(said is not None and takes(said) for said in said_before):
            return True
        now = _description(one)
        if now is None or not takes(now):
            return False
        late.append(one.about)
        return True

    def _list(self, list_name: str) -> HashList:
        return rules.existing_list(self._store.get_list(list_name), list_name)


def _check_distinct(witness: Witness, others: Iterable[Witness], list_origin: str) -> None:
    """Refuse a witness whose signatures could be taken for another's, on one note."""
    said = (witness.name, witness.key_id)
    if witness.name == list_origin or any(
        said == (other.name, other.key_id) and other != witness for other in others
    ):
        raise InvalidRequest.of("witness", f"passes for another key of {witness.name}")


def _description(one: HeldRecord) -> Description | None:
    match rules.read_record(one.body, one.place):
        case EntryAdded(draft=draft):
            return draft.description
        case EntryAmended(description=description):
            return description
    return None


def _may_know(entry: str, canaries: set[str], reader: Reader) -> bool:
    """Tell whether a reader gets an opinion: all that are on entries of its own lists it does."""
    list_name = entry.partition("#")[0]
    if list_name.partition("/")[0] == reader.partner:
        return True
    return bool(entry) and entry not in canaries and reader.may_see(list_name)
