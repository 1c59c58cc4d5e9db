"""The HTTP server over a real engine in memory, with a worker that runs a few small workflows."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request

from holdfast_kit.clock import SystemClock
from holdfast_proto.actions import Action, CompleteWorkflow, CreateTimer, ScheduleActivity
from holdfast_proto.codec import decode_event
from holdfast_proto.history import (
    EventReceived,
    Failure,
    HistoryEvent,
    Status,
    TimerOrigin,
    TurnStarted,
    WorkflowStarted,
)
from holdfast_sidecar.actors.host import Host
from holdfast_sidecar.actors.local import LocalRouter
from holdfast_sidecar.actors.pool import Pool
from holdfast_sidecar.actors.ports import SAVE_AFTER, ActivityTask, CancelReason, TurnTask
from holdfast_sidecar.api.http_health import Health
from holdfast_sidecar.compose import make_engine, make_host, make_http
from holdfast_sidecar.config import Config, load_config
from holdfast_sidecar.core.state import NEVER_AT
from holdfast_sidecar.core.turn import TurnResult
from holdfast_sidecar.stores.memory import MemoryStore
from holdfast_sidecar.telemetry.measured import MeasuredStore

Client = TestClient[Request, Application]
WORKFLOWS = ("echo", "fail", "wait", "busy")


def actions_of(name: str, events: list[HistoryEvent]) -> list[Action]:
    """echo gives its input, fail fails, wait waits for the event "go", busy for an activity that nobody runs."""
    started = next(event for event in events if isinstance(event, WorkflowStarted))
    received = [event for event in events if isinstance(event, EventReceived) and event.name == "go"]
    is_first = sum(isinstance(event, TurnStarted) for event in events) == 1
    match name:
        case "echo":
            return [CompleteWorkflow(seq=0, status=Status.COMPLETED, result=started.input)]
        case "fail":
            failure = Failure(kind="ValueError", message="no", stack="line 1")
            return [CompleteWorkflow(seq=0, status=Status.FAILED, failure=failure)]
        case "wait" if received:
            return [CompleteWorkflow(seq=1, status=Status.COMPLETED, result=received[0].input)]
        case "wait" if is_first:
            return [CreateTimer(seq=0, fire_at=NEVER_AT, origin=TimerOrigin.EVENT_TIMEOUT, origin_name="go")]
        case "busy" if is_first:
            return [ScheduleActivity(seq=0, name="work")]
        case _:
            return []


class SmallWorker:
    """Answers each turn in the loop's next round."""

    id = "small"
    free_turns = 100
    free_activities = 0

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @property
    def patience(self) -> float:
        return SAVE_AFTER

    def takes_turn(self, name: str, label: str | None) -> bool:
        return name in WORKFLOWS

    def takes_activity(self, name: str, version: str | None) -> bool:
        return False

    def push_turn(self, task: TurnTask) -> None:
        asyncio.get_running_loop().call_soon(self._run, task.token)

    def push_activity(self, task: ActivityTask) -> None:
        raise AssertionError("no slots were offered")

    def cancel_activity(self, task: ActivityTask, reason: CancelReason) -> None:
        raise AssertionError("no slots were offered")

    def forget(self, instance_id: str) -> None:
        """Nothing is cached."""

    def _run(self, token: int) -> None:
        task = self._pool.take_turn(token)
        if task is not None:
            events = [decode_event(data) for data in (*task.history[: task.past_count], *task.new)]
            task.on_done(task, TurnResult(actions=actions_of(task.name, events)))


class World:
    def __init__(self, client: Client, host: Host, health: Health, app: Application) -> None:
        self.client = client
        self.host = host
        self.health = health
        self.app = app

    async def call(
        self, method: str, path: str, *, body: object = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any, dict[str, str]]:
        """Status, body (decoded when it is JSON) and headers."""
        data = body if isinstance(body, bytes) or body is None else str(body).encode()
        async with self.client.request(method, path, data=data, headers=headers, allow_redirects=False) as answer:
            is_json = answer.content_type == "application/json"
            found = await answer.json() if is_json else await answer.text()
            return answer.status, found, dict(answer.headers)

    async def start(self, name: str, instance_id: str, text: str = "", *, until: str = "end") -> None:
        """Starts and waits until it has ended, or only its first turn has."""
        path = f"/v1.0/workflows/dapr/{name}/start?instanceID={instance_id}"
        assert (await self.call("POST", path, body=text))[0] == 202
        assert (await self.call("GET", f"/api/v1/instances/{instance_id}/wait?until={until}"))[0] == 200


@asynccontextmanager
async def a_world(*, has_worker: bool = True, **settings: object) -> AsyncGenerator[World]:
    config: Config = load_config({"partitions": 8, "wait_max": "5s", **settings})
    clock = SystemClock()
    store = MeasuredStore(MemoryStore(), clock)
    await store.open(namespace="default", partitions=config.partitions)
    host = make_host(config, store, clock)
    router = host.router = LocalRouter(host)
    app, health = make_http(host, make_engine(host, router), store, config, version="1.2.3")
    async with asyncio.TaskGroup() as group:
        others = asyncio.all_tasks()
        await host.run(group)
        loops = asyncio.all_tasks() - others
        await host.acquire(range(config.partitions), 1)
        if has_worker:
            host.pool.connect(SmallWorker(host.pool))
        async with TestClient(TestServer(app), timeout=aiohttp.ClientTimeout(20)) as client:
            yield World(client, host, health, app)
        for loop in loops:
            loop.cancel()
