"""Low-information media: recognised, never matched by a hash of the whole, and said to be so."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hashsvc.demo import samples
from hashsvc.lists import plainness
from hashsvc.media import FOR_CHECKS, FOR_LISTS, Recipe, fingerprint
from hashsvc.media.pdq import pdq_spectrum
from hashsvc.model import (
    Algorithm,
    EntryDraft,
    Fingerprint,
    MediaFingerprints,
    MediaType,
    Outcome,
    UndeterminedReason,
    Verdict,
)
from hashsvc_client import Client
from tests import plain
from tests.harness import PROPAGANDA, running_node

_EACH = 15
_AS_OTHERS = Recipe(algorithms=(Algorithm.PDQ,))


def _pictures() -> list[bytes]:
    """Generated ones of all kinds, and the real one of the demo."""
    made = [plain.picture(kind, seed) for kind in plain.KINDS for seed in range(_EACH)]
    return [*made, (samples.UNRELATED / "gradient.jpg").read_bytes()]


def _hashed(pictures: Sequence[bytes], recipe: Recipe) -> list[MediaFingerprints]:
    return [fingerprint(BytesIO(picture), recipe=recipe) for picture in pictures]


def _verdicts(client: Client, uploads: Sequence[MediaFingerprints]) -> list[Verdict]:
    (answers,) = client.check_batches([uploads])
    return [answer for answer in answers if isinstance(answer, Verdict)]


def test_plain_pictures_match_by_digests_alone(tmp_path: Path) -> None:
    """Of 241, as uploads to a list of half of them: the others get "not enough information"."""
    pictures = _pictures()
    known = _hashed(pictures[::2], FOR_LISTS)
    uploads = _hashed(pictures, FOR_CHECKS)
    assert len(uploads) > 200
    with running_node(tmp_path) as node, Client(node) as client:
        client.create_list("acme/known")
        drafts = [EntryDraft(f.media_type, f.fingerprints, PROPAGANDA) for f in known]
        assert all(added.matchable for added in client.add_entries("acme/known", drafts).entries)
        verdicts = _verdicts(client, uploads)
    for verdict in verdicts[::2]:
        assert verdict.outcome is Outcome.MATCH
        assert {match.is_exact for match in verdict.matches} == {True}
    unknown = verdicts[1::2]
    assert {verdict.outcome for verdict in unknown} == {Outcome.UNDETERMINED}
    assert {verdict.reason for verdict in unknown} == {UndeterminedReason.LOW_INFORMATION}
    assert all("not enough information" in verdict.detail for verdict in unknown)
    assert not any(algorithm.is_of_whole for v in unknown for algorithm in v.searched)


def test_lists_and_uploads_that_others_hashed_find_no_plain_ones(tmp_path: Path) -> None:
    """A list of plain pictures made elsewhere matches none of ours, nor are ours in theirs."""
    pictures = _pictures()[::4]
    theirs, ours = _hashed(pictures, _AS_OTHERS), _hashed(pictures, FOR_CHECKS)
    with running_node(tmp_path) as node, Client(node) as client:
        for name, found in (("other/known", theirs), ("acme/known", _hashed(pictures, FOR_LISTS))):
            client.create_list(name)
            drafts = [
                EntryDraft(f.media_type, _perceptual(f) or f.fingerprints, PROPAGANDA)
                for f in found
            ]
            client.add_entries(name, drafts)
        checked = _verdicts(client, ours)
        assert not [m for v in checked for m in v.matches if not m.is_exact]
        foreign = [
            MediaFingerprints(f.media_type, f.format, 1, 1, None, _perceptual(f)) for f in theirs
        ]
        found_in = {m.list_name for v in _verdicts(client, foreign) for m in v.matches}
        assert "acme/known" not in found_in


def _perceptual(found: MediaFingerprints) -> tuple[Fingerprint, ...]:
    return tuple(f for f in found.fingerprints if not f.algorithm.is_digest)


def test_a_value_alone_tells_of_flat_grounds_and_bars(tmp_path: Path) -> None:
    """Whatever quality is claimed for it: such a value is neither found nor searched with."""
    flat = fingerprint(BytesIO(plain.picture("flat", 1)), recipe=_AS_OTHERS).fingerprints[-1]
    claimed = Fingerprint(Algorithm.PDQ, flat.value, quality=100)
    unstated = Fingerprint(Algorithm.PDQ, flat.value)
    with running_node(tmp_path) as node, Client(node) as client:
        client.create_list("acme/known")
        draft = EntryDraft(MediaType.IMAGE, (unstated,), PROPAGANDA)
        (added,) = client.add_entries("acme/known", [draft]).entries
        assert not added.matchable
        verdict = client.check([claimed])
        assert verdict.reason is UndeterminedReason.LOW_INFORMATION


def test_ordinary_pictures_are_not_taken_for_plain(shared_media: Path) -> None:
    """At most one in a hundred photographs, drawings and screenshots; none by its value alone."""
    values, lost = [], []
    paths = sorted((shared_media / "images").iterdir())
    for path in paths:
        with Image.open(path) as image:
            image.draft("RGB", (400, 400))
            rgb = image.convert("RGB")
        rgb.thumbnail((400, 400), Image.Resampling.BOX)
        spectrum = pdq_spectrum(np.asarray(rgb))
        values.append(spectrum.value())
        if spectrum.is_plain:
            lost.append(path.name)
    assert len(paths) > 150
    assert len(lost) <= len(paths) / 100, lost
    assert not any(plainness.plain_values(values))


@pytest.mark.parametrize("path", sorted(samples.KNOWN.glob("*.jpg")), ids=lambda path: path.stem)
def test_the_demos_photographs_are_not_taken_for_plain(path: Path) -> None:
    """None of them, nor as if seen in fog."""
    with Image.open(path) as image:
        picture = image.convert("RGB")
    assert not pdq_spectrum(np.asarray(picture)).is_plain
    foggy = picture.point(lambda level: level // 2 + 100)
    assert not pdq_spectrum(np.asarray(foggy)).is_plain
