"""The partners of a node and their credentials: looked up in memory, changed through the store.

Every call asks who is calling, so the answer touches no database. A change is committed first and
then put in the place of what was in memory by one assignment: no call that begins after revoking or
suspending returned passes, and `changed` is called, for what is open.
"""

import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from hashsvc.access import credentials
from hashsvc.errors import (
    AlreadyExists,
    InvalidRequest,
    NotFound,
    PreconditionFailed,
    Unauthenticated,
)
from hashsvc.lists import rules
from hashsvc.model import Caller, Credential, CredentialKind, Grant, Partner, Role
from hashsvc.store.partners import PartnerTables

MAX_NAME, MAX_LABEL, MAX_GRANTS, MAX_CREDENTIALS = 200, 100, 100, 50
_WITH_LISTS = frozenset({Role.CHECK, Role.CONTRIBUTE, Role.FOLLOW, Role.WITNESS})
_LISTS = re.compile(rf"\*|{rules.NAME_PART}/(?:{rules.NAME_PART}|\*)")

_REFUSAL = "no credential that counts: it is missing, unknown, expired or revoked"


@dataclass(frozen=True, slots=True)
class _Known:
    """What is in memory: credentials by id, certificates by digest, partners by id."""

    partners: Mapping[str, Partner]
    credentials: Mapping[str, tuple[Credential, bytes]]
    certificates: Mapping[bytes, str]


class Directory:
    """Partners and credentials. Safe to use from many threads; changes take turns."""

    def __init__(
        self, tables: PartnerTables, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._tables = tables
        self._now = now
        self._lock = threading.Lock()
        self._known = self._load()
        self.changed: Callable[[], object] = lambda: None

    def caller_of_key(self, text: str) -> Caller:
        """Return who an API key belongs to.

        Raises:
            Unauthenticated: it does not count; what is wrong with it is not told.
        """
        found = self._known.credentials.get(credentials.key_id(text) or "")
        if found is None or not credentials.is_same(found[1], credentials.key_digest(text)):
            raise Unauthenticated(_REFUSAL)
        return self._caller(found[0])

    def caller_of_certificate(self, pem: str) -> Caller:
        """Return who a client certificate belongs to, which TLS has verified.

        Raises:
            Unauthenticated: it does not count.
        """
        known = self._known
        credential_id = known.certificates.get(credentials.certificate_digest(pem))
        if credential_id is None:
            raise Unauthenticated(_REFUSAL)
        return self._caller(known.credentials[credential_id][0])

    def caller_again(self, caller: Caller) -> Caller:
        """Return the caller with what it may do now.

        Raises:
            Unauthenticated: its credential no longer counts.
        """
        return self._caller(self._known.credentials[caller.credential][0])

    def partner(self, partner_id: str) -> Partner:
        """Return a partner.

        Raises:
            NotFound: there is none of that id.
        """
        try:
            return self._known.partners[partner_id]
        except KeyError:
            raise NotFound(
                f"there is no partner {partner_id}",
                reason="PARTNER_NOT_FOUND",
                metadata={"partner": partner_id},
            ) from None

    def partners(self) -> Sequence[Partner]:
        """All partners by id."""
        return sorted(self._known.partners.values(), key=lambda partner: partner.id)

    def credentials_of(self, partner_id: str) -> Sequence[Credential]:
        """All credentials of a partner, the oldest first, those that no longer count too."""
        self.partner(partner_id)
        found = [c for c, _ in self._known.credentials.values() if c.partner == partner_id]
        return sorted(found, key=lambda credential: credential.create_time)

    def has_admin(self) -> bool:
        """Tell whether anybody could log in as an admin now."""
        return any(
            self._counts(credential) and Role.ADMIN in _roles(self.partner(credential.partner))
            for credential, _ in self._known.credentials.values()
        )

    def add_partner(self, partner_id: str, name: str, grants: Iterable[Grant]) -> Partner:
        """Add a partner.

        Raises:
            InvalidRequest: the id, the name or a grant is malformed.
            AlreadyExists: there is a partner of that id.
        """
        _check_text("name", name, MAX_NAME)
        if not rules.is_name_part(partner_id):
            raise InvalidRequest.of("id", f"must match {rules.NAME_PART}, such as acme")
        partner = Partner(partner_id, name, checked_grants(grants), False, self._now())
        with self._lock:
            if partner_id in self._known.partners:
                raise AlreadyExists(
                    f"there is a partner {partner_id} already",
                    reason="PARTNER_ALREADY_EXISTS",
                    metadata={"partner": partner_id},
                )
            self._tables.save_partner(partner)
            self._reload()
        return partner

    def change_partner(
        self,
        partner_id: str,
        *,
        name: str | None = None,
        grants: Iterable[Grant] | None = None,
        is_suspended: bool | None = None,
    ) -> Partner:
        """Change what is given; a suspended partner's credentials do not count.

        Raises:
            NotFound, InvalidRequest: as above.
        """
        if name is not None:
            _check_text("name", name, MAX_NAME)
        with self._lock:
            before = self.partner(partner_id)
            partner = replace(
                before,
                name=before.name if name is None else name,
                grants=before.grants if grants is None else checked_grants(grants),
                is_suspended=before.is_suspended if is_suspended is None else is_suspended,
            )
            self._tables.save_partner(partner)
            self._reload()
        return partner

    def create_key(
        self, partner_id: str, label: str, expire_time: datetime | None
    ) -> tuple[Credential, str]:
        """Make an API key; its text is returned here and kept nowhere.

        Raises:
            NotFound, InvalidRequest: as above; the expiry has passed.
            PreconditionFailed: the partner has too many credentials.
        """
        credential_id, text = credentials.new_key()
        credential = self._add(
            credential_id,
            partner_id,
            CredentialKind.API_KEY,
            label,
            expire_time,
            credentials.key_digest(text),
        )
        return credential, text

    def add_certificate(
        self, partner_id: str, label: str, expire_time: datetime | None, pem: str
    ) -> Credential:
        """Let a client certificate in, which TLS must also find good.

        Raises:
            NotFound, InvalidRequest, PreconditionFailed: as above.
            AlreadyExists: it is a partner's already.
        """
        digest = credentials.certificate_digest(pem)
        kind = CredentialKind.CERTIFICATE
        return self._add(digest.hex()[:16], partner_id, kind, label, expire_time, digest)

    def revoke(self, credential_id: str) -> Credential:
        """Revoke a credential, at once and for good; doing it again changes nothing.

        Raises:
            NotFound: there is none of that id.
        """
        with self._lock:
            found = self._known.credentials.get(credential_id)
            if found is None:
                raise NotFound(
                    f"there is no credential {credential_id}",
                    reason="CREDENTIAL_NOT_FOUND",
                    metadata={"credential": credential_id},
                )
            credential, digest = found
            if credential.revoke_time is None:
                credential = replace(credential, revoke_time=self._now())
                self._tables.save_credential(credential, digest)
                self._reload()
        return credential

    def _add(
        self,
        credential_id: str,
        partner_id: str,
        kind: CredentialKind,
        label: str,
        expire_time: datetime | None,
        digest: bytes,
    ) -> Credential:
        _check_text("label", label, MAX_LABEL)
        now = self._now()
        if expire_time is not None and expire_time <= now:
            raise InvalidRequest.of("expire_time", "has passed already")
        credential = Credential(credential_id, partner_id, kind, label, now, expire_time)
        with self._lock:
            own = self.credentials_of(partner_id)
            if sum(map(self._counts, own)) >= MAX_CREDENTIALS:
                raise PreconditionFailed(
                    f"{partner_id} has {MAX_CREDENTIALS} credentials already; revoke some",
                    reason="TOO_MANY_CREDENTIALS",
                    metadata={"partner": partner_id},
                )
            if credential_id in self._known.credentials:
                raise AlreadyExists(
                    f"there is a credential {credential_id} already",
                    reason="CREDENTIAL_ALREADY_EXISTS",
                    metadata={"credential": credential_id},
                )
            self._tables.save_credential(credential, digest)
            self._reload()
        return credential

    def _reload(self) -> None:
        self._known = self._load()
        self.changed()

    def _load(self) -> _Known:
        found = {c.id: (c, digest) for c, digest in self._tables.get_credentials()}
        certificates = {
            digest: c.id for c, digest in found.values() if c.kind is CredentialKind.CERTIFICATE
        }
        partners = {partner.id: partner for partner in self._tables.get_partners()}
        return _Known(partners, found, certificates)

    def _caller(self, credential: Credential) -> Caller:
        if not self._counts(credential):
            raise Unauthenticated(_REFUSAL)
        return Caller(credential.partner, self.partner(credential.partner).grants, credential.id)

    def _counts(self, credential: Credential) -> bool:
        expire_time = credential.expire_time
        return (
            credential.revoke_time is None
            and (expire_time is None or expire_time > self._now())
            and not self.partner(credential.partner).is_suspended
        )


def read_grant(text: str) -> Grant:
    """Read a grant, such as `check`, `contribute`, `contribute:acme/known` or `follow:*`.

    Raises:
        InvalidRequest: it is malformed.
    """
    name, colon, lists = text.partition(":")
    try:
        role = Role(name)
    except ValueError:
        known = ", ".join(Role)
        raise InvalidRequest.of("grants", f"{name!r} is no role; roles are {known}") from None
    if colon and (role not in _WITH_LISTS or not _LISTS.fullmatch(lists)):
        raise InvalidRequest.of(
            "grants",
            f"{text!r}: only check, contribute, follow and witness are for lists, named as "
            "acme/known, acme/* or *",
        )
    return Grant(role, lists)


def checked_grants(grants: Iterable[Grant]) -> tuple[Grant, ...]:
    """Return the grants, each once, if all are well formed; else raise InvalidRequest."""
    found = tuple(dict.fromkeys(read_grant(str(grant)) for grant in grants))
    if len(found) > MAX_GRANTS:
        raise InvalidRequest.of("grants", f"more than {MAX_GRANTS}")
    return found


def _roles(partner: Partner) -> set[Role]:
    return {grant.role for grant in partner.grants}


def _check_text(field: str, text: str, most: int) -> None:
    if len(text) > most or not text.isprintable():
        raise InvalidRequest.of(field, f"at most {most} printable characters")
