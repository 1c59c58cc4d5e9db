"""Prometheus metrics. Nothing runs on the hot path: a scrape reads the plain counters that the engine keeps anyway.

Names are documented in docs/metrics.md; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from holdfast_sidecar.actors.host import Host
from holdfast_sidecar.telemetry.measured import MeasuredStore


class SidecarCollector(Collector):
    def __init__(self, host: Host, store: MeasuredStore, *, version: str) -> None:
        self._host = host
        self._store = store
        self._version = version

    def collect(self) -> Iterator[Metric]:
        yield self._info()
        yield from self._counters()
        yield from self._gauges()
        yield from self._store_metrics()

    def _info(self) -> Metric:
        family = GaugeMetricFamily("holdfast_info", "Always 1; the label says which release runs.", labels=["version"])
        family.add_metric([self._version], 1)
        return family

    def _counters(self) -> Iterator[Metric]:
        counters, committer = self._host.counters, self._host.committer
        values = {
            "holdfast_turns": ("Turns of workflows that were closed.", counters.turns),
            "holdfast_ends": ("Instances that reached an end.", counters.ends),
            "holdfast_activations": ("Instances that were brought into memory.", counters.loads),
            "holdfast_partitions_lost": ("Partitions that a higher epoch took away.", counters.fenced),
            "holdfast_commits": ("Commits that were handed to the store.", committer.commits),
            "holdfast_commit_groups": ("Writes to the store, each with one or more commits.", committer.groups),
        }
        for name, (text, value) in values.items():
            yield CounterMetricFamily(name, text, value=value)

    def _gauges(self) -> Iterator[Metric]:
        host, pool = self._host, self._host.pool
        values = {
            "holdfast_workers": ("Workers that are connected.", len(pool.workers)),
            "holdfast_partitions_owned": ("Partitions that this sidecar owns.", len(host.owned)),
            "holdfast_instances_in_memory": ("Instances that are in memory.", host.actors),
            "holdfast_instances_stalled": ("Stalled instances that this sidecar knows of.", len(host.stalled)),
            "holdfast_reminders_in_memory": ("Reminders that are due soon.", len(host.reminders)),
            "holdfast_commits_queued": ("Commits that wait for the store.", host.committer.depth),
        }
        for name, (text, value) in values.items():
            yield GaugeMetricFamily(name, text, value=value)
        queued = GaugeMetricFamily("holdfast_work_queued", "Work that waits for a free worker.", labels=["kind"])
        running = GaugeMetricFamily("holdfast_work_running", "Work that is at a worker.", labels=["kind"])
        queued.add_metric(["turn"], pool.queued_turns)
        queued.add_metric(["activity"], pool.queued_activities)
        running.add_metric(["turn"], pool.running_turns)
        running.add_metric(["activity"], pool.running_activities)
        yield from (queued, running)

    def _store_metrics(self) -> Iterator[Metric]:
        store = self._store
        yield CounterMetricFamily("holdfast_store_failures", "Writes and loads that failed.", value=store.failures)
        for name, text, histogram in (
            ("holdfast_store_commit_seconds", "Duration of one write to the store.", store.commit_seconds),
            ("holdfast_store_load_seconds", "Duration of one load from the store.", store.load_seconds),
        ):
            yield HistogramMetricFamily(name, text, buckets=histogram.buckets(), sum_value=histogram.sum)


class Metrics:
    """The registry of one sidecar: several in one process do not meet."""

    def __init__(self, host: Host, store: MeasuredStore, *, version: str) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(SidecarCollector(host, store, version=version))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def text(self) -> bytes:
        return generate_latest(self._registry)
