"""A known video in a part of an uploaded one: real nodes, real clips, bytes and frames."""

import io
from dataclasses import replace
from pathlib import Path

import pytest

from hashsvc import feature_values
from hashsvc.media import FOR_LISTS, fingerprint
from hashsvc.media.recipe import with_local
from hashsvc.media.scan import Seen
from hashsvc.model import Algorithm, EntryDraft, Fingerprint, Outcome
from hashsvc_client import Client, RequestRefused
from hashsvc_client.errors import from_rpc_error
from hashsvc_client.videos import frames_request
from tests.harness import PROPAGANDA, running_node
from tests.media.collage import OTHERS, SCENES, frames, scene, within
from tests.media.making import film

LIST, RATE, EACH_S = "acme/known", 2, 3
KEYS = {"g": str(RATE), "sc_threshold": "0", "preset": "ultrafast"}


def test_bytes_and_frames_find_a_video_in_another(tmp_path: Path) -> None:
    """A clip at 0.6 of the width within others is found, whoever decodes it, and where it is."""
    known = [scene(name) for name in SCENES]
    hidden = [within(one, scene(other)) for one, other in zip(known, OTHERS, strict=True)]
    upload = tmp_path / "upload.mp4"
    clip = film(
        tmp_path / "known.mp4", "libx264", frames(known, EACH_S * RATE), rate=RATE, options=KEYS
    )
    film(upload, "libx264", frames(hidden, EACH_S * RATE), rate=RATE, options=KEYS)
    found = fingerprint(io.BytesIO(clip), recipe=with_local(FOR_LISTS))
    draft = EntryDraft(found.media_type, found.fingerprints, PROPAGANDA)
    with running_node(tmp_path / "node") as address, Client(address) as client:
        client.create_list(LIST, local_features=True)
        client.add_entries(LIST, [draft])
        here, sent = client.check_file(upload), client.check_file(upload, send_media=True)
        assert here.matches == sent.matches
        (match,) = here.matches
        assert match.algorithm is Algorithm.ORB
        located = match.evidence[0].located
        assert located is not None
        assert located.corners[0] == pytest.approx((24 / 640, 40 / 360), abs=0.03)
        (segment,) = match.segments
        assert segment.upload_end_ms - segment.upload_start_ms >= 2 * EACH_S * 1000
        assert client.check_fingerprints(fingerprint(io.BytesIO(clip))).outcome is Outcome.MATCH


def test_no_more_in_one_message_than_an_entry_may_have(tmp_path: Path) -> None:
    """A message with more frames with local features than 128, or too many of them, is refused."""
    value = bytes([1, 0, 1, 0]) + bytes(feature_values.FEATURE_BYTES)
    one = Fingerprint(Algorithm.ORB, value, time_ms=0)
    large = replace(
        one, value=value + bytes(feature_values.FEATURE_BYTES * feature_values.MOST_ASKED)
    )
    with running_node(tmp_path / "node") as address, Client(address) as client:

        def refused(sent: tuple[Fingerprint, ...]) -> RequestRefused:
            with pytest.raises(Exception) as caught:  # noqa: PT011 (gRPC's own)
                list(client._match.CheckVideo(iter([frames_request(Seen(sent, 0))])))
            error = from_rpc_error(caught.value)
            assert isinstance(error, RequestRefused)
            return error

        assert [v.field for v in refused((one,) * 129).violations] == ["frames.fingerprints"]
        assert [v.field for v in refused((large,)).violations] == ["frames.fingerprints[0].value"]
        answers = list(client._match.CheckVideo(iter([frames_request(Seen((one,) * 128, 0))])))
        assert answers[-1].is_final
