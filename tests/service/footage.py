"""Videos to check: clips that are encoded on the spot, and frames that nobody decoded."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from hashsvc.media.scan import Seen
from hashsvc.model import Algorithm, EntryDraft, Fingerprint, MediaType
from hashsvc.v1 import match_service_pb2 as pb
from hashsvc_client.videos import frames_request
from tests.harness import PROPAGANDA, flip, pdq_draft
from tests.media.making import film, scene

KNOWN = tuple(range(8))
"""The scenes of the known clip, one a second."""

UPLOAD = (*range(50, 54), *KNOWN[2:], *range(60, 70))
"""Those of an upload: seconds 4 to 10 are seconds 2 to 8 of the known clip."""

CONTAINERS: dict[str, tuple[str, dict[str, str]]] = {
    "webm": ("libvpx", {}),
    "ts": ("libx264", {}),
    "mp4": ("libx264", {"movflags": "frag_keyframe+empty_moov"}),
}
"""By suffix: what a video is made with, so that it can be decoded as it comes."""

Make = Callable[..., bytes]

_RATE = 10
_KEY_FRAMES = {"g": "10", "keyint_min": "10", "sc_threshold": "0"}


class Studio:
    """Makes clips of scenes, one a second, each with a key frame a second; each but once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[Any, bytes] = {}

    def __call__(
        self, scenes: Iterable[int] = UPLOAD, suffix: str = "webm", *, index_last: bool = False
    ) -> bytes:
        """The bytes of a clip; with `index_last` of an MP4 that has its index at the end."""
        key = tuple(scenes), suffix, index_last
        if key not in self._made:
            codec, container = CONTAINERS[suffix]
            path = self._folder / f"clip.{suffix}"
            pictures = (scene(one) for one in key[0] for _ in range(_RATE))
            how = {} if index_last else container
            self._made[key] = film(
                path, codec, pictures, rate=_RATE, options=_KEY_FRAMES, container=how
            )
        return self._made[key]


def clip(scenes: range, first_ms: int = 0, bits: int = 0) -> list[Fingerprint]:
    """Frames, four a second, of another scene each second; `bits` off what they would be."""
    return [
        Fingerprint(Algorithm.PDQ, flip(pdq_draft(one).fingerprints[0].value, bits), 100, at)
        for number, one in enumerate(scenes)
        for at in range(first_ms + 1000 * number, first_ms + 1000 * number + 1000, 250)
    ]


def video(scenes: range) -> EntryDraft:
    """A known video of such frames."""
    return EntryDraft(MediaType.VIDEO, tuple(clip(scenes)), PROPAGANDA)


def frames(sent: Iterable[Fingerprint]) -> pb.CheckVideoRequest:
    """The part of a call that has these frames."""
    sent = tuple(sent)
    return frames_request(Seen(sent, max((frame.time_ms or 0 for frame in sent), default=0)))


def chunk(data: bytes) -> pb.CheckVideoRequest:
    """The part that has these bytes."""
    return pb.CheckVideoRequest(chunk=data)


def end(**fields: Any) -> pb.CheckVideoRequest:
    """The last part."""
    return pb.CheckVideoRequest(end=pb.VideoEnd(**fields))
