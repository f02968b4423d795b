"""How a client reaches a node and proves who it is, blocking or asyncio."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc
import grpc.aio

from hashsvc.addresses import is_loopback
from hashsvc.errors import ConfigError
from hashsvc_client import _messages as messages


@dataclass(frozen=True, slots=True)
class Security:
    """An API key, and the files of TLS in PEM; with none of them a plain connection.

    Attributes:
        api_key: sent with each call; on a plain connection only to this very machine.
        tls: use TLS with the system's roots; any of the files below means so too.
        ca: who signs the node's certificate, instead of the system's roots.
        certificate, key: the client's own, for mutual TLS; they go together.
    """

    api_key: str = ""
    tls: bool = False
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """From HASHSVC_API_KEY, _TLS (1), _TLS_CA, _TLS_CERTIFICATE and _TLS_KEY."""

        def path(name: str) -> Path | None:
            value = environment.get(f"HASHSVC_TLS_{name}", "")
            return Path(value) if value else None

        return cls(
            api_key=environment.get("HASHSVC_API_KEY", ""),
            tls=environment.get("HASHSVC_TLS", "") == "1",
            ca=path("CA"),
            certificate=path("CERTIFICATE"),
            key=path("KEY"),
        )

    @property
    def uses_tls(self) -> bool:
        """Whether connections are made with TLS."""
        return self.tls or any((self.ca, self.certificate, self.key))

    def __repr__(self) -> str:
        """Everything but the key's text."""
        shown = "set" if self.api_key else "none"
        return f"Security(api_key={shown}, tls={self.uses_tls}, ca={self.ca})"


class Connected:
    """One kept-open channel to a node, closed at the end of a `with` block."""

    def __init__(
        self, address: str, *, timeout_s: float = 30.0, security: Security | None = None
    ) -> None:
        self._channel = channel(address, security or Security())
        self._timeout_s = timeout_s

    def close(self) -> None:
        """Close the channel; calls under way are cancelled."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def channel(address: str, security: Security) -> grpc.Channel:
    """Open a channel for the blocking client.

    Raises:
        ConfigError: a file cannot be read, or the API key would go out unencrypted.
    """
    options = messages.channel_options(address)
    if security.uses_tls:
        return grpc.secure_channel(address, _credentials(security), options)
    made = grpc.insecure_channel(address, options)
    if not security.api_key:
        return made
    _check_stays_here(address)
    interceptor: Any = _SendKey(security.api_key)
    return grpc.intercept_channel(made, interceptor)


def aio_channel(
    address: str, security: Security, more_options: Sequence[tuple[str, str | int]] = ()
) -> grpc.aio.Channel:
    """Open a channel for the asyncio client; as `channel`, with more of gRPC's options."""
    options = [*messages.channel_options(address), *more_options]
    if security.uses_tls:
        return grpc.aio.secure_channel(address, _credentials(security), options)
    if not security.api_key:
        return grpc.aio.insecure_channel(address, options)
    _check_stays_here(address)
    return grpc.aio.insecure_channel(address, options, interceptors=_interceptors(security.api_key))


def _credentials(security: Security) -> grpc.ChannelCredentials:
    if (security.certificate is None) is not (security.key is None):
        raise ConfigError("a client certificate and its key go together")
    ca, key, certificate = map(_read, (security.ca, security.key, security.certificate))
    made = grpc.ssl_channel_credentials(ca, key, certificate)
    if security.api_key:
        # Sent by gRPC itself, over TLS alone.
        call = grpc.access_token_call_credentials(security.api_key)
        made = grpc.composite_channel_credentials(made, call)
    return made


def _read(path: Path | None) -> bytes | None:
    try:
        return None if path is None else path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None


def _check_stays_here(address: str) -> None:
    if not address.startswith("unix:") and not is_loopback(address.rpartition(":")[0]):
        raise ConfigError(
            f"refusing to send an API key to {address} without TLS: set HASHSVC_TLS=1, or "
            "HASHSVC_TLS_CA to the file of its CA"
        )


def _with_key(details: Any, key: str) -> Any:
    metadata = [*(details.metadata or ()), ("authorization", f"Bearer {key}")]
    return details._replace(metadata=metadata)


class _SendKey(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """Adds the key to every call of a channel without TLS."""

    def __init__(self, key: str) -> None:
        self._key = key

    def intercept(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        """What gRPC calls, for every kind of call."""
        return continuation(_with_key(details, self._key), request)

    intercept_unary_unary = intercept  # type: ignore[assignment]
    intercept_unary_stream = intercept  # type: ignore[assignment]
    intercept_stream_unary = intercept  # type: ignore[assignment]
    intercept_stream_stream = intercept  # type: ignore[assignment]


class _AioSendKey:
    """The same for asyncio."""

    def __init__(self, key: str) -> None:
        self._key = key

    async def intercept(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        """As above."""
        return await continuation(_with_key(details, self._key), request)


def _interceptors(key: str) -> Any:
    """gRPC wants one object for each kind of call, of a class that says so."""
    kinds = {
        "intercept_unary_unary": grpc.aio.UnaryUnaryClientInterceptor,
        "intercept_unary_stream": grpc.aio.UnaryStreamClientInterceptor,
        "intercept_stream_unary": grpc.aio.StreamUnaryClientInterceptor,
        "intercept_stream_stream": grpc.aio.StreamStreamClientInterceptor,
    }
    return [
        type("_SendKey", (_AioSendKey, base), {name: _AioSendKey.intercept})(key)
        for name, base in kinds.items()
    ]
