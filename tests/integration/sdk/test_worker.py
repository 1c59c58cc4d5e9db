"""A worker's life: coming, being refused, draining, and what it says meanwhile."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

import holdfast
from holdfast import Client, Context, Worker, WorkerRefused, current_activity
from tests.integration.running.sidecars import Running, run_holdfast
from tests.integration.sdk.app import LIMIT, App
from tests.integration.sdk.shop import works, works_in_thread
from tests.integration.sdk.test_crashes import Shop
from tests.support.ports import free_port


@holdfast.activity
async def nod() -> str:
    return "yes"


@holdfast.workflow
async def asks(ctx: Context) -> str:
    return await ctx.call(nod)


# -- coming ------------------------------------------------------------------------------------------------------------


async def test_a_worker_without_a_sidecar_says_so_once_and_comes_when_one_does(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "holdfast.worker")
    sidecar = Running(tmp_path)
    sidecar.child.kill()
    address = f"127.0.0.1:{sidecar.grpc_port}"
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5), Worker(asks, nod, address=address):
            raise AssertionError("connected to nothing")
    assert next(record.getMessage() for record in caplog.records) == (
        f"no sidecar at {address} (connection refused), trying again; is `holdfast dev` running?"
    )
    assert len(caplog.records) <= 2
    async with asyncio.timeout(LIMIT), asyncio.TaskGroup() as group:
        worker = Worker(asks, nod, address=address)
        running = group.create_task(worker.run())
        sidecar.start()
        async with Client(address) as client:
            assert await client.run(asks) == "yes"
        worker.stop()
        await running
    sidecar.child.kill()


async def test_stopping_a_worker_that_finds_no_sidecar_ends_it_at_once() -> None:
    worker = Worker(asks, nod, address=f"127.0.0.1:{free_port()}")
    async with asyncio.timeout(LIMIT), asyncio.TaskGroup() as group:
        running = group.create_task(worker.run())
        await asyncio.sleep(0.05)
        worker.stop()
        await running


async def test_a_worker_has_one_life(plain: App) -> None:
    worker = plain.serving(asks, nod)
    async with worker:
        pass
    with pytest.raises(holdfast.HoldfastError, match="make a new one"):
        await worker.run()


async def test_a_worker_of_another_namespace_is_refused_with_both_names(address: str) -> None:
    with pytest.raises(WorkerRefused, match="wants namespace 'moon', this sidecar serves 'default'") as caught:
        async with Worker(asks, nod, address=address, namespace="moon"):
            raise AssertionError("welcome to the moon")
    assert caught.value.code == "NamespaceUnknown"


async def test_a_client_of_another_namespace_is_refused_with_both_names(address: str) -> None:
    async with Client(address, namespace="moon") as client:
        for _ in range(2):
            with pytest.raises(holdfast.CallRefused, match="namespace 'moon': this sidecar serves 'default'"):
                await client.get("x")


async def test_without_the_token_nobody_gets_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Running(tmp_path, env={"HOLDFAST_API_TOKEN": "s3cret"}) as sidecar:
        address = f"127.0.0.1:{sidecar.grpc_port}"
        for token in ("", "wrong"):
            with pytest.raises(WorkerRefused, match="expected the sidecar's API token"):
                async with Worker(asks, nod, address=address, token=token):
                    raise AssertionError("got in")
            async with Client(address, token=token) as client:
                with pytest.raises(holdfast.CallRefused, match="expected the sidecar's API token"):
                    await client.get("x")
        async with Client(address, token="s3cret") as client, Worker(asks, nod, address=address, token="s3cret"):
            assert await client.run(asks) == "yes"
        monkeypatch.setenv("HOLDFAST_API_TOKEN", "s3cret")
        monkeypatch.setenv("HOLDFAST_ADDRESS", address)
        async with Client() as client, Worker(asks, nod):
            assert await client.run(asks) == "yes"


async def test_what_answers_but_is_no_sidecar_is_told_apart(sidecar: Running) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1), Worker(asks, nod, address=f"127.0.0.1:{sidecar.http_port}"):
            raise AssertionError("an HTTP server cannot welcome anybody")


async def test_a_worker_shows_that_it_lives(plain: App, tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    async with plain.serving(asks, nod, liveness_file=alive):
        await plain.client.run(asks)
        assert time.time() - alive.stat().st_mtime < LIMIT


@pytest.mark.parametrize("option", ["turn_slots", "activity_slots", "threads"])
def test_a_worker_without_room_is_refused(option: str) -> None:
    options: dict[str, Any] = {option: 0}
    with pytest.raises(ValueError, match=rf"Worker\({option}\): expected at least 1, found 0"):
        Worker(asks, **options)


# -- going -------------------------------------------------------------------------------------------------------------


class Gate:
    def __init__(self) -> None:
        self.entered, self.opened = asyncio.Event(), asyncio.Event()
        self.cancelled = 0

    @holdfast.activity
    async def pass_through(self) -> str:
        self.entered.set()
        try:
            await self.opened.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return f"passed at try {current_activity().attempt}"


@holdfast.workflow
async def through(ctx: Context) -> str:
    return await ctx.call(Gate.pass_through)


async def test_a_stopped_worker_lets_its_activities_end(plain: App) -> None:
    gate = Gate()
    async with asyncio.TaskGroup() as group:
        async with plain.serving(through, gate, drain_limit=LIMIT) as worker:
            handle = await plain.client.start(through)
            await gate.entered.wait()
            worker.stop()
            group.create_task(open_soon(gate))
        assert worker.left_behind == 0
        instance = await handle.get()
    async with plain.serving(through):  # to decide the last turn, if the first worker was gone by then
        assert await handle.result() == "passed at try 1"
    assert instance.history_length >= 3


async def open_soon(gate: Gate) -> None:
    await asyncio.sleep(0.05)
    gate.opened.set()


async def test_what_does_not_end_within_the_limit_is_left_to_another_worker(plain: App) -> None:
    gate = Gate()
    async with plain.serving(through, gate, drain_limit=0.1) as worker:
        handle = await plain.client.start(through)
        await gate.entered.wait()
    assert worker.left_behind == 1
    assert gate.cancelled == 1
    gate.opened.set()
    async with plain.serving(through, gate):
        assert await handle.result() == "passed at try 2"


async def test_sigterm_drains_a_worker_process_and_ends_it_with_0(tmp_path: Path, address: str, plain: App) -> None:
    alive = tmp_path / "alive"
    shop = Shop(tmp_path, address, "--liveness-file", str(alive))
    handle = await plain.client.start(works, 0.5)
    await shop.noted("begin 0.5")
    assert alive.exists()
    assert await asyncio.to_thread(shop.child.terminate) == 0
    assert shop.notes() == ["begin 0.5", "end 0.5"]
    shop.start().wait_line("connected to")
    assert await handle.result() == "worked"
    assert shop.notes() == ["begin 0.5", "end 0.5"]
    assert await asyncio.to_thread(shop.child.terminate) == 0


async def test_a_thread_that_does_not_end_does_not_keep_the_process(tmp_path: Path, address: str, plain: App) -> None:
    shop = Shop(tmp_path, address, "--drain-limit", "0.2", target="tests.integration.sdk.shop:app")
    handle = await plain.client.start(works_in_thread, 3_600.0)
    await shop.noted("begin 3600.0")
    assert await asyncio.to_thread(shop.child.terminate) == 3
    assert "1 activities still run after" in shop.child.output()
    await handle.terminate()


async def test_a_second_signal_ends_a_worker_process_at_once(tmp_path: Path, address: str, plain: App) -> None:
    shop = Shop(tmp_path, address)
    handle = await plain.client.start(works, 3_600.0)
    await shop.noted("begin 3600.0")
    shop.child.signal(signal.SIGTERM)
    shop.child.wait_line("stopping")
    shop.child.signal(signal.SIGTERM)
    assert await asyncio.to_thread(shop.child.wait_exit) == 128 + signal.SIGTERM
    await handle.terminate()


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop_app.py").write_text(
        "import holdfast\n"
        "@holdfast.workflow\nasync def hello(ctx: holdfast.Context) -> str:\n    return 'hello'\n"
        "def plain(x: int) -> int: ...\n"
        "def make(): return [hello]\n"
        "worker = holdfast.Worker(hello)\n"
    )
    (tmp_path / "shop_broken.py").write_text("import not_there_at_all\n")
    (tmp_path / "shop_empty.py").write_text("x = 1\n")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["shop_ap"], "module 'shop_ap': expected in "),
        (["shop_app.py"], "'shop_app.py': expected the name of a module, found a file; say shop_app"),
        (["shop_app:"], "expected module or module:attribute"),
        (["shop_app:helo"], "module 'shop_app' has no 'helo'; did you mean hello?"),
        (["shop_app:plain"], "found the function plain(x: int) -> int; decorate it"),
        (["shop_broken"], "importing it failed with ModuleNotFoundError: No module named 'not_there_at_all'"),
        (["shop_empty"], "expected workflows or activities in this module, found none"),
        (["shop_empty:x"], "1: expected a workflow, an activity, an object with activities or a module"),
        (["shop_app:worker", "--slots", "3"], "is a worker with settings of its own"),
        (["shop_app", "--slots", "0"], "Worker(activity_slots): expected at least 1, found 0"),
        (["shop_app", "--address", "nowhere"], "address 'nowhere': expected host:port"),
    ],
)
def test_a_worker_that_cannot_start_says_what_to_do(folder: Path, arguments: list[str], text: str) -> None:
    ended = run_holdfast("worker", *arguments, "--app-dir", folder)
    assert text in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("holdfast worker: ") or "Traceback" in ended.stderr
    assert ended.returncode == 2


@pytest.mark.parametrize("target", ["shop_app", "shop_app:hello", "shop_app:make"])
async def test_a_module_or_what_stands_in_it_is_served(folder: Path, address: str, client: Client, target: str) -> None:
    shop = Shop(folder, address, "--app-dir", str(folder), "--name", f"of {target}", target=target)
    assert await client.run("hello") == "hello"
    assert "serving 1 workflows and 0 activities" in shop.child.output()
    assert await asyncio.to_thread(shop.child.terminate) == 0


async def test_a_refused_worker_process_ends_with_1(folder: Path, address: str) -> None:
    shop = Shop(folder, address, "--app-dir", str(folder), "--namespace", "moon", target="shop_app")
    assert await asyncio.to_thread(shop.child.wait_exit) == 1
    assert "wants namespace 'moon'" in shop.child.output()


def test_the_working_directory_is_where_modules_are_found(folder: Path) -> None:
    before = Path.cwd()
    os.chdir(folder)
    try:
        ended = run_holdfast("worker", "shop_ap")
    finally:
        os.chdir(before)
    assert "did you mean shop_app?" in ended.stderr
    assert ended.returncode == 2
