"""Counts the bytes between two nodes: a TCP proxy on this machine, in a thread of its own."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

_PIECE = 1 << 20


@dataclass(slots=True)
class Wire:
    """Where the proxy listens, and the bytes that went through it, both ways taken together."""

    address: str = ""
    nbytes: int = 0


@contextmanager
def counting(target: str) -> Iterator[Wire]:
    """Pass on all connections to a node at HOST:PORT, until the block ends."""
    wire = Wire()
    connections: set[asyncio.Task[None]] = set()
    loop, stop, is_open = asyncio.new_event_loop(), asyncio.Event(), threading.Event()

    async def serve() -> None:
        host, _, port = target.rpartition(":")

        async def pass_on(inside: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            connections.add(task)
            task.add_done_callback(connections.discard)
            answers, onward = await asyncio.open_connection(host, int(port))
            try:
                await asyncio.gather(_pump(inside, onward, wire), _pump(answers, back, wire))
            finally:
                onward.close()
                back.close()

        server = await asyncio.start_server(pass_on, "127.0.0.1", 0)
        wire.address = "{}:{}".format(*server.sockets[0].getsockname())
        is_open.set()
        await stop.wait()
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), name="wire")
    thread.start()
    is_open.wait()
    try:
        yield wire
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, wire: Wire) -> None:
    with suppress(OSError):
        while piece := await source.read(_PIECE):
            wire.nbytes += len(piece)
            sink.write(piece)
            await sink.drain()
        sink.write_eof()
