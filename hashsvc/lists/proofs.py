"""Proofs in files: that a record is in a list's log, for whoever has the list's key alone.

JSON, with bytes in base64 and texts as they are:

    {"format": "hashsvc proof 1", "list": "acme/known", "place": 17,
     "record": "...", "salt": "...",
     "checkpoint": "...", "proof": ["...", ...],
     "first_key": "hashsvc/acme/known+...", "rotations": ["...", ...]}

A record that is withheld or erased has "leaf_hash" in the place of "record" and "salt". The rest is
as `GetInclusionProof` gives it (protos/hashsvc/v1/sync_service.proto).
"""

import base64
import json
from dataclasses import dataclass
from typing import Any

from hashsvc.errors import LogRefused, NoteError, ProofError
from hashsvc.lists import rules
from hashsvc.lists.keychain import Keychain
from hashsvc.lists.keys import from_base64
from hashsvc.lists.logs import origin
from hashsvc.lists.merkle import verify_inclusion
from hashsvc.lists.notes import Checkpoint
from hashsvc.lists.verifying import leaf_hash_of
from hashsvc.model import Change
from hashsvc.model_sync import InclusionProof, Leaf

FORMAT = "hashsvc proof 1"
MAX_BYTES = 32 << 20
"""The largest file that is read."""


@dataclass(frozen=True, slots=True)
class Proven:
    """What a proof proves: a record is at its place under this checkpoint and key.

    `change` is what the record says; None where it is withheld or erased (`is_withheld`), or not
    understood here.
    """

    checkpoint: Checkpoint
    key: str
    change: Change | None
    is_withheld: bool


@dataclass(frozen=True, slots=True)
class RecordProof:
    """That the record at a place is in a list's log; `verify` says whether it is so."""

    list_name: str
    place: int
    proof: InclusionProof

    def verify(self, key: str = "") -> Proven:
        """Return what is proven; `key` is the public key that is trusted, as one word.

        Without it the newest key of the proof itself counts, which proves what its holder says.

        Raises:
            ProofError: it is not proven; the message says what does not fit.
        """
        shown = self.proof
        try:
            keys = Keychain.read(origin(self.list_name), shown.first_key, shown.rotations)
            if key and not keys.holds(key):
                raise ProofError("the proof is not under the key given")
            checkpoint = keys.open(shown.note)
            leaf = leaf_hash_of(shown.leaf)
        except (NoteError, LogRefused) as error:
            raise ProofError(str(error)) from error
        verify_inclusion(leaf, self.place, checkpoint.size, shown.hashes, checkpoint.root)
        change = rules.read_record(shown.leaf.body, self.place) if shown.leaf.salt else None
        signer = keys.at(checkpoint.size).encode()
        return Proven(checkpoint, signer, change, not shown.leaf.salt)

    def to_json(self) -> bytes:
        """Return the text of a file with it.

        Raises:
            ProofError: the checkpoint is not text.
        """
        shown, leaf = self.proof, self.proof.leaf
        said = (
            {"record": _text(leaf.body), "salt": _text(leaf.salt)}
            if leaf.salt
            else {"leaf_hash": _text(leaf.hash)}
        )
        try:
            note = shown.note.decode()
        except UnicodeDecodeError as error:
            raise ProofError("the checkpoint is not UTF-8") from error
        document = {
            "format": FORMAT,
            "list": self.list_name,
            "place": self.place,
            **said,
            "checkpoint": note,
            "proof": [_text(one) for one in shown.hashes],
            "first_key": shown.first_key,
            "rotations": list(shown.rotations),
        }
        return json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes) -> "RecordProof":
        """The inverse; nothing is verified.

        Raises:
            ProofError: it is malformed.
        """
        if len(data) > MAX_BYTES:
            raise ProofError(f"a proof has {MAX_BYTES:,} bytes at most")
        try:
            document = json.loads(data)
        except (ValueError, RecursionError):
            raise ProofError("this is not a proof: it is not JSON") from None
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise ProofError(f"this is not a proof: its `format` is not `{FORMAT}`")
        reader = _Reader(document)
        leaf = (
            Leaf(hash=reader.data("leaf_hash"))
            if "leaf_hash" in document
            else Leaf(reader.data("record"), reader.data("salt"))
        )
        proof = InclusionProof(
            reader.take("checkpoint", str).encode("utf-8", "replace"),
            leaf,
            tuple(_bytes(one, "proof") for one in reader.take("proof", list)),
            reader.take("first_key", str),
            tuple(_string(one) for one in reader.take("rotations", list)),
        )
        made = cls(reader.take("list", str), reader.take("place", int), proof)
        reader.take("format", str)
        reader.finish()
        return made


class _Reader:
    """Takes each field of a document once."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._left = dict(document)

    def take(self, name: str, kind: type) -> Any:
        """Return a field that has exactly this type."""
        value = self._left.pop(name, None)
        if type(value) is not kind:
            raise ProofError(f"the proof's `{name}` is missing or malformed")
        return value

    def data(self, name: str) -> bytes:
        """Return bytes."""
        return _bytes(self.take(name, str), name)

    def finish(self) -> None:
        """Refuse what nobody took: it would seem to be proven too."""
        if self._left:
            raise ProofError(f"the proof has a field `{min(self._left)[:40]}` that is not known")


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(value: Any, name: str) -> bytes:
    data = from_base64(value) if isinstance(value, str) else None
    if data is None:
        raise ProofError(f"the proof's `{name}` is not in base64")
    return data


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise ProofError("the proof's `rotations` are not texts")
    return value
