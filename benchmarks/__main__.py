"""`python -m benchmarks NAME`: one question each."""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from benchmarks import (
    contribute,
    digests,
    fairness,
    freshness,
    hashing,
    index,
    latency,
    noise,
    propagation,
    report,
    results,
    robustness,
    start,
    video,
)


class Benchmark(Protocol):
    """What a module of this package offers.

    It may also have `plot(rows, folder)`, which writes pictures of rows and returns their paths.
    """

    HELP: str
    SMALL: Sequence[str]
    """Arguments for a run that takes less than a minute."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the arguments that only this benchmark has."""

    def run(self, arguments: argparse.Namespace) -> list[report.Row]:
        """Measure; a `recall` below 1 or a `wrong` above 0 in a row makes the run fail.

        Not in a row that says `exact` False. `arguments.watch.probe()` looks at the noise of the
        machine; a long run should call it now and then, between measurements.
        """


BENCHMARKS: dict[str, Benchmark] = {
    "index": index,
    "digests": digests,
    "contribute": contribute,
    "latency": latency,
    "start": start,
    "freshness": freshness,
    "propagation": propagation,
    "fairness": fairness,
    "hashing": hashing,
    "video": video,
    "robustness": robustness,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark that the command line names; exit status 1 for a wrong answer."""
    argv = sys.argv[1:] if argv is None else argv
    arguments = _parser().parse_args(argv)
    if arguments.name == "results":
        print(results.write(arguments.out, arguments.files, BENCHMARKS))
        return 0
    run = report.run_facts(arguments.name, _without_json(argv))
    run["environment"] = report.environment(arguments.seed)
    report.print_environment(run["environment"])
    watch = noise.Watch()
    noise.print_warnings(watch.facts())
    if arguments.name == "all":
        rows = [
            {"benchmark": name, **row}
            for name, module in BENCHMARKS.items()
            for row in _run(name, module, _small(module, arguments.seed), watch)
        ]
    else:
        rows = _run(arguments.name, BENCHMARKS[arguments.name], arguments, watch)
    watch.probe()
    run["noise"] = watch.facts()
    print(f"\nnoise: {noise.line_of(run['noise'])}")
    noise.print_warnings(run["noise"])
    report.write_json(arguments.json, run, rows)
    return int(any(map(_is_wrong, rows)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="name", required=True)
    for name, module in BENCHMARKS.items():
        command = commands.add_parser(name, help=module.HELP, description=module.HELP)
        module.add_arguments(command)
        report.add_common_arguments(command)
    summary = "all of these, each with a small load"
    report.add_common_arguments(commands.add_parser("all", help=summary, description=summary))
    command = commands.add_parser("results", help=results.HELP, description=results.HELP)
    command.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="made if missing"
    )
    command.add_argument("files", type=Path, nargs="+", metavar="FILE", help="written by --json")
    return parser


def _without_json(argv: Sequence[str]) -> list[str]:
    """The arguments that say what was measured."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--json")
    return parser.parse_known_args(argv)[1]


def _small(module: Benchmark, seed: int) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    report.add_common_arguments(parser)
    return parser.parse_args([*module.SMALL, "--seed", str(seed)])


def _run(
    name: str, module: Benchmark, arguments: argparse.Namespace, watch: noise.Watch
) -> list[report.Row]:
    print(f"\n{name}: {module.HELP}\n")
    arguments.watch = watch
    rows = module.run(arguments)
    report.print_tables(rows)
    return rows


def _is_wrong(row: report.Row) -> bool:
    if not row.get("exact", True):
        return False
    recall = row.get("recall")
    return bool(row.get("wrong")) or (recall is not None and recall < 1)


if __name__ == "__main__":
    # A plain SIGTERM would leave the processes that a benchmark started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    raise SystemExit(main())
