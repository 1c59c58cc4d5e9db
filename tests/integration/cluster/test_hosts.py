"""Sidecars that are killed, stand still, leave politely, come and lose their workers, under a load of every kind."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.integration.cluster.processes import PARTITIONS
from tests.integration.cluster.scene import LEASE_S, Cluster
from tests.support.procs import wait_until

SLACK_S = 4.0  # for two cores that eight processes and other people share


def test_killed_sidecars_lose_nothing_and_the_others_go_on(tmp_path: Path) -> None:
    with Cluster(tmp_path) as cluster:
        cluster.begin()
        one, *others = cluster.hosts[2], *cluster.hosts[:2]
        for _ in range(2):
            time.sleep(1.0)
            with cluster.disturbing("sidecar"):
                one.process.kill()
                cluster.wait_owned(*others, timeout=LEASE_S + 1.0 + SLACK_S)
                one.start()
                cluster.wait_owned()
        assert cluster.verdict() == []


def test_the_sidecar_that_clients_use_is_killed_and_what_it_acknowledged_is_there(tmp_path: Path) -> None:
    with Cluster(tmp_path) as cluster:
        cluster.begin()
        for _ in range(2):
            time.sleep(1.5)
            with cluster.disturbing("sidecar"):
                cluster.hosts[0].process.kill()
                time.sleep(LEASE_S)
                cluster.hosts[0].start()
                cluster.wait_owned()
        assert cluster.verdict() == []


def test_a_sidecar_that_leaves_hands_over_and_no_client_sees_it(tmp_path: Path) -> None:
    with Cluster(tmp_path) as cluster:
        cluster.begin()
        for one in cluster.hosts[1:]:
            time.sleep(1.0)
            others = [host for host in cluster.hosts if host is not one]
            assert one.process.terminate() == 0
            cluster.wait_owned(*others)
            [left] = one.logged("left the cluster")
            assert (left["handed_over"], left["said_goodbye"]) == (True, True)
            one.start()
            cluster.wait_owned()
        assert cluster.verdict() == []
        assert "; 0 requests had to be repeated" in cluster.client.output()


@pytest.mark.parametrize("store", ["redis", "postgres"])
def test_a_sidecar_that_stood_still_beyond_its_lease_writes_nothing_more(store: str, tmp_path: Path) -> None:
    with Cluster(tmp_path, store=store, span_s=8.0, instances=102) as cluster:
        cluster.begin()
        attempts = 0
        for one in cluster.hosts[1:]:
            time.sleep(1.5)
            others = [host for host in cluster.hosts if host is not one]
            with cluster.disturbing("zombie"):
                one.process.pause()
                cluster.wait_owned(*others, timeout=LEASE_S + 1.0 + SLACK_S)
                one.process.resume()
                cluster.wait_owned()
            attempts += one.lost
        problems = cluster.verdict(allowed=["expected a heartbeat, heard nothing"])
        print(f"partitions lost by refused commits: {attempts}")
        assert problems == []


def test_a_fourth_sidecar_takes_its_share_and_nothing_fails(tmp_path: Path) -> None:
    with Cluster(tmp_path) as cluster:
        cluster.begin()
        before = cluster.shares()
        assert max(before.values()) <= 1.1 * PARTITIONS / 3 + 1
        fourth = cluster.add_host()
        cluster.wait_owned()
        assert fourth.owned == cluster.shares()[fourth.name] <= 0.3 * PARTITIONS
        assert sum(cluster.shares()[name] for name in before) == PARTITIONS - fourth.owned
        assert cluster.verdict() == []
        assert "; 0 requests had to be repeated" in cluster.client.output()


def test_a_sidecar_whose_worker_has_gone_gives_up_its_partitions_and_serves_its_clients_on(tmp_path: Path) -> None:
    with Cluster(tmp_path, span_s=12.0) as cluster:
        cluster.begin()
        time.sleep(1.0)
        with cluster.disturbing("worker"):
            cluster.apps[0].close()
            wait_until(lambda: cluster.hosts[0].owned == 0, "no partition left without a worker")
            cluster.wait_owned(*cluster.hosts[1:])
            cluster.complete_more()  # at the one without a worker, too
            cluster.apps[0].start()
            cluster.wait_owned()
        assert cluster.verdict() == []
        assert "; 0 requests had to be repeated" in cluster.client.output()
