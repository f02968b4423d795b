"""Openings and endings that several known videos share: footage, but of none of them in particular.

Producers put the same few seconds in front of all they make, and others quote them. Where all that
matches of a known video is at its very start or end, and another known video has the same at its
own, and the two have little else in common, it is not what was uploaded. Shared footage from their
middle stays a match: that is what compilations are made of.
"""

from collections.abc import Sequence

import numpy as np

from hashsvc.matching.alignment import Alignment, Known, Rules, Segment
from hashsvc.matching.watch import Candidate
from hashsvc_index import chaining

EDGE_S = 12.0
"""An opening or ending is no longer than this."""

_SAME_SHARE = 0.5


Alike = dict[tuple[Known, Known], bool]
"""What was found out about pairs of known videos, which takes as long as aligning them."""


def shared_openings(candidates: Sequence[Candidate], rules: Rules, alike: Alike) -> set[int]:
    """Which of the candidates, by place, have nothing in the upload but a shared opening.

    `alike` is asked before two known videos are compared, and remembers what that gave.
    """
    matching = [
        (place, candidate, candidate.known)
        for place, candidate in enumerate(candidates)
        if candidate.segments and candidate.known is not None
    ]
    shared: set[int] = set()
    for place, one, known in matching:
        if not all(_is_at_edge(segment, known, is_within=True) for segment in one.segments):
            continue
        for other, two, other_known in matching:
            quoted = [s for s in two.segments if _is_at_edge(s, other_known, is_within=False)]
            if (
                other != place
                and _overlap(one.segments, quoted)
                and not _are_alike(known, other_known, rules, alike)
            ):
                shared.add(place)
                break
    return shared


def _is_at_edge(segment: Segment, known: Known, *, is_within: bool) -> bool:
    """Whether a segment is, or begins or ends, in the opening or ending of a known video."""
    first_s, last_s = float(known.times_s[0]), float(known.times_s[-1])
    edge_s = min(EDGE_S, known.length_s / 2)
    if is_within:
        return segment.known_end_s <= first_s + edge_s or segment.known_start_s >= last_s - edge_s
    return segment.known_start_s <= first_s + edge_s or segment.known_end_s >= last_s - edge_s


def _overlap(some: Sequence[Segment], others: Sequence[Segment]) -> bool:
    """Whether they are the same part of the upload, for the most."""
    return any(
        2 * (min(a.upload_end_s, b.upload_end_s) - max(a.upload_start_s, b.upload_start_s))
        >= min(a.length_s, b.length_s)
        for a in some
        for b in others
    )


def _are_alike(one: Known, two: Known, rules: Rules, alike: Alike) -> bool:
    """Whether half of the shorter of two known videos is in the other."""
    if (one, two) not in alike:
        aligned = Alignment(one)
        aligned.add(two.times_s, np.repeat(two.codes[:, None], chaining.LOOKS, axis=1))
        common_s = sum(
            segment.length_s
            for segment in aligned.segments()
            if segment.is_evidence(rules, one.length_s)
        )
        alike[one, two] = common_s >= _SAME_SHARE * min(one.length_s, two.length_s)
    return alike[one, two]
