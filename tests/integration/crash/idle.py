"""Many instances that wait for an event: what they cost in memory, after a crash, and in a list.

python -m tests.integration.crash.idle [--instances 100000]
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from holdfast._state import Filter
from holdfast.client import Client
from holdfast_proto.history import Status
from tests.integration.crash.processes import App, Sidecar
from tests.support.procs import wait_until
from tests.support.workload import Sum, blend, fan, listener

_BATCH: Final = 500  # started at once
_BURST: Final = 10_000
_MB: Final = 1 << 20


@dataclass(frozen=True)
class Idle:
    instances: int
    starts_per_s: float
    fresh_mb: float  # resident memory of the sidecar that has done nothing yet
    empty_mb: float  # after as wild a burst of instances that have ended: what Python keeps of it for the next one
    full_mb: float  # with all of them waiting
    restarted_mb: float  # of the one that took over after a SIGKILL
    in_memory: int  # instances that the sidecar keeps at rest
    ready_s: float  # from the restart until it answers
    first_s: float  # from the restart until the first new workflow has completed
    page_ms: float  # the first filtered page of a list, median of some

    @property
    def growth_mb(self) -> float:
        return self.full_mb - self.empty_mb

    def __str__(self) -> str:
        return (
            f"{self.instances} idle: {self.growth_mb:+.1f} MB over {self.empty_mb:.1f} MB after a burst of others "
            f"(fresh: {self.fresh_mb:.1f} MB; with all of them after a restart: {self.restarted_mb:.1f} MB), "
            f"{self.in_memory} in memory; "
            f"after SIGKILL ready in {self.ready_s:.2f} s, first new workflow done in {self.first_s:.2f} s; "
            f"first page {self.page_ms:.1f} ms; {self.starts_per_s:.0f} starts/s"
        )


async def measure(folder: Path, *, instances: int) -> Idle:
    sidecar = Sidecar(folder)
    sidecar.start()
    await asyncio.to_thread(sidecar.wait_ready)
    app = App(folder, sidecar.address)
    try:
        async with Client(sidecar.address) as client:
            fresh = _resident(sidecar)
            for _ in range(0, min(_BURST, instances), _BATCH):
                await client.start_many(fan, [Sum(1, 1)] * _BATCH)
            await _rest(sidecar)
            empty = _resident(sidecar)
            began = time.monotonic()
            for first in range(0, instances, _BATCH):
                await client.start_many(listener, [1] * min(_BATCH, instances - first))
            starts_per_s = instances / (time.monotonic() - began)
            await _rest(sidecar)
            full, in_memory = _resident(sidecar), int(sidecar.metric("holdfast_instances_in_memory"))
            sidecar.process.kill()
            ready, first_s = await _restart(sidecar, client)
            await _rest(sidecar)
            page = await _first_page(client, instances)
            restarted = _resident(sidecar)
            await _finish_some(client, instances)
        return Idle(instances, starts_per_s, fresh, empty, full, restarted, in_memory, ready, first_s, page)
    finally:
        app.close()
        sidecar.close()


def _resident(sidecar: Sidecar) -> float:
    rss: int = psutil.Process(sidecar.process.pid).memory_info().rss
    return rss / _MB


async def _rest(sidecar: Sidecar) -> None:
    await asyncio.to_thread(wait_until, lambda: _is_at_rest(sidecar), "all of them waiting", timeout=300)


def _is_at_rest(sidecar: Sidecar) -> bool:
    """Nothing queued, nothing running, and no commit for a while."""
    busy = sidecar.metric('holdfast_work_queued{kind="turn"}') + sidecar.metric('holdfast_work_running{kind="turn"}')
    commits = sidecar.metric("holdfast_commits_total")
    time.sleep(0.5)
    return busy == 0 and commits == sidecar.metric("holdfast_commits_total")


async def _restart(sidecar: Sidecar, client: Client) -> tuple[float, float]:
    """Seconds until it is ready and until the first new workflow has completed; the client is there before it is."""
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(client.run(fan, Sum(3, 1), id="first-one"))
        sidecar.start()
        await asyncio.to_thread(sidecar.wait_ready)
        ready = time.monotonic() - began
        assert await running == blend(3, 0)
    return ready, time.monotonic() - began


async def _first_page(client: Client, instances: int) -> float:
    took = list[float]()
    for _ in range(9):
        began = time.perf_counter()
        page = await client.page(Filter(statuses=[Status.RUNNING], name="listener"), limit=100)
        took.append((time.perf_counter() - began) * 1000)
        assert len(page.instances) == min(100, instances)
    return sorted(took)[len(took) // 2]


async def _finish_some(client: Client, instances: int) -> None:
    """They do wait, and are not lost."""
    page = await client.page(Filter(statuses=[Status.RUNNING], name="listener"), limit=min(20, instances))
    for number, instance in enumerate(page.instances):
        handle = client.handle(instance.id, listener)
        await handle.send("number", number)
        assert await handle.result() == [number]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.integration.crash.idle", description=__doc__)
    parser.add_argument("--instances", type=int, default=100_000)
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="holdfast-idle-") as folder:
        print(asyncio.run(measure(Path(folder), instances=flags.instances)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
