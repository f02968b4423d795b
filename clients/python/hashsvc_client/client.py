"""The blocking client."""

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

import grpc

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
from hashsvc_client.checks import Checks
from hashsvc_client.connection import Connected, Security
from hashsvc_client.errors import (
    ServiceUnavailable,
    from_rpc_error,
    raised_as_client_errors,
)
from hashsvc_client.hashing import Held
from hashsvc_client.logs import Logs


class Client(Checks, Logs, Connected):
    """Talks to one node over one kept-open channel. Safe to share between threads.

    `security` is the API key and the files of TLS; none for a plain connection. `timeout_s` is the
    deadline in seconds of each call but streams: batches, videos and what is followed. Calls that
    fail because the node is away are retried with back-off within it, but for videos. Every method
    raises a `ClientError`.
    """

    def __init__(
        self, address: str, *, timeout_s: float = 30.0, security: Security | None = None
    ) -> None:
        super().__init__(address, timeout_s=timeout_s, security=security)
        self._match = MatchServiceStub(self._channel)
        self._lists = ListServiceStub(self._channel)
        self._sync = SyncServiceStub(self._channel)
        self._held = Held()

    # Lists

    def create_list(
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
            response = self._lists.CreateList(request, timeout=self._timeout_s)
        return translate.list_from_proto(response.list)

    def update_list(
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
            response = self._lists.UpdateList(request, timeout=self._timeout_s)
        return translate.list_from_proto(response.list)

    def rotate_key(self, name: str, *, request_id: str | None = None) -> HashList:
        """Replace the key that signs a list's checkpoints; followers go on by themselves."""
        request = messages.rotate_request(name, request_id)
        with raised_as_client_errors():
            response = self._lists.RotateKey(request, timeout=self._timeout_s)
        return translate.list_from_proto(response.list)

    def get_list(self, name: str) -> HashList:
        """Get a list."""
        request = list_service_pb2.GetListRequest(name=name)
        with raised_as_client_errors():
            response = self._lists.GetList(request, timeout=self._timeout_s)
        return translate.list_from_proto(response.list)

    def lists(self) -> Iterator[HashList]:
        """Iterate over the node's lists, by name."""
        token = ""
        while True:
            request = list_service_pb2.ListListsRequest(page_token=token)
            with raised_as_client_errors():
                response = self._lists.ListLists(request, timeout=self._timeout_s)
            yield from messages.lists_page(response)
            token = response.next_page_token
            if not token:
                return

    # Entries

    def add_entries(
        self, list_name: str, drafts: Sequence[EntryDraft], *, request_id: str | None = None
    ) -> Acknowledgement:
        """Add one batch of entries, whole or not at all."""
        request = messages.add_request(list_name, drafts, request_id)
        with raised_as_client_errors():
            # To the end, for a stream that is dropped is a call that was cancelled.
            (response,) = self._lists.AddEntries(iter([request]), timeout=self._timeout_s)
            return messages.acknowledgement(response)

    def add_batches(
        self, list_name: str, batches: Iterable[Sequence[EntryDraft]]
    ) -> Iterator[Acknowledgement]:
        """Add many batches over one stream; yields each acknowledgement as it comes.

        Batches are read and sent ahead of the answers. When the node goes away, what it has not
        acknowledged is sent again under the same request ids, so nothing is added twice.
        """
        backlog = _Backlog(list_name, iter(batches))
        attempt = 0
        while True:
            try:
                for response in self._lists.AddEntries(backlog.stream()):
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
                time.sleep(messages.backoff_s(attempt))

    def amend_entry(
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
            response = self._lists.AmendEntry(request, timeout=self._timeout_s)
        return translate.entry_from_proto(response.entry)

    def withdraw_entry(self, name: str, reason: str, *, request_id: str | None = None) -> Entry:
        """Withdraw an entry for good."""
        request = messages.withdraw_request(name, reason, request_id)
        with raised_as_client_errors():
            response = self._lists.WithdrawEntry(request, timeout=self._timeout_s)
        return translate.entry_from_proto(response.entry)

    def erase_entry(self, name: str, reason: str, *, request_id: str | None = None) -> Entry:
        """Erase an entry for legal reasons, on every node that follows the list, for good."""
        request = messages.erase_request(name, reason, request_id)
        with raised_as_client_errors():
            response = self._lists.EraseEntry(request, timeout=self._timeout_s)
        return translate.entry_from_proto(response.entry)

    def plant_canaries(
        self, list_name: str, partner: str, count: int, *, request_id: str | None = None
    ) -> list[str]:
        """Add entries that one partner alone sees, and return their names."""
        request = messages.canaries_request(list_name, partner, count, request_id)
        with raised_as_client_errors():
            response = self._lists.PlantCanaries(request, timeout=self._timeout_s)
        return list(response.entries)

    def open_incident(
        self, list_name: str, incident: str, title: str = "", *, request_id: str | None = None
    ) -> Incident:
        """Open an incident: entries that name it go ahead of others to who follows the list."""
        request = messages.open_request(list_name, incident, title, request_id)
        with raised_as_client_errors():
            response = self._lists.OpenIncident(request, timeout=self._timeout_s)
        return translate.incident_from_proto(response.incident)

    def conclude_incident(
        self, list_name: str, incident: str, *, request_id: str | None = None
    ) -> Incident:
        """Conclude an incident: entries that name it go with the rest from now on."""
        request = messages.conclude_request(list_name, incident, request_id)
        with raised_as_client_errors():
            response = self._lists.ConcludeIncident(request, timeout=self._timeout_s)
        return translate.incident_from_proto(response.incident)

    def incidents(self, list_name: str) -> Iterator[Incident]:
        """Iterate over the incidents of a list, by name, those that are concluded too."""
        token = ""
        while True:
            request = list_service_pb2.ListIncidentsRequest(list=list_name, page_token=token)
            with raised_as_client_errors():
                response = self._lists.ListIncidents(request, timeout=self._timeout_s)
            yield from map(translate.incident_from_proto, response.incidents)
            token = response.next_page_token
            if not token:
                return

    def get_entry(self, name: str) -> Entry:
        """Get an entry with its fingerprints."""
        request = list_service_pb2.GetEntryRequest(name=name)
        with raised_as_client_errors():
            response = self._lists.GetEntry(request, timeout=self._timeout_s)
        return translate.entry_from_proto(response.entry)

    def entries(
        self,
        list_name: str,
        *,
        show_withdrawn: bool = False,
        show_fingerprints: bool = False,
        only_canaries: bool = False,
    ) -> Iterator[Entry]:
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
                response = self._lists.ListEntries(request, timeout=self._timeout_s)
            yield from (translate.entry_from_proto(entry) for entry in response.entries)
            token = response.next_page_token
            if not token:
                return

    # Opinions

    def give_opinion(
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
            response = self._lists.GiveOpinion(request, timeout=self._timeout_s)
        return translate.opinion_from_proto(response.opinion)

    def opinions(self, about: str, *, history: bool = False) -> Iterator[Opinion]:
        """Iterate over what partners hold of an entry, or of a list's entries, by entry.

        With `history` over all that they ever gave on one entry, partner by partner.
        """
        token = ""
        while True:
            request = messages.opinions_request(about, token, history=history)
            with raised_as_client_errors():
                response = self._lists.ListOpinions(request, timeout=self._timeout_s)
            yield from messages.opinions_page(response)
            token = response.next_page_token
            if not token:
                return


class _Backlog:
    """Batches to send, and those sent that no answer came for, which a new stream sends again.

    gRPC reads a stream's requests in a thread of its own, which may outlive a failed call:
    `_lock` lets only the newest stream take from the source.
    """

    def __init__(self, list_name: str, source: Iterator[Sequence[EntryDraft]]) -> None:
        self._list_name = list_name
        self._source = source
        self._unanswered: deque[list_service_pb2.AddEntriesRequest] = deque()
        self._newest = 0
        self.failure: Exception | None = None
        self._lock = threading.Lock()

    def stream(self) -> Iterator[list_service_pb2.AddEntriesRequest]:
        """Yield what was sent without an answer, then what comes from the source."""
        with self._lock:
            self._newest += 1
            this, again = self._newest, list(self._unanswered)
        yield from again
        while True:
            with self._lock:
                if this != self._newest:
                    return
                try:
                    drafts = next(self._source)
                except StopIteration:
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
