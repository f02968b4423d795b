"""`hashsvc contribute`, `hashsvc withdraw` and `hashsvc erase`."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress

from hashsvc.cli import entry_csv, entry_jsonl, files, options, output
from hashsvc.cli.bounded import count_lines
from hashsvc.cli.options import DEFAULT_SERVER, Json, Server, VpdqFiles
from hashsvc.media import FOR_LISTS, Recipe
from hashsvc.media.recipe import with_local
from hashsvc.model import (
    PURPOSES,
    AddedEntry,
    Basis,
    Description,
    EntryDraft,
    ListKind,
    Severity,
)

if TYPE_CHECKING:
    from hashsvc_client import AsyncClient

_FILE_BATCH = 20
# A batch is one message of 16 MiB at most, whatever its entries are.
_MAX_BATCH_ENTRIES, _MAX_BATCH_BYTES = 1_000, 4 << 20
_FINGERPRINT_BYTES = 64


def contribute(
    list_name: Annotated[str, typer.Option("--list", help="The list, such as acme/known.")],
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files and folders.", show_default=False)
    ] = None,
    csv: Annotated[
        list[Path] | None,
        typer.Option("--csv", help="CSV of hashes: algorithm,value[,quality,...]. Repeatable."),
    ] = None,
    jsonl: Annotated[
        list[Path] | None,
        typer.Option("--jsonl", help="Entries, one JSON object a line. Repeatable."),
    ] = None,
    vpdq: VpdqFiles = None,
    basis: Annotated[
        Basis | None, typer.Option(help="On what ground the entries are asserted.")
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option(help="Purpose or content term. Repeatable.")
    ] = None,
    entity: Annotated[
        list[str] | None, typer.Option(help="Who it is about, such as QDe.004. Repeatable.")
    ] = None,
    severity: Annotated[str, typer.Option(help="low, medium, high or critical.")] = "unspecified",
    incident: Annotated[str, typer.Option(help="The incident the entries belong to.")] = "",
    expires: Annotated[
        datetime | None, typer.Option(help="When the entries stop matching (UTC).")
    ] = None,
    note: Annotated[str, typer.Option(help="A note for partners.")] = "",
    kind: Annotated[ListKind, typer.Option(help="Kind of the list, if it is new.")] = (
        ListKind.KNOWN
    ),
    purpose: Annotated[str, typer.Option(help="Purpose of the list, if it is new.")] = "",
    shrunk512: Annotated[
        bool,
        typer.Option("--shrunk512", help="Also give PDQ as Meta's C++ tool makes it."),
    ] = False,
    local_features: Annotated[
        bool,
        typer.Option(
            "--local-features",
            help="If the list is new: pictures, and frames of videos, get local features too, by "
            "which they are found in a part of another, for about 40 KB a picture. See `describe`.",
        ),
    ] = False,
    server: Server = DEFAULT_SERVER,
    as_json: Json = False,
) -> None:
    """Add media, or files of hashes, to a list; the list is made if it is new.

    Media are hashed on this machine; only the hashes are sent. --csv, --jsonl and --vpdq take what
    `export` writes; of vPDQ, the lines of the C++ tool and the JSON of Python's threatexchange too.
    """
    if not (paths or csv or jsonl or vpdq):
        raise typer.BadParameter("name at least one file, or use --csv, --jsonl or --vpdq")
    if (paths or vpdq) and not (basis and label):
        raise typer.BadParameter("say --basis and at least one --label for the files")
    if severity.upper() not in Severity.__members__:
        raise typer.BadParameter("use low, medium, high or critical", param_hint="--severity")
    description = Description(
        labels=tuple(label or ()),
        entities=tuple(entity or ()),
        basis=basis,
        severity=Severity[severity.upper()],
        incident=incident,
        expire_time=None if expires is None else expires.replace(tzinfo=UTC),
        note=note,
    )
    if kind is ListKind.KNOWN and label and PURPOSES.isdisjoint(label):
        output.warn(f"note: no label names a purpose ({', '.join(sorted(PURPOSES))})")
    recipe = replace(FOR_LISTS, shrunk512=shrunk512)
    job = _Contribution(server, list_name, description, recipe, as_json=as_json)
    sources: list[_Source] = [(path, entry_csv.read_drafts) for path in csv or []]
    sources += [(path, entry_jsonl.read_drafts) for path in jsonl or []]
    media, hashed = files.walk(paths or []), files.walk(vpdq or [])
    new_list = _NewList(kind, purpose, local_features)
    raise typer.Exit(asyncio.run(job.run(media, hashed, sources, new_list)))


_Source = tuple[Path, Callable[[Path, Description], Iterator[EntryDraft]]]
"""A file of entries, and what reads it."""


@dataclass(frozen=True, slots=True)
class _NewList:
    """What the list will be, if there is none yet."""

    kind: ListKind
    purpose: str
    local_features: bool


class _Contribution:
    """One run of `contribute`: counts what came of it."""

    def __init__(
        self,
        server: str,
        list_name: str,
        description: Description,
        recipe: Recipe,
        *,
        as_json: bool,
    ) -> None:
        self._server = server
        self._list_name = list_name
        self._description = description
        self._recipe = recipe
        self._as_json = as_json
        self._shown = output.table("file", "entry", "")
        self._added = self._present = self._failed = 0

    async def run(
        self,
        media: Sequence[Path],
        vpdq_files: Sequence[Path],
        sources: Sequence[_Source],
        new_list: _NewList,
    ) -> int:
        """Contribute and return the exit status; what came of it is said in any case."""
        is_whole = False
        try:
            async with options.async_client(self._server) as client:
                await self._ensure_list(client, new_list)
                if media or vpdq_files:
                    await self._add_files(client, media, vpdq_files)
                for path, read in sources:
                    await self._add_entries(client, path, read(path, self._description))
            is_whole = True
        finally:
            self._summarise(is_whole=is_whole)
        return output.ERROR if self._failed else output.CLEAN

    def _summarise(self, *, is_whole: bool) -> None:
        if self._shown.row_count:
            output.show(self._shown)
        summary = f"{self._list_name}: {self._added:,} added"
        if self._present:
            summary += f", {self._present:,} were there already"
        if self._failed:
            summary += f", {self._failed:,} failed"
        if not is_whole:
            summary += " before it stopped; run again, it adds nothing twice"
        output.warn(summary)

    async def _ensure_list(self, client: "AsyncClient", new_list: _NewList) -> None:
        """Have the list made if it is new, and hash as it wants."""
        from hashsvc_client import RequestRefused

        try:
            found = await client.get_list(self._list_name)
        except RequestRefused as error:
            if error.reason != "LIST_NOT_FOUND":
                raise
            found = await client.create_list(
                self._list_name,
                kind=new_list.kind,
                purpose=new_list.purpose,
                local_features=new_list.local_features,
            )
        if found.local_features:
            self._recipe = with_local(self._recipe)

    async def _add_files(
        self, client: "AsyncClient", media: Sequence[Path], vpdq_files: Sequence[Path]
    ) -> None:
        sent: list[Path] = []
        count = len(media) + len(vpdq_files)
        with output.progress("contributing", count, shown=count > output.MANY_FILES) as bar:
            hashed = files.hashed(media, vpdq_files, self._recipe)
            batches = _batches(self._file_drafts(hashed, sent, bar), _FILE_BATCH)
            done = 0
            async for answer in client.add_batches(self._list_name, batches):
                for added in answer.entries:
                    self._count(added)
                    self._show(sent[done], added)
                    done += 1
                output.advance(bar, len(answer.entries))

    async def _file_drafts(
        self,
        hashed: AsyncGenerator[tuple[Path, files.Found], None],
        sent: list[Path],
        bar: Progress,
    ) -> AsyncGenerator[EntryDraft, None]:
        """Yield the entries of files, and note in `sent` which file each is of."""
        async with aclosing(hashed):
            async for path, found in hashed:
                if isinstance(found, Exception):
                    self._failed += 1
                    output.warn(f"{path}: {found}")
                    output.advance(bar)
                    continue
                if found.limitation is not None:
                    text = f"{path}: {found.limitation}: {found.detail}"
                    output.warn(text)
                sent.append(path)
                yield EntryDraft(found.media_type, found.fingerprints, self._description)

    async def _add_entries(
        self, client: "AsyncClient", path: Path, drafts: Iterator[EntryDraft]
    ) -> None:
        with output.progress("contributing", count_lines(path), shown=True) as bar:
            batches = _batches(_each(drafts), _MAX_BATCH_ENTRIES)
            async for answer in client.add_batches(self._list_name, batches):
                for added in answer.entries:
                    self._count(added)
                    if self._as_json:
                        self._show(path, added)
                output.advance(bar, len(answer.entries))

    def _count(self, added: AddedEntry) -> None:
        if added.already_present:
            self._present += 1
        else:
            self._added += 1

    def _show(self, path: Path, added: AddedEntry) -> None:
        if self._as_json:
            output.print_json(
                {
                    "file": str(path),
                    "entry": added.name,
                    "already_present": added.already_present,
                    "matchable": added.matchable,
                }
            )
            return
        remark = "was there already" if added.already_present else "added"
        if not added.matchable:
            remark += ", but it says too little to match"
        self._shown.add_row(str(path), added.name, remark)


async def _each(drafts: Iterator[EntryDraft]) -> AsyncGenerator[EntryDraft, None]:
    for draft in drafts:
        yield draft


async def _batches(
    drafts: AsyncGenerator[EntryDraft, None], most: int
) -> AsyncGenerator[list[EntryDraft], None]:
    """Yield entries in batches of at most so many, and of no more bytes than fit a message."""
    batch: list[EntryDraft] = []
    size = 0
    async with aclosing(drafts):
        async for draft in drafts:
            more = _bytes(draft)
            if batch and size + more > _MAX_BATCH_BYTES:
                yield batch
                batch, size = [], 0
            batch.append(draft)
            size += more
            if len(batch) == most:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch


def _bytes(draft: EntryDraft) -> int:
    """Return about how many bytes an entry takes in a message, rather more."""
    said = draft.description
    characters = sum(map(len, (said.incident, said.note, *said.labels, *said.entities)))
    values = sum(len(fingerprint.value) for fingerprint in draft.fingerprints)
    return _FINGERPRINT_BYTES * (1 + len(draft.fingerprints)) + values + 4 * characters


def withdraw(
    entries: Annotated[
        list[str], typer.Argument(help="Entries, such as acme/known#17.", show_default=False)
    ],
    reason: Annotated[str, typer.Option(help="Why, for partners.")],
    server: Server = DEFAULT_SERVER,
    as_json: Json = False,
) -> None:
    """Withdraw entries for good: they no longer match."""
    with options.client(server) as client:
        for name in entries:
            entry = client.withdraw_entry(name, reason)
            if as_json:
                time = entry.withdraw_time.isoformat() if entry.withdraw_time else None
                output.print_json({"entry": entry.name, "withdraw_time": time})
            else:
                output.say(f"{entry.name} is withdrawn")


def erase(
    entries: Annotated[
        list[str], typer.Argument(help="Entries, such as acme/known#17.", show_default=False)
    ],
    reason: Annotated[str, typer.Option(help="Why, for partners, without what is to be erased.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    server: Server = DEFAULT_SERVER,
    as_json: Json = False,
) -> None:
    """Erase entries for legal reasons, here and at all who follow the list, for good.

    Their hashes and what was said of them are gone; the list's log still verifies. To end matching
    alone, withdraw them. Backups, and the files of the index, are not reached: see SECURITY.md.
    """
    if not yes:
        what = ", ".join(map(output.visible, entries))
        typer.confirm(f"Erase {what} for good, on every node?", abort=True, err=True)
    with options.client(server) as client:
        for name in entries:
            entry = client.erase_entry(name, reason)
            if as_json:
                output.print_json({"entry": entry.name, "erased": entry.is_erased})
            else:
                output.say(f"{entry.name} is erased")
