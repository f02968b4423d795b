"""`hashsvc lists`, `hashsvc describe` and `hashsvc rotate-key`."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from hashsvc.cli import options, output
from hashsvc.cli.options import DEFAULT_SERVER, Json, Server
from hashsvc.model import EVERYONE, Entry, HashList


def lists(
    name: Annotated[
        str | None, typer.Argument(help="A list, to see its entries.", show_default=False)
    ] = None,
    withdrawn: Annotated[
        bool, typer.Option("--withdrawn", help="Show withdrawn entries too.")
    ] = False,
    server: Server = DEFAULT_SERVER,
    as_json: Json = False,
) -> None:
    """Show the lists of a node, or the entries of one."""
    with options.client(server) as client:
        if name is None:
            _show_lists(list(client.lists()), as_json=as_json)
        else:
            _show_entries(client.entries(name, show_withdrawn=withdrawn), as_json=as_json)


def describe(
    name: Annotated[str, typer.Argument(metavar="LIST", help="The list, such as acme/known.")],
    purpose: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    readers: Annotated[
        str | None,
        typer.Option(help='Who may read it: partners with commas between them, or "*" for all.'),
    ] = None,
    names_contributors: Annotated[
        bool | None,
        typer.Option(
            "--name-contributors/--hide-contributors",
            help="Whether callers who may only check see who asserts an entry.",
        ),
    ] = None,
    local_features: Annotated[
        bool | None,
        typer.Option(
            "--local-features/--no-local-features",
            help="Whether entries may have local features, by which a known picture, or a frame of "
            "a known video, is found in a part of another, for about 40 KB each.",
        ),
    ] = None,
    server: Server = DEFAULT_SERVER,
    as_json: Json = False,
) -> None:
    """Change what a list says of itself, as its owner."""
    if all(one is None for one in (purpose, readers, names_contributors, local_features)):
        raise typer.BadParameter(
            "give --purpose, --readers, --name-contributors or --local-features"
        )
    named = None if readers is None else [one.strip() for one in readers.split(",")]
    with options.client(server) as client:
        found = client.update_list(
            name,
            purpose=purpose,
            readers=named,
            names_contributors=names_contributors,
            local_features=local_features,
        )
    _show_lists([found], as_json=as_json)


def rotate_key(
    name: Annotated[str, typer.Argument(metavar="LIST", help="The list, such as acme/known.")],
    server: Server = DEFAULT_SERVER,
    as_json: Json = False,
) -> None:
    """Replace the key that signs a list's checkpoints, as its owner; followers go on."""
    with options.client(server) as client:
        found = client.rotate_key(name)
    if as_json:
        output.print_json({"list": found.name, "key": found.key, "size": found.size})
    else:
        output.say(f"{found.name} is signed by a new key from record {found.size:,} on:", found.key)


def _show_lists(found: list[HashList], *, as_json: bool) -> None:
    shown = output.table(
        "list", "kind", "entries", "records", "readers", "purpose", right=("entries", "records")
    )
    for hash_list in found:
        if as_json:
            output.print_json(
                {
                    "list": hash_list.name,
                    "kind": hash_list.kind,
                    "active_entries": hash_list.active_entries,
                    "size": hash_list.size,
                    "purpose": hash_list.purpose,
                    "readers": list(hash_list.readers),
                    "names_contributors": hash_list.names_contributors,
                    "local_features": hash_list.local_features,
                    "key": hash_list.key,
                    "create_time": hash_list.create_time.isoformat(),
                }
            )
        counts = (f"{hash_list.active_entries:,}", f"{hash_list.size:,}")
        readers = "everyone" if hash_list.readers == EVERYONE else ", ".join(hash_list.readers)
        shown.add_row(hash_list.name, hash_list.kind, *counts, readers, hash_list.purpose)
    if not as_json:
        output.show(shown)


def _show_entries(found: Any, *, as_json: bool) -> None:
    columns = ("entry", "media", "labels", "basis", "contributor", "added", "opinions", "state", "")
    shown = output.table(*columns)
    for entry in found:
        if as_json:
            output.print_json(_document(entry))
        else:
            shown.add_row(*_row(entry))
    if not as_json:
        output.show(shown)


def _document(entry: Entry) -> dict[str, Any]:
    description = entry.description
    return {
        "entry": entry.name,
        "media_type": entry.media_type,
        "labels": list(description.labels),
        "entities": list(description.entities),
        "basis": description.basis,
        "severity": description.severity.name.lower(),
        "incident": description.incident,
        "note": description.note,
        "contributor": entry.contributor,
        "create_time": entry.create_time.isoformat(),
        "withdraw_time": None if entry.withdraw_time is None else entry.withdraw_time.isoformat(),
        "withdraw_reason": entry.withdraw_reason,
        "opinions": None if entry.opinions is None else asdict(entry.opinions),
        "distrusted": entry.is_distrusted,
        "erased": entry.is_erased,
    }


def _row(entry: Entry) -> tuple[str, ...]:
    description = entry.description
    return (
        entry.name,
        entry.media_type,
        ", ".join(description.labels),
        description.basis or "",
        entry.contributor,
        f"{entry.create_time:%Y-%m-%d %H:%M}",
        _opinions(entry),
        _state(entry),
        entry.withdraw_reason,
    )


def _opinions(entry: Entry) -> str:
    """What others hold of an entry: 2 confirm, 1 dispute."""
    counts = {} if entry.opinions is None else asdict(entry.opinions)
    return ", ".join(
        f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items() if count
    )


def _state(entry: Entry) -> str:
    if entry.withdraw_time is not None:
        return "erased" if entry.is_erased else "withdrawn"
    return "distrusted" if entry.is_distrusted else "active"
