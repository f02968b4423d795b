"""`hashsvc export --bundle` and `hashsvc import`: a list in a file, for partners without a link."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.progress import Progress

from hashsvc.cli import options, output
from hashsvc.cli.options import DEFAULT_SERVER, Json, Server
from hashsvc.cli.outfile import opened
from hashsvc.errors import InvalidRequest
from hashsvc.model_sync import FollowMessage, Imported, Leaves, Selection, Started
from hashsvc.sync import bundle


def export_bundle(
    list_name: str, since: int, selection: Selection, to: Path | None, server: str, *, force: bool
) -> None:
    """Write what a node sends of a list, from a place of its log on, to a file.

    Raises:
        InvalidRequest: the log ends before that place, or there is a file of that name.
        BundleError: the list is larger than a bundle can hold.
        OSError: the disk.
    """
    counted = _Counted(list_name, since)
    with (
        options.client(server) as client,
        opened(to, force=force) as file,
        output.progress("records", None, shown=to is not None) as bar,
    ):
        messages = counted.count(client.follow(list_name, since, selection), bar)
        bundle.write(file, bundle.Header(list_name, since), messages)
    shown = f"{list_name}: {counted.records:,} records"
    if since:
        shown += f" since {since:,}"
    if counted.withheld:
        shown += f", {counted.withheld:,} of them as hashes alone (withheld, not taken, or erased)"
    output.warn(shown)


class _Counted:
    """Counts what goes into a bundle."""

    def __init__(self, list_name: str, since: int) -> None:
        self._list_name = list_name
        self._since = since
        self.records = self.withheld = 0

    def count(self, messages: Iterator[FollowMessage], bar: Progress) -> Iterator[FollowMessage]:
        """Yield the messages."""
        for message in messages:
            if isinstance(message, Started):
                size = bundle.head_size(message.head)
                if size < self._since:
                    told = f"the log of {self._list_name} has {size:,} records"
                    raise InvalidRequest.of("--since", told)
                bar.update(bar.task_ids[0], total=size - self._since)
            elif isinstance(message, Leaves):
                self.records += len(message.leaves)
                self.withheld += sum(not leaf.salt for leaf in message.leaves)
                output.advance(bar, len(message.leaves))
            yield message


def import_bundle(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The bundle.", show_default=False)],
    key: Annotated[
        str,
        typer.Option(
            help="A public key of the list, as its owner says it; needed where it is not followed."
        ),
    ] = "",
    server: Server = DEFAULT_SERVER,
    as_json: Json = False,
) -> None:
    """Take a bundle in: verified under the list's key, as what comes from a node.

    With --key a list that is not followed is from then on, by bundles alone. Importing again, or
    what is older, changes nothing. What was good before a damaged place stays.
    """
    with path.open("rb") as file:
        header = bundle.read_header(file)
        size = os.fstat(file.fileno()).st_size
        with (
            options.admin(server) as client,
            output.progress("kB", max(1, size >> 10), shown=path.is_file()) as bar,
        ):
            messages = _told(file, bar)
            found = client.import_bundle(header.list_name, messages, key=key, size=header.size)
    _show(found, as_json=as_json)


def _told(file: BinaryIO, bar: Progress) -> Iterator[FollowMessage]:
    """Yield the messages of a bundle, and move the bar on."""
    for message in bundle.read_messages(file):
        if not bar.disable:
            bar.update(bar.task_ids[0], completed=file.tell() >> 10)
        yield message


def _show(found: Imported, *, as_json: bool) -> None:
    held, one = found.status.size, found.status.subscription
    if as_json:
        output.print_json(
            {
                "list": one.list_name,
                "added": found.added,
                "records": held,
                "bundle_records": found.bundle_size,
                "key": one.key,
            }
        )
    elif found.added:
        output.say(f"{one.list_name}: {found.added:,} records added, {held:,} are held")
    else:
        output.say(
            f"{one.list_name}: nothing new: the bundle goes up to {found.bundle_size:,} records, "
            f"and {held:,} are held"
        )
