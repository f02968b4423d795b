"""The node's side of TLS: its certificate and key, read anew when their files change."""

from collections.abc import Sequence
from pathlib import Path

import grpc
import structlog

from hashsvc.config import Tls
from hashsvc.errors import ConfigError
from hashsvc.private_files import check_private

_log = structlog.get_logger()


def server_credentials(tls: Tls) -> grpc.ServerCredentials:
    """Return what a server's port needs.

    Raises:
        ConfigError: a file is missing or not what it should be, or others may read the key.
    """
    files = [path for path in (tls.key, tls.certificate, tls.client_ca) if path is not None]
    _check_private(files[0])
    current = _Files(files)

    return grpc.dynamic_ssl_server_credentials(
        current.configuration(),
        # None for no change is in gRPC's documentation, and not in its types.
        current.if_changed,  # type: ignore[arg-type]
        require_client_authentication=len(files) > 2,
    )


class _Files:
    """Key, certificate and perhaps CA as they are on disk."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = files
        self._seen = self._state()

    def configuration(self) -> grpc.ServerCertificateConfiguration:
        """Read all."""
        try:
            content = [path.read_bytes() for path in self._files]
        except OSError as error:
            raise ConfigError(f"tls: cannot read {error.filename}: {error.strerror}") from None
        key, certificate = content[:2]
        for path, text in zip(self._files, content, strict=True):
            if b"-----BEGIN " not in text:
                raise ConfigError(f"tls: {path} is not in PEM")
        roots = content[2] if len(content) > 2 else None
        return grpc.ssl_server_certificate_configuration([(key, certificate)], roots)

    def if_changed(self) -> grpc.ServerCertificateConfiguration | None:
        """Read all if any file is another than before; called at each new connection."""
        state = self._state()
        if state == self._seen:
            return None
        try:
            configuration = self.configuration()
        except ConfigError as error:
            _log.error("tls not renewed", because=str(error))
            return None
        self._seen = state
        return configuration

    def _state(self) -> list[tuple[int, int] | None]:
        return [_mark(path) for path in self._files]


def _mark(path: Path) -> tuple[int, int] | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_ino, facts.st_mtime_ns


def _check_private(path: Path) -> None:
    """Refuse a key that others than its owner may read."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise ConfigError(f"tls: cannot read {path}: {error.strerror}") from None
    check_private(path, mode)
