"""How clients hash a file to check: with what the lists of the node hold, and no more.

What is held is said in every answer. A client computes what the last answer named; where the answer
about a file names more, that file is hashed again. So what costs much is computed only where it can
tell something, and what a list gets is looked for from the next check on.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from hashsvc.model import Algorithm, Match, MediaType, Verdict
from hashsvc_client.errors import ClientError

if TYPE_CHECKING:
    from hashsvc.media import Recipe
    from hashsvc.media.recipe import RecipeFor


class Held:
    """The algorithms of which a node's lists hold anything, as its last answer said."""

    def __init__(self) -> None:
        self.algorithms: frozenset[Algorithm] = frozenset()

    def note(self, verdict: Verdict) -> Verdict:
        """Take in an answer, and return it."""
        self.algorithms = verdict.held
        return verdict


class Informed:
    """A client as far as it is told what its node's lists hold; a base of both."""

    _held: Held

    @property
    def held(self) -> frozenset[Algorithm]:
        """The algorithms of which the node's lists hold anything, as its last answer said.

        For who hashes by itself, with `hashsvc.media.for_checks`; `check_file` does so.
        """
        return self._held.algorithms

    def _note_all(self, results: Iterable[Verdict | ClientError]) -> None:
        for result in results:
            if isinstance(result, Verdict):
                self._held.note(result)


class Hashing:
    """The hashing of one file to check, which may begin anew.

    `given` is a recipe to hash by, whatever is held, or what gives one for what is held; None for
    `hashsvc.media.for_checks`, by which it begins anew once at the most. `held` is to take in the
    answers. `min_revision` is for the checks of the file; when it begins anew they see no less than
    the answer that it was because of.
    """

    def __init__(
        self, held: Held, given: "Recipe | RecipeFor | None", min_revision: str = ""
    ) -> None:
        self.held = held
        self._recipe_for = _recipe_for(given)
        self._named: frozenset[Algorithm] = frozenset()
        self._used: Recipe | None = None
        self.min_revision = min_revision

    def recipe(self) -> "Recipe":
        """The recipe by what is known now: to be called when hashing begins, not before."""
        self._named |= self.held.algorithms
        self._used = self._recipe_for(self._named)
        return self._used

    def begins_anew(self, verdict: Verdict) -> bool:
        """Whether the file is to be hashed again, given an answer to what was hashed of it so far.

        That is so where the answer names what the recipe would have hashed, unless a match stands.
        """
        if any(_stands(match) for match in verdict.matches):
            return False
        self._named |= verdict.held
        if self._recipe_for(self._named) == self._used:
            return False
        self.min_revision = self.min_revision or verdict.revision
        return True


def _stands(match: Match) -> bool:
    """Whether more could not tell otherwise: known pictures may be contradicted."""
    return match.is_exact or match.media_type is not MediaType.IMAGE


def _recipe_for(given: "Recipe | RecipeFor | None") -> "RecipeFor":
    if given is None:
        from hashsvc.media import for_checks  # importing the client loads nothing of that room

        return for_checks
    if callable(given):
        return given
    return lambda held: given
