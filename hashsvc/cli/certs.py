"""`hashsvc certs`."""

from pathlib import Path
from typing import Annotated

import typer

from hashsvc.cli import output
from hashsvc.cli.options import server_extra

certs = typer.Typer(help="Certificates to try TLS out with.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help="Where the files go, or are.", show_default=False)]


@certs.command("init")
def init(
    folder: Folder,
    host: Annotated[
        list[str] | None, typer.Option(help="A name or address of the node; may be repeated.")
    ] = None,
) -> None:
    """Make a development CA, and with it a certificate for a node (default: this machine)."""
    with server_extra():
        from hashsvc.access import certificates

    authority = certificates.make_authority()
    hosts = host or ["localhost", "127.0.0.1", "::1"]
    node = certificates.issue(authority, "hashsvc node", hosts, is_client=False)
    ca, _ = certificates.write(folder, "ca", authority)
    certificate, key = certificates.write(folder, "node", node)
    output.say(
        "[tls]",
        f'certificate = "{certificate}"',
        f'key = "{key}"',
        f'# client_ca = "{ca}"  # for mutual TLS',
    )


@certs.command("client")
def client(
    folder: Folder,
    partner: Annotated[str, typer.Argument(help="Whose it is: the name of the files.")],
) -> None:
    """Make a client certificate with the CA of `certs init`."""
    with server_extra():
        from hashsvc.access import certificates

    authority = certificates.Issued(
        (folder / "ca.crt").read_bytes(), (folder / "ca.key").read_bytes()
    )
    made = certificates.issue(authority, partner, (), is_client=True)
    for path in certificates.write(folder, partner, made):
        output.say(str(path))
