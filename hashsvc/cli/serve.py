"""`hashsvc serve`."""

import asyncio
import gc
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hashsvc import __version__
from hashsvc.cli.options import server_extra

if TYPE_CHECKING:
    from hashsvc.config import Settings


_SWITCH_S = 0.0005


def serve(
    data: Annotated[
        Path | None, typer.Option(help="Folder for the database; made if missing.")
    ] = None,
    listen: Annotated[
        str | None, typer.Option(help="HOST:PORT (port 0: any free one) or unix:PATH.")
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(help="HOST:PORT for Prometheus to read /metrics; none if not given."),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file with settings.")] = None,
) -> None:
    """Run a node until SIGTERM or Ctrl-C."""
    load, configure = _server_parts()
    flags: dict[str, Any] = {"data": data, "listen": listen, "metrics": metrics}
    settings = load(config, {key: value for key, value in flags.items() if value is not None})
    configure(settings.log_level)
    # A bulk contribution computes in another thread: without this, checks wait 5 ms at each turn.
    sys.setswitchinterval(_SWITCH_S)
    asyncio.run(_serve(settings))


def _server_parts() -> Any:
    """Return what only the `server` extra brings."""
    with server_extra():
        import hashsvc.app  # noqa: F401 (looks whether it is there)
        from hashsvc.config import load
        from hashsvc.logs import configure
    return load, configure


async def _serve(settings: "Settings") -> None:
    from hashsvc.app import Node

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Node(settings) as node:
        # What is there now stays; to look through it for garbage would stop all calls for 0.1 s.
        gc.collect()
        gc.freeze()
        if node.metrics_url:
            print(f"metrics on {node.metrics_url}")
        print(f"hashsvc {__version__} is ready on {node.address}", flush=True)
        await stop.wait()
