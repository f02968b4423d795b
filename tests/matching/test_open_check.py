"""A video that comes in by and by: growing evidence, closer looks, and what videos share."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from hashsvc.config import Policy
from hashsvc.matching.matcher import OpenCheck
from hashsvc.matching.policy import decide
from hashsvc.matching.query import Query
from hashsvc.matching.watch import MOST_CANDIDATES, MOST_LOOKS
from hashsvc.model import (
    Action,
    Algorithm,
    EntryDraft,
    Fingerprint,
    Match,
    MediaType,
    Outcome,
    UndeterminedReason,
)
from tests.harness import PROPAGANDA
from tests.matching.desk import Desk
from tests.matching.films import Frames, film, joined, noisy, part, scene

FILM = film(range(12))
OTHER = film(range(100, 124))


def fingerprints(frames: Frames, variant: str = "original") -> tuple[Fingerprint, ...]:
    """Frames as they are hashed."""
    return tuple(
        Fingerprint(Algorithm.PDQ, value, 100, round(1000 * at), variant=variant)
        for at, value in frames
    )


def known(frames: Frames) -> EntryDraft:
    """A known video."""
    return EntryDraft(MediaType.VIDEO, fingerprints(frames), PROPAGANDA)


def opened(desk: Desk) -> OpenCheck:
    """A check of which nothing has come in."""
    return desk.matcher.open(Query(MediaType.VIDEO, ()))


def give(check: OpenCheck, frames: Frames) -> Outcome:
    """Let frames come in; what is known then."""
    check.search(fingerprints(frames), round(1000 * frames[-1][0]))
    return check.judge().verdict.outcome


def segments(matches: Sequence[Match]) -> list[tuple[int, int]]:
    """Where in the upload a match is, in whole seconds."""
    (match,) = matches
    return [
        (round(s.upload_start_ms / 1000), round(s.upload_end_ms / 1000)) for s in match.segments
    ]


def test_evidence_grows_and_is_certain_before_the_end(desk: Desk) -> None:
    """Nothing is said of other material; soon after the known footage begins it is a match."""
    desk.add("acme/known", known(FILM))
    check = opened(desk)
    upload = joined(part(OTHER, 0, 20), part(FILM, 10, 30), part(OTHER, 20, 40))
    outcomes = [give(check, part_of) for part_of in (upload[i : i + 8] for i in range(0, 240, 8))]
    certain = outcomes.index(Outcome.MATCH)
    assert outcomes == [Outcome.NO_MATCH] * certain + [Outcome.MATCH] * (len(outcomes) - certain)
    assert 20 <= 2 * certain <= 24
    verdict = check.finish()
    assert segments(verdict.matches) == [(20, 40)]
    coverage = verdict.matches[0].coverage
    assert coverage is not None
    assert (coverage.upload_matched_s, coverage.upload_total_s) == (20, 60)
    assert (coverage.known_matched_s, coverage.known_total_s) == (20, 60)


def test_a_closer_look_is_asked_for_where_it_helps(desk: Desk) -> None:
    """Around a key frame that is near something, and where what is known has ended."""
    desk.add("acme/known", known(FILM))
    check = opened(desk)
    upload = joined(part(OTHER, 0, 20), part(FILM, 10, 30), part(OTHER, 20, 60))

    def look(frames: Frames) -> list[tuple[float, float]]:
        check.search(fingerprints(frames), round(1000 * frames[-1][0]))
        return [(s.first_ms / 1000, s.last_ms / 1000) for s in check.judge().closer]

    assert [look([upload[4 * at]]) for at in (0, 4, 8, 12, 16)] == [[]] * 5
    assert look([upload[4 * 22]]) == [(10, 28)]
    look(part_between(upload, 18, 22))
    # It is certain now, and goes on.
    assert [look([upload[4 * at]]) for at in (26, 30, 34, 38)] == [[]] * 4
    ((first, last),) = look([upload[4 * 42]])
    assert 38 <= first <= 39
    assert last == 42
    look(part_between(upload, 38, 42))
    assert [look([upload[4 * at]]) for at in (46, 50)] == [[]] * 2
    assert segments(check.finish().matches) == [(20, 40)]


def part_between(frames: Frames, first_s: float, last_s: float) -> Frames:
    """The frames of a part, with the times that they have."""
    return [(at, value) for at, value in frames if first_s < at < last_s]


def test_closer_looks_are_bounded(desk: Desk) -> None:
    """Because of one entry only so many are asked for, if nothing comes of them."""
    (name,) = desk.add("acme/known", known(FILM))
    check = opened(desk)
    asked = []
    for number in range(2 * MOST_LOOKS):
        at = 30.0 * number
        check.search(fingerprints([(at, FILM[40][1])]), round(1000 * at))
        progress = check.judge()
        assert progress.near == ({name} if progress.closer else set())
        asked.append(bool(progress.closer))
    assert asked == [True] * MOST_LOOKS + [False] * MOST_LOOKS


def test_other_forms_and_looks_are_found_and_named(desk: Desk) -> None:
    """Mirrored copies, and those with a border; a look at the same moment may be either."""
    desk.add("acme/known", known(FILM))
    for variant in ("flip_horizontal", "trimmed", "trimmed_flip_horizontal"):
        own = "flip_horizontal" if variant.endswith("flip_horizontal") else "original"
        upload = fingerprints(part(FILM, 5, 15), variant)
        upload += fingerprints(part(OTHER, 5, 15)) if variant != own else ()
        upload += fingerprints(part(OTHER, 5, 15), own) if variant != own else ()
        (match,) = desk.check(*upload, media_type=MediaType.VIDEO).matches
        assert match.variant == match.segments[0].variant == variant


def test_what_is_withdrawn_meanwhile_is_no_match_at_the_end(desk: Desk) -> None:
    """The last answer is of the lists as they are then."""
    (name,) = desk.add("acme/known", known(FILM))
    check = opened(desk)
    assert give(check, part(FILM, 10, 30)) is Outcome.MATCH
    desk.ledger.withdraw_entry(name, "false", request_id="gone")
    assert check.finish().outcome is Outcome.NO_MATCH


def test_an_unseen_rest_is_no_plain_no(desk: Desk) -> None:
    """What could not be seen is said, unless what was seen is enough."""
    desk.add("acme/known", known(FILM))
    for frames, outcome in ((OTHER, Outcome.UNDETERMINED), (FILM, Outcome.MATCH)):
        check = opened(desk)
        give(check, part(frames, 0, 10))
        verdict = check.finish(UndeterminedReason.PARTLY_SEEN, "decoded 10 s of 60 s")
        assert verdict.outcome is outcome
    assert verdict.detail == ""


def test_nothing_near_reads_no_store(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it goes on."""
    desk.add("acme/known", known(FILM))
    monkeypatch.setattr(desk.store, "known_entries", None)
    check = opened(desk)
    assert give(check, OTHER) is Outcome.NO_MATCH
    assert check.finish().outcome is Outcome.NO_MATCH


def test_candidates_are_bounded_and_the_right_one_stays(desk: Desk) -> None:
    """Many entries share a still with the upload; the one that is in it is found all the same."""
    still = scene(999, 1)[0][1]
    crowd = [
        known(joined([(0.0, still)], scene(1000 + number, 2))) for number in range(MOST_CANDIDATES)
    ]
    desk.add("acme/known", *crowd)
    (name,) = desk.add("bolt/known", known(FILM))
    check = opened(desk)
    give(check, [(number / 4, still) for number in range(40)])
    for second in range(10, 40, 2):
        give(check, [(at + second, value) for at, value in part(FILM, second, second + 2)])
    assert [match.entry for match in check.finish().matches] == [name]


def test_frames_of_long_ago_are_let_go(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what is found does not depend on them."""
    monkeypatch.setattr("hashsvc.matching.watch.MOST_ROWS", 60)
    desk.add("acme/known", known(FILM))
    check = opened(desk)
    upload = joined(OTHER, part(FILM, 10, 40), OTHER)
    for start in range(0, len(upload), 20):
        give(check, upload[start : start + 20])
        assert max(map(len, check._watch._rows.values())) <= 80
    assert segments(check.finish().matches) == [(120, 150)]


OPENING = film([500], seconds=4)


def test_a_shared_opening_is_no_match(desk: Desk) -> None:
    """Of two known videos with the same opening, neither is in an upload that has it alone."""
    first, second = film(range(20, 24)), film(range(30, 34))
    upload = fingerprints(joined(OPENING, part(OTHER, 0, 20)))
    desk.add("acme/known", known(joined(OPENING, first)), known(joined(OPENING, second)))
    verdict = desk.check(*upload, media_type=MediaType.VIDEO)
    assert verdict.outcome is Outcome.NO_MATCH
    assert "opening" in verdict.detail
    # The body of one of them is what makes it known.
    upload = fingerprints(joined(OPENING, part(first, 0, 10)))
    (match,) = desk.check(*upload, media_type=MediaType.VIDEO).matches
    assert match.entry == "acme/known#1"


def test_a_video_that_is_known_twice_has_no_shared_opening(desk: Desk) -> None:
    """Two partners contributed it; a clip of its beginning is a clip of it."""
    desk.add("acme/known", known(FILM))
    desk.add("bolt/known", known(noisy(FILM, 8)))
    upload = fingerprints(joined(part(FILM, 0, 6), part(OTHER, 0, 20)))
    assert len(desk.check(*upload, media_type=MediaType.VIDEO).matches) == 2


def test_footage_that_compilations_share_is_a_match(desk: Desk) -> None:
    """It is in the middle of both."""
    shared = film([600], seconds=8)
    for number in (0, 1):
        around = film(range(700 + 10 * number, 708 + 10 * number))
        desk.add("acme/known", known(joined(part(around, 0, 20), shared, part(around, 20, 40))))
    upload = fingerprints(joined(part(OTHER, 0, 10), shared))
    assert len(desk.check(*upload, media_type=MediaType.VIDEO).matches) == 2


def test_an_exemption_is_for_its_seconds(desk: Desk) -> None:
    """News footage that an upload quotes does not excuse what else is in it."""
    news = part(FILM, 0, 20)
    desk.add("press/exempt", known(news))
    desk.add("acme/known", known(part(FILM, 0, 20)))
    desk.add("bolt/known", known(part(FILM, 30, 60)))
    quoted = desk.check(*fingerprints(part(FILM, 2, 12)), media_type=MediaType.VIDEO)
    assert quoted.action is Action.LOG
    more = desk.check(
        *fingerprints(joined(part(FILM, 2, 12), part(FILM, 35, 50))), media_type=MediaType.VIDEO
    )
    assert more.action is Action.REVIEW
    assert len(more.exemptions) == 1


def test_an_exemption_without_seconds_is_for_all(desk: Desk) -> None:
    """That of a very file, or of a picture."""
    desk.add("acme/known", known(FILM))
    (match,) = desk.check(*fingerprints(FILM), media_type=MediaType.VIDEO).matches
    whole = replace(match, segments=())
    assert decide(Policy(), Outcome.MATCH, [match], [whole]) is Action.LOG
    assert decide(Policy(), Outcome.MATCH, [match], [match]) is Action.LOG
    assert decide(Policy(), Outcome.MATCH, [match], []) is Action.REVIEW
