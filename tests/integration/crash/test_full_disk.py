"""SQLite on a disk that is full: a named error, nothing acknowledged is lost, and it goes on when there is room."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from holdfast.client import Client
from holdfast.errors import LimitReached
from tests.integration.crash.processes import App, Sidecar
from tests.integration.crash.small_disk import DISKS, SmallDisk
from tests.support.workload import hoard, listener

PATIENCE = 60
TEXT = "x" * 60_000


@pytest.fixture(params=DISKS)
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SmallDisk]:
    with DISKS[request.param](tmp_path) as made:
        yield made


@pytest.fixture
async def sidecar(disk: SmallDisk) -> AsyncIterator[Sidecar]:
    running = Sidecar(disk.folder)
    running.start()
    await asyncio.to_thread(running.wait_ready)
    disk.confine(running)
    yield running
    running.close()


@pytest.fixture
async def client(sidecar: Sidecar) -> AsyncIterator[Client]:
    async with Client(sidecar.address) as opened:
        yield opened


async def _fill(client: Client) -> list[str]:
    """Starts until the first one is refused; gives the ids that were acknowledged."""
    started = list[str]()
    with pytest.raises(LimitReached, match="make room") as refused:
        await _start_for_ever(client, started)
    assert refused.value.code == "StorageFull"
    return started


async def _start_for_ever(client: Client, started: list[str]) -> None:
    while True:
        instance_id = f"hoard-{len(started)}"
        await client.start(hoard, TEXT, id=instance_id)
        started.append(instance_id)


async def test_what_was_acknowledged_before_the_disk_was_full_ends_when_there_is_room(
    disk: SmallDisk, sidecar: Sidecar, client: Client, tmp_path: Path
) -> None:
    waiting = await client.start(listener, 1, id="waiting")
    started = await _fill(client)
    assert (await client.get(started[-1])).input == f'"{TEXT}"'
    app = App(tmp_path, sidecar.address)
    try:
        disk.make_room(sidecar)
        async with asyncio.timeout(PATIENCE):
            for instance_id in started:
                assert await client.handle(instance_id, hoard).result() == len(TEXT)
            await waiting.send("number", 7)
            assert await waiting.result() == [7]
            assert await client.run(hoard, TEXT, id="after") == len(TEXT)
    finally:
        app.close()


async def test_a_sidecar_killed_on_a_full_disk_has_lost_nothing(
    disk: SmallDisk, sidecar: Sidecar, client: Client, tmp_path: Path
) -> None:
    started = await _fill(client)
    sidecar.process.signal(signal.SIGKILL)
    sidecar.process.wait_exit()
    disk.make_room(sidecar)
    sidecar.start()
    app = App(tmp_path, sidecar.address)
    try:
        async with asyncio.timeout(PATIENCE):
            for instance_id in started:
                assert await client.handle(instance_id, hoard).result() == len(TEXT)
    finally:
        app.close()


async def test_work_in_progress_goes_on_when_there_is_room(
    disk: SmallDisk, sidecar: Sidecar, client: Client, tmp_path: Path
) -> None:
    app = App(tmp_path, sidecar.address)
    try:
        started = await _fill(client)
        disk.make_room(sidecar)
        async with asyncio.timeout(PATIENCE):
            for instance_id in started:
                assert await client.handle(instance_id, hoard).result() == len(TEXT)
    finally:
        app.close()
