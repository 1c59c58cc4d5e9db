"""The gRPC services over a real engine in memory, behind a real server, called with plain bytes.

async with a_world() as world:
    await world.call("StartInstance", message)     one unary call of the Durable Task service
    await world.refused("GetInstance", message)    its status and text, when it must be refused
    worker = await world.worker(request)           a work item stream
    item = await worker.turn()                     what came on it
    world.clock.skip(30)                           half a minute is over
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias, TypeVar

import grpc
from google.protobuf.message import Message

from holdfast_kit.clock import NANOS, Handle, SystemClock
from holdfast_kit.ids import SystemIds
from holdfast_proto.codec import decode_event
from holdfast_proto.durabletask import microsoft_pb2 as pb
from holdfast_proto.history import HistoryEvent, Status
from holdfast_sidecar.actors.engine import Engine
from holdfast_sidecar.actors.host import Host
from holdfast_sidecar.actors.local import LocalRouter
from holdfast_sidecar.api import grpc_server
from holdfast_sidecar.api.durabletask.service import DurableTaskService
from holdfast_sidecar.api.native.client_service import ClientService
from holdfast_sidecar.api.native.service import WorkerService
from holdfast_sidecar.core.limits import DEFAULT_LIMITS, Limits
from holdfast_sidecar.core.state import Stored
from holdfast_sidecar.stores.faults import FaultyStore, Script
from holdfast_sidecar.stores.memory import MemoryStore

PARTITIONS = 4
NAMESPACE = "shop"
DEADLINE = 20.0
_STEP = 0.002
UNLIMITED = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))

M = TypeVar("M", bound=Message)
Metadata: TypeAlias = Sequence[tuple[str, str]]


class SkipClock(SystemClock):
    """The machine's clock, and a test may skip time: what falls due on the way runs at once, in order."""

    def __init__(self) -> None:
        self._skipped = 0.0
        self._stopped_at: float | None = None
        self._waiting: dict[int, tuple[float, Callable[[], object], Handle]] = {}
        self._number = 0

    def now_ns(self) -> int:
        return super().now_ns() + round(self._skipped * NANOS)

    def monotonic(self) -> float:
        return (super().monotonic() if self._stopped_at is None else self._stopped_at) + self._skipped

    def stop(self) -> None:
        """What it measures from here on takes only the time that is skipped."""
        self._stopped_at = super().monotonic()

    def call_later(self, delay: float, fn: Callable[[], object]) -> Handle:
        self._number += 1
        number, due = self._number, self.monotonic() + delay
        self._waiting[number] = (due, fn, super().call_later(delay, lambda: self._run(number)))
        return _Waiting(self, number)

    def skip(self, seconds: float) -> None:
        self._skipped += seconds
        now = self.monotonic()
        for number in sorted((n for n, entry in self._waiting.items() if entry[0] <= now), key=self._due):
            self._run(number)

    def cancel(self, number: int) -> None:
        entry = self._waiting.pop(number, None)
        if entry is not None:
            entry[2].cancel()

    def _due(self, number: int) -> float:
        return self._waiting[number][0]

    def _run(self, number: int) -> None:
        entry = self._waiting.pop(number, None)
        if entry is not None:
            entry[2].cancel()
            entry[1]()


class _Waiting:
    def __init__(self, clock: SkipClock, number: int) -> None:
        self._clock = clock
        self._number = number

    def cancel(self) -> None:
        self._clock.cancel(self._number)


class Stream:
    """One work item stream, as a client has it."""

    def __init__(self, call: grpc.aio.UnaryStreamCall[bytes, bytes], world: World) -> None:
        self._call = call
        self._world = world

    async def frame(self) -> bytes | None:
        """The next frame; None when the sidecar has ended the stream."""
        try:
            async with asyncio.timeout(DEADLINE):
                read = await self._call.read()
        except grpc.aio.AioRpcError:
            return None
        return read if isinstance(read, bytes) else None

    async def item(self, kind: type[M]) -> M:
        frame = await self.frame()
        assert frame is not None, "the stream has ended"
        return kind.FromString(frame)

    async def turn(self) -> pb.WorkItem:
        item = await self.item(pb.WorkItem)
        assert item.HasField("orchestrator_request"), item
        return item

    async def activity(self) -> pb.WorkItem:
        item = await self.item(pb.WorkItem)
        assert item.HasField("activity_request"), item
        return item

    async def hang_up(self) -> None:
        """The client goes away, and the sidecar has noticed."""
        before = len(self._world.host.pool.workers)
        self._call.cancel()
        await until(lambda: len(self._world.host.pool.workers) < before)

    @property
    def is_over(self) -> bool:
        return self._call.done()

    async def code(self) -> grpc.StatusCode:
        async with asyncio.timeout(DEADLINE):
            return await self._call.code()

    async def details(self) -> str:
        return await self._call.details() or ""


class World:
    def __init__(self, host: Host, store: FaultyStore, clock: SkipClock, channel: grpc.aio.Channel) -> None:
        self.host = host
        self.store = store
        self.clock = clock
        self.channel = channel
        self.durabletask: DurableTaskService
        self.workers: WorkerService
        self.clients: ClientService

    # -- the Durable Task service ----------------------------------------------------------------------------------

    async def call(self, method: str, message: Message | bytes = b"", *, metadata: Metadata = ()) -> bytes:
        data = message if isinstance(message, bytes) else message.SerializeToString()
        unary: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self.channel.unary_unary(
            f"/TaskHubSidecarService/{method}", None, None
        )
        return await unary(data, timeout=DEADLINE, metadata=metadata)

    async def tried(self, method: str, message: Message | bytes = b"") -> tuple[grpc.StatusCode, str]:
        try:
            await self.call(method, message)
        except grpc.aio.AioRpcError as error:
            return error.code(), error.details() or ""
        return grpc.StatusCode.OK, ""

    async def refused(self, method: str, message: Message | bytes = b"") -> tuple[grpc.StatusCode, str]:
        code, text = await self.tried(method, message)
        assert code is not grpc.StatusCode.OK, f"{method} was answered"
        return code, text

    async def worker(self, request: Message | bytes = b"", *, metadata: Metadata = ()) -> Stream:
        """Connected: what is offered from here on goes to it."""
        before = len(self.host.pool.workers)
        stream = self.stream("GetWorkItems", request, metadata=metadata)
        await until(lambda: len(self.host.pool.workers) > before)
        return stream

    def stream(self, method: str, request: Message | bytes = b"", *, metadata: Metadata = ()) -> Stream:
        data = request if isinstance(request, bytes) else request.SerializeToString()
        unary_stream: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = self.channel.unary_stream(
            f"/TaskHubSidecarService/{method}", None, None
        )
        return Stream(unary_stream(data, metadata=metadata), self)

    async def start(self, instance_id: str = "i", name: str = "order", text: str | None = None) -> None:
        request = pb.CreateInstanceRequest(instance_id=instance_id, name=name)
        if text is not None:
            request.input.value = text
        await self.call("StartInstance", request)

    async def state(self, instance_id: str = "i") -> pb.OrchestrationState:
        found = await self.found("GetInstance", instance_id)
        assert found.exists, f"no instance {instance_id}"
        return found.orchestration_state

    async def found(self, method: str, instance_id: str = "i") -> pb.GetInstanceResponse:
        request = pb.GetInstanceRequest(instance_id=instance_id, get_inputs_and_outputs=True)
        return pb.GetInstanceResponse.FromString(await self.call(method, request))

    async def answer(self, item: pb.WorkItem, *actions: pb.OrchestratorAction, token: bool = True) -> None:
        response = turn_answer(item, *actions)
        if not token:
            response.completion_token = ""
        await self.call("CompleteOrchestratorTask", response)

    # -- what is behind it -----------------------------------------------------------------------------------------

    async def stored(self, instance_id: str = "i") -> Stored | None:
        return (await self.store.load([(self.host.partition_of(instance_id), instance_id)]))[0]

    async def facts(self, instance_id: str = "i") -> list[HistoryEvent]:
        stored = await self.stored(instance_id)
        return [] if stored is None else [decode_event(row) for row in stored.history]

    async def snapshot(self) -> list[Stored | None]:
        """Everything that is stored: to see that nothing has changed."""
        inner = self.store.inner
        assert isinstance(inner, MemoryStore)
        return [await self.stored(instance_id) for instance_id in sorted(inner.memory.cells)]


def turn_answer(item: pb.WorkItem, *actions: pb.OrchestratorAction) -> pb.OrchestratorResponse:
    return pb.OrchestratorResponse(
        instance_id=item.orchestrator_request.instance_id, completion_token=item.completion_token, actions=actions
    )


def activity_answer(item: pb.WorkItem, result: str = '"done"') -> pb.ActivityResponse:
    request = item.activity_request
    response = pb.ActivityResponse(
        instance_id=request.orchestration_instance.instance_id,
        task_id=request.task_id,
        completion_token=item.completion_token,
    )
    response.result.value = result
    return response


def schedule(seq: int, name: str = "charge", *, version: str = "") -> pb.OrchestratorAction:
    action = pb.OrchestratorAction(id=seq)
    action.schedule_task.name = name
    if version:
        action.schedule_task.version.value = version
    return action


def complete(seq: int = 99, result: str = '"ok"') -> pb.OrchestratorAction:
    action = pb.OrchestratorAction(id=seq)
    action.complete_orchestration.orchestration_status = Status.COMPLETED
    action.complete_orchestration.result.value = result
    return action


async def until(condition: Callable[[], bool]) -> None:
    async def holds() -> bool:
        return condition()

    await eventually(holds)


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    """Other tasks and threads run on; when the deadline is over the test fails."""
    for _ in range(round(DEADLINE / _STEP)):
        if await condition():
            return
        await asyncio.sleep(_STEP)
    raise AssertionError(f"not so within {DEADLINE} seconds")


@asynccontextmanager
async def a_world(*, limits: Limits = DEFAULT_LIMITS, hello_timeout: float = DEADLINE) -> AsyncGenerator[World]:
    clock = SkipClock()
    store = FaultyStore(MemoryStore(), plan=Script({}), clock=clock)
    await store.open(namespace=NAMESPACE, partitions=PARTITIONS)
    host = Host(store=store, clock=clock, ids=SystemIds(), partitions=PARTITIONS, limits=limits)
    router = host.router = LocalRouter(host)
    engine = Engine(
        router=router,
        store=store,
        clock=clock,
        ids=host.ids,
        limits=limits,
        partition_of=host.partition_of,
        check_room=host.check_room,
    )
    async with asyncio.TaskGroup() as group:
        others = asyncio.all_tasks()
        await host.run(group)
        loops = asyncio.all_tasks() - others
        await host.acquire(range(PARTITIONS), 1)
        async with _served(host, engine, store, clock, hello_timeout) as world:
            yield world
        router.stop()
        for loop in loops:
            loop.cancel()


@asynccontextmanager
async def _served(
    host: Host, engine: Engine, store: FaultyStore, clock: SkipClock, hello_timeout: float
) -> AsyncGenerator[World]:
    async with grpc_server.bound(address="127.0.0.1", port=0, clock=SystemClock()) as port:
        durabletask = DurableTaskService(host, engine)
        workers = WorkerService(host, namespace=NAMESPACE, host_id="a", version="1.2.3", hello_timeout=hello_timeout)
        clients = ClientService(engine, namespace=NAMESPACE)
        await port.start([durabletask, workers, clients])
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port.number}", options=UNLIMITED) as channel:
            world = World(host, store, clock, channel)
            world.durabletask, world.workers, world.clients = durabletask, workers, clients
            yield world
