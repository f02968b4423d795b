"""Lines of made-up words, for what is written on and around pictures."""

from collections.abc import Sequence
from functools import lru_cache

from PIL import ImageDraw, ImageFont

from benchmarks.edits import WORDS
from benchmarks.picture_changes import Rng

_LEAST, _MOST = 8, 200


def line_of(rng: Rng, words: int) -> str:
    """So many words that mean nothing."""
    return " ".join(rng.choice(WORDS, size=words).tolist())


@lru_cache(maxsize=128)
def font_of(size: int) -> ImageFont.FreeTypeFont:
    """Pillow's own font, so that it is the same everywhere; `size` in pixels."""
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return font


def text_in(
    draw: ImageDraw.ImageDraw,
    box: tuple[int, int, int, int],
    lines: Sequence[str],
    fill: str,
    *,
    edge: str = "",
) -> None:
    """Lines in the middle of a box, as large as go into it; with an `edge` of a colour or none."""
    left, top, right, bottom = box
    size = max(_LEAST, min(_MOST, int((bottom - top) * 0.8 / len(lines))))
    longest = max(font_of(size).getlength(line) for line in lines)
    size = max(_LEAST, min(size, int(size * 0.92 * (right - left) / longest)))
    draw.multiline_text(
        ((left + right) / 2, (top + bottom) / 2),
        "\n".join(lines),
        font=font_of(size),
        fill=fill,
        anchor="mm",
        align="center",
        spacing=size // 4,
        stroke_width=max(1, size // 14) if edge else 0,
        stroke_fill=edge or None,
    )
