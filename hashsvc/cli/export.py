"""`hashsvc export`."""

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TextIO

import typer

from hashsvc.cli import entry_csv, entry_jsonl, options, output
from hashsvc.cli.bundles import export_bundle
from hashsvc.cli.options import DEFAULT_SERVER, Server, Vpdq, VpdqJson
from hashsvc.cli.outfile import opened
from hashsvc.errors import InvalidRequest
from hashsvc.media import vpdq
from hashsvc.model import Entry, Fingerprint, MediaType
from hashsvc.model_sync import Selection

Some = list[str] | None


def export(
    list_name: Annotated[str, typer.Option("--list", help="The list, such as acme/known.")] = "",
    csv: Annotated[bool, typer.Option("--csv", help="Write CSV, one fingerprint a row.")] = False,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help="Write JSON, one entry a line: smaller for videos.")
    ] = False,
    entry_name: Annotated[
        str, typer.Option("--entry", help="A video's entry, such as acme/known#17, for --vpdq.")
    ] = "",
    as_vpdq: Vpdq = False,
    as_vpdq_json: VpdqJson = False,
    bundle: Annotated[
        bool, typer.Option("--bundle", help="Write the signed log, for `import` at another node.")
    ] = False,
    since: Annotated[
        int, typer.Option(min=0, help="A bundle of what came after so many records.")
    ] = 0,
    label: Annotated[Some, typer.Option(help="A bundle with only entries of these.")] = None,
    entity: Annotated[Some, typer.Option(help="A bundle with only entries of these.")] = None,
    basis: Annotated[Some, typer.Option(help="A bundle with only entries on these.")] = None,
    incident: Annotated[Some, typer.Option(help="A bundle with only entries of these.")] = None,
    to: Annotated[Path | None, typer.Option(help="The file; standard output if not given.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
    server: Server = DEFAULT_SERVER,
) -> None:
    """Write the entries of a list that match now, with their hashes, as `contribute` reads them.

    The file appears when it is whole, and only you may read it. Entries that are withdrawn, expired
    or distrusted, and canaries that you planted, are left out.

    With --vpdq or --vpdq-json, write the frames of one video's --entry instead.

    With --bundle, write the list's signed log instead: it is verified where it is imported. What
    you may not read, and what is not selected, is in it as hashes alone.
    """
    if [csv, jsonl, as_vpdq, as_vpdq_json, bundle].count(True) != 1:
        raise typer.BadParameter("say --csv, --jsonl, --vpdq, --vpdq-json or --bundle")
    is_vpdq = as_vpdq or as_vpdq_json
    if bool(entry_name) != is_vpdq or bool(list_name) == is_vpdq:
        raise typer.BadParameter("name the --list, or for vPDQ the --entry")
    selection = Selection(
        tuple(label or ()), tuple(entity or ()), tuple(basis or ()), tuple(incident or ())
    )
    if bundle:
        export_bundle(list_name, since, selection, to, server, force=force)
        return
    if since or not selection.is_everything:
        raise typer.BadParameter("--since, --label and the like are for a --bundle")
    if is_vpdq:
        write_frames = vpdq.to_json if as_vpdq_json else vpdq.to_text
        _export_frames(entry_name, write_frames, to, server, force=force)
        return
    write = entry_csv.write if csv else entry_jsonl.write
    kept = _Kept()
    with options.client(server) as client, _opened(to, force=force) as file:
        found = client.entries(list_name, show_fingerprints=True)
        written = sum(1 for _ in write(file, kept.those_that_match(found)))
    summary = f"{list_name}: {written:,} entries"
    if kept.left_out:
        summary += f", {kept.left_out:,} left out (expired, distrusted, or canaries)"
    output.warn(summary)


def _export_frames(
    name: str,
    write: Callable[[Sequence[Fingerprint]], str],
    to: Path | None,
    server: str,
    *,
    force: bool,
) -> None:
    with options.client(server) as client:
        entry = client.get_entry(name)
    if entry.withdraw_time is not None or not list(_Kept().those_that_match(iter([entry]))):
        told = "does not match now: it is withdrawn, expired, distrusted, or a canary"
        raise InvalidRequest.of(name, told)
    if entry.media_type is not MediaType.VIDEO:
        raise InvalidRequest.of(name, "is of a picture; vPDQ is of videos")
    try:
        frames = write(entry.fingerprints)
    except ValueError as error:
        raise InvalidRequest.of(name, str(error)) from None
    with _opened(to, force=force) as file:
        file.write(frames)


class _Kept:
    """Counts the entries that an export leaves out."""

    def __init__(self) -> None:
        self.left_out = 0

    def those_that_match(self, entries: Iterator[Entry]) -> Iterator[Entry]:
        """Yield the others."""
        now = datetime.now(UTC)
        for entry in entries:
            expires = entry.description.expire_time
            is_expired = expires is not None and expires <= now
            if entry.canary_of or entry.is_distrusted or is_expired:
                self.left_out += 1
            else:
                yield entry


@contextmanager
def _opened(to: Path | None, *, force: bool) -> Iterator[TextIO]:
    """As `outfile.opened`, for text."""
    with opened(to, force=force) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        try:
            yield text
        finally:
            text.detach()
