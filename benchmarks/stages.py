"""The server's own account of a check: time by stage, from its Prometheus metrics."""

import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

STAGES = ("read", "match", "write")

_METRIC = "hashsvc_check_stage_seconds"
_TIMEOUT_S = 10


@dataclass(frozen=True, slots=True)
class Stages:
    """Seconds by stage, and how many checks went through it."""

    sums: Mapping[str, float]
    counts: Mapping[str, float]

    def mean_us(self, before: "Stages") -> dict[str, float | None]:
        """Mean microseconds by stage of the checks since an earlier reading, None if none."""
        return {stage: self._mean_us(before, stage) for stage in STAGES}

    def _mean_us(self, before: "Stages", stage: str) -> float | None:
        count = self.counts.get(stage, 0) - before.counts.get(stage, 0)
        spent = self.sums.get(stage, 0) - before.sums.get(stage, 0)
        return spent / count * 1e6 if count else None


def read(url: str) -> Stages:
    """Ask a node at its metrics URL; an empty URL gives nothing."""
    return parse(_get(url)) if url else Stages({}, {})


def parse(text: str) -> Stages:
    """Read the text that Prometheus reads."""
    samples = [
        sample
        for family in text_string_to_metric_families(text)
        if family.name == _METRIC
        for sample in family.samples
    ]
    return Stages(
        {s.labels["stage"]: s.value for s in samples if s.name.endswith("_sum")},
        {s.labels["stage"]: s.value for s in samples if s.name.endswith("_count")},
    )


def _get(url: str) -> str:
    # The node is on this machine: not through a proxy.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=_TIMEOUT_S) as answer:
        return str(answer.read(), "utf-8")
