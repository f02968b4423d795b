"""Queries about partners and their credentials."""

from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from hashsvc.model import Credential, CredentialKind, Grant, Partner, Role
from hashsvc.store import schema
from hashsvc.store.rows import put
from hashsvc.store.times import to_time, to_us


class PartnerTables:
    """The tables of partners and credentials. Safe to use from many threads."""

    def __init__(self, engine: sa.Engine, writer: sa.Engine) -> None:
        self._engine = engine
        self._writer = writer

    def get_partners(self) -> list[Partner]:
        """Return all partners."""
        with self._engine.begin() as connection:
            rows = connection.execute(sa.select(schema.partners)).all()
        return [_partner(row) for row in rows]

    def save_partner(self, partner: Partner) -> None:
        """Add a partner, or put it in the place of the one of its id; durably."""
        values = {
            "name": partner.name,
            "grants": orjson.dumps([str(grant) for grant in partner.grants]).decode(),
            "suspended": partner.is_suspended,
            "create_time": to_us(partner.create_time),
        }
        with self._writer.begin() as connection:
            put(connection, schema.partners, {"id": partner.id}, values)

    def get_credentials(self) -> list[tuple[Credential, bytes]]:
        """Return all credentials with their digests."""
        with self._engine.begin() as connection:
            rows = connection.execute(sa.select(schema.credentials)).all()
        return [(_credential(row), bytes(row.digest)) for row in rows]

    def save_credential(self, credential: Credential, digest: bytes) -> None:
        """Add a credential, or put it in the place of the one of its id; durably."""
        values = {
            "partner_id": credential.partner,
            "kind": credential.kind.value,
            "digest": digest,
            "label": credential.label,
            "create_time": to_us(credential.create_time),
            "expire_time": _us_or_none(credential.expire_time),
            "revoke_time": _us_or_none(credential.revoke_time),
        }
        with self._writer.begin() as connection:
            put(connection, schema.credentials, {"id": credential.id}, values)


def _partner(row: Any) -> Partner:
    return Partner(
        id=row.id,
        name=row.name,
        grants=tuple(_grant(text) for text in orjson.loads(row.grants)),
        is_suspended=row.suspended,
        create_time=to_time(row.create_time),
    )


def _grant(text: str) -> Grant:
    role, _, lists = text.partition(":")
    return Grant(Role(role), lists)


def _credential(row: Any) -> Credential:
    return Credential(
        id=row.id,
        partner=row.partner_id,
        kind=CredentialKind(row.kind),
        label=row.label,
        create_time=to_time(row.create_time),
        expire_time=_time_or_none(row.expire_time),
        revoke_time=_time_or_none(row.revoke_time),
    )


def _us_or_none(time: datetime | None) -> int | None:
    return None if time is None else to_us(time)


def _time_or_none(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else to_time(microseconds)
