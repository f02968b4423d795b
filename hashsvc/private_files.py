"""Files that their owner alone may read: private keys, passphrases, exported lists."""

import os
import secrets
from pathlib import Path

from hashsvc.errors import ConfigError


def check_private(path: Path, mode: int) -> None:
    """Refuse a secret whose file has a mode by which others than its owner may use it.

    Raises:
        ConfigError: it has.
    """
    if mode & 0o077:
        raise ConfigError(
            f"{path} holds a secret, and is not for its owner alone (its mode is "
            f"{mode & 0o777:04o}); if nobody has taken it, run: chmod 600 {path}"
        )


def read_private(path: Path, noun: str, most: int) -> bytes:
    """Return what a secret's file holds, `most` bytes of it at most; `noun` says what it is.

    Raises:
        ConfigError: it cannot be read, or others than its owner may use it.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(most)
    except OSError as error:
        raise ConfigError(f"{noun}: cannot read {path}: {error.strerror}") from error
    check_private(path, mode)
    return data


def write_private(path: Path, data: bytes) -> None:
    """Write a new file that its owner alone can read, through to the disk.

    Raises:
        OSError: there is one of that name, or the disk.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def draft_beside(path: Path) -> Path:
    """Return a name in the same folder that nobody has, for what is not yet whole."""
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}")
