"""What one still picture shows inside of borders, captions and the furniture of a screenshot.

Pages are cut as in G. Nagy and S. Seth, "Hierarchical representation of optically scanned
documents" (1984), rows and columns by turns, at lines on which nothing is: they are made of a few
pieces of one colour each, whatever the colours. What is left must be a picture's: where it was cut
a straight step runs along the side, and beyond it nothing goes on. A skyline is no such step, nor
is the top of a line of text. Where the step is missing the picture may have a plain part itself,
such as a sky, and its true edge is looked for further out.

`trimmed` is what is inside of borders that are empty; `framed` is the largest part of a page, the
rest of which may be text, buttons or other pictures. The difference matters to lists: a known
picture without its empty border is the same picture, but a photograph out of a known post is
perhaps anybody's.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import astuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hashsvc.media.borders import LEAST_SHARE, Box
from hashsvc.media.variants import FRAMED, TRIMMED

LEAST_AREA = 0.15
"""What is inside counts if it has at least this share of the picture..."""

LEAST_SIDE = 64
"""...and so many cells on either side."""

_MOST_SIDE = 2048  # edges are looked for in no more cells than this along a side...
_ROUGH_SIDE = 512  # ...and lines in no more than this
_POINTS = 480  # along a line; more tell nothing more
_CALM = 8  # levels of luma between neighbours that compression makes of one colour
_BUSY = 0.03  # share of neighbours that may differ by more on a line with nothing on it
_DRIFT = 12  # levels that one colour may change by along a line
_REACH = 10  # cells around the edge of a photograph that compression makes busy
_STEP = 8  # levels between both sides of an edge...
_EDGE = 0.3  # ...on at least this share of its length, where it is expected...
_FAR = 0.5  # ...and on this much where it is not
_RUN = 0.03  # letters are narrower than this share of a line...
_LONG = 0.5  # ...and so much of an edge that is no text is wider
_STRONG = 32  # levels from which a step counts no more for being larger
_ALIKE = 0.7  # edges that are so strong compete with the strongest
_EVEN = 0.015  # by which blurred bars on opposite sides may differ, as a share of the side
_SAME = 0.01  # by which the sides of two boxes that are the same may differ

_Levels = NDArray[np.uint8]
_Choose = Callable[[NDArray[np.bool_]], tuple[int, int]]
_Empty = Callable[[_Levels], NDArray[np.bool_]]


def insides(grey: Image.Image, looks: Collection[str]) -> Mapping[str, Box]:
    """Find what is inside a picture, for each of `looks` (TRIMMED, FRAMED) that shows something.

    `grey` is 8-bit; the boxes are in its pixels. Where both looks are the same it is the first.
    """
    if min(grey.size) < LEAST_SIDE:
        return {}
    shrink = -(-max(grey.size) // _MOST_SIDE)
    if shrink > 1:
        width, height = grey.width // shrink, grey.height // shrink
        whole = (0, 0, shrink * width, shrink * height)
        grey = grey.resize((width, height), Image.Resampling.NEAREST, whole)
    luma = np.asarray(grey)
    found: dict[str, Box] = {}
    box = _inside(luma, _first_to_last, _of_one_colour) if TRIMMED in looks else None
    if box is not None:
        found[TRIMMED] = box
    box = _framed(luma) if FRAMED in looks else None
    if box is not None and not _is_same(box, found.get(TRIMMED)):
        found[FRAMED] = box
    return {look: Box(*(shrink * at for at in astuple(box))) for look, box in found.items()}


def _framed(luma: _Levels) -> Box | None:
    box = _inside(luma, _longest, _of_pieces)
    if box is not None:
        return box
    # A blurred copy of the picture has no colour of its own, but is the same on opposite sides.
    box = _inside(luma, _longest, _of_blur)
    height, width = luma.shape
    if box is None or abs(box.top - (height - box.bottom)) > _EVEN * height:
        return None
    return box if abs(box.left - (width - box.right)) <= _EVEN * width else None


def _is_same(box: Box, other: Box | None) -> bool:
    if other is None:
        return False
    most = _SAME * max(other.bottom - other.top, other.right - other.left)
    return all(abs(a - b) <= most for a, b in zip(astuple(box), astuple(other), strict=True))


def _inside(luma: _Levels, choose: _Choose, empty: _Empty) -> Box | None:
    """The part of the picture that is left by one way of cutting, if it is a picture's."""
    height, width = luma.shape
    step = -(-max(height, width) // _ROUGH_SIDE)
    small = np.ascontiguousarray(luma[::step, ::step])
    rough = _cut(small, choose, empty)
    if rough == Box(0, small.shape[0], 0, small.shape[1]):
        return None
    box = Box(
        rough.top * step,
        min(height, rough.bottom * step),
        rough.left * step,
        min(width, rough.right * step),
    )
    down = _settled(luma[:, box.left : box.right], (box.top, box.bottom), step, empty)
    if down is None:
        return None
    across = _settled(luma[slice(*down)].T, (box.left, box.right), step, empty)
    return None if across is None else _counted(Box(*down, *across), height, width)


def _counted(box: Box, height: int, width: int) -> Box | None:
    """The box if enough is inside of it, and enough outside to move a hash."""
    inner_height, inner_width = box.bottom - box.top, box.right - box.left
    if min(inner_height, inner_width) < LEAST_SIDE:
        return None
    if inner_height * inner_width < LEAST_AREA * height * width:
        return None
    cut = max(1 - inner_height / height, 1 - inner_width / width)
    return box if cut >= LEAST_SHARE else None


def _cut(small: _Levels, choose: _Choose, empty: _Empty) -> Box:
    """Cut rows and columns by turns until there is nothing to cut."""
    rows, columns = (0, small.shape[0]), (0, small.shape[1])
    while True:
        before = rows, columns
        rows = _chosen(small[:, slice(*columns)], rows, choose, empty)
        columns = _chosen(small[slice(*rows)].T, columns, choose, empty)
        if (rows, columns) == before:
            return Box(*rows, *columns)


def _chosen(
    lines: _Levels, part: tuple[int, int], choose: _Choose, empty: _Empty
) -> tuple[int, int]:
    """The lines of a part that are left, all of them where there is nothing on any."""
    first, last = choose(empty(lines[slice(*part)]))
    return (part[0] + first, part[0] + last) if last > first else part


def _first_to_last(is_empty: NDArray[np.bool_]) -> tuple[int, int]:
    """All lines without the empty ones before and behind."""
    busy = np.flatnonzero(~is_empty)
    return (int(busy[0]), int(busy[-1]) + 1) if busy.size else (0, 0)


def _longest(is_empty: NDArray[np.bool_]) -> tuple[int, int]:
    """The most lines in a row that are not empty."""
    ends = np.flatnonzero(np.diff(np.concatenate(([True], is_empty, [True]))))
    if not ends.size:
        return 0, 0
    stretches = ends.reshape(-1, 2)
    first, last = stretches[np.argmax(stretches[:, 1] - stretches[:, 0])]
    return int(first), int(last)


def _of_one_colour(lines: _Levels) -> NDArray[np.bool_]:
    """Which lines have one colour, the same all along."""
    is_empty = _is_calm(lines, 1)
    some = lines[is_empty].astype(np.int16)
    if some.size:
        differ = np.abs(some - np.median(some, axis=1, keepdims=True)) > _CALM
        is_empty[is_empty] = differ.mean(axis=1) <= _BUSY
    return is_empty


def _of_pieces(lines: _Levels) -> NDArray[np.bool_]:
    """Which lines have a few pieces, each of one colour."""
    is_empty = _is_calm(lines, 1)
    steps = np.diff(lines[is_empty].astype(np.int16), axis=1)
    if steps.size:
        steps[np.abs(steps) > _CALM] = 0
        is_empty[is_empty] = np.ptp(steps.cumsum(axis=1, dtype=np.int32), axis=1) <= _DRIFT
    return is_empty


def _of_blur(lines: _Levels) -> NDArray[np.bool_]:
    """Which lines have colours that run into each other: slopes, but hardly any bends."""
    return _is_calm(lines, 2)


def _is_calm(lines: _Levels, order: int) -> NDArray[np.bool_]:
    """Which lines have few differences of this order that are more than compression makes."""
    steps = np.diff(lines.astype(np.int16), n=order, axis=1)
    is_calm: NDArray[np.bool_] = (
        np.count_nonzero(np.abs(steps) > _CALM, axis=1) <= _BUSY * steps.shape[1]
    )
    return is_calm


def _settled(
    lines: _Levels, rough: tuple[int, int], step: int, empty: _Empty
) -> tuple[int, int] | None:
    """The exact first line of a part and the first behind it; None where it has no edges."""
    first, last = rough
    length = len(lines)
    above = _edge(lines, first, step, empty) if first > 0 else 0
    below = _edge(lines[::-1], length - last, step, empty) if last < length else 0
    if above is None or below is None or above + below >= length:
        return None
    return above, length - below


def _edge(lines: _Levels, at: int, step: int, empty: _Empty) -> int | None:
    """The first line of the picture that begins at about line `at`, where its edge is straight.

    Else the first such edge outward, 0 if there is none either.
    """
    exact, share = _strongest(lines, at - step - 2, at + step + _REACH)
    if share >= _EDGE:
        return exact
    return _outward(lines, at, empty)


def _strongest(lines: _Levels, first: int, last: int) -> tuple[int, float]:
    """Of these lines the one that differs most from that before, and on what share of it."""
    first, last = max(2, first), min(len(lines) - 2, last)
    if last < first:
        return 0, 0.0
    part = _thinned(lines[first - 2 : last + 2])
    steps = np.minimum(np.abs(np.diff(part, axis=0)), _STRONG)[1:-1].sum(axis=1)
    # The outermost of those alike: photographs have edges of their own, from scanners and cameras.
    at = int(np.argmax(steps >= _ALIKE * steps.max()))
    # Across a line more on either side, since edges may be soft.
    return first + at, _share(np.abs(part[at + 3] - part[at]) > _STEP)


def _share(differ: NDArray[np.bool_]) -> float:
    """The share of an edge along which both sides differ; 0 of one that is as broken as text."""
    share = float(differ.mean())
    if share < _FAR:
        ends = np.flatnonzero(np.diff(np.concatenate(([False], differ, [False]))))
        lengths = ends[1::2] - ends[::2]
        if lengths[lengths >= _RUN * differ.size].sum() < _LONG * differ.sum():
            return 0.0
    return share


def _outward(lines: _Levels, at: int, empty: _Empty) -> int | None:
    """The nearest straight edge before a line, beyond which nothing goes on; 0 without any."""
    part = _thinned(lines[: at + 2])
    if len(part) < 4:
        return 0
    differ = np.count_nonzero(np.abs(part[3:] - part[:-3]) > _STEP, axis=1)
    edges = np.flatnonzero(differ >= _FAR * part.shape[1])
    edges = edges[empty(lines[edges, :: _stride(lines)])]
    if not edges.size:
        return 0
    exact, share = _strongest(lines, int(edges[-1]) - 1, int(edges[-1]) + 5)
    return exact if share >= _EDGE else None


def _thinned(lines: _Levels) -> NDArray[np.int16]:
    return lines[:, :: _stride(lines)].astype(np.int16)


def _stride(lines: _Levels) -> int:
    width: int = lines.shape[1]
    return max(1, width // _POINTS)
