"""The conversation with placement, against servers that behave badly."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from typing import cast

import grpc
import pytest

from holdfast_kit.clock import SystemClock
from holdfast_kit.ids import SystemIds
from holdfast_placement.table import AppKey
from holdfast_proto.v1 import placement_pb2 as pb
from holdfast_sidecar.cluster.placement_stream import METHOD, Channel, Me, PlacementStream
from tests.support.ports import free_port

_ME = Me(app=AppKey("default", "app"), host_id="a", incarnation="1", address="127.0.0.1:1", partitions=8)
_LEASE_MS = 300
_END = pb.ToHost()


class Placement:
    """Welcomes whoever comes. Silent, it says nothing more; else it answers heartbeats. A refusal takes their place."""

    def __init__(self, *, is_silent: bool = False, refusal: str = "") -> None:
        self.address = ""
        self.is_silent = is_silent
        self.refusal = refusal
        self.welcomed = asyncio.Event()
        self.refused_often = asyncio.Event()
        self.may_welcome = asyncio.Event()
        self.may_welcome.set()
        self.heard: asyncio.Queue[pb.FromHost] = asyncio.Queue()
        self._refused = 0

    async def connect(self, requests: AsyncIterator[pb.FromHost], context: object) -> AsyncIterator[pb.ToHost]:
        self.heard.put_nowait(await anext(requests))
        if self.refusal:
            self._refused += 1
            if self._refused == 3:
                self.refused_often.set()
            yield pb.ToHost(refusal=pb.Refusal(text=self.refusal, retry_after_ms=10))
            return
        acks: asyncio.Queue[pb.ToHost] = asyncio.Queue()
        reading = asyncio.create_task(self._read(requests, acks))
        reading.add_done_callback(lambda _: acks.put_nowait(_END))
        await self.may_welcome.wait()
        yield pb.ToHost(welcome=pb.Welcome(replica_id="p", lease_ms=_LEASE_MS, heartbeat_ms=_LEASE_MS // 3))
        self.welcomed.set()
        while (ack := await acks.get()) is not _END:
            yield ack

    async def _read(self, requests: AsyncIterator[pb.FromHost], acks: asyncio.Queue[pb.ToHost]) -> None:
        async for request in requests:
            self.heard.put_nowait(request)
            if request.HasField("heartbeat") and not self.is_silent:
                acks.put_nowait(pb.ToHost(heartbeat_ack=pb.HeartbeatAck(seq=request.heartbeat.seq)))

    async def start(self, stack: AsyncExitStack) -> None:
        server = grpc.aio.server()
        handler: grpc.RpcMethodHandler[pb.FromHost, pb.ToHost] = grpc.stream_stream_rpc_method_handler(
            self.connect, pb.FromHost.FromString, pb.ToHost.SerializeToString
        )
        service, _, method = METHOD.removeprefix("/").partition("/")
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
        port = free_port()
        server.add_insecure_port(f"127.0.0.1:{port}")
        self.address = f"127.0.0.1:{port}"
        await server.start()
        stack.push_async_callback(server.stop, None)


class Talking:
    """A stream to these replicas, for as long as the context is open."""

    def __init__(self, addresses: Sequence[str], *, channel: Channel = grpc.aio.insecure_channel) -> None:
        self.trusts: list[bool] = []
        self.stream = PlacementStream(
            _ME,
            addresses=addresses,
            channel=channel,
            clock=SystemClock(),
            ids=SystemIds(),
            on_table=lambda _: None,
            on_trust=self.trusts.append,
        )

    async def __aenter__(self) -> Talking:
        self._group = asyncio.TaskGroup()
        await self._group.__aenter__()
        self._task = self._group.create_task(self.stream.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert not self._task.done(), "the stream is kept for ever"
        self._task.cancel()
        await self._group.__aexit__(None, None, None)


async def test_a_replica_that_falls_silent_is_left_for_another() -> None:
    silent, good = Placement(is_silent=True), Placement()
    async with AsyncExitStack() as stack, asyncio.timeout(20):
        await silent.start(stack)
        await good.start(stack)
        await stack.enter_async_context(Talking([silent.address, good.address]))
        await silent.welcomed.wait()
        await good.welcomed.wait()


async def test_the_only_replica_falls_silent_and_is_asked_again() -> None:
    silent = Placement(is_silent=True)
    async with AsyncExitStack() as stack, asyncio.timeout(20):
        await silent.start(stack)
        await stack.enter_async_context(Talking([silent.address]))
        for _ in range(3):
            await silent.welcomed.wait()
            silent.welcomed.clear()


async def test_no_beat_goes_out_before_the_welcome_has_named_its_pace() -> None:
    replica = Placement()
    replica.may_welcome.clear()
    async with AsyncExitStack() as stack, asyncio.timeout(20):
        await replica.start(stack)
        await stack.enter_async_context(Talking([replica.address]))
        assert (await replica.heard.get()).HasField("hello")
        with pytest.raises(TimeoutError):  # the next would be paced by a guess, longer than a short lease
            async with asyncio.timeout(0.2):
                await replica.heard.get()
        replica.may_welcome.set()
        while not (await replica.heard.get()).HasField("heartbeat"):
            pass


async def test_a_worker_that_goes_before_the_welcome_is_not_counted_on() -> None:
    replica = Placement()
    replica.may_welcome.clear()
    async with AsyncExitStack() as stack, asyncio.timeout(20):
        await replica.start(stack)
        talking = Talking([replica.address])
        talking.stream.serve(wanted=True)
        await stack.enter_async_context(talking)
        assert (await replica.heard.get()).hello.serving
        talking.stream.serve(wanted=False)
        replica.may_welcome.set()
        while not (await replica.heard.get()).HasField("leaving"):
            pass


async def test_each_refusal_is_told_once_however_often_it_comes(caplog: pytest.LogCaptureFixture) -> None:
    one, two = Placement(refusal="id taken, says one"), Placement(refusal="id taken, says two")
    async with AsyncExitStack() as stack, asyncio.timeout(20):
        await one.start(stack)
        await two.start(stack)
        with caplog.at_level(logging.INFO):
            await stack.enter_async_context(Talking([one.address, two.address]))
            await two.refused_often.wait()
    said = [record.__dict__["reason"] for record in caplog.records if record.msg == "placement refused this host"]
    assert sorted(said) == ["id taken, says one", "id taken, says two"]


async def test_replicas_that_are_away_are_told_of_once_each(caplog: pytest.LogCaptureFixture) -> None:
    gone = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    async with AsyncExitStack() as stack, asyncio.timeout(20):
        late = Placement()
        with caplog.at_level(logging.INFO):
            await late.start(stack)
            await stack.enter_async_context(Talking([*gone, *gone, *gone, late.address]))
            await late.welcomed.wait()
    said = [record.__dict__["address"] for record in caplog.records if record.msg == "placement is away"]
    assert said == gone


class FailingWhenCancelled:
    """A channel and its call, as gRPC shows them when the connection fails at the moment at which we are to end."""

    def __init__(self) -> None:
        self.is_reading = asyncio.Event()

    async def __aenter__(self) -> FailingWhenCancelled:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    def stream_stream(self, *_: object, **__: object) -> Callable[[], FailingWhenCancelled]:
        return lambda: self

    async def write(self, message: pb.FromHost) -> None: ...

    def cancel(self) -> None: ...

    def __aiter__(self) -> FailingWhenCancelled:
        return self

    async def __anext__(self) -> pb.ToHost:
        self.is_reading.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            nothing = grpc.aio.Metadata()
            raise grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, nothing, nothing) from None
        raise StopAsyncIteration


async def test_a_host_that_ends_while_the_connection_fails_does_end() -> None:
    failing = FailingWhenCancelled()
    async with asyncio.timeout(20), Talking(["nowhere:1"], channel=lambda _: cast("grpc.aio.Channel", failing)):
        await failing.is_reading.wait()
