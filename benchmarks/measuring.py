"""Times and answers of engines, all alike, whatever they hold.

Queries go one at a time, twenty by one engine before they are the next one's, so that all see the
same moments of the machine. `cold_us` is the first of each twenty, when the caches are full of what
the others read.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import numpy.typing as npt

from benchmarks import report
from benchmarks.datasets import Codes, Found, make_codes, score
from benchmarks.engines import Batching, Engine, Removing, Storing, Weighing

# Queries that an engine answers before it is the turn of the next.
ROUND = 20
_CHANGES = 20
_BATCH = 256
_BATCHES = 3


def built(engines: Sequence[Engine], codes: Codes) -> list[float]:
    """Add all codes to each; seconds."""
    times = []
    for engine in engines:
        report.note(f"building {engine.name} of {len(codes):,}")
        times.append(report.seconds(partial(engine.add, 0, codes)))
    return times


def interleave(
    engines: Sequence[Engine], asked: Codes, rng: np.random.Generator
) -> tuple[list[list[float]], list[list[Found]]]:
    """Seconds and answers, for each engine and query."""
    times: list[list[float]] = [[] for _ in engines]
    answers: list[list[Found]] = [[] for _ in engines]
    for engine in engines:
        engine.search(asked[:1])
    for first in range(0, len(asked), ROUND):
        # A new order each time: whoever follows the engine that empties the caches pays for it.
        for number in rng.permutation(len(engines)):
            for row in range(first, min(first + ROUND, len(asked))):
                start = perf_counter()
                answer = engines[number].search(asked[row : row + 1])
                times[number].append(perf_counter() - start)
                answers[number].append(answer)
    return times, answers


def row_of(
    engine: Engine,
    times: Sequence[float],
    ours: Sequence[float],
    truth: Sequence[Found],
    answers: Sequence[Found],
) -> report.Row:
    """What `interleave` says of an engine; `ours` are the times to compare with."""
    p50, p99 = (report.percentile_us(times, percent) for percent in (50, 99))
    return {
        "exact": engine.is_exact,
        **score(truth, answers),
        "p50_us": p50,
        "p99_us": p99,
        "cold_us": report.percentile_us(times[::ROUND], 50),
        "p50_to_ours": p50 / report.percentile_us(ours, 50),
        "p99_to_ours": p99 / report.percentile_us(ours, 99),
    }


def batch_us(engine: Engine, asked: Codes) -> float | None:
    """A query's share of a call with 256, the median of three, if the engine has such a call."""
    if not isinstance(engine, Batching):
        return None
    many = np.resize(asked, (_BATCH, asked.shape[1]))
    times = [report.seconds(partial(engine.batch, many)) for _ in range(_BATCHES)]
    return report.percentile_us(times, 50) / len(many)


def kept(engine: Engine, size: int) -> tuple[float | None, float | None]:
    """Bytes for each of `size` codes, and seconds to open what was saved.

    The bytes are those in memory where the engine knows them, else those of the file, which some
    engines unfold to several times as many. The file was just written, so no disk is read.
    """
    nbytes = engine.nbytes if isinstance(engine, Weighing) else None
    open_s = None
    if isinstance(engine, Storing):
        with TemporaryDirectory() as name:
            folder = Path(name)
            engine.save(folder)
            if nbytes is None:
                nbytes = sum(file.stat().st_size for file in folder.iterdir())
            open_s = report.seconds(partial(engine.open, folder))
    return None if nbytes is None else nbytes / size, open_s


def add_us(engine: Engine, size: int, bits: int, rng: np.random.Generator) -> float:
    """Median of adding one code; the growth of buffers comes before."""
    fresh = make_codes(_CHANGES + 1, rng, bits)
    times = [
        report.seconds(partial(engine.add, size + row, fresh[row : row + 1]))
        for row in range(len(fresh))
    ]
    return report.percentile_us(times[1:], 50)


def remove_us(engine: Engine, keys: npt.NDArray[np.int64]) -> float | None:
    """Median of removing one key, if the engine can."""
    if not isinstance(engine, Removing):
        return None
    times = [report.seconds(partial(engine.remove, key)) for key in keys[:_CHANGES].tolist()]
    return report.percentile_us(times, 50)
