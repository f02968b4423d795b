"""Fuzzes decoders: mutated real media through real worker processes.

    python -m tests.media.fuzz --inputs 5000 --seed 1 --workers 2 --keep FOLDER [FILE...]

The seeds are the shipped test vectors, the test pattern, pictures and videos made here, and the
files named. A third is handed over whole, a third comes in by odd pieces, a third so and with a
judge who asks for anything at all, and sometimes has enough.
Mutations by a seeded random generator: bits and bytes changed, pieces cut, repeated, moved or taken
from another seed, lengths set to extremes, the head of one file on the body of another. Every input
must end in fingerprints or in an error that names the cause. `FOLDER` keeps those that ended a
worker.
"""

import argparse
import asyncio
import random
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from time import monotonic

from PIL import Image

from hashsvc import testpattern
from hashsvc.errors import MediaError
from hashsvc.media import DecoderPool, Limits, Recipe
from hashsvc.media.recipe import PERCEPTUAL
from hashsvc.media.scan import AsyncJudge, Seen, Span
from hashsvc.model import Decoding
from hashsvc.testpattern import vectors
from tests.media.making import movie, photo, saved

LIMITS = Limits(
    max_pixels=20_000_000,
    max_duration_s=600,
    decode_memory_bytes=400_000_000,
    decode_cpu_s=5,
    decode_wall_s=20,
)
_MOST_BYTES = 400_000
_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def seeds(scratch: Path, files: Sequence[Path] = ()) -> list[bytes]:
    """The media that mutations start from."""
    found = [testpattern.PATH.read_bytes(), *_made(scratch)]
    folder = Path(vectors.__file__).parent / "vectors"
    found += [path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix != ".json"]
    found += [path.read_bytes() for path in files]
    return [data for data in found if 64 < len(data) <= _MOST_BYTES]


def _made(scratch: Path) -> Iterator[bytes]:
    """Make files of the formats that no vector has."""
    yield movie(scratch / "seed.avi", "mjpeg", seconds=1)
    yield movie(scratch / "seed.mp4", "mpeg4", seconds=1)
    yield movie(scratch / "seed.mkv", "mpeg4", seconds=1)
    yield movie(scratch / "seed.webm", "libvpx", seconds=1)
    yield movie(scratch / "seed.ts", "libx264", seconds=1)
    yield movie(scratch / "frag.mp4", "libx264", container={"movflags": "frag_keyframe+empty_moov"})
    yield movie(scratch / "keys.webm", "libvpx", options={"g": "5"})
    yield movie(scratch / "keys.ts", "mpeg2video", options={"g": "5"})
    picture = Image.fromarray(photo(48, 64, seed=3))
    for form in ("AVIF", "BMP", "TIFF"):
        yield saved(picture, form)
    yield saved(picture, "PNG", save_all=True, append_images=[picture.rotate(90)])
    yield saved(picture, "WEBP", save_all=True, append_images=[picture.rotate(90)])


def mutate(source: random.Random, corpus: Sequence[bytes]) -> bytes:
    """Return one mutated input."""
    data = bytearray(source.choice(corpus))
    for _ in range(source.choice((1, 1, 2, 4, 8, 32))):
        if len(data) < 8:
            break
        # Heads decide most, so half of the changes are there.
        end = min(len(data), source.choice((64, 512, len(data))))
        at = source.randrange(end)
        match source.randrange(9):
            case 0:
                data[at] ^= 1 << source.randrange(8)
            case 1:
                data[at] = source.choice((0, 1, 0x7F, 0x80, 0xFF))
            case 2:
                size = source.choice((2, 4))
                number = source.choice(_EXTREMES) & ((1 << 8 * size) - 1)
                data[at : at + size] = number.to_bytes(size, source.choice(("big", "little")))
            case 3:
                del data[at : at + source.randrange(1, 64)]
            case 4:
                piece = data[at : at + source.randrange(1, 256)]
                data[at:at] = piece * source.choice((1, 2, 20))
            case 5:
                other = source.choice(corpus)
                start = source.randrange(len(other))
                data[at : at + 128] = other[start : start + 128]
            case 6:
                other = source.choice(corpus)
                cut = source.choice((12, 32, 128, 1024))
                data[:cut] = other[:cut]
            case 7:
                del data[max(8, source.randrange(len(data))) :]
            case 8:
                data[at : at + 16] = source.randbytes(16)
    return bytes(data)


async def fuzz(
    corpus: Sequence[bytes], inputs: int, seed: int, workers: int, keep: Path | None = None
) -> Counter[str]:
    """Decode so many inputs; count what they came to."""
    outcomes: Counter[str] = Counter()
    async with DecoderPool(workers, LIMITS, opens_files=False) as pool:
        waiting = iter(range(inputs))

        async def work() -> None:
            for number in waiting:
                # Each its own, so that it is the same whatever the others do meanwhile.
                source = random.Random(f"{seed}-{number}")
                data = mutate(source, corpus)
                restarts = pool.restarts
                outcome = await _outcome(pool, data, _recipe(source), source)
                outcomes[outcome] += 1
                if keep is not None and pool.restarts > restarts:
                    (keep / f"{seed}-{number}").write_bytes(data)

        await asyncio.gather(*(work() for _ in range(workers)))
        outcomes["workers replaced"] = pool.restarts
        # What came before harms no later file.
        assert (await pool.fingerprint([testpattern.PATH.read_bytes()])).format == "png"
    return outcomes


def _recipe(source: random.Random) -> Recipe:
    """Return what to make of the next input."""
    return Recipe(
        rate=source.choice((1.0, 8.0)),
        key_frames=source.random() < 0.5,
        distinct_bits=source.choice((0, 6)),
        mirrored=source.random() < 0.5,
        dihedral_frames=source.random() < 0.2,
        trimmed=source.random() < 0.5,
        framed=source.random() < 0.5,
        insets=source.random() < 0.5,
        decoding=source.choice(list(Decoding)),
        algorithms=tuple(source.sample(PERCEPTUAL, source.randint(1, len(PERCEPTUAL)))),
        dihedral=source.random() < 0.2,
        shrunk512=source.random() < 0.5,
    )


async def _outcome(pool: DecoderPool, data: bytes, recipe: Recipe, source: random.Random) -> str:
    way = source.randrange(3)
    chunks = [data] if way == 0 else _pieces(data, source)
    judge = _judge(source) if way == 2 else None
    try:
        found = await pool.fingerprint(chunks, recipe, judge)
    except MediaError as error:
        limit = error.metadata.get("limit", "")
        text = str(error) if "crashed" in str(error) else limit
        return f"{error.reason} {text}".strip()
    return f"fingerprints of {found.media_type}" + (" in part" if found.limitation else "")


async def _pieces(data: bytes, source: random.Random) -> AsyncIterator[bytes]:
    """Cut a file into odd pieces."""
    most = source.choice((1000, 10_000, 100_000))
    at = 0
    while at < len(data):
        size = source.randrange(most)
        yield data[at : at + size]
        at += size


def _judge(source: random.Random) -> AsyncJudge:
    """Ask for spans near and far, sensible or not."""

    async def judge(seen: Seen) -> Sequence[Span] | None:
        if source.random() < 0.05:
            return None
        near = (0, seen.through_ms, source.randrange(10_000), -5, 2**40)
        return [Span(source.choice(near), source.choice(near)) for _ in range(source.randrange(4))]

    return judge


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.media.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("files", type=Path, nargs="*")
    given = parser.parse_args()
    if given.keep is not None:
        given.keep.mkdir(parents=True, exist_ok=True)
    start = monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        corpus = seeds(Path(scratch), given.files)
        job = fuzz(corpus, given.inputs, given.seed, given.workers, given.keep)
        outcomes = asyncio.run(job)
    print(f"{given.inputs:,} inputs of {len(corpus)} seeds in {monotonic() - start:.0f} s")
    for outcome, count in outcomes.most_common():
        print(f"{count:8,}  {outcome}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
