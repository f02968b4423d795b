"""What each method needs of its caller, and who the caller is. What is not listed is denied."""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import grpc.aio

from hashsvc import testpattern
from hashsvc.access.audit import Audited
from hashsvc.access.directory import Directory
from hashsvc.errors import HashsvcError, InvalidRequest, PermissionDenied, Unauthenticated
from hashsvc.lists import rules
from hashsvc.lists.readers import Readers
from hashsvc.model import OPERATOR, Caller, Role, feedback_of

_MATCH, _LISTS = "/hashsvc.v1.MatchService", "/hashsvc.v1.ListService"
_ADMIN = "/hashsvc.v1.AdminService"
_SYNC = "/hashsvc.v1.SyncService"
_HEALTH = "/grpc.health.v1.Health"
_REFLECTION = "/grpc.reflection.v1alpha.ServerReflection"

ANYBODY, ANY_PARTNER = "anybody", "any partner"

NEEDS: dict[str, Role | str] = {
    f"{_HEALTH}/Check": ANYBODY,
    f"{_HEALTH}/List": ANYBODY,
    f"{_HEALTH}/Watch": ANYBODY,
    f"{_REFLECTION}/ServerReflectionInfo": ANY_PARTNER,
    f"{_MATCH}/Check": Role.CHECK,
    f"{_MATCH}/CheckBatch": Role.CHECK,
    f"{_MATCH}/CheckVideo": Role.CHECK,
    f"{_MATCH}/CheckMedia": Role.CHECK,
    # For the list that the request names: `check_may_contribute`.
    f"{_LISTS}/CreateList": Role.CONTRIBUTE,
    f"{_LISTS}/AddEntries": Role.CONTRIBUTE,
    f"{_LISTS}/AmendEntry": Role.CONTRIBUTE,
    f"{_LISTS}/WithdrawEntry": Role.CONTRIBUTE,
    # For the caller's own feedback list: `opinion_of`.
    f"{_LISTS}/GiveOpinion": Role.CONTRIBUTE,
    # Of its owner or an administrator: `check_owns`.
    f"{_LISTS}/UpdateList": ANY_PARTNER,
    f"{_LISTS}/PlantCanaries": ANY_PARTNER,
    f"{_LISTS}/RotateKey": ANY_PARTNER,
    f"{_LISTS}/EraseEntry": ANY_PARTNER,
    # Of these, or of who contributes to it: `check_may_open_incidents`.
    f"{_LISTS}/OpenIncident": ANY_PARTNER,
    f"{_LISTS}/ConcludeIncident": ANY_PARTNER,
    # Of the lists that the caller may see: `may_see`.
    f"{_LISTS}/GetList": ANY_PARTNER,
    f"{_LISTS}/ListLists": ANY_PARTNER,
    f"{_LISTS}/GetEntry": ANY_PARTNER,
    f"{_LISTS}/ListEntries": ANY_PARTNER,
    # Of those, the opinions that it may read: `may_read_opinions`.
    f"{_LISTS}/ListOpinions": ANY_PARTNER,
    f"{_LISTS}/ListIncidents": ANY_PARTNER,
    f"{_SYNC}/Follow": ANY_PARTNER,
    f"{_SYNC}/GetInclusionProof": ANY_PARTNER,
    # Of those, and of the lists that it witnesses: `check_may_witness`.
    f"{_SYNC}/GetCheckpoint": ANY_PARTNER,
    f"{_SYNC}/GetConsistencyProof": ANY_PARTNER,
    # For the list that the request names: `check_witnesses`.
    f"{_SYNC}/AddCosignature": Role.WITNESS,
    f"{_ADMIN}/PutSubscription": Role.ADMIN,
    f"{_ADMIN}/DeleteSubscription": Role.ADMIN,
    f"{_ADMIN}/ListSubscriptions": Role.ADMIN,
    f"{_ADMIN}/AcceptAlarms": Role.ADMIN,
    f"{_ADMIN}/ImportBundle": Role.ADMIN,
    f"{_ADMIN}/PreviewDistrust": Role.ADMIN,
    f"{_ADMIN}/Distrust": Role.ADMIN,
    f"{_ADMIN}/RestoreTrust": Role.ADMIN,
    f"{_ADMIN}/ListDistrusts": Role.ADMIN,
    f"{_ADMIN}/CreatePartner": Role.ADMIN,
    f"{_ADMIN}/UpdatePartner": Role.ADMIN,
    f"{_ADMIN}/ListPartners": Role.ADMIN,
    f"{_ADMIN}/CreateApiKey": Role.ADMIN,
    f"{_ADMIN}/AddCertificate": Role.ADMIN,
    f"{_ADMIN}/RevokeCredential": Role.ADMIN,
    f"{_ADMIN}/ListCredentials": Role.ADMIN,
    f"{_ADMIN}/ListAuditRecords": Role.ADMIN,
}

AUDITED = frozenset(
    {
        *(f"{_LISTS}/{name}" for name in ("CreateList", "AddEntries", "AmendEntry")),
        *(f"{_LISTS}/{name}" for name in ("WithdrawEntry", "UpdateList", "PlantCanaries")),
        f"{_LISTS}/GiveOpinion",
        *(f"{_LISTS}/{name}" for name in ("RotateKey", "EraseEntry")),
        *(f"{_LISTS}/{name}" for name in ("OpenIncident", "ConcludeIncident")),
        *(f"{_ADMIN}/{name}" for name in ("CreatePartner", "UpdatePartner", "CreateApiKey")),
        *(f"{_ADMIN}/{name}" for name in ("AddCertificate", "RevokeCredential")),
        *(f"{_ADMIN}/{name}" for name in ("PutSubscription", "DeleteSubscription")),
        *(f"{_ADMIN}/{name}" for name in ("AcceptAlarms", "ImportBundle")),
        *(f"{_ADMIN}/{name}" for name in ("Distrust", "RestoreTrust")),
        f"{_SYNC}/AddCosignature",
    }
)
"""What the audit log has: all that changes something, and tries to by callers that are known."""

_session: ContextVar["Session"] = ContextVar("session")
_SCHEME = "bearer "


@dataclass(slots=True)
class Session:
    """One call: its method, its caller as it is known now, and what the audit log is to have.

    `caller` is None as long as nobody knows who it is. `readers` are those that the lists name.
    """

    method: str
    readers: Readers
    caller: Caller | None = None
    peer: str = ""
    about: dict[str, str] = field(default_factory=dict)

    @property
    def partner(self) -> str:
        """The partner that pays for what is done; strangers pay together."""
        return self.caller.partner if self.caller is not None else ""


class Gate:
    """Says who makes a call, and whether it may; `directory` None is a node without credentials.

    `readers` are those that the lists name.
    """

    def __init__(self, directory: Directory | None, readers: Readers) -> None:
        self._directory = directory
        self._readers = readers

    @property
    def knows_partners(self) -> bool:
        """Whether callers are told apart."""
        return self._directory is not None

    def enter(self, method: str, context: grpc.aio.ServicerContext[Any, Any]) -> Session:
        """Begin a call, for `caller` and the rest of this module; `let_in` says whether it may."""
        session = Session(method, self._readers)
        if method in AUDITED:
            # Now: gRPC crashes when it is asked after the caller has gone.
            session.peer = context.peer()
        _session.set(session)
        return session

    def let_in(
        self, session: Session, context: grpc.aio.ServicerContext[Any, Any]
    ) -> HashsvcError | None:
        """Find out who makes the call, and return why it may not, if it may not.

        That is Unauthenticated, for no credential that counts, or PermissionDenied, for a role that
        it lacks.
        """
        need = NEEDS.get(session.method)
        try:
            if self._directory is None or need == ANYBODY:
                session.caller = OPERATOR
            else:
                session.caller = self._authenticate(self._directory, context)
            # Its caller is known by now: the audit log has those who lack the role too.
            _check_role(session.caller, need)
        except HashsvcError as refusal:
            return refusal
        return None

    def look_again(self, session: Session) -> None:
        """Find out what the caller of an open stream may do now.

        Raises:
            Unauthenticated: its credential no longer counts.
            PermissionDenied: it lacks the role now.
        """
        if self._directory is None or session.caller is None or session.caller is OPERATOR:
            return
        session.caller = self._directory.caller_again(session.caller)
        _check_role(session.caller, NEEDS.get(session.method))

    def _authenticate(
        self, directory: Directory, context: grpc.aio.ServicerContext[Any, Any]
    ) -> Caller:
        for key, value in context.invocation_metadata() or ():
            if key == "authorization":
                text = value if isinstance(value, str) else value.decode("ascii", "replace")
                if not text.lower().startswith(_SCHEME):
                    raise Unauthenticated("authorization: give `Bearer` and an API key")
                return directory.caller_of_key(text[len(_SCHEME) :].strip())
        for pem in context.auth_context().get("x509_pem_cert", ()):
            return directory.caller_of_certificate(pem.decode())
        raise Unauthenticated("give an API key in the metadata `authorization`, or a certificate")


def payer() -> str:
    """The partner in whose name time is spent; empty for strangers and for the node itself."""
    session = _session.get(None)
    return "" if session is None else session.partner


def caller() -> Caller:
    """Who makes the call that this code runs for."""
    found = _session.get().caller
    assert found is not None
    return found


def note(**about: str) -> None:
    """Keep for the audit log what the call is about; the last of a name counts."""
    _session.get().about.update(about)


def audited(session: Session, status: str) -> Audited | None:
    """What the audit log is to have of a call that ends: by its method, or as it met a canary.

    None for what it is not to have, and for a caller that is not known.
    """
    who, about = session.caller, session.about
    if who is None or not (session.method in AUDITED or "canary_of" in about):
        return None
    return Audited(who.partner, who.credential, session.peer, session.method, status, dict(about))


def check_may_contribute(list_name: str) -> None:
    """Refuse a caller that may not change a list.

    Raises:
        PermissionDenied: it may see the list, or it names it as its own.
        NotFound: it may not even know whether there is such a list.
    """
    note(list=list_name)
    who = caller()
    if who.may(Role.CONTRIBUTE, list_name):
        return
    if not may_see(list_name) and list_name.partition("/")[0] != who.partner:
        raise rules.no_list(list_name)
    raise _denied(who, Role.CONTRIBUTE, list_name)


def visible() -> Callable[[str], bool]:
    """Which lists, by name, the caller may read, and know that they are there; for any thread."""
    who, readers = caller(), _session.get().readers

    def is_visible(list_name: str) -> bool:
        is_reader = who is OPERATOR or readers.may_read(list_name, who.partner)
        return (is_reader and who.may(Role.FOLLOW, list_name)) or who.may(
            Role.CONTRIBUTE, list_name
        )

    return is_visible


def may_see(list_name: str) -> bool:
    """Tell whether the caller may read a list, and know that it is there."""
    return visible()(list_name)


def check_owns(list_name: str) -> None:
    """Refuse a caller that neither owns a list nor administers the node.

    Raises:
        PermissionDenied: it may see the list.
        NotFound: it may not even know whether there is such a list.
    """
    note(list=list_name)
    if viewer(list_name) is None:
        return
    check_may_see(list_name)
    raise PermissionDenied(
        f"only {list_name.partition('/')[0]}, who owns {list_name}, and administrators may",
        metadata={"list": list_name},
    )


def check_may_open_incidents(list_name: str) -> None:
    """Refuse a caller that neither owns a list, nor administers the node, nor contributes to it.

    Raises:
        PermissionDenied: it may see the list.
        NotFound: it may not even know whether there is such a list.
    """
    note(list=list_name)
    if viewer(list_name) is not None:
        check_may_contribute(list_name)


def viewer(list_name: str) -> str | None:
    """As whom the caller sees a list's entries: a partner's id, or None for who sees canaries."""
    who = caller()
    if who is OPERATOR or who.may(Role.ADMIN) or who.partner == list_name.partition("/")[0]:
        return None
    return who.partner


def check_may_see(list_name: str) -> None:
    """Answer for a list that the caller may not see as for one that is not there.

    Raises:
        NotFound: it may not.
    """
    if not may_see(list_name):
        raise rules.no_list(list_name)


def check_may_witness(list_name: str) -> None:
    """Answer for a list that the caller may neither see nor witness as for one that is not there.

    Raises:
        NotFound: it may not.
    """
    if not caller().may(Role.WITNESS, list_name):
        check_may_see(list_name)


def check_witnesses(list_name: str) -> None:
    """Refuse a caller that does not witness a list.

    Raises:
        PermissionDenied: it may see the list.
        NotFound: it may not even know whether there is such a list.
    """
    who = caller()
    if not who.may(Role.WITNESS, list_name):
        check_may_see(list_name)
        raise _denied(who, Role.WITNESS, list_name)


def may_match() -> Callable[[str], bool] | None:
    """Which lists, by name, the caller's checks look at; None for all."""
    who, readers = caller(), _session.get().readers
    if who is OPERATOR or (readers.are_everyone and who.may_everywhere(Role.CHECK)):
        return None
    # The test pattern is there for everybody.
    return lambda name: (
        name == testpattern.LIST
        or (readers.may_read(name, who.partner) and who.may(Role.CHECK, name))
    )


def may_see_evidence(list_name: str) -> bool:
    """Tell whether the caller sees how a match in a list came about."""
    who = caller()
    return may_see(list_name) or who.may(Role.REVIEW) or list_name == testpattern.LIST


def opinion_of(partner: str) -> str:
    """Return in whose name the caller gives an opinion; `partner` is the one that it names, if any.

    Raises:
        InvalidRequest: the operator of a node without authentication names nobody.
        PermissionDenied: it names another, or may not contribute to its own feedback list.
    """
    who = caller()
    if who is OPERATOR and not rules.is_name_part(partner):
        raise InvalidRequest.of(
            "partner", "say whose opinion it is, by id: this node has no authentication"
        )
    if who is not OPERATOR:
        if partner not in ("", who.partner):
            raise PermissionDenied(f"{who.partner} gives no opinions in the name of others")
        partner = who.partner
    check_may_contribute(feedback_of(partner))
    return partner


def may_read_opinions(list_name: str) -> Callable[[str, str], bool]:
    """Which opinions on entries of a list the caller may read; for any thread.

    Told of the feedback list that one is in, and of who asserts the entry: an opinion is for those
    whom it is about, too, where the feedback list's owner does not leave them out.
    """
    who, readers, is_visible = caller(), _session.get().readers, visible()
    owner = list_name.partition("/")[0]

    def may_read(feedback_list: str, contributor: str) -> bool:
        if is_visible(feedback_list):
            return True
        is_about_it = who.partner in (owner, contributor)
        return is_about_it and readers.may_read(feedback_list, who.partner)

    return may_read


def may_count() -> Callable[[str], bool] | None:
    """Whose opinions, by feedback list, count in what the caller is told; None for all."""
    who, readers = caller(), _session.get().readers
    if who is OPERATOR or readers.are_everyone:
        return None
    return lambda feedback_list: readers.may_read(feedback_list, who.partner)


def sender() -> str:
    """The partner in whose name the caller writes; empty for the operator of the node."""
    who = caller()
    return "" if who is OPERATOR else who.partner


def _check_role(who: Caller, need: Role | str | None) -> None:
    if need is None:
        raise PermissionDenied("nobody may call this")
    if isinstance(need, Role) and not who.may(need):
        raise _denied(who, need)


def _denied(who: Caller, role: Role, list_name: str = "") -> PermissionDenied:
    where = f" for {list_name}" if list_name else ""
    metadata = {"role": role.value} | ({"list": list_name} if list_name else {})
    return PermissionDenied(f"{who.partner} lacks the role {role}{where}", metadata=metadata)
