"""What operators see of a node over HTTP, as Prometheus reads it: counts and times, never a value.

| metric | says |
|---|---|
| `hashsvc_call_seconds` | histogram of calls by `method` and `status`, streams in whole |
| `hashsvc_check_stage_seconds` | of `Check` by `stage`: read request, match, write verdict |
| `hashsvc_index_lag_records` | records in the log that searches may not see yet |
| `hashsvc_index_position` | the log position that searches see |
| `hashsvc_index_saved_position` | the log position that the next start goes on from |
| `hashsvc_index_fingerprints`, `hashsvc_index_bytes` | by `algorithm` |
| `hashsvc_probing_total` | times a partner came near one entry with too many files, by `partner` |
| `hashsvc_canaries_met_total` | checks that met a canary, by `list` and `canary_of` |
| `hashsvc_contradicted_total` | matches by a hash that local features contradict, by `list` |
| `hashsvc_follow_records` | records of a list of another node that are applied, by `list` |
| `hashsvc_follow_behind_records` | records that the source has beyond those |
| `hashsvc_follow_live` | 1 while a list is followed live |
| `hashsvc_follow_refused_total` | times that what came of a list did not verify, by `list` |
| `hashsvc_ready` | 1 while calls are let in |
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Thread
from typing import Protocol
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Histogram, Summary, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from hashsvc.errors import ConfigError
from hashsvc.model_sync import Alarm, FollowState, FollowStatus

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0)


class IndexState(Protocol):
    """What is told of the index."""

    @property
    def position(self) -> int:
        """The log position that every search sees."""

    @property
    def saved_position(self) -> int:
        """The log position that the files on disk hold."""

    def sizes(self) -> Mapping[str, tuple[int, int]]:
        """By algorithm: fingerprints that can match, and bytes of memory and mapped files."""


class Metrics:
    """The metrics of one node. Safe to use from many threads."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._calls = Histogram(
            "hashsvc_call_seconds",
            "Time of calls",
            ("method", "status"),
            buckets=_SECONDS,
            registry=self._registry,
        )
        stages = Summary(
            "hashsvc_check_stage_seconds",
            "Time of the stages of checks",
            ("stage",),
            registry=self._registry,
        )
        self._stages = [stages.labels(stage) for stage in ("read", "match", "write")]
        self._probing = Counter(
            "hashsvc_probing",
            "Partners that came near one entry with too many files",
            ("partner",),
            registry=self._registry,
        )
        self._canaries = Counter(
            "hashsvc_canaries_met",
            "Checks that met a canary",
            ("list", "canary_of"),
            registry=self._registry,
        )
        self._contradicted = Counter(
            "hashsvc_contradicted",
            "Matches by a hash of the whole that local features contradict",
            ("list",),
            registry=self._registry,
        )
        self._refused = Counter(
            "hashsvc_follow_refused",
            "Lists whose log did not verify",
            ("list",),
            registry=self._registry,
        )
        self._server: tuple[WSGIServer, Thread] | None = None

    def call_ended(self, method: str, status: str, seconds: float) -> None:
        """Count a call."""
        self._calls.labels(method, status).observe(seconds)

    def probing_suspected(self, partner: str) -> None:
        """Count a partner that seems to probe."""
        self._probing.labels(partner).inc()

    def canary_met(self, list_name: str, partner: str) -> None:
        """Count a check that met a canary of a partner."""
        self._canaries.labels(list_name, partner).inc()

    def match_contradicted(self, list_name: str) -> None:
        """Count a match with an entry of a list that local features contradict."""
        self._contradicted.labels(list_name).inc()

    def list_refused(self, alarm: Alarm) -> None:
        """Count a list whose log did not verify."""
        self._refused.labels(alarm.list_name).inc()

    def checked(self, *moments: float) -> None:
        """Count a check by the moments, in seconds, between its stages, start and end included."""
        for stage, begin, end in zip(self._stages, moments, moments[1:], strict=False):
            stage.observe(end - begin)

    def watch(
        self,
        index: IndexState,
        log_size: Callable[[], int],
        is_ready: Callable[[], bool],
        followed: Callable[[], Sequence[FollowStatus]],
    ) -> None:
        """Tell of the index, the log, readiness and what is followed whenever somebody asks."""
        self._registry.register(_Watched(index, log_size, is_ready, followed))

    def serve(self, listen: str) -> str:
        """Answer HTTP on HOST:PORT, port 0 for any free one; return the URL.

        Raises:
            ConfigError: the port cannot be opened.
        """
        host, _, port = listen.rpartition(":")
        try:
            self._server = start_http_server(int(port), host.strip("[]"), self._registry)
        except OSError as error:
            raise ConfigError(f"metrics: cannot listen on {listen}: {error.strerror}") from None
        return f"http://{host}:{self._server[0].server_port}/metrics"

    def close(self) -> None:
        """Close the port. Safe to repeat."""
        if self._server is not None:
            server, thread = self._server
            self._server = None
            server.shutdown()
            server.server_close()
            thread.join()


class _Watched(Collector):
    """Gauges that are read when they are asked for."""

    def __init__(
        self,
        index: IndexState,
        log_size: Callable[[], int],
        is_ready: Callable[[], bool],
        followed: Callable[[], Sequence[FollowStatus]],
    ) -> None:
        self._index, self._log_size, self._is_ready = index, log_size, is_ready
        self._followed = followed

    def describe(self) -> Iterable[Metric]:
        """Nothing: a registry that knew the names beforehand would have to ask the database."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Read all."""
        # The index first: what is committed in between counts as lag, never below zero.
        position = self._index.position
        numbers = {
            "hashsvc_index_lag_records": (
                "Records that searches may not see yet",
                self._log_size() - position,
            ),
            "hashsvc_index_position": ("Log position that searches see", position),
            "hashsvc_index_saved_position": (
                "Log position that the next start goes on from",
                self._index.saved_position,
            ),
            "hashsvc_ready": ("Whether calls are let in", int(self._is_ready())),
        }
        for name, (text, value) in numbers.items():
            yield GaugeMetricFamily(name, text, value=value)
        count = GaugeMetricFamily(
            "hashsvc_index_fingerprints", "Fingerprints that can match", labels=("algorithm",)
        )
        size = GaugeMetricFamily("hashsvc_index_bytes", "Size of indexes", labels=("algorithm",))
        for algorithm, (keys, nbytes) in self._index.sizes().items():
            count.add_metric((algorithm,), keys)
            size.add_metric((algorithm,), nbytes)
        yield count
        yield size
        yield from self._following()

    def _following(self) -> Iterable[Metric]:
        found = [(one.subscription.list_name, one) for one in self._followed()]
        values: dict[str, tuple[str, dict[str, float]]] = {
            "records": (
                "Records of a followed list that are applied",
                {name: one.size for name, one in found},
            ),
            "behind_records": (
                "Records that the source has beyond those",
                {name: one.behind for name, one in found},
            ),
            "live": (
                "Whether a list is followed live",
                {name: one.state is FollowState.LIVE for name, one in found},
            ),
        }
        for what, (text, by_list) in values.items():
            gauge = GaugeMetricFamily(f"hashsvc_follow_{what}", text, labels=("list",))
            for name, value in by_list.items():
                gauge.add_metric((name,), value)
            yield gauge
