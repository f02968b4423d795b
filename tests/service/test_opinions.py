"""What partners hold of each other's entries, over real gRPC: who says, who reads, what counts."""

from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import grpc
import pytest

from hashsvc import translate
from hashsvc.model import EVERYONE, ListKind, Opinion, OpinionCounts, OpinionKind
from hashsvc.model_sync import FollowState
from hashsvc.store.store import Store
from hashsvc.v1 import (
    admin_service_pb2,
    list_service_pb2,
    match_service_pb2,
    sync_service_pb2,
)
from hashsvc.v1.sync_service_pb2_grpc import SyncServiceStub
from hashsvc_client import AsyncClient, Client, RequestRefused
from hashsvc_client.admin import AdminClient
from tests.harness import check_invariants, pdq_draft, running_node
from tests.service.town import Town, add, check, refused, running_town
from tests.sync.waiting import until

LIST, ENTRY = "acme/known", "acme/known#1"
NOT_FOUND, DENIED = grpc.StatusCode.NOT_FOUND, grpc.StatusCode.PERMISSION_DENIED
INVALID = grpc.StatusCode.INVALID_ARGUMENT
CONFIRM, DISPUTE = OpinionKind.CONFIRM, OpinionKind.DISPUTE


@pytest.fixture
def town(town: Town) -> Town:
    """The town, where bolt and eve may speak for themselves."""
    grant(town, "bolt", "check", "follow:acme/known", "contribute:acme/shared", "contribute:bolt/*")
    grant(town, "eve", "check:acme/known", "contribute:eve/feedback")
    return town


def grant(town: Town, partner: str, *grants: str) -> None:
    """Let a partner do this, and nothing else."""
    request = admin_service_pb2.UpdatePartnerRequest(
        partner={"id": partner, "grants": grants}, update_mask={"paths": ["grants"]}
    )
    town.admin.UpdatePartner(request, **town.by("hub"))


def give(
    town: Town,
    by: str,
    kind: OpinionKind = CONFIRM,
    reason: str = "",
    *,
    entry: str = ENTRY,
    request_id: str = "",
    partner: str = "",
) -> Opinion:
    """Give an opinion as a partner."""
    request = list_service_pb2.GiveOpinionRequest(
        request_id=request_id or f"{by} {kind} {reason} {entry}",
        entry=entry,
        opinion=translate.opinion_kind_to_proto(kind),
        reason=reason,
        partner=partner,
    )
    return translate.opinion_from_proto(town.lists.GiveOpinion(request, **town.by(by)).opinion)


def told(town: Town, by: str, **request: Any) -> list[tuple[str, str, OpinionKind, str]]:
    """The opinions that a partner is told: entry, partner, opinion, reason."""
    answer = town.lists.ListOpinions(
        list_service_pb2.ListOpinionsRequest(**(request or {"list": LIST})), **town.by(by)
    )
    found = map(translate.opinion_from_proto, answer.opinions)
    return [(one.entry, one.partner, one.opinion, one.reason) for one in found]


def counts(town: Town, by: str, entry: str = ENTRY) -> OpinionCounts | None:
    """The counts that a partner sees in an entry; both ways to get it tell the same."""
    get = list_service_pb2.GetEntryRequest(name=entry)
    one = translate.entry_from_proto(town.lists.GetEntry(get, **town.by(by)).entry)
    request = list_service_pb2.ListEntriesRequest(list=one.list_name)
    listed = town.lists.ListEntries(request, **town.by(by)).entries
    assert one.opinions in [translate.entry_from_proto(e).opinions for e in listed]
    return one.opinions


def matched(town: Town, by: str, number: int = 1) -> dict[str, match_service_pb2.Match]:
    """What a partner's check of the entry that `add` adds matches, by entry."""
    verdict = town.match.Check(check(number), **town.by(by)).verdict
    return {match.entry: match for match in verdict.matches}


def size(town: Town, by: str, name: str) -> int:
    """How many records a list has."""
    request = list_service_pb2.GetListRequest(name=name)
    return town.lists.GetList(request, **town.by(by)).list.size


def test_the_latest_opinion_counts_and_history_is_kept(town: Town) -> None:
    """The first makes the feedback list, for everyone; a later one takes its place."""
    first = give(town, "bolt")
    assert (first.entry, first.partner, first.opinion) == (ENTRY, "bolt", CONFIRM)
    assert counts(town, "acme") == OpinionCounts(confirm=1)
    second = give(town, "bolt", DISPUTE, "it is the news")
    assert second.time > first.time
    give(town, "bolt", OpinionKind.SEEN, entry="acme/shared#1")
    assert counts(town, "acme") == OpinionCounts(dispute=1)
    assert told(town, "acme") == [(ENTRY, "bolt", DISPUTE, "it is the news")]
    assert told(town, "acme", entry=ENTRY, show_history=True) == [
        (ENTRY, "bolt", CONFIRM, ""),
        (ENTRY, "bolt", DISPUTE, "it is the news"),
    ]
    request = list_service_pb2.GetListRequest(name="bolt/feedback")
    made = translate.list_from_proto(town.lists.GetList(request, **town.by("bolt")).list)
    assert (made.kind, made.readers, made.size) == (ListKind.FEEDBACK, EVERYONE, 4)
    assert (made.active_entries, made.partner) == (0, "bolt")


def test_saying_the_same_again_adds_nothing(town: Town) -> None:
    """Neither by the same request nor by another one; an id is good for one opinion."""
    first = give(town, "bolt", DISPUTE, "wrong", request_id="r")
    assert give(town, "bolt", DISPUTE, "wrong", request_id="r") == first
    assert give(town, "bolt", DISPUTE, "wrong", request_id="another") == first
    assert size(town, "bolt", "bolt/feedback") == 2
    assert refused(lambda: give(town, "bolt", DISPUTE, "other words", request_id="r")) is INVALID
    assert give(town, "bolt", DISPUTE, "other words").time > first.time
    # A late repetition of the first request does not bring the first opinion back.
    assert give(town, "bolt", DISPUTE, "wrong", request_id="r") == first
    assert told(town, "acme") == [(ENTRY, "bolt", DISPUTE, "other words")]


def test_who_may_give_opinions(town: Town) -> None:
    """In its own name, by its own list, on entries of others that it may see."""
    give(town, "bolt", partner="bolt")
    assert refused(lambda: give(town, "bolt", partner="eve")) is DENIED
    assert refused(lambda: give(town, "hub", partner="bolt")) is DENIED
    grant(town, "bolt", "follow:acme/known", "contribute:acme/shared")
    assert refused(lambda: give(town, "bolt", DISPUTE, "x")) is DENIED
    assert refused(lambda: give(town, "eve")) is NOT_FOUND
    assert refused(lambda: give(town, "eve", entry="acme/nothing#1")) is NOT_FOUND
    assert refused(lambda: give(town, "nix")) is DENIED
    assert told(town, "acme") == [(ENTRY, "bolt", CONFIRM, "")]


def test_what_an_opinion_may_be_about(town: Town) -> None:
    """An entry that is there, not withdrawn, and not one's own."""
    for entry in ("acme/known#77", "eve/feedback#1"):
        assert refused(partial(give, town, "bolt", entry=entry)) is NOT_FOUND
    assert refused(lambda: give(town, "acme")) is INVALID
    (answer,) = town.lists.AddEntries(iter([add("acme/shared", 2)]), **town.by("bolt"))
    mine = answer.entries[0].name
    assert refused(lambda: give(town, "bolt", entry=mine)) is INVALID
    withdraw = list_service_pb2.WithdrawEntryRequest(request_id="w", name=ENTRY, reason="mistake")
    town.lists.WithdrawEntry(withdraw, **town.by("acme"))
    assert refused(lambda: give(town, "bolt")) is grpc.StatusCode.FAILED_PRECONDITION
    lists = town.lists.ListLists(list_service_pb2.ListListsRequest(), **town.by("bolt")).lists
    assert "bolt/feedback" not in [one.name for one in lists]


def test_an_opinion_says_what_and_where_it_weighs_why(town: Town) -> None:
    """A dispute without a reason helps nobody."""
    for kind in (DISPUTE, OpinionKind.OUT_OF_SCOPE):
        assert refused(partial(give, town, "bolt", kind, " ")) is INVALID
    assert refused(lambda: give(town, "bolt", CONFIRM, "x" * 2_001)) is INVALID
    request = list_service_pb2.GiveOpinionRequest(request_id="r", entry=ENTRY)
    assert refused(lambda: town.lists.GiveOpinion(request, **town.by("bolt"))) is INVALID
    for kind in (CONFIRM, OpinionKind.SEEN, OpinionKind.PENDING):
        give(town, "bolt", kind)
    assert counts(town, "acme") == OpinionCounts(pending=1)


def test_who_reads_opinions(town: Town) -> None:
    """Whom they are about, and who follows the feedback list; its owner may leave anybody out."""
    give(town, "bolt", DISPUTE, "it is the news")
    grant(town, "eve", "check", "follow:acme/known")
    full = [(ENTRY, "bolt", DISPUTE, "it is the news")]
    assert told(town, "bolt") == told(town, "acme") == full
    assert told(town, "eve") == []
    assert counts(town, "eve") == OpinionCounts(dispute=1)
    grant(town, "eve", "check", "follow:acme/known", "follow:bolt/feedback")
    assert told(town, "eve") == told(town, "eve", entry=ENTRY, show_history=True) == full
    narrow(town, "acme")
    assert told(town, "eve") == told(town, "eve", entry=ENTRY, show_history=True) == []
    assert counts(town, "eve") == OpinionCounts()
    assert matched(town, "eve")[ENTRY].opinions == match_service_pb2.Match().opinions
    assert told(town, "acme") == full
    assert matched(town, "acme")[ENTRY].opinions.dispute == 1
    narrow(town, "eve")
    assert told(town, "acme") == []
    assert refused(lambda: told(town, "nix")) is NOT_FOUND
    assert refused(lambda: told(town, "nix", entry=ENTRY)) is NOT_FOUND


def narrow(town: Town, *readers: str) -> None:
    """Let bolt's opinions be for these alone."""
    request = list_service_pb2.UpdateListRequest(
        request_id=f"narrow {readers}",
        list={"name": "bolt/feedback", "readers": readers},
        update_mask={"paths": ["readers"]},
    )
    town.lists.UpdateList(request, **town.by("bolt"))


def test_verdicts_carry_the_counts(town: Town) -> None:
    """Of other partners alone, also for a caller who sees neither evidence nor contributor."""
    (answer,) = town.lists.AddEntries(iter([add("acme/shared", 2)]), **town.by("bolt"))
    shared = answer.entries[0].name
    grant(town, "eve", "check", "follow:acme/*", "contribute:eve/feedback")
    give(town, "bolt", DISPUTE, "no")
    give(town, "eve", OpinionKind.OUT_OF_SCOPE, "no", entry=shared)
    give(town, "eve", CONFIRM)
    grant(town, "eve", "check")
    match = matched(town, "eve")[ENTRY]
    assert (match.opinions.confirm, match.opinions.dispute) == (1, 1)
    assert (match.contributor, len(match.evidence)) == ("", 0)
    assert matched(town, "eve")["acme/shared#1"].HasField("opinions")
    assert matched(town, "eve", 2)[shared].opinions.out_of_scope == 1
    batch = match_service_pb2.CheckBatchRequest(checks=[check(1)])
    (answers,) = town.match.CheckBatch(iter([batch]), **town.by("eve"))
    assert answers.results[0].verdict.matches[0].opinions.dispute == 1


def test_an_opinion_on_a_canary_does_not_give_it_away(town: Town) -> None:
    """Whom it was not planted for is told of no opinion on it, in a list or in the log."""
    plant = list_service_pb2.PlantCanariesRequest(
        request_id="p", list=LIST, partner="bolt", count=1
    )
    (canary,) = town.lists.PlantCanaries(plant, **town.by("acme")).entries
    give(town, "bolt", DISPUTE, "what is this", entry=canary)
    give(town, "bolt")
    grant(town, "eve", "follow:acme/known", "follow:bolt/feedback", "contribute:eve/feedback")
    assert [one[0] for one in told(town, "eve")] == [ENTRY]
    assert [one[0] for one in told(town, "acme")] == [ENTRY, canary]
    assert refused(lambda: told(town, "eve", entry=canary)) is NOT_FOUND
    assert refused(lambda: give(town, "eve", entry=canary)) is NOT_FOUND
    assert [b"what is this" in body for body in followed(town, "eve")] == [False] * 3
    grant(town, "acme", "contribute", "follow:bolt/feedback")
    assert [b"what is this" in body for body in followed(town, "acme")] == [False, True, False]


def followed(town: Town, by: str, name: str = "bolt/feedback") -> list[bytes]:
    """The bytes of a list's records as a partner gets them; empty for a leaf hash."""
    request = sync_service_pb2.FollowRequest(list=name, to_head=True)
    answers = SyncServiceStub(town.channel).Follow(request, **town.by(by))
    return [leaf.body for answer in answers for leaf in answer.leaves.leaves]


def test_the_log_gives_opinions_to_whom_they_are_about(town: Town) -> None:
    """To the owner of the entry's list without more grants; to others with those for that list."""
    give(town, "bolt", DISPUTE, "it is the news")
    grant(town, "acme", "check", "follow:bolt/feedback")
    grant(town, "eve", "check", "follow:bolt/feedback")
    assert b"it is the news" in followed(town, "acme")[1]
    assert followed(town, "eve")[1:] == [b""]
    grant(town, "eve", "check", "follow:bolt/feedback", "follow:acme/known")
    assert b"it is the news" in followed(town, "eve")[1]


def test_lists_of_opinions_hold_nothing_else(node: str) -> None:
    """And have one name, which no other list has."""
    with Client(node) as client:
        client.create_list(LIST)
        client.add_entries(LIST, [pdq_draft(1)])
        for name, kind in (
            ("bolt/feedback", ListKind.KNOWN),
            ("bolt/feedback", ListKind.EXEMPTION),
            ("bolt/other", ListKind.FEEDBACK),
        ):
            with pytest.raises(RequestRefused) as caught:
                client.create_list(name, kind=kind)
            assert caught.value.violations[0].field == "list.name"
        client.create_list("bolt/feedback", kind=ListKind.FEEDBACK, readers=["acme"])
        given = client.give_opinion(ENTRY, CONFIRM, partner="bolt")
        assert client.get_list("bolt/feedback").readers == ("acme",)
        assert list(client.opinions(LIST)) == [given]
        for call in (
            lambda: client.add_entries("bolt/feedback", [pdq_draft(2)]),
            lambda: client.plant_canaries("bolt/feedback", "eve", 1),
        ):
            with pytest.raises(RequestRefused) as caught:
                call()
            assert caught.value.violations[0].field == "list"


def test_without_authentication_the_operator_says_who(node: str) -> None:
    """Nobody else can; a name that is no partner's is refused."""
    with Client(node) as client:
        client.create_list(LIST)
        client.add_entries(LIST, [pdq_draft(1)])
        for wrong in ("", "No Partner", "hashsvc"):
            with pytest.raises(RequestRefused) as caught:
                client.give_opinion(ENTRY, CONFIRM, partner=wrong)
            assert caught.value.violations[0].field == "partner"
        with pytest.raises(RequestRefused) as caught:
            client.give_opinion("hashsvc/test#1", DISPUTE, "a test", partner="bolt")
        assert caught.value.violations[0].field == "entry"


def test_opinions_are_listed_in_pages(node: str) -> None:
    """By entry as numbers go, each once; a token is good for its list or entry alone."""
    with Client(node) as client:
        for name in (LIST, "acme/known-more"):
            client.create_list(name)
            client.add_entries(name, [pdq_draft(i) for i in range(12)])
        wanted = []
        for number in range(12, 0, -1):
            for who in ("bolt", "eve"):
                client.give_opinion(f"acme/known-more#{number}", CONFIRM, partner=who)
                given = client.give_opinion(f"{LIST}#{number}", CONFIRM, "as met", partner=who)
                wanted.append(given)
        client.give_opinion(f"{LIST}#10", DISPUTE, "after all", partner="bolt")
        found = [(one.entry, one.partner) for one in client.opinions(LIST)]
        assert found == [(f"{LIST}#{n}", who) for n in range(1, 13) for who in ("bolt", "eve")]
        lists = client._lists

        def pages(**request: Any) -> list[list[tuple[str, str]]]:
            made, token = [], ""
            while True:
                page = lists.ListOpinions(
                    list_service_pb2.ListOpinionsRequest(page_size=5, page_token=token, **request)
                )
                made.append([(one.entry, one.partner) for one in page.opinions])
                token = page.next_page_token
                if not token:
                    return made

        cut = pages(list=LIST)
        assert list(chain(*cut)) == found
        assert [len(page) for page in cut] == [5, 5, 5, 5, 4]
        assert pages(entry=f"{LIST}#10") == [[(f"{LIST}#10", "bolt"), (f"{LIST}#10", "eve")]]
        history = list(client.opinions(f"{LIST}#10", history=True))
        assert [(one.partner, one.opinion) for one in history] == [
            ("bolt", CONFIRM),
            ("bolt", DISPUTE),
            ("eve", CONFIRM),
        ]
        first = list_service_pb2.ListOpinionsRequest(list=LIST, page_size=5)
        token = lists.ListOpinions(first).next_page_token
        for wrong in (
            list_service_pb2.ListOpinionsRequest(entry=f"{LIST}#1", page_token=token),
            list_service_pb2.ListOpinionsRequest(list="acme/known-more", page_token=token),
            list_service_pb2.ListOpinionsRequest(list=LIST, show_history=True),
            list_service_pb2.ListOpinionsRequest(),
        ):
            assert refused(partial(lists.ListOpinions, wrong)) is INVALID
        for missing in ("acme/nothing", f"{LIST}#99"):
            with pytest.raises(RequestRefused) as caught:
                list(client.opinions(missing))
            assert caught.value.code is NOT_FOUND


async def test_the_asyncio_client_gives_and_lists_opinions(node: str) -> None:
    """As the blocking one does."""
    async with AsyncClient(node) as client:
        await client.create_list(LIST)
        await client.add_entries(LIST, [pdq_draft(1)])
        given = await client.give_opinion(ENTRY, DISPUTE, "no", partner="bolt")
        assert [one async for one in client.opinions(ENTRY)] == [given]
        (match,) = (await client.check(pdq_draft(1).fingerprints)).matches
        assert match.opinions == OpinionCounts(dispute=1)


def test_opinions_outlast_a_restart_and_follow_from_the_log(tmp_path: Path) -> None:
    """The tables are what the records say, and are there again."""
    with running_town(tmp_path / "data") as town:
        grant(town, "bolt", "follow:acme/known", "contribute:bolt/feedback")
        give(town, "bolt")
        give(town, "bolt", DISPUTE, "no")
    with running_town(tmp_path / "data", town.keys) as town:
        assert counts(town, "acme") == OpinionCounts(dispute=1)
        assert give(town, "bolt", DISPUTE, "no", request_id="again")
        assert size(town, "bolt", "bolt/feedback") == 3
    check_invariants(f"sqlite:///{tmp_path / 'data' / 'hashsvc.db'}", tmp_path)


def is_live(node: AdminClient, list_name: str, size: int) -> bool:
    """Tell whether a list is followed, up to a size."""
    status = {one.subscription.list_name: one for one in node.followed()}[list_name]
    return (status.state, status.size) == (FollowState.LIVE, size)


def test_an_opinion_travels_to_the_owner_of_the_entry(tmp_path: Path) -> None:
    """Bolt's node follows acme's list, acme's follows bolt's opinions; each is kept at home."""
    folders = (tmp_path / "acme", tmp_path / "bolt")
    with (
        running_node(folders[0]) as at_acme,
        running_node(folders[1]) as at_bolt,
        Client(at_acme) as acme,
        Client(at_bolt) as bolt,
        AdminClient(at_acme) as acme_admin,
        AdminClient(at_bolt) as bolt_admin,
    ):
        acme.create_list(LIST)
        acme.add_entries(LIST, [pdq_draft(1)])
        bolt_admin.follow(LIST, at_acme)
        until(lambda: is_live(bolt_admin, LIST, 2))
        given = bolt.give_opinion(ENTRY, DISPUTE, "it is the news", partner="bolt")
        acme_admin.follow("bolt/feedback", at_bolt)
        until(lambda: is_live(acme_admin, "bolt/feedback", 2))
        assert list(acme.opinions(LIST)) == list(bolt.opinions(LIST)) == [given]
        # Live by now: what comes next arrives without anybody asking.
        changed = bolt.give_opinion(ENTRY, CONFIRM, partner="bolt")
        until(lambda: is_live(acme_admin, "bolt/feedback", 3))
        assert list(acme.opinions(ENTRY)) == [changed]
        assert list(acme.opinions(ENTRY, history=True)) == [given, changed]
        for client in (acme, bolt):
            (match,) = client.check(pdq_draft(1).fingerprints).matches
            assert match.opinions == OpinionCounts(confirm=1)
        with pytest.raises(RequestRefused) as caught:
            acme.give_opinion(ENTRY, DISPUTE, "not here", partner="bolt")
        assert caught.value.reason == "LIST_KEPT_ELSEWHERE"
    for folder in folders:
        check_invariants(f"sqlite:///{folder / 'hashsvc.db'}", tmp_path)
        store = Store(f"sqlite:///{folder / 'hashsvc.db'}")
        bolts = store.get_list("bolt/feedback")
        store.close()
        assert bolts is not None
        assert bolts.kind is ListKind.FEEDBACK
