"""The client for code without an event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

import pytest

import holdfast
from holdfast import Context, Filter, Status, SyncClient
from holdfast_proto.history import ActivityScheduled
from tests.integration.sdk.app import App
from tests.integration.sdk.test_client import Parcel, echo, ship, waits, weigh

T = TypeVar("T")


async def beside(script: Callable[[], T]) -> T:
    """In a thread, as a script or a request of a web framework has it."""
    return await asyncio.to_thread(script)


async def test_a_script_runs_workflows_and_steers_them(plain: App, address: str) -> None:
    prefix = f"sync-{datetime.now(UTC).timestamp()}"

    def script() -> None:
        with SyncClient(address) as client:
            assert client.run(ship, Parcel(2), timeout=30) == 22
            assert client.run("echo", [1]) == [1]
            handle = client.start(waits, id=f"{prefix}-1")
            assert handle.started().status is Status.RUNNING
            handle.pause()
            handle.send("answer", "yes")
            assert handle.get().status is Status.SUSPENDED
            handle.resume()
            assert handle.result() == "yes"
            again = handle.restart()
            again.terminate("enough")
            assert again.wait().output == '"enough"'
            assert client.handle(handle.id, waits).result(timeout=30) == "yes"
            assert repr(handle) == f"<instance '{prefix}-1'>"
            assert handle.execution_id

    async with plain.serving(ship, echo, waits, weigh):
        await beside(script)


async def test_a_script_finds_reruns_and_purges(plain: App, address: str) -> None:
    prefix = f"sync-{datetime.now(UTC).timestamp()}"

    def script() -> None:
        with SyncClient(address) as client:
            handles = client.start_many(echo, range(5))
            assert [handle.result() for handle in handles] == [0, 1, 2, 3, 4]
            client.run(echo, 1, id=f"{prefix}-1")
            client.run(echo, 2, id=f"{prefix}-2")
            wanted = Filter(id_prefix=prefix)
            assert [one.id for one in client.list(wanted)] == [f"{prefix}-1", f"{prefix}-2"]
            assert len(client.page(wanted, limit=1).instances) == 1
            assert client.get(f"{prefix}-1").output == "1"
            assert client.handle(f"{prefix}-1").purge() == 1
            assert client.purge(wanted) == 1
            shipped = client.start(ship, Parcel(3))
            shipped.result()
            row = next(row for row, event in enumerate(shipped.history()) if isinstance(event, ActivityScheduled))
            assert shipped.rerun(row).result() == 33
            with pytest.raises(holdfast.WrongState):
                shipped.rewind()

    async with plain.serving(echo, ship, weigh):
        await beside(script)


async def test_one_client_serves_all_threads_and_opens_by_itself(plain: App, address: str) -> None:
    client = SyncClient(address)
    results: list[int] = []

    def one(number: int) -> None:
        results.append(client.run(echo, number))

    def many() -> None:
        threads = [threading.Thread(target=one, args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        client.close()

    async with plain.serving(echo):
        await beside(many)
    assert sorted(results) == list(range(20))
    with pytest.raises(holdfast.SidecarUnavailable, match="this client is closed"):
        client.get("x")


def test_a_timeout_ends_the_waiting_and_not_the_instance(address: str) -> None:
    with SyncClient(address) as client:
        handle = client.start("nobody runs this")
        began = time.monotonic()
        with pytest.raises(TimeoutError, match=r"no answer within 0\.2 s"):
            handle.result(timeout=0.2)
        assert time.monotonic() - began < 10
        assert handle.get().status is Status.PENDING
        handle.terminate()
        with pytest.raises(holdfast.WorkflowCanceled):
            handle.result()


def test_closing_from_another_thread_ends_the_waiting(address: str) -> None:
    client = SyncClient(address)
    handle = client.start("nobody runs this")
    timer = threading.Timer(0.1, client.close)
    timer.start()
    with pytest.raises(holdfast.SidecarUnavailable, match="closed before the answer came"):
        handle.result()
    timer.join()
    with SyncClient(address) as other:
        other.handle(handle.id).terminate()


async def test_in_async_code_it_says_which_client_to_use(address: str) -> None:
    with SyncClient(address) as client:

        async def inside() -> None:
            with pytest.raises(holdfast.HoldfastError, match=r"in async code use holdfast\.Client"):
                client.get("x")

        await asyncio.to_thread(client.call, inside())


@holdfast.workflow
async def typed(ctx: Context, parcel: Parcel) -> Parcel:
    return parcel


async def test_results_are_typed(plain: App, address: str) -> None:
    def script() -> Parcel:
        with SyncClient(address) as client:
            return client.start(typed, Parcel(1, "a")).result()

    async with plain.serving(typed):
        assert await beside(script) == Parcel(1, "a")


def test_a_client_that_was_opened_before_a_fork_says_so_in_the_child(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SyncClient(address) as client, monkeypatch.context() as child:
        child.setattr("os.getpid", lambda: -1)
        with pytest.raises(holdfast.HoldfastError, match="opened before the process forked"):
            client.get("x")
