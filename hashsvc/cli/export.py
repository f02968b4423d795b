"""`hashsvc export`."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TextIO

import typer

from hashsvc.cli import entry_csv, entry_jsonl, options, output
from hashsvc.cli.options import DEFAULT_SERVER, Server
from hashsvc.errors import InvalidRequest
from hashsvc.model import Entry
from hashsvc.private_files import draft_beside, sync_folder


def export(
    list_name: Annotated[str, typer.Option("--list", help="The list, such as acme/known.")],
    csv: Annotated[bool, typer.Option("--csv", help="Write CSV, one fingerprint a row.")] = False,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help="Write JSON, one entry a line: smaller for videos.")
    ] = False,
    to: Annotated[Path | None, typer.Option(help="The file; standard output if not given.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
    server: Server = DEFAULT_SERVER,
) -> None:
    """Write the entries of a list that match now, with their hashes, as `contribute` reads them.

    The file appears when it is whole, and only you may read it. Entries that are withdrawn, expired
    or distrusted, and canaries that you planted, are left out.
    """
    if csv is jsonl:
        raise typer.BadParameter("say --csv or --jsonl")
    write = entry_csv.write if csv else entry_jsonl.write
    kept = _Kept()
    with options.client(server) as client, _opened(to, force=force) as file:
        found = client.entries(list_name, show_fingerprints=True)
        written = sum(1 for _ in write(file, kept.those_that_match(found)))
    summary = f"{list_name}: {written:,} entries"
    if kept.left_out:
        summary += f", {kept.left_out:,} left out (expired, distrusted, or canaries)"
    output.warn(summary)


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
    """Give what to write to: the file takes its name when all is written, or never.

    Raises:
        InvalidRequest: there is one of that name, and it is not to be replaced.
        OSError: the disk.
    """
    if to is None:
        stream = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="")
        try:
            yield stream
        finally:
            stream.detach()
        return
    _check_free(to, force=force)
    draft = draft_beside(to)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            os.fchmod(descriptor, 0o600)
            yield file
            file.flush()
            os.fsync(descriptor)
        if force:
            draft.replace(to)
        else:
            # A link, unlike a rename, never takes the place of what came meanwhile.
            to.hardlink_to(draft)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(to.parent)


def _check_free(to: Path, *, force: bool) -> None:
    if to.exists() and not to.is_file():
        raise InvalidRequest.of(str(to), "is not a file; leave out --to for standard output")
    if not force and (to.exists() or to.is_symlink()):
        raise InvalidRequest.of(str(to), "is there already; use --force to replace it")
