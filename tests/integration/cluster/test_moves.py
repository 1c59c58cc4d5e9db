"""What moves on purpose runs nothing twice: activities stay where they are while their instances go elsewhere."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from holdfast.client import Client
from tests.integration.cluster.scene import EXTRA, Cluster
from tests.support.checker import read_executions
from tests.support.procs import wait_until

INSTANCES = 30
SECONDS = [1.5, 1.0, 1.5, 2.0]  # longer than a move takes, shorter than a sidecar that leaves waits


def test_a_sidecar_that_comes_and_one_that_leaves_let_every_activity_run_once(tmp_path: Path) -> None:
    ids = [f"{EXTRA}slow-{number}" for number in range(INSTANCES)]
    with Cluster(tmp_path, instances=17, span_s=2.0) as cluster:
        cluster.begin()
        asyncio.run(_start(cluster, ids))
        wait_until(lambda: len(_runs(cluster, ids)) >= INSTANCES, "all are at their first activity")
        cluster.add_host()
        cluster.wait_owned()
        wait_until(lambda: len(_runs(cluster, ids)) >= 2 * INSTANCES, "some are at their second")
        leaving = cluster.hosts[1]
        assert leaving.process.terminate() == 0
        cluster.wait_owned(cluster.hosts[0], *cluster.hosts[2:])
        [left] = leaving.logged("left the cluster")
        assert left["activities_left"] == 0
        asyncio.run(_wait(cluster, ids))
        assert cluster.verdict() == []
        twice = {run: count for run, count in _runs(cluster, ids).items() if count > 1}
        assert (len(_runs(cluster, ids)), twice) == (INSTANCES * len(SECONDS), {})


def _runs(cluster: Cluster, ids: Sequence[str]) -> Counter[tuple[str, int]]:
    """How often each activity began."""
    journal = cluster.folder / "journal"
    found = read_executions(journal.read_text()) if journal.exists() else []
    return Counter((each.instance_id, each.seq) for each in found if each.instance_id in set(ids))


async def _start(cluster: Cluster, ids: Sequence[str]) -> None:
    async with Client(cluster.hosts[0].address) as client:
        for instance_id in ids:
            await client.start("slow", SECONDS, id=instance_id)


async def _wait(cluster: Cluster, ids: Sequence[str]) -> None:
    async with Client(cluster.hosts[0].address) as client:
        for instance_id in ids:
            assert await client.handle(instance_id).result() == sum(SECONDS)
