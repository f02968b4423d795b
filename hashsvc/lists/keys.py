"""The keys that notes are signed with: names, encodings, files.

Ed25519, as C2SP signed-note and tlog-cosignature have it. A *verifier* checks a log's own
signatures; a *witness*, the timestamped cosignatures of others. Their keys have different ids, so
that neither signature can pass for the other.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hashsvc.errors import ConfigError, NoteError
from hashsvc.private_files import draft_beside, sync_folder, write_private
from hashsvc.private_keys import read_key, to_pem

KEY_ID_BYTES = 4

MAX_TIME = (1 << 63) - 1
"""The latest time of a cosignature, in seconds since 1970."""

_PUBLIC_KEY_BYTES = 32
_SETTING = "keys_passphrase_file"
_CONTROL = re.compile(r"[\x00-\x1f]")

_P = (1 << 255) - 19
_Y8 = 2707385501144840649318225287225658788936804267575313519463743609750303402022
_WEAK_Y = {0, 1, _P - 1, _Y8, _P - _Y8}
"""The points of Ed25519 of order 1, 2, 4 and 8: as a key, anybody can sign for them."""


@dataclass(frozen=True, slots=True)
class Key:
    """A named Ed25519 public key for one kind of signature.

    Raises NoteError if the name or the key cannot be one.
    """

    name: str
    public_key: bytes

    kind: ClassVar[int]

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.public_key) != _PUBLIC_KEY_BYTES:
            raise NoteError(f"a public key has 32 bytes, this one has {len(self.public_key)}")
        y = int.from_bytes(self.public_key, "little") & ((1 << 255) - 1)
        if y >= _P or y in _WEAK_Y:
            raise NoteError(f"the public key of {self.name} is not a sound one")

    @property
    def key_id(self) -> bytes:
        """The first 4 bytes of SHA-256(name, newline, kind, public key)."""
        typed = bytes([self.kind]) + self.public_key
        return hashlib.sha256(self.name.encode() + b"\n" + typed).digest()[:KEY_ID_BYTES]

    def encode(self) -> str:
        """Return the key as one word: name+id+key."""
        typed = bytes([self.kind]) + self.public_key
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(typed).decode()}"

    @classmethod
    def decode(cls, text: str) -> Self:
        """Return the key that was encoded so.

        Raises:
            NoteError: it is malformed, of another kind, or its id is not the key's.
        """
        # The base64 may hold a plus too.
        name, _, rest = text.partition("+")
        key_id, _, typed_base64 = rest.partition("+")
        typed = from_base64(typed_base64)
        if typed is None or len(typed) != 1 + _PUBLIC_KEY_BYTES:
            raise NoteError("this is not a verifier key: name+id+key, the key in base64")
        if typed[0] != cls.kind:
            raise NoteError(f"this is a key of kind {typed[0]}, not of kind {cls.kind}")
        key = cls(name, typed[1:])
        if key.key_id.hex() != key_id:
            raise NoteError(f"the id of this key of {name} is {key.key_id.hex()}, not {key_id!r}")
        return key

    def _check(self, message: bytes, signature: bytes) -> None:
        """Raise NoteError if a signature of this key over a message is not good."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except (InvalidSignature, ValueError) as error:
            raise NoteError(f"the signature of {self.name} is not good") from error


class Verifier(Key):
    """A public key that checks a log's own signatures (Ed25519, kind 1)."""

    __slots__ = ()
    kind = 0x01

    def check(self, text: str, signature: bytes) -> None:
        """Check the signature, 64 bytes, of a note's text.

        Raises:
            NoteError: it is not good.
        """
        self._check(text.encode(), signature)


class Witness(Key):
    """A public key that checks a witness's cosignatures (timestamped Ed25519, kind 4)."""

    __slots__ = ()
    kind = 0x04

    def check(self, text: str, signature: bytes) -> int:
        """Check the cosignature, 72 bytes, of a checkpoint's text, and return its time.

        Raises:
            NoteError: it is not good.
        """
        time = int.from_bytes(signature[:8])
        if time > MAX_TIME:
            raise NoteError(f"the cosignature of {self.name} has an impossible time")
        self._check(_cosigned(text, time), signature[8:])
        return time


@dataclass(frozen=True, slots=True)
class Signer:
    """A named Ed25519 private key. Raises NoteError if the name cannot be one."""

    name: str
    key: Ed25519PrivateKey = field(repr=False)

    def __post_init__(self) -> None:
        check_name(self.name)

    @classmethod
    def generate(cls, name: str) -> "Signer":
        """Return a signer with a new key."""
        return cls(name, Ed25519PrivateKey.generate())

    def sign(self, text: str) -> bytes:
        """Return the signature, 64 bytes, of a note's text."""
        return self.key.sign(text.encode())

    def cosign(self, text: str, time: int) -> bytes:
        """Return the cosignature, 72 bytes, of a checkpoint's text at a time in seconds since 1970.

        Raises:
            NoteError: the time cannot be one.
        """
        if not 0 <= time <= MAX_TIME:
            raise NoteError(f"a cosignature's time is 0 to {MAX_TIME}, not {time}")
        return time.to_bytes(8) + self.key.sign(_cosigned(text, time))

    @property
    def verifier(self) -> Verifier:
        """The public key that checks this one's signatures."""
        return Verifier(self.name, self.key.public_key().public_bytes_raw())

    @property
    def witness(self) -> Witness:
        """The public key that checks this one's cosignatures."""
        return Witness(self.name, self.key.public_key().public_bytes_raw())


def _cosigned(text: str, time: int) -> bytes:
    """Return what a witness signs."""
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def save_key(path: Path, signer: Signer, *, passphrase: bytes | None = None) -> None:
    """Write a private key to a new file that its owner alone can read: all of it, or nothing.

    PEM (PKCS 8), encrypted if there is a passphrase. The name is not in it.

    Raises:
        ConfigError: there is a file of that name, or it cannot be written.
    """
    pem = to_pem(signer.key, passphrase=passphrase)
    draft = draft_beside(path)
    try:
        write_private(draft, pem)
        # A link, unlike a rename, never takes the place of another key.
        path.hardlink_to(draft)
    except FileExistsError as error:
        raise ConfigError(f"there is a file {path} already; no key is written over it") from error
    except OSError as error:
        raise ConfigError(f"the key cannot be written to {path}: {error}") from error
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(path.parent)


def load_key(path: Path, name: str, *, passphrase: bytes | None = None) -> Signer:
    """Return the signer of a name, with the private key in a file.

    Raises:
        ConfigError: it cannot be read, others can read it, or it holds no such key.
        NoteError: the name cannot be one.
    """
    key = read_key(path, passphrase=passphrase, setting=_SETTING)
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"the key {path} is not one of Ed25519")
    return Signer(name, key)


def load_or_make_key(path: Path, name: str, *, passphrase: bytes | None = None) -> Signer:
    """Return the signer of a name; its key is made if there is no file, and is on the disk then.

    Raises:
        ConfigError: the file cannot be used, or written.
        NoteError: the name cannot be one.
    """
    if path.exists():
        return load_key(path, name, passphrase=passphrase)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot make the folder {path.parent}: {error}") from error
    made = Signer.generate(name)
    save_key(path, made, passphrase=passphrase)
    return made


def check_name(name: str) -> None:
    """Refuse what cannot be the name of a key.

    Raises:
        NoteError: it is empty, holds a space, a plus or a control character, or is not Unicode.
    """
    if not name or "+" in name or any(c.isspace() for c in name) or _CONTROL.search(name):
        raise NoteError(f"{name!r} is not a key's name: not empty, and no spaces or '+' in it")
    check_unicode(name)


def check_unicode(text: str) -> None:
    """Refuse text that has no UTF-8.

    Raises:
        NoteError: it holds half a surrogate pair.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise NoteError("this is not Unicode text") from error


def from_base64(text: str) -> bytes | None:
    """Return what was encoded so; None if that would be encoded in another way."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if base64.b64encode(data).decode() == text else None
