"""`hashsvc check`."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hashsvc import testpattern
from hashsvc.cli import files, options, output
from hashsvc.cli.files import Found
from hashsvc.cli.options import DEFAULT_SERVER, Json, Server, VpdqFiles
from hashsvc.media import FOR_CHECKS, Recipe
from hashsvc.model import Decoding, Match, Outcome, UndeterminedReason, Verdict

if TYPE_CHECKING:
    from hashsvc_client import AsyncClient

Checked = Verdict | Exception
"""A file's verdict, or why there is none."""


def check(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files and folders.", show_default=False)
    ] = None,
    vpdq: VpdqFiles = None,
    server: Server = DEFAULT_SERVER,
    test_pattern: Annotated[
        bool, typer.Option("--test-pattern", help="Check the built-in picture that must match.")
    ] = False,
    send_media: Annotated[
        bool, typer.Option("--send-media", help="Let the node hash; the default is to hash here.")
    ] = False,
    dihedral: Annotated[
        bool, typer.Option("--dihedral", help="Look for mirrored and turned copies too.")
    ] = False,
    exact: Annotated[
        bool, typer.Option("--exact", help="Decode every pixel; slower, hardly finds more.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check images and videos, or vPDQ files, against the lists of a node.

    Ends with 3 when anything matches, else with 1 when a file got no clear answer, else with 0.
    """
    wanted = files.walk(paths or []) + ([testpattern.PATH] if test_pattern else [])
    hashed = files.walk(vpdq or [])
    if not (wanted or hashed):
        raise typer.BadParameter("name at least one file, or use --vpdq or --test-pattern")
    if send_media and (dihedral or exact):
        raise typer.BadParameter("with --send-media the node decides how to hash")
    if hashed and (send_media or dihedral or exact):
        raise typer.BadParameter("a --vpdq file is hashed already: no option can change how")
    decoding = Decoding.EXACT if exact else FOR_CHECKS.decoding
    recipe = None if send_media else replace(FOR_CHECKS, dihedral=dihedral, decoding=decoding)
    raise typer.Exit(asyncio.run(_check(wanted, hashed, server, recipe, as_json=as_json)))


async def _check(
    media: Sequence[Path],
    vpdq_files: Sequence[Path],
    server: str,
    recipe: Recipe | None,
    *,
    as_json: bool,
) -> int:
    """Hash here by the recipe, or send the files where there is none."""
    count = len(media) + len(vpdq_files)
    shown = output.table(
        "file", "outcome", "action", "distance", "entry", "labels", right=("distance",)
    )
    outcomes: set[Outcome | None] = set()
    async with options.async_client(server) as client:
        answers = (
            _hashed(client, files.hashed(media, vpdq_files, recipe))
            if recipe
            else _sent(client, media)
        )
        with output.progress("checking", count, shown=count > output.MANY_FILES) as bar:
            async with aclosing(answers):
                async for path, checked in answers:
                    output.advance(bar)
                    is_verdict = isinstance(checked, Verdict)
                    outcomes.add(checked.outcome if isinstance(checked, Verdict) else None)
                    if as_json:
                        output.print_json(document(path, checked))
                    elif isinstance(checked, Verdict):
                        _add_rows(shown, path, checked)
                    if not is_verdict:
                        output.warn(f"{path}: {checked}")
    if shown.row_count:
        output.show(shown)
    if Outcome.MATCH in outcomes:
        return output.MATCHED
    return output.CLEAN if outcomes <= {Outcome.NO_MATCH} else output.ERROR


async def _hashed(
    client: "AsyncClient", hashed: AsyncGenerator[tuple[Path, Found], None]
) -> AsyncGenerator[tuple[Path, Checked], None]:
    """Send the hashes that were made or read here."""
    from hashsvc_client import LimitReached, RequestRefused, unreadable

    async with aclosing(hashed):
        async for path, found in hashed:
            if isinstance(found, OSError) or (isinstance(found, Exception) and not found.digests):
                yield path, found
                continue
            media = unreadable(found) if isinstance(found, Exception) else found
            try:
                yield path, await client.check_fingerprints(media)
            except (RequestRefused, LimitReached) as error:
                yield path, error


async def _sent(
    client: "AsyncClient", paths: Sequence[Path]
) -> AsyncGenerator[tuple[Path, Checked], None]:
    """Send the files themselves."""
    from hashsvc_client import LimitReached, RequestRefused

    for path in paths:
        try:
            yield path, await client.check_file(path, send_media=True)
        except (OSError, RequestRefused, LimitReached) as error:
            yield path, error


def document(path: Path, checked: Checked) -> dict[str, Any]:
    """Return a file's answer as the object that `--json` prints."""
    if isinstance(checked, Exception):
        return {
            "file": str(path),
            "outcome": Outcome.UNDETERMINED.name,
            "action": None,
            "reason": UndeterminedReason.UNREADABLE,
            "detail": str(checked),
            "matches": [],
        }
    return {
        "file": str(path),
        "outcome": checked.outcome.name,
        "action": checked.action,
        "reason": checked.reason,
        "detail": checked.detail,
        "matches": [_match(match) for match in checked.matches],
        "exemptions": [_match(match) for match in checked.exemptions],
        "revision": checked.revision,
    }


def _match(match: Match) -> dict[str, Any]:
    return {
        "entry": match.entry,
        "list": match.list_name,
        "media_type": match.media_type,
        "algorithm": match.algorithm,
        "confidence": match.confidence,
        "distance": match.distance,
        "variant": match.variant,
        "labels": list(match.description.labels),
        "entities": list(match.description.entities),
        "basis": match.description.basis,
        "severity": match.description.severity.name.lower(),
        "incident": match.description.incident,
        "contributor": match.contributor,
        "upload_percent": None if match.coverage is None else match.coverage.upload_percent,
        "known_percent": None if match.coverage is None else match.coverage.known_percent,
        "opinions": asdict(match.opinions),
    }


def _add_rows(shown: Any, path: Path, verdict: Verdict) -> None:
    outcome = verdict.outcome.name
    if not verdict.matches:
        why = f"({verdict.reason}: {verdict.detail})" if verdict.reason else ""
        shown.add_row(str(path), outcome, verdict.action, "", why, "")
    for number, match in enumerate(verdict.matches):
        head = (str(path), outcome, verdict.action) if number == 0 else ("", "", "")
        near = match.confidence if match.distance is None else match.distance
        distance = f"{match.algorithm} {near}"
        entry = match.entry
        if disputing := match.opinions.disputing:
            entry += f" (disputed by {disputing})"
        shown.add_row(*head, distance, entry, ", ".join(match.description.labels))
