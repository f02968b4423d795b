"""Private keys in PEM files for their owner alone, and the passphrases that unlock them."""

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from hashsvc.errors import ConfigError
from hashsvc.private_files import read_private

_MAX_KEY_BYTES = 1 << 16
# What cryptography takes.
_MAX_PASSPHRASE_BYTES = 1_023


def read_passphrase(path: Path, *, setting: str) -> bytes:
    """Return the passphrase in a file: all of it but one newline at the end.

    Raises:
        ConfigError: it cannot be read, others can read it, or it holds none.
    """
    passphrase = read_private(path, setting, _MAX_PASSPHRASE_BYTES + 2).removesuffix(b"\n")
    if not passphrase:
        raise ConfigError(f"{setting}: {path} is empty: put the passphrase into it, on one line")
    if len(passphrase) > _MAX_PASSPHRASE_BYTES:
        raise ConfigError(
            f"{setting}: the passphrase in {path} is too long, {_MAX_PASSPHRASE_BYTES:,} bytes at "
            "most"
        )
    return passphrase


def read_key(path: Path, *, passphrase: bytes | None, setting: str) -> PrivateKeyTypes:
    """Return the private key in a file; `setting` is the one that names its passphrase's file.

    Raises:
        ConfigError: it cannot be read, others can read it, it holds no key, or the passphrase is
            not its own: each key has to be encrypted if there is one, and not if there is none.
    """
    pem = read_private(path, "private key", _MAX_KEY_BYTES)
    try:
        return load_pem_private_key(pem, None if passphrase is None else _checked(passphrase))
    except TypeError as error:
        if passphrase is None:
            told = f"is encrypted: name the file of its passphrase in {setting}"
        else:
            told = f"is not encrypted: encrypt it, or leave out {setting}"
        raise ConfigError(f"the private key {path} {told}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        if passphrase is None:
            told = "is not a private key in PEM (PKCS 8)"
        else:
            told = f"cannot be opened: {setting} has not its passphrase, or the file is damaged"
        raise ConfigError(f"{path} {told}") from error


def to_pem(key: PrivateKeyTypes, *, passphrase: bytes | None) -> bytes:
    """Return a private key in PEM (PKCS 8), encrypted if there is a passphrase.

    Raises:
        ConfigError: the passphrase is empty.
    """
    encryption: KeySerializationEncryption = NoEncryption()
    if passphrase is not None:
        encryption = BestAvailableEncryption(_checked(passphrase))
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def _checked(passphrase: bytes) -> bytes:
    if not passphrase:
        raise ConfigError("the passphrase of a key is empty")
    return passphrase
