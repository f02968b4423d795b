"""The SyncService servicer."""

from collections.abc import AsyncIterator
from typing import Any

import grpc.aio

from hashsvc import translate_sync as translate
from hashsvc.config import Limits
from hashsvc.errors import InvalidRequest
from hashsvc.lists import rules
from hashsvc.lists.feed import Feed, Reader
from hashsvc.lists.indexer import Indexer
from hashsvc.model_sync import Heartbeat, InclusionProof, ShownCheckpoint
from hashsvc.rpc import access
from hashsvc.rpc.threads import Threads
from hashsvc.sync.stream import LogStream
from hashsvc.v1 import sync_service_pb2 as pb
from hashsvc.v1.sync_service_pb2_grpc import SyncServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class SyncServicer(SyncServiceServicer):
    """Reads requests, asks the feed, writes answers."""

    def __init__(self, feed: Feed, indexer: Indexer, threads: Threads, limits: Limits) -> None:
        self._feed = feed
        self._indexer = indexer
        self._threads = threads
        self._heartbeat_s = limits.follow_heartbeat_s

    async def Follow(
        self, request: pb.FollowRequest, context: Context
    ) -> AsyncIterator[pb.FollowResponse]:
        """Stream a list's log."""
        name = rules.check_list_name(request.list, "list")
        access.check_may_see(name)
        if request.size < 0:
            raise InvalidRequest.of("size", "is negative")
        selection = translate.selection_from_proto(request.selection, "selection")
        stream = LogStream(self._feed, name, request.size)
        # Before anything is read: what is committed from now on wakes the stream.
        position = self._indexer.position
        yield translate.message_to_proto(await self._threads.read(stream.start))
        while True:
            # Readers and grants may have changed since.
            access.check_may_see(name)
            reader = Reader(access.viewer(name), access.visible(), selection)
            if messages := await self._threads.read(_more, stream, reader):
                for message in messages:
                    yield message
                continue
            if request.to_head:
                return
            if not await self._indexer.reached(position + 1, self._heartbeat_s):
                yield translate.message_to_proto(Heartbeat(stream.size))
            position = self._indexer.position

    async def GetCheckpoint(
        self, request: pb.GetCheckpointRequest, context: Context
    ) -> pb.GetCheckpointResponse:
        """Get a checkpoint with its cosignatures."""
        name = rules.check_list_name(request.list, "list")
        access.check_may_witness(name)
        # The keys are read after the checkpoint, so that the one that signed it is among them.
        note, older = await self._threads.read(self._feed.cosigned, name)
        started = await self._threads.read(self._feed.started, name)
        return translate.checkpoint_to_proto(
            ShownCheckpoint(note, tuple(older), started.first_key, started.rotations)
        )

    async def GetInclusionProof(
        self, request: pb.GetInclusionProofRequest, context: Context
    ) -> pb.GetInclusionProofResponse:
        """Prove that a record is in the log."""
        name = rules.check_list_name(request.list, "list")
        access.check_may_see(name)
        reader = Reader(access.viewer(name), access.visible())
        proven = await self._threads.read(self._feed.prove, name, request.place, reader)
        started = await self._threads.read(self._feed.started, name)
        keys = (started.first_key, started.rotations)
        return translate.proof_to_proto(
            InclusionProof(proven.note, proven.leaf, proven.proof, *keys)
        )

    async def GetConsistencyProof(
        self, request: pb.GetConsistencyProofRequest, context: Context
    ) -> pb.GetConsistencyProofResponse:
        """Prove that the log grew by appending alone."""
        name = rules.check_list_name(request.list, "list")
        access.check_may_witness(name)
        proof = await self._threads.read(
            self._feed.consistency, name, request.old_size, request.new_size
        )
        return pb.GetConsistencyProofResponse(proof=proof)

    async def AddCosignature(
        self, request: pb.AddCosignatureRequest, context: Context
    ) -> pb.AddCosignatureResponse:
        """Take a witness's cosignature."""
        name = rules.check_list_name(request.list, "list")
        access.check_witnesses(name)
        access.note(list=name)
        await self._threads.write(self._feed.cosign, name, request.note, request.witness)
        return pb.AddCosignatureResponse()


def _more(stream: LogStream, reader: Reader) -> list[pb.FollowResponse]:
    # Written in the same thread: two thousand records would hold up the event loop.
    return [translate.message_to_proto(message) for message in stream.more(reader)]
