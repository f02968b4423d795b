"""The ListService servicer."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import grpc.aio

from hashsvc import translate
from hashsvc.errors import HashsvcError, InvalidRequest
from hashsvc.lists import rules
from hashsvc.lists.distrusted import Distrusted
from hashsvc.lists.ledger import Ledger
from hashsvc.model import Entry, EntryDraft, HashList, OpinionCounts
from hashsvc.rpc import access
from hashsvc.rpc.threads import Threads
from hashsvc.rpc.turns import in_pieces
from hashsvc.store.store import Store
from hashsvc.tokens import (
    Revisions,
    page_token,
    read_page_number,
    read_page_pair,
    read_page_token,
)
from hashsvc.v1 import list_service_pb2 as pb
from hashsvc.v1 import types_pb2
from hashsvc.v1.list_service_pb2_grpc import ListServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]

_AMENDABLE = ("labels", "entities", "basis", "severity", "incident", "expire_time", "note")
_CHANGEABLE = ("purpose", "readers", "names_contributors", "local_features")
_FEW = 500
_DEFAULT_PAGE, _LARGEST_PAGE = 100, 1_000
# Well below what a message may take, for clients take no larger ones.
_PAGE_BYTES = 8 * 1024 * 1024
# Characters of a caller's text that the audit log takes.
_NOTED = 100


class ListServicer(ListServiceServicer):
    """Reads requests, asks the ledger or the store, writes answers."""

    def __init__(
        self,
        ledger: Ledger,
        store: Store,
        distrusted: Distrusted,
        threads: Threads,
        revisions: Revisions,
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._distrusted = distrusted
        self._threads = threads
        self._revisions = revisions

    async def CreateList(
        self, request: pb.CreateListRequest, context: Context
    ) -> pb.CreateListResponse:
        """Create a list."""
        access.check_may_contribute(rules.check_list_name(request.list.name, "list.name"))
        hash_list, position = await self._threads.write(
            self._ledger.create_list,
            request.list.name,
            translate.list_kind_from_proto(request.list.kind),
            request.list.purpose,
            request_id=request.request_id,
            readers=request.list.readers,
            names_contributors=request.list.names_contributors,
            local_features=request.list.local_features,
            by=access.sender(),
        )
        revision = self._revisions.token(position)
        return pb.CreateListResponse(list=translate.list_to_proto(hash_list), revision=revision)

    async def UpdateList(
        self, request: pb.UpdateListRequest, context: Context
    ) -> pb.UpdateListResponse:
        """Change what a list says of itself."""
        fields = _masked(request.update_mask.paths, _CHANGEABLE)
        access.check_owns(rules.check_list_name(request.list.name, "list.name"))
        new = request.list
        values = {
            "purpose": new.purpose,
            "readers": tuple(new.readers),
            "names_contributors": new.names_contributors,
            "local_features": new.local_features,
        }
        hash_list, position = await self._threads.write(
            self._ledger.update_list,
            request.list.name,
            {field: values[field] for field in fields},
            request_id=request.request_id,
            by=access.sender(),
        )
        revision = self._revisions.token(position)
        return pb.UpdateListResponse(list=translate.list_to_proto(hash_list), revision=revision)

    async def RotateKey(
        self, request: pb.RotateKeyRequest, context: Context
    ) -> pb.RotateKeyResponse:
        """Replace a list's key."""
        access.check_owns(rules.check_list_name(request.list, "list"))
        hash_list, position = await self._threads.write(
            self._ledger.rotate_key,
            request.list,
            request_id=request.request_id,
            by=access.sender(),
        )
        access.note(key=hash_list.key)
        revision = self._revisions.token(position)
        return pb.RotateKeyResponse(list=translate.list_to_proto(hash_list), revision=revision)

    async def GetList(self, request: pb.GetListRequest, context: Context) -> pb.GetListResponse:
        """Get a list."""
        access.check_may_see(rules.check_list_name(request.name, "name"))
        revision = await self._revision()
        hash_list = await self._get_list(request.name)
        return pb.GetListResponse(list=translate.list_to_proto(hash_list), revision=revision)

    async def ListLists(
        self, request: pb.ListListsRequest, context: Context
    ) -> pb.ListListsResponse:
        """List the lists."""
        after = read_page_token("lists", request.page_token)
        size = _page_size(request.page_size)
        revision = await self._revision()
        lists = await self._threads.read(self._visible_lists, after, size + 1, access.visible())
        more = page_token("lists", lists[size - 1].name) if len(lists) > size else ""
        return pb.ListListsResponse(
            lists=[translate.list_to_proto(hash_list) for hash_list in lists[:size]],
            next_page_token=more,
            revision=revision,
        )

    async def AddEntries(
        self, request_iterator: AsyncIterator[pb.AddEntriesRequest], context: Context
    ) -> AsyncIterator[pb.AddEntriesResponse]:
        """Add one batch after the other."""
        batches = entries = 0
        async for request in request_iterator:
            try:
                answer = await self._add(request)
                batches += 1
                entries += sum(not entry.already_present for entry in answer.entries)
                access.note(batches=str(batches), entries_added=str(entries))
                yield answer
            except HashsvcError as error:
                error.metadata.setdefault("request_id", request.request_id)
                raise

    async def AmendEntry(
        self, request: pb.AmendEntryRequest, context: Context
    ) -> pb.AmendEntryResponse:
        """Amend an entry."""
        fields = _masked(request.update_mask.paths, _AMENDABLE)
        list_name, _ = rules.check_entry_name(request.entry.name, "entry.name")
        access.check_may_contribute(list_name)
        access.note(entry=request.entry.name)
        entry, position = await self._threads.write(
            self._ledger.amend_entry,
            request.entry.name,
            translate.description_from_proto(request.entry, "entry"),
            fields,
            request_id=request.request_id,
            by=access.sender(),
            viewer=access.viewer(list_name),
        )
        revision = self._revisions.token(position)
        return pb.AmendEntryResponse(entry=self._to_proto(entry), revision=revision)

    async def WithdrawEntry(
        self, request: pb.WithdrawEntryRequest, context: Context
    ) -> pb.WithdrawEntryResponse:
        """Withdraw an entry."""
        list_name, _ = rules.check_entry_name(request.name, "name")
        access.check_may_contribute(list_name)
        access.note(entry=request.name)
        entry, position = await self._threads.write(
            self._ledger.withdraw_entry,
            request.name,
            request.reason,
            request_id=request.request_id,
            by=access.sender(),
            viewer=access.viewer(list_name),
        )
        revision = self._revisions.token(position)
        return pb.WithdrawEntryResponse(entry=self._to_proto(entry), revision=revision)

    async def EraseEntry(
        self, request: pb.EraseEntryRequest, context: Context
    ) -> pb.EraseEntryResponse:
        """Erase an entry."""
        list_name, _ = rules.check_entry_name(request.name, "name")
        access.check_owns(list_name)
        access.note(entry=request.name)
        entry, position = await self._threads.write(
            self._ledger.erase_entry,
            request.name,
            request.reason,
            request_id=request.request_id,
            by=access.sender(),
        )
        revision = self._revisions.token(position)
        return pb.EraseEntryResponse(entry=self._to_proto(entry), revision=revision)

    async def PlantCanaries(
        self, request: pb.PlantCanariesRequest, context: Context
    ) -> pb.PlantCanariesResponse:
        """Add entries that one partner alone sees."""
        access.check_owns(rules.check_list_name(request.list, "list"))
        access.note(canary_of=request.partner)
        names, position = await self._threads.write(
            self._ledger.plant_canaries,
            request.list,
            request.partner,
            request.count,
            request_id=request.request_id,
            by=access.sender(),
        )
        revision = self._revisions.token(position)
        return pb.PlantCanariesResponse(entries=names, revision=revision)

    async def OpenIncident(
        self, request: pb.OpenIncidentRequest, context: Context
    ) -> pb.OpenIncidentResponse:
        """Open an incident."""
        access.check_may_open_incidents(rules.check_list_name(request.list, "list"))
        access.note(incident=request.incident[:_NOTED])
        incident, position = await self._threads.write(
            self._ledger.open_incident,
            request.list,
            request.incident,
            request.title,
            request_id=request.request_id,
            by=access.sender(),
        )
        message = translate.incident_to_proto(incident)
        return pb.OpenIncidentResponse(incident=message, revision=self._revisions.token(position))

    async def ConcludeIncident(
        self, request: pb.ConcludeIncidentRequest, context: Context
    ) -> pb.ConcludeIncidentResponse:
        """Conclude an incident."""
        access.check_may_open_incidents(rules.check_list_name(request.list, "list"))
        access.note(incident=request.incident[:_NOTED])
        incident, position = await self._threads.write(
            self._ledger.conclude_incident,
            request.list,
            request.incident,
            request_id=request.request_id,
            by=access.sender(),
        )
        message = translate.incident_to_proto(incident)
        revision = self._revisions.token(position)
        return pb.ConcludeIncidentResponse(incident=message, revision=revision)

    async def ListIncidents(
        self, request: pb.ListIncidentsRequest, context: Context
    ) -> pb.ListIncidentsResponse:
        """List the incidents of a list."""
        name = rules.check_list_name(request.list, "list")
        access.check_may_see(name)
        scope = f"incidents/{name}"
        after = read_page_token(scope, request.page_token)
        size = _page_size(request.page_size)
        revision = await self._revision()
        await self._get_list(name)
        found = await self._threads.read(self._store.get_incidents, name, after, size + 1)
        return pb.ListIncidentsResponse(
            incidents=map(translate.incident_to_proto, found[:size]),
            next_page_token=page_token(scope, found[size - 1].incident) if found[size:] else "",
            revision=revision,
        )

    async def GetEntry(self, request: pb.GetEntryRequest, context: Context) -> pb.GetEntryResponse:
        """Get an entry."""
        list_name, sequence = rules.check_entry_name(request.name, "name")
        access.check_may_see(list_name)
        revision = await self._revision()
        viewer = access.viewer(list_name)
        found = await self._threads.read(self._store.get_entry, list_name, sequence, viewer)
        entry = rules.existing_entry(found, request.name)
        (entry,) = await self._threads.read(self._with_counts, [entry], access.may_count())
        return pb.GetEntryResponse(entry=self._to_proto(entry), revision=revision)

    async def ListEntries(
        self, request: pb.ListEntriesRequest, context: Context
    ) -> pb.ListEntriesResponse:
        """List the entries of a list."""
        name = rules.check_list_name(request.list, "list")
        access.check_may_see(name)
        viewer = access.viewer(name)
        if request.only_canaries:
            access.check_owns(name)
        scope = f"entries/{name}"
        after = read_page_number(scope, request.page_token)
        size = _page_size(request.page_size)
        revision = await self._revision()
        await self._get_list(name)
        entries, messages = await self._threads.read(
            self._entries_with_messages,
            name,
            access.may_count(),
            after=after,
            limit=size + 1,
            with_withdrawn=request.show_withdrawn,
            with_fingerprints=request.show_fingerprints,
            viewer=viewer,
            canaries_only=request.only_canaries,
        )
        size = min(size, _fitting(messages))
        more = ""
        if len(entries) > size:
            more = page_token(scope, entries[size - 1].name.partition("#")[2])
        return pb.ListEntriesResponse(
            entries=messages[:size],
            next_page_token=more,
            revision=revision,
        )

    async def GiveOpinion(
        self, request: pb.GiveOpinionRequest, context: Context
    ) -> pb.GiveOpinionResponse:
        """Say what a partner holds of an entry of another."""
        list_name, _ = rules.check_entry_name(request.entry, "entry")
        partner = access.opinion_of(request.partner)
        access.note(entry=request.entry)
        access.check_may_see(list_name)
        opinion, position = await self._threads.write(
            self._ledger.give_opinion,
            partner,
            request.entry,
            translate.opinion_kind_from_proto(request.opinion, "opinion"),
            request.reason,
            request_id=request.request_id,
            by=access.sender(),
            viewer=access.viewer(list_name),
        )
        revision = self._revisions.token(position)
        return pb.GiveOpinionResponse(
            opinion=translate.opinion_to_proto(opinion), revision=revision
        )

    async def ListOpinions(
        self, request: pb.ListOpinionsRequest, context: Context
    ) -> pb.ListOpinionsResponse:
        """List what partners hold of an entry, or of a list's entries."""
        name, sequence = _about(request)
        access.check_may_see(name)
        scope = f"opinions/{request.list or request.entry}/{request.show_history}"
        after = read_page_pair(scope, request.page_token)
        size = _page_size(request.page_size)
        viewer = access.viewer(name)
        revision = await self._revision()
        await self._get_list(name)
        look_up = partial(self._store.opinions.of_list, name, sequence=sequence)
        if sequence is not None:
            found = await self._threads.read(self._store.get_entry, name, sequence, viewer)
            rules.existing_entry(found, request.entry)
            if request.show_history:
                look_up = partial(self._store.opinions.history, name, sequence)
        opinions = await self._threads.read(
            look_up,
            after=after,
            limit=size + 1,
            viewer=viewer,
            is_visible=access.may_read_opinions(name),
        )
        more = ""
        if len(opinions) > size:
            more = page_token(scope, ".".join(map(str, opinions[size - 1][0])))
        return pb.ListOpinionsResponse(
            opinions=[translate.opinion_to_proto(opinion) for _, opinion in opinions[:size]],
            next_page_token=more,
            revision=revision,
        )

    async def _add(self, request: pb.AddEntriesRequest) -> pb.AddEntriesResponse:
        access.check_may_contribute(rules.check_list_name(request.list, "list"))
        drafts = [
            await self._draft(entry, f"entries[{i}]")
            async for i, entry in in_pieces(enumerate(request.entries))
        ]
        added, position = await self._threads.write(
            self._ledger.add_entries,
            request.list,
            drafts,
            request_id=request.request_id,
            by=access.sender(),
        )
        return pb.AddEntriesResponse(
            request_id=request.request_id,
            entries=[translate.added_to_proto(entry) for entry in added],
            revision=self._revisions.token(position),
        )

    async def _draft(self, entry: types_pb2.Entry, field: str) -> EntryDraft:
        if len(entry.fingerprints) <= _FEW:
            return translate.draft_from_proto(entry, field)
        return await self._threads.read(translate.draft_from_proto, entry, field)

    def _entries_with_messages(
        self, name: str, may_count: Callable[[str], bool] | None, **options: Any
    ) -> tuple[list[Entry], list[types_pb2.Entry]]:
        # In one thread: a thousand messages would hold up the event loop for tens of milliseconds.
        entries = self._with_counts(self._store.get_entries(name, **options), may_count)
        return entries, [self._to_proto(entry) for entry in entries]

    def _to_proto(self, entry: Entry) -> types_pb2.Entry:
        return translate.entry_to_proto(self._distrusted.marked(entry))

    def _with_counts(
        self, entries: Sequence[Entry], may_count: Callable[[str], bool] | None
    ) -> list[Entry]:
        """Return entries with what others hold of them, as far as it counts for the caller."""
        said = self._store.opinions.of(entries)
        return [
            replace(entry, opinions=OpinionCounts.told(said.get(entry.name, ()), may_count))
            for entry in entries
        ]

    def _visible_lists(
        self, after: str, count: int, is_visible: Callable[[str], bool]
    ) -> list[HashList]:
        """Return up to so many lists after a name, those that the caller may see."""
        found: list[HashList] = []
        while len(found) < count:
            some = self._store.get_lists(after=after, limit=_LARGEST_PAGE)
            found += [one for one in some if is_visible(one.name)]
            if len(some) < _LARGEST_PAGE:
                break
            after = some[-1].name
        return found[:count]

    async def _get_list(self, name: str) -> HashList:
        hash_list = await self._threads.read(self._store.get_list, name)
        return rules.existing_list(hash_list, name)

    async def _revision(self) -> str:
        # Read before the answer is, so that the answer is at least as new.
        return self._revisions.token(await self._threads.read(self._store.log_size))


def _masked(paths: Iterable[str], known: Sequence[str]) -> list[str]:
    """Return the fields that an update mask names.

    Raises:
        InvalidRequest: one is not known, or there is none.
    """
    fields = list(dict.fromkeys(paths))
    if not fields or any(field not in known for field in fields):
        raise InvalidRequest.of("update_mask", f"name some of {', '.join(known)}")
    return fields


def _about(request: pb.ListOpinionsRequest) -> tuple[str, int | None]:
    """Return the list that opinions are asked about, and the sequence where it is one entry.

    Raises:
        InvalidRequest: neither is named, or history is asked for of a list.
    """
    if request.WhichOneof("about") == "entry":
        return rules.check_entry_name(request.entry, "entry")
    if request.show_history:
        raise InvalidRequest.of("show_history", "is for one entry: name it")
    return rules.check_list_name(request.list, "list"), None


def _fitting(messages: Sequence[types_pb2.Entry]) -> int:
    """How many of these fit in a page: a long video's fingerprints take a megabyte, or more."""
    room = _PAGE_BYTES
    for number, message in enumerate(messages):
        room -= message.ByteSize()
        if room < 0:
            return max(1, number)
    return len(messages)


def _page_size(asked: int) -> int:
    if asked < 0:
        raise InvalidRequest.of("page_size", "is negative")
    return min(asked or _DEFAULT_PAGE, _LARGEST_PAGE)
