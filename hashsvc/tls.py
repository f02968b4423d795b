"""The node's side of TLS: its certificate and key, read anew when their files change."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc
import structlog

from hashsvc.config import Tls
from hashsvc.errors import ConfigError
from hashsvc.private_keys import read_key, read_passphrase, to_pem

_SETTING = "tls.key_passphrase_file"

_log = structlog.get_logger()


def server_credentials(tls: Tls, count: int) -> list[grpc.ServerCredentials]:
    """Return what so many servers on one port need; the files are read once for all of them.

    Raises:
        ConfigError: a file is missing or not what it should be, or others may read the key.
    """
    files = _Files(tls)
    return [_credentials(files) for _ in range(count)]


def _credentials(files: "_Files") -> grpc.ServerCredentials:
    told = files.content

    def if_changed() -> grpc.ServerCertificateConfiguration | None:
        nonlocal told
        content = files.now()
        if content is told:
            return None
        told = content
        return content.configuration()

    return grpc.dynamic_ssl_server_credentials(
        told.configuration(),
        # None for no change is in gRPC's documentation, and not in its types.
        if_changed,  # type: ignore[arg-type]
        require_client_authentication=told.roots is not None,
    )


@dataclass(frozen=True, slots=True)
class _Content:
    """What gRPC is told, in PEM; the key is not encrypted any more."""

    key: bytes
    certificate: bytes
    roots: bytes | None

    def configuration(self) -> grpc.ServerCertificateConfiguration:
        """Return it as gRPC has it: a new one each time, as a server takes it for its own."""
        pair = self.key, self.certificate
        return grpc.ssl_server_certificate_configuration([pair], self.roots)


class _Files:
    """Key, certificate and perhaps CA as they are on disk. gRPC asks from threads of its own."""

    def __init__(self, tls: Tls) -> None:
        self._tls = tls
        file = tls.key_passphrase_file
        self._passphrase = None if file is None else read_passphrase(file, setting=_SETTING)
        self._lock = threading.Lock()
        self._seen = self._state()
        self.content = self._read()

    def now(self) -> _Content:
        """Return what there is, read anew if any file is another than before.

        Called at each new connection; files that cannot be used are told once.
        """
        with self._lock:
            state = self._state()
            if state != self._seen:
                self._seen = state
                try:
                    self.content = self._read()
                except ConfigError as error:
                    _log.error("tls not renewed", because=str(error))
            return self.content

    def _read(self) -> _Content:
        key_file, *others = self._paths()
        try:
            key = read_key(key_file, passphrase=self._passphrase, setting=_SETTING)
        except ConfigError as error:
            raise ConfigError(f"tls: {error}") from error
        certificate, *roots = map(_read_pem, others)
        # gRPC takes no passphrase.
        return _Content(to_pem(key, passphrase=None), certificate, roots[0] if roots else None)

    def _paths(self) -> Sequence[Path]:
        tls = self._tls
        return [path for path in (tls.key, tls.certificate, tls.client_ca) if path is not None]

    def _state(self) -> list[tuple[int, int] | None]:
        return [_mark(path) for path in self._paths()]


def _read_pem(path: Path) -> bytes:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"tls: cannot read {path}: {error.strerror}") from None
    if b"-----BEGIN " not in text:
        raise ConfigError(f"tls: {path} is not in PEM")
    return text


def _mark(path: Path) -> tuple[int, int] | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    # The time of the last change of content or mode.
    return facts.st_ino, facts.st_ctime_ns
