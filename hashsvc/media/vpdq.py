"""vPDQ: the timed PDQ of a video's frames, as Meta's tools write, read and compare them.

Three forms are read, whichever is met:

- text, of the C++ tool: a line `frame,quality,hash,seconds` a frame, seconds with three decimals;
- JSON, of the Python library `threatexchange`: an array of texts `hash,quality,seconds`;
- older JSON of that library: an object of `{"quality": .., "hash": .., "timestamp": ..}` by frame.

The first two are written. Here a frame has a time, in milliseconds, and no number: numbers are
checked and left when a file is read, and count from 0 when one is written, which is what the C++
tool's are when it hashes every frame. Nothing that compares hashes looks at them.

The Python library, and older versions of the C++ tool, write times with three significant digits:
of a video longer than 1000 s ten frames, a second apart, have the same one. Where such times are
those of evenly spaced frames, the spacing is found, and the frames get the times that they had.
"""

import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise
from typing import Any, BinaryIO, TypeVar

from hashsvc.errors import MediaTooLarge, MediaUnreadable
from hashsvc.model import ORIGINAL, Algorithm, Fingerprint

MAX_FRAMES = 100_000
"""Frames of one file: what one entry may hold. 55 minutes of every frame, 27 hours of seconds."""

MAX_BYTES = 32 << 20
"""Size of one file."""

DISTANCE = 31
"""Bits that two frames may differ by and still match, by the published recommendation."""

QUALITY = 50
"""What is of lower quality is not compared, by the published recommendation."""

_FIELDS = {"quality", "hash", "timestamp"}
_VALUE = re.compile("[0-9a-fA-F]{64}")
_WHOLE = re.compile("[0-9]{1,15}")
_SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,20})?(?:[eE][+-]?[0-9]{1,2})?")
_MAX_QUALITY = 100
_MAX_SECONDS = 10**9
_FEW_DIGITS = 3
_EXACT_BEFORE_S = 10
_One = TypeVar("_One")
_UTF8_MARK = b"\xef\xbb\xbf"
# The older form has a bracket, three commas of its own and one after it for each frame.
_MAX_PARTS = 6 * MAX_FRAMES
# Distances that are held in memory at a time.
_MAX_DISTANCES = 1 << 22


def read(source: BinaryIO) -> tuple[Fingerprint, ...]:
    """The frames of a file in any of the forms, in the order of time.

    Raises:
        MediaUnreadable: it is in none of them; the message names the line, or the frame.
        MediaTooLarge: it has more than MAX_BYTES, or MAX_FRAMES.
        OSError: `source` cannot be read.
    """
    data = source.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise MediaTooLarge(f"has more than the {MAX_BYTES:,} bytes that a vPDQ file may have")
    return parse(data)


def parse(data: bytes) -> tuple[Fingerprint, ...]:
    """The same of bytes, which are as many as the caller has let in."""
    data = data.removeprefix(_UTF8_MARK)
    if not data.isascii():
        raise MediaUnreadable("is no vPDQ file: it holds other characters than ASCII")
    is_json = data.lstrip()[:1] in (b"[", b"{")
    frames = list(_json_frames(data) if is_json else _text_frames(data))
    if not frames:
        raise MediaUnreadable("is no vPDQ file: it holds no frames")
    _check_order(frames)
    times = _spaced(frames) or (one.seconds for one in frames)
    return tuple(one.fingerprint(time) for one, time in zip(frames, times, strict=True))


def to_text(fingerprints: Iterable[Fingerprint]) -> str:
    """The frames among some fingerprints, in the C++ tool's form; `frames_of` says which.

    Raises:
        ValueError: they cannot be written, as `frames_of` says.
    """
    return "".join(
        f"{number},{_quality(one)},{one.value.hex()},{_seconds(one)}\n"
        for number, one in enumerate(frames_of(fingerprints))
    )


def to_json(fingerprints: Iterable[Fingerprint]) -> str:
    """The same in the Python library's form, on one line. Times have all three decimals.

    Raises:
        ValueError: they cannot be written, as `frames_of` says.
    """
    frames = frames_of(fingerprints)
    return json.dumps([f"{one.value.hex()},{_quality(one)},{_seconds(one)}" for one in frames])


def frames_of(fingerprints: Iterable[Fingerprint]) -> list[Fingerprint]:
    """The PDQ of a video's frames, the right way round, in the order of time.

    Raises:
        ValueError: there are none, or one has no time.
    """
    frames = [f for f in fingerprints if f.algorithm is Algorithm.PDQ and f.variant == ORIGINAL]
    if not frames:
        raise ValueError("there is no PDQ of frames, which is what vPDQ is made of")
    if any(one.time_ms is None for one in frames):
        raise ValueError("there is PDQ without a time, which vPDQ cannot do without")
    return sorted(frames, key=lambda one: one.time_ms or 0)


@dataclass(frozen=True, slots=True)
class Shares:
    """vPDQ's two match percentages: of one video's frames, how many are like one of the other's."""

    query_percent: float
    compared_percent: float


def compare(
    query: Sequence[Fingerprint],
    compared: Sequence[Fingerprint],
    *,
    distance: int = DISTANCE,
    quality: int = QUALITY,
    repeats: bool = False,
) -> Shares:
    """The match percentages of two videos, as published: a share of frames, whatever their order.

    Frames of less than `quality` are left out; two match where at most `distance` bits differ.
    Frames with the same hash count once, as with the Python library. With `repeats` each counts,
    as with the C++ tool, to which a distance of 31 means fewer than 31 bits: 30 here. (Of the pairs
    of figures in vPDQ's README the second is not this one: it is the count of the query's frames
    over the number of the other's.)

    Both are 0 where either side has no frame that is good enough.
    """
    import numpy as np  # reading and writing do without it

    sides = []
    for frames in (query, compared):
        good = [f.value for f in frames if f.quality is None or f.quality >= quality]
        values = good if repeats else list(dict.fromkeys(good))
        sides.append(np.frombuffer(b"".join(values), dtype=np.uint64).reshape(-1, 4))
    one, other = sides
    if not (len(one) and len(other)):
        return Shares(0.0, 0.0)
    matched, met = 0, np.zeros(len(other), dtype=bool)
    rows = max(1, _MAX_DISTANCES // len(other))
    for start in range(0, len(one), rows):
        part = one[start : start + rows]
        bits = np.zeros((len(part), len(other)), dtype=np.uint16)
        for word in range(4):
            bits += np.bitwise_count(part[:, word, None] ^ other[None, :, word])
        near = bits <= distance
        matched += int(near.any(axis=1).sum())
        met |= near.any(axis=0)
    return Shares(100 * matched / len(one), 100 * int(met.sum()) / len(other))


@dataclass(frozen=True, slots=True)
class _Frame:
    """A frame as a file says it; `place` is what an error calls it."""

    place: str
    number: int
    value: bytes
    quality: int
    seconds: Decimal

    def fingerprint(self, seconds: Decimal) -> Fingerprint:
        """What it is here, at this time."""
        time_ms = int((seconds * 1000).to_integral_value(ROUND_HALF_EVEN))
        return Fingerprint(Algorithm.PDQ, self.value, self.quality, time_ms)


def _frame(place: str, number: str, *fields: object) -> _Frame:
    """Check the fields of a frame: hash, quality, seconds. What is no text fits no pattern."""
    value, quality, seconds = (one.strip() if isinstance(one, str) else "" for one in fields)
    if not _WHOLE.fullmatch(number.strip()):
        raise _wrong(place, "the number of the frame is not a whole number from 0 on")
    if not _VALUE.fullmatch(value):
        raise _wrong(place, "the hash does not have 64 hexadecimal digits")
    if not _WHOLE.fullmatch(quality) or int(quality) > _MAX_QUALITY:
        raise _wrong(place, f"the quality is not a whole number from 0 to {_MAX_QUALITY}")
    if not _SECONDS.fullmatch(seconds) or (time := Decimal(seconds)) > _MAX_SECONDS:
        raise _wrong(place, "the time is not in seconds, such as 20.433")
    return _Frame(place, int(number), bytes.fromhex(value), int(quality), time)


def _wrong(place: str, told: str) -> MediaUnreadable:
    return MediaUnreadable(f"is no vPDQ file: {place}: {told}")


def _bounded(found: Iterable[_One]) -> Iterator[tuple[int, _One]]:
    """Number what is found from 1, and raise MediaTooLarge past MAX_FRAMES."""
    for number, one in enumerate(found, 1):
        if number > MAX_FRAMES:
            raise _too_many()
        yield number, one


def _too_many() -> MediaTooLarge:
    return MediaTooLarge(f"has more than the {MAX_FRAMES:,} frames that a vPDQ file may have")


def _text_frames(data: bytes) -> Iterator[_Frame]:
    lines = enumerate(io.BytesIO(data), 1)
    for _, (line_number, line) in _bounded((i, line) for i, line in lines if line.strip()):
        place = f"line {line_number}"
        fields = line.decode().split(",", 4)
        if len(fields) != 4:
            raise _wrong(place, "is not frame,quality,hash,seconds")
        number, quality, value, seconds = fields
        yield _frame(place, number, value, quality, seconds)


def _json_frames(data: bytes) -> Iterator[_Frame]:
    document = _load(data)
    if isinstance(document, dict):
        for i, (number, fields) in _bounded(document.items()):
            if not isinstance(fields, dict) or set(fields) != _FIELDS:
                raise _wrong(f"frame {i}", "is not an object of quality, hash and timestamp")
            said = (fields["hash"], fields["quality"], fields["timestamp"])
            yield _frame(f"frame {i}", number, *said)
        return
    for i, one in _bounded(document):
        parts = one.split(",", 3) if isinstance(one, str) else []
        if len(parts) != 3:
            raise _wrong(f"frame {i}", "is not a text hash,quality,seconds")
        yield _frame(f"frame {i}", str(i - 1), *parts)


def _load(data: bytes) -> Any:
    """JSON with its numbers as they are written."""
    # Each part costs up to a hundred bytes once it is read, and as little as one before.
    if sum(map(data.count, (b"{", b"[", b","))) > _MAX_PARTS:
        raise _too_many()
    try:
        return json.loads(
            data.decode("ascii"),
            object_pairs_hook=_object,
            parse_int=str,
            parse_float=str,
            parse_constant=str,
        )
    except json.JSONDecodeError as error:
        raise _wrong(f"line {error.lineno}, column {error.colno}", error.msg) from None
    except RecursionError:
        raise MediaUnreadable("is no vPDQ file: its JSON is nested too deeply") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise MediaUnreadable("is no vPDQ file: a frame, or a field of one, is there twice")
    return made


def _check_order(frames: Sequence[_Frame]) -> None:
    """Refuse what goes back: most likely it is of more videos than one."""
    for one, following in pairwise(frames):
        if following.number <= one.number or following.seconds < one.seconds:
            told = "is not after the frame before it; a file is of one video"
            raise _wrong(following.place, told)


def _spaced(frames: Sequence[_Frame]) -> list[Decimal] | None:
    """The times of evenly spaced frames whose times were rounded to three digits, in seconds.

    None where times are as they are to be taken: they have more digits, are of no more than ten
    seconds, so that little was lost, or are not those of evenly spaced frames.
    """
    times = [one.seconds for one in frames]
    if times[-1] < _EXACT_BEFORE_S or any(
        len(time.as_tuple().digits) > _FEW_DIGITS for time in times
    ):
        return None
    least, most = Decimal(0), Decimal(_MAX_SECONDS)
    for frame in frames:
        time, number = frame.seconds, frame.number
        if bool(time) != bool(number):
            return None
        if number:
            rounded_by = Decimal(1).scaleb(time.adjusted() + 1 - _FEW_DIGITS) / 2
            least = max(least, (time - rounded_by) / number)
            most = min(most, (time + rounded_by) / number)
    if least > most:
        return None
    step = (least + most) / 2
    return [step * frame.number for frame in frames]


def _quality(frame: Fingerprint) -> int:
    """A hash without a quality is as good as any, here."""
    return _MAX_QUALITY if frame.quality is None else frame.quality


def _seconds(frame: Fingerprint) -> str:
    whole, part = divmod(frame.time_ms or 0, 1000)
    return f"{whole}.{part:03}"
