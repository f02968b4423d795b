"""Radius search: HammingIndex beside other exact engines and approximate ones.

All engines are in one process, use one thread, hold the same codes and get the same queries one at
a time, in turns of twenty. Of 100 queries 99 hit nothing and one is a stored code with bits
flipped, up to the radius: 31 for 256 bits (PDQ), 8 for 64 bits. Of clustered codes every second
query is such a one, as the hard case. 200 more near stored codes are asked without a clock, so that
recall is of more than a few. Every answer is checked against brute force. An exact engine must find
everything and nothing else; what the approximate ones find is their recall, and a graph finds 64
hits at most.

`cold_us` is the median of the first query of each turn, when the caches are full of what the others
read. `bytes_per_code` is memory for hashsvc and numpy, and the size of the saved index for others,
which FAISS MultiHash and usearch unfold to several times as much memory. `open_s` reads what was
just saved. The second table is hashsvc alone: the same queries while the index rests, while another
thread adds single codes as fast as it can, and while a segment of a third as many codes is merged
with the rest; and opened from its files.
"""

import argparse
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import measuring, motion, peers, plots, report
from benchmarks.corpora import CORPORA, queries_of
from benchmarks.datasets import BITS, RADIUS, Codes, planted, truth_of
from benchmarks.engines import KINDS, OURS, Kind, faiss

HELP = "radius search over binary codes, beside FAISS, threatexchange, usearch and numpy"
SMALL: Sequence[str] = ("--n", "10000,30000", "--queries", "100")

RADII = {BITS: RADIUS, 64: 8}
_RECALLED = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this benchmark."""
    sizes = "sizes of the index, with commas between (default 10000,100000)"
    parser.add_argument("--n", default="10000,100000", metavar="N,...", help=sizes)
    corpora = f"kinds of codes, of {', '.join(CORPORA)} (default uniform)"
    parser.add_argument("--corpus", default="uniform", metavar="KIND,...", help=corpora)
    parser.add_argument("--queries", type=int, default=300, help="queries a size (default 300)")
    radii = ", ".join(f"{bits} (radius {radius})" for bits, radius in RADII.items())
    bits = f"length of a code: {radii} (default {BITS})"
    parser.add_argument("--bits", type=int, choices=RADII, default=BITS, help=bits)
    names = f"of {', '.join(KINDS)} (default all; {OURS} always runs)"
    parser.add_argument("--engines", default=",".join(KINDS), metavar="NAME,...", help=names)


def run(arguments: argparse.Namespace) -> list[report.Row]:
    """Measure every corpus and size."""
    corpora = _chosen("--corpus", arguments.corpus, CORPORA)
    names = _chosen("--engines", arguments.engines, KINDS)
    rows: list[report.Row] = []
    # A team of threads slows single queries down.
    faiss.omp_set_num_threads(1)
    for corpus in corpora:
        for size in map(int, arguments.n.split(",")):
            arguments.watch.probe()
            rng = np.random.default_rng(arguments.seed)
            report.note(f"{size:,} {corpus} codes of {arguments.bits} bits")
            kinds = _suitable(names, size, arguments.bits)
            rows += measure(corpus, size, arguments.bits, kinds, arguments.queries, rng)
    return rows


def measure(
    corpus: str,
    size: int,
    bits: int,
    kinds: Sequence[Kind],
    queries: int,
    rng: np.random.Generator,
) -> list[report.Row]:
    """Build, search, then change every engine at one size; then ours in motion."""
    radius = RADII[bits]
    draw = CORPORA[corpus](bits, rng)
    codes = draw(size)
    asked = queries_of(corpus, draw, codes, queries, radius, rng)
    facts: report.Row = {"corpus": corpus, "bits": bits, "n": size}
    rows = _measure_engines(facts, kinds, codes, asked, rng)
    report.note("hashsvc in motion")
    moved = motion.measure(codes, draw(size // 3 + 1), asked, radius)
    return [*rows, {report.TABLE: motion.TABLE, **facts, **moved}]


def plot(rows: Sequence[report.Row], folder: Path) -> list[Path]:
    """Latency by size, recall by latency at the greatest size, and bytes, for each corpus."""
    engines = [row for row in rows if report.TABLE not in row]
    made: list[Path] = []
    for corpus, bits in dict.fromkeys((row["corpus"], row["bits"]) for row in engines):
        some = [row for row in engines if (row["corpus"], row["bits"]) == (corpus, bits)]
        stem, what = f"index-{corpus}-{bits}", f"{corpus} codes of {bits} bits"
        for percentile in ("p50", "p99"):
            path = folder / f"{stem}-{percentile}.svg"
            title = f"Latency of one query, {what}"
            made.append(plots.by_size(some, f"{percentile}_us", title, path))
        greatest = max(row["n"] for row in some)
        last = [row for row in some if row["n"] == greatest]
        title = f"{greatest:,} {what}"
        made.append(plots.recall(last, title, folder / f"{stem}-recall.svg"))
        made.append(plots.bars(last, "bytes_per_code", title, folder / f"{stem}-bytes.svg"))
    return made


def _measure_engines(
    facts: report.Row,
    kinds: Sequence[Kind],
    codes: Codes,
    asked: Codes,
    rng: np.random.Generator,
) -> list[report.Row]:
    """A row for each engine, ours first."""
    bits, size = facts["bits"], facts["n"]
    radius = RADII[bits]
    makes = [partial(kind.make, bits, radius) for kind in kinds]
    engines = [engine for make in makes if (engine := peers.available(make)) is not None]
    builds = measuring.built(engines, codes)
    near = planted(np.resize(asked, (_RECALLED, asked.shape[1])), 1, codes, radius, rng)
    truth = truth_of(codes, np.concatenate([asked, near]), radius)
    times, answers = measuring.interleave(engines, asked, rng)
    rows = []
    for build_s, own, answer in zip(builds, times, answers, strict=True):
        # Taken out, so that its memory is free for what comes after it.
        engine = engines.pop(0)
        report.note(f"changing {engine.name}")
        answer += [engine.search(near[row : row + 1]) for row in range(len(near))]
        bytes_per_code, open_s = measuring.kept(engine, size)
        rows.append(
            {
                "engine": engine.name,
                **facts,
                **measuring.row_of(engine, own, times[0], truth, answer),
                "batch256_us_per_query": measuring.batch_us(engine, asked),
                "build_s": build_s,
                "add_us": measuring.add_us(engine, size, bits, rng),
                "remove_us": measuring.remove_us(engine, rng.permutation(size)),
                "bytes_per_code": bytes_per_code,
                "open_s": open_s,
            }
        )
    return rows


def _chosen(option: str, text: str, known: Mapping[str, object]) -> list[str]:
    """The names in an argument, in the order in which they are known."""
    names = text.split(",")
    for name in names:
        if name not in known:
            raise SystemExit(f"{option}: {name} is none of {', '.join(known)}")
    return [name for name in known if name in names]


def _suitable(names: Sequence[str], size: int, bits: int) -> list[Kind]:
    """The engines for this size and length, ours first; says which others are left out."""
    suitable = {
        name: kind
        for name, kind in KINDS.items()
        if name == OURS
        or (name in names and kind.bits in (None, bits) and size <= (kind.largest or size))
    }
    left_out = [name for name in KINDS if name not in suitable]
    if left_out:
        report.note(f"left out: {', '.join(left_out)}")
    return list(suitable.values())
