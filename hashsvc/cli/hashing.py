"""`hashsvc hash`."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from hashsvc import feature_values
from hashsvc.cli import files, output
from hashsvc.cli.options import Json, Vpdq, VpdqJson
from hashsvc.errors import InvalidRequest
from hashsvc.media import FOR_LISTS, Recipe, vpdq
from hashsvc.media.recipe import LOCAL_FOR_LISTS
from hashsvc.model import (
    ORIGINAL,
    Algorithm,
    Decoding,
    Fingerprint,
    MediaFingerprints,
    MediaType,
)


def hash_files(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders.", show_default=False)],
    rate: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            max=60,
            show_default=False,
            help="Every so many frames a second of videos; default as for lists, which is up to "
            f"{FOR_LISTS.rate:g} that differ, or 1 as vPDQ.",
        ),
    ] = None,
    algorithm: Annotated[
        list[Algorithm] | None,
        typer.Option(help="Perceptual hash of pictures. Repeatable; default pdq and phash."),
    ] = None,
    fast: Annotated[
        bool, typer.Option("--fast", help="Decode large JPEGs at a fraction of their size.")
    ] = False,
    dihedral: Annotated[
        bool, typer.Option("--dihedral", help="Also give PDQ mirrored and turned.")
    ] = False,
    framed: Annotated[
        bool,
        typer.Option("--framed", help="Also hash the picture in a screenshot or under a caption."),
    ] = False,
    insets: Annotated[
        bool,
        typer.Option("--insets", help="Also hash pictures that are set into one, and in collages."),
    ] = False,
    shrunk512: Annotated[
        bool, typer.Option("--shrunk512", help="Also give PDQ as Meta's C++ tool makes it.")
    ] = False,
    local_features: Annotated[
        bool,
        typer.Option(
            "--local-features",
            help="Also give local features of pictures, as lists that take them have.",
        ),
    ] = False,
    plain: Annotated[
        bool,
        typer.Option("--plain", help="Also hash pictures too plain to be told from others."),
    ] = False,
    as_vpdq: Vpdq = False,
    as_vpdq_json: VpdqJson = False,
    as_json: Json = False,
) -> None:
    """Fingerprint images and videos on this machine; nothing is sent anywhere."""
    if [as_json, as_vpdq, as_vpdq_json].count(True) > 1:
        raise typer.BadParameter("say one of --json, --vpdq and --vpdq-json")
    wanted = files.walk(paths)
    is_vpdq = as_vpdq or as_vpdq_json
    if is_vpdq and len(wanted) != 1:
        raise typer.BadParameter("a vPDQ file is of one video: name one file")
    try:
        recipe = replace(
            FOR_LISTS if rate is None and not is_vpdq else Recipe(rate=rate or 1.0),
            decoding=Decoding.FAST if fast else Decoding.EXACT,
            algorithms=tuple(dict.fromkeys(algorithm or FOR_LISTS.algorithms)),
            dihedral=dihedral,
            dihedral_frames=dihedral,
            framed=framed,
            insets=insets,
            shrunk512=shrunk512,
            plain=plain,
            local=LOCAL_FOR_LISTS if local_features else None,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    show = _print_json if as_json else _print
    if is_vpdq:
        show = partial(_print_vpdq, vpdq.to_json if as_vpdq_json else vpdq.to_text)
    failed = asyncio.run(_hash(wanted, recipe, show, as_json=as_json))
    raise typer.Exit(output.ERROR if failed else output.CLEAN)


async def _hash(
    paths: Sequence[Path],
    recipe: Recipe,
    show: Callable[[Path, MediaFingerprints], None],
    *,
    as_json: bool,
) -> int:
    failed = 0
    async with files.decoders(len(paths)) as pool:
        start = perf_counter()
        with output.progress("hashing", len(paths), shown=len(paths) > output.MANY_FILES) as bar:
            async for path, found in files.fingerprints(pool, paths, recipe):
                output.advance(bar)
                if isinstance(found, Exception):
                    failed += 1
                    output.warn(f"{path}: {found}")
                    if as_json:
                        output.print_json({"file": str(path), "error": str(found)})
                else:
                    show(path, found)
        if len(paths) > output.MANY_FILES:
            _print_speed(len(paths), perf_counter() - start, pool.size)
    return failed


def _print_speed(count: int, seconds: float, decoders: int) -> None:
    each = f"{count / seconds:,.0f} files a second"
    output.warn(f"{count:,} files in {seconds:.1f} s with {decoders} decoders: {each}")


def _print_vpdq(
    write: Callable[[Sequence[Fingerprint]], str], path: Path, found: MediaFingerprints
) -> None:
    if found.media_type is not MediaType.VIDEO:
        raise InvalidRequest.of(str(path), "is a picture; vPDQ is of videos")
    if found.limitation is not None:
        output.warn(f"{path}: {found.limitation}: {found.detail}")
    output.print_plain(write(found.fingerprints))


def _print_json(path: Path, found: MediaFingerprints) -> None:
    document = {
        "file": str(path),
        "media_type": found.media_type,
        "format": found.format,
        "width": found.width,
        "height": found.height,
        "fingerprints": [
            {
                "algorithm": fingerprint.algorithm,
                "value": fingerprint.value.hex(),
                "quality": fingerprint.quality,
                "time_s": None if fingerprint.time_ms is None else fingerprint.time_ms / 1000,
                "decoding": fingerprint.decoding,
                "variant": fingerprint.variant,
            }
            for fingerprint in found.fingerprints
        ],
        "limitation": found.limitation,
        "detail": found.detail,
    }
    output.print_json(document)


def _print(path: Path, found: MediaFingerprints) -> None:
    # Not a table: a folded hash value could not be copied.
    shape = f"{found.media_type}, {found.format}, {found.width} x {found.height}"
    if found.duration_ms is not None:
        shape += f", {found.duration_ms / 1000:.1f} s"
    lines = [f"{path}  ({shape})"]
    for fingerprint in found.fingerprints:
        line = f"  {fingerprint.algorithm:<6}  {_shown(fingerprint)}"
        if fingerprint.quality is not None:
            line += f"  quality {fingerprint.quality}"
        if fingerprint.time_ms is not None:
            line += f"  at {fingerprint.time_ms / 1000:.3f} s"
        if fingerprint.variant != ORIGINAL:
            line += f"  {fingerprint.variant}"
        if fingerprint.decoding is not Decoding.EXACT:
            line += f"  {fingerprint.decoding}"
        lines.append(line)
    if found.limitation is not None:
        lines.append(f"  {found.limitation}: {found.detail}")
    output.say(*lines)


def _shown(fingerprint: Fingerprint) -> str:
    """Its value as people can read it: of local features, how many there are."""
    if fingerprint.algorithm.is_local:
        return f"{feature_values.count(fingerprint.value):,} features"
    return fingerprint.value.hex()
