"""Known videos and pictures in parts of a video's frames, by their local features."""

from collections.abc import Sequence

import pytest
from PIL import Image, ImageDraw

from hashsvc.config import Matching
from hashsvc.matching.query import Query
from hashsvc.media.local import local_features
from hashsvc.media.recipe import LOCAL_FRAMES_FOR_CHECKS, LOCAL_FRAMES_FOR_LISTS, Looking
from hashsvc.model import (
    Algorithm,
    Confidence,
    EntryDraft,
    Fingerprint,
    ListKind,
    LocalFeatures,
    MediaType,
    Outcome,
    Verdict,
)
from tests.harness import PROPAGANDA
from tests.matching.desk import Desk, clip, frames
from tests.media.collage import OTHERS, SCENES, SIZE, scene, within

STEP_MS = 3000
HIDDEN = [within(scene(name), scene(other)) for name, other in zip(SCENES, OTHERS, strict=True)]
"""The known scenes, each in a part of something else."""


def local(picture: Image.Image, looking: Looking, time_ms: int | None) -> Fingerprint:
    """The local features of a frame."""
    value = local_features(picture.convert("L"), looking)
    assert value is not None
    return Fingerprint(Algorithm.ORB, value, time_ms=time_ms)


def known(pictures: Sequence[Image.Image]) -> EntryDraft:
    """A known video that shows each picture for three seconds."""
    timed = [local(p, LOCAL_FRAMES_FOR_LISTS, STEP_MS * n) for n, p in enumerate(pictures)]
    whole = clip(frames(3 * len(pictures), first=1000))
    return EntryDraft(MediaType.VIDEO, (*whole, *timed), PROPAGANDA)


def upload(pictures: Sequence[Image.Image]) -> list[Fingerprint]:
    """An uploaded one, of which no whole frame is near anything."""
    timed = [local(p, LOCAL_FRAMES_FOR_CHECKS, STEP_MS * n) for n, p in enumerate(pictures)]
    return [*clip(frames(3 * len(pictures))), *timed]


def filled(desk: Desk, draft: EntryDraft) -> Desk:
    """A desk whose list takes local features and has one entry."""
    desk.ledger.create_list(
        "acme/known", ListKind.KNOWN, "", request_id="list", local_features=True
    )
    desk.add("acme/known", draft)
    return desk


def check(desk: Desk, pictures: Sequence[Image.Image]) -> Verdict:
    """The verdict on a video."""
    return desk.check(*upload(pictures), media_type=MediaType.VIDEO)


@pytest.fixture
def cinema(desk: Desk) -> Desk:
    """A desk that knows a video of all scenes."""
    return filled(desk, known([scene(name) for name in SCENES]))


def test_a_video_is_known_in_a_part_of_another(cinema: Desk) -> None:
    """It is told which frames are where, when in both, and from when to when it goes on."""
    (match,) = check(cinema, HIDDEN).matches
    assert match.algorithm is Algorithm.ORB
    assert match.confidence is Confidence.NEAR_CERTAIN
    assert len(match.evidence) >= 4
    for one in match.evidence:
        assert one.upload_time_ms == one.known_time_ms
        assert one.located is not None
        assert one.located.corners[0] == pytest.approx((24 / SIZE[0], 40 / SIZE[1]), abs=0.03)
    (segment,) = match.segments
    assert segment.upload_end_ms - segment.upload_start_ms >= 3 * STEP_MS
    assert segment.pace == pytest.approx(1)
    assert match.coverage is not None
    assert match.coverage.upload_matched_s >= 9


def test_one_scene_is_no_video(cinema: Desk) -> None:
    """A frame of a known video that is held, or is one of many, says nothing of the video."""
    others = [scene(name) for name in OTHERS]
    assert check(cinema, [HIDDEN[1]] * 5).outcome is Outcome.NO_MATCH
    assert check(cinema, [*others, HIDDEN[1]]).outcome is Outcome.NO_MATCH


def test_scenes_in_another_order_are_another_video(cinema: Desk) -> None:
    """Backwards nothing follows anything; whatever is between them, two in their order do."""
    others = [scene(name) for name in OTHERS]
    assert check(cinema, HIDDEN[::-1]).outcome is Outcome.NO_MATCH
    (match,) = check(cinema, [HIDDEN[1], *others[2:], HIDDEN[3]]).matches
    assert len(match.evidence) == 2
    assert not match.segments


def test_a_picture_is_known_all_through_a_video(desk: Desk) -> None:
    """A known picture in a part of most frames matches the video; in a few of them it does not."""
    picture = EntryDraft(
        MediaType.IMAGE, (local(scene("coffee"), LOCAL_FRAMES_FOR_LISTS, None),), PROPAGANDA
    )
    filled(desk, picture)
    others = [scene(name) for name in OTHERS]
    shown = [within(scene("coffee"), other) for other in others]
    (match,) = check(desk, shown).matches
    assert match.algorithm is Algorithm.ORB
    assert check(desk, [*shown[:2], *others[2:]]).outcome is Outcome.NO_MATCH


def branded(picture: Image.Image) -> Image.Image:
    """A picture with a channel's logo in a corner and its lower third."""
    made = picture.copy()
    pen = ImageDraw.Draw(made)
    made.paste(scene("stream").resize((90, 54)), (530, 16))
    pen.rectangle((0, 270, 640, 336), fill=(20, 30, 120))
    pen.rectangle((0, 300, 640, 304), fill=(230, 230, 230))
    pen.text((30, 274), "BREAKING NEWS FROM THE HARBOUR", fill="white", font_size=24)
    pen.text((30, 308), "live pictures, all day: channel 17", fill="white", font_size=20)
    return made


def test_what_a_channel_puts_on_all_its_videos_is_no_evidence(desk: Desk) -> None:
    """Two videos of one channel have a logo and a lower third in common, and do not match."""
    filled(desk, known([branded(scene(name)) for name in SCENES]))
    assert check(desk, [branded(scene(name)) for name in OTHERS]).outcome is Outcome.NO_MATCH
    hidden = [within(branded(scene(name)), scene("cat")) for name in SCENES]
    assert check(desk, hidden).outcome is Outcome.MATCH


def test_what_is_found_grows(cinema: Desk) -> None:
    """While a video comes in, what is located says more and more, from the second scene on."""
    opened = cinema.matcher.open(Query(MediaType.VIDEO, ()))
    pieces = []
    for one in upload(HIDDEN)[-len(HIDDEN) :]:
        opened.search([one], one.time_ms or 0)
        pieces.append(sum(len(m.evidence) for m in opened.judge().verdict.matches))
    assert pieces[0] == 0
    assert pieces == sorted(pieces)
    assert 0 < pieces[2] < pieces[-1]
    assert len(opened.finish().matches[0].evidence) == pieces[-1]


def test_what_hashes_find_is_not_looked_for_again(cinema: Desk) -> None:
    """Once whole frames are evidence, local features are not looked up any more."""
    opened = cinema.matcher.open(Query(MediaType.VIDEO, ()))
    opened.search(clip(frames(15, first=1000)))
    assert opened.judge().verdict.outcome is Outcome.MATCH
    opened.search(upload(HIDDEN)[-len(HIDDEN) :])
    verdict = opened.finish()
    assert verdict.searched == (Algorithm.PDQ,)
    assert all(one.located is None for one in verdict.matches[0].evidence)


def test_a_frame_that_is_located_asks_for_a_closer_look(cinema: Desk) -> None:
    """One is no evidence, but what is around it may be; the entry counts as near."""
    opened = cinema.matcher.open(Query(MediaType.VIDEO, ()))
    (one,) = (f for f in upload(HIDDEN[1:2]) if f.algorithm is Algorithm.ORB)
    opened.search([one], 0)
    progress = opened.judge()
    assert progress.verdict.outcome is Outcome.NO_MATCH
    assert progress.near == {"acme/known#1"}
    (span,) = progress.closer
    assert span.first_ms == 0
    assert span.last_ms > 0


def test_a_node_may_never_look(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where local features are never looked up, videos are not located either."""
    matching = Matching(local_features=LocalFeatures.NEVER)
    desk = Desk(tmp_path_factory.mktemp("never"), matching=matching)
    filled(desk, known([scene(name) for name in SCENES]))
    verdict = check(desk, HIDDEN)
    assert verdict.outcome is Outcome.NO_MATCH
    assert verdict.searched == (Algorithm.PDQ,)
