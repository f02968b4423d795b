"""`hashsvc audit`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hashsvc.cli import output
from hashsvc.cli.options import DEFAULT_SERVER, Server, admin, server_extra
from hashsvc.errors import InvalidRequest, OperatorError, ProofError

if TYPE_CHECKING:
    from hashsvc.access.audit_head import Head

audit = typer.Typer(help="Who changed what on a node.", no_args_is_help=True)

Key = Annotated[
    str,
    typer.Option(help="The node's key, as an earlier `audit export --head` told it: name+id+key."),
]


@audit.command("export")
def export(
    head: Annotated[
        Path | None, typer.Option(help="Write the signed head to this new file: keep it elsewhere.")
    ] = None,
    key: Key = "",
    server: Server = DEFAULT_SERVER,
) -> None:
    """Print the audit log, a JSON object a line; its head goes to stderr: keep it.

    With --key a head that another key has signed is refused.
    """
    from hashsvc.access.audit_head import Head, verify

    with admin(server) as client:
        found = client.audit_records()
    verify(found.records, Head(found.size, found.root))
    if head is not None or key:
        if _open(found.signed_head, key or found.verifier_key) != Head(found.size, found.root):
            raise ProofError("the head that the node has signed is not that of these records")
        output.warn(f"signed by {found.verifier_key}")
    if head is not None:
        _keep(found.signed_head, head)
    for record in found.records:
        sys.stdout.buffer.write(record + b"\n")
    output.warn(f"{found.size:,} records, head {found.size} {found.root.hex()}")


@audit.command("verify")
def verify_export(
    file: Annotated[Path, typer.Argument(help="What `audit export` printed.", show_default=False)],
    size: Annotated[int | None, typer.Argument(help="Of a head that was kept: its size.")] = None,
    root: Annotated[str, typer.Argument(help="And its root, in hexadecimal.")] = "",
    head: Annotated[
        Path | None, typer.Option(help="Instead: a file that `audit export --head` wrote.")
    ] = None,
    key: Key = "",
) -> None:
    """Hold an export against a head that was kept earlier: SIZE ROOT, or --head with --key."""
    from hashsvc.access.audit_head import verify

    kept = _kept(size, root, head, key)
    verify(file.read_bytes().splitlines(), kept)
    output.say(f"the first {kept.size:,} records are those of this head")


def _kept(size: int | None, root: str, head: Path | None, key: str) -> "Head":
    """Return the head that was given in one of two ways."""
    from hashsvc.access.audit_head import Head

    if head is not None and key and size is None:
        return _open(head.read_bytes(), key)
    if head is not None or key or size is None or not root:
        raise typer.BadParameter("give SIZE and ROOT, or --head and --key")
    try:
        return Head(size, bytes.fromhex(root))
    except ValueError:
        raise InvalidRequest.of("root", "is not hexadecimal") from None


def _open(note: bytes, key: str) -> "Head":
    with server_extra():
        from hashsvc.access.signed_head import open_head

    return open_head(note, key)


def _keep(note: bytes, path: Path) -> None:
    try:
        with path.open("xb") as file:
            file.write(note)
    except FileExistsError:
        raise OperatorError(f"there is a file {path} already: kept heads are not lost") from None
