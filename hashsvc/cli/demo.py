"""`hashsvc demo`."""

from typing import Annotated

import typer

from hashsvc.cli import output


def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the data, the altered copies and the logs.")
    ] = False,
    sync: Annotated[
        bool,
        typer.Option(
            "--sync",
            help="Show instead how nodes follow a list, and that a hub cannot change it.",
        ),
    ] = False,
) -> None:
    """Show the main job on sample media: contribute, then check copies and unrelated files.

    Starts servers of its own for it. Ends with 0 when all is as it should be, else with 1.
    """
    # These load the decoders.
    if sync:
        from hashsvc.demo.sync import run
    else:
        from hashsvc.demo.run import run

    raise typer.Exit(output.CLEAN if run(keep=keep) else output.ERROR)
