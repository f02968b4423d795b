"""`hashsvc witness`: cosigning checkpoints of lists, without ever seeing a record."""

import base64
import time
from pathlib import Path
from typing import Annotated

import typer

from hashsvc.cli import options, output
from hashsvc.cli.options import DEFAULT_SERVER, Json, Server
from hashsvc.errors import LogRefused

witness = typer.Typer(
    help="Cosigning lists' checkpoints, so that a list cannot be shown to each in its own way.",
    no_args_is_help=True,
)


@witness.command("keygen")
def keygen(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The new private key.", show_default=False)
    ],
    name: Annotated[
        str, typer.Option(help="The witness's name in its cosignatures: witness.example/w1.")
    ],
    as_json: Json = False,
) -> None:
    """Make a witness's key: FILE, for you alone, and FILE.pub, which you give to others."""
    with options.server_extra():
        from hashsvc.lists.witnessing import make_key
    made = make_key(file, name)
    if as_json:
        output.print_json({"name": made.name, "key": made.encode()})
    else:
        output.say(made.encode())


@witness.command("cosign")
def cosign_list(
    name: Annotated[
        str, typer.Argument(metavar="LIST", help="The list: acme/known.", show_default=False)
    ],
    key: Annotated[Path, typer.Option(help="The witness's key, from `witness keygen`.")],
    state: Annotated[
        Path, typer.Option(help="What was cosigned before, of all lists; made if missing.")
    ],
    list_key: Annotated[
        str, typer.Option(help="The list's public key, as its owner says it; pinned for good.")
    ] = "",
    server: Server = DEFAULT_SERVER,
    as_json: Json = False,
) -> None:
    """Cosign a list's newest checkpoint, if it follows from the one that was cosigned before.

    Needs the role `witness` for the list. Run it now and then, and keep the state: a witness that
    has lost it could cosign two logs that differ. What does not follow is refused, and both
    checkpoints are shown: they are the evidence.
    """
    with options.server_extra():
        from hashsvc.lists.notes import cosign
        from hashsvc.lists.witnessing import WitnessState, follows, load_witness
    signer, kept = load_witness(key), WitnessState(state)
    with kept.locked(), options.client(server) as client:
        before = kept.seen(name)
        shown = client.checkpoint(name)
        try:
            checkpoint, seen = follows(
                name, before, list_key, shown, lambda *sizes: client.consistency_proof(name, *sizes)
            )
        except LogRefused as error:
            output.warn(f"error: {name} is NOT cosigned: {error}")
            _show_evidence("" if before is None else before.note, error.offered)
            raise typer.Exit(output.ERROR) from None
        now = int(time.time())
        cosigned = cosign(shown.note, signer, now)
        # Before anybody has the cosignature: it can never be forgotten.
        kept.save(name, seen)
        client.add_cosignature(name, cosigned, signer.witness.encode())
    if before is None:
        output.warn(f"this is the first checkpoint of {name} in {state}")
    if before is None and not list_key:
        output.warn(
            f"pinned {seen.key}",
            "which is what the node shows: compare it with what the list's owner says",
        )
    if as_json:
        output.print_json(
            {
                "list": name,
                "records": checkpoint.size,
                "root": base64.b64encode(checkpoint.root).decode(),
                "time": now,
                "witness": signer.witness.encode(),
                "key": seen.key,
            }
        )
    else:
        output.say(f"{name}: cosigned {checkpoint.size:,} records")


def _show_evidence(held: str, offered: bytes) -> None:
    for title, note in (("cosigned before", held), ("shown now", offered.decode(errors="replace"))):
        if note:
            output.warn(f"{title}:", *(f"  {line}" for line in note.splitlines()))
