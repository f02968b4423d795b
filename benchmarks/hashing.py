"""What hashing costs, step by step, beside pdqhash (Meta's C++, bound to Python) and imagehash.

Pictures are photographs brought to each size, with grain added, so that their JPEGs are as heavy
as a camera's. The engines of a step take turns, picture by picture, in this process and on one
core. All times are medians; `cpu_ms` is processor time of all threads, and `times_peer` how many
times less of that than the peer of the step, which neighbours on the machine disturb least.

Distances are in bits of PDQ: of exact hashes to the peer's, of fast ones to the exact ones, of the
variant shrunk512 to the hashes that the C++ tool made, and `wrong` counts those past what is
promised.

Folders are hashed in decoder processes, by one and by one for each core; `peak_mb` is the memory of
the largest of them.
"""

import argparse
import asyncio
import csv
import importlib
import io
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

import hashsvc
from benchmarks import peers, report
from hashsvc.cli import files
from hashsvc.cli.selftest import distance
from hashsvc.media import (
    FOR_CHECKS,
    FOR_LISTS,
    Limits,
    Recipe,
    fingerprint_file,
    for_checks,
)
from hashsvc.media.decode import look
from hashsvc.media.pdq import pdq, pdq_dihedral
from hashsvc.media.raster import FAST_SIDE, Raster, draft, sides
from hashsvc.media.recipe import PERCEPTUAL
from hashsvc.model import Algorithm, Decoding

HELP = "hashing step by step, beside pdqhash and imagehash"
SMALL: Sequence[str] = ("--count", "2", "--repeat", "2", "--large", "0")
SIZES = {"512x512": (512, 512), "1080p": (1920, 1080), "12 MP": (4000, 3000)}
JPEG_QUALITY = 85
GRAIN = 4.0
EXACT_BITS, FAST_BITS = 2, 6
LARGE_SIDE = 9_900
SAMPLES = Path(hashsvc.__file__).parent / "demo" / "media"
SHARED = Path(os.environ.get("HASHSVC_SHARED_MEDIA", "../shared/media"))
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
TARGETS = (128, 192, FAST_SIDE, 384, 512)

OURS, PEER = "hashsvc", "pdqhash"
_ONLY_PDQ = Recipe(algorithms=(Algorithm.PDQ,))
_WITH_LOCAL = for_checks([Algorithm.ORB])

Pixels = npt.NDArray[np.uint8]
Values = list[bytes]


@dataclass(frozen=True, slots=True)
class Input:
    """A picture: its pixels, and a JPEG of them."""

    pixels: Pixels
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class Engine:
    """One way to take a step: gives the PDQ values that it makes of a picture.

    Its distances are to the engine `reference`, and more than `allowed` bits are wrong.
    """

    name: str
    run: Callable[[Input], Values]
    reference: str = ""
    allowed: int = EXACT_BITS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this benchmark."""
    text = "folder of pictures (default: the sample photos, else generated ones)"
    parser.add_argument("--images", type=Path, default=SAMPLES, metavar="DIR", help=text)
    parser.add_argument("--count", type=int, default=6, help="pictures (default 6)")
    parser.add_argument("--repeat", type=int, default=5, help="times each (default 5)")
    parser.add_argument(
        "--sizes", default=",".join(SIZES), help=f"of {', '.join(SIZES)} (default all)"
    )
    parser.add_argument(
        "--large", type=int, default=4, help="pictures of 98 megapixels (default 4)"
    )
    text = "stand-in media with the C++ tool's hashes (default: HASHSVC_SHARED_MEDIA)"
    parser.add_argument("--media", type=Path, default=SHARED, metavar="DIR", help=text)


def run(arguments: argparse.Namespace) -> list[report.Row]:
    """Measure every step."""
    rng = np.random.default_rng(arguments.seed)
    pictures = load(arguments.images, arguments.count) or [
        generate(rng) for _ in range(arguments.count)
    ]
    rows: list[report.Row] = []
    for size in arguments.sizes.split(","):
        inputs = [brought_to(picture, SIZES[size], rng) for picture in pictures]
        for step, engines in steps().items():
            report.note(f"{size}: {step}")
            rows += measure(size, step, engines, inputs, arguments.repeat)
    photos = paths(arguments.media / "images") or paths(arguments.images)
    rows += fast_distances(photos)
    rows += shrunk_distances(arguments.media)
    rows += folder(f"{len(photos)} photos", photos)
    if arguments.large:
        rows += large_folder(arguments.large, rng)
    return rows


def steps() -> dict[str, list[Engine]]:
    """The steps, each with its engines; the first one is ours."""
    found: dict[str, list[Engine]] = {
        "PDQ of pixels": [Engine(OURS, lambda i: [pdq(i.pixels)[0]], PEER)],
        "eight forms of pixels": [
            Engine(OURS, lambda i: [*pdq_dihedral(i.pixels)[0].values()], PEER)
        ],
        "bytes to PDQ": [
            Engine("hashsvc exact", lambda i: values(i, _ONLY_PDQ), PEER),
            Engine("hashsvc fast", lambda i: values(i, FAST), "hashsvc exact", FAST_BITS),
        ],
        "bytes to PDQ, pHash": [
            Engine("hashsvc FOR_LISTS", lambda i: values(i, FOR_LISTS), PEER),
            Engine(
                "hashsvc FOR_CHECKS",
                lambda i: values(i, FOR_CHECKS)[:1],
                "hashsvc FOR_LISTS",
                FAST_BITS,
            ),
            Engine(
                "hashsvc FOR_CHECKS, local features",
                lambda i: values(i, _WITH_LOCAL)[:1],
                "hashsvc FOR_LISTS",
            ),
        ],
        "bytes to all hashes": [
            Engine("hashsvc exact", lambda i: values(i, EVERYTHING), PEER),
            Engine(
                "hashsvc fast",
                lambda i: values(i, replace(EVERYTHING, decoding=Decoding.FAST)),
                "hashsvc exact",
                FAST_BITS,
            ),
        ],
    }
    peer = peers.available(lambda: importlib.import_module("pdqhash"))
    if peer is not None:
        for step, engine in peer_engines(peer).items():
            found[step].append(engine)
    return found


FAST = replace(_ONLY_PDQ, decoding=Decoding.FAST)
EVERYTHING = Recipe(algorithms=PERCEPTUAL, dihedral=True)


def peer_engines(peer: Any) -> dict[str, Engine]:
    """The same steps with Pillow, pdqhash and imagehash."""
    import imagehash

    def one(pixels: Pixels) -> Values:
        return [packed(peer.compute(pixels)[0])]

    def forms(pixels: Pixels) -> Values:
        return [packed(bits) for bits in peer.compute_dihedral(pixels)[0]]

    def everything(picture: Image.Image) -> Values:
        for make in (imagehash.phash, imagehash.dhash, imagehash.whash):
            make(picture)
        return forms(np.asarray(picture))

    def two(picture: Image.Image) -> Values:
        imagehash.phash(picture)
        return one(np.asarray(picture))

    return {
        "PDQ of pixels": Engine(PEER, lambda i: one(i.pixels)),
        "eight forms of pixels": Engine(PEER, lambda i: forms(i.pixels)),
        "bytes to PDQ": Engine(PEER, lambda i: one(np.asarray(decoded(i.jpeg)))),
        "bytes to PDQ, pHash": Engine(PEER, lambda i: two(decoded(i.jpeg))),
        "bytes to all hashes": Engine(PEER, lambda i: everything(decoded(i.jpeg))),
    }


def values(picture: Input, recipe: Recipe) -> Values:
    """PDQ of a JPEG by a recipe, without the digests of its bytes."""
    found = look(io.BytesIO(picture.jpeg), Limits(), recipe)
    return [f.value for f in found.fingerprints if f.algorithm is Algorithm.PDQ]


def measure(
    size: str, step: str, engines: Sequence[Engine], inputs: Sequence[Input], repeat: int
) -> list[report.Row]:
    """One step, with engines that take turns."""
    wall: dict[str, list[float]] = {engine.name: [] for engine in engines}
    cpu: dict[str, list[float]] = {engine.name: [] for engine in engines}
    made: dict[str, Values] = {engine.name: [] for engine in engines}
    for number in range(repeat):
        for picture in inputs:
            for engine in engines:
                start, start_cpu = perf_counter(), process_time()
                result = engine.run(picture)
                cpu[engine.name].append(process_time() - start_cpu)
                wall[engine.name].append(perf_counter() - start)
                if number == 0:
                    made[engine.name] += result
    kb = round(float(np.median([len(picture.jpeg) for picture in inputs])) / 1000)
    ms = {name: report.percentile_ms(times, 50) for name, times in wall.items()}
    cpu_ms = {name: report.percentile_ms(times, 50) for name, times in cpu.items()}
    return [
        row(
            input=f"{size}, {kb} kB" if step.startswith("bytes") else size,
            step=step,
            engine=engine.name,
            ms=ms[engine.name],
            cpu_ms=cpu_ms[engine.name],
            images_per_s=1000 / ms[engine.name],
            times_peer=cpu_ms[PEER] / cpu_ms[engine.name] if PEER in cpu_ms else None,
            **distances(made[engine.name], made.get(engine.reference, []), engine.allowed),
        )
        for engine in engines
    ]


def row(**cells: Any) -> report.Row:
    """A row with all columns; what it lacks is None."""
    columns = (
        *("input", "step", "engine", "ms", "cpu_ms", "images_per_s", "times_peer"),
        *("distance_to_reference_median", "distance_to_reference_max", "wrong", "peak_mb"),
    )
    return {name: cells.get(name) for name in columns}


def distances(made: Values, reference: Values, allowed: int) -> Mapping[str, Any]:
    """The cells that say how far values are from those of a reference, if there is one."""
    if not reference:
        return {}
    bits = [distance(one, other) for one, other in zip(made, reference, strict=True)]
    return {
        "distance_to_reference_median": float(np.median(bits)),
        "distance_to_reference_max": max(bits),
        "wrong": sum(some > allowed for some in bits),
    }


def fast_distances(photos: Sequence[Path]) -> Iterator[report.Row]:
    """How far fast decoding moves PDQ, for some bounds on how small the picture may get."""
    for target in TARGETS:
        exact, fast = [], []
        for path in photos:
            jpeg = as_jpeg(path)
            with Image.open(io.BytesIO(jpeg)) as picture:
                size, scale = picture.size, draft(picture, target)
                across, down = sides(size, scale, 1)
                if scale > 1:
                    raster = Raster(picture.convert("RGB"), across, down)
                    fast.append(raster.spectrum().value())
                    exact.append(Raster.of(decoded(jpeg)).spectrum().value())
        yield row(
            input=f"{len(fast)} photos that are scaled",
            step=f"fast decoding to at least {target} cells a side",
            engine=OURS,
            # Only the bound that is used makes a promise.
            **distances(fast, exact, FAST_BITS if target == FAST_SIDE else 256),
        )


def as_jpeg(path: Path) -> bytes:
    """A picture's bytes, encoded as JPEG where they are not."""
    data = path.read_bytes()
    if data.startswith(b"\xff\xd8"):
        return data
    with Image.open(path) as picture:
        return encoded(picture.convert("RGB"))


def shrunk_distances(media: Path) -> Iterator[report.Row]:
    """The variant shrunk512, exact and fast, and the original, beside the C++ tool's hashes."""
    table = media / "vectors" / "dev_set" / "image_hashes.tsv"
    if not table.is_file():
        report.note(f"no hashes of the C++ tool in {media}")
        return
    with table.open(encoding="utf-8") as file:
        known = [
            (as_jpeg(media / line["file"]), bytes.fromhex(line["pdq_cpp_reference"]))
            for line in csv.DictReader(file, delimiter="\t")
            # The tool does not turn pictures upright, and reads other formats through others.
            if line["file"].endswith(".jpg") and is_upright(media / line["file"])
        ]
    both = replace(_ONLY_PDQ, shrunk512=True)
    pictures = [Input(np.empty(0, np.uint8), jpeg) for jpeg, _ in known]
    wanted = [value for _, value in known]
    exact = [values(picture, both) for picture in pictures]
    fast = [values(picture, replace(both, decoding=Decoding.FAST)) for picture in pictures]
    for engine, made, allowed in (
        ("hashsvc exact, shrunk512", [some[-1] for some in exact], 0),
        ("hashsvc fast, shrunk512", [some[-1] for some in fast], 256),
        ("hashsvc exact, original", [some[0] for some in exact], 256),
    ):
        yield row(
            input=f"{len(known)} photos",
            step="beside Meta's C++ tool",
            engine=engine,
            **distances(made, wanted, allowed),
        )


def is_upright(path: Path) -> bool:
    """Whether EXIF asks for no turn."""
    with Image.open(path) as picture:
        orientation: int = picture.getexif().get(ExifTags.Base.Orientation, 1)
    return orientation == 1


def folder(name: str, found: Sequence[Path], cores: Sequence[int] = ()) -> Iterator[report.Row]:
    """A folder without decoder processes, by one, and by one for each core."""
    kinds = {
        "FOR_LISTS": FOR_LISTS,
        "FOR_CHECKS": FOR_CHECKS,
        "FOR_CHECKS with local features": _WITH_LOCAL,
    }
    for kind, recipe in kinds.items():
        for decoders in dict.fromkeys(cores or (0, 1, files.cores())):
            if decoders:
                seconds, peak_mb = asyncio.run(hashed(found, recipe, decoders))
            else:
                seconds, peak_mb = report.seconds(partial(hashed_here, found, recipe)), None
            yield row(
                input=name,
                step="folder",
                engine=f"{kind}, {decoders} decoders" if decoders else f"{kind}, this process",
                ms=1000 * seconds / len(found),
                images_per_s=len(found) / seconds,
                peak_mb=peak_mb,
            )


def hashed_here(found: Sequence[Path], recipe: Recipe) -> None:
    """Hash some files one after the other, in this process."""
    for path in found:
        fingerprint_file(path, recipe=recipe)


async def hashed(
    found: Sequence[Path], recipe: Recipe, decoders: int
) -> tuple[float, float | None]:
    """Seconds that some files take, without the start of the decoders; and the memory of these."""
    async with files.decoders(decoders) as pool:
        start = perf_counter()
        async for path, result in files.fingerprints(pool, found, recipe):
            if isinstance(result, Exception):
                raise RuntimeError(f"{path}: {result}") from result
        return perf_counter() - start, peak_of_children_mb()


def peak_of_children_mb() -> float | None:
    """The most memory that any child process ever had at once, where Linux tells it."""
    peaks = []
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):  # processes come and go
            lines = dict(line.partition(":")[::2] for line in status.read_text().splitlines())
            if int(lines["PPid"]) == os.getpid() and "VmHWM" in lines:
                peaks.append(int(lines["VmHWM"].split()[0]) / 1024)
    return max(peaks, default=None)


def large_folder(count: int, rng: np.random.Generator) -> list[report.Row]:
    """Pictures at the limit on pixels, half of them JPEG and half PNG."""
    with tempfile.TemporaryDirectory() as place:
        picture = generate(rng).resize((LARGE_SIDE, LARGE_SIDE), Image.Resampling.BICUBIC)
        made: list[Path] = []
        for number in range(count):
            path = Path(place) / f"{number}.{'jpg' if number % 2 == 0 else 'png'}"
            if number < 2:
                picture.save(path, quality=JPEG_QUALITY, compress_level=1)
            else:
                path.hardlink_to(made[number % 2])
            made.append(path)
        return [*folder(f"{count} of 98 MP", made, (files.cores(),))]


def paths(place: Path) -> list[Path]:
    """The pictures of a folder and the folders in it, by name."""
    return sorted(path for path in place.rglob("*") if path.suffix.lower() in SUFFIXES)


def load(place: Path, count: int) -> list[Image.Image]:
    """The first pictures of a folder."""
    pictures = []
    for path in paths(place)[:count]:
        with Image.open(path) as picture:
            pictures.append(picture.convert("RGB"))
    return pictures


def brought_to(picture: Image.Image, size: tuple[int, int], rng: np.random.Generator) -> Input:
    """A picture at a size, with grain."""
    sized = np.asarray(picture.resize(size, Image.Resampling.LANCZOS)).astype(np.float32)
    grain = rng.standard_normal((*sized.shape[:2], 1), dtype=np.float32) * GRAIN
    pixels = np.ascontiguousarray((sized + grain).clip(0, 255).astype(np.uint8))
    return Input(pixels, encoded(Image.fromarray(pixels)))


def generate(rng: np.random.Generator, side: int = 1024) -> Image.Image:
    """Colour noise whose power falls with frequency as that of photos does."""
    down, across = np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side), indexing="ij")
    frequency = np.hypot(down, across)
    frequency[0, 0] = 1
    spectrum = np.fft.fft2(rng.standard_normal((3, side, side))) / frequency
    noise = np.fft.ifft2(spectrum).real
    scaled = 128 + 50 * (noise - noise.mean()) / noise.std()
    pixels = np.clip(scaled, 0, 255).astype(np.uint8).transpose(1, 2, 0)
    return Image.fromarray(np.ascontiguousarray(pixels))


def encoded(picture: Image.Image) -> bytes:
    """A JPEG of an RGB picture."""
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=JPEG_QUALITY)
    return stream.getvalue()


def decoded(jpeg: bytes) -> Image.Image:
    """All pixels of a JPEG as RGB, by Pillow."""
    with Image.open(io.BytesIO(jpeg)) as picture:
        picture.load()
        # To convert RGB to RGB would copy it, and be unfair to the peer.
        return picture if picture.mode == "RGB" else picture.convert("RGB")


def packed(bits: npt.NDArray[Any]) -> bytes:
    """The bytes of a hash of pdqhash's, which has one number for each bit."""
    return np.packbits(np.asarray(bits, np.uint8)).tobytes()
