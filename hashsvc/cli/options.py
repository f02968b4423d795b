"""Options that several verbs share."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hashsvc.errors import OperatorError

if TYPE_CHECKING:
    from hashsvc_client import AsyncClient, Client
    from hashsvc_client.admin import AdminClient

DEFAULT_SERVER = "127.0.0.1:50051"

Server = Annotated[
    str,
    typer.Option("--server", envvar="HASHSVC_SERVER", help="The node, HOST:PORT or unix:PATH."),
]
VpdqFiles = Annotated[
    list[Path] | None,
    typer.Option("--vpdq", help="vPDQ file of a video's hashes, or folder of such. Repeatable."),
]
Vpdq = Annotated[
    bool, typer.Option("--vpdq", help="Write one video's hashes as a vPDQ file of the C++ tool.")
]
VpdqJson = Annotated[
    bool, typer.Option("--vpdq-json", help="The same as the JSON of Python's threatexchange.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs.")]


@contextmanager
def server_extra() -> Iterator[None]:
    """Around imports that only the `server` extra brings: says so where it is missing.

    Raises:
        OperatorError: it is.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise OperatorError(
            f"this install is the client alone ({error.name} is missing); for the server run "
            "pip install 'hashsvc[server]'"
        ) from None


def client(server: str) -> "Client":
    """Return a client of a node, with the key and the files of TLS that the environment names."""
    from hashsvc_client import Client, Security

    return Client(server, security=Security.from_environment())


def async_client(server: str) -> "AsyncClient":
    """The same for asyncio."""
    from hashsvc_client import AsyncClient, Security

    return AsyncClient(server, security=Security.from_environment())


def admin(server: str) -> "AdminClient":
    """The same for administration."""
    from hashsvc_client import Security
    from hashsvc_client.admin import AdminClient

    return AdminClient(server, security=Security.from_environment())
