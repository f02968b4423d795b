"""The AdminService servicer."""

from collections.abc import AsyncIterator
from typing import Any

import grpc.aio

from hashsvc import model, translate_sync
from hashsvc import translate_partners as translate
from hashsvc.access.audit import AuditLog
from hashsvc.access.directory import Directory, read_grant
from hashsvc.errors import InvalidRequest
from hashsvc.lists.trust import Trust
from hashsvc.model import ANY_CONTRIBUTOR
from hashsvc.model_sync import FollowMessage
from hashsvc.rpc import access
from hashsvc.rpc.threads import Threads
from hashsvc.store.store import Store
from hashsvc.sync.followers import Followers
from hashsvc.tokens import page_token, read_page_number
from hashsvc.v1 import admin_service_pb2 as pb
from hashsvc.v1.admin_service_pb2_grpc import AdminServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]

_CHANGEABLE = ("name", "grants", "suspended")
_MOST_RECORDS, _DEFAULT_PAGE = 1_000, 100
# Characters of a caller's text that the audit log takes.
_NOTED = 100


class AdminServicer(AdminServiceServicer):
    """Reads requests, asks the directory, writes answers."""

    def __init__(
        self,
        directory: Directory,
        audit: AuditLog,
        followers: Followers,
        trust: Trust,
        store: Store,
        threads: Threads,
    ) -> None:
        self._directory = directory
        self._audit = audit
        self._followers = followers
        self._trust = trust
        self._store = store
        self._threads = threads

    async def CreatePartner(
        self, request: pb.CreatePartnerRequest, context: Context
    ) -> pb.CreatePartnerResponse:
        """Add a partner."""
        wanted = request.partner
        access.note(partner=wanted.id[:_NOTED])
        partner = await self._threads.write(
            self._directory.add_partner,
            wanted.id,
            wanted.name,
            [read_grant(text) for text in wanted.grants],
        )
        return pb.CreatePartnerResponse(partner=translate.partner_to_proto(partner))

    async def UpdatePartner(
        self, request: pb.UpdatePartnerRequest, context: Context
    ) -> pb.UpdatePartnerResponse:
        """Change a partner."""
        paths, wanted = set(request.update_mask.paths), request.partner
        access.note(partner=wanted.id[:_NOTED], fields=",".join(sorted(paths))[:_NOTED])
        if not paths or paths - set(_CHANGEABLE):
            raise InvalidRequest.of("update_mask", f"name some of {', '.join(_CHANGEABLE)}")
        grants = [read_grant(text) for text in wanted.grants]
        partner = await self._threads.write(
            self._directory.change_partner,
            wanted.id,
            name=wanted.name if "name" in paths else None,
            grants=grants if "grants" in paths else None,
            is_suspended=wanted.suspended if "suspended" in paths else None,
        )
        return pb.UpdatePartnerResponse(partner=translate.partner_to_proto(partner))

    async def ListPartners(
        self, request: pb.ListPartnersRequest, context: Context
    ) -> pb.ListPartnersResponse:
        """List the partners."""
        partners = self._directory.partners()
        return pb.ListPartnersResponse(partners=map(translate.partner_to_proto, partners))

    async def CreateApiKey(
        self, request: pb.CreateApiKeyRequest, context: Context
    ) -> pb.CreateApiKeyResponse:
        """Make an API key."""
        access.note(partner=request.partner[:_NOTED])
        credential, text = await self._threads.write(
            self._directory.create_key,
            request.partner,
            request.label,
            translate.expire_time_from_proto(request),
        )
        access.note(made=credential.id)
        return pb.CreateApiKeyResponse(
            credential=translate.credential_to_proto(credential), api_key=text
        )

    async def AddCertificate(
        self, request: pb.AddCertificateRequest, context: Context
    ) -> pb.AddCertificateResponse:
        """Let a client certificate in."""
        access.note(partner=request.partner[:_NOTED])
        credential = await self._threads.write(
            self._directory.add_certificate,
            request.partner,
            request.label,
            translate.expire_time_from_proto(request),
            request.certificate,
        )
        access.note(made=credential.id)
        return pb.AddCertificateResponse(credential=translate.credential_to_proto(credential))

    async def RevokeCredential(
        self, request: pb.RevokeCredentialRequest, context: Context
    ) -> pb.RevokeCredentialResponse:
        """Revoke a credential."""
        access.note(revoked=request.id[:_NOTED])
        credential = await self._threads.write(self._directory.revoke, request.id)
        return pb.RevokeCredentialResponse(credential=translate.credential_to_proto(credential))

    async def ListCredentials(
        self, request: pb.ListCredentialsRequest, context: Context
    ) -> pb.ListCredentialsResponse:
        """List a partner's credentials."""
        found = self._directory.credentials_of(request.partner)
        return pb.ListCredentialsResponse(credentials=map(translate.credential_to_proto, found))

    async def ListAuditRecords(
        self, request: pb.ListAuditRecordsRequest, context: Context
    ) -> pb.ListAuditRecordsResponse:
        """List records of the audit log."""
        if request.page_size < 0:
            raise InvalidRequest.of("page_size", "is negative")
        after = read_page_number("audit", request.page_token)
        most = min(request.page_size or _MOST_RECORDS, _MOST_RECORDS)
        head = self._audit.head
        records = await self._threads.read(self._audit.records, after, most)
        # What came after the head was read is left for the next page.
        records = records[: max(0, head.size - after)]
        last = after + len(records)
        return pb.ListAuditRecordsResponse(
            records=records,
            next_page_token=page_token("audit", str(last)) if last < head.size else "",
            size=head.size,
            root=head.root,
            signed_head=self._audit.sign(head),
            verifier_key=self._audit.verifier_key,
        )

    async def PutSubscription(
        self, request: pb.PutSubscriptionRequest, context: Context
    ) -> pb.PutSubscriptionResponse:
        """Follow a list, or change how."""
        one = request.subscription
        access.note(list=one.list[:_NOTED], source=one.source[:_NOTED])
        status = await self._followers.put(
            one.list,
            one.source,
            one.key,
            translate_sync.selection_from_proto(one.selection, "subscription.selection"),
            is_paused=one.paused,
        )
        access.note(key=status.subscription.key)
        return pb.PutSubscriptionResponse(subscription=translate_sync.status_to_proto(status))

    async def DeleteSubscription(
        self, request: pb.DeleteSubscriptionRequest, context: Context
    ) -> pb.DeleteSubscriptionResponse:
        """Stop following a list."""
        access.note(list=request.list[:_NOTED])
        await self._followers.remove(request.list)
        return pb.DeleteSubscriptionResponse()

    async def ListSubscriptions(
        self, request: pb.ListSubscriptionsRequest, context: Context
    ) -> pb.ListSubscriptionsResponse:
        """List what is followed."""
        found = await self._followers.statuses()
        return pb.ListSubscriptionsResponse(
            subscriptions=map(translate_sync.status_to_proto, found)
        )

    async def AcceptAlarms(
        self, request: pb.AcceptAlarmsRequest, context: Context
    ) -> pb.AcceptAlarmsResponse:
        """Say that somebody has seen to the alarms of a list."""
        access.note(list=request.list[:_NOTED])
        status = await self._followers.accept_alarms(request.list)
        return pb.AcceptAlarmsResponse(subscription=translate_sync.status_to_proto(status))

    async def ImportBundle(
        self, request: AsyncIterator[pb.ImportBundleRequest], context: Context
    ) -> pb.ImportBundleResponse:
        """Take a bundle in."""
        first = await anext(request, None)
        if first is None or first.WhichOneof("part") != "start":
            raise InvalidRequest.of("start", "comes first")
        start = first.start
        access.note(list=start.list[:_NOTED])
        if start.size < 0:
            raise InvalidRequest.of("start.size", "is negative")
        found = await self._followers.receive(
            start.list, _messages(request), key=start.key, size=start.size
        )
        access.note(key=found.status.subscription.key, added=str(found.added))
        return translate_sync.imported_to_proto(found)

    async def PreviewDistrust(
        self, request: pb.PreviewDistrustRequest, context: Context
    ) -> pb.PreviewDistrustResponse:
        """Say what distrusting a partner would do."""
        since = translate.since_from_proto(request)
        found, plan = await self._threads.read(
            self._trust.preview, request.partner, since, request.list
        )
        return pb.PreviewDistrustResponse(lists=map(translate.preview_to_proto, found), plan=plan)

    async def Distrust(self, request: pb.DistrustRequest, context: Context) -> pb.DistrustResponse:
        """Distrust a partner as it was previewed."""
        partner, since = request.partner, translate.since_from_proto(request)
        access.note(
            partner=partner[:_NOTED],
            since=since.isoformat(),
            list=request.list[:_NOTED],
            reason=request.reason[:_NOTED],
            suspend=str(request.suspend),
        )
        if request.suspend:
            self._check_can_suspend(partner)

        def carry_out() -> tuple[list[model.Distrust], int]:
            done = self._trust.distrust(request.plan, partner, since, request.list, request.reason)
            if request.suspend:
                self._directory.change_partner(partner, is_suspended=True)
            return done

        # In one piece, so that a caller that goes away leaves nothing half done.
        found, entries = await self._threads.write(carry_out)
        access.note(distrusts=_ids(found), lists=str(len(found)), entries=str(entries))
        return pb.DistrustResponse(distrusts=map(translate.distrust_to_proto, found))

    async def RestoreTrust(
        self, request: pb.RestoreTrustRequest, context: Context
    ) -> pb.RestoreTrustResponse:
        """Undo distrust."""
        partner = request.partner
        access.note(partner=partner[:_NOTED], reason=request.reason[:_NOTED])
        if request.id < 0:
            raise InvalidRequest.of("id", "is negative")

        def carry_out() -> list[model.Distrust]:
            if request.resume:
                who = partner or self._trust.contributor(request.id)
                self._check_can_suspend(who)
            done = self._trust.restore(request.id, partner, request.reason)
            if request.resume:
                self._directory.change_partner(who, is_suspended=False)
            return done

        found = await self._threads.write(carry_out)
        access.note(distrusts=_ids(found), lists=str(len(found)), resume=str(request.resume))
        return pb.RestoreTrustResponse(distrusts=map(translate.distrust_to_proto, found))

    async def ListDistrusts(
        self, request: pb.ListDistrustsRequest, context: Context
    ) -> pb.ListDistrustsResponse:
        """List distrust."""
        if request.page_size < 0:
            raise InvalidRequest.of("page_size", "is negative")
        after = read_page_number("distrusts", request.page_token)
        size = min(request.page_size or _DEFAULT_PAGE, _MOST_RECORDS)
        found = await self._threads.read(self._distrusts, request, after, size + 1)
        more = page_token("distrusts", str(found[size - 1].id)) if len(found) > size else ""
        return pb.ListDistrustsResponse(
            distrusts=map(translate.distrust_to_proto, found[:size]), next_page_token=more
        )

    def _distrusts(
        self, request: pb.ListDistrustsRequest, after: int, limit: int
    ) -> list[model.Distrust]:
        with self._store.read_distrusts() as rows:
            return rows.find(
                contributor=request.partner,
                after=after,
                limit=limit,
                with_undone=request.show_undone,
            )

    def _check_can_suspend(self, partner: str) -> None:
        """Refuse a partner that this node does not know.

        Raises:
            InvalidRequest: it stands for any contributor.
            NotFound: there is none of that id.
        """
        if partner == ANY_CONTRIBUTOR:
            raise InvalidRequest.of("partner", "name the one to suspend or resume")
        self._directory.partner(partner)


async def _messages(
    requests: AsyncIterator[pb.ImportBundleRequest],
) -> AsyncIterator[FollowMessage]:
    """Yield what a bundle holds; messages of no known kind are left out."""
    async for request in requests:
        if request.WhichOneof("part") != "message":
            raise InvalidRequest.of("message", "comes in every part but the first")
        found = translate_sync.message_from_proto(request.message)
        if found is not None:
            yield found


def _ids(found: list[model.Distrust]) -> str:
    return ",".join(str(one.id) for one in found)[:_NOTED]
