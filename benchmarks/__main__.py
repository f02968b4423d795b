"""`python -m benchmarks NAME`: one question each."""

import argparse
import signal
import sys
from collections.abc import Sequence
from typing import Protocol

from benchmarks import contribute, freshness, hashing, index, latency, report, start


class Benchmark(Protocol):
    """What a module of this package offers."""

    HELP: str
    SMALL: Sequence[str]
    """Arguments for a run that takes less than a minute."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the arguments that only this benchmark has."""

    def run(self, arguments: argparse.Namespace) -> list[report.Row]:
        """Measure; a `recall` below 1 or a `wrong` above 0 in a row makes the run fail."""


BENCHMARKS: dict[str, Benchmark] = {
    "index": index,
    "contribute": contribute,
    "latency": latency,
    "start": start,
    "freshness": freshness,
    "hashing": hashing,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark that the command line names; exit status 1 for a wrong answer."""
    arguments = _parser().parse_args(argv)
    facts = report.environment(arguments.seed)
    report.print_environment(facts)
    if arguments.name == "all":
        rows = [
            {"benchmark": name, **row}
            for name, module in BENCHMARKS.items()
            for row in _run(name, module, _small(module, arguments.seed))
        ]
    else:
        rows = _run(arguments.name, BENCHMARKS[arguments.name], arguments)
    report.write_json(arguments.json, facts, rows)
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
    return parser


def _small(module: Benchmark, seed: int) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    report.add_common_arguments(parser)
    return parser.parse_args([*module.SMALL, "--seed", str(seed)])


def _run(name: str, module: Benchmark, arguments: argparse.Namespace) -> list[report.Row]:
    print(f"\n{name}: {module.HELP}\n")
    rows = module.run(arguments)
    report.print_table(rows)
    return rows


def _is_wrong(row: report.Row) -> bool:
    recall = row.get("recall")
    return bool(row.get("wrong")) or (recall is not None and recall < 1)


if __name__ == "__main__":
    # A plain SIGTERM would leave the processes that a benchmark started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    raise SystemExit(main())
