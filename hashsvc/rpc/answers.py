"""What a caller may see of a verdict, and what the node notices about it on the way."""

from collections.abc import Iterable

import structlog

from hashsvc import translate_match
from hashsvc.access.probing import Probing
from hashsvc.errors import ProbingSuspected
from hashsvc.matching.disclosure import disclosed
from hashsvc.metrics import Metrics
from hashsvc.model import Fingerprint, Verdict
from hashsvc.rpc import access
from hashsvc.v1 import match_service_pb2 as pb

_log = structlog.get_logger()


class Answers:
    """Writes verdicts for callers. Used on the event loop, within a call."""

    def __init__(self, metrics: Metrics, *, max_near_per_entry: int) -> None:
        self._metrics = metrics
        self._probing = Probing(max_near_per_entry)

    def write(self, asked: Iterable[Fingerprint], verdict: Verdict) -> pb.Verdict:
        """Write what the caller may see of the verdict on what it asked.

        Raises:
            ProbingSuspected: it came near an entry with too many different files.
        """
        if verdict.matches or verdict.exemptions:
            self._notice_canaries(verdict)
            self._notice_contradicted(verdict)
            self._notice_probing(asked, verdict)
            verdict = disclosed(verdict, access.may_see_evidence)
        return translate_match.verdict_to_proto(verdict)

    def write_again(self, verdict: Verdict) -> pb.Verdict:
        """Write more of what was written before: of the same upload, near the same entries."""
        return translate_match.verdict_to_proto(disclosed(verdict, access.may_see_evidence))

    def _notice_canaries(self, verdict: Verdict) -> None:
        """Tell of a match with what stands for no media: its value was taken from a list."""
        for match in verdict.matches + verdict.exemptions:
            if match.canary_of:
                by = access.caller().partner
                access.note(canary_of=match.canary_of, entry=match.entry)
                self._metrics.canary_met(match.list_name, match.canary_of)
                _log.warning("canary met", entry=match.entry, canary_of=match.canary_of, by=by)

    def _notice_contradicted(self, verdict: Verdict) -> None:
        """Count them: many at once are an attack on people whose pictures are flagged by it."""
        for match in verdict.matches + verdict.exemptions:
            if match.contradicted:
                self._metrics.match_contradicted(match.list_name)

    def _notice_probing(self, asked: Iterable[Fingerprint], verdict: Verdict) -> None:
        self.notice_near(asked, [match.entry for match in verdict.matches if not match.is_exact])

    def notice_near(self, asked: Iterable[Fingerprint], entries: Iterable[str]) -> None:
        """Count what was asked as near these entries, where the caller may not see how near.

        Raises:
            ProbingSuspected: it came near one of them with too many different files.
        """
        partner = access.caller().partner
        values = [fingerprint.value for fingerprint in asked]
        for entry in entries:
            if access.may_see_evidence(entry.partition("#")[0]):
                continue
            wait_s, is_first = self._probing.note(partner, entry, values)
            if is_first:
                self._metrics.probing_suspected(partner)
                _log.warning("probing suspected", partner=partner, entry=entry)
            if wait_s:
                raise ProbingSuspected(
                    "too many different files near one known entry within an hour",
                    retry_after_s=wait_s,
                )
