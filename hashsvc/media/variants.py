"""The names of looks at a picture or a frame, such as `trimmed_flip_horizontal`.

A variant is a look (the whole, what is inside its borders, ...) in one of the dihedral forms; the
original is named in neither.
"""

from functools import lru_cache

from hashsvc.media.pdq import FORMS
from hashsvc.model import ORIGINAL

SHRUNK512 = "shrunk512"
"""The look that is the picture shrunk to 512 x 512 first, as Meta's C++ tool does."""

TRIMMED = "trimmed"
"""The look that is what is inside the empty borders of a picture, or the borders of a video."""

FRAMED = "framed"
"""The look that is the picture in a page, such as a screenshot or a picture with a caption."""

INSET = "inset"
"""The look that is a picture set into another one, or a cell of a collage; there may be several."""

MOST_INSETS = 9
"""How many insets are looked at in one picture, at most: a collage of three by three."""


def variant_of(look: str, form: str) -> str:
    """`mirrored` and the like of the original are called by their form alone."""
    return "_".join(part for part in (look, form) if part != ORIGINAL) or ORIGINAL


@lru_cache(maxsize=256)
def look_and_form(variant: str) -> tuple[str, str]:
    """The inverse: how the frame was looked at, and which dihedral form it is."""
    for form in FORMS[1:]:
        if variant == form:
            return ORIGINAL, form
        if variant.endswith(f"_{form}"):
            return variant.removesuffix(f"_{form}"), form
    return variant, ORIGINAL
