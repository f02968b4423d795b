"""Partners and credentials: who counts, from when on, and until when."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from hashsvc.access import certificates, credentials
from hashsvc.access.directory import MAX_CREDENTIALS, Directory, read_grant
from hashsvc.errors import (
    AlreadyExists,
    InvalidRequest,
    NotFound,
    PreconditionFailed,
    Unauthenticated,
)
from hashsvc.model import Caller, Grant, Role
from hashsvc.store import schema
from hashsvc.store.store import Store
from tests.harness import NOW


class Office:
    """A directory with a clock that can be set."""

    def __init__(self, url: str) -> None:
        self.store = Store(url)
        self.now = NOW
        self.directory = Directory(self.store.partners, now=lambda: self.now)
        self.directory.add_partner("acme", "Acme Video", [Grant(Role.CHECK)])

    def again(self) -> Directory:
        """What the next start knows."""
        return Directory(self.store.partners, now=lambda: self.now)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """With one partner that may check."""
    made = Office(f"sqlite:///{tmp_path / 'office.db'}")
    yield made
    made.store.close()


def test_a_key_says_who_is_calling(office: Office) -> None:
    """At once, after a start, and each of several."""
    keys = [office.directory.create_key("acme", label, None) for label in ("a", "b")]
    for directory in (office.directory, office.again()):
        for credential, text in keys:
            caller = directory.caller_of_key(text)
            assert caller == Caller("acme", (Grant(Role.CHECK),), credential.id)
        assert [c.label for c in directory.credentials_of("acme")] == ["a", "b"]


def test_the_secret_is_kept_nowhere(office: Office) -> None:
    """Only its digest is; the id is in the text."""
    credential, text = office.directory.create_key("acme", "", None)
    prefix, key_id, secret = text.split("_")
    assert (prefix, key_id) == ("hsk", credential.id)
    engine = sa.create_engine(office.store._engine.url)
    with engine.begin() as connection:
        rows = connection.execute(sa.select(schema.credentials)).all()
    engine.dispose()
    assert secret not in str(rows)
    assert rows[0].digest == credentials.key_digest(text)


@pytest.mark.parametrize("change", ["short", "other secret", "other id", "upper", "empty"])
def test_what_is_no_key(office: Office, change: str) -> None:
    """Is refused in the same words, whatever is wrong."""
    _, text = office.directory.create_key("acme", "", None)
    other = credentials.new_key()[1]
    wrong = {
        "short": text[:-1],
        "other secret": text[:13] + other[13:],
        "other id": other,
        "upper": text.upper(),
        "empty": "",
    }[change]
    with pytest.raises(Unauthenticated) as caught:
        office.directory.caller_of_key(wrong)
    assert str(caught.value).startswith("no credential that counts")


def test_revoking_counts_at_once_and_for_good(office: Office) -> None:
    """The others go on."""
    first, text = office.directory.create_key("acme", "", None)
    _, other = office.directory.create_key("acme", "", None)
    revoked = office.directory.revoke(first.id)
    assert revoked.revoke_time == NOW
    office.now += timedelta(days=1)
    assert office.directory.revoke(first.id) == revoked
    for directory in (office.directory, office.again()):
        with pytest.raises(Unauthenticated):
            directory.caller_of_key(text)
        assert directory.caller_of_key(other).partner == "acme"


def test_keys_expire(office: Office) -> None:
    """At the very moment; one that has expired cannot be made."""
    _, text = office.directory.create_key("acme", "", NOW + timedelta(hours=1))
    office.now += timedelta(minutes=59, seconds=59)
    assert office.directory.caller_of_key(text).partner == "acme"
    office.now += timedelta(seconds=1)
    with pytest.raises(Unauthenticated):
        office.directory.caller_of_key(text)
    with pytest.raises(InvalidRequest, match="expire_time"):
        office.directory.create_key("acme", "", office.now)


def test_a_suspended_partner_is_out_until_it_is_back(office: Office) -> None:
    """With all credentials, old and new."""
    _, text = office.directory.create_key("acme", "", None)
    office.directory.change_partner("acme", is_suspended=True)
    _, newer = office.directory.create_key("acme", "", None)
    for directory in (office.directory, office.again()):
        for each in (text, newer):
            with pytest.raises(Unauthenticated):
                directory.caller_of_key(each)
    office.directory.change_partner("acme", is_suspended=False)
    assert office.directory.caller_of_key(text).partner == "acme"


def test_grants_change_at_once(office: Office) -> None:
    """For the next call by the same key; other facts stay."""
    _, text = office.directory.create_key("acme", "", None)
    office.directory.change_partner("acme", grants=[read_grant("contribute:hub/known")])
    caller = office.directory.caller_of_key(text)
    assert caller.may(Role.CONTRIBUTE, "hub/known")
    assert not caller.may(Role.CHECK)
    assert office.again().partner("acme").name == "Acme Video"


def test_certificates_say_it_too(office: Office) -> None:
    """By what they are, not by the name in them."""
    authority = certificates.make_authority()
    mine, other = (
        certificates.issue(authority, "acme", (), is_client=True).certificate.decode()
        for _ in range(2)
    )
    credential = office.directory.add_certificate("acme", "edge", None, mine)
    assert office.directory.caller_of_certificate(mine).credential == credential.id
    with pytest.raises(Unauthenticated):
        office.directory.caller_of_certificate(other)
    with pytest.raises(AlreadyExists):
        office.directory.add_certificate("acme", "again", None, mine)
    with pytest.raises(InvalidRequest, match="PEM"):
        office.directory.add_certificate("acme", "", None, "no certificate")
    office.directory.revoke(credential.id)
    with pytest.raises(Unauthenticated):
        office.directory.caller_of_certificate(mine)


def test_what_is_not_there_and_what_is_there_already(office: Office) -> None:
    """Each is named."""
    directory = office.directory
    with pytest.raises(AlreadyExists, match="acme"):
        directory.add_partner("acme", "", [])
    for call in (
        lambda: directory.create_key("nobody", "", None),
        lambda: directory.change_partner("nobody", is_suspended=True),
        lambda: directory.credentials_of("nobody"),
    ):
        with pytest.raises(NotFound, match="nobody"):
            call()
    with pytest.raises(NotFound, match="aaaaaaaa"):
        directory.revoke("aaaaaaaa")


def test_credentials_are_bounded(office: Office) -> None:
    """Revoked ones do not count."""
    made = [office.directory.create_key("acme", "", None)[0] for _ in range(MAX_CREDENTIALS)]
    with pytest.raises(PreconditionFailed, match="revoke some"):
        office.directory.create_key("acme", "", None)
    office.directory.revoke(made[3].id)
    office.directory.create_key("acme", "", None)


@pytest.mark.parametrize("partner_id", ["", "Acme", "a_b", "a/b", "-a", "a" * 64, "acme\n"])
def test_ids_that_are_none(office: Office, partner_id: str) -> None:
    """As the first part of a list's name."""
    with pytest.raises(InvalidRequest, match="id"):
        office.directory.add_partner(partner_id, "", [])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "boss",
        "admin:a/b",
        "contribute:",
        "contribute:acme",
        "follow:*/known",
        "follow:a/**",
    ],
)
def test_grants_that_are_none(text: str) -> None:
    """Each is named."""
    with pytest.raises(InvalidRequest, match="grants"):
        read_grant(text)


@pytest.mark.parametrize(
    ("text", "may", "may_not"),
    [
        ("contribute", ["acme/known"], ["hub/known"]),
        ("contribute:hub/known", ["hub/known"], ["acme/known", "hub/other"]),
        ("contribute:hub/*", ["hub/known", "hub/other"], ["acme/known", "hubs/known"]),
        ("contribute:*", ["acme/known", "hub/known"], []),
    ],
)
def test_what_a_grant_covers(text: str, may: list[str], may_not: list[str]) -> None:
    """Its own lists, those named, or all; and only its role."""
    caller = Caller("acme", (read_grant(text),))
    assert str(caller.grants[0]) == text
    for name in may:
        assert caller.may(Role.CONTRIBUTE, name)
        assert not caller.may(Role.FOLLOW, name)
    for name in may_not:
        assert not caller.may(Role.CONTRIBUTE, name)


def test_somebody_must_be_able_to_administer(office: Office) -> None:
    """An admin whose only key has expired is none."""
    assert not office.directory.has_admin()
    office.directory.add_partner("hub", "", [Grant(Role.ADMIN)])
    assert not office.directory.has_admin()
    office.directory.create_key("hub", "", NOW + timedelta(hours=1))
    assert office.directory.has_admin()
    office.now += timedelta(hours=2)
    assert not office.directory.has_admin()
