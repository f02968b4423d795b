"""Another node as a source, over gRPC."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import grpc.aio

from hashsvc import translate_sync as translate
from hashsvc.config import Peer
from hashsvc.errors import ConfigError
from hashsvc.model_sync import FollowMessage, Wanted
from hashsvc.private_files import read_private
from hashsvc.sync.source import SourceLost
from hashsvc.v1.sync_service_pb2_grpc import SyncServiceStub
from hashsvc_client.connection import Security, aio_channel

MAX_KEY_BYTES, MAX_PEM_BYTES = 1_000, 1 << 16
# What is on its way stands before what is urgent: a second of it at most, where it is applied.
_WINDOW = (("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 1 << 20))
_KEY_FILE = "peers: api_key_file"


class PeerSource:
    """A node at an address. `silence_s` is how long it may say nothing."""

    def __init__(self, address: str, security: Security, *, silence_s: float) -> None:
        self._address = address
        self._security = security
        self._silence_s = silence_s

    async def follow(self, wanted: Wanted) -> AsyncGenerator[FollowMessage, None]:
        """Give a list's log; see `Source`."""
        try:
            channel = aio_channel(self._address, self._security, _WINDOW)
        except ConfigError as error:
            raise SourceLost(str(error)) from error
        async with channel:
            call: Any = SyncServiceStub(channel).Follow(translate.wanted_to_proto(wanted))
            try:
                while True:
                    async with asyncio.timeout(self._silence_s):
                        message = await call.read()
                    if message is grpc.aio.EOF:
                        return
                    found = translate.message_from_proto(message)
                    if found is not None:
                        yield found
            except TimeoutError:
                raise SourceLost(
                    f"{self._address} said nothing for {self._silence_s:g} s"
                ) from None
            except grpc.aio.AioRpcError as error:
                raise SourceLost(f"{self._address}: {error.details()}") from error
            finally:
                call.cancel()


def sources(peers: Sequence[Peer], *, silence_s: float) -> Callable[[str], PeerSource]:
    """Return what makes the source of an address, with the credentials of the settings.

    Raises:
        ConfigError: a file cannot be read, or is not for its owner alone.
    """
    known = {peer.address: _security(peer) for peer in peers}
    plain = Security()
    return lambda address: PeerSource(address, known.get(address, plain), silence_s=silence_s)


def _security(peer: Peer) -> Security:
    api_key = ""
    if peer.api_key_file is not None:
        api_key = read_private(peer.api_key_file, _KEY_FILE, MAX_KEY_BYTES).decode(
            "ascii", "replace"
        )
    if peer.key is not None:
        # gRPC reads it by itself; here it is only looked at.
        read_private(peer.key, "peers: key", MAX_PEM_BYTES)
    return Security(
        api_key=api_key.strip(),
        tls=peer.tls,
        ca=peer.ca,
        certificate=peer.certificate,
        key=peer.key,
    )
