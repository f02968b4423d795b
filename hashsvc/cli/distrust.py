"""`hashsvc distrust`: what a partner contributed does not match any more, until that is undone."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from hashsvc.cli import output
from hashsvc.cli.options import DEFAULT_SERVER, Json, Server, admin
from hashsvc.model import Distrust, DistrustPreview

distrust = typer.Typer(
    help="What a partner contributed does not match any more, until that is undone.",
    no_args_is_help=True,
)

Partner = Annotated[
    str,
    typer.Argument(
        metavar="PARTNER",
        help='The contributor; "*" for whoever contributed to the --list.',
        show_default=False,
    ),
]
Since = Annotated[
    datetime,
    typer.Option(
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"],
        help="Since when this node took in what is not to match, UTC.",
    ),
]
ListName = Annotated[
    str, typer.Option("--list", help="This list alone; else all that it owns or contributed to.")
]
Reason = Annotated[str, typer.Option(help="Why, for partners.")]


@distrust.command("preview")
def preview(
    partner: Partner,
    since: Since,
    list_name: ListName = "",
    server: Server = DEFAULT_SERVER,
    as_json: Json = False,
) -> None:
    """Show what would not match any more, and change nothing."""
    with admin(server) as client:
        found, _ = client.preview_distrust(partner, since.replace(tzinfo=UTC), list_name)
    _show_preview(found, as_json=as_json)


@distrust.command("add")
def add(
    partner: Partner,
    since: Since,
    reason: Reason,
    list_name: ListName = "",
    suspend: Annotated[
        bool, typer.Option("--suspend", help="Also shut the partner out, at once.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    server: Server = DEFAULT_SERVER,
    as_json: Json = False,
) -> None:
    """Show what would not match any more, ask, and distrust it.

    Who follows a list that is kept at this node does the same; other lists are this node's matter.
    """
    if as_json and not yes:
        raise typer.BadParameter("--json needs --yes: nobody could be asked")
    since = since.replace(tzinfo=UTC)
    with admin(server) as client:
        planned, plan = client.preview_distrust(partner, since, list_name)
        if not as_json:
            _show_preview(planned, as_json=False)
        if not planned and not suspend:
            output.warn(f"there is nothing of {output.visible(partner)} to distrust")
            return
        if not yes:
            count = sum(one.entries for one in planned)
            question = f"Distrust {output.visible(partner)}: {count:,} entries cease to match"
            question += ", and suspend it?" if suspend else "?"
            typer.confirm(question, abort=True, err=True)
        done = client.distrust(plan, partner, since, reason, list_name=list_name, suspend=suspend)
    _show(done, as_json=as_json)
    if suspend and not as_json:
        output.say(f"{partner} is suspended")


@distrust.command("list")
def list_distrusts(
    partner: Annotated[str, typer.Option(help="Of this contributor alone.")] = "",
    undone: Annotated[bool, typer.Option("--undone", help="Show what was undone too.")] = False,
    server: Server = DEFAULT_SERVER,
    as_json: Json = False,
) -> None:
    """Show what is distrusted."""
    with admin(server) as client:
        found = client.distrusts(partner, show_undone=undone)
    _show(found, as_json=as_json)


@distrust.command("undo")
def undo(
    reason: Reason,
    distrust_id: Annotated[
        int, typer.Argument(metavar="[ID]", help="See `distrust list`.", show_default=False)
    ] = 0,
    partner: Annotated[str, typer.Option(help="All distrust of this contributor instead.")] = "",
    resume: Annotated[
        bool, typer.Option("--resume", help="Also let the suspended partner in again.")
    ] = False,
    server: Server = DEFAULT_SERVER,
    as_json: Json = False,
) -> None:
    """Undo distrust: the entries match again at once."""
    if bool(distrust_id) == bool(partner):
        raise typer.BadParameter("give an ID or --partner")
    with admin(server) as client:
        found = client.restore_trust(
            reason, distrust_id=distrust_id, partner=partner, resume=resume
        )
    _show(found, as_json=as_json)


def _show_preview(found: list[DistrustPreview], *, as_json: bool) -> None:
    shown = output.table("list", "entries", "from", "for", right=("entries",))
    for one in found:
        if as_json:
            output.print_json(
                {
                    "list": one.list_name,
                    "entries": one.entries,
                    "since_sequence": one.since_sequence,
                    "kept_here": one.is_kept_here,
                }
            )
        who = "all who follow it" if one.is_kept_here else "this node"
        shown.add_row(one.list_name, f"{one.entries:,}", f"#{one.since_sequence}", who)
    if not as_json:
        output.show(shown)


def _show(found: list[Distrust], *, as_json: bool) -> None:
    shown = output.table("id", "list", "contributor", "from", "for", "since", "undone", "reason")
    for one in found:
        if as_json:
            output.print_json(_document(one))
        shown.add_row(
            str(one.id),
            one.list_name,
            one.contributor,
            f"#{one.since_sequence}",
            "this node" if one.place is None else "all who follow it",
            f"{one.create_time:%Y-%m-%d %H:%M}",
            "" if one.undo_time is None else f"{one.undo_time:%Y-%m-%d %H:%M}",
            one.reason,
        )
    if not as_json:
        output.show(shown)


def _document(one: Distrust) -> dict[str, Any]:
    return {
        "id": one.id,
        "list": one.list_name,
        "contributor": one.contributor,
        "since_sequence": one.since_sequence,
        "place": one.place,
        "reason": one.reason,
        "create_time": one.create_time.isoformat(),
        "undo_time": None if one.undo_time is None else one.undo_time.isoformat(),
    }
