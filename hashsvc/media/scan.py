"""The conversation about a video while it is decoded: what was seen, and where to look closer.

Decoding is nine tenths of what a check of a video costs, so that an upload is looked at by its key
frames first, and more closely only where somebody who knows more asks for it: the judge.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from hashsvc.model import Fingerprint


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a video: from `first_ms` up to but not including `last_ms` from its start."""

    first_ms: int
    last_ms: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What a step of decoding gave: the hashes of frames that were not given before.

    `through_ms` is how far decoding has come; frames of an earlier moment may still follow, where
    a closer look is asked for.
    """

    fingerprints: tuple[Fingerprint, ...]
    through_ms: int


Judge = Callable[[Seen], Sequence[Span] | None]
"""Is given each step; answers with the spans to look at more closely, None for "enough, stop".

Spans may reach into what is still to come. Of what has passed, only the last moments are still
held: at least all since the key frame before the last one.
"""

AsyncJudge = Callable[[Seen], Awaitable[Sequence[Span] | None]]
"""The same, for a decoder in another process."""
