"""What a witness does: it cosigns checkpoints that follow from those before, and sees no record.

A witness that signs two logs of one name that do not follow from each other is worth nothing. So
what it cosigned last is on its disk before anybody else gets the cosignature, and it holds its
state's file for itself while it decides.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hashsvc.errors import ConfigError, LogRefused, NoteError, ProofError
from hashsvc.lists.auditing import newest_key
from hashsvc.lists.keychain import Keychain
from hashsvc.lists.keys import Signer, Witness, load_key, save_key
from hashsvc.lists.logs import origin
from hashsvc.lists.merkle import verify_consistency
from hashsvc.lists.notes import Checkpoint, peek_checkpoint
from hashsvc.model_sync import ShownCheckpoint
from hashsvc.private_files import draft_beside, sync_folder, write_private

_VERSION = 1
_MAX_STATE_BYTES = 16 << 20
_MAX_KEY_BYTES = 1_000


@dataclass(frozen=True, slots=True)
class Seen:
    """What a witness knows of a list: the key that it pinned, the checkpoint that it cosigned."""

    key: str
    note: str


def follows(
    list_name: str,
    seen: Seen | None,
    key: str,
    shown: ShownCheckpoint,
    prove: Callable[[int, int], Sequence[bytes]],
) -> tuple[Checkpoint, Seen]:
    """Return the checkpoint shown, and what the witness has seen once it cosigned it.

    `key` is the list's public key as its owner says it, or empty: then what was seen counts, or at
    first what is shown. `prove` asks for the proof that one size grew into another.

    Raises:
        LogRefused: it is not signed by the list's key, or does not follow from what was seen.
    """
    note = shown.note
    pinned = key or (seen.key if seen else "")
    pinned = pinned or newest_key(list_name, shown.first_key, shown.rotations)
    try:
        keys = Keychain.read(origin(list_name), shown.first_key, shown.rotations)
        for one in {pinned, seen.key if seen else pinned}:
            if not keys.holds(one):
                raise LogRefused("its key is not the pinned one", offered=note)
        checkpoint = keys.open(note)
        before = None if seen is None else keys.open(seen.note.encode())
    except NoteError as error:
        raise LogRefused(f"its checkpoint is not good: {error}", offered=note) from error
    if before is not None:
        _check_grown(before, checkpoint, note, prove)
    # Without the cosignatures of others, which are not verified.
    return checkpoint, Seen(pinned, note.decode())


def _check_grown(
    before: Checkpoint,
    checkpoint: Checkpoint,
    note: bytes,
    prove: Callable[[int, int], Sequence[bytes]],
) -> None:
    if checkpoint.size < before.size:
        text = f"it shrank from {before.size:,} records to {checkpoint.size:,}"
        raise LogRefused(text, offered=note)
    old, new = (before.size, before.root), (checkpoint.size, checkpoint.root)
    proof = prove(old[0], new[0]) if new[0] > old[0] else ()
    try:
        verify_consistency(*old, *new, proof)
    except ProofError as error:
        text = f"it is a fork: {new[0]:,} records do not follow from {old[0]:,}: {error}"
        raise LogRefused(text, offered=note) from error


class WitnessState:
    """What a witness has seen of each list, in a file that it alone uses meanwhile (`locked`)."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the file, so that no other process decides from the same state.

        Raises:
            ConfigError: another process has it, or it cannot be made.
        """
        path = self._path.with_name(f"{self._path.name}.lock")
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigError(f"cannot use {path}: {error.strerror}") from None
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ConfigError(f"another process is using {self._path}") from None
            yield
        finally:
            os.close(handle)

    def seen(self, list_name: str) -> Seen | None:
        """Return what was seen of a list.

        Raises:
            ConfigError: the file cannot be read, is damaged, or others can read it.
        """
        return self._read().get(list_name)

    def save(self, list_name: str, seen: Seen) -> None:
        """Keep what was seen of a list, durably: all of it, or nothing.

        Raises:
            ConfigError: the file cannot be read or written.
        """
        known = self._read() | {list_name: seen}
        lists = {name: {"key": one.key, "note": one.note} for name, one in sorted(known.items())}
        text = json.dumps({"v": _VERSION, "lists": lists}, indent=1, ensure_ascii=False)
        draft = draft_beside(self._path)
        try:
            write_private(draft, text.encode() + b"\n")
            draft.replace(self._path)
            sync_folder(self._path.parent)
        except OSError as error:
            raise ConfigError(f"the state cannot be written to {self._path}: {error}") from error
        finally:
            draft.unlink(missing_ok=True)

    def _read(self) -> dict[str, Seen]:
        try:
            with self._path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                data = file.read(_MAX_STATE_BYTES)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise ConfigError(f"the state {self._path} cannot be read: {error.strerror}") from None
        if mode & 0o077:
            raise ConfigError(
                f"the state {self._path} is not for its owner alone: see that nobody has changed "
                f"it, then run: chmod 600 {self._path}"
            )
        try:
            document = json.loads(data)
            if document["v"] != _VERSION:
                raise ValueError(document["v"])
            found = {name: Seen(one["key"], one["note"]) for name, one in document["lists"].items()}
            for one in found.values():
                peek_checkpoint(one.note.encode())
        except (ValueError, KeyError, TypeError, AttributeError, NoteError) as error:
            raise ConfigError(
                f"{self._path} is not the state of a witness, or is damaged: bring back a good "
                "copy; without it this witness could cosign two logs that differ"
            ) from error
        return found


def make_key(path: Path, name: str) -> Witness:
    """Make a witness's key in a new file, its public key beside it in FILE.pub; return that.

    Raises:
        ConfigError: there are such files, or they cannot be written.
        NoteError: the name cannot be one.
    """
    signer = Signer.generate(name)
    public = _public(path)
    if public.exists():
        raise ConfigError(f"there is a file {public} already; no key is written over it")
    save_key(path, signer)
    try:
        with public.open("x", encoding="utf-8") as file:
            file.write(signer.witness.encode() + "\n")
    except OSError as error:
        raise ConfigError(f"the public key cannot be written to {public}: {error}") from error
    return signer.witness


def load_witness(path: Path) -> Signer:
    """Return the signer that `make_key` made.

    Raises:
        ConfigError: a file cannot be read, others can read the key, or they are not of one key.
        NoteError: the public key is malformed.
    """
    public = _public(path)
    try:
        with public.open(encoding="utf-8") as file:
            witness = Witness.decode(file.read(_MAX_KEY_BYTES).strip())
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"{public}, which names the key, cannot be read: {error}") from None
    signer = load_key(path, witness.name)
    if signer.witness != witness:
        raise ConfigError(f"{public} is not the public key of {path}")
    return signer


def _public(path: Path) -> Path:
    return path.with_name(f"{path.name}.pub")
