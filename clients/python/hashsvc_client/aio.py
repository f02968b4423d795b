"""The asyncio client: the same methods as the blocking one, awaited."""

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from types import TracebackType
from typing import Self

import grpc
import grpc.aio

from hashsvc import translate
from hashsvc.model import (
    EVERYONE,
    Description,
    Entry,
    EntryDraft,
    HashList,
    Incident,
    ListKind,
    Opinion,
    OpinionKind,
)
from hashsvc.v1 import list_service_pb2
from hashsvc.v1.list_service_pb2_grpc import ListServiceStub
from hashsvc.v1.match_service_pb2_grpc import MatchServiceStub
from hashsvc.v1.sync_service_pb2_grpc import SyncServiceStub
from hashsvc_client import _messages as messages
from hashsvc_client._messages import Acknowledgement
from hashsvc_client.aio_checks import AsyncChecks
from hashsvc_client.connection import Security, aio_channel
from hashsvc_client.errors import (
    ServiceUnavailable,
    from_rpc_error,
    raised_as_client_errors,
)
from hashsvc_client.hashing import Held
from hashsvc_client.logs import AsyncLogs


class AsyncClient(AsyncChecks, AsyncLogs):
    """Talks to one node over one kept-open channel, from one event loop.

    `security` is the API key and the files of TLS; none for a plain connection. `timeout_s` is the
    deadline in seconds of each call but streams: batches, videos and what is followed. Calls that
    fail because the node is away are retried with back-off within it, but for videos. Every method
    raises a `ClientError`.
    """

    def __init__(
        self,
        address: str,
        *,
        timeout_s: float = 30.0,
        security: Security | None = None,
    ) -> None:
        self._channel = aio_channel(address, security or Security())
        self._timeout_s = timeout_s
        self._match = MatchServiceStub(self._channel)
        self._lists = ListServiceStub(self._channel)
        self._sync = SyncServiceStub(self._channel)
        self._held = Held()

    async def close(self) -> None:
        """Close the channel; calls under way are cancelled."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    # Lists

    async def create_list(
        self,
        name: str,
        *,
        kind: ListKind = ListKind.KNOWN,
        purpose: str = "",
        readers: Sequence[str] = EVERYONE,
        names_contributors: bool = False,
        local_features: bool = False,
        request_id: str | None = None,
    ) -> HashList:
        """Create a list."""
        request = messages.create_list_request(name, kind, purpose, request_id)
        request.list.readers.extend(readers)
        request.list.names_contributors = names_contributors
        request.list.local_features = local_features
        with raised_as_client_errors():
            response = await self._lists.CreateList(request, timeout=self._timeout_s)
        return translate.list_from_proto(response.list)

    async def update_list(
        self,
        name: str,
        *,
        purpose: str | None = None,
        readers: Sequence[str] | None = None,
        names_contributors: bool | None = None,
        local_features: bool | None = None,
        request_id: str | None = None,
    ) -> HashList:
        """Change what a list says of itself: what is not None."""
        request = messages.update_list_request(
            name, purpose, readers, names_contributors, local_features, request_id
        )
        with raised_as_client_errors():
            response = await self._lists.UpdateList(request, timeout=self._timeout_s)
        return translate.list_from_proto(response.list)

    async def rotate_key(self, name: str, *, request_id: str | None = None) -> HashList:
        """Replace the key that signs a list's checkpoints; followers go on by themselves."""
        request = messages.rotate_request(name, request_id)
        with raised_as_client_errors():
            response = await self._lists.RotateKey(request, timeout=self._timeout_s)
        return translate.list_from_proto(response.list)

    async def get_list(self, name: str) -> HashList:
        """Get a list."""
        request = list_service_pb2.GetListRequest(name=name)
        with raised_as_client_errors():
            response = await self._lists.GetList(request, timeout=self._timeout_s)
        return translate.list_from_proto(response.list)

    async def lists(self) -> AsyncIterator[HashList]:
        """Iterate over the node's lists, by name."""
        token = ""
        while True:
            request = list_service_pb2.ListListsRequest(page_token=token)
            with raised_as_client_errors():
                response = await self._lists.ListLists(request, timeout=self._timeout_s)
            for hash_list in messages.lists_page(response):
                yield hash_list
            token = response.next_page_token
            if not token:
                return

    # Entries

    async def add_entries(
        self, list_name: str, drafts: Sequence[EntryDraft], *, request_id: str | None = None
    ) -> Acknowledgement:
        """Add one batch of entries, whole or not at all."""
        request = messages.add_request(list_name, drafts, request_id)
        with raised_as_client_errors():
            call = self._lists.AddEntries(iter([request]), timeout=self._timeout_s)
            # To the end, for a stream that is dropped is a call that was cancelled.
            (response,) = [response async for response in call]
            return messages.acknowledgement(response)

    async def add_batches(
        self, list_name: str, batches: AsyncIterable[Sequence[EntryDraft]]
    ) -> AsyncIterator[Acknowledgement]:
        """Add many batches over one stream; as `Client.add_batches`."""
        backlog = _Backlog(list_name, aiter(batches))
        attempt = 0
        while True:
            try:
                async for response in self._lists.AddEntries(backlog.stream()):
                    backlog.answered()
                    attempt = 0
                    yield messages.acknowledgement(response)
                if backlog.failure is not None:
                    raise backlog.failure
                return
            except grpc.RpcError as error:
                failure = from_rpc_error(error)
                attempt += 1
                retry = isinstance(failure, ServiceUnavailable)
                if not retry or attempt >= messages.MAX_ATTEMPTS:
                    raise failure from error
                await asyncio.sleep(messages.backoff_s(attempt))

    async def amend_entry(
        self,
        name: str,
        amendment: Description,
        fields: Sequence[str],
        *,
        request_id: str | None = None,
    ) -> Entry:
        """Set the named fields of what is said of an entry."""
        request = messages.amend_request(name, amendment, fields, request_id)
        with raised_as_client_errors():
            response = await self._lists.AmendEntry(request, timeout=self._timeout_s)
        return translate.entry_from_proto(response.entry)

    async def withdraw_entry(
        self, name: str, reason: str, *, request_id: str | None = None
    ) -> Entry:
        """Withdraw an entry for good."""
        request = messages.withdraw_request(name, reason, request_id)
        with raised_as_client_errors():
            response = await self._lists.WithdrawEntry(request, timeout=self._timeout_s)
        return translate.entry_from_proto(response.entry)

    async def erase_entry(self, name: str, reason: str, *, request_id: str | None = None) -> Entry:
        """Erase an entry for legal reasons, on every node that follows the list, for good."""
        request = messages.erase_request(name, reason, request_id)
        with raised_as_client_errors():
            response = await self._lists.EraseEntry(request, timeout=self._timeout_s)
        return translate.entry_from_proto(response.entry)

    async def plant_canaries(
        self, list_name: str, partner: str, count: int, *, request_id: str | None = None
    ) -> list[str]:
        """Add entries that one partner alone sees, and return their names."""
        request = messages.canaries_request(list_name, partner, count, request_id)
        with raised_as_client_errors():
            response = await self._lists.PlantCanaries(request, timeout=self._timeout_s)
        return list(response.entries)

    async def open_incident(
        self, list_name: str, incident: str, title: str = "", *, request_id: str | None = None
    ) -> Incident:
        """Open an incident: entries that name it go ahead of others to who follows the list."""
        request = messages.open_request(list_name, incident, title, request_id)
        with raised_as_client_errors():
            response = await self._lists.OpenIncident(request, timeout=self._timeout_s)
        return translate.incident_from_proto(response.incident)

    async def conclude_incident(
        self, list_name: str, incident: str, *, request_id: str | None = None
    ) -> Incident:
        """Conclude an incident: entries that name it go with the rest from now on."""
        request = messages.conclude_request(list_name, incident, request_id)
        with raised_as_client_errors():
            response = await self._lists.ConcludeIncident(request, timeout=self._timeout_s)
        return translate.incident_from_proto(response.incident)

    async def incidents(self, list_name: str) -> AsyncIterator[Incident]:
        """Iterate over the incidents of a list, by name, those that are concluded too."""
        token = ""
        while True:
            request = list_service_pb2.ListIncidentsRequest(list=list_name, page_token=token)
            with raised_as_client_errors():
                response = await self._lists.ListIncidents(request, timeout=self._timeout_s)
            for message in response.incidents:
                yield translate.incident_from_proto(message)
            token = response.next_page_token
            if not token:
                return

    async def get_entry(self, name: str) -> Entry:
        """Get an entry with its fingerprints."""
        request = list_service_pb2.GetEntryRequest(name=name)
        with raised_as_client_errors():
            response = await self._lists.GetEntry(request, timeout=self._timeout_s)
        return translate.entry_from_proto(response.entry)

    async def entries(
        self,
        list_name: str,
        *,
        show_withdrawn: bool = False,
        show_fingerprints: bool = False,
        only_canaries: bool = False,
    ) -> AsyncIterator[Entry]:
        """Iterate over the entries of a list, oldest first."""
        token = ""
        while True:
            request = messages.entries_request(
                list_name,
                token,
                show_withdrawn=show_withdrawn,
                show_fingerprints=show_fingerprints,
                only_canaries=only_canaries,
            )
            with raised_as_client_errors():
                response = await self._lists.ListEntries(request, timeout=self._timeout_s)
            for entry in response.entries:
                yield translate.entry_from_proto(entry)
            token = response.next_page_token
            if not token:
                return

    # Opinions

    async def give_opinion(
        self,
        entry: str,
        opinion: OpinionKind,
        reason: str = "",
        *,
        partner: str = "",
        request_id: str | None = None,
    ) -> Opinion:
        """Say what you hold of another's entry; `partner` is you, where the node cannot know it."""
        request = messages.opinion_request(entry, opinion, reason, partner, request_id)
        with raised_as_client_errors():
            response = await self._lists.GiveOpinion(request, timeout=self._timeout_s)
        return translate.opinion_from_proto(response.opinion)

    async def opinions(self, about: str, *, history: bool = False) -> AsyncIterator[Opinion]:
        """Iterate over what partners hold of an entry, or of a list's entries, by entry.

        With `history` over all that they ever gave on one entry, partner by partner.
        """
        token = ""
        while True:
            request = messages.opinions_request(about, token, history=history)
            with raised_as_client_errors():
                response = await self._lists.ListOpinions(request, timeout=self._timeout_s)
            for opinion in messages.opinions_page(response):
                yield opinion
            token = response.next_page_token
            if not token:
                return


class _Backlog:
    """Batches to send, and those sent that no answer came for, which a new stream sends again.

    A failed call's reading task may outlive it: `_lock` lets only the newest stream take from the
    source.
    """

    def __init__(self, list_name: str, source: AsyncIterator[Sequence[EntryDraft]]) -> None:
        self._list_name = list_name
        self._source = source
        self._unanswered: deque[list_service_pb2.AddEntriesRequest] = deque()
        self._newest = 0
        self.failure: Exception | None = None
        self._lock = asyncio.Lock()

    async def stream(self) -> AsyncIterator[list_service_pb2.AddEntriesRequest]:
        """Yield what was sent without an answer, then what comes from the source."""
        async with self._lock:
            self._newest += 1
            this, again = self._newest, list(self._unanswered)
        for request in again:
            yield request
        while True:
            async with self._lock:
                if this != self._newest:
                    return
                try:
                    drafts = await anext(self._source)
                except StopAsyncIteration:
                    return
                except Exception as error:
                    # Raised where the answers are read: what was sent before is still answered.
                    self.failure = error
                    return
                request = messages.add_request(self._list_name, drafts, None)
                self._unanswered.append(request)
            yield request

    def answered(self) -> None:
        """Forget the oldest batch sent."""
        self._unanswered.popleft()
