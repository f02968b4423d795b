"""Policy: what the asking platform makes of the evidence. No I/O."""

from collections.abc import Sequence

from hashsvc.config import Policy, PolicyRule
from hashsvc.model import Action, Confidence, Match, Outcome

_GRAVITY = tuple(Action)
_SURENESS = tuple(Confidence)
_COVERED_SHARE = 0.8


def decide(
    policy: Policy, outcome: Outcome, matches: Sequence[Match], exemptions: Sequence[Match]
) -> Action:
    """Return the action for an upload: that of its gravest match.

    Of a video, an exemption is for the seconds that it covers and not for the rest.
    """
    if outcome is Outcome.UNDETERMINED:
        return policy.undetermined
    if outcome is Outcome.NO_MATCH:
        return Action.ALLOW
    actions = [
        policy.exempted
        if any(_covers(exemption, match) for exemption in exemptions)
        else _for_match(policy, match)
        for match in matches
    ]
    return max(actions, key=_GRAVITY.index, default=policy.match)


def _covers(exemption: Match, match: Match) -> bool:
    """Tell whether an exemption is for all of a match, or for all but a little of a video's.

    One that local features contradict is for matches that they contradict too: else known media
    that was given the hash of a news picture would pass for it.
    """
    if exemption.contradicted and not match.contradicted:
        return False
    if not exemption.segments or not match.segments:
        return True
    matched_ms = sum(segment.length_ms for segment in match.segments)
    covered_ms = sum(
        max(0, min(a.upload_end_ms, b.upload_end_ms) - max(a.upload_start_ms, b.upload_start_ms))
        for a in match.segments
        for b in exemption.segments
    )
    return covered_ms >= _COVERED_SHARE * matched_ms


def _for_match(policy: Policy, match: Match) -> Action:
    for rule in policy.rules:
        if _applies(rule, match):
            return rule.action
    return policy.match


def _applies(rule: PolicyRule, match: Match) -> bool:
    description = match.description
    return (
        (not rule.lists or match.list_name in rule.lists)
        and (not rule.labels or not rule.labels.isdisjoint(description.labels))
        and (not rule.basis or description.basis in rule.basis)
        and description.severity >= rule.min_severity
        and rule.exact in (None, match.is_exact)
        and _SURENESS.index(match.confidence) <= _SURENESS.index(rule.min_confidence)
        and rule.disputed in (None, match.opinions.disputing > 0)
    )
