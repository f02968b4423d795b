"""`hashsvc incidents`: unfolding events, whose entries go ahead of all others."""

from collections.abc import Iterable
from typing import Annotated

import typer

from hashsvc.cli import options, output
from hashsvc.cli.options import DEFAULT_SERVER, Json, Server
from hashsvc.model import Incident

incidents = typer.Typer(
    help="Unfolding events, whose entries go ahead of all others.", no_args_is_help=True
)

ListName = Annotated[
    str, typer.Argument(metavar="LIST", help="The list, such as acme/known.", show_default=False)
]
Name = Annotated[
    str,
    typer.Argument(metavar="INCIDENT", help="What entries call it: contribute --incident."),
]


@incidents.command("open")
def open_incident(
    name: ListName,
    incident: Name,
    title: Annotated[str, typer.Option(help="What it is, in words.")] = "",
    server: Server = DEFAULT_SERVER,
    as_json: Json = False,
) -> None:
    """Open an incident: entries that name it go ahead of others to who follows the list."""
    with options.client(server) as client:
        made = client.open_incident(name, incident, title)
    _show([made], as_json=as_json)


@incidents.command("conclude")
def conclude(
    name: ListName, incident: Name, server: Server = DEFAULT_SERVER, as_json: Json = False
) -> None:
    """Conclude an incident: its entries stay, new ones go with the rest."""
    with options.client(server) as client:
        made = client.conclude_incident(name, incident)
    _show([made], as_json=as_json)


@incidents.command("list")
def list_incidents(name: ListName, server: Server = DEFAULT_SERVER, as_json: Json = False) -> None:
    """Show the incidents of a list."""
    with options.client(server) as client:
        _show(client.incidents(name), as_json=as_json)


def _show(found: Iterable[Incident], *, as_json: bool) -> None:
    shown = output.table("list", "incident", "opened", "concluded", "title")
    for one in found:
        concluded = one.conclude_time
        if as_json:
            output.print_json(
                {
                    "list": one.list_name,
                    "incident": one.incident,
                    "title": one.title,
                    "open_time": one.open_time.isoformat(),
                    "conclude_time": None if concluded is None else concluded.isoformat(),
                }
            )
        shown.add_row(
            one.list_name,
            one.incident,
            f"{one.open_time:%Y-%m-%d %H:%M}",
            "" if concluded is None else f"{concluded:%Y-%m-%d %H:%M}",
            one.title,
        )
    if not as_json:
        output.show(shown)
