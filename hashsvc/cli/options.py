"""Options that several verbs share."""

from typing import Annotated

import typer

DEFAULT_SERVER = "127.0.0.1:50051"

Server = Annotated[
    str,
    typer.Option("--server", envvar="HASHSVC_SERVER", help="The node, HOST:PORT or unix:PATH."),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs.")]
