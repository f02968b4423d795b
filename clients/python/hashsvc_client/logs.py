"""What both clients do with lists' signed logs: follow them, get proofs, bring cosignatures.

Nothing that comes is verified here: that needs the `server` extra (`hashsvc.lists.auditing`).
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import TYPE_CHECKING

from hashsvc import translate_sync as translate
from hashsvc.model_sync import FollowMessage, InclusionProof, Selection, ShownCheckpoint, Wanted
from hashsvc.v1 import sync_service_pb2 as pb
from hashsvc.v1.sync_service_pb2_grpc import SyncServiceStub
from hashsvc_client.errors import raised_as_client_errors

if TYPE_CHECKING:
    from hashsvc.v1.sync_service_pb2_grpc import SyncServiceAsyncStub


class Logs:
    """The methods of the blocking client."""

    _sync: SyncServiceStub
    _timeout_s: float

    def follow(
        self, list_name: str, size: int = 0, selection: Selection | None = None
    ) -> Iterator[FollowMessage]:
        """Iterate over a list's log, from a size on, to the newest checkpoint; `Started` first.

        Has no deadline. Messages of a kind that is not known here are left out.
        """
        request = _follow_request(list_name, size, selection)
        with raised_as_client_errors():
            call = self._sync.Follow(request)
            try:
                for response in call:
                    message = translate.message_from_proto(response)
                    if message is not None:
                        yield message
            finally:
                call.cancel()

    def checkpoint(self, list_name: str) -> ShownCheckpoint:
        """Get a list's newest checkpoint, with the cosignatures of its witnesses."""
        request = pb.GetCheckpointRequest(list=list_name)
        with raised_as_client_errors():
            response = self._sync.GetCheckpoint(request, timeout=self._timeout_s)
        return translate.checkpoint_from_proto(response)

    def inclusion_proof(self, list_name: str, place: int) -> InclusionProof:
        """Get the proof that a place of a list's log, such as an entry's number, is in its tree."""
        request = pb.GetInclusionProofRequest(list=list_name, place=place)
        with raised_as_client_errors():
            response = self._sync.GetInclusionProof(request, timeout=self._timeout_s)
        return translate.proof_from_proto(response)

    def consistency_proof(self, list_name: str, old_size: int, new_size: int) -> Sequence[bytes]:
        """Get the hashes that prove that a list's log grew by appending alone."""
        request = pb.GetConsistencyProofRequest(
            list=list_name, old_size=old_size, new_size=new_size
        )
        with raised_as_client_errors():
            response = self._sync.GetConsistencyProof(request, timeout=self._timeout_s)
        return tuple(response.proof)

    def add_cosignature(self, list_name: str, note: bytes, witness: str) -> None:
        """Bring a checkpoint that a witness, named by its public key, has cosigned."""
        request = pb.AddCosignatureRequest(list=list_name, note=note, witness=witness)
        with raised_as_client_errors():
            self._sync.AddCosignature(request, timeout=self._timeout_s)


class AsyncLogs:
    """The same, awaited."""

    _sync: "SyncServiceAsyncStub"
    _timeout_s: float

    async def follow(
        self, list_name: str, size: int = 0, selection: Selection | None = None
    ) -> AsyncIterator[FollowMessage]:
        """Iterate over a list's log to the newest checkpoint; as `Logs.follow`."""
        request = _follow_request(list_name, size, selection)
        with raised_as_client_errors():
            call = self._sync.Follow(request)
            try:
                async for response in call:
                    message = translate.message_from_proto(response)
                    if message is not None:
                        yield message
            finally:
                call.cancel()

    async def checkpoint(self, list_name: str) -> ShownCheckpoint:
        """Get a list's newest checkpoint, with the cosignatures of its witnesses."""
        request = pb.GetCheckpointRequest(list=list_name)
        with raised_as_client_errors():
            response = await self._sync.GetCheckpoint(request, timeout=self._timeout_s)
        return translate.checkpoint_from_proto(response)

    async def inclusion_proof(self, list_name: str, place: int) -> InclusionProof:
        """Get the proof that a place of a list's log, such as an entry's number, is in its tree."""
        request = pb.GetInclusionProofRequest(list=list_name, place=place)
        with raised_as_client_errors():
            response = await self._sync.GetInclusionProof(request, timeout=self._timeout_s)
        return translate.proof_from_proto(response)

    async def consistency_proof(
        self, list_name: str, old_size: int, new_size: int
    ) -> Sequence[bytes]:
        """Get the hashes that prove that a list's log grew by appending alone."""
        request = pb.GetConsistencyProofRequest(
            list=list_name, old_size=old_size, new_size=new_size
        )
        with raised_as_client_errors():
            response = await self._sync.GetConsistencyProof(request, timeout=self._timeout_s)
        return tuple(response.proof)

    async def add_cosignature(self, list_name: str, note: bytes, witness: str) -> None:
        """Bring a checkpoint that a witness, named by its public key, has cosigned."""
        request = pb.AddCosignatureRequest(list=list_name, note=note, witness=witness)
        with raised_as_client_errors():
            await self._sync.AddCosignature(request, timeout=self._timeout_s)


def _follow_request(list_name: str, size: int, selection: Selection | None) -> pb.FollowRequest:
    wanted = Wanted(list_name, size, selection or Selection(), is_to_head=True)
    return translate.wanted_to_proto(wanted)
