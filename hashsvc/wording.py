"""How times of videos, and places in pictures, are written for people."""

from hashsvc.model import ORIGINAL, Located, Segment

# A border of a pixel or two is not worth a word.
_WHOLE = 0.98


def segment_line(entry: str, segment: Segment) -> str:
    """Say which seconds of an upload are which of an entry, as far as the caller may know."""
    line = f"upload {_stretch(segment.upload_start_ms, segment.upload_end_ms)} = {entry}"
    if segment.known_start_ms is not None and segment.known_end_ms is not None:
        line += f" {_stretch(segment.known_start_ms, segment.known_end_ms)}"
    return line if segment.variant == ORIGINAL else f"{line} ({segment.variant})"


def located_line(located: Located) -> str:
    """Say where in an upload a known picture is, by the box around it, and how much is seen."""
    across, down = (
        "-".join(f"{100 * min(max(place, 0), 1):.0f}" for place in (min(side), max(side)))
        for side in zip(*located.corners, strict=True)
    )
    line = f"at {across} % across, {down} % down"
    return line if located.visible > _WHOLE else f"{line}, {100 * located.visible:.0f} % of it"


def _stretch(start_ms: int, end_ms: int) -> str:
    return f"{clock(start_ms)}-{clock(end_ms)}"


def clock(milliseconds: int) -> str:
    """Return a time of a video as mm:ss, or h:mm:ss."""
    minutes, seconds = divmod(milliseconds // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes:02}:{seconds:02}"
