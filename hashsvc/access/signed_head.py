"""The audit log's head as its node signs it: a C2SP tlog-checkpoint under the node's own key.

Apart from `audit_head`, which the command line needs without `cryptography`.
"""

from hashsvc.access.audit_head import Head
from hashsvc.lists.keys import Signer, Verifier
from hashsvc.lists.notes import Checkpoint, open_checkpoint, sign_checkpoint


def origin(node_id: str) -> str:
    """Return the name of a node's audit log in its heads, which is the name of its key too.

    In three parts, so that no list has it.
    """
    return f"hashsvc/nodes/{node_id}/audit"


def sign_head(head: Head, signer: Signer) -> bytes:
    """Return a head as a signed note."""
    return sign_checkpoint(Checkpoint(signer.name, head.size, head.root), signer)


def open_head(note: bytes, verifier_key: str) -> Head:
    """Return the head that the holder of a key has signed.

    Raises:
        NoteError: the key or the note is malformed, or the note is not signed so.
    """
    verifier = Verifier.decode(verifier_key)
    checkpoint = open_checkpoint(note, verifier, origin=verifier.name)
    return Head(checkpoint.size, checkpoint.root)
