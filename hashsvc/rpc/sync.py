"""The SyncService servicer."""

from collections.abc import AsyncIterator, Callable, Sequence
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
    Leaf,
    Leaves,
    Rotated,
    Selection,
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
        note, older = await self._threads.read(self._feed.cosigned, name)
        # Read last, so that the key of the checkpoint is among its keys.
        started = await self._threads.read(self._feed.started, name)
        return pb.GetCheckpointResponse(
            note=note,
            cosigned=older,
            first_key=started.first_key,
            rotations=started.rotations,
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
        return pb.GetInclusionProofResponse(
            note=proven.note,
            leaf=translate.leaf_to_proto(proven.leaf),
            proof=proven.proof,
            first_key=started.first_key,
            rotations=started.rotations,
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
        if self.size and len(self._sent) < _MOST_SENT:
            urgent = await self._read(
                self._feed.urgent, self._list, self.size, self._sent, _URGENT, reader
            )
            async for message in self._after_rotations(urgent):
                yield message
        found = await self._read(self._feed.next_checkpoint, self._list, self.size)
        if found is None:
            return
        end, note = found
        async for message in self._after_rotations(()):
            yield message
        leaves, late = await self._read(self._feed.leaves, self._list, self.size, end, reader)
        for first, some in _chunks(self.size, leaves):
            yield Leaves(first, tuple(some))
        head = peek_checkpoint(await self._read(self._feed.checkpoint, self._list))
        yield Signed(note, head.size)
        self.size = end
        self._sent = {place for place in self._sent if place >= end}
        if late:
            everything = Reader(reader.partner, reader.may_see)
            ahead = await self._read(self._feed.ahead, self._list, late, set(), everything)
            async for message in self._after_rotations(ahead):
                yield message

    async def _after_rotations(self, proven: Sequence[Ahead]) -> AsyncIterator[FollowMessage]:
        """Give what was read, after the rotations that had been made when it was.

        They are read after it: a checkpoint that the follower lacks the key of would be refused.
        """
        rotations = await self._read(self._feed.rotations, self._list)
        for statement in rotations[len(self._rotations) :]:
            self._rotations.append(statement)
            yield Rotated(statement)
        for one in proven:
            yield one

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
