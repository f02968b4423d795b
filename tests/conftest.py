"""Fixtures that all tests share."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests import databases, processes
from tests.harness import running_node
from tests.log_search import LogSearch, report

LOGS = pytest.StashKey[LogSearch]()
SEARCHED = pytest.StashKey[list[tuple[int, int, list[str]]]]()
"""What each process of the run searched: lines, hash values, and the lines that tell."""


def pytest_configure(config: pytest.Config) -> None:
    """Listen to all nodes of the run, and make their databases cheap."""
    databases.make_cheap()
    config.stash[SEARCHED] = []
    config.stash[LOGS] = processes.LOGS = LogSearch()
    config.stash[LOGS].listen()
    if config.getoption("numprocesses", None):
        _compile_once()


def _compile_once() -> None:
    """Fill the cache of compiled code, lest each process that shares the tests compile it anew."""
    from hashsvc_index.compiled import kernels

    import_module("hashsvc_index.chaining")
    kernels()


LONGEST = {"sync", "benchmarks", "demo", "cli"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what takes longest first, so that processes that share the tests end together."""
    items.sort(key=lambda item: LONGEST.isdisjoint(item.path.parts))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take what one of several processes that share the tests has searched."""
    node.config.stash[SEARCHED].append(node.workeroutput["searched"])


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run if any node logged a hash value or a key."""
    config = session.config
    search = config.stash[LOGS]
    searched = (len(search.lines), len(search.values), report(search.found()))
    config.stash[SEARCHED].append(searched)
    if hasattr(config, "workeroutput"):
        config.workeroutput["searched"] = searched
    if any(told for _, _, told in config.stash[SEARCHED]):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what was searched, and what was found."""
    lines, values, told = zip(*config.stash[SEARCHED], strict=True)
    found = [line for some in told for line in some]
    terminalreporter.write_line(
        f"{sum(lines):,} lines of logs searched for {sum(values):,} hash values: "
        + ("some tell" if found else "none tells")
    )
    for line in found:
        terminalreporter.write_line(line, red=True)


ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_media() -> Path:
    """The folder of stand-in media beside the checkout, or in HASHSVC_SHARED_MEDIA."""
    folder = Path(os.environ.get("HASHSVC_SHARED_MEDIA", ROOT.parent / "shared" / "media"))
    if not (folder / "MANIFEST.tsv").is_file():
        pytest.skip(f"needs the stand-in media, which are not in {folder}")
    return folder


@pytest.fixture
def node(tmp_path: Path) -> Iterator[str]:
    """The address of a running node with an empty store."""
    with running_node(tmp_path / "data") as address:
        yield address


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an empty PostgreSQL server of our own, without its database's name."""
    pg_bin = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)
    initdb = shutil.which("initdb") or (pg_bin and shutil.which("initdb", path=str(pg_bin)))
    if not initdb:
        pytest.skip("needs PostgreSQL's server programs (Debian: postgresql)")
    # PostgreSQL refuses to run as root.
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    folder = Path(subprocess.check_output([*as_user, "mktemp", "-d"], text=True).strip())
    pg_ctl = str(Path(initdb).with_name("pg_ctl"))
    log = tmp_path_factory.mktemp("postgres") / "initdb.log"
    with log.open("w") as output:

        def run(*command: str) -> None:
            subprocess.run([*as_user, *command], check=True, stdout=output, stderr=output, cwd="/")

        try:
            run(initdb, "-D", str(folder / "data"), "-A", "trust", "-U", "hashsvc")
            options = f"-k {folder} -c listen_addresses='' -c fsync=off"
            run(
                pg_ctl,
                "-D",
                str(folder / "data"),
                "-o",
                options,
                "-w",
                "-l",
                str(folder / "log"),
                "start",
            )
            try:
                yield f"postgresql+psycopg://hashsvc@/{{}}?host={folder}"
            finally:
                run(pg_ctl, "-D", str(folder / "data"), "-m", "immediate", "-w", "stop")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
