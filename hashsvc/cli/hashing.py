"""`hashsvc hash`."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from hashsvc.cli import files, output
from hashsvc.cli.options import Json
from hashsvc.media import LIST_RATE
from hashsvc.model import ORIGINAL, MediaFingerprints


def hash_files(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders.", show_default=False)],
    rate: Annotated[
        float,
        typer.Option(min=0.1, max=60, help="Frames a second of videos: 1 for lists, 8 to check."),
    ] = LIST_RATE,
    as_json: Json = False,
) -> None:
    """Fingerprint images and videos on this machine; nothing is sent anywhere."""
    failed = asyncio.run(_hash(files.walk(paths), rate, as_json=as_json))
    raise typer.Exit(output.ERROR if failed else output.CLEAN)


async def _hash(paths: Sequence[Path], rate: float, *, as_json: bool) -> int:
    failed = 0
    async with files.decoders(len(paths)) as pool:
        with output.progress("hashing", len(paths), shown=len(paths) > output.MANY_FILES) as bar:
            async for path, found in files.fingerprints(pool, paths, rate):
                output.advance(bar)
                if isinstance(found, Exception):
                    failed += 1
                    output.errors.print(f"{path}: {found}", markup=False, soft_wrap=True)
                    if as_json:
                        output.print_json({"file": str(path), "error": str(found)})
                elif as_json:
                    output.print_json(_document(path, found))
                else:
                    _print(path, found)
    return failed


def _document(path: Path, found: MediaFingerprints) -> dict[str, Any]:
    return {
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


def _print(path: Path, found: MediaFingerprints) -> None:
    # Not a table: a folded hash value could not be copied.
    shape = f"{found.media_type}, {found.format}, {found.width} x {found.height}"
    if found.duration_ms is not None:
        shape += f", {found.duration_ms / 1000:.1f} s"
    lines = [f"{path}  ({shape})"]
    for fingerprint in found.fingerprints:
        line = f"  {fingerprint.algorithm:<6}  {fingerprint.value.hex()}"
        if fingerprint.quality is not None:
            line += f"  quality {fingerprint.quality}"
        if fingerprint.time_ms is not None:
            line += f"  at {fingerprint.time_ms / 1000:.3f} s"
        if fingerprint.variant != ORIGINAL:
            line += f"  {fingerprint.variant}"
        lines.append(line)
    if found.limitation is not None:
        lines.append(f"  {found.limitation}: {found.detail}")
    output.out.print("\n".join(lines), markup=False, soft_wrap=True)
