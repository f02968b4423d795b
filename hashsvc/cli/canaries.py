"""`hashsvc canaries`."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from hashsvc.cli import options, output
from hashsvc.cli.options import DEFAULT_SERVER, Json, Server
from hashsvc.model import Entry

canaries = typer.Typer(
    help="Entries that stand for no media, to tell whose copy of a list leaked.",
    no_args_is_help=True,
)

ListName = Annotated[str, typer.Option("--list", help="The list, such as acme/known.")]

_CHUNK_BYTES = 1 << 20
_LONGEST_HEX = 64
_HEX = re.compile(rb"[0-9A-Fa-f]+")
_TAMPERED_SHARE = 0.12


@canaries.command("plant")
def plant(
    partner: Annotated[str, typer.Argument(metavar="PARTNER", help="Who alone sees them.")],
    list_name: ListName,
    count: Annotated[int, typer.Option(help="How many, 1 to 100.")] = 3,
    server: Server = DEFAULT_SERVER,
    as_json: Json = False,
) -> None:
    """Plant canaries that look like entries of the list and that one partner alone sees."""
    with options.client(server) as client:
        names = client.plant_canaries(list_name, partner, count)
    for name in names:
        if as_json:
            output.print_json({"entry": name, "canary_of": partner})
        else:
            output.say(f"{name} is a canary of {partner}")


@canaries.command("list")
def list_canaries(
    list_name: ListName, server: Server = DEFAULT_SERVER, as_json: Json = False
) -> None:
    """Show the canaries of a list."""
    shown = output.table("entry", "canary of", "planted")
    with options.client(server) as client:
        for entry in client.entries(list_name, only_canaries=True):
            if as_json:
                output.print_json({"entry": entry.name, "canary_of": entry.canary_of})
            time = f"{entry.create_time:%Y-%m-%d %H:%M}"
            shown.add_row(entry.name, entry.canary_of, time)
    if not as_json:
        output.show(shown)


@canaries.command("trace")
def trace(
    file: Annotated[Path, typer.Argument(help="What leaked: any text with hashes in hexadecimal.")],
    list_name: ListName,
    server: Server = DEFAULT_SERVER,
    as_json: Json = False,
) -> None:
    """Look for the canaries of a list in a file, and say whose they are.

    A value counts that differs in an eighth of its bits at most, since a leaked list may have been
    tampered with. Ends with status 3 where one is found.
    """
    with options.client(server) as client:
        planted = list(client.entries(list_name, only_canaries=True, show_fingerprints=True))
    found = _found(file, planted)
    for entry in found:
        if as_json:
            output.print_json({"entry": entry.name, "canary_of": entry.canary_of})
    if not as_json:
        _show(found, planted)
    raise typer.Exit(output.MATCHED if found else output.CLEAN)


def _show(found: list[Entry], planted: list[Entry]) -> None:
    shown = output.table("canary of", "found", "planted", right=("found", "planted"))
    of = Counter(entry.canary_of for entry in found)
    for partner, count in Counter(entry.canary_of for entry in planted).most_common():
        shown.add_row(partner, f"{of[partner]:,}", f"{count:,}")
    output.show(shown)


def _found(file: Path, planted: list[Entry]) -> list[Entry]:
    """Return the entries of which a value is in a file, or one near it."""
    values: dict[int, list[tuple[int, Entry]]] = {}
    for entry in planted:
        for fingerprint in entry.fingerprints:
            number = int.from_bytes(fingerprint.value)
            values.setdefault(len(fingerprint.value) * 2, []).append((number, entry))
    found: dict[str, Entry] = {}
    for text in _hex_words(file):
        number, most = int(text, 16), int(len(text) * 4 * _TAMPERED_SHARE)
        for value, entry in values.get(len(text), ()):
            if entry.name not in found and (number ^ value).bit_count() <= most:
                found[entry.name] = entry
    return [entry for entry in planted if entry.name in found]


def _hex_words(file: Path) -> Iterator[bytes]:
    """Yield the runs of hexadecimal digits in a file of any size, without the very long ones."""
    rest = b""
    with file.open("rb") as source:
        while chunk := source.read(_CHUNK_BYTES):
            text = rest + chunk
            rest = b""
            for word in _HEX.finditer(text):
                if word.end() == len(text):
                    # It may go on; of what is too long already no more than that is kept.
                    rest = word[0][: _LONGEST_HEX + 1]
                elif len(word[0]) <= _LONGEST_HEX:
                    yield word[0]
    if 0 < len(rest) <= _LONGEST_HEX:
        yield rest
