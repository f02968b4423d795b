"""`hashsvc check`."""

import asyncio
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hashsvc import testpattern
from hashsvc.cli import files, options, output
from hashsvc.cli.options import DEFAULT_SERVER, Json, Server, VpdqFiles
from hashsvc.errors import MediaError
from hashsvc.media import FOR_CHECKS, DecoderPool, Recipe, for_checks
from hashsvc.media.recipe import RecipeFor
from hashsvc.model import (
    Algorithm,
    Decoding,
    Located,
    Match,
    Outcome,
    Segment,
    UndeterminedReason,
    Verdict,
)
from hashsvc.wording import clock, located_line, segment_line

if TYPE_CHECKING:
    from rich.progress import Progress

    from hashsvc_client import AsyncClient, VideoProgress

_MUCH_BYTES = 50_000_000
"""Files of more than this together get a progress bar."""

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
        bool, typer.Option("--dihedral", help="Look for turned videos too; pictures always are.")
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

    def recipe_for(held: Collection[Algorithm]) -> Recipe:
        return replace(for_checks(held), dihedral_frames=dihedral, decoding=decoding)

    here = None if send_media else recipe_for
    raise typer.Exit(asyncio.run(_check(wanted, hashed, server, here, as_json=as_json)))


async def _check(
    media: Sequence[Path],
    vpdq_files: Sequence[Path],
    server: str,
    recipe: RecipeFor | None,
    *,
    as_json: bool,
) -> int:
    """Hash here by the recipes, or send the files where there are none."""
    count = len(media) + len(vpdq_files)
    shown = output.table(
        "file", "outcome", "action", "distance", "entry", "labels", right=("distance",)
    )
    outcomes: set[Outcome | None] = set()
    is_long = count > output.MANY_FILES or _size(media) > _MUCH_BYTES
    async with options.async_client(server) as client:
        with output.progress("checking", count, shown=is_long) as bar:
            answers = _answers(client, media, vpdq_files, recipe, bar)
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


async def _answers(
    client: "AsyncClient",
    media: Sequence[Path],
    vpdq_files: Sequence[Path],
    recipe: RecipeFor | None,
    bar: "Progress",
) -> AsyncGenerator[tuple[Path, Checked], None]:
    """Check media, several at once, and then vPDQ files."""
    async with AsyncExitStack() as stack:
        pool = None
        ahead = files.cores()
        if recipe and media:
            pool = await stack.enter_async_context(files.decoders(len(media)))
            ahead = files.ahead_of(pool)
        one = partial(_checked, client, recipe, pool, bar)
        answers = await stack.enter_async_context(aclosing(files.each(media, one, ahead)))
        async for answer in answers:
            yield answer
    for path in vpdq_files:
        yield path, await _check_vpdq(client, path)


async def _checked(
    client: "AsyncClient",
    recipe: RecipeFor | None,
    pool: DecoderPool | None,
    bar: "Progress",
    path: Path,
) -> Checked:
    from hashsvc_client import LimitReached, RequestRefused

    def tell(progress: "VideoProgress") -> None:
        output.describe(bar, f"{path.name} {clock(progress.seen_through_ms)}")

    try:
        return await client.check_file(
            path, send_media=recipe is None, recipe=recipe, decoders=pool, on_progress=tell
        )
    except (OSError, MediaError, RequestRefused, LimitReached) as error:
        return error


async def _check_vpdq(client: "AsyncClient", path: Path) -> Checked:
    from hashsvc_client import LimitReached, RequestRefused

    found = await asyncio.to_thread(files.read_vpdq, path)
    if isinstance(found, Exception):
        return found
    try:
        return await client.check_fingerprints(found)
    except (RequestRefused, LimitReached) as error:
        return error


def _size(paths: Sequence[Path]) -> int:
    """Bytes of all files that are there."""
    return sum(path.stat().st_size for path in paths if path.is_file())


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
        "confidence_basis": match.confidence_basis,
        "contradicted": match.contradicted,
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
        "segments": [_segment(segment) for segment in match.segments],
        "located": None if match.located is None else _located(match.located),
    }


def _located(located: Located) -> dict[str, Any]:
    return {
        "features": located.features,
        "visible_percent": round(100 * located.visible, 3),
        "corners": [[round(x, 3), round(y, 3)] for x, y in located.corners],
    }


def _segment(segment: Segment) -> dict[str, Any]:
    return {
        "upload_start_s": segment.upload_start_ms / 1000,
        "upload_end_s": segment.upload_end_ms / 1000,
        "known_start_s": _seconds(segment.known_start_ms),
        "known_end_s": _seconds(segment.known_end_ms),
        "pace": segment.pace,
        "mean_distance": segment.distance,
        "likeness": segment.likeness,
        "variant": segment.variant,
    }


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


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
        more = [f"{match.confidence}: {match.confidence_basis}"]
        if match.located is not None:
            more.append(located_line(match.located))
        more += [segment_line(match.entry, segment) for segment in match.segments]
        for line in more:
            shown.add_row("", "", "", "", line, "")
