"""Distrust over real gRPC: reviewed, at once, on every node that follows, and undoable."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest

from hashsvc.v1 import admin_service_pb2 as pb
from hashsvc.v1 import list_service_pb2
from hashsvc_client import RequestRefused
from tests.service.pair import LIST, Pair, running_pair
from tests.service.test_access import audit_records
from tests.service.town import Town, add, check, refused, running_town
from tests.sync.waiting import until

SHARED = "acme/shared"


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """A home with one entry of before and two of after a moment, and a follower that has them."""
    with running_pair(tmp_path) as made:
        made.follow()
        made.home.add(1)
        made.sync()
        yield made


def test_it_reaches_every_follower_and_back(pair: Pair) -> None:
    """And outlasts restarts; entries stay visible, marked; new ones do not match either."""
    since = datetime.now(UTC)
    pair.home.add(2, 3)
    pair.sync()
    planned, plan = pair.home.admin.preview_distrust("acme", since)
    assert [(p.list_name, p.entries, p.since_sequence, p.is_kept_here) for p in planned] == [
        (LIST, 2, 2, True)
    ]
    (done,) = pair.home.admin.distrust(plan, "acme", since, "poison")
    assert (done.since_sequence, done.place, done.reason) == (2, 4, "poison")
    assert [bool(pair.home.matches(number)) for number in (1, 2, 3)] == [True, False, False]
    until(lambda: not pair.away.matches(2))
    pair.home.add(4)
    pair.sync()
    for side in (pair.home, pair.away):
        side.stop()
        side.start()
        assert [bool(side.matches(number)) for number in (1, 2, 3, 4)] == [True] + [False] * 3
        marks = {e.name: e.is_distrusted for e in side.client.entries(LIST)}
        assert marks == {f"{LIST}#{n}": n > 1 for n in (1, 2, 3, 5)}
        assert side.client.get_entry(f"{LIST}#5").is_distrusted
    (there,) = pair.away.admin.distrusts()
    assert (there.contributor, there.since_sequence, there.place) == ("acme", 2, 4)
    with pytest.raises(RequestRefused, match="where it is kept") as caught:
        pair.away.admin.restore_trust("no", distrust_id=there.id)
    assert caught.value.reason == "LIST_KEPT_ELSEWHERE"
    assert pair.away.admin.restore_trust("no", partner="acme") == []
    (undone,) = pair.home.admin.restore_trust("a mistake", distrust_id=done.id)
    assert undone.undo_time is not None
    for side in (pair.home, pair.away):
        until(partial(side.matches, 4))
        assert all(side.matches(number) for number in (1, 2, 3))
        assert side.admin.distrusts() == []
        assert [one.place for one in side.admin.distrusts("acme", show_undone=True)] == [4]


def test_a_follower_decides_for_itself(pair: Pair) -> None:
    """What it takes in later does not match there either, and the home goes on."""
    since = datetime.now(UTC)
    pair.home.add(2)
    pair.sync()
    for number, (partner, list_name) in enumerate((("acme", ""), ("*", LIST)), 3):
        planned, plan = pair.away.admin.preview_distrust(partner, since, list_name)
        assert [(p.entries, p.since_sequence, p.is_kept_here) for p in planned] == [
            (number - 2, 2, False)
        ]
        (done,) = pair.away.admin.distrust(plan, partner, since, "leak", list_name=list_name)
        assert (done.contributor, done.place) == (partner, None)
        pair.home.add(number)
        pair.sync()
        pair.away.stop()
        pair.away.start()
        pair.sync()
        assert [bool(pair.away.matches(n)) for n in (1, 2, number)] == [True, False, False]
        assert pair.home.matches(2)
        assert pair.home.matches(number)
        pair.away.admin.restore_trust("found and closed", partner=partner)
        assert pair.away.matches(2)
        assert pair.away.matches(number)


def preview(town: Town, **values: Any) -> pb.PreviewDistrustResponse:
    """A preview as the administrator."""
    return town.admin.PreviewDistrust(pb.PreviewDistrustRequest(**values), **town.by("hub"))


def shared(town: Town, by: str, *numbers: int) -> None:
    """Add entries to the list that acme and bolt contribute to."""
    for number in numbers:
        list(town.lists.AddEntries(iter([add(SHARED, number)]), **town.by(by)))


def hits(town: Town, number: int) -> int:
    """How many entries the media of a number matches, for acme."""
    return len(town.match.Check(check(number), **town.by("acme")).verdict.matches)


def test_a_partner_is_distrusted_and_suspended_in_one_step(town: Town) -> None:
    """Others go on, and it may come back; the audit log has who, why and how many."""
    shared(town, "bolt", 10, 11)
    shared(town, "acme", 12)
    about: dict[str, Any] = {"partner": "bolt", "since": datetime(2020, 1, 1, tzinfo=UTC)}
    seen = preview(town, **about)
    assert [(one.list, one.entries) for one in seen.lists] == [(SHARED, 2)]
    request = pb.DistrustRequest(plan=seen.plan, reason="account taken over", suspend=True, **about)
    (done,) = town.admin.Distrust(request, **town.by("hub")).distrusts
    assert [hits(town, number) for number in (10, 11, 12)] == [0, 0, 1]
    assert refused(lambda: shared(town, "bolt", 13)) is grpc.StatusCode.UNAUTHENTICATED
    assert refused(lambda: town.admin.Distrust(request, **town.by("hub"))) is (
        grpc.StatusCode.FAILED_PRECONDITION
    )
    undo = pb.RestoreTrustRequest(id=done.id, reason="theirs again", resume=True)
    town.admin.RestoreTrust(undo, **town.by("hub"))
    assert hits(town, 10) == 1
    shared(town, "bolt", 13)
    assert hits(town, 13) == 1
    first, stale, last = trust_records(town)
    assert (first["partner"], first["status"], stale["status"]) == (
        "hub",
        "OK",
        "FAILED_PRECONDITION",
    )
    expected = {"partner": "bolt", "reason": "account taken over", "lists": "1", "entries": "2"}
    assert expected.items() <= first["about"].items()
    assert first["about"]["suspend"] == "True"
    assert last["about"]["distrusts"] == str(done.id)


def trust_records(town: Town) -> list[Any]:
    """What the audit log has of distrust."""
    methods = ("Distrust", "RestoreTrust")
    return [r for r in audit_records(town) if r["method"].rpartition("/")[2] in methods]


def test_nothing_is_done_where_a_part_cannot_be(town: Town) -> None:
    """A partner that is not known here cannot be suspended or resumed; nor can any contributor."""
    shared(town, "bolt", 10)
    since = datetime(2020, 1, 1, tzinfo=UTC)
    about: dict[str, Any]
    for partner, list_name, status in (
        ("zed", "", grpc.StatusCode.NOT_FOUND),
        ("*", SHARED, grpc.StatusCode.INVALID_ARGUMENT),
    ):
        about = {"partner": partner, "since": since, "list": list_name}
        plan = preview(town, **about).plan
        request = pb.DistrustRequest(plan=plan, reason="why", suspend=True, **about)
        assert refused(partial(town.admin.Distrust, request, **town.by("hub"))) is status
    assert hits(town, 10) == 1
    about = {"partner": "*", "since": since, "list": SHARED}
    request = pb.DistrustRequest(plan=preview(town, **about).plan, reason="why", **about)
    (done,) = town.admin.Distrust(request, **town.by("hub")).distrusts
    undo = pb.RestoreTrustRequest(id=done.id, reason="why", resume=True)
    assert refused(lambda: town.admin.RestoreTrust(undo, **town.by("hub"))) is (
        grpc.StatusCode.INVALID_ARGUMENT
    )
    assert hits(town, 10) == 0


def test_only_administrators_see_and_do_it(town: Town) -> None:
    """Owners of lists neither; all others see that entries do not match."""
    shared(town, "bolt", 10)
    about: dict[str, Any] = {"partner": "bolt", "since": datetime(2020, 1, 1, tzinfo=UTC)}
    request = pb.PreviewDistrustRequest(**about)
    assert refused(lambda: town.admin.PreviewDistrust(request, **town.by("acme"))) is (
        grpc.StatusCode.PERMISSION_DENIED
    )
    distrust = pb.DistrustRequest(plan=preview(town, **about).plan, reason="why", **about)
    town.admin.Distrust(distrust, **town.by("hub"))
    listed = town.lists.ListEntries(
        list_service_pb2.ListEntriesRequest(list=SHARED), **town.by("bolt")
    )
    assert [entry.distrusted for entry in listed.entries] == [False, True]


def test_distrust_is_listed_in_pages(town: Town) -> None:
    """Each once, the oldest first."""
    shared(town, "bolt", 10)
    for partner in ("bolt", "acme"):
        about: dict[str, Any] = {"partner": partner, "since": datetime(2020, 1, 1, tzinfo=UTC)}
        request = pb.DistrustRequest(plan=preview(town, **about).plan, reason="why", **about)
        town.admin.Distrust(request, **town.by("hub"))
    found: list[pb.DistrustedEntries] = []
    asked = pb.ListDistrustsRequest(page_size=1)
    while True:
        answer = town.admin.ListDistrusts(asked, **town.by("hub"))
        found += answer.distrusts
        if not answer.next_page_token:
            break
        asked.page_token = answer.next_page_token
    assert [(one.contributor, one.list) for one in found] == [
        ("bolt", SHARED),
        ("acme", "acme/known"),
        ("acme", SHARED),
    ]


def test_distrust_outlasts_a_restart(tmp_path: Path) -> None:
    """It is in the list's log."""
    with running_town(tmp_path / "data") as town:
        shared(town, "bolt", 10)
        about: dict[str, Any] = {"partner": "bolt", "since": datetime(2020, 1, 1, tzinfo=UTC)}
        request = pb.DistrustRequest(plan=preview(town, **about).plan, reason="why", **about)
        town.admin.Distrust(request, **town.by("hub"))
    with running_town(tmp_path / "data", town.keys) as town:
        assert hits(town, 10) == 0
