"""The `durabletask` package as it comes, with the settings it has by itself; only its log is turned down."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.metadata import version
from typing import Any

from bench.clients import EVENT, MARKS

# Not installed where the types are checked, or without types.
_grpc: Any = import_module("grpc")
_client: Any = import_module("durabletask.client")
_task: Any = import_module("durabletask.task")
_worker: Any = import_module("durabletask.worker")

VERSION = f"durabletask {version('durabletask')}"
WAIT_S = 600.0
Workflow = Generator[Any, Any, object]


def nothing(_: object, value: object) -> object:
    MARKS.saw(value)
    return value


def hello(ctx: Any, steps: int) -> Workflow:
    for step in range(steps):
        yield ctx.call_activity(nothing, input=step)
    return steps


def fan(ctx: Any, width: int) -> Workflow:
    results = yield _task.when_all([ctx.call_activity(nothing, input=number) for number in range(width)])
    return len(results)


def waits(ctx: Any, value: object) -> Workflow:
    yield ctx.wait_for_external_event(EVENT)
    return value


def grown(ctx: Any, shape: list[int]) -> Workflow:
    width, steps = shape
    yield _task.when_all([ctx.call_activity(nothing, input=number) for number in range(width)])
    yield ctx.wait_for_external_event(EVENT)
    for step in range(steps):
        yield ctx.call_activity(nothing, input=step)
    return steps


def ends(_: Any, value: object) -> object:
    return value


@asynccontextmanager
async def serving(address: str) -> AsyncGenerator[None]:
    worker = _worker.TaskHubGrpcWorker(host_address=address, logger=_quiet())
    for workflow in (hello, fan, waits, grown, ends):
        worker.add_orchestrator(workflow)
    worker.add_activity(nothing)
    worker.start()
    try:
        yield
    finally:
        await asyncio.to_thread(worker.stop)


@asynccontextmanager
async def calling(address: str) -> AsyncGenerator[DurableTaskCaller]:
    async with _client.AsyncTaskHubGrpcClient(host_address=address, logger=_quiet()) as client:
        yield DurableTaskCaller(client)


class DurableTaskCaller:
    def __init__(self, client: Any) -> None:
        self._client = client

    async def start(self, workflow: str, value: object, instance_id: str) -> None:
        try:
            await self._client.schedule_new_orchestration(workflow, input=value, instance_id=instance_id)
        except _grpc.RpcError as error:
            if error.code() is not _grpc.StatusCode.ALREADY_EXISTS:
                raise

    async def wait(self, instance_id: str) -> object:
        state = await self._client.wait_for_orchestration_completion(instance_id, timeout=WAIT_S)
        if state is None or state.runtime_status.name != "COMPLETED":
            raise RuntimeError(f"instance {instance_id}: expected it to complete, found {state}")
        return json.loads(state.serialized_output)

    async def run(self, workflow: str, value: object, instance_id: str) -> object:
        await self.start(workflow, value, instance_id)
        return await self.wait(instance_id)

    async def raise_event(self, instance_id: str) -> None:
        await self._client.raise_orchestration_event(instance_id, EVENT)


def _quiet() -> logging.Logger:
    logger = logging.getLogger("bench.durabletask")
    logger.setLevel(logging.ERROR)
    return logger
