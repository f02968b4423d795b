"""The administrator's client: partners and their credentials, and the lists that are followed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from hashsvc import translate_partners as translate
from hashsvc import translate_sync
from hashsvc.model import Credential, Distrust, DistrustPreview, Partner
from hashsvc.model_sync import FollowMessage, FollowStatus, Imported, Selection
from hashsvc.v1 import admin_service_pb2 as pb
from hashsvc.v1.admin_service_pb2_grpc import AdminServiceStub
from hashsvc_client.connection import Connected, Security
from hashsvc_client.errors import ClientError, raised_as_client_errors


@dataclass(frozen=True, slots=True)
class AuditRecords:
    """The audit log of a node: `size` records, and `root` of the Merkle tree over them.

    `signed_head` is a note that says the same, signed with the key that `verifier_key` checks.
    """

    records: list[bytes]
    size: int
    root: bytes
    signed_head: bytes
    verifier_key: str


class AdminClient(Connected):
    """Manages the partners of one node. Safe to share between threads.

    `timeout_s` is the deadline in seconds of each call. Every method raises a `ClientError`.
    """

    def __init__(
        self, address: str, *, timeout_s: float = 30.0, security: Security | None = None
    ) -> None:
        super().__init__(address, timeout_s=timeout_s, security=security)
        self._stub = AdminServiceStub(self._channel)

    def add_partner(self, partner: str, name: str, grants: Iterable[str]) -> Partner:
        """Add a partner that may do what `grants` say, such as "check" or "follow:acme/*"."""
        request = pb.CreatePartnerRequest(partner={"id": partner, "name": name, "grants": grants})
        with raised_as_client_errors():
            answer = self._stub.CreatePartner(request, timeout=self._timeout_s)
        return translate.partner_from_proto(answer.partner)

    def change_partner(
        self,
        partner: str,
        *,
        name: str | None = None,
        grants: Iterable[str] | None = None,
        suspended: bool | None = None,
    ) -> Partner:
        """Change what is given."""
        values = {"name": name, "grants": grants, "suspended": suspended}
        given = {field: value for field, value in values.items() if value is not None}
        request = pb.UpdatePartnerRequest(
            partner=pb.Partner(id=partner, **given),  # type: ignore[arg-type]
            update_mask={"paths": list(given)},
        )
        with raised_as_client_errors():
            answer = self._stub.UpdatePartner(request, timeout=self._timeout_s)
        return translate.partner_from_proto(answer.partner)

    def partners(self) -> list[Partner]:
        """All partners, by id."""
        with raised_as_client_errors():
            answer = self._stub.ListPartners(pb.ListPartnersRequest(), timeout=self._timeout_s)
        return [translate.partner_from_proto(partner) for partner in answer.partners]

    def create_api_key(
        self, partner: str, label: str = "", expire_time: datetime | None = None
    ) -> tuple[Credential, str]:
        """Make an API key; its text is returned this once."""
        request = pb.CreateApiKeyRequest(
            partner=partner, label=label, expire_time=translate.optional_timestamp(expire_time)
        )
        with raised_as_client_errors():
            answer = self._stub.CreateApiKey(request, timeout=self._timeout_s)
        return translate.credential_from_proto(answer.credential), answer.api_key

    def add_certificate(
        self, partner: str, certificate: str, label: str = "", expire_time: datetime | None = None
    ) -> Credential:
        """Let a client certificate in, given in PEM."""
        request = pb.AddCertificateRequest(
            partner=partner,
            label=label,
            expire_time=translate.optional_timestamp(expire_time),
            certificate=certificate,
        )
        with raised_as_client_errors():
            answer = self._stub.AddCertificate(request, timeout=self._timeout_s)
        return translate.credential_from_proto(answer.credential)

    def revoke(self, credential: str) -> Credential:
        """Revoke a credential by its id, for good."""
        request = pb.RevokeCredentialRequest(id=credential)
        with raised_as_client_errors():
            answer = self._stub.RevokeCredential(request, timeout=self._timeout_s)
        return translate.credential_from_proto(answer.credential)

    def audit_records(self) -> AuditRecords:
        """All records of the audit log, and its head. Nothing of it is verified yet."""
        records: list[bytes] = []
        request = pb.ListAuditRecordsRequest()
        while True:
            with raised_as_client_errors():
                answer = self._stub.ListAuditRecords(request, timeout=self._timeout_s)
            records += answer.records
            if not answer.next_page_token:
                return AuditRecords(
                    records, answer.size, answer.root, answer.signed_head, answer.verifier_key
                )
            request.page_token = answer.next_page_token

    def follow(
        self,
        list_name: str,
        source: str,
        *,
        key: str = "",
        selection: Selection | None = None,
        is_paused: bool = False,
    ) -> FollowStatus:
        """Follow a list of another node, or change how; without a key the source is asked."""
        request = pb.PutSubscriptionRequest()
        one = request.subscription
        one.list, one.source, one.key, one.paused = list_name, source, key, is_paused
        one.selection.CopyFrom(translate_sync.selection_to_proto(selection or Selection()))
        with raised_as_client_errors():
            answer = self._stub.PutSubscription(request, timeout=self._timeout_s)
        return translate_sync.status_from_proto(answer.subscription)

    def unfollow(self, list_name: str) -> None:
        """Stop following a list; what was taken in stays."""
        request = pb.DeleteSubscriptionRequest(list=list_name)
        with raised_as_client_errors():
            self._stub.DeleteSubscription(request, timeout=self._timeout_s)

    def followed(self) -> list[FollowStatus]:
        """All lists that the node follows, and how each stands."""
        request = pb.ListSubscriptionsRequest()
        with raised_as_client_errors():
            answer = self._stub.ListSubscriptions(request, timeout=self._timeout_s)
        return [translate_sync.status_from_proto(one) for one in answer.subscriptions]

    def accept_alarms(self, list_name: str) -> FollowStatus:
        """Say that somebody has seen to what was refused of a list; it is tried again at once."""
        request = pb.AcceptAlarmsRequest(list=list_name)
        with raised_as_client_errors():
            answer = self._stub.AcceptAlarms(request, timeout=self._timeout_s)
        return translate_sync.status_from_proto(answer.subscription)

    def import_bundle(
        self, list_name: str, messages: Iterable[FollowMessage], *, key: str = "", size: int = 0
    ) -> Imported:
        """Take in what a bundle of a list holds, which begins at a place, `size`, of its log.

        With a key, which the bundle must be signed under, the list need not be followed before. Has
        no deadline. What `messages` raises is raised again, after the node has judged what came
        before.
        """
        failure: Exception | None = None

        def parts() -> Iterator[pb.ImportBundleRequest]:
            nonlocal failure
            yield pb.ImportBundleRequest(start={"list": list_name, "key": key, "size": size})
            try:
                for message in messages:
                    sent = translate_sync.message_to_proto(message)
                    yield pb.ImportBundleRequest(message=sent)
            except Exception as error:
                # Raised in the thread of gRPC it would cancel the call.
                failure = error

        try:
            with raised_as_client_errors():
                answer = self._stub.ImportBundle(parts())
        except ClientError as error:
            if failure is not None:
                raise failure from error
            raise
        if failure is not None:
            raise failure
        return translate_sync.imported_from_proto(answer)

    def preview_distrust(
        self, partner: str, since: datetime, list_name: str = ""
    ) -> tuple[list[DistrustPreview], str]:
        """What distrusting a partner would do, by list, and the plan for `distrust`.

        `partner` may be "*", for whoever contributed to the list.
        """
        request = pb.PreviewDistrustRequest(
            partner=partner, since=translate.optional_timestamp(since), list=list_name
        )
        with raised_as_client_errors():
            answer = self._stub.PreviewDistrust(request, timeout=self._timeout_s)
        return [translate.preview_from_proto(one) for one in answer.lists], answer.plan

    def distrust(
        self,
        plan: str,
        partner: str,
        since: datetime,
        reason: str,
        *,
        list_name: str = "",
        suspend: bool = False,
    ) -> list[Distrust]:
        """Carry out what was previewed, and suspend the partner if asked to."""
        request = pb.DistrustRequest(
            plan=plan,
            partner=partner,
            since=translate.optional_timestamp(since),
            list=list_name,
            reason=reason,
            suspend=suspend,
        )
        with raised_as_client_errors():
            answer = self._stub.Distrust(request, timeout=self._timeout_s)
        return [translate.distrust_from_proto(one) for one in answer.distrusts]

    def restore_trust(
        self, reason: str, *, distrust_id: int = 0, partner: str = "", resume: bool = False
    ) -> list[Distrust]:
        """Undo one distrust, or all of a contributor that can be undone at this node."""
        request = pb.RestoreTrustRequest(
            id=distrust_id, partner=partner, reason=reason, resume=resume
        )
        with raised_as_client_errors():
            answer = self._stub.RestoreTrust(request, timeout=self._timeout_s)
        return [translate.distrust_from_proto(one) for one in answer.distrusts]

    def distrusts(self, partner: str = "", *, show_undone: bool = False) -> list[Distrust]:
        """All distrust, of one contributor where it is named, the oldest first."""
        found: list[Distrust] = []
        request = pb.ListDistrustsRequest(partner=partner, show_undone=show_undone, page_size=1_000)
        while True:
            with raised_as_client_errors():
                answer = self._stub.ListDistrusts(request, timeout=self._timeout_s)
            found += [translate.distrust_from_proto(one) for one in answer.distrusts]
            if not answer.next_page_token:
                return found
            request.page_token = answer.next_page_token

    def credentials(self, partner: str) -> list[Credential]:
        """All credentials of a partner, the oldest first."""
        request = pb.ListCredentialsRequest(partner=partner)
        with raised_as_client_errors():
            answer = self._stub.ListCredentials(request, timeout=self._timeout_s)
        return [translate.credential_from_proto(one) for one in answer.credentials]
