"""What is asked of a node, prepared before the clock runs, and the right answers."""

from dataclasses import dataclass

import numpy as np

from benchmarks import node
from benchmarks.datasets import Codes, Found, make_codes, make_queries, truth_of
from hashsvc import translate_match
from hashsvc.model import Fingerprint, MediaFingerprints, MediaType, Verdict
from hashsvc.v1 import match_service_pb2 as pb


@dataclass(frozen=True, slots=True)
class Questions:
    """The same queries in the form that each client takes, and what each must find."""

    prints: list[list[Fingerprint]]
    requests: list[pb.CheckRequest]
    truth: list[Found]

    def __len__(self) -> int:
        return len(self.truth)

    def upload(self, row: int) -> MediaFingerprints:
        """A query as an upload of a batch."""
        return MediaFingerprints(MediaType.IMAGE, "", 0, 0, None, tuple(self.prints[row]))


def make(codes: Codes, count: int, rng: np.random.Generator) -> Questions:
    """Queries about a list of these codes, which may be empty."""
    asked = make_queries(codes, count, rng) if len(codes) else make_codes(count, rng)
    prints = [[node.fingerprint(code)] for code in asked]
    requests = [translate_match.check_request(MediaType.IMAGE, some, None, "") for some in prints]
    return Questions(prints, requests, truth_of(codes, asked))


def found(answer: object) -> Found:
    """The rows that an answer of any client names, with their distances.

    Raises:
        RuntimeError: the check failed.
    """
    if isinstance(answer, pb.CheckResponse):
        answer = translate_match.verdict_from_proto(answer.verdict)
    if isinstance(answer, Verdict):
        return node.found(answer)
    if isinstance(answer, set):
        return answer
    raise RuntimeError(f"a check failed: {answer!r}")
