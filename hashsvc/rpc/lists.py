"""The ListService servicer."""

from collections.abc import AsyncIterator
from typing import Any

import grpc.aio

from hashsvc import translate
from hashsvc.errors import HashsvcError, InvalidRequest
from hashsvc.lists import rules
from hashsvc.lists.ledger import Ledger
from hashsvc.model import Caller, HashList
from hashsvc.rpc import access
from hashsvc.rpc.threads import Threads
from hashsvc.store.store import Store
from hashsvc.tokens import Revisions, page_token, read_page_number, read_page_token
from hashsvc.v1 import list_service_pb2 as pb
from hashsvc.v1.list_service_pb2_grpc import ListServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]

_AMENDABLE = ("labels", "entities", "basis", "severity", "incident", "expire_time", "note")
_DEFAULT_PAGE, _LARGEST_PAGE = 100, 1_000


class ListServicer(ListServiceServicer):
    """Reads requests, asks the ledger or the store, writes answers."""

    def __init__(
        self, ledger: Ledger, store: Store, threads: Threads, revisions: Revisions
    ) -> None:
        self._ledger = ledger
        self._store = store
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
            by=access.sender(),
        )
        revision = self._revisions.token(position)
        return pb.CreateListResponse(list=translate.list_to_proto(hash_list), revision=revision)

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
        lists = await self._threads.read(self._visible_lists, after, size + 1, access.caller())
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
        fields = list(dict.fromkeys(request.update_mask.paths))
        wrong = [field for field in fields if field not in _AMENDABLE]
        if wrong or not fields:
            raise InvalidRequest.of("update_mask", f"name some of {', '.join(_AMENDABLE)}")
        access.check_may_contribute(rules.check_entry_name(request.entry.name, "entry.name")[0])
        access.note(entry=request.entry.name)
        entry, position = await self._threads.write(
            self._ledger.amend_entry,
            request.entry.name,
            translate.description_from_proto(request.entry, "entry"),
            fields,
            request_id=request.request_id,
            by=access.sender(),
        )
        revision = self._revisions.token(position)
        return pb.AmendEntryResponse(entry=translate.entry_to_proto(entry), revision=revision)

    async def WithdrawEntry(
        self, request: pb.WithdrawEntryRequest, context: Context
    ) -> pb.WithdrawEntryResponse:
        """Withdraw an entry."""
        access.check_may_contribute(rules.check_entry_name(request.name, "name")[0])
        access.note(entry=request.name)
        entry, position = await self._threads.write(
            self._ledger.withdraw_entry,
            request.name,
            request.reason,
            request_id=request.request_id,
            by=access.sender(),
        )
        revision = self._revisions.token(position)
        return pb.WithdrawEntryResponse(entry=translate.entry_to_proto(entry), revision=revision)

    async def GetEntry(self, request: pb.GetEntryRequest, context: Context) -> pb.GetEntryResponse:
        """Get an entry."""
        list_name, sequence = rules.check_entry_name(request.name, "name")
        access.check_may_see(list_name)
        revision = await self._revision()
        entry = await self._threads.read(self._store.get_entry, list_name, sequence)
        entry = rules.existing_entry(entry, request.name)
        return pb.GetEntryResponse(entry=translate.entry_to_proto(entry), revision=revision)

    async def ListEntries(
        self, request: pb.ListEntriesRequest, context: Context
    ) -> pb.ListEntriesResponse:
        """List the entries of a list."""
        name = rules.check_list_name(request.list, "list")
        access.check_may_see(name)
        scope = f"entries/{name}"
        after = read_page_number(scope, request.page_token)
        size = _page_size(request.page_size)
        revision = await self._revision()
        await self._get_list(name)
        entries = await self._threads.read(
            self._store.get_entries,
            name,
            after=after,
            limit=size + 1,
            with_withdrawn=request.show_withdrawn,
            with_fingerprints=request.show_fingerprints,
        )
        more = ""
        if len(entries) > size:
            more = page_token(scope, entries[size - 1].name.partition("#")[2])
        return pb.ListEntriesResponse(
            entries=[translate.entry_to_proto(entry) for entry in entries[:size]],
            next_page_token=more,
            revision=revision,
        )

    async def _add(self, request: pb.AddEntriesRequest) -> pb.AddEntriesResponse:
        access.check_may_contribute(rules.check_list_name(request.list, "list"))
        drafts = [
            translate.draft_from_proto(entry, f"entries[{i}]")
            for i, entry in enumerate(request.entries)
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

    def _visible_lists(self, after: str, count: int, caller: Caller) -> list[HashList]:
        """Return up to so many lists after a name, those that the caller may see."""
        found: list[HashList] = []
        while len(found) < count:
            some = self._store.get_lists(after=after, limit=_LARGEST_PAGE)
            found += [one for one in some if access.may_see(one.name, caller)]
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


def _page_size(asked: int) -> int:
    if asked < 0:
        raise InvalidRequest.of("page_size", "is negative")
    return min(asked or _DEFAULT_PAGE, _LARGEST_PAGE)
