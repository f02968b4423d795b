"""Policy: what the asking platform makes of the evidence. No I/O."""

from collections.abc import Sequence

from hashsvc.config import Policy, PolicyRule
from hashsvc.model import Action, Match, Outcome

_GRAVITY = tuple(Action)


def decide(
    policy: Policy, outcome: Outcome, matches: Sequence[Match], exemptions: Sequence[Match]
) -> Action:
    """Return the action for an upload: that of its gravest match."""
    if outcome is Outcome.UNDETERMINED:
        return policy.undetermined
    if outcome is Outcome.NO_MATCH:
        return Action.ALLOW
    if exemptions:
        return policy.exempted
    actions = [_for_match(policy, match) for match in matches]
    return max(actions, key=_GRAVITY.index, default=policy.match)


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
        and rule.disputed in (None, match.opinions.disputing > 0)
    )
