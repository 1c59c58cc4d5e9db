"""Processes that die in the middle: the sidecar, the worker, both. Nothing is lost, nobody has to be told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

import holdfast
from holdfast import Client, Context, Worker, current_activity
from tests.integration.running.sidecars import Running, clean_env
from tests.integration.sdk.app import LIMIT, until_status
from tests.integration.sdk.shop import hang, trip, works
from tests.support.procs import Child, wait_until


class Shop:
    """A worker process, and the file in which its activities leave their traces."""

    def __init__(self, folder: Path, address: str, *flags: str, target: str = "tests.integration.sdk.shop") -> None:
        self.journal = folder / "journal"
        self._args = ("-m", "holdfast_cli", "worker", target, "--address", address, *flags)
        self._env = clean_env({"JOURNAL": str(self.journal)})
        self._log = folder / "worker.log"
        self.child = self.start()

    def start(self) -> Child:
        self.child = Child.python(*self._args, log=self._log, name="worker", env=self._env)
        return self.child

    def notes(self) -> list[str]:
        return self.journal.read_text(encoding="utf-8").splitlines() if self.journal.exists() else []

    async def noted(self, line: str) -> None:
        await asyncio.to_thread(wait_until, lambda: line in self.notes(), f"{line!r} in the journal")


@pytest.fixture
def own_sidecar(tmp_path: Path) -> Iterator[Running]:
    with Running(tmp_path) as running:
        yield running


@pytest.fixture
def own_address(own_sidecar: Running) -> str:
    return f"127.0.0.1:{own_sidecar.grpc_port}"


@pytest.fixture
def shop(tmp_path: Path, own_address: str) -> Iterator[Shop]:
    shop = Shop(tmp_path, own_address)
    yield shop
    if shop.child.is_running:
        shop.child.kill()


@holdfast.workflow
async def patient(ctx: Context, name: str) -> str:
    ctx.set_status("waiting")
    return f"{name} {await ctx.event('answer', str)}"


async def test_requests_that_are_outstanding_survive_a_killed_sidecar(
    own_sidecar: Running, own_address: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "holdfast")
    async with Client(own_address) as client, Worker(patient, address=own_address), asyncio.TaskGroup() as group:
        handles = [await client.start(patient, f"p{number}") for number in range(20)]
        waiting = [group.create_task(handle.result()) for handle in handles]
        await until_status(handles[0], "waiting")
        own_sidecar.child.kill()
        sending = [group.create_task(handle.send("answer", "back")) for handle in handles]
        late = group.create_task(client.start(patient, "late", id="late"))
        await asyncio.sleep(0.3)  # long enough for attempts that fail
        own_sidecar.start()
        async with asyncio.timeout(LIMIT):
            assert [await result for result in waiting] == [f"p{number} back" for number in range(20)]
            await asyncio.gather(*sending)
            handle = await late
        await handle.send("answer", "too")
        assert await handle.result() == "late too"
    told = [record.getMessage() for record in caplog.records]
    assert any("no sidecar at" in line and "is `holdfast dev` running?" in line for line in told)
    assert any("connected to the sidecar at" in line and "again" in line for line in told)


async def test_an_activity_that_runs_while_the_sidecar_dies_is_not_run_beside_itself(
    own_sidecar: Running, own_address: str
) -> None:
    began, may_end = asyncio.Event(), asyncio.Event()
    runs: list[int] = []

    @holdfast.activity
    async def long_one() -> str:
        runs.append(current_activity().attempt)
        began.set()
        await may_end.wait()
        return "once"

    @holdfast.workflow
    async def lasting(ctx: Context) -> str:
        return await ctx.call(long_one)

    async with Client(own_address) as client, Worker(lasting, long_one, address=own_address) as worker:
        handle = await client.start(lasting)
        await began.wait()
        own_sidecar.child.kill()
        own_sidecar.start()
        own_sidecar.ready()
        async with asyncio.timeout(LIMIT):
            while not worker.is_connected:  # noqa: ASYNC110 - it has no event for coming back
                await asyncio.sleep(0.01)
        may_end.set()
        assert await handle.result() == "once"
    assert len(runs) <= 2  # a second time only if it came back before it was sent again
    assert runs[0] == 1


async def test_a_saga_goes_on_undoing_after_both_sides_were_killed(
    own_sidecar: Running, own_address: str, shop: Shop
) -> None:
    async with Client(own_address) as client:
        handle = await client.start(trip, ["room", "car", "nothing"])
        await until_status(handle, "before car")
        shop.child.kill()
        await handle.send("go on")
        own_sidecar.child.kill()
        own_sidecar.start()
        shop.start()
        await until_status(handle, "before nothing")
        shop.child.kill()
        shop.start()
        await handle.send("go on")
        with pytest.raises(holdfast.WorkflowFailed, match="nothing to book"):
            await handle.result()
    notes = shop.notes()
    assert [line for line in notes if line.startswith("cancel")] == ["cancel car booked", "cancel room booked"]
    assert notes[-3:] == ["book nothing", "cancel car booked", "cancel room booked"]


async def test_what_a_killed_worker_ran_is_run_again_by_the_next(own_address: str, shop: Shop) -> None:
    async with Client(own_address) as client:
        handle = await client.start(hang, "h")
        await shop.noted("hang h")
        shop.child.kill()
        shop.start()
        assert await handle.result() == "h done"
    assert shop.notes() == ["hang h", "hang h"]


async def test_two_workers_share_the_work_and_the_death_of_one_stops_nothing(
    tmp_path: Path, own_address: str, shop: Shop
) -> None:
    other_folder = tmp_path / "other"
    other_folder.mkdir()
    other = Shop(other_folder, own_address, "--cache", "0")
    async with Client(own_address) as client:
        for one in (shop, other):
            one.child.wait_line("connected to")
        handles = [await client.start(works, 0.01 * (number % 5)) for number in range(60)]
        await asyncio.to_thread(wait_until, shop.notes, "work at the first")
        await asyncio.to_thread(wait_until, other.notes, "work at the second")
        other.child.kill()
        assert {await handle.result() for handle in handles} == {"worked"}
