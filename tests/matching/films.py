"""Videos made of numbers: frames with their times, as PDQ values."""

from collections.abc import Iterable, Sequence

import numpy as np

from hashsvc.matching.alignment import Alignment, Known, as_looks

Frames = list[tuple[float, bytes]]


def scene(seed: int, seconds: float, rate: float = 4, motion: int = 12) -> Frames:
    """A scene in which `motion` bits of PDQ change from frame to frame."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2, 256, dtype=np.uint8)
    frames = []
    for number in range(round(seconds * rate)):
        frames.append((number / rate, np.packbits(bits).tobytes()))
        bits = flipped(bits, motion, rng)
    return frames


def film(seeds: Iterable[int], seconds: float = 5, motion: int = 12) -> Frames:
    """Scenes one after the other."""
    return joined(*(scene(seed, seconds, motion=motion) for seed in seeds))


def joined(*parts: Frames) -> Frames:
    """Parts one after the other, each as long as it has frames of a quarter of a second."""
    frames: Frames = []
    for part in parts:
        start = frames[-1][0] + 0.25 if frames else 0.0
        frames += [(start + at - part[0][0], value) for at, value in part]
    return frames


def flipped(bits: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Bits of which some are changed."""
    changed = bits.copy()
    changed[rng.choice(256, count, replace=False)] ^= 1
    return changed


def noisy(frames: Frames, bits: int, seed: int = 0) -> Frames:
    """Frames after an edit that moves each by so many bits."""
    rng = np.random.default_rng(seed)
    values = (np.unpackbits(np.frombuffer(value, np.uint8)) for _, value in frames)
    return [
        (at, np.packbits(flipped(value, bits, rng)).tobytes())
        for (at, _), value in zip(frames, values, strict=True)
    ]


def part(frames: Frames, first_s: float, last_s: float) -> Frames:
    """A clip of a film."""
    return [(at - first_s, value) for at, value in frames if first_s <= at < last_s]


def known(frames: Frames) -> Known:
    """A known video."""
    values = np.frombuffer(b"".join(value for _, value in frames), np.uint8)
    return Known(np.array([at for at, _ in frames]), values.reshape(-1, 32))


def add(alignment: Alignment, frames: Sequence[tuple[float, bytes]]) -> None:
    """Let an upload come in."""
    times = np.array([at for at, _ in frames])
    alignment.add(times, as_looks([[value] for _, value in frames]))
