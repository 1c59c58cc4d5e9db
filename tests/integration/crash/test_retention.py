"""Ended instances go when their time is over, whoever was killed meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path

from holdfast.client import Client
from tests.integration.crash.grounds import SqliteGround
from tests.integration.crash.processes import App, Sidecar
from tests.support.procs import wait_until
from tests.support.workload import Sum, family

INSTANCES = 40


async def test_ended_instances_are_purged_in_time_although_the_sidecar_was_killed(tmp_path: Path) -> None:
    sidecar = Sidecar(tmp_path, env={"HOLDFAST_RETENTION_ANY_TERMINAL": "2s"})
    ground = SqliteGround(sidecar.data_dir)
    sidecar.start()
    await asyncio.to_thread(sidecar.wait_ready)
    app = App(tmp_path, sidecar.address)
    try:
        async with Client(sidecar.address) as client:
            started = [await client.start(family, Sum(number, 2, 1)) for number in range(INSTANCES)]
            for handle in started:
                await handle.wait()
            assert len(ground.residue()) >= INSTANCES
            sidecar.process.kill()
            sidecar.start()
            await asyncio.to_thread(wait_until, lambda: ground.residue() == [], "nothing being left")
    finally:
        app.close()
        sidecar.close()
