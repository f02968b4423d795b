"""`hashsvc demo`."""

from typing import Annotated

import typer

from hashsvc.cli import output


def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the database, the altered copies and the log.")
    ] = False,
) -> None:
    """Show the main job on sample media: contribute, then check copies and unrelated files.

    Starts a server of its own for it. Ends with 0 when every verdict is right, else with 1.
    """
    from hashsvc.demo.run import run  # loads the decoders

    raise typer.Exit(output.CLEAN if run(keep=keep) else output.ERROR)
