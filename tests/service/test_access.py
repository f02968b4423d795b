"""Who may call what, over real gRPC: default is to deny, and a list's name is not given away."""

import json
import queue
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from grpc_status import rpc_status

from hashsvc import testpattern, translate_match
from hashsvc.access.audit_head import Head, verify
from hashsvc.access.directory import Directory
from hashsvc.access.signed_head import open_head
from hashsvc.app import Node
from hashsvc.config import load
from hashsvc.errors import ConfigError
from hashsvc.model import MediaType
from hashsvc.rpc import access
from hashsvc.store.store import Store
from hashsvc.v1 import (
    admin_service_pb2,
    list_service_pb2,
    match_service_pb2,
    sync_service_pb2,
)
from hashsvc.v1.match_service_pb2_grpc import MatchServiceStub
from tests.harness import flip, pdq_draft, running_node
from tests.service.tls_files import Tls, health
from tests.service.town import PARTNERS, Town, add, check, create, refused, set_up

SERVICES: tuple[ServiceDescriptor, ...] = (
    *match_service_pb2.DESCRIPTOR.services_by_name.values(),
    *list_service_pb2.DESCRIPTOR.services_by_name.values(),
    *sync_service_pb2.DESCRIPTOR.services_by_name.values(),
    *admin_service_pb2.DESCRIPTOR.services_by_name.values(),
    *health_pb2.DESCRIPTOR.services_by_name.values(),
    *reflection_pb2.DESCRIPTOR.services_by_name.values(),
)
METHODS = {f"/{s.full_name}/{method.name}": method for s in SERVICES for method in s.methods}


def test_every_method_says_what_it_needs() -> None:
    """One that is not in the table could not be called."""
    assert set(METHODS) == set(access.NEEDS)


def called(town: Town, path: str, **arguments: Any) -> grpc.StatusCode:
    """The status of a method called with an empty request."""
    kind = GetMessageClass(METHODS[path].input_type)
    request: Any = kind()
    if METHODS[path].client_streaming:
        call: Any = town.channel.stream_stream(path, kind.SerializeToString)
        request = iter([request])
    else:
        call = town.channel.unary_stream(path, kind.SerializeToString)
    return refused(lambda: next(call(request, timeout=10, **arguments)))


@pytest.mark.parametrize("scheme", ["none", "unknown", "basic", "garbage"])
def test_nothing_is_open_without_a_credential(town: Town, scheme: str) -> None:
    """But health, for those who balance load."""
    metadata = {
        "none": [],
        "unknown": [("authorization", "Bearer hsk_aaaaaaaa_" + "a" * 52)],
        "basic": [("authorization", "Basic YTpi")],
        "garbage": [("authorization", "Bearer \x7f\x01"[:7])],
    }[scheme]
    for path, need in access.NEEDS.items():
        if need != access.ANYBODY:
            assert called(town, path, metadata=metadata) is grpc.StatusCode.UNAUTHENTICATED, path
    health = health_pb2_grpc.HealthStub(town.channel)
    assert health.Check(health_pb2.HealthCheckRequest()).status == 1


def test_a_partner_without_roles_may_do_nothing(town: Town) -> None:
    """Though it is known; what it may not see is as if it were not there."""
    metadata = town.by("nix")["metadata"]
    for path, need in access.NEEDS.items():
        if need not in (access.ANYBODY, access.ANY_PARTNER):
            assert called(town, path, metadata=metadata) is grpc.StatusCode.PERMISSION_DENIED, path
    assert not town.lists.ListLists(list_service_pb2.ListListsRequest(), **town.by("nix")).lists


def test_each_does_what_it_may(town: Town) -> None:
    """Check, contribute to what is granted, see what is granted."""
    for partner in ("acme", "bolt"):
        verdict = town.match.Check(check(1), **town.by(partner)).verdict
        assert verdict.outcome == match_service_pb2.OUTCOME_MATCH
    assert refused(lambda: town.match.Check(check(1), **town.by("hub"))) is (
        grpc.StatusCode.PERMISSION_DENIED
    )
    (answer,) = town.lists.AddEntries(iter([add("acme/shared", 2)]), **town.by("bolt"))
    name = answer.entries[0].name
    wanted = list_service_pb2.GetEntryRequest(name=name)
    entry = town.lists.GetEntry(wanted, **town.by("acme")).entry
    assert entry.contributor == "bolt"
    denied = refused(
        lambda: list(town.lists.AddEntries(iter([add("acme/known", 3)]), **town.by("bolt")))
    )
    assert denied is grpc.StatusCode.PERMISSION_DENIED
    seen = {
        partner: [
            one.name
            for one in town.lists.ListLists(
                list_service_pb2.ListListsRequest(), **town.by(partner)
            ).lists
        ]
        for partner in PARTNERS
    }
    assert seen == {
        "hub": [],
        "acme": ["acme/known", "acme/shared"],
        "bolt": ["acme/known", "acme/shared"],
        "eve": [],
        "nix": [],
    }


def test_what_one_may_not_see_is_not_there(town: Town) -> None:
    """The same words for a list that is hidden and for one that is not there."""

    def words(name: str) -> tuple[grpc.StatusCode, str]:
        with pytest.raises(grpc.RpcError) as caught:
            town.lists.GetList(list_service_pb2.GetListRequest(name=name), **town.by("nix"))
        return caught.value.code(), str(caught.value.details()).replace(name, "")

    assert words("acme/known") == words("acme/nothing")
    entries = list_service_pb2.ListEntriesRequest(list="acme/known")
    assert refused(lambda: town.lists.ListEntries(entries, **town.by("nix"))) is (
        grpc.StatusCode.NOT_FOUND
    )
    entry = list_service_pb2.GetEntryRequest(name="acme/known#1")
    assert refused(lambda: town.lists.GetEntry(entry, **town.by("nix"))) is (
        grpc.StatusCode.NOT_FOUND
    )
    hidden = list_service_pb2.WithdrawEntryRequest(
        name="acme/known#1", reason="not mine", request_id="x"
    )
    assert refused(lambda: town.lists.WithdrawEntry(hidden, **town.by("bolt"))) is (
        grpc.StatusCode.PERMISSION_DENIED
    )


def test_who_may_only_check_sees_what_a_decision_needs(town: Town) -> None:
    """No distance, no evidence, no contributor; who may read the list sees them."""
    near = near_request(1, 20)
    (full,) = town.match.Check(near, **town.by("bolt")).verdict.matches[:1]
    assert (full.entry, full.distance, full.contributor) == ("acme/known#1", 20, "acme")
    assert full.evidence[0].distance == 20
    (match,) = town.match.Check(near, **town.by("eve")).verdict.matches
    assert (match.entry, list(match.labels)) == ("acme/known#1", ["propaganda"])
    assert match.confidence == match_service_pb2.CONFIDENCE_LIKELY
    nearer = town.match.Check(near_request(1, 16), **town.by("eve")).verdict.matches[0]
    assert "pdq" in match.confidence_basis
    assert nearer.confidence_basis == match.confidence_basis == full.confidence_basis
    assert not match.HasField("distance")
    assert (match.contributor, len(match.evidence), match.HasField("coverage")) == ("", 0, False)
    batch = match_service_pb2.CheckBatchRequest(checks=[near])
    (answer,) = town.match.CheckBatch(iter([batch]), **town.by("eve"))
    assert not answer.results[0].verdict.matches[0].HasField("distance")


def test_lists_that_a_partner_does_not_check_against(town: Town) -> None:
    """What is only in those is no match, nor is it counted; the test pattern is for everybody."""
    list(town.lists.AddEntries(iter([add("acme/shared", 5)]), **town.by("acme")))
    assert town.match.Check(check(5), **town.by("bolt")).verdict.matches
    verdict = town.match.Check(check(5), **town.by("eve")).verdict
    assert verdict.outcome == match_service_pb2.OUTCOME_NO_MATCH
    assert (len(verdict.matches), verdict.total_matches) == (0, 0)
    both = town.match.Check(check(1), **town.by("eve")).verdict
    assert [match.list for match in both.matches] == ["acme/known"]
    assert both.total_matches == 1
    digests = translate_match.check_request(
        MediaType.IMAGE, testpattern.ENTRY.fingerprints, None, ""
    )
    (pattern,) = town.match.Check(digests, **town.by("eve")).verdict.matches
    assert pattern.list == "hashsvc/test"
    assert pattern.evidence


def near_request(number: int, bits: int, seed: int = 0) -> match_service_pb2.CheckRequest:
    """A check of what differs in so many bits from what `add` adds."""
    fingerprint = pdq_draft(number).fingerprints[0]
    changed = replace(fingerprint, value=flip(fingerprint.value, bits, seed))
    return translate_match.check_request(MediaType.IMAGE, [changed], None, "")


def test_probing_is_noticed_and_held_up(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Different files near one entry, past the limit; repeats, copies, others are not held up."""
    keys = set_up(tmp_path / "data")
    limits = {"max_near_per_entry": 3}
    with running_node(tmp_path / "data", authentication=True, limits=limits) as address:
        town = Town(address, keys)
        town.lists.CreateList(create("acme/known"), **town.by("acme"))
        list(town.lists.AddEntries(iter([add("acme/known", 1)]), **town.by("acme")))
        list(town.lists.AddEntries(iter([add("acme/known", 2)]), **town.by("acme")))
        for seed in (0, 1, 2, 1, 0):
            assert town.match.Check(near_request(1, 9, seed), **town.by("eve")).verdict.matches
        with pytest.raises(grpc.RpcError) as caught:
            town.match.Check(near_request(1, 9, 3), **town.by("eve"))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        status = rpc_status.from_call(caught.value)
        assert status is not None
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        assert status.details[0].Unpack(info)
        assert status.details[1].Unpack(retry)
        assert info.reason == "PROBING_SUSPECTED"
        assert 3_500 < retry.retry_delay.seconds <= 3_600
        checks = [near_request(1, 9, 4), near_request(2, 9), check(3)]
        batch = match_service_pb2.CheckBatchRequest(checks=checks)
        (answer,) = town.match.CheckBatch(iter([batch]), **town.by("eve"))
        kinds = [result.WhichOneof("result") for result in answer.results]
        assert kinds == ["error", "verdict", "verdict"]
        for seed in range(10):
            assert town.match.Check(near_request(1, 9, seed), **town.by("bolt")).verdict.matches
        town.channel.close()
    logged = capfd.readouterr().out
    assert logged.count("probing suspected") == 1
    assert "acme/known#1" in logged


def test_request_ids_of_partners_never_meet(town: Town) -> None:
    """One cannot get, or spoil, the answer to another's request."""
    (mine,) = town.lists.AddEntries(iter([add("acme/shared", 7)]), **town.by("acme"))
    (other,) = town.lists.AddEntries(iter([add("acme/shared", 7)]), **town.by("bolt"))
    assert mine.entries[0].name == other.entries[0].name
    assert (mine.entries[0].already_present, other.entries[0].already_present) == (False, True)


def test_administration_counts_at_once(town: Town) -> None:
    """A new key works, a revoked one does not, a suspended partner is out, others go on."""
    hub = town.by("hub")
    expires = datetime.now(UTC) + timedelta(days=1)
    made = town.admin.CreateApiKey(
        admin_service_pb2.CreateApiKeyRequest(partner="acme", label="new", expire_time=expires),
        **hub,
    )
    town.keys["new"] = made.api_key
    town.match.Check(check(1), **town.by("new"))
    town.admin.RevokeCredential(
        admin_service_pb2.RevokeCredentialRequest(id=made.credential.id), **hub
    )
    assert refused(lambda: town.match.Check(check(1), **town.by("new"))) is (
        grpc.StatusCode.UNAUTHENTICATED
    )
    town.match.Check(check(1), **town.by("acme"))
    town.admin.UpdatePartner(
        admin_service_pb2.UpdatePartnerRequest(
            partner={"id": "acme", "suspended": True}, update_mask={"paths": ["suspended"]}
        ),
        **hub,
    )
    assert refused(lambda: town.match.Check(check(1), **town.by("acme"))) is (
        grpc.StatusCode.UNAUTHENTICATED
    )
    town.match.Check(check(1), **town.by("bolt"))
    found = town.admin.ListPartners(admin_service_pb2.ListPartnersRequest(), **hub).partners
    assert {p.id: (list(p.grants), p.suspended) for p in found} == {
        partner: (grants, partner == "acme") for partner, grants in PARTNERS.items()
    }


def test_what_changes_something_is_in_the_audit_log(town: Town) -> None:
    """Who, what, how it ended; refusals of known callers too, checks and reading not."""
    hub = town.by("hub")
    start = len(audit_records(town))
    made = town.admin.CreateApiKey(
        admin_service_pb2.CreateApiKeyRequest(partner="acme", label="new"), **hub
    )
    town.match.Check(check(1), **town.by("acme"))
    list(town.lists.AddEntries(iter([add("acme/shared", n) for n in (1, 8, 9)]), **town.by("bolt")))
    denied = list_service_pb2.WithdrawEntryRequest(
        name="acme/known#1", reason="not mine", request_id="x"
    )
    refused(lambda: town.lists.WithdrawEntry(denied, **town.by("bolt")))
    refused(lambda: town.lists.WithdrawEntry(denied, metadata=(), timeout=10))
    records = audit_records(town)[start:]
    assert [(r["partner"], r["method"].rpartition("/")[2], r["status"]) for r in records] == [
        ("hub", "CreateApiKey", "OK"),
        ("bolt", "AddEntries", "OK"),
        ("bolt", "WithdrawEntry", "PERMISSION_DENIED"),
    ]
    assert records[0]["about"] == {"partner": "acme", "made": made.credential.id}
    assert records[1]["about"] == {"list": "acme/shared", "batches": "3", "entries_added": "2"}
    assert records[2]["about"] == {"list": "acme/known"}
    assert all(record["peer"].startswith("ipv4:127.0.0.1:") for record in records)
    assert all(record["credential"] for record in records)
    assert made.api_key.rpartition("_")[2] not in str(records)


def audit_records(town: Town) -> list[Any]:
    """All of the audit log, two records a page, held against its head."""
    request = admin_service_pb2.ListAuditRecordsRequest(page_size=2)
    records: list[bytes] = []
    while True:
        answer = town.admin.ListAuditRecords(request, **town.by("hub"))
        records += answer.records
        if not answer.next_page_token:
            head = Head(answer.size, answer.root)
            verify(records, head)
            assert open_head(answer.signed_head, answer.verifier_key) == head
            return [json.loads(record) for record in records]
        request.page_token = answer.next_page_token


def test_a_node_that_nobody_could_administer_does_not_start(tmp_path: Path) -> None:
    """It says what to do."""
    with (
        pytest.raises(ConfigError, match="first-admin"),
        running_node(tmp_path / "data", authentication=True),
    ):
        pass


def test_one_partner_leaves_places_and_time_for_others(tmp_path: Path) -> None:
    """Its share of the streams, and its rate, each refused with a hint when to come back."""
    keys = set_up(tmp_path / "data")
    limits = {"max_concurrent_streams": 4, "max_partner_calls_per_s": 20}
    with running_node(tmp_path / "data", authentication=True, limits=limits) as address:
        town = Town(address, keys)
        held: list[queue.Queue[Any]] = []
        streams = []
        for _ in range(2):
            requests: queue.Queue[Any] = queue.Queue()
            requests.put(match_service_pb2.CheckBatchRequest(checks=[check(1)]))
            held.append(requests)
            streams.append(town.match.CheckBatch(iter(requests.get, None), **town.by("acme")))
            next(streams[-1])
        one = match_service_pb2.CheckBatchRequest(checks=[check(1)])
        assert refused(lambda: list(town.match.CheckBatch(iter([one]), **town.by("acme")))) is (
            grpc.StatusCode.RESOURCE_EXHAUSTED
        )
        assert len(list(town.match.CheckBatch(iter([one]), **town.by("bolt")))) == 1
        for requests in held:
            requests.put(None)

        def flood() -> None:
            for _ in range(1_000):
                town.match.Check(check(1), **town.by("acme"))

        assert refused(flood) is grpc.StatusCode.RESOURCE_EXHAUSTED
        town.match.Check(check(1), **town.by("bolt"))
        town.channel.close()


def test_tls_with_keys(tmp_path: Path) -> None:
    """An address that others could reach is no longer refused; a plain client gets nowhere."""
    tls = Tls(tmp_path / "tls")
    keys = set_up(tmp_path / "data")
    flags = {"authentication": True, "tls": tls.settings(client_ca=False)}
    with running_node(tmp_path / "data", listen="0.0.0.0:0", **flags) as address:
        here = f"localhost:{address.rpartition(':')[2]}"
        root = grpc.ssl_channel_credentials(tls.ca.read_bytes())
        with grpc.secure_channel(here, root) as channel:
            town = Town(here, keys)
            match = MatchServiceStub(channel)
            assert match.Check(check(1), **town.by("acme")).verdict.revision
        with grpc.insecure_channel(here) as channel:
            code = refused(lambda: MatchServiceStub(channel).Check(check(1), **town.by("acme")))
            assert code is grpc.StatusCode.UNAVAILABLE
        town.channel.close()


def test_mutual_tls(tmp_path: Path) -> None:
    """A certificate says who is calling; one that is not in is not enough, none is turned away."""
    tls = Tls(tmp_path / "tls")
    set_up(tmp_path / "data")
    store = Store(f"sqlite:///{tmp_path / 'data' / 'hashsvc.db'}")
    pem = tls.clients[0].certificate.decode()
    Directory(store.partners).add_certificate("acme", "edge", None, pem)
    store.close()
    flags = {"authentication": True, "tls": tls.settings(client_ca=True)}
    with running_node(tmp_path / "data", listen="localhost:0", **flags) as address:

        def code_of(*client: bytes) -> grpc.StatusCode:
            credentials = grpc.ssl_channel_credentials(tls.ca.read_bytes(), *client)
            with grpc.secure_channel(address, credentials) as channel:
                call = MatchServiceStub(channel).Check.with_call(check(1), timeout=10)
                return call[1].code()

        known, stranger = ((one.key, one.certificate) for one in tls.clients)
        assert code_of(*known) is grpc.StatusCode.OK
        assert refused(lambda: code_of(*stranger)) is grpc.StatusCode.UNAUTHENTICATED
        assert refused(lambda: code_of()) is grpc.StatusCode.UNAVAILABLE


def test_a_renewed_certificate_counts_for_the_next_connection(tmp_path: Path) -> None:
    """Without a stop: the old root no longer knows the node, the new one does."""
    tls, renewed = Tls(tmp_path / "tls"), Tls(tmp_path / "renewed")
    flags = {"tls": tls.settings(client_ca=False)}
    with running_node(tmp_path / "data", listen="localhost:0", **flags) as address:
        assert health(address, tls.ca) == 1
        for old, new in ((tls.key, renewed.key), (tls.certificate, renewed.certificate)):
            new.replace(old)
        assert refused(lambda: health(address, tls.ca)) is grpc.StatusCode.UNAVAILABLE
        assert health(address, renewed.ca) == 1


def test_settings_that_are_not_safe(tmp_path: Path) -> None:
    """Each says what is wrong."""
    tls = Tls(tmp_path / "tls")
    both = tls.settings(client_ca=False)
    elsewhere = {"listen": "0.0.0.0:0"}
    for flags in ({}, {"authentication": True}, {"tls": both}):
        with pytest.raises(ConfigError, match="without TLS and authentication"):
            load(None, {**elsewhere, **flags})
    load(None, {**elsewhere, "authentication": True, "tls": both})
    with pytest.raises(ConfigError, match="go together"):
        load(None, {"tls": {"key": tls.key}})
    with pytest.raises(ConfigError, match="metrics"):
        load(None, {"metrics": "0.0.0.0:0", "authentication": True, "tls": both})
    tls.key.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        Node(load(None, {"data": tmp_path, "tls": both}))
    tls.key.chmod(0o600)
    tls.key.write_bytes(b"nonsense")
    with pytest.raises(ConfigError, match=r"tls: .* is not a private key in PEM"):
        Node(load(None, {"data": tmp_path, "tls": both}))
    tls.key.unlink()
    with pytest.raises(ConfigError, match="cannot read"):
        Node(load(None, {"data": tmp_path, "tls": both}))
