"""Incidents over real gRPC: what is added under their name goes ahead of all else."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest

from hashsvc.lists import feed
from hashsvc.model_sync import FollowState
from hashsvc.rpc import sync
from hashsvc.rpc.threads import Threads
from hashsvc.store import transaction
from hashsvc.v1 import list_service_pb2 as pb
from hashsvc_client import AsyncClient
from tests.commands import hashsvc
from tests.processes import objects
from tests.service.pair import LIST, Pair, running_pair
from tests.service.test_access import audit_records
from tests.service.town import Town, refused
from tests.sync.waiting import until

INCIDENT = "2026-11-example"


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """A home and a follower."""
    with running_pair(tmp_path) as made:
        yield made


class Steps:
    """Lets a catch-up go on by single steps: urgent records, and places up to a checkpoint."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._may_go = threading.Semaphore(0)
        self._is_held = True
        real = Threads.read

        async def read(threads: Threads, work: Any, *arguments: Any, **named: Any) -> Any:
            # Not in a thread of the node's, which it needs for the rest.
            if self._is_held and work is sync._more:
                await asyncio.to_thread(self._may_go.acquire, timeout=60)
            return await real(threads, work, *arguments, **named)

        # A checkpoint after each batch stays, and one batch is sent at a time.
        monkeypatch.setattr(transaction, "CHECKPOINT_STEP", 1)
        monkeypatch.setattr(feed, "REACH", 1)
        monkeypatch.setattr(Threads, "read", read)

    def go(self, count: int = 1) -> None:
        """Go on by so many steps."""
        self._may_go.release(count)

    def end(self) -> None:
        """Go on to the end."""
        self._is_held = False
        self._may_go.release(100)


@pytest.fixture
def steps(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> Iterator[Steps]:
    """A follower that has the first batch of ten, and waits."""
    made = Steps(monkeypatch)
    for start in range(0, 100, 10):
        pair.home.add(*range(start, start + 10))
    pair.follow(key=pair.home.client.get_list(LIST).key)
    made.go(2)
    until(lambda: pair.away.status().size == 11)
    yield made
    made.end()


def test_an_incident_overtakes_a_catch_up(pair: Pair, steps: Steps) -> None:
    """Its entry matches at a follower that is far behind, and its withdrawal ends that."""
    pair.home.client.open_incident(LIST, INCIDENT, "a drill")
    (urgent,) = pair.home.add(500, incident=INCIDENT)
    pair.home.add(501)
    steps.go()
    until(lambda: pair.away.status().size == 21)
    assert pair.away.matches(500)
    status = pair.away.status()
    assert status.state is FollowState.CATCHING_UP
    assert (status.size, status.ahead) == (21, 2)
    assert not pair.away.matches(99)
    assert [one.incident for one in pair.away.client.incidents(LIST)] == [INCIDENT]
    pair.home.client.withdraw_entry(urgent, "it was another")
    steps.go()
    until(lambda: pair.away.status().size == 31)
    assert not pair.away.matches(500)
    assert not pair.away.matches(99)
    steps.end()
    pair.sync()
    assert pair.away.status().ahead == 0
    assert pair.away.matches(99)
    assert pair.away.matches(501)
    assert not pair.away.matches(500)
    assert pair.away.client.get_entry(urgent) == pair.home.client.get_entry(urgent)


def test_what_is_added_after_it_is_concluded_waits(pair: Pair, steps: Steps) -> None:
    """And one that is opened again, while all of that is on its way, is open at followers too."""
    client = pair.home.client
    client.open_incident(LIST, INCIDENT, "a drill")
    client.conclude_incident(LIST, INCIDENT)
    pair.home.add(500, incident=INCIDENT)
    client.open_incident(LIST, INCIDENT, "a drill, again")
    pair.home.add(501, incident=INCIDENT)
    steps.go()
    until(lambda: pair.away.status().size == 21)
    assert pair.away.matches(501)
    assert not pair.away.matches(500)
    steps.end()
    pair.sync()
    assert pair.away.matches(500)
    (there,) = pair.away.client.incidents(LIST)
    assert there == next(iter(client.incidents(LIST)))
    assert (there.title, there.conclude_time) == ("a drill, again", None)
    client.conclude_incident(LIST, INCIDENT)
    pair.sync()
    (there,) = pair.away.client.incidents(LIST)
    assert there.conclude_time is not None


def test_distrust_overtakes_a_catch_up_too(pair: Pair, steps: Steps) -> None:
    """What it is about does not match when it comes, nor what has come."""
    since = datetime(2020, 1, 1, tzinfo=UTC)
    _, plan = pair.home.admin.preview_distrust("acme", since)
    (done,) = pair.home.admin.distrust(plan, "acme", since, "poison")
    assert pair.away.matches(5)
    steps.go()
    until(lambda: pair.away.status().size == 21)
    assert not pair.away.matches(5)
    assert not pair.away.matches(15)
    pair.home.admin.restore_trust("a mistake", distrust_id=done.id)
    steps.go()
    until(lambda: pair.away.status().size == 31)
    assert pair.away.matches(5)
    assert not pair.away.matches(99)
    steps.end()
    pair.sync()
    assert pair.away.matches(99)
    assert pair.away.admin.distrusts() == []


def test_opening_and_concluding(pair: Pair) -> None:
    """Each once, with the same answer to a repeated request; one may be opened again."""
    client = pair.home.client
    for number in range(3):
        client.open_incident(LIST, f"other {number}")
    made = client.open_incident(LIST, INCIDENT, "a drill", request_id="o")
    assert client.open_incident(LIST, INCIDENT, "a drill", request_id="o") == made
    assert (made.title, made.conclude_time) == ("a drill", None)
    done = client.conclude_incident(LIST, INCIDENT)
    assert done.conclude_time is not None
    assert [one.incident for one in client.incidents(LIST)] == [
        INCIDENT,
        *(f"other {number}" for number in range(3)),
    ]
    assert client.open_incident(LIST, INCIDENT, "once more").conclude_time is None
    pair.follow()
    pair.sync()
    assert list(pair.away.client.incidents(LIST)) == list(client.incidents(LIST))


async def test_the_asyncio_client_does_the_same(node: str) -> None:
    """Open, conclude, list; and rotate, erase."""
    async with AsyncClient(node) as client:
        await client.create_list(LIST)
        await client.open_incident(LIST, INCIDENT)
        concluded = await client.conclude_incident(LIST, INCIDENT)
        assert [one async for one in client.incidents(LIST)] == [concluded]
        key = (await client.rotate_key(LIST)).key
        assert (await client.get_list(LIST)).key == key


def test_who_may_and_what_is_refused(town: Town) -> None:
    """Owner, administrators and who contributes; reading is for those who may see the list."""
    shared = "acme/shared"

    def opened(by: str, incident: str = INCIDENT, name: str = shared) -> pb.OpenIncidentResponse:
        request = pb.OpenIncidentRequest(
            request_id=f"o {by} {incident} {name}", list=name, incident=incident, title="a drill"
        )
        return town.lists.OpenIncident(request, **town.by(by))

    def concluded(by: str, incident: str) -> pb.ConcludeIncidentResponse:
        request = pb.ConcludeIncidentRequest(
            request_id=f"c {by} {incident}", list=shared, incident=incident
        )
        return town.lists.ConcludeIncident(request, **town.by(by))

    code = grpc.StatusCode
    for by in ("acme", "bolt", "hub"):
        assert opened(by, by).incident.incident == by
    assert refused(partial(opened, "eve")) is code.NOT_FOUND
    assert refused(partial(opened, "bolt", INCIDENT, "acme/known")) is code.PERMISSION_DENIED
    assert refused(partial(opened, "hub", INCIDENT, "acme/none")) is code.NOT_FOUND
    assert refused(partial(opened, "hub", INCIDENT, "hashsvc/test")) is code.INVALID_ARGUMENT
    for incident in ("", "  ", "x" * 129):
        assert refused(partial(opened, "acme", incident)) is code.INVALID_ARGUMENT
    assert refused(partial(opened, "hub", "acme")) is code.ALREADY_EXISTS
    assert concluded("bolt", "acme").incident.HasField("conclude_time")
    assert refused(partial(concluded, "hub", "acme")) is code.FAILED_PRECONDITION
    assert refused(partial(concluded, "hub", "none")) is code.NOT_FOUND
    asked = pb.ListIncidentsRequest(list=shared, page_size=2)
    first = town.lists.ListIncidents(asked, **town.by("bolt"))
    asked.page_token = first.next_page_token
    last = town.lists.ListIncidents(asked, **town.by("bolt"))
    names = [one.incident for one in (*first.incidents, *last.incidents)]
    assert (names, last.next_page_token) == (["acme", "bolt", "hub"], "")
    asked = pb.ListIncidentsRequest(list=shared)
    assert refused(lambda: town.lists.ListIncidents(asked, **town.by("eve"))) is code.NOT_FOUND
    told = [r for r in audit_records(town) if r["method"].endswith("/OpenIncident")]
    assert told[0]["about"] == {"list": shared, "incident": "acme"}


def test_the_commands(pair: Pair) -> None:
    """Where the list is kept."""
    pair.follow()
    pair.sync()
    words = ("incidents", "open", LIST, INCIDENT, "--title", "a drill", "--server")
    done = hashsvc(*words, pair.away.source)
    assert "change the list where it is kept" in done.stderr
    (shown,) = objects(hashsvc(*words, pair.home.source, "--json"))
    assert (shown["incident"], shown["title"], shown["conclude_time"]) == (
        INCIDENT,
        "a drill",
        None,
    )
    done = hashsvc("incidents", "conclude", LIST, INCIDENT, "--server", pair.home.source)
    assert done.returncode == 0, done.stderr
    pair.sync()
    shown_ = hashsvc("incidents", "list", LIST, "--server", pair.away.source).stdout
    assert shown_.splitlines()[1].startswith(f"{LIST}  {INCIDENT}")
