"""vPDQ: its files in and out, its comparison, and how close our hashes are to the published."""

import csv
import io
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashsvc.errors import MediaError, MediaTooLarge, MediaUnreadable
from hashsvc.media import Recipe, fingerprint_file, vpdq
from hashsvc.model import Algorithm, Decoding, Fingerprint
from tests.harness import flip
from tests.media.making import distance

HASH = "0f" * 32
SAMPLES = (
    "chair-20-sd-bar",
    "doorknob-hd-no-bar",
    "pattern-sd-grey-bar",
    "pattern-sd-with-large-logo-bar",
    "test-padded-dimensions",
)

frames = st.lists(
    st.builds(
        Fingerprint,
        st.just(Algorithm.PDQ),
        st.binary(min_size=32, max_size=32),
        st.integers(0, 100),
        st.integers(0, 10**9),
    ),
    min_size=1,
    max_size=20,
).map(lambda found: sorted(found, key=lambda one: one.time_ms or 0))


def frame(seed: int, time_ms: int = 0, quality: int | None = 100) -> Fingerprint:
    """A frame with a made-up hash, that of the seed."""
    return Fingerprint(Algorithm.PDQ, random.Random(seed).randbytes(32), quality, time_ms)


def older_json(found: list[Fingerprint]) -> str:
    """The form of an object by frame number."""
    return json.dumps(
        {
            str(number): {
                "quality": one.quality,
                "hash": one.value.hex(),
                "timestamp": (one.time_ms or 0) / 1000,
            }
            for number, one in enumerate(found)
        }
    )


@pytest.mark.parametrize("write", [vpdq.to_text, vpdq.to_json, older_json])
@settings(max_examples=50, deadline=None)
@given(found=frames)
def test_what_is_written_is_read(
    write: Callable[[list[Fingerprint]], str], found: list[Fingerprint]
) -> None:
    """To the bit and the millisecond, whatever the form.

    In the older form times may have few digits, and then be taken for those of even spacing.
    """
    read = vpdq.parse(write(found).encode())
    assert [(one.value, one.quality) for one in read] == [(f.value, f.quality) for f in found]
    if write is not older_json:
        assert list(read) == found


NOT_PDQ = Fingerprint(Algorithm.SHA256, bytes(32))


def test_only_frames_the_right_way_round_are_written() -> None:
    """In the order of time, counted from 0; digests and mirrored forms are no part of vPDQ."""
    mirrored = Fingerprint(Algorithm.PDQ, bytes(32), 100, 0, variant="flip_horizontal")
    fast = Fingerprint(Algorithm.PDQ, b"\1" * 32, None, 70_000, Decoding.FAST)
    written = vpdq.to_text([NOT_PDQ, fast, mirrored, frame(1, 33, 7)])
    assert written == f"0,7,{frame(1).value.hex()},0.033\n1,100,{'01' * 32},70.000\n"
    with pytest.raises(ValueError, match="no PDQ of frames"):
        vpdq.to_json([NOT_PDQ, mirrored])
    with pytest.raises(ValueError, match="PDQ without a time"):
        vpdq.to_text([frame(1), Fingerprint(Algorithm.PDQ, bytes(32))])


def test_files_of_others_may_look_a_little_different() -> None:
    """Marks and line ends of other systems, gaps in the numbers, upper case, finer times."""
    text = f"\ufeff0,100,{HASH},0.000\r\n\r\n25, 9,{HASH.upper()},1.0006\r\n50,9,{HASH},1e+02"
    assert [(f.time_ms, f.quality) for f in vpdq.parse(text.encode())] == [
        (0, 100),
        (1001, 9),
        (100_000, 9),
    ]
    assert vpdq.read(io.BytesIO(f'\n ["{HASH},5,0.25"]'.encode()))[0].time_ms == 250


@pytest.mark.parametrize(
    ("step_s", "count"), [(1.0, 20_000), (1001 / 30000, 40_000), (1001 / 1000, 8_000), (0.04, 600)]
)
def test_times_that_others_round_are_found_again(step_s: float, count: int) -> None:
    """Those of evenly spaced frames, by the three digits of the Python library or the older tool.

    Even where frames are left out, if the numbers that they had are there.
    """
    said = [f"{HASH},100,{number * step_s:.3}" for number in range(count)]
    read = vpdq.parse(json.dumps(said).encode())
    assert max(abs((f.time_ms or 0) - i * step_s * 1000) for i, f in enumerate(read)) <= 10
    kept = range(0, count, 7)
    text = "".join(_line(number, time=f"{number * step_s:.3g}") for number in kept)
    read = vpdq.parse(text.encode())
    assert (
        max(abs((f.time_ms or 0) - i * step_s * 1000) for i, f in zip(kept, read, strict=True))
        <= 10
    )


def test_times_that_are_not_even_are_taken_as_they_are() -> None:
    """So are those of a file that starts later, and of one with more digits."""
    for times in (
        ["0", "10", "20", "40"],
        ["50", "60"],
        ["0", "0", "10"],
        ["0.0", "20.433", "40.9"],
        ["0", "3.33", "6.67"],
    ):
        said = json.dumps([f"{HASH},100,{time}" for time in times])
        assert [f.time_ms for f in vpdq.parse(said.encode())] == [
            round(float(time) * 1000) for time in times
        ]


def _line(number: object = 0, quality: object = 1, value: str = HASH, time: str = "0.000") -> str:
    return f"{number},{quality},{value},{time}\n"


BAD: dict[str, tuple[str, str]] = {
    "nothing": ("", "it holds no frames"),
    "empty lines": ("\n \n", "it holds no frames"),
    "an empty array": ("[]", "it holds no frames"),
    "another file": ("hello", "line 1: is not frame,quality,hash,seconds"),
    "a column more": (_line() + "1,1," + HASH + ",1,", "line 2: is not frame,quality"),
    "not ASCII": ("0,1,\u0660", "other characters than ASCII"),
    "no number": (_line("x"), "line 1: the number of the frame is not a whole"),
    "a number below 0": (_line(-1), "line 1: the number of the frame"),
    "a long number": (_line("9" * 5000), "line 1: the number of the frame"),
    "a quality": (_line() + _line(1, 101), "line 2: the quality is not a whole number from 0 to"),
    "a fraction": (_line(0, "1.0"), "line 1: the quality"),
    "a short hash": (_line(0, 1, HASH[1:]), "line 1: the hash does not have 64 hexadecimal"),
    "spaces in a hash": (_line(0, 1, "0 " * 32), "line 1: the hash"),
    "no time": (_line(time=""), "line 1: the time is not in seconds, such as 20.433"),
    "a time below 0": (_line(time="-1"), "line 1: the time"),
    "an endless time": (_line(time="inf"), "line 1: the time"),
    "a great time": (_line(time="1e99"), "line 1: the time"),
    "two videos": (_line(0, time="0") + _line(1, time="9") + _line(2, time="1"), "line 3: is not"),
    "two first frames": (_line() + _line(), "line 2: is not after the frame before it; a file"),
    "half JSON": ('["', "line 1, column 2: Unterminated string"),
    "a wide NUL": ("[\0\n\0", "line 1, column 2: "),
    "depth": ("[" * 100_000, "nested too deeply"),
    "other texts": ('["0,0,0,0"]', "frame 1: is not a text hash,quality,seconds"),
    "no texts": (f'["{HASH},1,0", 7]', "frame 2: is not a text"),
    "a bad text": (f'["{HASH},1,NaN"]', "frame 1: the time"),
    "an older frame": ('{"0": {"quality": 1}}', "frame 1: is not an object of quality, hash and"),
    "an older list": ('{"0": []}', "frame 1: is not an object"),
    "a list for a hash": (
        '{"0": {"quality": 1, "hash": [], "timestamp": 0}}',
        "frame 1: the hash does not",
    ),
    "a frame twice": ('{"0": 1, "0": 1}', "a frame, or a field of one, is there twice"),
    "a word for a number": (
        '{"a": {"quality": 1, "hash": "' + HASH + '", "timestamp": 0}}',
        "frame 1: the number",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_named(case: str) -> None:
    """By line, or by frame, and no hash is shown."""
    data, told = BAD[case]
    with pytest.raises(MediaUnreadable) as caught:
        vpdq.parse(data.encode())
    assert told in str(caught.value)
    assert str(caught.value).startswith("is no vPDQ file: ")
    assert len(str(caught.value)) < 150
    assert HASH not in str(caught.value)


@settings(max_examples=200, deadline=None)
@given(
    data=st.binary(max_size=200)
    | st.text('[]{}",:0123456789abcdef.\n e-\\u', max_size=200).map(str.encode)
    | st.builds(
        lambda found, form, at, junk: form(found).encode()[:at] + junk + form(found).encode()[at:],
        frames,
        st.sampled_from([vpdq.to_text, vpdq.to_json, older_json]),
        st.integers(0, 2000),
        st.binary(max_size=3),
    )
)
def test_junk_is_read_or_refused(data: bytes) -> None:
    """Whatever it is, nothing else is raised; what is read can be written."""
    try:
        read = vpdq.parse(data)
    except MediaError:
        return
    assert vpdq.parse(vpdq.to_text(read).encode()) == read


def test_sizes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes, frames, and parts of JSON, which take more memory than they look like."""
    monkeypatch.setattr(vpdq, "MAX_FRAMES", 3)
    most = [frame(seed, seed) for seed in range(3)]
    for write in (vpdq.to_text, vpdq.to_json, older_json):
        assert len(vpdq.parse(write(most).encode())) == 3
        with pytest.raises(MediaTooLarge, match="more than the 3 frames"):
            vpdq.parse(write([*most, frame(9, 9)]).encode())
    monkeypatch.setattr(vpdq, "_MAX_PARTS", 18)
    assert len(vpdq.parse(older_json(most).encode())) == 3
    with pytest.raises(MediaTooLarge, match="frames"):
        vpdq.parse(b"[" + b"{}," * 20)
    with Path("/dev/zero").open("rb") as endless, pytest.raises(MediaTooLarge, match="bytes"):
        vpdq.read(endless)


def test_the_percentages_of_two_videos() -> None:
    """Of each side's different frames of good quality, how many are near one of the other's."""
    one, two, three = (frame(seed) for seed in range(3))
    near = Fingerprint(Algorithm.PDQ, flip(one.value, 31), 50)
    poor = frame(7, quality=49)
    unstated = frame(8, quality=None)
    query = [one, one, two, poor, unstated]
    compared = [three, near, poor, frame(9), unstated]
    assert vpdq.compare(query, compared) == vpdq.Shares(200 / 3, 50.0)
    assert vpdq.compare(query, compared, repeats=True) == vpdq.Shares(75.0, 50.0)
    assert vpdq.compare(query, compared, distance=30) == vpdq.Shares(100 / 3, 25.0)
    assert vpdq.compare([one], [poor], quality=0).query_percent == 0
    assert vpdq.compare([poor], [poor], quality=49).query_percent == 100
    assert vpdq.compare([poor], [one]) == vpdq.compare([], [one]) == vpdq.Shares(0, 0)


def test_large_videos_are_compared_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what one comparison gives."""
    some = [frame(seed) for seed in range(50)]
    others = [frame(seed) for seed in range(40, 47)]
    monkeypatch.setattr(vpdq, "_MAX_DISTANCES", 20)
    assert vpdq.compare(some, others) == vpdq.Shares(14.0, 100.0)


@pytest.fixture(scope="module")
def published(shared_media: Path) -> Path:
    """The folder of the published videos and their hashes."""
    return shared_media / "vectors" / "vpdq"


def reference(published: Path, name: str) -> tuple[Fingerprint, ...]:
    """The published hashes of a video."""
    return vpdq.parse((published / "sample-hashes" / f"{name}.txt").read_bytes())


def test_published_files_come_out_as_they_went_in(published: Path) -> None:
    """Each of the published files, byte by byte; and by way of JSON."""
    files = sorted((published / "sample-hashes").glob("*.txt"))
    assert len(files) >= 12
    for file in files:
        read = vpdq.parse(file.read_bytes())
        assert vpdq.to_text(read) == file.read_text()
        assert vpdq.parse(vpdq.to_json(read).encode()) == read


@pytest.mark.parametrize(
    ("query", "compared", "query_percent", "compared_percent"),
    [
        ("chair-22-with-large-logo-bar", "chair-20-sd-bar", 11.04199067, 10.52631579),
        ("chair-orig-22-sd-bar", "chair-20-sd-bar", 98.64048338, 100),
        ("chair-orig-22-sd-bar", "chair-22-with-large-logo-bar", 10.27190332, 11.04199067),
        ("pattern-sd-grey-bar", "pattern-sd-with-large-logo-bar", 0.99009901, 1.00502513),
        ("pattern-sd-grey-bar", "pattern-hd-no-bar", 0, 0),
        ("chair-20-sd-bar-128x128", "chair-20-sd-bar", 100, 100),
    ],
)
def test_percentages_are_those_of_the_python_library(
    published: Path, query: str, compared: str, query_percent: float, compared_percent: float
) -> None:
    """The figures are what the brute-force matcher of threatexchange 1.2.17 gave for these."""
    found = vpdq.compare(reference(published, query), reference(published, compared))
    assert found.query_percent == pytest.approx(query_percent)
    assert found.compared_percent == pytest.approx(compared_percent)


@pytest.fixture(scope="module")
def ours(published: Path) -> dict[str, list[Fingerprint]]:
    """Our hashes of every frame of the published videos."""
    return {
        name: vpdq.frames_of(
            fingerprint_file(
                published / "videos" / f"{name}.mp4", recipe=Recipe(rate=60.0)
            ).fingerprints
        )
        for name in SAMPLES
    }


@pytest.mark.parametrize("name", SAMPLES)
def test_our_hashes_are_the_published_ones(
    published: Path, ours: dict[str, list[Fingerprint]], name: str
) -> None:
    """Frame by frame: as many, at the same times, within 31 bits where quality is good.

    Most are within the 10 that the Python library's own test allows; of the doorknob, which is
    nearly flat, it does not reach that on every decoder either.
    """
    known, made = reference(published, name), ours[name]
    assert [f.time_ms for f in made] == [f.time_ms for f in known]
    good = [
        distance(one.value, other.value)
        for one, other in zip(made, known, strict=True)
        if min(one.quality or 0, other.quality or 0) >= vpdq.QUALITY
    ]
    assert max(good) <= vpdq.DISTANCE
    shares = vpdq.compare(made, known)
    if name.startswith("doorknob"):
        # Frames of quality 49 to one decoder are of 50 to the other.
        assert min(shares.query_percent, shares.compared_percent) > 95
    else:
        assert max(good) < 10
        assert shares == vpdq.Shares(100, 100)


def test_our_percentages_are_the_published_ones(
    published: Path, ours: dict[str, list[Fingerprint]]
) -> None:
    """Of our hashes of one video against published ones of another, to two in a hundred frames."""
    for name, other in (
        ("chair-20-sd-bar", "chair-22-with-large-logo-bar"),
        ("chair-20-sd-bar", "chair-orig-22-sd-bar"),
        ("pattern-sd-grey-bar", "pattern-sd-with-large-logo-bar"),
    ):
        found = vpdq.compare(ours[name], reference(published, other))
        known = vpdq.compare(reference(published, name), reference(published, other))
        assert found.query_percent == pytest.approx(known.query_percent, abs=2)
        assert found.compared_percent == pytest.approx(known.compared_percent, abs=2)


def test_a_hash_a_second_is_that_of_the_python_library(published: Path) -> None:
    """Of the clip that its own test hashes so, which asks for 100 % both ways."""
    with (published / "chair-20_one_per_second_expected.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    said = [f"{row['pdq']},{row['quality']},{float(row['second']):.3}" for row in rows]
    expected = vpdq.parse(json.dumps(said).encode())
    path = published / "videos" / "chair-20-sd-bar.mp4"
    made = vpdq.frames_of(fingerprint_file(path, recipe=Recipe(rate=1.0)).fingerprints)
    assert [f.time_ms for f in made] == [f.time_ms for f in expected]
    assert vpdq.compare(made, expected) == vpdq.Shares(100, 100)
