"""`python -m benchmarks NAME`: one question each."""

import argparse
from typing import Protocol

from benchmarks import index


class Benchmark(Protocol):
    """What a module of this package offers."""

    HELP: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the arguments."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Measure and print; the exit status."""


BENCHMARKS: dict[str, Benchmark] = {
    "index": index,
}


def main() -> int:
    """Run the benchmark that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="name", required=True)
    for name, module in BENCHMARKS.items():
        module.add_arguments(commands.add_parser(name, help=module.HELP, description=module.HELP))
    arguments = parser.parse_args()
    return BENCHMARKS[arguments.name].run(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
