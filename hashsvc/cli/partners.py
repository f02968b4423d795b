"""`hashsvc partners` and `hashsvc keys`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from hashsvc.cli import output
from hashsvc.cli.options import DEFAULT_SERVER, Json, Server, admin, server_extra
from hashsvc.model import Credential, Partner

partners = typer.Typer(help="Who may call the node, and what each may do.", no_args_is_help=True)
keys = typer.Typer(help="How partners prove who they are.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="PARTNER", help="The partner's id.", show_default=False)]
Grants = Annotated[
    list[str] | None,
    typer.Option(
        "--grant",
        help="check, review, admin, contribute, follow, witness; check against all lists, the last "
        "three for its own, or those named: follow:acme/known, check:acme/*. May be repeated.",
    ),
]
Name = Annotated[str | None, typer.Option(help="Its name, for people.")]
Label = Annotated[str, typer.Option(help="What it is for, for people.")]
Expires = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="When it ceases to count, UTC."),
]


@partners.command("list")
def list_partners(server: Server = DEFAULT_SERVER, as_json: Json = False) -> None:
    """Show the partners of a node."""
    with admin(server) as client:
        found = client.partners()
    _show_partners(found, as_json=as_json)


@partners.command("add")
def add_partner(
    partner: Id,
    name: Name = None,
    grant: Grants = None,
    server: Server = DEFAULT_SERVER,
    as_json: Json = False,
) -> None:
    """Add a partner. It needs a key or a certificate to call."""
    with admin(server) as client:
        made = client.add_partner(partner, name or "", grant or [])
    _show_partners([made], as_json=as_json)


@partners.command("update")
def update_partner(
    partner: Id,
    name: Name = None,
    grant: Grants = None,
    server: Server = DEFAULT_SERVER,
    as_json: Json = False,
) -> None:
    """Change a partner's name or, all of them, its grants."""
    if name is None and grant is None:
        raise typer.BadParameter("give --name or --grant")
    with admin(server) as client:
        made = client.change_partner(partner, name=name, grants=grant)
    _show_partners([made], as_json=as_json)


@partners.command("suspend")
def suspend_partner(partner: Id, server: Server = DEFAULT_SERVER, as_json: Json = False) -> None:
    """Shut a partner out, at once; `resume` lets it in again."""
    with admin(server) as client:
        made = client.change_partner(partner, suspended=True)
    _show_partners([made], as_json=as_json)


@partners.command("resume")
def resume_partner(partner: Id, server: Server = DEFAULT_SERVER, as_json: Json = False) -> None:
    """Let a suspended partner in again."""
    with admin(server) as client:
        made = client.change_partner(partner, suspended=False)
    _show_partners([made], as_json=as_json)


@partners.command("first-admin")
def first_admin(
    partner: Id,
    data: Annotated[Path, typer.Option(help="The data folder of the node, which must be stopped.")],
    config: Annotated[Path | None, typer.Option(help="The node's TOML file.")] = None,
    as_json: Json = False,
) -> None:
    """Give a partner of a stopped node all roles, and a key: how the first admin comes in."""
    with server_extra():
        from hashsvc.access.setup import make_first_admin
        from hashsvc.config import load

    settings = load(config, {"data": data})
    credential, text = make_first_admin(settings, partner)
    _show_key(credential, text, as_json=as_json)


@keys.command("list")
def list_keys(partner: Id, server: Server = DEFAULT_SERVER, as_json: Json = False) -> None:
    """Show the keys and certificates of a partner."""
    with admin(server) as client:
        found = client.credentials(partner)
    _show_credentials(found, as_json=as_json)


@keys.command("create")
def create_key(
    partner: Id,
    label: Label = "",
    expires: Expires = None,
    certificate: Annotated[
        Path | None, typer.Option(help="Let this client certificate (PEM) in instead of a new key.")
    ] = None,
    server: Server = DEFAULT_SERVER,
    as_json: Json = False,
) -> None:
    """Make an API key for a partner; it is shown this once."""
    expire_time = None if expires is None else expires.replace(tzinfo=UTC)
    with admin(server) as client:
        if certificate is None:
            made, text = client.create_api_key(partner, label, expire_time)
            _show_key(made, text, as_json=as_json)
        else:
            pem = certificate.read_text(encoding="ascii", errors="replace")
            made = client.add_certificate(partner, pem, label, expire_time)
            _show_credentials([made], as_json=as_json)


@keys.command("revoke")
def revoke_key(
    credential: Annotated[str, typer.Argument(metavar="ID", help="See `keys list`.")],
    server: Server = DEFAULT_SERVER,
    as_json: Json = False,
) -> None:
    """Revoke a key or a certificate, at once and for good."""
    with admin(server) as client:
        made = client.revoke(credential)
    _show_credentials([made], as_json=as_json)


def _show_partners(found: list[Partner], *, as_json: bool) -> None:
    shown = output.table("partner", "name", "grants", "state", "added")
    for partner in found:
        state = "suspended" if partner.is_suspended else "active"
        grants = [str(grant) for grant in partner.grants]
        if as_json:
            output.print_json(
                {
                    "partner": partner.id,
                    "name": partner.name,
                    "grants": grants,
                    "state": state,
                    "create_time": partner.create_time.isoformat(),
                }
            )
        added = f"{partner.create_time:%Y-%m-%d %H:%M}"
        shown.add_row(partner.id, partner.name, ", ".join(grants), state, added)
    if not as_json:
        output.show(shown)


def _show_credentials(found: list[Credential], *, as_json: bool) -> None:
    shown = output.table("id", "partner", "kind", "label", "made", "expires", "revoked")
    for credential in found:
        if as_json:
            output.print_json(_document(credential))
        times = (credential.create_time, credential.expire_time, credential.revoke_time)
        shown.add_row(
            credential.id,
            credential.partner,
            credential.kind,
            credential.label,
            *("" if time is None else f"{time:%Y-%m-%d %H:%M}" for time in times),
        )
    if not as_json:
        output.show(shown)


def _show_key(credential: Credential, text: str, *, as_json: bool) -> None:
    if as_json:
        output.print_json({**_document(credential), "api_key": text})
        return
    output.warn(
        f"A key for {credential.partner}, shown this once; clients take it from HASHSVC_API_KEY:",
    )
    output.say(text)


def _document(credential: Credential) -> dict[str, Any]:
    times = {
        "create_time": credential.create_time,
        "expire_time": credential.expire_time,
        "revoke_time": credential.revoke_time,
    }
    return {
        "id": credential.id,
        "partner": credential.partner,
        "kind": credential.kind,
        "label": credential.label,
        **{name: None if time is None else time.isoformat() for name, time in times.items()},
    }
