"""Pictures with much to see in them, and such pictures within others."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

DEMO = Path(__file__).parents[2] / "hashsvc" / "demo" / "media"
SCENES = ("brushes", "coffee", "dandelions", "fig", "wine")
"""Known pictures of the demonstration that are told by their local features."""

OTHERS = ("astronaut", "cat", "mountains", "pagoda", "rocket")
"""Unrelated ones."""

SIZE = 640, 360


def scene(name: str) -> Image.Image:
    """A picture of the demonstration as a frame of a video."""
    (path,) = DEMO.glob(f"*/{name}.jpg")
    return Image.open(path).convert("RGB").resize(SIZE)


def within(inner: Image.Image, outer: Image.Image, share: float = 0.6) -> Image.Image:
    """One picture in another, at a share of its width, off the middle."""
    made = outer.copy()
    small = inner.resize((round(SIZE[0] * share), round(SIZE[1] * share)))
    made.paste(small, (24, 40))
    return made


def frames(pictures: Sequence[Image.Image], each: int) -> list[NDArray[np.uint8]]:
    """The frames of a clip that shows each picture for so many of them."""
    return [np.asarray(picture) for picture in pictures for _ in range(each)]
