"""`hashsvc opinion` and `hashsvc opinions`."""

from collections.abc import Iterable
from typing import Annotated

import typer

from hashsvc.cli import options, output
from hashsvc.cli.options import DEFAULT_SERVER, Json, Server
from hashsvc.model import Opinion, OpinionKind


def opinion(
    entry: Annotated[
        str, typer.Argument(help="The entry, such as acme/known#17.", show_default=False)
    ],
    kind: Annotated[OpinionKind, typer.Argument(help="What you hold of it.", show_default=False)],
    reason: Annotated[
        str, typer.Option(help="Why, for partners; needed for dispute and out_of_scope.")
    ] = "",
    partner: Annotated[
        str, typer.Option(help="Who you are; needed at a node without authentication.")
    ] = "",
    server: Server = DEFAULT_SERVER,
    as_json: Json = False,
) -> None:
    """Say what you hold of another's entry; the latest counts, and all partners may read it.

    It goes into your list PARTNER/feedback, and from there to all who follow that.
    """
    with options.client(server) as client:
        given = client.give_opinion(entry, kind, reason, partner=partner)
    if as_json:
        _show([given], as_json=True)
    else:
        output.say(f"{given.partner} holds of {given.entry}: {_words(given)}")


def opinions(
    about: Annotated[
        str,
        typer.Argument(
            metavar="LIST|ENTRY",
            help="A list, such as acme/known, or an entry, such as acme/known#17.",
            show_default=False,
        ),
    ],
    history: Annotated[
        bool, typer.Option("--history", help="All that was ever said, of one entry.")
    ] = False,
    server: Server = DEFAULT_SERVER,
    as_json: Json = False,
) -> None:
    """Show what partners hold of an entry, or of the entries of a list, and why."""
    with options.client(server) as client:
        found: Iterable[Opinion] = client.opinions(about, history=history)
        if history:
            found = sorted(found, key=lambda given: given.time)
        _show(found, as_json=as_json)


def _show(found: Iterable[Opinion], *, as_json: bool) -> None:
    shown = output.table("entry", "partner", "opinion", "given", "reason")
    for given in found:
        if as_json:
            output.print_json(
                {
                    "entry": given.entry,
                    "partner": given.partner,
                    "opinion": given.opinion,
                    "reason": given.reason,
                    "time": given.time.isoformat(),
                }
            )
        else:
            time = f"{given.time:%Y-%m-%d %H:%M}"
            shown.add_row(given.entry, given.partner, _words(given), time, given.reason)
    if not as_json:
        output.show(shown)


def _words(given: Opinion) -> str:
    return given.opinion.replace("_", " ")
