"""A sidecar put together in this process: it starts, says where, drains and ends."""

import asyncio
import sys
from pathlib import Path

import pytest

from holdfast_kit.clock import SystemClock
from holdfast_kit.rpc.call import Methods
from holdfast_kit.serve import ExitCode, Lifetime, run
from holdfast_proto.actions import CompleteWorkflow
from holdfast_proto.history import Status
from holdfast_sidecar.actors.ports import TurnTask
from holdfast_sidecar.compose import CLOSING, Sidecar, drain, make_store
from holdfast_sidecar.config import load_config
from holdfast_sidecar.core.turn import TurnResult
from holdfast_sidecar.startup import Unstartable
from tests.unit.sidecar.http.world import SmallWorker, World, a_world

ANY_PORTS: dict[str, object] = {"grpc_port": 0, "http_port": 0, "partitions": 8, "store": "memory:"}


class SlowWorker(SmallWorker):
    """Keeps its turn until it is told to answer."""

    def __init__(self, world: World) -> None:
        super().__init__(world.host.pool)
        self.world = world
        self.held = list[TurnTask]()

    def push_turn(self, task: TurnTask) -> None:
        self.held.append(task)

    def answer(self) -> None:
        task = self.world.host.pool.take_turn(self.held.pop().token)
        assert task is not None
        task.on_done(task, TurnResult(actions=[CompleteWorkflow(seq=0, status=Status.COMPLETED, result='"done"')]))


class Goodbyes:
    """A service that counts how often it was told to end its streams."""

    def __init__(self, worker: SlowWorker) -> None:
        self.worker = worker
        self.turns_left = list[int]()

    def methods(self) -> Methods:
        raise AssertionError("nobody serves this one")

    def drain(self) -> None:
        self.turns_left.append(len(self.worker.held))


async def test_draining_waits_for_the_turn_at_a_worker_and_keeps_its_result() -> None:
    async with a_world(has_worker=False) as world:
        worker = SlowWorker(world)
        world.host.pool.connect(worker)
        await world.call("POST", "/api/v1/instances", body='{"name": "echo", "id": "slow"}')
        goodbyes = Goodbyes(worker)
        async with asyncio.TaskGroup() as group:
            group.create_task(drain(world.host, [goodbyes], SystemClock(), limit=20))
            await world.call("POST", "/api/v1/instances", body='{"name": "echo", "id": "late"}')
            worker.answer()
        assert goodbyes.turns_left == [0]
        assert (await world.call("GET", "/api/v1/instances/slow"))[1]["output"] == "done"
        assert (await world.call("GET", "/api/v1/instances/late"))[1]["status"] == "PENDING"
        status, body, headers = await world.call("POST", "/api/v1/instances", body='{"name": "echo"}')
        assert (status, body["errorCode"], headers["Retry-After"]) == (503, "NotOwner", "1")


async def test_draining_gives_up_at_the_limit() -> None:
    async with a_world(has_worker=False) as world:
        worker = SlowWorker(world)
        world.host.pool.connect(worker)
        await world.call("POST", "/api/v1/instances", body='{"name": "echo", "id": "stuck"}')
        goodbyes = Goodbyes(worker)
        async with asyncio.timeout(20):
            await drain(world.host, [goodbyes], SystemClock(), limit=0.05)
        assert goodbyes.turns_left == [1]
        assert world.host.owned == frozenset()


async def test_it_starts_says_where_and_ends_when_asked() -> None:
    lifetime = Lifetime()
    seen = list[tuple[int, int]]()

    def ready() -> None:
        seen.append(sidecar.ports)
        lifetime.stop("the test")

    sidecar = Sidecar(load_config(ANY_PORTS), on_ready=ready)
    async with asyncio.timeout(20):
        await run(sidecar.run, lifetime=lifetime, drain_limit=CLOSING)
    assert lifetime.exit_code == ExitCode.OK
    assert all(port > 0 for port in seen[0])


async def test_what_keeps_it_from_starting_is_exit_code_2_and_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    config = load_config({**ANY_PORTS, "store": "", "data_dir": str(tmp_path / "file")})
    lifetime = Lifetime()
    async with asyncio.timeout(20):
        await run(Sidecar(config).run, lifetime=lifetime, drain_limit=CLOSING)
    assert lifetime.exit_code == ExitCode.MISUSED
    (line,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert line.startswith("cannot start: store sqlite")


async def test_who_lacks_a_package_touches_no_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """He could never serve what he would take from the one who does."""
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    config = load_config({**ANY_PORTS, "store": "", "data_dir": str(tmp_path / "data")})
    lifetime = Lifetime()
    async with asyncio.timeout(20):
        await run(Sidecar(config).run, lifetime=lifetime, drain_limit=CLOSING)
    assert lifetime.exit_code == ExitCode.MISUSED
    assert not (tmp_path / "data").exists()


def test_the_database_has_a_name_of_its_own() -> None:
    with pytest.raises(Unstartable, match=r"expected a file called holdfast\.db, found 'my\.db'"):
        make_store(load_config({"store": "sqlite:///my.db"}))
