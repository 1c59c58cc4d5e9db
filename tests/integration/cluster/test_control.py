"""What stands behind the sidecars fails: placement, etcd, the store; and all of them are restarted one by one.

No test asks how long something takes: each waits for what must come, and looks at what must not have happened. Leases
are long where nobody may be lost, so that a busy machine makes nobody silent.
"""

from __future__ import annotations

from pathlib import Path

from tests.integration.cluster.processes import PARTITIONS, Member
from tests.integration.cluster.scene import PATIENT_LEASE_S, Cluster
from tests.support.procs import wait_until

DEADLINE_S = 90.0


def _wait_alone(host: Member) -> None:
    """It has not heard of placement for a lease, and goes on all the same."""

    def goes_on_alone() -> bool:
        turns = [str(entry["message"]) for entry in host.logged("turns ")]
        return bool(host.logged("no word from placement for a lease")) and turns[-1] == "turns go on"

    wait_until(goes_on_alone, f"{host.name} going on alone", timeout=DEADLINE_S)


def _wait_missing_store(host: Member) -> None:
    """It looks for what is due, whatever else it has to do."""
    message = "reminders could not be read"
    before = len(host.logged(message))
    wait_until(lambda: len(host.logged(message)) > before, f"{host.name} missing the store", timeout=DEADLINE_S)


def test_the_leader_of_placement_is_killed_and_nobody_notices_but_who_joins(tmp_path: Path) -> None:
    with Cluster(tmp_path, placements=3, span_s=5.0, lease_s=PATIENT_LEASE_S) as cluster:
        cluster.begin()
        cluster.wait_busy()
        with cluster.disturbing("leader"):
            leader = cluster.placement.leader()
            leader.child.kill()
            cluster.complete_more()
            cluster.add_host()
            cluster.wait_owned()
            leader.restart()
            leader.wait_ready()
        assert cluster.verdict() == []
        assert "; 0 requests had to be repeated" in cluster.client.output()


def test_placement_and_etcd_are_away_and_running_workflows_go_on(tmp_path: Path) -> None:
    with Cluster(tmp_path, placements=2, span_s=10.0, lease_s=PATIENT_LEASE_S) as cluster:
        cluster.begin()
        cluster.wait_busy()
        with cluster.disturbing("control"):
            for replica in cluster.placement.all:
                replica.child.kill()
            cluster.etcd.kill()
            for host in cluster.hosts:
                _wait_alone(host)
            cluster.complete_more()
            assert sum(host.owned for host in cluster.hosts) == PARTITIONS
            cluster.etcd.start()
            for replica in cluster.placement.all:
                replica.restart()
                replica.wait_ready()
            wait_until(lambda: len(cluster.shares()) == 3, "all hosts members again", timeout=DEADLINE_S)
            cluster.wait_owned()
            cluster.complete_more()
        assert cluster.verdict() == []
        assert "; 0 requests had to be repeated" in cluster.client.output()


def test_one_member_of_etcd_dies_and_sidecars_can_come_and_go(tmp_path: Path) -> None:
    with Cluster(tmp_path, etcds=3, span_s=4.0) as cluster:
        cluster.begin()
        with cluster.disturbing("sidecar"):
            cluster.etcd.kill(0)
            cluster.hosts[2].process.kill()
            cluster.wait_owned(*cluster.hosts[:2])
            cluster.hosts[2].start()
            cluster.wait_owned()
            cluster.complete_more()
        assert cluster.verdict() == []


def test_the_store_restarts_and_nothing_that_was_acknowledged_is_lost(tmp_path: Path) -> None:
    with Cluster(tmp_path, span_s=5.0, lease_s=PATIENT_LEASE_S) as cluster:
        cluster.begin()
        for _ in range(2):
            cluster.wait_busy()
            with cluster.disturbing("store"):
                cluster.ground.kill_server()
                for host in cluster.hosts:
                    _wait_missing_store(host)
                cluster.ground.start_server()
                cluster.complete_more()
        assert cluster.verdict() == []


def test_everything_is_restarted_one_by_one(tmp_path: Path) -> None:
    with Cluster(tmp_path, placements=2, etcds=3, span_s=12.0) as cluster:
        cluster.begin()
        with cluster.disturbing("restart"):
            for member in range(3):
                cluster.etcd.restart(member)
            for replica in cluster.placement.all:
                assert replica.child.terminate(timeout=DEADLINE_S) == 0
                replica.restart()
                replica.wait_ready()
            for host in cluster.hosts:
                assert host.process.terminate(timeout=DEADLINE_S) == 0
                host.start()
                cluster.wait_owned()
            cluster.complete_more()
        assert cluster.verdict() == []
