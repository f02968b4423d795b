"""Borders of one colour around the frames of a video, found over time.

A border is told from a dark or plain scene by its inner edge: a straight line along a whole side,
on one side of which hardly a pixel differs from the border's colour, and on the other many do. A
night scene fades into its dark edges, and text written into a border covers a part of its lines
only. What is believed of the borders is kept while frames are too dark to tell, grows at once
to take in whatever a frame shows outside, and shrinks only for an edge that stays. A picture that
takes less than a third of either side is not found, nor is one on a blurred copy of itself.
"""

from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

LEAST_SHARE, MOST_SHARE = 0.02, 0.8
"""Borders that take less or more of a dimension do not count."""

CONFIRM_MS = 1000
"""A new inner edge counts when it is still there after this time."""

_LEAST_SIDE = 48
_TOLERANCE = 6  # levels of luma that compression may move a flat colour by
_CLEAN = 0.95  # at least this share of a border's line has its colour...
_STEP = 0.3  # ...and this much less of the line at its inner edge...
_WITHIN = 3  # ...which is so many lines from the last clean one, for blurred edges
_TEXT = 0.5  # lines of a border that are written on keep this share
_POINTS = 480  # along a line; more tell nothing more


@dataclass(frozen=True, slots=True)
class Box:
    """A part of a frame in pixels; `bottom` and `right` are the first outside."""

    top: int
    bottom: int
    left: int
    right: int

    def cut(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The pixels inside, as a view."""
        return pixels[self.top : self.bottom, self.left : self.right]

    def joined(self, other: "Box") -> "Box":
        """The smallest box around both."""
        return Box(
            min(self.top, other.top),
            max(self.bottom, other.bottom),
            min(self.left, other.left),
            max(self.right, other.right),
        )

    def is_near(self, other: "Box") -> bool:
        """Whether no side differs by more than blur would make it."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return all(abs(one - two) <= _WITHIN for one, two in pairs)


class Borders:
    """What is known of a video's borders so far; frames are given in the order of time."""

    def __init__(self) -> None:
        self._shape: tuple[int, ...] = ()
        self._box: Box | None = None
        self._hint: tuple[int, Box] | None = None

    def inside(self, luma: NDArray[np.uint8], time_ms: int) -> Box | None:
        """The part of a frame inside its borders, None where it has none to speak of."""
        height, width = luma.shape
        if min(height, width) < _LEAST_SIDE:
            return None
        if luma.shape != self._shape:
            self._shape, self._box, self._hint = luma.shape, None, None
        found = _find(luma)
        if self._box is None:
            if _is_blank(luma):
                return None
            self._box = found
        else:
            self._box = self._box.joined(_content(luma, self._box))
            self._box = self._confirmed(found, time_ms)
        return _counted(self._box, height, width)

    def _confirmed(self, found: Box, time_ms: int) -> Box:
        """The box as it was, or the one found, if it is smaller and was so before."""
        assert self._box is not None
        if found.is_near(self._box) or self._box.joined(found) != self._box:
            self._hint = None
        elif self._hint is None or not self._hint[1].is_near(found):
            self._hint = (time_ms, found)
        elif abs(time_ms - self._hint[0]) >= CONFIRM_MS:
            self._hint = None
            return found
        return self._box


def _counted(box: Box, height: int, width: int) -> Box | None:
    """The box with its borders that count, or None without any."""
    top, bottom = _counted_side(box.top, box.bottom, height)
    left, right = _counted_side(box.left, box.right, width)
    counted = Box(top, bottom, left, right)
    return None if counted == Box(0, height, 0, width) else counted


def _counted_side(first: int, last: int, length: int) -> tuple[int, int]:
    share = 1 - (last - first) / length
    return (first, last) if LEAST_SHARE <= share <= MOST_SHARE else (0, length)


def _find(luma: NDArray[np.uint8]) -> Box:
    """The box inside the sharp edges of one frame."""
    height = luma.shape[0]
    left, right = _edges(luma.T)
    top, bottom = _edges(luma[:, left:right])
    if (top, bottom) != (0, height):
        # Borders above and below hide those at the sides from a look at whole columns.
        left, right = _edges(luma[top:bottom].T)
    return Box(top, bottom, left, right)


def _edges(luma: NDArray[np.uint8]) -> tuple[int, int]:
    """The first line inside the border above, and the first of that below."""
    length = luma.shape[0]
    first = _edge(luma)
    last = length - _edge(luma[::-1])
    return (first, last) if last - first > (1 - MOST_SHARE) * length / 2 else (0, length)


def _edge(luma: NDArray[np.uint8]) -> int:
    """How many lines the border above the picture has, 0 without a sharp inner edge."""
    lines = luma[:, :: max(1, luma.shape[1] // _POINTS)]
    colour = int(np.median(lines[1]))
    if _shares(lines[:2], colour).min() < _CLEAN:
        return 0
    shares = _shares(lines[: round(MOST_SHARE * len(lines))], colour)
    broken = np.flatnonzero(shares < _TEXT)
    end = int(broken[0]) + 1 if broken.size else len(shares)
    # The innermost edge: what lies between it and an outer one is text in the border.
    clean = shares[: end - 1] >= _CLEAN
    drops = np.zeros(len(clean), dtype=bool)
    for ahead in range(1, _WITHIN + 1):
        after = shares[ahead:][: len(clean)] <= _CLEAN - _STEP
        drops[: len(after)] |= after
    edges = np.flatnonzero(clean & drops)
    return int(edges.max()) + 1 if edges.size else 0


def _content(luma: NDArray[np.uint8], box: Box) -> Box:
    """The box around what a frame shows outside of `box`; `box` itself if that is nothing."""
    height, width = luma.shape
    top = _grown(luma[: box.top, box.left : box.right])
    bottom = _grown(luma[box.bottom :, box.left : box.right][::-1])
    left = _grown(luma[box.top : box.bottom, : box.left].T)
    right = _grown(luma[box.top : box.bottom, box.right :].T[::-1])
    return Box(
        min(box.top, top),
        max(box.bottom, height - bottom),
        min(box.left, left),
        max(box.right, width - right),
    )


def _grown(border: NDArray[np.uint8]) -> int:
    """How many outer lines of a border are still of one colour, but for text."""
    if min(border.shape) == 0:
        return int(border.shape[0])
    lines = border[:, :: max(1, border.shape[1] // _POINTS)]
    broken = np.flatnonzero(_shares(lines, int(np.median(lines[:2]))) < _TEXT)
    return int(broken[0]) if broken.size else len(lines)


def _is_blank(luma: NDArray[np.uint8]) -> bool:
    """Whether a frame has one colour, so that nothing can be told from it."""
    points = luma[::8, ::8]
    return int(points.max()) - int(points.min()) <= 2 * _TOLERANCE


def _shares(lines: NDArray[np.uint8], colour: int) -> NDArray[np.float64]:
    """The share of each line that has this colour."""
    low, high = max(0, colour - _TOLERANCE), min(255, colour + _TOLERANCE)
    inside: NDArray[np.float64] = ((lines >= low) & (lines <= high)).mean(axis=1)
    return inside
