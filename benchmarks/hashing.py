"""PDQ of decoded pictures beside pdqhash, and the whole of `hashsvc.media.fingerprint`.

Both hash the same RGB pixels, and neither shrinks them first. pdqhash (Meta's C++, bound to
Python) uses one core; numpy may use more, so its processor time is given too. `distance` is the
largest number of bits in which the two hashes of a picture differ.

`fingerprint_ms` is a JPEG of that size from bytes to sha256, md5, pdq and phash, `decode_ms`
Pillow's decoding of it alone. All are medians.
"""

import argparse
import importlib
import io
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

import hashsvc
from benchmarks import peers, report
from hashsvc.media import fingerprint
from hashsvc.media.pdq import pdq

HELP = "PDQ of decoded pictures beside pdqhash, and whole JPEG files"
SMALL: Sequence[str] = ("--count", "3", "--repeat", "2")
SIZES = {"512x512": (512, 512), "1080p": (1920, 1080), "12 MP": (4000, 3000)}
JPEG_QUALITY = 90
SAMPLES = Path(hashsvc.__file__).parent / "demo" / "media"
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})

Pixels = npt.NDArray[np.uint8]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this benchmark."""
    text = "folder of pictures (default: the sample photos, else generated ones)"
    parser.add_argument("--images", type=Path, default=SAMPLES, metavar="DIR", help=text)
    parser.add_argument("--count", type=int, default=6, help="pictures (default 6)")
    parser.add_argument("--repeat", type=int, default=5, help="times each (default 5)")
    parser.add_argument(
        "--sizes", default=",".join(SIZES), help=f"of {', '.join(SIZES)} (default all)"
    )


def run(arguments: argparse.Namespace) -> list[report.Row]:
    """Measure every size."""
    pictures = load(arguments.images, arguments.count) or [
        generate(np.random.default_rng((arguments.seed, number)))
        for number in range(arguments.count)
    ]
    peer = peers.available(lambda: importlib.import_module("pdqhash"))
    return [measure(size, pictures, arguments.repeat, peer) for size in arguments.sizes.split(",")]


def measure(size: str, pictures: list[Image.Image], repeat: int, peer: Any | None) -> report.Row:
    """One size; what needs the peer is None without it."""
    times: dict[str, list[float]] = {
        name: [] for name in ("pdq", "pdq_cpu", "pdqhash", "fingerprint", "decode")
    }
    distances: list[int] = []
    for picture in pictures:
        sized = picture.resize(SIZES[size], Image.Resampling.LANCZOS)
        pixels: Pixels = np.ascontiguousarray(sized)
        jpeg = io.BytesIO()
        sized.save(jpeg, "JPEG", quality=JPEG_QUALITY)
        if peer is not None:
            distances.append(distance(pdq(pixels)[0], peer.compute(pixels)[0]))
        for _ in range(repeat):
            start = process_time()
            times["pdq"].append(report.seconds(partial(pdq, pixels)))
            times["pdq_cpu"].append(process_time() - start)
            if peer is not None:
                times["pdqhash"].append(report.seconds(partial(peer.compute, pixels)))
            times["fingerprint"].append(report.seconds(partial(fingerprint, jpeg)))
            times["decode"].append(report.seconds(partial(decode, jpeg)))
    ms = {name: report.percentile_ms(some, 50) for name, some in times.items() if some}
    return {
        "size": size,
        "pictures": len(pictures),
        "pdq_ms": ms["pdq"],
        "pdq_cpu_ms": ms["pdq_cpu"],
        "pdqhash_ms": ms.get("pdqhash"),
        "pdq_to_pdqhash": ms["pdq"] / ms["pdqhash"] if distances else None,
        "distance": max(distances, default=None),
        "fingerprint_ms": ms["fingerprint"],
        "decode_ms": ms["decode"],
        "fingerprint_to_decode": ms["fingerprint"] / ms["decode"],
    }


def load(folder: Path, count: int) -> list[Image.Image]:
    """The first pictures of a folder and the folders in it, by name."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    pictures = []
    for path in files[:count]:
        with Image.open(path) as picture:
            pictures.append(picture.convert("RGB"))
    return pictures


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


def decode(jpeg: io.BytesIO) -> None:
    """Decode with Pillow."""
    jpeg.seek(0)
    with Image.open(jpeg) as picture:
        picture.load()


def distance(value: bytes, bits: npt.NDArray[Any]) -> int:
    """In how many bits our hash differs from pdqhash's, which has one number for each bit."""
    return int((np.unpackbits(np.frombuffer(value, np.uint8)) != bits).sum())
