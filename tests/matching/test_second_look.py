"""A second look by local features at near hashes: what they contradict, and what they confirm."""

import functools
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from hashsvc.config import Policy, PolicyRule
from hashsvc.matching.second_look import LEAST_ASKED, LEAST_KNOWN, MOST_PAIRS
from hashsvc.media import FOR_LISTS, for_checks
from hashsvc.media.recipe import with_local
from hashsvc.model import (
    Action,
    Algorithm,
    Confidence,
    Fingerprint,
    LocalFeatures,
    Match,
    MediaType,
    Verdict,
)
from tests import parts
from tests.harness import flip, local_fingerprint
from tests.matching.desk import PDQ, SHA256, LocalDesk, clip, pdq
from tests.media.making import look, saved
from tests.parts import asked, known, picture

LIST, PRESS = "acme/known", "press/news"
CERTAIN, LIKELY, WEAK = Confidence.NEAR_CERTAIN, Confidence.LIKELY, Confidence.WEAK
SAID = (
    "pdq of the look original, contradicted: the local features of the known picture are not "
    "found in the upload"
)

Prints = tuple[Fingerprint, ...]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[LocalDesk]:
    """A desk without entries."""
    made = LocalDesk(tmp_path)
    yield made
    made.store.close()


@functools.cache
def contributed(stem: str) -> Prints:
    """A picture as a list that takes local features has it, but for its digests."""
    return _hashed(picture(stem), is_known=True)


@functools.cache
def uploaded(stem: str) -> Prints:
    """A picture as it is checked, but for its digests."""
    return _hashed(picture(stem), is_known=False)


@functools.cache
def collided(stem: str, target: str) -> Prints:
    """What is checked of a picture that was given the PDQ of another one."""
    return _hashed(parts.collided(picture(stem), picture(target)), is_known=False)


def _hashed(shown: Image.Image, *, is_known: bool) -> Prints:
    recipe = with_local(FOR_LISTS) if is_known else for_checks([Algorithm.ORB])
    found = look(saved(shown, "JPEG", quality=85), recipe).fingerprints
    return tuple(one for one in found if not one.algorithm.is_digest)


def the_match(verdict: Verdict) -> Match:
    """The only one."""
    (match,) = verdict.matches
    return match


def test_a_picture_that_was_given_the_hash_of_another_is_contradicted(desk: LocalDesk) -> None:
    """It stays a match, of the least class, and says why; the picture itself is sure."""
    name = desk.add_local(LIST, *contributed("fig"))
    match = the_match(desk.check(*collided("rocket", "fig")))
    assert (match.entry, match.contradicted, match.confidence) == (name, True, WEAK)
    assert match.confidence_basis == SAID
    assert {evidence.algorithm for evidence in match.evidence} == {Algorithm.PDQ}
    copy = the_match(desk.check(*uploaded("fig")))
    assert (copy.entry, copy.contradicted, copy.confidence) == (name, False, CERTAIN)


@pytest.mark.parametrize("stem", ["fig", "coffee", "brushes"])
def test_edited_copies_are_not_contradicted(desk: LocalDesk, stem: str) -> None:
    """Small, dull, coarse, turned, or in a page: where PDQ finds them the features agree."""
    desk.add_local(LIST, *contributed(stem))
    shown = picture(stem)
    page = Image.new("RGB", (shown.width, shown.height + 150), "white")
    page.paste(shown, (0, 150))
    coarse = Image.open(BytesIO(saved(shown, "JPEG", quality=10))).convert("RGB")
    edits = {
        "small": shown.resize((shown.width // 4, shown.height // 4)),
        "dull": shown.point(lambda value: round(90 + value * 0.3)),
        "coarse": coarse,
        "turned": shown.transpose(Image.Transpose.ROTATE_90),
        "page": page,
    }
    for edit, made in edits.items():
        verdict = desk.check(*_hashed(made, is_known=False))
        assert verdict.matches[0].algorithm is Algorithm.PDQ, edit
        assert not verdict.matches[0].contradicted, edit


def test_features_that_agree_make_a_far_hash_sure_and_say_where(desk: LocalDesk) -> None:
    """At 31 bits PDQ alone is likely; beside many features in their places it is near certain."""
    desk.add_local(LIST, pdq(PDQ), known(picture("fig")))
    far = pdq(flip(PDQ, 31))
    assert the_match(desk.check(far)).confidence is LIKELY
    match = the_match(desk.check(far, asked(picture("fig"))))
    assert (match.algorithm, match.confidence, match.contradicted) == (
        Algorithm.PDQ,
        CERTAIN,
        False,
    )
    assert match.confidence_basis.startswith("orb, a part in its place")
    assert match.located is not None
    assert match.located.corners[2] == pytest.approx((1, 1), abs=0.03)


def test_what_cannot_be_contradicted_is_not_looked_at(desk: LocalDesk) -> None:
    """The very file, a mirrored look, an upload with few features or none, an entry without."""
    other = asked(picture("dogs"))
    desk.add_local(LIST, pdq(PDQ), Fingerprint(Algorithm.SHA256, SHA256), known(picture("fig")))
    uploads: list[Prints] = [
        (pdq(PDQ), other, Fingerprint(Algorithm.SHA256, SHA256)),
        (replace(pdq(PDQ), variant="trimmed_flip_horizontal"), other),
        (pdq(PDQ), local_fingerprint(1, LEAST_ASKED - 1)),
        (pdq(PDQ),),
    ]
    for upload in uploads:
        match = the_match(desk.check(*upload))
        assert (match.contradicted, desk.reads) == (False, []), upload
    desk.add_local(LIST, pdq(flip(PDQ, 128)))
    assert not the_match(desk.check(pdq(flip(PDQ, 128)), other)).contradicted
    assert desk.reads == []
    turned = replace(pdq(PDQ), variant="trimmed_rotate90")
    assert the_match(desk.check(turned, other)).contradicted


def test_few_known_features_contradict_nothing(desk: LocalDesk) -> None:
    """Of a plain picture there are so few that none of them need be found."""
    other = asked(picture("dogs"))
    desk.add_local(LIST, pdq(PDQ), local_fingerprint(1, LEAST_KNOWN - 1))
    desk.add_local(LIST, pdq(flip(PDQ, 128)), local_fingerprint(2, LEAST_KNOWN))
    assert not the_match(desk.check(pdq(PDQ), other)).contradicted
    assert the_match(desk.check(pdq(flip(PDQ, 128)), other)).contradicted


def test_a_bit_of_the_known_picture_is_not_enough(desk: LocalDesk) -> None:
    """Who pastes a twentieth of it into another picture does not make that hash believed: what is
    near as a whole must be there in good part."""
    desk.add_local(LIST, pdq(PDQ), known(picture("fig")))
    told = {}
    for part in (4.5, 2):
        shown = picture("fig")
        page = picture("dogs").resize(shown.size)
        box = (100, 200, 100 + round(shown.width / part), 200 + round(shown.height / part))
        page.paste(shown.crop(box), box)
        told[part] = the_match(desk.check(pdq(PDQ), asked(page))).contradicted
    assert told == {4.5: True, 2: False}


def test_any_of_the_known_pictures_that_is_found_will_do(desk: LocalDesk) -> None:
    """An entry may have its features twice, as decoded and as shown; an upload too."""
    desk.add_local(LIST, pdq(PDQ), known(picture("dogs")), known(picture("fig")))
    upload = (asked(picture("rocket")), replace(asked(picture("fig")), variant="shown"))
    assert not the_match(desk.check(pdq(PDQ), *upload)).contradicted
    assert the_match(desk.check(pdq(PDQ), upload[0])).contradicted


def test_videos_are_left_as_they_are(desk: LocalDesk) -> None:
    """Their frames are judged by their order, and of a known video a picture shows one alone."""
    frame = replace(known(picture("fig")), time_ms=0)
    desk.add_local(LIST, *clip([PDQ]), frame, media_type=MediaType.VIDEO)
    assert not the_match(desk.check(pdq(PDQ), asked(picture("dogs")))).contradicted


def test_a_node_that_never_looks_features_up_does_not_look_again(tmp_path: Path) -> None:
    """Who has switched them off does not pay for them."""
    desk = LocalDesk(tmp_path, LocalFeatures.NEVER)
    desk.add_local(LIST, *contributed("fig"))
    match = the_match(desk.check(*collided("rocket", "fig")))
    assert (match.contradicted, desk.reads) == (False, [])
    desk.store.close()


def test_what_is_contradicted_comes_last(desk: LocalDesk) -> None:
    """Behind what is farther by PDQ."""
    nearer = desk.add_local(LIST, pdq(PDQ), known(picture("fig")))
    farther = desk.add_local(LIST, pdq(flip(PDQ, 20)), known(picture("dogs")))
    verdict = desk.check(pdq(PDQ), asked(picture("dogs")))
    assert [match.entry for match in verdict.matches] == [farther, nearer]
    assert [match.contradicted for match in verdict.matches] == [False, True]


def test_so_many_are_looked_at_and_no_more_nearest_first(tmp_path: Path) -> None:
    """The rest stays as PDQ has it: an upload near many entries must not take seconds."""
    desk = LocalDesk(tmp_path, max_matches=MOST_PAIRS + 3)
    one = known(picture("fig"))
    for number in range(MOST_PAIRS + 2):
        desk.add_local(f"acme/{number}", pdq(flip(PDQ, number)), one)
    matches = desk.check(pdq(PDQ), asked(picture("dogs"))).matches
    assert len(desk.reads) == MOST_PAIRS
    contradicted = [match.distance for match in matches if match.contradicted]
    assert contradicted == list(range(MOST_PAIRS))
    assert len(matches) == MOST_PAIRS + 2
    desk.store.close()


def test_known_media_does_not_hide_behind_the_hash_of_other_media(desk: LocalDesk) -> None:
    """A near hash that is contradicted is no answer: local features are looked up after all."""
    fig, wine = (desk.add_local(LIST, *contributed(stem)) for stem in ("fig", "wine"))
    verdict = desk.check(*collided("wine", "fig"))
    assert [match.entry for match in verdict.matches] == [wine, fig]
    assert [match.contradicted for match in verdict.matches] == [False, True]
    assert Algorithm.ORB in verdict.searched


def test_known_media_does_not_pass_for_an_exempted_picture(desk: LocalDesk) -> None:
    """An exemption that is contradicted softens nothing but what is contradicted too."""
    desk.add_local(PRESS, *contributed("fig"))
    wine = desk.add_local(LIST, *contributed("wine"))
    hidden = desk.check(*collided("wine", "fig"))
    assert (the_match(hidden).entry, hidden.exemptions[0].contradicted) == (wine, True)
    assert hidden.action is Action.REVIEW
    desk.add_local(LIST, *contributed("fig"))
    both = desk.check(*collided("rocket", "fig"))
    assert (the_match(both).contradicted, both.exemptions[0].contradicted) == (True, True)
    assert both.action is Action.LOG
    real = desk.check(*uploaded("fig"))
    assert (real.exemptions[0].contradicted, real.action) == (False, Action.LOG)


def test_known_media_does_not_hide_behind_what_cannot_be_contradicted(desk: LocalDesk) -> None:
    """An exemption without local features may be what its hash says, but is no answer by itself."""
    whole = [one for one in contributed("fig") if not one.algorithm.is_local]
    desk.add_local(PRESS, *whole)
    wine = desk.add_local(LIST, *contributed("wine"))
    hidden = desk.check(*collided("wine", "fig"))
    assert (the_match(hidden).entry, hidden.exemptions[0].contradicted) == (wine, False)


def test_policies_tell_what_is_contradicted_by_its_class(tmp_path: Path) -> None:
    """A rule for what is likely, or surer, leaves it out."""
    rules = (PolicyRule(action=Action.BLOCK, min_confidence=LIKELY),)
    desk = LocalDesk(tmp_path, policy=Policy(rules=rules, match=Action.LOG))
    desk.add_local(LIST, *contributed("fig"))
    assert desk.check(*collided("rocket", "fig")).action is Action.LOG
    assert desk.check(*uploaded("fig")).action is Action.BLOCK
    desk.store.close()
