"""What a list's owner decides, over real gRPC: readers, naming contributors, canaries."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest

from hashsvc import translate, translate_match
from hashsvc.model import Entry, MediaType
from hashsvc.v1 import admin_service_pb2, list_service_pb2, match_service_pb2
from tests.harness import flip, pdq_draft
from tests.service.town import Town, add, check, refused, running_town

LIST = "acme/known"
NOT_FOUND, DENIED = grpc.StatusCode.NOT_FOUND, grpc.StatusCode.PERMISSION_DENIED


def matched(town: Town, partner: str, number: int = 1) -> match_service_pb2.Verdict:
    """The verdict that a partner gets on the entry that `add` adds."""
    return town.match.Check(check(number), **town.by(partner)).verdict


def entries(town: Town, partner: str, **options: Any) -> list[Entry]:
    """What a partner sees in the list."""
    request = list_service_pb2.ListEntriesRequest(list=LIST, show_fingerprints=True, **options)
    answer = town.lists.ListEntries(request, **town.by(partner))
    return [translate.entry_from_proto(entry) for entry in answer.entries]


def update(town: Town, partner: str, request_id: str, **values: Any) -> Any:
    """Change the list as a partner."""
    request = list_service_pb2.UpdateListRequest(
        request_id=request_id, list={"name": LIST, **values}, update_mask={"paths": list(values)}
    )
    return town.lists.UpdateList(request, **town.by(partner))


def plant(town: Town, partner: str, count: int = 3, by: str = "acme") -> list[str]:
    """Plant canaries in the list."""
    request = list_service_pb2.PlantCanariesRequest(
        request_id=f"{partner} {count} {by}", list=LIST, partner=partner, count=count
    )
    return list(town.lists.PlantCanaries(request, **town.by(by)).entries)


def test_the_owner_says_who_reads(town: Town) -> None:
    """A grant of the node alone does not let one read, nor learn by checks what is in the list."""
    assert [entry.name for entry in entries(town, "bolt")] == [f"{LIST}#1"]
    assert [match.list for match in matched(town, "eve").matches] == [LIST]
    answer = update(town, "acme", "u1", readers=["eve", "zed"])
    assert list(answer.list.readers) == ["eve", "zed"]
    assert refused(lambda: entries(town, "bolt")) is NOT_FOUND
    listed = town.lists.ListLists(list_service_pb2.ListListsRequest(), **town.by("bolt"))
    assert LIST not in [one.name for one in listed.lists]
    assert [match.list for match in matched(town, "bolt").matches] == ["acme/shared"]
    assert [match.list for match in matched(town, "eve").matches] == [LIST]
    assert len(matched(town, "acme").matches) == 2
    update(town, "acme", "u2", readers=["*"])
    assert entries(town, "bolt")


def test_readers_outlast_a_restart(tmp_path: Path) -> None:
    """They are in the list's log."""
    with running_town(tmp_path / "data") as town:
        update(town, "acme", "u1", readers=["zed"])
    with running_town(tmp_path / "data", town.keys) as town:
        assert refused(lambda: entries(town, "bolt")) is NOT_FOUND
        assert not matched(town, "eve").matches


def test_the_owner_agrees_to_naming_contributors(town: Town) -> None:
    """Who may only check sees a contributor then, and still no distance."""
    (match,) = matched(town, "eve").matches
    assert not match.contributor
    update(town, "acme", "u1", names_contributors=True)
    (match,) = matched(town, "eve").matches
    assert match.contributor == "acme"
    assert not match.evidence


def test_only_the_owner_and_administrators_change_a_list(town: Town) -> None:
    """A partner that contributes to it does not, and one that may not see it is told of nothing."""
    for by, status in (("bolt", DENIED), ("eve", NOT_FOUND)):
        assert refused(partial(update, town, by, "u", purpose="mine")) is status
        assert refused(partial(plant, town, "zed", by=by)) is status
    assert update(town, "hub", "u", purpose="put in order").list.purpose == "put in order"
    request = list_service_pb2.UpdateListRequest(request_id="k", list={"name": LIST})
    request.update_mask.paths.append("kind")
    status = refused(lambda: town.lists.UpdateList(request, **town.by("acme")))
    assert status is grpc.StatusCode.INVALID_ARGUMENT


def test_a_canary_is_seen_by_its_partner_alone(town: Town) -> None:
    """It looks like any other entry, and its partner is not told that it is a canary."""
    names = plant(town, "bolt")
    assert len(names) == 3
    before = entries(town, "bolt")
    assert [entry.name for entry in before] == [f"{LIST}#1", *names]
    for entry in before[1:]:
        assert not entry.canary_of
        assert (entry.media_type, entry.description) == (
            before[0].media_type,
            before[0].description,
        )
        assert [f.algorithm for f in entry.fingerprints] == ["pdq"]
        assert int.from_bytes(entry.fingerprints[0].value).bit_count() == 128
    town.admin.UpdatePartner(
        admin_service_pb2.UpdatePartnerRequest(
            partner={"id": "eve", "grants": ["check", "follow:acme/known"]},
            update_mask={"paths": ["grants"]},
        ),
        **town.by("hub"),
    )
    assert [entry.name for entry in entries(town, "eve")] == [f"{LIST}#1"]
    get = list_service_pb2.GetEntryRequest(name=names[0])
    assert refused(lambda: town.lists.GetEntry(get, **town.by("eve"))) is NOT_FOUND
    assert refused(lambda: entries(town, "eve", only_canaries=True)) is DENIED
    shown = entries(town, "acme", only_canaries=True)
    assert [(entry.name, entry.canary_of) for entry in shown] == [(name, "bolt") for name in names]


def test_canaries_of_others_are_not_withdrawn_by_guessing(town: Town) -> None:
    """One that may contribute learns nothing by trying numbers."""
    (name,) = plant(town, "eve", 1)
    town.admin.UpdatePartner(
        admin_service_pb2.UpdatePartnerRequest(
            partner={"id": "bolt", "grants": ["contribute:acme/known"]},
            update_mask={"paths": ["grants"]},
        ),
        **town.by("hub"),
    )
    request = list_service_pb2.WithdrawEntryRequest(request_id="w", name=name, reason="guess")
    assert refused(lambda: town.lists.WithdrawEntry(request, **town.by("bolt"))) is NOT_FOUND
    assert town.lists.WithdrawEntry(request, **town.by("acme")).entry.canary_of == "eve"


def test_a_check_that_meets_a_canary_is_answered_and_told(
    town: Town, capfd: pytest.CaptureFixture[str]
) -> None:
    """The caller sees a match like any other; the operator sees the log, the audit log a record."""
    (name,) = plant(town, "bolt", 1)
    (canary,) = entries(town, "acme", only_canaries=True)
    near = flip(canary.fingerprints[0].value, 9)
    capfd.readouterr()
    request = translate_match.check_request(MediaType.IMAGE, pdq_draft(near).fingerprints, None, "")
    verdict = town.match.Check(request, **town.by("eve")).verdict
    assert [match.entry for match in verdict.matches] == [name]
    assert "bolt" not in str(verdict)
    written = capfd.readouterr().out
    assert "canary met" in written
    assert "canary_of=bolt" in written
    assert "by=eve" in written
    answer = town.admin.ListAuditRecords(
        admin_service_pb2.ListAuditRecordsRequest(), **town.by("hub")
    )
    found = [json.loads(record) for record in answer.records]
    (met,) = [r for r in found if r["method"].endswith("/Check")]
    assert (met["partner"], met["about"]) == ("eve", {"canary_of": "bolt", "entry": name})


def test_canaries_need_something_to_resemble(town: Town) -> None:
    """An empty list has none, nor does one whose entries are all withdrawn."""
    withdraw = list_service_pb2.WithdrawEntryRequest(
        request_id="w", name=f"{LIST}#1", reason="mistake"
    )
    town.lists.WithdrawEntry(withdraw, **town.by("acme"))
    assert refused(lambda: plant(town, "bolt")) is grpc.StatusCode.FAILED_PRECONDITION
    list(town.lists.AddEntries(iter([add(LIST, 2)]), **town.by("acme")))
    assert refused(lambda: plant(town, "bolt", 0)) is grpc.StatusCode.INVALID_ARGUMENT
    assert refused(lambda: plant(town, "acme")) is grpc.StatusCode.INVALID_ARGUMENT
    assert refused(lambda: plant(town, "bolt", 101)) is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert plant(town, "bolt", 100)
