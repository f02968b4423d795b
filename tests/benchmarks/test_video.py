"""The benchmark of videos on small clips made here: what it says is asserted, times never are."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import video_sampling, video_steps
from benchmarks.__main__ import main
from benchmarks.edits import Material, catalogue
from benchmarks.footage import (
    Film,
    Overlap,
    Pixels,
    Shown,
    decoded,
    encoded,
    joined,
    overlaps,
    part,
    retimed,
)
from benchmarks.video_cases import Known, Upload, judge
from benchmarks.video_engines import Answer, Segment, Vpdq
from benchmarks.video_sampling import EDITS, thinned
from hashsvc.model import Algorithm, Fingerprint
from tests.benchmarks.running import rows_of

WIDTH, HEIGHT, RATE, BITS = 128, 64, 10.0, 8


def clock(content: str, seconds: float, mark: int) -> Film:
    """A film whose columns tell the number of a frame in binary, and whose last tells the film."""

    def play() -> Iterator[Pixels]:
        for number in range(round(seconds * RATE)):
            values = [(number >> bit & 1) * 255 for bit in range(BITS - 1)] + [mark]
            columns = np.repeat(np.array(values, np.uint8), WIDTH // BITS)
            yield np.broadcast_to(columns[None, :, None], (HEIGHT, WIDTH, 3))

    return Film(WIDTH, HEIGHT, RATE, seconds, play, (Shown(content, 0.0, seconds),))


def told(pixels: Pixels) -> tuple[float, int]:
    """The second and the mark that a frame of a `clock` shows."""
    columns = pixels.mean(axis=(0, 2)).reshape(BITS, -1)[:, 4:-4].mean(axis=1)
    number = sum(1 << bit for bit, value in enumerate(columns[:-1]) if value > 128)
    return number / RATE, round(float(columns[-1]))


def drifting(seconds: float, seed: int) -> Film:
    """Blobs that move, different for each seed."""
    rng = np.random.default_rng(seed)
    places, speeds = rng.random((12, 2)), rng.normal(0, 0.05, (12, 2))
    down, across = np.mgrid[0:HEIGHT, 0:WIDTH] / HEIGHT

    def play() -> Iterator[Pixels]:
        for number in range(round(seconds * RATE)):
            at = places + speeds * number / RATE
            field = sum(
                np.sin(20 * np.hypot(down - y, across - 2 * x)) * (-1) ** blob
                for blob, (y, x) in enumerate(at)
            )
            grey = (128 + 30 * np.asarray(field)).clip(0, 255).astype(np.uint8)
            yield np.repeat(grey[..., None], 3, axis=2)

    return Film(WIDTH, HEIGHT, RATE, seconds, play)


TIMED = {
    "frame rate",
    "speed",
    "clip of a longer video",
    "hidden in other material",
    "compilation",
    "scenes in another order",
}


def test_an_edited_film_knows_what_it_shows() -> None:
    """Each frame of an upload's file tells the film and the second that its truth says."""
    marks = {"known": 240, "peer": 140, "": 20}
    known, peer, other = (clock(name, 12.0, mark) for name, mark in marks.items())
    material = Material(known, [peer, replace(peer, shows=known.shows[:0])], other)
    edits = [edit for edit in catalogue(other_s=14.0) if edit.name in TIMED]
    assert {edit.name for edit in edits} == TIMED
    for edit in edits:
        made = edit.make(material, np.random.default_rng(5))
        checked = 0
        for time_s, pixels in decoded(made.data()):
            second, mark = told(pixels)
            for shown in made.film.shows:
                passed = time_s - shown.at_s
                # At a cut either side may be shown, for frames are whole.
                if shown.content and 0.1 < passed < shown.seconds - 0.1:
                    assert abs(mark - marks[shown.content]) < 30, (edit, time_s)
                    assert abs(second - (shown.first_s + passed * shown.speed)) < 0.21
                    checked += 1
        assert checked >= 15, edit


def test_overlaps_of_cut_and_sped_films() -> None:
    """They are in seconds of both films, and what goes on in both is one."""
    film = clock("a", 10, 0)
    long = joined([part(film, 0, 4), part(film, 4, 6), clock("b", 5, 0)])
    upload = joined([clock("", 2, 0), retimed(part(film, 3, 3), RATE, 2.0)])
    assert overlaps(upload.shows, long.shows) == [Overlap(2.0, 3.5, 3.0, 6.0)]
    assert overlaps(upload.shows, clock("b", 9, 0).shows) == []


def test_an_edit_makes_the_same_bytes_each_time() -> None:
    """Also one by chance; another seed makes others."""
    (edit,) = (e for e in catalogue() if (e.name, e.strength) == ("dropped frames", "50 %"))
    material = Material(drifting(3, 1), [], drifting(3, 2))
    first, again, other = (
        edit.make(material, np.random.default_rng(seed)).data() for seed in (3, 3, 4)
    )
    assert first == again != other


def test_an_answer_is_held_against_the_truth() -> None:
    """An entry found too much is wrong, unless a moment of it is shown; ends are compared."""
    entries = {name: Known(bytes, [Shown(name, 0, 10)]) for name in "abcd"}
    upload = Upload(b"", [Shown("a", 5, 10), Shown("b", 15, 4), Shown("c", 19, 0.5)])
    answers = [
        Answer("a", [Segment(5.5, 9, 0.5, 4), Segment(9.5, 14, 4.5, 9), Segment(14.9, 19, 0, 4)]),
        Answer("c"),
        Answer("d"),
    ]
    judged = judge(upload, entries, answers)
    assert (judged.wanted, judged.found, judged.wrong) == (2, 1, 1)
    assert judged.errors_s == [0.75]


def test_the_vpdq_way_goes_by_shares_of_frames() -> None:
    """A clip that is most of an entry or of an upload is found, one that is half of both is not."""
    pytest.importorskip("pdqhash")
    known, other = drifting(10, 1), drifting(10, 2)
    engine = Vpdq({"known": Vpdq.hashed(encoded(known)), "other": Vpdq.hashed(encoded(other))})

    def found(*films: Film) -> list[str]:
        return [answer.entry for answer in engine.check(encoded(joined(films)))]

    assert found(known) == ["known"]
    assert found(part(known, 2, 4)) == ["known"]
    assert found(known, drifting(20, 3)) == ["known"]
    assert found(part(known, 0, 5), drifting(8, 4)) == []


def test_thinned_frames() -> None:
    """One is left out when it is like the last one kept, but never a whole second."""
    near, far = bytes(31) + b"\x03", b"\xff" * 32
    values = [bytes(32), near, near, near, near, far, far, near]
    frames = [
        Fingerprint(Algorithm.PDQ, value, 100, 250 * number) for number, value in enumerate(values)
    ]
    assert [f.time_ms for f in thinned(frames, 4, 2)] == [0, 1000, 1250, 1750]
    assert [f.time_ms for f in thinned(frames, 4, 1)] == [0, 250, 1250, 1750]
    assert [f.time_ms for f in thinned(frames, 2, 0)] == [0, 500, 1000, 1500]
    both = [f for frame in frames for f in (frame, replace(frame, value=far, variant="trimmed"))]
    assert [f.time_ms for f in thinned(both, 4, 2)] == [0, 0, 1000, 1000, 1250, 1250, 1750, 1750]


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """A folder of three clips, two of which show the same, and one that is not known."""
    folder = tmp_path / "videos"
    folder.mkdir()
    for name, film in (("a", drifting(6, 1)), ("b", drifting(6, 2)), ("c", drifting(6, 3))):
        (folder / f"{name}.mp4").write_bytes(encoded(film))
    (folder / "a2.mp4").write_bytes(encoded(part(drifting(6, 1), 0, 5)))
    lines = ["file\trole\tgroup", "a.mp4\tknown\ta", "a2.mp4\tknown\ta", "b.mp4\tknown\tb"]
    (folder / "MANIFEST.tsv").write_text("\n".join([*lines, "c.mp4\tbenign\tc\n"]))
    return folder


def test_every_part_is_measured(
    tmp_path: Path, videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of edits, of ways to sample, and of steps, each with all their columns."""
    monkeypatch.setattr(video_steps, "WIDTH", 320)
    monkeypatch.setattr(video_steps, "HEIGHT", 180)
    monkeypatch.setattr(video_steps, "cores", lambda: 1)
    monkeypatch.setattr(video_sampling, "KEEPS", ((1.0, 0), (8.0, 12)))
    names = ("plain copy", "letterbox", "other copy of it", "unrelated: clips", "unrelated: black")
    rows = rows_of(
        tmp_path,
        *("video", "--videos", str(videos), "--edits", ",".join((*names, "speed"))),
        *("--jobs", "1", "--repeat", "1", "--turns", "1", "--minute-s", "1", "--other-s", "10"),
        *("--n", "6000", "--hour-s", "120"),
    )
    edits = {(row["edit"], row["strength"]): row for row in rows if "edit" in row}
    assert {edit for edit, _ in edits} == {*names, "speed"}
    assert edits["plain copy", "crf 23"]["recall"] == 1
    assert edits["plain copy", "crf 23"]["uploads"] == 2
    assert edits["plain copy", "crf 23"]["seconds_of_error"] < 1
    assert edits["other copy of it", "as found"]["recall"] == 1
    assert edits["unrelated: clips", "as found"]["recall"] is None
    assert all(row["false_matches"] == 0 for row in edits.values())
    ways = [row for row in rows if "known_rate" in row]
    assert len({(row["known_rate"], row["distinct_bits"], row["upload"]) for row in ways}) == 10
    assert all(row["false_matches"] == 0 for row in ways)
    assert max(row["recall"] for row in ways) > 0
    dense = {row["known_rate"]: row["index_bytes_per_minute"] for row in ways}
    assert dense[1] < dense[8]
    steps = [row for row in rows if "step" in row]
    assert {row["step"].split()[0] for row in steps} == {"decode", "match"}
    assert all(row["x_realtime"] > 0 and row["ms"] > 0 for row in steps)


def test_what_is_asked_for_has_to_exist(tmp_path: Path, videos: Path) -> None:
    """An edit or a part that there is none of, and an empty folder, are refused in words."""
    with pytest.raises(SystemExit, match=r"--edits: shaken is none of .*speed"):
        main(["video", "--videos", str(videos), "--edits", "shaken"])
    with pytest.raises(SystemExit, match=r"--parts: stairs is not of edits"):
        main(["video", "--videos", str(videos), "--parts", "stairs"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match=r"--videos: no clips in .*empty"):
        main(["video", "--videos", str(tmp_path / "empty")])


def test_the_sampling_table_is_of_edits_that_there_are() -> None:
    """A name that nothing has would leave the table without it."""
    assert {(edit.name, edit.strength) for edit in catalogue()} >= EDITS
