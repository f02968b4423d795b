"""`hashsvc follow`: the lists of other nodes that a node follows."""

import time
from typing import Annotated, Any

import typer

from hashsvc.cli import output
from hashsvc.cli.options import DEFAULT_SERVER, Json, Server, admin
from hashsvc.errors import InvalidRequest
from hashsvc.model_sync import FollowState, FollowStatus, Selection

follow = typer.Typer(help="The lists of other nodes that a node follows.", no_args_is_help=True)

ListName = Annotated[
    str, typer.Argument(metavar="LIST", help="The list, such as acme/known.", show_default=False)
]
Some = list[str] | None

_POLL_S = 0.2


@follow.command("add")
def add(
    name: ListName,
    source: Annotated[
        str, typer.Option("--from", help="The node to follow it at, HOST:PORT; see `peers`.")
    ] = "",
    key: Annotated[
        str, typer.Option(help="The list's public key, as its owner says; else the node is asked.")
    ] = "",
    label: Annotated[Some, typer.Option(help="Take only entries with one of these.")] = None,
    entity: Annotated[Some, typer.Option(help="Take only entries with one of these.")] = None,
    basis: Annotated[Some, typer.Option(help="Take only entries on one of these.")] = None,
    incident: Annotated[Some, typer.Option(help="Take only entries of one of these.")] = None,
    server: Server = DEFAULT_SERVER,
    as_json: Json = False,
) -> None:
    """Follow a list: its log is verified under its key, and what is new comes at once.

    Without --from the node takes the list from bundles alone. What is not selected still comes as
    leaf hashes, so that all of the log is verified.
    """
    selection = Selection(
        tuple(label or ()), tuple(entity or ()), tuple(basis or ()), tuple(incident or ())
    )
    with admin(server) as client:
        status = client.follow(name, source, key=key, selection=selection)
    if not key and not as_json:
        output.warn(
            f"pinned {status.subscription.key}",
            f"which is what {source} shows: compare it with what the list's owner says",
        )
    _show([status], as_json=as_json)


@follow.command("list")
def list_followed(server: Server = DEFAULT_SERVER, as_json: Json = False) -> None:
    """Show the lists that are followed, and how each stands."""
    with admin(server) as client:
        found = client.followed()
    _show(found, as_json=as_json)


@follow.command("watch")
def watch(name: ListName, server: Server = DEFAULT_SERVER) -> None:
    """Wait, with a progress bar, until a list has caught up."""
    with admin(server) as client, output.progress("records", None, shown=True) as bar:
        while True:
            status = _one(client.followed(), name)
            bar.update(bar.task_ids[0], completed=status.size, total=status.head_size or None)
            if status.state is FollowState.LIVE:
                break
            if status.state in (FollowState.REFUSED, FollowState.PAUSED, FollowState.OFFLINE):
                break
            time.sleep(_POLL_S)
    _show([status], as_json=False)
    if status.state is not FollowState.LIVE:
        raise typer.Exit(output.ERROR)


@follow.command("pause")
def pause(name: ListName, server: Server = DEFAULT_SERVER, as_json: Json = False) -> None:
    """Stop following a list for now; what was taken in matches on."""
    _set_paused(name, server, is_paused=True, as_json=as_json)


@follow.command("resume")
def resume(name: ListName, server: Server = DEFAULT_SERVER, as_json: Json = False) -> None:
    """Follow a list again."""
    _set_paused(name, server, is_paused=False, as_json=as_json)


@follow.command("remove")
def remove(name: ListName, server: Server = DEFAULT_SERVER) -> None:
    """Stop following a list for good; what was taken in stays, and matches."""
    with admin(server) as client:
        client.unfollow(name)
    output.say(f"{name} is no longer followed")


@follow.command("accept")
def accept(name: ListName, server: Server = DEFAULT_SERVER, as_json: Json = False) -> None:
    """Say that you have seen to what was refused of a list; it is tried again at once."""
    with admin(server) as client:
        status = client.accept_alarms(name)
    _show([status], as_json=as_json)


@follow.command("alarms")
def alarms(
    name: Annotated[str | None, typer.Argument(metavar="LIST", show_default=False)] = None,
    server: Server = DEFAULT_SERVER,
    as_json: Json = False,
) -> None:
    """Show what was refused, with both checkpoints: the evidence."""
    with admin(server) as client:
        found = client.followed()
    for status in found:
        if name is not None and status.subscription.list_name != name:
            continue
        for alarm in status.alarms:
            document = {
                "list": alarm.list_name,
                "source": alarm.source,
                "reason": alarm.reason,
                "time": alarm.time.isoformat(),
                "held": alarm.held.decode(errors="replace"),
                "offered": alarm.offered.decode(errors="replace"),
            }
            if as_json:
                output.print_json(document)
                continue
            output.say(f"{alarm.list_name} from {alarm.source}, {alarm.time:%Y-%m-%d %H:%M}:")
            output.say(f"  {alarm.reason}")
            for title, note in (("held", alarm.held), ("offered", alarm.offered)):
                output.say(f"  {title}:")
                output.say(*(f"    {line}" for line in note.decode(errors="replace").splitlines()))


def _set_paused(name: str, server: str, *, is_paused: bool, as_json: bool) -> None:
    with admin(server) as client:
        one = _one(client.followed(), name).subscription
        status = client.follow(
            name, one.source, key=one.key, selection=one.selection, is_paused=is_paused
        )
    _show([status], as_json=as_json)


def _one(found: list[FollowStatus], name: str) -> FollowStatus:
    for status in found:
        if status.subscription.list_name == name:
            return status
    raise InvalidRequest.of("list", f"{name} is not followed")


def _show(found: list[FollowStatus], *, as_json: bool) -> None:
    numbers = ("records", "behind", "ahead", "alarms")
    shown = output.table("list", "from", "state", *numbers, "verified", "", right=numbers)
    for status in found:
        one = status.subscription
        if as_json:
            output.print_json(_document(status))
        verified = f"{one.verify_time:%Y-%m-%d %H:%M:%S}" if one.verify_time else "never"
        counts = (status.size, status.behind, status.ahead, len(status.alarms))
        shown.add_row(
            one.list_name,
            one.source or "bundles",
            status.state.replace("_", " "),
            *(f"{count:,}" for count in counts),
            verified,
            status.detail,
        )
    if not as_json:
        output.show(shown)


def _document(status: FollowStatus) -> dict[str, Any]:
    one = status.subscription
    return {
        "list": one.list_name,
        "from": one.source,
        "key": one.key,
        "selection": one.selection.to_document(),
        "state": status.state,
        "records": status.size,
        "source_records": status.head_size,
        "behind": status.behind,
        "ahead": status.ahead,
        "verify_time": None if one.verify_time is None else one.verify_time.isoformat(),
        "detail": status.detail,
        "alarms": len(status.alarms),
    }
