"""Signed notes and checkpoints, as other transparency logs and their witnesses write them.

C2SP signed-note, tlog-checkpoint, and the Ed25519 cosignatures of tlog-cosignature (v1). A note is
text that ends in a newline, a blank line, and one line for each signature:

    — name base64(key id, 4 bytes; signature)
"""

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from hashsvc.errors import NoteError
from hashsvc.lists.keys import (
    KEY_ID_BYTES,
    Key,
    Signer,
    Verifier,
    Witness,
    check_name,
    check_unicode,
    from_base64,
)
from hashsvc.lists.merkle import HASH_BYTES, MAX_SIZE

MAX_NOTE_BYTES = 1 << 20
MAX_SIGNATURES = 100

_DASH = "\N{EM DASH} "
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Note:
    """An opened note: text that ends in a newline, and who has signed it, in the note's order."""

    text: str
    verified_by: tuple[Verifier, ...]


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A witness saw a checkpoint, which fits all it saw before, at a time in seconds since 1970."""

    witness: Witness
    time: int


def sign(text: str, *signers: Signer) -> bytes:
    """Return a note: text that ends in a newline, signed by each.

    Raises:
        NoteError: the text cannot be a note's.
    """
    _check_text(text)
    lines = [_signature_line(one.name, one.verifier.key_id, one.sign(text)) for one in signers]
    note = f"{text}\n{''.join(lines)}".encode()
    if len(note) > MAX_NOTE_BYTES:
        raise NoteError(f"the note would have {len(note):,} bytes, {MAX_NOTE_BYTES:,} at most")
    return note


def open_note(data: bytes, verifiers: Iterable[Verifier]) -> Note:
    """Return a note that at least one of the verifiers has signed; unknown signatures are ignored.

    Raises:
        NoteError: it is malformed, a signature of a known key is not good, or none is known.
    """
    text, lines = _parse(data)
    known = list(_known(lines, verifiers))
    for verifier, signature in known:
        verifier.check(text, signature)
    if not known:
        raise NoteError("the note is not signed by a known key")
    return Note(text, tuple(verifier for verifier, _ in known))


def cosignatures(data: bytes, witnesses: Iterable[Witness]) -> tuple[Cosignature, ...]:
    """Return the cosignatures of known witnesses on a checkpoint, one each, in the note's order.

    Says nothing of the log's own signature (`open_checkpoint`), nor whether the times are sensible.

    Raises:
        NoteError: it is malformed, or a cosignature of a known witness is not good.
    """
    text, lines = _parse(data)
    Checkpoint.parse(text)
    known = _known(lines, witnesses)
    return tuple(
        Cosignature(witness, witness.check(text, signature)) for witness, signature in known
    )


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log was at a size: `origin` names the log, `root` (32 bytes) is its tree's.

    Raises NoteError if it cannot be one.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for line in (self.origin, *self.extensions):
            if not line or "\n" in line:
                raise NoteError("the origin and each extension is one line that is not empty")
        if not 0 <= self.size <= MAX_SIZE:
            raise NoteError(f"a log's size is 0 to {MAX_SIZE}, not {self.size}")
        if len(self.root) != HASH_BYTES:
            raise NoteError(f"a log's root has {HASH_BYTES} bytes, this one has {len(self.root)}")
        _check_text(self.text())

    def text(self) -> str:
        """Return the text of the checkpoint's note."""
        root = base64.b64encode(self.root).decode()
        return "".join(
            f"{line}\n" for line in (self.origin, str(self.size), root, *self.extensions)
        )

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Return the checkpoint with this text.

        Raises:
            NoteError: it is not a checkpoint's.
        """
        *lines, rest = text.split("\n")
        if rest or len(lines) < 3:
            raise NoteError("a checkpoint has three lines or more: its origin, size and root")
        origin, size, root_base64, *extensions = lines
        if not _DECIMAL.fullmatch(size):
            raise NoteError("the size of this checkpoint is not a decimal number")
        root = from_base64(root_base64)
        if root is None:
            raise NoteError("the root of this checkpoint is not in base64")
        return cls(origin, int(size), root, tuple(extensions))


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> bytes:
    """Return a checkpoint as a signed note."""
    return sign(checkpoint.text(), signer)


def open_checkpoint(data: bytes, verifier: Verifier, *, origin: str) -> Checkpoint:
    """Return a checkpoint of the log `origin` that a verifier has signed.

    Raises:
        NoteError: it is malformed, not signed so, or of another log.
    """
    checkpoint = Checkpoint.parse(open_note(data, [verifier]).text)
    # A key may sign for several logs: one must not be shown in the place of another.
    if checkpoint.origin != origin:
        raise NoteError(f"this is a checkpoint of {checkpoint.origin!r}, not of {origin!r}")
    return checkpoint


def peek_checkpoint(data: bytes) -> Checkpoint:
    """Return the checkpoint that a note says it is; nothing is verified.

    Raises:
        NoteError: it is malformed.
    """
    return Checkpoint.parse(_parse(data)[0])


def same_text(one: bytes, other: bytes) -> bool:
    """Tell whether two notes say the same, whoever signed them.

    Raises:
        NoteError: one is malformed.
    """
    return _parse(one)[0] == _parse(other)[0]


def cosign(note: bytes, signer: Signer, time: int) -> bytes:
    """Return a checkpoint's note with a witness's cosignature, in the place of its earlier one.

    `time` is in seconds since 1970. Whether the checkpoint deserves it is for the witness to say.

    Raises:
        NoteError: it is malformed, or has too many signatures.
    """
    text, lines = _parse(note)
    Checkpoint.parse(text)
    witness = signer.witness
    mine = (witness.name, witness.key_id)
    kept = [line for line in lines if (line.name, line.key_id) != mine]
    return _shown(text, [*kept, _Line(*mine, signer.cosign(text, time))])


def only_signed_by(note: bytes, keys: Iterable[Key]) -> bytes:
    """Return a note without the signatures of all but some keys; whose these are is not verified.

    Raises:
        NoteError: it is malformed, or none of them has signed it.
    """
    text, lines = _parse(note)
    known = {(key.name, key.key_id) for key in keys}
    kept = [line for line in lines if (line.name, line.key_id) in known]
    if not kept:
        raise NoteError("the note is not signed by a known key")
    return _shown(text, kept)


def with_signatures(note: bytes, other: bytes) -> bytes:
    """Return a note with the signatures that another of the same text has beside its own.

    Raises:
        NoteError: one is malformed, or there are too many.
    """
    text, lines = _parse(note)
    for line in _parse(other)[1]:
        if line not in lines:
            lines.append(line)
    return _shown(text, lines)


@dataclass(frozen=True, slots=True)
class _Line:
    """A signature line."""

    name: str
    key_id: bytes
    signature: bytes


_K = TypeVar("_K", bound=Key)


def _known(lines: Iterable[_Line], keys: Iterable[_K]) -> Iterator[tuple[_K, bytes]]:
    """Yield the signatures that are said to be of known keys, at most one each."""
    by_id: dict[tuple[str, bytes], _K] = {}
    for key in keys:
        if by_id.setdefault((key.name, key.key_id), key) != key:
            raise NoteError(f"two keys of {key.name} have the same id, {key.key_id.hex()}")
    signed = set()
    for line in lines:
        said = (line.name, line.key_id)
        if said in signed:
            raise NoteError(f"the note is signed twice by {line.name}")
        if said in by_id:
            signed.add(said)
            yield by_id[said], line.signature


def _parse(data: bytes) -> tuple[str, list[_Line]]:
    """Return the text and the signature lines of a note; nothing is verified."""
    if len(data) > MAX_NOTE_BYTES:
        raise NoteError(f"the note has {len(data):,} bytes, {MAX_NOTE_BYTES:,} at most")
    try:
        note = data.decode()
    except UnicodeDecodeError as error:
        raise NoteError("the note is not UTF-8") from error
    # A text may hold blank lines too; the last one of the note ends it.
    head, blank, tail = note.rpartition("\n\n")
    text = f"{head}\n"
    _check_text(text)
    *lines, rest = tail.split("\n")
    if not blank or not lines or rest:
        raise NoteError("the note does not end in a blank line and lines of signatures")
    if len(lines) > MAX_SIGNATURES:
        raise NoteError(f"the note has {len(lines):,} signatures, {MAX_SIGNATURES} at most")
    return text, [_parse_line(line) for line in lines]


def _parse_line(line: str) -> _Line:
    name, _, signature_base64 = line.removeprefix(_DASH).partition(" ")
    signature = from_base64(signature_base64)
    if not line.startswith(_DASH) or not signature:
        raise NoteError("a line of the note is not a signature: dash, name, base64")
    if len(signature) <= KEY_ID_BYTES:
        raise NoteError("a signature of the note is too short")
    check_name(name)
    return _Line(name, signature[:KEY_ID_BYTES], signature[KEY_ID_BYTES:])


def _shown(text: str, lines: Sequence[_Line]) -> bytes:
    if len(lines) > MAX_SIGNATURES:
        raise NoteError(f"the note has {len(lines):,} signatures, {MAX_SIGNATURES} at most")
    shown = [_signature_line(line.name, line.key_id, line.signature) for line in lines]
    return f"{text}\n{''.join(shown)}".encode()


def _signature_line(name: str, key_id: bytes, signature: bytes) -> str:
    return f"{_DASH}{name} {base64.b64encode(key_id + signature).decode()}\n"


def _check_text(text: str) -> None:
    if not text.endswith("\n"):
        raise NoteError("the text of a note ends in a newline")
    if _CONTROL.search(text):
        raise NoteError("a note holds no control characters but newlines")
    check_unicode(text)
