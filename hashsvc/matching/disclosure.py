"""Disclosure: what of a verdict a caller may see. No I/O.

Exact distances would let somebody who tries many files climb towards a known hash, and the frames
that matched would show what it looks like. Who may read a list sees all; who may only check against
it sees what a decision needs: which seconds of its own upload are known, too, and the contributor
where the list's owner agrees.
"""

from collections.abc import Callable
from dataclasses import replace

from hashsvc.model import Match, Segment, Verdict


def disclosed(verdict: Verdict, may_see: Callable[[str], bool]) -> Verdict:
    """Return the verdict with the evidence of the lists that the caller may see, by name."""
    return replace(
        verdict,
        matches=tuple(_disclosed(match, may_see) for match in verdict.matches),
        exemptions=tuple(_disclosed(match, may_see) for match in verdict.exemptions),
    )


def _disclosed(match: Match, may_see: Callable[[str], bool]) -> Match:
    if may_see(match.list_name):
        return match
    contributor = match.contributor if match.names_contributor else ""
    segments = tuple(
        Segment(segment.upload_start_ms, segment.upload_end_ms, variant=segment.variant)
        for segment in match.segments
    )
    return replace(match, contributor=contributor, evidence=(), coverage=None, segments=segments)
