"""Where the media tests find real files, and how they make their own."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.media.making import photo


@pytest.fixture(scope="session")
def picture() -> Image.Image:
    """A made-up RGB picture with enough in it to be hashed well: 320 x 240."""
    return Image.fromarray(photo(240, 320, seed=7))


@pytest.fixture(scope="session")
def pixels(picture: Image.Image) -> NDArray[np.uint8]:
    """The same as an array."""
    return np.asarray(picture)
