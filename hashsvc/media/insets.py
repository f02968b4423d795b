"""Pictures that were set whole into another one: pictures in pictures, the cells of collages.

Such a picture has straight edges on its sides. All lines down and across the other one are tried as
these, by pairs: a box is worth what its four sides are. Sides that end at the box's corners are
worth more than parts of longer lines, and a box with a line through it less than one without. Lines
from side to side of the whole picture make the cells of a grid.

A box of any other four lines does no harm but what it costs, for its hash is near none that is
known: of 188 ordinary pictures 42 have any, most of them pictures of screens and of buildings, and
the nearest is 82 bits of PDQ away from another picture.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hashsvc.media.borders import Box
from hashsvc.media.lines import Edges, Lines, strips
from hashsvc.media.variants import MOST_INSETS

LEAST_INSET = 48
"""Cells on either side of an inset, at least."""

_MOST_SIDE = 1200  # cells along the longer side that lines are looked for in
_SHORT, _LONG = 1 / 7, 1 / 5  # of the whole's side: both sides of a box, and one of them
_CLEAR, _MEAN_CLEAR = 0.4, 0.6  # how clear each side of a box is, and all together
_WORTH, _MORE = 3.0, 0.6  # what a box is worth at least, and more after each that was found
_GRID_CLEAR, _GRID_WORTH = (0.6, 0.7, 0.8, 0.9), 2.0  # of lines from side to side
_SPLIT_CLEAR, _SPLIT = 0.75, 0.85  # a line through a box is so clear, and leaves so much worth
_MARGIN = 0.05  # of the whole's side; lines nearer to a side of the box do not split it
_TRIED = 300  # boxes, of which most are nearly the same as others
_SAME = 0.92  # of the area of two boxes that are the same is in both
_POINTS = 160  # along a side; more tell nothing more about where it is
_REACH = 4  # cells around the edge of a box that it is looked for in
_STRONG = 48  # levels from which a step counts no more for being larger
_ALIKE = 0.6  # edges that are so strong compete with the strongest
_FLAT = 8  # levels by which a gap or a thin border varies along it

_Levels = NDArray[np.uint8]
_Table = NDArray[Any]


def insets(grey: Image.Image) -> Sequence[Box]:
    """Find the pictures in a picture, MOST_INSETS at most: the cells of a grid, then the surest.

    `grey` is 8-bit; the boxes are in its pixels.
    """
    if min(grey.size) < LEAST_INSET:
        return ()
    step = -(-max(grey.size) // _MOST_SIDE)
    across, down = strips(grey, step)
    columns, rows = Lines.of(across, _SHORT), Lines.of(down, _SHORT)
    sides = _Sides(columns, rows, Edges.of(columns, rows), Edges.of(rows, columns))
    luma = np.asarray(grey)
    kept = [Box(0, grey.height, 0, grey.width)]
    for rough in (*_cells(sides), *_boxes(sides)):
        count = len(kept) - 1
        if count == MOST_INSETS or rough.worth < _WORTH + _MORE * count:
            break
        box = _settled(luma, Box(*(step * at for at in astuple(rough.box))), step)
        is_small = min(box.bottom - box.top, box.right - box.left) < LEAST_INSET
        if not is_small and not any(is_same(box, other) for other in kept):
            kept.append(box)
    return kept[1:]


def is_same(one: Box, other: Box) -> bool:
    """Whether two boxes show the same."""
    return bool(_shared(one, *(np.asarray(at) for at in astuple(other))) >= _SAME)


@dataclass(frozen=True, slots=True)
class _Sides:
    """Lines down (`columns`) and across (`rows`), and what they are as sides of boxes.

    `vertical` are the columns between all pairs of rows, `horizontal` the rows between all pairs of
    columns.
    """

    columns: Lines
    rows: Lines
    vertical: Edges
    horizontal: Edges

    def of_boxes(self, join: Callable[..., _Table], vertical: _Table, horizontal: _Table) -> _Table:
        """What all four sides of each box make together, of a value for each side.

        The boxes are all pairs of columns with all pairs of rows: (p, q).
        """
        columns, rows = self.columns, self.rows
        left_right = join(vertical[columns.first], vertical[columns.last])
        top_bottom = join(horizontal[rows.first], horizontal[rows.last])
        return join(left_right, top_bottom.T)


@dataclass(frozen=True, slots=True)
class _Rough:
    """A box between lines, in cells."""

    box: Box
    worth: float


def _cells(sides: _Sides) -> Sequence[_Rough]:
    """The cells of a grid of lines from side to side, without the gaps between them.

    Where the lines make too many of them, only clearer ones count.
    """
    for clear in _GRID_CLEAR:
        across = _parts(sides.columns, sides.rows, sides.vertical, clear)
        down = _parts(sides.rows, sides.columns, sides.horizontal, clear)
        if len(across) * len(down) <= MOST_INSETS:
            cells = [Box(*rows, *columns) for rows in down for columns in across]
            return [_Rough(box, np.inf) for box in cells] if len(cells) > 1 else ()
    return ()


def _parts(lines: Lines, across: Lines, edges: Edges, clear: float) -> Sequence[tuple[int, int]]:
    """What is between lines from side to side, where that is wide enough for a picture."""
    whole = (across.first == 0) & (across.last == len(across.at) - 1)
    is_edge = (edges.clear[:, whole] >= clear) & (edges.worth[:, whole] >= _GRID_WORTH)
    at = lines.at[is_edge.any(axis=1)].tolist()
    return [(one, two) for one, two in pairwise(at) if two - one >= _SHORT * lines.at[-1]]


def _boxes(sides: _Sides) -> Iterator[_Rough]:
    """Boxes between any lines, the best first."""
    columns, rows = sides.columns, sides.rows
    worth, is_box = _judged(sides)
    x, y = np.nonzero(is_box)
    left, right = columns.at[columns.first[x]], columns.at[columns.last[x]]
    top, bottom = rows.at[rows.first[y]], rows.at[rows.last[y]]
    worth = worth[is_box]
    is_split = _is_split(columns, sides.vertical.clear[:, y], left, right)
    is_split |= _is_split(rows, sides.horizontal.clear[:, x], top, bottom)
    worth[is_split] *= _SPLIT
    left_over = np.argsort(-worth, kind="stable")[:_TRIED]
    while left_over.size:
        best = left_over[0]
        box = Box(int(top[best]), int(bottom[best]), int(left[best]), int(right[best]))
        yield _Rough(box, float(worth[best]))
        shared = _shared(box, *(side[left_over] for side in (top, bottom, left, right)))
        left_over = left_over[1:][shared[1:] < _SAME]


def _shared(box: Box, top: _Table, bottom: _Table, left: _Table, right: _Table) -> _Table:
    """How much of the area of a box and of others is in both, 0..1."""
    height = np.minimum(bottom, box.bottom) - np.maximum(top, box.top)
    width = np.minimum(right, box.right) - np.maximum(left, box.left)
    both = np.maximum(height, 0) * np.maximum(width, 0)
    own = (box.bottom - box.top) * (box.right - box.left)
    shared: _Table = both / (own + (bottom - top) * (right - left) - both)
    return shared


def _judged(sides: _Sides) -> tuple[_Table, NDArray[np.bool_]]:
    """What each box is worth, and whether it may be one: (pairs of columns, pairs of rows)."""
    columns, rows = sides.columns, sides.rows
    vertical, horizontal = sides.vertical, sides.horizontal
    worth = sides.of_boxes(np.add, vertical.worth, horizontal.worth) / 4
    clear = sides.of_boxes(np.add, vertical.clear, horizontal.clear)
    least = sides.of_boxes(np.minimum, vertical.clear, horizontal.clear)
    inner = sides.of_boxes(np.add, _is_inner(columns), _is_inner(rows))
    wide = (columns.at[columns.last] - columns.at[columns.first]) / columns.at[-1]
    high = (rows.at[rows.last] - rows.at[rows.first]) / rows.at[-1]
    is_box = (worth >= _WORTH) & (least >= _CLEAR) & (inner >= 2)
    # The sides of the whole picture count as clear, and are left out of the mean.
    is_box &= clear - (4 - inner) >= _MEAN_CLEAR * inner
    is_box &= np.maximum(wide[:, None], high) >= _LONG
    return worth, is_box


def _is_inner(lines: Lines) -> NDArray[np.int8]:
    """1 for lines, 0 for both sides of the whole picture: (n, 1)."""
    is_inner = np.ones((len(lines.at), 1), np.int8)
    is_inner[[0, -1]] = 0
    return is_inner


def _is_split(lines: Lines, clear: _Table, first: _Table, last: _Table) -> NDArray[np.bool_]:
    """Whether a line that is so `clear` (n, boxes) goes through boxes from `first` to `last`."""
    margin = _MARGIN * lines.at[-1]
    is_inside = lines.at[:, None] > first + margin
    is_inside &= lines.at[:, None] < last - margin
    is_split: NDArray[np.bool_] = (is_inside & (clear >= _SPLIT_CLEAR)).any(axis=0)
    return is_split


def _settled(luma: _Levels, box: Box, step: int) -> Box:
    """The box with its sides where exactly they are, in pixels."""
    left, right = _ends(luma[box.top : box.bottom].T, (box.left, box.right), step)
    return Box(*_ends(luma[:, left:right], (box.top, box.bottom), step), left, right)


def _ends(lines: _Levels, ends: tuple[int, int], step: int) -> tuple[int, int]:
    """The first line of a picture and the first behind it, by where they are about."""
    first, last = ends
    length = len(lines)
    first = _edge(lines, first, step) if first > 0 else 0
    last = length - _edge(lines[::-1], length - last, step) if last < length else length
    return (first, last) if first < last else (0, length)


def _edge(lines: _Levels, at: int, step: int) -> int:
    """The first line of a picture that begins at about line `at`.

    That is behind the strongest step nearby, and behind a gap or a thin border that begins there.
    """
    reach = 2 * step + _REACH
    start, end = max(0, at - reach), min(len(lines), at + reach)
    near = lines[start:end, :: max(1, lines.shape[1] // _POINTS)].astype(np.int16)
    steps = np.minimum(np.abs(np.diff(near, axis=0)), _STRONG).mean(axis=1)
    strongest = int(steps.argmax())
    varies = np.abs(near - near.mean(axis=1, keepdims=True)).mean(axis=1)
    found = strongest
    for inner in range(strongest + 2, len(steps)):
        is_edge = steps[inner] >= _ALIKE * steps[strongest]
        if is_edge and varies[strongest + 1 : inner + 1].min() <= _FLAT:
            found = inner
    return start + found + 1
