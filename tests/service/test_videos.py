"""Videos checked by CheckVideo: real nodes over loopback, real clips, bytes and frames."""

import io
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from hashsvc import testpattern, translate
from hashsvc.errors import MediaUnreadable
from hashsvc.media import DecoderPool, fingerprint
from hashsvc.media.scan import Seen
from hashsvc.model import (
    Action,
    Algorithm,
    EntryDraft,
    Fingerprint,
    ListKind,
    MediaType,
    Outcome,
    Segment,
    UndeterminedReason,
    Verdict,
)
from hashsvc.v1 import match_service_pb2 as pb
from hashsvc.v1 import types_pb2
from hashsvc_client import (
    AsyncClient,
    Client,
    RequestRefused,
    VideoProgress,
    unreadable,
)
from hashsvc_client.errors import from_rpc_error
from hashsvc_client.videos import end_request, frames_request
from tests.harness import PROPAGANDA, running_node
from tests.media.making import audio_only_mp4
from tests.service.footage import CONTAINERS, KNOWN, UPLOAD, Studio, chunk, clip, end, frames, video
from tests.service.test_streams import Stream

LIST = "acme/known"


@pytest.fixture(scope="module")
def draft(studio: Studio) -> EntryDraft:
    """The known clip as an entry, without the digests."""
    found = fingerprint(io.BytesIO(studio(KNOWN)))
    return EntryDraft(found.media_type, found.fingerprints[2:], PROPAGANDA)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, draft: EntryDraft) -> Iterator[str]:
    """A node that knows the clip."""
    with running_node(tmp_path_factory.mktemp("node")) as address:
        with Client(address) as client:
            client.create_list(LIST)
            client.add_entries(LIST, [draft])
        yield address


def upload_of(folder: Path, data: bytes) -> Path:
    """The bytes as a file."""
    path = folder / "upload"
    path.write_bytes(data)
    return path


def segments(verdict: Verdict) -> tuple[Segment, ...]:
    """Those of the only match."""
    (match,) = verdict.matches
    return match.segments


# What is found


def test_bytes_and_frames_give_the_same(address: str, studio: Studio, tmp_path: Path) -> None:
    """The node finds the same seconds, whoever decodes; and which they are."""
    path = upload_of(tmp_path, studio())
    told: list[VideoProgress] = []
    with Client(address) as client:
        here = client.check_file(path, on_progress=told.append)
        sent = client.check_file(path, send_media=True)
    assert here.matches == sent.matches
    (segment,) = segments(here)
    assert segment.known_start_ms is not None
    assert abs(segment.upload_start_ms - 4000) <= 500
    assert abs(segment.upload_end_ms - 10_000) <= 500
    assert abs(segment.known_start_ms - 2000) <= 500
    # All of the upload was seen, most of it by its key frames alone.
    coverage = here.matches[0].coverage
    assert coverage is not None
    assert coverage.upload_total_s == len(UPLOAD)
    assert 10 * len(UPLOAD) > told[-1].frames > len(UPLOAD)
    assert [progress.is_final for progress in told] == [False] * (len(told) - 1) + [True]
    assert any(progress.closer for progress in told)


async def test_the_asyncio_client_gives_the_same(
    address: str, studio: Studio, tmp_path: Path
) -> None:
    """With decoders, in a thread, and for bytes from anywhere."""
    path = upload_of(tmp_path, studio())

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(studio()), 5000):
            yield studio()[at : at + 5000]

    async with AsyncClient(address) as client, DecoderPool(1) as pool:
        verdicts = [
            await client.check_file(path, decoders=pool),
            await client.check_file(path),
            await client.check_file(path, send_media=True),
        ]
        for source in (chunks(), iter([studio()]), io.BytesIO(studio())):
            answers = [progress async for progress in client.check_video(source)]
            assert answers[-1].is_final
            verdicts.append(answers[-1].verdict)
    assert {verdict.matches for verdict in verdicts} == {verdicts[0].matches}
    assert segments(verdicts[0])


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_a_match_is_certain_before_the_last_byte(address: str, studio: Studio, suffix: str) -> None:
    """The answer comes while the rest of the upload is still held back."""
    data = studio(suffix=suffix)
    heard = threading.Event()
    sent = 0

    def chunks() -> Iterator[bytes]:
        nonlocal sent
        size = len(data) // 20
        for at in range(0, len(data), size):
            if at > 0.8 * len(data):
                heard.wait()
            sent += size
            yield data[at : at + size]

    with Client(address) as client:
        for progress in client.check_video(chunks()):
            if progress.is_certain and not heard.is_set():
                assert sent < len(data)
                assert progress.is_progressive
                assert not progress.is_final
                heard.set()
    assert progress.is_final
    assert progress.is_progressive
    assert segments(progress.verdict)


def test_an_index_at_the_end_makes_it_wait(address: str, studio: Studio) -> None:
    """Such an MP4 is answered when all of it is there, and the answers say why."""
    data = studio(suffix="mp4", index_last=True)
    sent = 0

    def chunks() -> Iterator[bytes]:
        nonlocal sent
        for at in range(0, len(data), 5000):
            sent = at
            yield data[at : at + 5000]

    with Client(address) as client:
        answers = []
        for progress in client.check_video(chunks()):
            assert sent + 5000 >= len(data)
            answers.append(progress)
    assert not any(progress.is_progressive for progress in answers)
    assert segments(answers[-1].verdict)


def test_enough_is_enough(address: str, studio: Studio, tmp_path: Path) -> None:
    """Who stops at the first certain answer gets that, and decodes no more of the file."""
    path = upload_of(tmp_path, studio())
    with Client(address) as client:
        for send_media in (False, True):
            told: list[VideoProgress] = []
            verdict = client.check_file(
                path, send_media=send_media, stop_when_certain=True, on_progress=told.append
            )
            assert verdict.outcome is Outcome.MATCH
            assert told[-1].seen_through_ms < 1000 * len(UPLOAD) - 4000


async def test_enough_is_enough_for_asyncio(address: str, studio: Studio, tmp_path: Path) -> None:
    """The same, and its decoder stays for the next file."""
    path = upload_of(tmp_path, studio())
    async with AsyncClient(address) as client, DecoderPool(1) as pool:
        for how in ({"send_media": True}, {"decoders": pool}):
            told: list[VideoProgress] = []
            verdict = await client.check_file(
                path, stop_when_certain=True, on_progress=told.append, **how
            )
            assert verdict.outcome is Outcome.MATCH
            assert told[-1].seen_through_ms < 1000 * len(UPLOAD) - 4000
        assert pool.restarts == 0


def test_what_the_source_raises_is_raised(address: str, studio: Studio) -> None:
    """An upload that breaks in the caller's hands is not taken for a short one."""

    def broken() -> Iterator[bytes]:
        yield studio()[:5000]
        raise ConnectionResetError

    with Client(address) as client, pytest.raises(ConnectionResetError):
        list(client.check_video(broken()))


async def test_what_an_async_source_raises_is_raised(address: str, studio: Studio) -> None:
    """The same for asyncio."""

    async def broken() -> AsyncIterator[bytes]:
        yield studio()[:5000]
        raise ConnectionResetError

    async with AsyncClient(address) as client:
        with pytest.raises(ConnectionResetError):
            async for _ in client.check_video(broken()):
                pass


# Frames by hand


END = end()
OPTIONS = pb.CheckVideoRequest(options=pb.CheckVideoOptions())
DIGEST = Fingerprint(Algorithm.SHA256, bytes(32))


WRONG: dict[str, tuple[list[pb.CheckVideoRequest], str]] = {
    "nothing": ([], "part"),
    "options alone": ([OPTIONS], "part"),
    "options twice": ([OPTIONS, OPTIONS], "options"),
    "an empty part": ([pb.CheckVideoRequest()], "part"),
    "an end of nothing": ([END], "part"),
    "frames of nothing": ([frames([])], "part"),
    "options after frames": ([frames(clip(range(1))), OPTIONS], "options"),
    "chunks after frames": ([frames(clip(range(1))), chunk(b"x")], "chunk"),
    "frames after chunks": ([chunk(b"\x1aE\xdf\xa3"), frames(clip(range(1)))], "part"),
    "an end after chunks": ([chunk(b"\x1aE\xdf\xa3"), END], "part"),
    "a frame without a time": (
        [frames([replace(clip(range(1))[0], time_ms=None)])],
        "frames.fingerprints[0]",
    ),
    "a frame that is a digest": ([frames([DIGEST])], "frames.fingerprints[0]"),
    "a frame of half the length": (
        [frames([*clip(range(1)), Fingerprint(Algorithm.PDQ, bytes(16), 100, 0)])],
        "frames.fingerprints[4].value",
    ),
    "a frame after a month": (
        [frames([replace(clip(range(1))[0], time_ms=30 * 24 * 3_600_000)])],
        "frames.fingerprints[0].time_offset",
    ),
    "seen for a month": (
        [frames_request(Seen((), 30 * 24 * 3_600_000))],
        "frames.seen_through",
    ),
    "a frame as a digest": (
        [end(digests=[translate.fingerprint_to_proto(clip(range(1))[0])])],
        "end.digests",
    ),
    "half a digest": (
        [end(digests=[translate.fingerprint_to_proto(replace(DIGEST, value=b"x"))])],
        "end.digests[0].value",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_parts_that_do_not_go_together(address: str, name: str) -> None:
    """Each is refused by its field, and the next call is served."""
    parts, field = WRONG[name]
    with Client(address) as client:
        with pytest.raises(grpc.RpcError) as caught:
            list(client._match.CheckVideo(iter(parts)))
        error = from_rpc_error(caught.value)
        assert error.code is grpc.StatusCode.INVALID_ARGUMENT
        assert [violation.field for violation in error.violations] == [field]
        assert list(client._match.CheckVideo(iter([frames(clip(range(20)))])))[-1].is_final


def test_files_that_are_no_whole_video(address: str, studio: Studio) -> None:
    """A picture gets its verdict; what shows nothing is refused; half a clip is so far unknown."""
    picture = testpattern.PATH.read_bytes()
    silent = studio((50, 51, 52, 53))
    with Client(address) as client:

        def last(data: bytes) -> VideoProgress:
            return list(client.check_video([data]))[-1]

        assert last(picture).verdict.matches[0].list_name == testpattern.LIST
        for data in (audio_only_mp4(), silent[:300], b"no video at all " * 50):
            with pytest.raises(RequestRefused) as caught:
                last(data)
            assert caught.value.reason == "MEDIA_UNREADABLE"
        half = last(silent[: len(silent) // 2])
        assert half.is_final
        assert half.verdict.reason is UndeterminedReason.PARTLY_SEEN
        assert 0 < half.seen_through_ms < 4000


def test_a_file_that_breaks_off_here(address: str, studio: Studio, tmp_path: Path) -> None:
    """What a local decoder could not see is no silent no, and known all the same where it was."""
    with Client(address) as client:
        for scenes, outcome in ((UPLOAD, Outcome.MATCH), (UPLOAD[-10:], Outcome.UNDETERMINED)):
            data = studio(scenes)
            verdict = client.check_file(upload_of(tmp_path, data[: len(data) * 3 // 4]))
            assert verdict.outcome is outcome
        assert verdict.reason is UndeterminedReason.PARTLY_SEEN


def test_the_end_says_how_far_it_was_seen(address: str) -> None:
    """A video is as long as its caller says, not as far as its last frame."""
    with Client(address) as client:
        client.add_entries(LIST, [video(range(500, 510))])
        length = translate.duration(30_000)
        parts = [frames(clip(range(500, 508))), end(seen_through=length)]
        *_, last = client._match.CheckVideo(iter(parts))
    assert last.seen_through == length
    assert last.verdict.matches[0].coverage.upload_total_seconds == 30


def test_what_breaks_off_here_was_partly_seen() -> None:
    """Frames were sent before the error, so that more than its digests was looked up."""
    found = unreadable(MediaUnreadable("the decoder crashed"))
    part = end_request(found).end
    assert part.limitation == pb.UNDETERMINED_REASON_PARTLY_SEEN
    assert part.detail == "the decoder crashed"
    assert not part.HasField("seen_through")


def test_a_digest_alone_is_enough(address: str) -> None:
    """An end may come without frames: of a video that could not be decoded."""
    with Client(address) as client:
        client.add_entries(LIST, [EntryDraft(MediaType.VIDEO, (DIGEST,), PROPAGANDA)])
        part = end(digests=[translate.fingerprint_to_proto(DIGEST)])
        (answer,) = client._match.CheckVideo(iter([part]))
        assert answer.is_final
        assert [match.algorithm for match in answer.verdict.matches] == [types_pb2.ALGORITHM_SHA256]


def test_withdrawn_in_the_middle(address: str) -> None:
    """What matched before is no match at the end."""
    with Client(address) as client:
        client.create_list("acme/brief")
        (added,) = client.add_entries("acme/brief", [video(range(200, 210))]).entries
        stream = Stream(client._match.CheckVideo, {})
        answer = stream.ask(frames(clip(range(200, 208))))
        assert answer.is_certain
        client.withdraw_entry(added.name, "a mistake")
        answer = stream.ask(END)
        assert answer.is_final
        assert not answer.is_certain
        assert answer.verdict.outcome == pb.OUTCOME_NO_MATCH
        stream.requests.put(None)


def test_an_exemption_is_for_its_seconds(address: str) -> None:
    """A quoted part is exempted; another known part of the same upload is not."""
    with Client(address) as client:
        client.create_list("acme/war", purpose="known")
        client.create_list("press/report", kind=ListKind.EXEMPTION)
        client.add_entries("acme/war", [video(range(300, 320)), video(range(340, 360))])
        client.add_entries("press/report", [video(range(300, 320))])

        def action(*parts: list[Fingerprint]) -> Action:
            sent = [frames(part) for part in parts]
            last = list(client._match.CheckVideo(iter(sent)))[-1]
            return Action[pb.Action.Name(last.verdict.action).removeprefix("ACTION_")]

        quoted, other = clip(range(302, 310)), clip(range(345, 353), 20_000)
        assert action(quoted) is Action.LOG
        assert action(other) is Action.REVIEW
        assert action(quoted, other) is Action.REVIEW
