"""The SyncService servicer."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc.aio

from hashsvc import translate_sync as translate
from hashsvc.config import Limits
from hashsvc.errors import InvalidRequest, LogBehind
from hashsvc.lists import rules
from hashsvc.lists.feed import Feed, Reader
from hashsvc.lists.indexer import Indexer
from hashsvc.lists.notes import peek_checkpoint
from hashsvc.model_sync import (
    Ahead,
    FollowMessage,
    Heartbeat,
    InclusionProof,
    Leaf,
    Leaves,
    Rotated,
    Selection,
    ShownCheckpoint,
    Signed,
)
from hashsvc.rpc import access
from hashsvc.rpc.threads import Threads
from hashsvc.v1 import sync_service_pb2 as pb
from hashsvc.v1.sync_service_pb2_grpc import SyncServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]

_CHUNK_BYTES = 1 << 20
# Urgent records that are read at once, and that one stream remembers to have sent.
_URGENT, _MOST_SENT = 100, 20_000


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
        stream = _Stream(self._feed, self._threads, name, request.size, selection)
        position = self._indexer.position
        async for message in stream.start():
            yield translate.message_to_proto(message)
        while True:
            # Readers and grants may have changed since.
            access.check_may_see(name)
            is_at_head = True
            async for message in stream.more():
                is_at_head = False
                yield translate.message_to_proto(message)
            if not is_at_head:
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


class _Stream:
    """One follower's way through a list's log."""

    def __init__(
        self, feed: Feed, threads: Threads, list_name: str, size: int, selection: Selection
    ) -> None:
        self._feed = feed
        self._threads = threads
        self._list = list_name
        self._selection = selection
        self._sent: set[int] = set()
        self._rotations: list[str] = []
        self.size = size

    async def start(self) -> AsyncIterator[FollowMessage]:
        """Say where the log stands.

        Raises:
            LogBehind: this node has less than the follower, and is not the list's home.
        """
        started = await self._read(self._feed.started, self._list)
        head = peek_checkpoint(started.head)
        if head.size < self.size and not started.is_home:
            raise LogBehind(
                f"this node has {head.size:,} records of {self._list}",
                metadata={"list": self._list},
            )
        self._rotations = list(started.rotations)
        yield started

    async def more(self) -> AsyncIterator[FollowMessage]:
        """Give what there is now: urgent records, and places up to some checkpoint."""
        reader = Reader(access.viewer(self._list), access.visible(), self._selection)
        urgent: list[Ahead] = []
        if self.size and len(self._sent) < _MOST_SENT:
            urgent = await self._read(
                self._feed.urgent, self._list, self.size, self._sent, _URGENT, reader
            )
        found = await self._read(self._feed.next_checkpoint, self._list, self.size)
        for rotated in await self._rotated():
            yield rotated
        for one in urgent:
            yield one
        if found is None:
            return
        end, note = found
        leaves, late = await self._read(self._feed.leaves, self._list, self.size, end, reader)
        for first, some in _chunks(self.size, leaves):
            yield Leaves(first, tuple(some))
        head = peek_checkpoint(await self._read(self._feed.checkpoint, self._list))
        yield Signed(note, head.size)
        self.size = end
        self._sent = {place for place in self._sent if place >= end}
        if late:
            everything = Reader(reader.partner, reader.may_see)
            urgent = await self._read(self._feed.ahead, self._list, late, set(), everything)
            for rotated in await self._rotated():
                yield rotated
            for one in urgent:
                yield one

    async def _rotated(self) -> list[Rotated]:
        """Return what is new of the list's keys; read after a note and told before it, so that the
        key that signed the note is known."""
        rotations = await self._read(self._feed.rotations, self._list)
        new = rotations[len(self._rotations) :]
        self._rotations += new
        return [Rotated(statement) for statement in new]

    async def _read(self, work: Callable[..., Any], *arguments: Any) -> Any:
        return await self._threads.read(work, *arguments)


def _chunks(first: int, leaves: list[Leaf]) -> list[tuple[int, list[Leaf]]]:
    """Cut places into messages of a sensible size."""
    chunks: list[tuple[int, list[Leaf]]] = []
    size = _CHUNK_BYTES
    for place, leaf in enumerate(leaves, first):
        if size >= _CHUNK_BYTES:
            chunks.append((place, []))
            size = 0
        chunks[-1][1].append(leaf)
        size += len(leaf.body) + 64
    return chunks
