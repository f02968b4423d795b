"""Another node as a source, over gRPC."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Any

import grpc.aio

from hashsvc import translate_sync as translate
from hashsvc.config import Peer
from hashsvc.errors import ConfigError
from hashsvc.model_sync import FollowMessage, Wanted
from hashsvc.private_files import check_private
from hashsvc.sync.source import SourceLost
from hashsvc.v1.sync_service_pb2_grpc import SyncServiceStub
from hashsvc_client.connection import Security, aio_channel

MAX_KEY_BYTES = 1_000


class PeerSource:
    """A node at an address. `silence_s` is how long it may say nothing."""

    def __init__(self, address: str, security: Security, *, silence_s: float) -> None:
        self._address = address
        self._security = security
        self._silence_s = silence_s

    async def follow(self, wanted: Wanted) -> AsyncGenerator[FollowMessage, None]:
        """Give a list's log; see `Source`."""
        try:
            channel = aio_channel(self._address, self._security)
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
    key = "" if peer.api_key_file is None else _secret(peer.api_key_file)
    if peer.key is not None:
        _check_private(peer.key)
    return Security(
        api_key=key, tls=peer.tls, ca=peer.ca, certificate=peer.certificate, key=peer.key
    )


def _secret(path: Path) -> str:
    _check_private(path)
    try:
        return path.read_text(encoding="ascii")[:MAX_KEY_BYTES].strip()
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"peers: cannot read {path}: {error}") from None


def _check_private(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise ConfigError(f"peers: cannot read {path}: {error.strerror}") from None
    check_private(path, mode)
