"""How near is a match in which list: the settings, and what the calibration leaves of them."""

from dataclasses import dataclass

from hashsvc import calibration
from hashsvc.config import ListMatching, Matching
from hashsvc.model import Algorithm


@dataclass(frozen=True, slots=True)
class Threshold:
    """What counts in one list: bits, and PDQ's quality."""

    pdq_radius: int
    hash64_radius: int
    min_pdq_quality: int

    def radius(self, algorithm: Algorithm) -> int:
        """Within so many bits a hash speaks for itself; below 0 it never does."""
        limit = self.pdq_radius if algorithm is Algorithm.PDQ else self.hash64_radius
        return calibration.radius(algorithm, limit)

    def is_good(self, algorithm: Algorithm, quality: int | None) -> bool:
        """Whether a fingerprint of this quality, on either side, counts in the list."""
        return algorithm is not Algorithm.PDQ or quality is None or quality >= self.min_pdq_quality


class Thresholds:
    """Those of all lists."""

    def __init__(self, matching: Matching) -> None:
        self._matching = matching
        self._known: dict[str, Threshold] = {}
        names = ("", *(own.name for own in matching.lists))
        self._widest = {a: max(self.of(name).radius(a) for name in names) for a in Algorithm}

    def of(self, list_name: str) -> Threshold:
        """The threshold of a list."""
        # Worked out once for each list, of which there are few.
        found = self._known.get(list_name)
        if found is None:
            found = self._known[list_name] = self._made(list_name)
        return found

    def widest(self, algorithm: Algorithm) -> int:
        """The greatest radius that any list may have."""
        return self._widest[algorithm]

    def _made(self, list_name: str) -> Threshold:
        own = next((own for own in self._matching.lists if _fits(own, list_name)), None)
        given = {} if own is None else own.model_dump(exclude={"name"}, exclude_none=True)
        general = self._matching
        return Threshold(
            given.get("pdq_radius", general.pdq_radius),
            given.get("hash64_radius", general.hash64_radius),
            given.get("min_pdq_quality", general.min_pdq_quality),
        )


def _fits(own: ListMatching, list_name: str) -> bool:
    if own.name.endswith("/*"):
        return list_name.partition("/")[0] == own.name[:-2]
    return own.name == list_name
