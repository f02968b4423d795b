"""What the benchmark of distances says, and that the code has what it says."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.calibration import CURVES, TAILS, Shelf, fitted
from benchmarks.gallery import load
from hashsvc import calibration
from hashsvc.demo import samples
from hashsvc.model import Algorithm
from tests.benchmarks.running import rows_of


def test_calibration_has_a_tail_and_a_curve_of_each_look(tmp_path: Path) -> None:
    """What is found rises with the distance, and so does what errs."""
    folders = ("--known", str(samples.KNOWN), "--unrelated", str(samples.UNRELATED))
    edits = ("--edited", "2", "--edits", "blur,mirror")
    rows = rows_of(tmp_path, "calibration", *folders, *edits)
    tails = [row for row in rows if row["table"] == TAILS and row["pictures"] == "edited"]
    assert {row["algorithm"] for row in tails} == {"pdq", "phash", "dhash", "whash"}
    assert {row["look"] for row in tails} >= {"original", "turned"}
    for look in ("original", "turned"):
        curve = [
            row
            for row in rows
            if (row["table"], row["algorithm"], row["look"]) == (CURVES, "pdq", look)
            and (row["pictures"], row["quality"]) == ("edited", "100")
        ]
        for column in ("found", "fitted_per_million"):
            assert [row[column] for row in curve] == sorted(row[column] for row in curve)
        assert curve[-1]["found"] == 1


def test_a_tail_goes_on_as_what_it_is_fitted_to() -> None:
    """Of distances that fall off by a factor e each 4 bits, so does what is beyond them."""
    rng = np.random.default_rng(1)
    distances = (100 - rng.exponential(4, 200_000)).astype(np.int64)
    tail = fitted(distances)
    assert tail.scale == pytest.approx(4, rel=0.1)
    assert tail.rate(50) == pytest.approx(np.exp(-50 / 4), rel=3)
    assert tail.rate(tail.radius(1e-9)) <= 1e-9 < tail.rate(tail.radius(1e-9) + 1)


def test_the_code_promises_no_more_than_is_measured(shared_media: Path) -> None:
    """Within each distance the share of different pictures is about what is kept of it, or less."""
    pictures = load(shared_media / "images", shared_media / "images", 100)
    for (name, _, _), pile in Shelf(pictures.known).pairs().items():
        algorithm, different = Algorithm(name), np.concatenate(pile.different)
        kept = calibration.UNRELATED[algorithm]
        for bits in range(int(kept.start)):
            expected = kept.rate(bits) * len(different)
            assert np.sum(different <= bits) <= 3 * expected + 3, (name, bits)
        assert different.min() > calibration.radius(algorithm, 8 * algorithm.bits // 64)
