"""The matcher: which evidence makes a match, and when there is no trustworthy "no"."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashsvc.config import ListMatching, Matching, Policy, PolicyRule
from hashsvc.matching.query import Query
from hashsvc.model import (
    Action,
    Algorithm,
    Basis,
    EntryDraft,
    Fingerprint,
    MediaType,
    OpinionCounts,
    OpinionKind,
    Outcome,
    Severity,
    UndeterminedReason,
)
from tests.harness import NOW, PROPAGANDA, flip, pdq_draft
from tests.matching.desk import PDQ, PHASH, SHA256, Desk, clip, frames, pdq, video


@pytest.mark.parametrize("distance", [0, 1, 16, 30, 31])
def test_pdq_matches_up_to_the_radius(desk: Desk, distance: int) -> None:
    """The match says the distance, and everything the entry says of itself."""
    description = replace(PROPAGANDA, severity=Severity.HIGH, incident="test 1", entities=("X",))
    (name,) = desk.add("acme/known", pdq_draft(PDQ, description))
    verdict = desk.check(pdq(flip(PDQ, distance)))
    assert verdict.outcome is Outcome.MATCH
    (match,) = verdict.matches
    assert (match.entry, match.distance, match.algorithm) == (name, distance, "pdq")
    assert (match.description, match.contributor) == (description, "acme")
    assert verdict.revision == f"{desk.store.node_id}.2"


def test_pdq_does_not_match_past_the_radius(desk: Desk) -> None:
    """32 bits are too far, and the answer is a plain no."""
    desk.add("acme/known", pdq_draft(PDQ))
    verdict = desk.check(pdq(flip(PDQ, 32)))
    assert (verdict.outcome, verdict.action) == (Outcome.NO_MATCH, Action.ALLOW)
    assert verdict.searched == (Algorithm.PDQ,)


def test_a_digest_is_the_best_evidence(desk: Desk) -> None:
    """It comes before nearer-looking perceptual hits, of other entries too."""
    near = pdq_draft(PDQ)
    exact = EntryDraft(
        MediaType.IMAGE, (Fingerprint(Algorithm.SHA256, SHA256), pdq(flip(PDQ, 9))), PROPAGANDA
    )
    names = desk.add("acme/known", near, exact)
    verdict = desk.check(pdq(PDQ), Fingerprint(Algorithm.SHA256, SHA256))
    assert [match.entry for match in verdict.matches] == [names[1], names[0]]
    assert [match.is_exact for match in verdict.matches] == [True, False]
    assert [e.algorithm for e in verdict.matches[0].evidence] == ["sha256", "pdq"]


def test_plain_pictures_are_undetermined_unless_a_digest_is_known(desk: Desk) -> None:
    """A low quality PDQ is neither searched with nor a "no"; nor is the pHash beside it."""
    desk.add("acme/known", pdq_draft(PDQ))
    plain = (pdq(PDQ, quality=49), Fingerprint(Algorithm.PHASH, PHASH))
    verdict = desk.check(*plain)
    assert verdict.outcome is Outcome.UNDETERMINED
    assert (verdict.reason, verdict.action) == (UndeterminedReason.LOW_INFORMATION, Action.LOG)
    assert verdict.searched == ()
    sha256 = Fingerprint(Algorithm.SHA256, SHA256)
    assert desk.check(*plain, sha256).outcome is Outcome.UNDETERMINED
    desk.add("acme/known", EntryDraft(MediaType.IMAGE, (sha256,), PROPAGANDA))
    assert desk.check(*plain, sha256).outcome is Outcome.MATCH


def test_a_plain_page_does_not_silence_the_picture_in_it(desk: Desk) -> None:
    """Each look is judged by its own quality: a page may be plain, and what it frames not."""
    phash = EntryDraft(MediaType.IMAGE, (Fingerprint(Algorithm.PHASH, PHASH),), PROPAGANDA)
    names = desk.add("acme/known", pdq_draft(PDQ), phash)
    page = (pdq(PDQ, quality=49), Fingerprint(Algorithm.PHASH, PHASH))
    framed = replace(pdq(flip(PDQ, 3)), variant="framed_flip_horizontal")
    verdict = desk.check(*page, framed)
    assert [(match.entry, match.variant) for match in verdict.matches] == [
        (names[0], "framed_flip_horizontal")
    ]


def test_a_degenerate_64_bit_hash_is_undetermined(desk: Desk) -> None:
    """A flat picture's pHash has one bit set."""
    flat = Fingerprint(Algorithm.PHASH, bytes.fromhex("8000000000000000"))
    desk.add("acme/known", EntryDraft(MediaType.IMAGE, (flat,), PROPAGANDA))
    assert desk.check(flat).reason is UndeterminedReason.LOW_INFORMATION


def test_an_unknown_quality_is_good_enough(desk: Desk) -> None:
    """Many lists come without qualities."""
    desk.add("acme/known", pdq_draft(PDQ, quality=None))
    assert desk.check(pdq(PDQ, quality=None)).outcome is Outcome.MATCH


def test_digests_alone_get_a_plain_no(desk: Desk) -> None:
    """The caller asked about the very file, and `searched` says so."""
    verdict = desk.check(Fingerprint(Algorithm.MD5, bytes(16)))
    assert (verdict.outcome, verdict.searched) == (Outcome.NO_MATCH, (Algorithm.MD5,))


def test_phash_speaks_only_for_entries_without_pdq(desk: Desk) -> None:
    """Where both sides have PDQ, PDQ decides."""
    phash = Fingerprint(Algorithm.PHASH, PHASH)
    only, both = desk.add(
        "acme/known",
        EntryDraft(MediaType.IMAGE, (phash,), PROPAGANDA),
        EntryDraft(MediaType.IMAGE, (phash, pdq(flip(PDQ, 100))), PROPAGANDA),
    )
    near = Fingerprint(Algorithm.PHASH, flip(PHASH, 8))
    verdict = desk.check(near, pdq(PDQ))
    assert [(m.entry, m.distance) for m in verdict.matches] == [(only, 8)]
    assert {m.entry for m in desk.check(near).matches} == {only, both}
    assert desk.check(Fingerprint(Algorithm.PHASH, flip(PHASH, 9))).outcome is Outcome.NO_MATCH


def test_withdrawn_and_expired_entries_never_match(desk: Desk) -> None:
    """From the moment on."""
    expiring = replace(PROPAGANDA, expire_time=NOW + timedelta(hours=1))
    desk.add("acme/known", pdq_draft(PDQ, expiring))
    (name,) = desk.add("other/known", pdq_draft(PDQ))
    assert desk.check(pdq(PDQ)).total_matches == 2
    desk.now = NOW + timedelta(hours=1)
    assert [match.entry for match in desk.check(pdq(PDQ)).matches] == [name]
    desk.ledger.withdraw_entry(name, "mistake", request_id="w")
    assert desk.check(pdq(PDQ)).outcome is Outcome.NO_MATCH


def test_a_limit_on_matches_is_told(desk: Desk) -> None:
    """The best are kept, and the total counts the rest."""
    desk.add("acme/known", *(pdq_draft(flip(PDQ, d, seed=d)) for d in range(10)))
    verdict = desk.check(pdq(PDQ))
    assert [match.distance for match in verdict.matches] == [0, 1, 2]
    assert verdict.total_matches == 10


def test_exemptions_are_told_and_soften_the_action(desk: Desk) -> None:
    """A match stays a match; an exemption alone is none."""
    desk.add("press/exempt", pdq_draft(flip(PDQ, 3)))
    verdict = desk.check(pdq(PDQ))
    assert (verdict.outcome, verdict.action) == (Outcome.NO_MATCH, Action.ALLOW)
    assert [match.distance for match in verdict.exemptions] == [3]
    desk.add("acme/known", pdq_draft(PDQ))
    verdict = desk.check(pdq(PDQ))
    assert (verdict.outcome, verdict.action) == (Outcome.MATCH, Action.LOG)


def test_nothing_blocks_unless_a_rule_says_so(tmp_path: Path) -> None:
    """Rules are tried in order; the gravest match decides."""
    rules = (
        PolicyRule(action=Action.BLOCK, exact=True, basis=frozenset({Basis.COURT_ORDER})),
        PolicyRule(action=Action.ALLOW, lists=frozenset({"quiet/known"})),
    )
    desk = Desk(tmp_path, Policy(rules=rules))
    digest = Fingerprint(Algorithm.SHA256, SHA256)
    court = replace(PROPAGANDA, basis=Basis.COURT_ORDER)
    desk.add("quiet/known", pdq_draft(PDQ))
    assert desk.check(pdq(PDQ)).action is Action.ALLOW
    desk.add("acme/known", pdq_draft(PDQ))
    assert desk.check(pdq(PDQ)).action is Action.REVIEW
    desk.add("court/known", EntryDraft(MediaType.IMAGE, (digest, pdq(PDQ)), court))
    assert desk.check(pdq(PDQ)).action is Action.REVIEW
    assert desk.check(pdq(PDQ), digest).action is Action.BLOCK
    desk.store.close()


def test_what_partners_dispute_can_be_sent_to_review(tmp_path: Path) -> None:
    """A rule may ask for it, or for its absence; what the caller is not told of has no weight."""
    rules = (
        PolicyRule(action=Action.REVIEW, disputed=True),
        PolicyRule(action=Action.BLOCK, disputed=False),
    )
    desk = Desk(tmp_path, Policy(rules=rules))
    (name,) = desk.add("acme/known", pdq_draft(PDQ))

    def give(partner: str, kind: OpinionKind) -> None:
        """Let a partner say it."""
        desk.ledger.give_opinion(partner, name, kind, "why", request_id=f"{partner} {kind}")

    for kind in (OpinionKind.CONFIRM, OpinionKind.SEEN, OpinionKind.PENDING):
        give(f"a-{kind}", kind)
    assert desk.check(pdq(PDQ)).action is Action.BLOCK
    give("bolt", OpinionKind.OUT_OF_SCOPE)
    verdict = desk.check(pdq(PDQ))
    assert verdict.action is Action.REVIEW
    assert verdict.matches[0].opinions == OpinionCounts(1, 0, 1, 1, 1)
    unheard = Query(MediaType.IMAGE, (pdq(PDQ),), may_count=lambda name: name != "bolt/feedback")
    (verdict,) = desk.matcher.check([unheard])
    assert verdict.action is Action.BLOCK
    assert verdict.matches[0].opinions == OpinionCounts(confirm=1, seen=1, pending=1)
    give("bolt", OpinionKind.CONFIRM)
    assert desk.check(pdq(PDQ)).action is Action.BLOCK
    give("bolt", OpinionKind.DISPUTE)
    assert desk.check(pdq(PDQ)).action is Action.REVIEW
    desk.add("acme/known", pdq_draft(flip(PDQ, 1)))
    assert desk.check(pdq(PDQ)).action is Action.BLOCK
    desk.store.close()


def test_a_clip_of_a_known_video_matches(desk: Desk) -> None:
    """All of the upload, little of the known video; both shares are told."""
    known = frames(20)
    (name,) = desk.add("acme/known", video(known))
    verdict = desk.check(*clip(known[5:9]), media_type=MediaType.VIDEO)
    (match,) = verdict.matches
    assert match.coverage is not None
    assert (match.entry, match.coverage.upload_percent, match.coverage.known_percent) == (
        name,
        100,
        20,
    )
    assert (match.evidence[0].upload_time_ms, match.evidence[0].known_time_ms) == (0, 5000)


def test_a_known_clip_inside_a_long_upload_matches(desk: Desk) -> None:
    """Little of the upload, all of the known video."""
    known = frames(5)
    desk.add("acme/known", video(known))
    upload = [*frames(50, first=100), *known, *frames(45, first=200)]
    (match,) = desk.check(*clip(upload), media_type=MediaType.VIDEO).matches
    assert match.coverage is not None
    assert (match.coverage.upload_percent, match.coverage.known_percent) == (5, 100)


def test_sharing_frames_without_their_order_is_no_match(desk: Desk) -> None:
    """Clips shot in one room share up to 40 % of their frames, at other moments."""
    shared = frames(8)
    desk.add("acme/known", video([*shared, *frames(12, first=100)]))
    upload = clip([*shared[::-1], *frames(12, first=200)])
    assert desk.check(*upload, media_type=MediaType.VIDEO).outcome is Outcome.NO_MATCH
    # The same frames in their order are the same footage.
    upload = clip([*frames(12, first=200), *shared])
    (match,) = desk.check(*upload, media_type=MediaType.VIDEO).matches
    (segment,) = match.segments
    assert (segment.upload_start_ms, segment.upload_end_ms) == (12_000, 20_000)
    assert (segment.known_start_ms, segment.distance) == (0, 0)


def test_coverage_counts_seconds_however_densely_they_are_sampled(desk: Desk) -> None:
    """A clip cut between two known samples is found by an upload sampled eight times a second."""
    known = frames(10)
    desk.add("acme/known", video(known))
    upload = [
        pdq(known[2 + ms // 1000] if ms % 1000 == 625 else frames(1, first=500 + ms)[0], time_ms=ms)
        for ms in range(0, 5000, 125)
    ]
    (match,) = desk.check(*upload, media_type=MediaType.VIDEO).matches
    assert match.coverage is not None
    assert (match.coverage.upload_percent, match.coverage.known_percent) == (100, 50)
    assert (match.coverage.upload_total_s, match.coverage.known_total_s) == (5, 10)


def test_frames_too_plain_do_not_count(desk: Desk) -> None:
    """Neither as evidence nor in the totals."""
    known = frames(4)
    black = [pdq(bytes(32), quality=0, time_ms=9000 + i) for i in range(6)]
    draft = EntryDraft(MediaType.VIDEO, (*clip(known), *black), PROPAGANDA)
    desk.add("acme/known", draft)
    (match,) = desk.check(*clip(known[:3]), *black, media_type=MediaType.VIDEO).matches
    assert match.coverage is not None
    assert (match.coverage.upload_total_s, match.coverage.known_total_s) == (3, 4)
    verdict = desk.check(*black, media_type=MediaType.VIDEO)
    assert verdict.reason is UndeterminedReason.LOW_INFORMATION


def test_a_picture_out_of_a_known_video_matches(desk: Desk) -> None:
    """A still is evidence, with its time in the video."""
    known = frames(20)
    desk.add("acme/known", video(known))
    (match,) = desk.check(pdq(known[7])).matches
    assert (match.media_type, match.evidence[0].known_time_ms) == (MediaType.VIDEO, 7000)


def test_a_known_picture_flashing_by_in_a_video_is_no_match(desk: Desk) -> None:
    """It must fill the upload's frames, as in a slide show of it."""
    desk.add("acme/known", pdq_draft(PDQ))
    upload = clip([PDQ, *frames(19, first=1)])
    assert desk.check(*upload, media_type=MediaType.VIDEO).outcome is Outcome.NO_MATCH
    upload = clip([PDQ] * 7 + frames(3, first=1))
    assert desk.check(*upload, media_type=MediaType.VIDEO).outcome is Outcome.MATCH


def test_what_the_hasher_could_not_see_is_no_silent_no(desk: Desk) -> None:
    """A limitation makes a miss undetermined, and leaves a match a match."""
    desk.add("acme/known", pdq_draft(PDQ))
    partly = UndeterminedReason.PARTLY_SEEN
    missed, found = desk.matcher.check(
        [
            Query(MediaType.IMAGE, (pdq(flip(PDQ, 90)),), partly, "half of it"),
            Query(MediaType.IMAGE, (pdq(PDQ),), partly),
        ]
    )
    assert (missed.outcome, missed.reason) == (Outcome.UNDETERMINED, partly)
    assert missed.detail == "half of it"
    assert (found.outcome, found.reason) == (Outcome.MATCH, None)


def test_an_index_that_is_behind_gives_no_plain_no(desk: Desk) -> None:
    """The caller asked for a newer revision than the index has."""
    behind = Query(MediaType.IMAGE, (pdq(PDQ),), is_behind=True)
    first, second = desk.matcher.check([behind, Query(MediaType.IMAGE, (pdq(PDQ),))])
    assert first.reason is UndeterminedReason.INDEX_BEHIND
    assert second.outcome is Outcome.NO_MATCH


def test_nothing_near_reads_no_store(desk: Desk) -> None:
    """The miss path is the index alone."""
    desk.add("acme/known", pdq_draft(PDQ))
    desk.store.close()
    reads: list[object] = []
    desk.store.known_entries = reads.append  # type: ignore[method-assign, assignment]
    assert desk.check(pdq(flip(PDQ, 90))).outcome is Outcome.NO_MATCH
    assert reads == []


BASES = frames(3)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk with three pictures."""
    made = Desk(tmp_path_factory.mktemp("desk"))
    made.add("acme/known", *(pdq_draft(base) for base in BASES))
    yield made
    made.store.close()


UPLOADS = st.lists(
    st.lists(
        st.builds(
            lambda base, bits, quality: pdq(flip(base, bits), quality),
            st.sampled_from(BASES),
            st.integers(0, 64),
            st.integers(40, 60),
        ),
        min_size=1,
        max_size=3,
    ),
    max_size=5,
)


@given(UPLOADS)
def test_a_batch_answers_as_single_checks_do(
    filled: Desk, uploads: list[list[Fingerprint]]
) -> None:
    """One search for many uploads never mixes them up."""
    queries = [Query(MediaType.IMAGE, tuple(upload)) for upload in uploads]
    together = filled.matcher.check(queries)
    assert together == [filled.matcher.check([query])[0] for query in queries]


def test_many_values_are_searched_by_all_cores(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the hits of each at its own place, in order."""
    monkeypatch.setattr("hashsvc.lists.indexer._CORES", 3)
    known, others = frames(40), frames(1_600, first=1_000)
    desk.add("acme/known", *(pdq_draft(value) for value in known))
    values = list(others)
    values[100::40] = known[: len(values[100::40])]
    hits = desk.indexer.search(Algorithm.PDQ, values, 31)
    assert hits.query.tolist() == list(range(100, 1_600, 40))
    assert hits.distance.tolist() == [0] * len(hits)
    one_by_one = [desk.indexer.search(Algorithm.PDQ, [value], 31).key.tolist() for value in values]
    assert [[key] for key in hits.key.tolist()] == [keys for keys in one_by_one if keys]


def hash64(algorithm: Algorithm, distance: int = 0) -> Fingerprint:
    """Return a 64-bit hash at a distance from PHASH."""
    return Fingerprint(algorithm, flip(PHASH, distance))


@pytest.mark.parametrize(
    ("algorithm", "radius"), [(Algorithm.PHASH, 8), (Algorithm.DHASH, 5), (Algorithm.WHASH, -1)]
)
def test_each_64_bit_hash_matches_as_far_as_it_can_be_trusted(
    desk: Desk, algorithm: Algorithm, radius: int
) -> None:
    """Within the setting, and no farther than it was measured not to err; wHash not at all."""
    desk.add("acme/known", EntryDraft(MediaType.IMAGE, (hash64(algorithm),), PROPAGANDA))
    for distance in range(10):
        verdict = desk.check(hash64(algorithm, distance))
        if radius < 0:
            assert verdict.reason is UndeterminedReason.LOW_INFORMATION
        else:
            assert (verdict.outcome is Outcome.MATCH) is (distance <= radius)


def test_lists_can_have_radii_and_a_quality_of_their_own(tmp_path: Path) -> None:
    """Each hit is judged by those of its list: narrower, wider, or as all others."""
    own = (
        ListMatching(name="strict/known", pdq_radius=5, hash64_radius=0, min_pdq_quality=80),
        ListMatching(name="wide/*", pdq_radius=40),
    )
    desk = Desk(tmp_path, matching=Matching(lists=own))
    lists = ("strict/known", "wide/known", "acme/known")
    phash = EntryDraft(MediaType.IMAGE, (Fingerprint(Algorithm.PHASH, PHASH),), PROPAGANDA)
    for name in lists:
        desk.add(name, pdq_draft(PDQ), phash)
    desk.add("strict/known", pdq_draft(PDQ, quality=70))

    def found_in(upload: Fingerprint) -> set[str]:
        """The lists in which it matches."""
        verdict = desk.check(upload)
        assert len(verdict.matches) == len({match.list_name for match in verdict.matches})
        return {match.list_name for match in verdict.matches}

    assert found_in(pdq(flip(PDQ, 5))) == set(lists)
    assert found_in(pdq(flip(PDQ, 6))) == {"wide/known", "acme/known"}
    assert found_in(pdq(flip(PDQ, 32))) == {"wide/known"}
    assert found_in(pdq(flip(PDQ, 41))) == set()
    assert found_in(pdq(PDQ, quality=79)) == {"wide/known", "acme/known"}
    assert found_in(Fingerprint(Algorithm.PHASH, flip(PHASH, 2))) == {"wide/known", "acme/known"}
    desk.store.close()


def test_a_picture_in_a_video_is_near_by_the_radius_of_its_list(tmp_path: Path) -> None:
    """As pictures are."""
    own = (ListMatching(name="strict/known", pdq_radius=5),)
    desk = Desk(tmp_path, matching=Matching(lists=own))
    desk.add("strict/known", pdq_draft(PDQ))
    desk.add("acme/known", pdq_draft(PDQ))
    upload = clip([flip(PDQ, 6)] * 4)
    verdict = desk.check(*upload, media_type=MediaType.VIDEO)
    assert [match.list_name for match in verdict.matches] == ["acme/known"]
    desk.store.close()
