"""Nodes that follow each other, over real gRPC."""

import sqlite3
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest

from hashsvc.model import EntryDraft, ListKind, MediaType
from hashsvc.model_sync import FollowState, Selection
from hashsvc.v1 import admin_service_pb2, list_service_pb2, sync_service_pb2
from hashsvc.v1.sync_service_pb2_grpc import SyncServiceStub
from hashsvc_client import Client, RequestRefused, Security
from hashsvc_client.admin import AdminClient
from tests.harness import (
    PROPAGANDA,
    check_invariants,
    local_fingerprint,
    pdq_draft,
    running_node,
)
from tests.processes import serving
from tests.service.town import Town, add, refused, running_town, set_up
from tests.sync.waiting import followed, is_known, until, until_state

LIST = "acme/known"
FAST = {"following": {"retry_least_s": 0.05, "retry_most_s": 0.2, "retry_refused_s": 300}}


@contextmanager
def nodes(folder: Path, *names: str) -> Iterator[list[str]]:
    """Run nodes; at the end the parts of each agree."""
    with ExitStack() as stack:
        yield [stack.enter_context(running_node(folder / name, **FAST)) for name in names]
    for name in names:
        check_invariants(f"sqlite:///{folder / name / 'hashsvc.db'}", folder)


def follow(address: str, source: str, key: str = "", **options: Any) -> None:
    """Let a node follow the list at another."""
    with AdminClient(address) as admin:
        admin.follow(LIST, source, key=key, **options)


def make_list(address: str, *numbers: int) -> str:
    """Make the list with some entries; return its key."""
    with Client(address) as client:
        made = client.create_list(LIST, purpose="for tests")
        if numbers:
            client.add_entries(LIST, [pdq_draft(number) for number in numbers])
        return made.key


def test_what_one_has_seen_all_recognise(tmp_path: Path) -> None:
    """Through a hub, live, with all changes; and nobody but the owner makes any."""
    with nodes(tmp_path, "acme", "hub", "bolt") as (acme, hub, bolt):
        key = make_list(acme, 1)
        # The hub may not have anything yet: who knows the key need not wait for it.
        follow(bolt, hub, key)
        follow(hub, acme)
        until_state(bolt, LIST, FollowState.LIVE, 2)
        assert is_known(bolt, 1)
        with Client(acme) as client, Client(bolt) as copy:
            client.add_entries(LIST, [pdq_draft(2)])
            until(lambda: is_known(bolt, 2))
            client.withdraw_entry(f"{LIST}#1", "mistake")
            until(lambda: not is_known(bolt, 1))
            client.update_list(LIST, purpose="better", local_features=True)
            local = local_fingerprint(1, 60)
            client.add_entries(LIST, [EntryDraft(MediaType.IMAGE, (local,), PROPAGANDA)])
            until(lambda: copy.check([local]).matches)
            assert copy.get_list(LIST).local_features
            assert copy.get_list(LIST) == client.get_list(LIST)
            listed = list(client.entries(LIST, show_withdrawn=True, show_fingerprints=True))
            assert list(copy.entries(LIST, show_withdrawn=True, show_fingerprints=True)) == listed
            for change in (
                lambda: copy.add_entries(LIST, [pdq_draft(3)]),
                lambda: copy.withdraw_entry(f"{LIST}#2", "mine"),
                lambda: copy.update_list(LIST, purpose="mine"),
            ):
                with pytest.raises(RequestRefused) as caught:
                    change()
                assert caught.value.reason == "LIST_KEPT_ELSEWHERE"


def test_weeks_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that was away, or whose source was, goes on from where it was, by itself."""
    monkeypatch.setattr("hashsvc.store.transaction.CHECKPOINT_STEP", 100)
    with running_node(tmp_path / "bolt", **FAST) as bolt:
        with running_node(tmp_path / "acme") as acme:
            make_list(acme, 1)
            follow(bolt, acme)
            until_state(bolt, LIST, FollowState.LIVE, 2)
        status = until_state(bolt, LIST, FollowState.WAITING)
        assert status.size == 2
        assert is_known(bolt, 1)
    with running_node(tmp_path / "acme", listen=acme) as again:
        assert again == acme
        with Client(acme) as client:
            for first in range(10, 310, 50):
                drafts = [pdq_draft(number) for number in range(first, first + 50)]
                client.add_entries(LIST, drafts)
            size = client.get_list(LIST).size
        with running_node(tmp_path / "bolt", **FAST) as bolt:
            until_state(bolt, LIST, FollowState.LIVE, size)
            assert is_known(bolt, 309)
            assert followed(bolt, LIST).behind == 0
    check_invariants(f"sqlite:///{tmp_path / 'bolt' / 'hashsvc.db'}", tmp_path)


def test_a_source_that_falsifies_is_refused_and_matching_goes_on(tmp_path: Path) -> None:
    """The alarm keeps the evidence until somebody has seen to it; a true source is taken."""
    with ExitStack() as stack:
        acme = stack.enter_context(running_node(tmp_path / "acme"))
        make_list(acme, 1, 2)
        with running_node(tmp_path / "hub", **FAST) as hub:
            follow(hub, acme)
            until_state(hub, LIST, FollowState.LIVE, 3)
        with sqlite3.connect(tmp_path / "hub" / "hashsvc.db") as database:
            database.execute(
                "UPDATE records SET body = CAST(replace(body, 'propaganda', 'satire') AS BLOB) "
                "WHERE list_position = 2"
            )
        hub = stack.enter_context(running_node(tmp_path / "hub", listen=hub, **FAST))
        bolt = stack.enter_context(running_node(tmp_path / "bolt", **FAST))
        follow(bolt, hub)
        status = until_state(bolt, LIST, FollowState.REFUSED)
        assert status.size == 0
        (alarm,) = status.alarms
        assert "not those of a checkpoint" in alarm.reason
        assert alarm.source == hub
        assert alarm.offered.startswith(b"hashsvc/acme/known\n3\n")
        assert not is_known(bolt, 2)
        follow(bolt, acme)
        until_state(bolt, LIST, FollowState.LIVE, 3)
        assert is_known(bolt, 2)
        assert len(followed(bolt, LIST).alarms) == 1
        with AdminClient(bolt) as admin:
            assert admin.accept_alarms(LIST).alarms == ()


def test_metrics_tell_of_following(tmp_path: Path) -> None:
    """How far behind each list is, and whether it is live."""
    with (
        nodes(tmp_path, "acme") as (acme,),
        serving(tmp_path / "bolt", "--metrics", "127.0.0.1:0") as bolt,
    ):
        make_list(acme, 1)
        follow(bolt.address, acme)
        until_state(bolt.address, LIST, FollowState.LIVE, 2)
        with urllib.request.urlopen(bolt.metrics_url, timeout=10) as answer:
            told = answer.read().decode()
    for line in ("follow_live", "follow_behind_records", "follow_records"):
        assert f'hashsvc_{line}{{list="acme/known"}} ' in told
    assert 'hashsvc_follow_live{list="acme/known"} 1.0' in told


def test_a_list_is_not_followed_where_it_is_kept(tmp_path: Path) -> None:
    """Nor are the built-in ones, nor without a key or a source, nor with a key of another list."""
    with nodes(tmp_path, "acme", "bolt") as (acme, bolt), AdminClient(bolt) as admin:
        key = make_list(acme)
        make_list(bolt)
        with pytest.raises(RequestRefused) as caught:
            admin.follow(LIST, acme)
        assert caught.value.reason == "LIST_KEPT_HERE"
        for arguments, field in (
            (("hashsvc/test", acme), "subscription.list"),
            (("acme/other", ""), "subscription.key"),
            (("acme/other", "nowhere"), "subscription.source"),
        ):
            with pytest.raises(RequestRefused) as caught:
                admin.follow(*arguments)
            assert caught.value.violations[0].field == field
        with pytest.raises(RequestRefused, match="not a key of this list"):
            admin.follow("acme/other", acme, key=key)
        with pytest.raises(RequestRefused) as caught:
            admin.follow("acme/none", acme)
        assert caught.value.reason == "SOURCE_UNAVAILABLE"
        with pytest.raises(RequestRefused) as caught:
            admin.unfollow("acme/none")
        assert caught.value.reason == "SUBSCRIPTION_NOT_FOUND"


def test_following_is_paused_changed_and_ended(tmp_path: Path) -> None:
    """What was taken in stays and matches."""
    with nodes(tmp_path, "acme", "bolt") as (acme, bolt), AdminClient(bolt) as admin:
        make_list(acme, 1)
        follow(bolt, acme)
        until_state(bolt, LIST, FollowState.LIVE, 2)
        follow(bolt, acme, is_paused=True)
        assert followed(bolt, LIST).state is FollowState.PAUSED
        with Client(acme) as client:
            client.add_entries(LIST, [pdq_draft(2)])
        follow(bolt, acme, selection=Selection(labels=("recruitment",)))
        until_state(bolt, LIST, FollowState.LIVE, 3)
        assert is_known(bolt, 1)
        assert not is_known(bolt, 2)
        admin.unfollow(LIST)
        assert admin.followed() == []
        assert is_known(bolt, 1)
        # Followed once more, so that the places that it lacks are not taken for damage.
        follow(bolt, acme)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """A node with partners: bolt may follow acme/known, eve may not."""
    with running_town(tmp_path / "town") as made:
        yield made


def stream(town: Town, partner: str, name: str = LIST) -> Any:
    """A partner's Follow stream."""
    request = sync_service_pb2.FollowRequest(list=name)
    return SyncServiceStub(town.channel).Follow(request, **town.by(partner))


def test_only_readers_follow(town: Town) -> None:
    """Who may not is told that there is no such list; who no longer may loses the stream."""
    for partner in ("eve", "nix", "hub"):
        assert refused(partial(next, stream(town, partner))) is grpc.StatusCode.NOT_FOUND
    for request in (
        sync_service_pb2.GetCheckpointRequest(list=LIST),
        sync_service_pb2.GetInclusionProofRequest(list=LIST, place=1),
        sync_service_pb2.GetConsistencyProofRequest(list=LIST, old_size=1, new_size=2),
    ):
        method = type(request).__name__.removesuffix("Request")
        call = getattr(SyncServiceStub(town.channel), method)
        assert refused(partial(call, request, **town.by("eve"))) is (grpc.StatusCode.NOT_FOUND)
        assert call(request, **town.by("bolt"))
    live = stream(town, "bolt")
    kinds = [next(live).WhichOneof("message") for _ in range(3)]
    assert kinds == ["started", "leaves", "signed"]
    update = list_service_pb2.UpdateListRequest(
        request_id="u", list={"name": LIST, "readers": ["zed"]}, update_mask={"paths": ["readers"]}
    )
    town.lists.UpdateList(update, **town.by("acme"))
    assert refused(lambda: [*live]) is grpc.StatusCode.NOT_FOUND


def test_suspending_ends_a_stream(town: Town) -> None:
    """As it does other streams."""
    live = stream(town, "bolt")
    next(live)
    request = admin_service_pb2.UpdatePartnerRequest(
        partner={"id": "bolt", "suspended": True}, update_mask={"paths": ["suspended"]}
    )
    town.admin.UpdatePartner(request, **town.by("hub"))
    assert refused(lambda: [*live]) is grpc.StatusCode.UNAUTHENTICATED


def test_a_relay_keeps_to_the_readers_that_the_owner_names(tmp_path: Path) -> None:
    """Whatever it grants itself."""
    keys = set_up(tmp_path / "hub")
    peer = {"following": FAST["following"]}
    with (
        running_node(tmp_path / "acme") as acme,
        running_node(tmp_path / "hub", authentication=True, **peer) as address,
    ):
        hub = Town(address, keys)
        with Client(acme) as client:
            client.create_list(LIST, readers=["hub", "bolt"])
            client.add_entries(LIST, [pdq_draft(1)])
        grants = ["admin", "follow:*", "check"]
        for partner in ("bolt", "eve"):
            change = admin_service_pb2.UpdatePartnerRequest(
                partner={"id": partner, "grants": grants}, update_mask={"paths": ["grants"]}
            )
            hub.admin.UpdatePartner(change, **hub.by("hub"))
        with AdminClient(address, security=Security(api_key=keys["hub"])) as admin:
            admin.follow(LIST, acme)
            until(lambda: admin.followed()[0].size == 2)
        first = next(stream(hub, "bolt"))
        assert not first.started.is_home
        assert refused(lambda: next(stream(hub, "eve"))) is grpc.StatusCode.NOT_FOUND
        hub.channel.close()


def test_a_follower_proves_itself_by_key_and_tls(tmp_path: Path) -> None:
    """With what the settings say of its source; the key is in a file for its owner alone."""
    keys = set_up(tmp_path / "acme")
    with running_node(tmp_path / "acme", authentication=True) as acme:
        town = Town(acme, keys)
        town.lists.CreateList(
            list_service_pb2.CreateListRequest(request_id="c", list={"name": LIST}),
            **town.by("acme"),
        )
        list(town.lists.AddEntries(iter([add(LIST, 1)]), **town.by("acme")))
        with running_node(tmp_path / "plain", **FAST) as plain, AdminClient(plain) as admin:
            with pytest.raises(RequestRefused) as caught:
                admin.follow(LIST, acme)
            assert caught.value.reason == "SOURCE_UNAVAILABLE"
        secret = tmp_path / "key"
        secret.touch(mode=0o600)
        secret.write_text(keys["bolt"] + "\n")
        peers = [{"address": acme, "api_key_file": secret}]
        with running_node(tmp_path / "bolt", peers=peers, **FAST) as bolt:
            follow(bolt, acme)
            until_state(bolt, LIST, FollowState.LIVE, 2)
            assert is_known(bolt, 1)
        town.channel.close()


def test_a_copy_of_an_exemption_list_exempts(tmp_path: Path) -> None:
    """Its kind travels with it."""
    with nodes(tmp_path, "acme", "bolt") as (acme, bolt), Client(acme) as client:
        client.create_list(LIST, kind=ListKind.EXEMPTION)
        client.add_entries(LIST, [pdq_draft(1, PROPAGANDA)])
        follow(bolt, acme)
        until_state(bolt, LIST, FollowState.LIVE, 2)
        with Client(bolt) as copy:
            verdict = copy.check(pdq_draft(1).fingerprints)
        assert not verdict.matches
        assert [match.entry for match in verdict.exemptions] == [f"{LIST}#1"]
