"""What stands behind the sidecars fails: placement, etcd, the store; and all of them are restarted one by one."""

from __future__ import annotations

import time
from pathlib import Path

from tests.integration.cluster.processes import PARTITIONS
from tests.integration.cluster.scene import LEASE_S, Cluster
from tests.support.procs import wait_until


def _is_at_work(cluster: Cluster, seconds: float) -> bool:
    before = sum(host.commits for host in cluster.hosts)
    time.sleep(seconds)
    return sum(host.commits for host in cluster.hosts) > before


def test_the_leader_of_placement_is_killed_and_nobody_notices_but_who_joins(tmp_path: Path) -> None:
    with Cluster(tmp_path, placements=3, span_s=5.0) as cluster:
        cluster.begin()
        time.sleep(1.0)
        with cluster.disturbing("leader"):
            leader = cluster.placement.leader()
            leader.child.kill()
            assert _is_at_work(cluster, 1.0)
            cluster.add_host()
            cluster.wait_owned()
            leader.restart()
            leader.wait_ready()
        assert cluster.verdict() == []
        assert "; 0 requests had to be repeated" in cluster.client.output()


def test_placement_and_etcd_are_away_and_running_workflows_go_on(tmp_path: Path) -> None:
    with Cluster(tmp_path, placements=2, span_s=10.0) as cluster:
        cluster.begin()
        time.sleep(1.0)
        with cluster.disturbing("control"):
            for replica in cluster.placement.all:
                replica.child.kill()
            cluster.etcd.kill()
            time.sleep(LEASE_S)  # a host that knows no better waits for the others to say the same
            for _ in range(3):
                assert _is_at_work(cluster, LEASE_S)
            assert sum(host.owned for host in cluster.hosts) == PARTITIONS
            cluster.etcd.start()
            for replica in cluster.placement.all:
                replica.restart()
                replica.wait_ready()
            wait_until(lambda: len(cluster.shares()) == 3, "all hosts members again")
            cluster.wait_owned()
        assert cluster.verdict() == []
        assert "; 0 requests had to be repeated" in cluster.client.output()


def test_one_member_of_etcd_dies_and_sidecars_can_come_and_go(tmp_path: Path) -> None:
    with Cluster(tmp_path, etcds=3, span_s=4.0) as cluster:
        cluster.begin()
        cluster.etcd.kill(0)
        with cluster.disturbing("sidecar"):
            cluster.hosts[2].process.kill()
            cluster.wait_owned(*cluster.hosts[:2])
            cluster.hosts[2].start()
            cluster.wait_owned()
        assert cluster.verdict() == []


def test_the_store_restarts_and_nothing_that_was_acknowledged_is_lost(tmp_path: Path) -> None:
    with Cluster(tmp_path, span_s=5.0) as cluster:
        cluster.begin()
        for _ in range(2):
            time.sleep(1.0)
            with cluster.disturbing("store"):
                cluster.ground.kill_server()
                time.sleep(0.5)
                cluster.ground.start_server()
                wait_until(lambda: _is_at_work(cluster, 0.5), "commits after the store is back")
        assert cluster.verdict() == []


def test_everything_is_restarted_one_by_one(tmp_path: Path) -> None:
    with Cluster(tmp_path, placements=2, etcds=3, span_s=12.0) as cluster:
        cluster.begin()
        with cluster.disturbing("restart"):
            for member in range(3):
                cluster.etcd.restart(member)
            for replica in cluster.placement.all:
                assert replica.child.terminate() == 0
                replica.restart()
                replica.wait_ready()
            for host in cluster.hosts:
                assert host.process.terminate() == 0
                host.start()
                cluster.wait_owned()
        assert cluster.verdict() == []
