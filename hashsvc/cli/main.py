"""The `hashsvc` command: its verbs, and what becomes of their errors."""

import sys

import typer

from hashsvc import __version__
from hashsvc.cli import (
    audit,
    bundles,
    canaries,
    certs,
    check,
    contribute,
    demo,
    distrust,
    export,
    follow,
    hashing,
    incidents,
    lists,
    opinions,
    partners,
    selftest,
    serve,
    verify,
    witness,
)
from hashsvc.cli.output import ERROR, warn
from hashsvc.errors import HashsvcError

app = typer.Typer(
    name="hashsvc",
    help="Match media against shared lists of known terrorist media, by hash.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("serve")(serve.serve)
app.command("demo")(demo.demo)
app.command("hash")(hashing.hash_files)
app.command("check")(check.check)
app.command("contribute")(contribute.contribute)
app.command("withdraw")(contribute.withdraw)
app.command("erase")(contribute.erase)
app.command("export")(export.export)
app.command("import")(bundles.import_bundle)
app.command("verify")(verify.verify)
app.command("prove")(verify.prove)
app.command("lists")(lists.lists)
app.command("describe")(lists.describe)
app.command("opinion")(opinions.opinion)
app.command("opinions")(opinions.opinions)
app.command("rotate-key")(lists.rotate_key)
app.command("selftest")(selftest.selftest)
app.add_typer(partners.partners, name="partners")
app.add_typer(partners.keys, name="keys")
app.add_typer(follow.follow, name="follow")
app.add_typer(witness.witness, name="witness")
app.add_typer(distrust.distrust, name="distrust")
app.add_typer(incidents.incidents, name="incidents")
app.add_typer(canaries.canaries, name="canaries")
app.add_typer(certs.certs, name="certs")
app.add_typer(audit.audit, name="audit")


def _show_version(value: bool) -> None:
    if value:
        print(f"hashsvc {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Show the version."
    ),
) -> None:
    """Match media against shared lists of known terrorist media, by hash."""


def run() -> None:
    """Run the command; errors made for people end it with one line and status 1."""
    from hashsvc_client import ClientError

    try:
        app()
    except (HashsvcError, ClientError, OSError) as error:
        warn(f"error: {error}")
        for violation in getattr(error, "violations", ())[1:]:
            warn(f"       {violation.field}: {violation.description}")
        sys.exit(ERROR)
