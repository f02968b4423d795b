"""Who learns what from checking videos: rights, probing, canaries."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest

from hashsvc import translate
from hashsvc.v1 import list_service_pb2, types_pb2
from hashsvc.v1 import match_service_pb2 as pb
from hashsvc_client.errors import from_rpc_error
from tests.harness import running_node
from tests.service.footage import clip, frames, video
from tests.service.test_streams import change
from tests.service.town import Town, create, refused, running_town, set_up

LIST = "acme/known"


@pytest.fixture(scope="module")
def videos_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A town where acme knows a video that bolt may read and eve may only check against."""
    with running_town(tmp_path_factory.mktemp("town") / "data") as town:
        list(town.lists.AddEntries(iter([add_video(range(400, 420))]), **town.by("acme")))
        yield town


def add_video(scenes: range) -> list_service_pb2.AddEntriesRequest:
    """A request to add a known video."""
    entry = translate.draft_to_proto(video(scenes))
    return list_service_pb2.AddEntriesRequest(request_id="video", list=LIST, entries=[entry])


def test_who_may_only_check_sees_seconds_of_its_own(videos_town: Town) -> None:
    """Which part of the upload is known, not which part of the known video it is."""
    sent = clip(range(405, 412), 3000)
    told = {}
    for partner in ("bolt", "eve"):
        *_, last = videos_town.match.CheckVideo(iter([frames(sent)]), **videos_town.by(partner))
        (match,) = last.verdict.matches
        (told[partner],) = match.segments
        assert match.HasField("coverage") is (partner == "bolt")
    assert told["eve"].upload_start == told["bolt"].upload_start
    assert told["eve"].upload_end == told["bolt"].upload_end
    assert told["bolt"].known_start.seconds == 5
    assert {field.name for field, _ in told["eve"].ListFields()} == {
        "upload_start",
        "upload_end",
        "variant",
    }


def test_probing_by_videos_is_noticed(tmp_path: Path) -> None:
    """Different uploads near one known video, past the limit; each counts once, whatever it has."""
    keys = set_up(tmp_path / "data")
    limits = {"max_near_per_entry": 3}
    with running_node(tmp_path / "data", authentication=True, limits=limits) as address:
        town = Town(address, keys)
        town.lists.CreateList(create(LIST), **town.by("acme"))
        list(town.lists.AddEntries(iter([add_video(range(400, 420))]), **town.by("acme")))

        def send(bits: int, partner: str = "eve") -> Any:
            parts = [frames(clip(range(at, at + 8), 1000 * at, bits)) for at in (402, 410)]
            return list(town.match.CheckVideo(iter(parts), **town.by(partner)))[-1]

        for bits in (0, 1, 2, 1, 0):
            assert send(bits).is_certain
        with pytest.raises(grpc.RpcError) as caught:
            send(3)
        assert from_rpc_error(caught.value).reason == "PROBING_SUSPECTED"
        assert send(3, "bolt").is_certain
        town.channel.close()


def test_closer_looks_count_as_probing(tmp_path: Path) -> None:
    """To be asked for one is to be told that something is near: in one call or in many."""
    keys = set_up(tmp_path / "data")
    limits = {"max_near_per_entry": 3}
    with running_node(tmp_path / "data", authentication=True, limits=limits) as address:
        town = Town(address, keys)
        town.lists.CreateList(create(LIST), **town.by("acme"))
        list(town.lists.AddEntries(iter([add_video(range(400, 420))]), **town.by("acme")))

        def parts() -> Iterator[pb.CheckVideoRequest]:
            return (frames(clip(range(404, 405), 20_000 * n, 32 + n)[:1]) for n in range(8))

        answers: list[pb.CheckVideoResponse] = []
        with pytest.raises(grpc.RpcError) as caught:
            answers.extend(town.match.CheckVideo(parts(), **town.by("eve")))
        assert from_rpc_error(caught.value).reason == "PROBING_SUSPECTED"
        assert [bool(answer.look_closer) for answer in answers] == [True] * 3
        answers = list(town.match.CheckVideo(parts(), **town.by("bolt")))
        assert sum(bool(answer.look_closer) for answer in answers) == 8
        town.channel.close()


def test_a_video_that_meets_a_canary_is_told(
    videos_town: Town, capfd: pytest.CaptureFixture[str]
) -> None:
    """The caller sees a match like any other; the operator hears of it once a call."""
    town = videos_town
    plant = list_service_pb2.PlantCanariesRequest(
        request_id="plant", list=LIST, partner="bolt", count=30
    )
    town.lists.PlantCanaries(plant, **town.by("acme"))
    listed = list_service_pb2.ListEntriesRequest(
        list=LIST, show_fingerprints=True, only_canaries=True, page_size=100
    )
    entries = town.lists.ListEntries(listed, **town.by("acme")).entries
    canary = next(one for one in entries if one.media_type == types_pb2.MEDIA_TYPE_VIDEO)
    leaked = translate.fingerprints_from_proto(canary.fingerprints, "fingerprints")
    capfd.readouterr()
    parts = [frames(leaked), frames(replace(f, time_ms=100_000) for f in leaked[:1])]
    *_, last = town.match.CheckVideo(iter(parts), **town.by("eve"))
    assert [match.entry for match in last.verdict.matches] == [canary.name]
    assert "bolt" not in str(last)
    assert capfd.readouterr().out.count("canary met") == 1


def test_only_what_is_granted_is_looked_at(videos_town: Town) -> None:
    """Without the role nobody is answered; what is not granted is as if it were not there."""
    town = videos_town
    part = frames(clip(range(400, 410)))

    def last(partner: str) -> pb.CheckVideoResponse:
        return list(town.match.CheckVideo(iter([part]), **town.by(partner)))[-1]

    for partner in ("nix", "hub"):
        assert refused(partial(last, partner)) is grpc.StatusCode.PERMISSION_DENIED
    assert last("eve").is_certain
    change(town, "eve", grants=["check:acme/shared"])
    answer = last("eve")
    assert not answer.is_certain
    assert not answer.look_closer
    change(town, "eve", grants=["check:acme/known"])
