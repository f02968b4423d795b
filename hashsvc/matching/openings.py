"""Openings and endings that several known videos share: footage, but of none of them in particular.

Producers put the same few seconds in front of all they make, and others quote them. Where all that
matches of two known videos is the same part of the upload, at the very start or end of both, and
the two have little else in common, neither is what was uploaded. Shared footage from their middle
stays a match: that is what compilations are made of.
"""

from collections.abc import Sequence

import numpy as np

from hashsvc.matching.alignment import Alignment, Known, Rules, Segment
from hashsvc.matching.watch import Candidate
from hashsvc_index import chaining

EDGE_S = 12.0
"""An opening or ending is no longer than this."""

_SAME_SHARE = 0.5


def shared_openings(candidates: Sequence[Candidate], rules: Rules) -> set[int]:
    """Which of the candidates, by place, have nothing in the upload but a shared opening."""
    edges = [place for place, candidate in enumerate(candidates) if _is_edge(candidate)]
    shared: set[int] = set()
    for number, place in enumerate(edges):
        for other in edges[number + 1 :]:
            one, two = candidates[place], candidates[other]
            if {place, other} <= shared or not _overlap(one.segments, two.segments):
                continue
            assert one.known is not None
            assert two.known is not None
            if not _are_alike(one.known, two.known, rules):
                shared |= {place, other}
    return shared


def _is_edge(candidate: Candidate) -> bool:
    """Whether all that matches of a known video is at its start or at its end."""
    if candidate.known is None or not candidate.segments:
        return False
    first_s, last_s = candidate.known.times_s[[0, -1]].tolist()
    edge_s = min(EDGE_S, candidate.known.length_s / 2)
    return all(
        segment.known_end_s <= first_s + edge_s or segment.known_start_s >= last_s - edge_s
        for segment in candidate.segments
    )


def _overlap(some: Sequence[Segment], others: Sequence[Segment]) -> bool:
    """Whether they are the same part of the upload, for the most."""
    return any(
        2 * (min(a.upload_end_s, b.upload_end_s) - max(a.upload_start_s, b.upload_start_s))
        >= min(a.length_s, b.length_s)
        for a in some
        for b in others
    )


def _are_alike(one: Known, two: Known, rules: Rules) -> bool:
    """Whether half of the shorter of two known videos is in the other."""
    aligned = Alignment(one)
    aligned.add(two.times_s, np.repeat(two.codes[:, None], chaining.LOOKS, axis=1))
    common_s = sum(
        segment.length_s
        for segment in aligned.segments()
        if segment.is_evidence(rules, one.length_s)
    )
    return common_s >= _SAME_SHARE * min(one.length_s, two.length_s)
