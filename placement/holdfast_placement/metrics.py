"""`/metrics`: what the replica counts and what it sees, in Prometheus' words."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from holdfast_placement.state import State
from holdfast_placement.stats import Stats

_COUNTERS = (
    ("elections", "times this replica became the leader"),
    ("tables_written", "tables this replica wrote as the leader"),
    ("tables_sent", "tables and differences sent to sidecars"),
    ("table_bytes_sent", "bytes of them"),
    ("heartbeats", "heartbeats heard from sidecars"),
    ("joins", "streams of sidecars that were accepted"),
    ("leaves", "sidecars that said goodbye"),
    ("expired", "sidecars removed after a lease of silence"),
    ("leases_lost", "leases that ran out under a connected sidecar"),
    ("partitions_moved", "partitions that changed their owner"),
)
PREFIX = "holdfast_placement_"


class StatsCollector(Collector):
    """Reads plain numbers when it is asked, so that counting costs nothing."""

    def __init__(self, stats: Stats, state: Callable[[], State]) -> None:
        self._stats = stats
        self._state = state

    def collect(self) -> Iterator[Metric]:
        for name, text in _COUNTERS:
            yield CounterMetricFamily(PREFIX + name, text, value=getattr(self._stats, name))
        refused = CounterMetricFamily(PREFIX + "refused", "sidecars refused, by reason", labels=["code"])
        for code, count in self._stats.refused.items():
            refused.add_metric([code], count)
        yield refused
        yield SummaryMetricFamily(
            PREFIX + "compute_seconds",
            "time to compute a table",
            count_value=self._stats.computes,
            sum_value=self._stats.compute_seconds,
        )
        yield from self._gauges(self._state())

    def _gauges(self, state: State) -> Iterator[Metric]:
        yield GaugeMetricFamily(PREFIX + "is_leader", "1 on the leading replica", value=int(state.is_leader))
        yield GaugeMetricFamily(PREFIX + "hosts_connected", "sidecars connected here", value=state.hosts_connected)
        yield GaugeMetricFamily(PREFIX + "etcd_silence_seconds", "since etcd last answered", value=state.etcd_silence_s)
        yield GaugeMetricFamily(
            PREFIX + "loop_lag_seconds", "how late the event loop was when last looked at", value=state.loop_lag_s
        )
        for name, text, values in (
            ("hosts", "members of the app", {app: len(each.hosts) for app, each in state.apps.items()}),
            ("hosts_serving", "those that take partitions", {app: each.serving for app, each in state.apps.items()}),
            ("table_version", "version of the app's table", {app: each.version for app, each in state.apps.items()}),
        ):
            family = GaugeMetricFamily(PREFIX + name, text, labels=["namespace", "app_id"])
            for app, value in values.items():
                family.add_metric([app.namespace, app.app_id], value)
            yield family


def exposition(collector: Collector) -> Callable[[], bytes]:
    """A function that gives the page's text; its own registry, so that two replicas fit into one process."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return lambda: generate_latest(registry)
