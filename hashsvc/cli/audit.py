"""`hashsvc audit`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from hashsvc.cli import output
from hashsvc.cli.options import DEFAULT_SERVER, Server, admin
from hashsvc.errors import InvalidRequest

audit = typer.Typer(help="Who changed what on a node.", no_args_is_help=True)


@audit.command("export")
def export(server: Server = DEFAULT_SERVER) -> None:
    """Print the audit log, a JSON object a line; its head goes to stderr: keep it."""
    from hashsvc.access.audit_head import Head, verify

    with admin(server) as client:
        records, size, root = client.audit_records()
    verify(records, Head(size, root))
    for record in records:
        sys.stdout.buffer.write(record + b"\n")
    output.warn(f"{size:,} records, head {size} {root.hex()}")


@audit.command("verify")
def verify_export(
    file: Annotated[Path, typer.Argument(help="What `audit export` printed.", show_default=False)],
    size: Annotated[int, typer.Argument(help="Of a head that was kept: its size.")],
    root: Annotated[str, typer.Argument(help="And its root, in hexadecimal.")],
) -> None:
    """Hold an export against a head that was kept earlier."""
    from hashsvc.access.audit_head import Head, verify

    try:
        expected = bytes.fromhex(root)
    except ValueError:
        raise InvalidRequest.of("root", "is not hexadecimal") from None
    verify(file.read_bytes().splitlines(), Head(size, expected))
    output.say(f"the first {size:,} records are those of this head")
