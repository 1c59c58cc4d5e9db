"""The caller's end against our server, and against gRPC's own: what is ours on both sides could be wrong on both."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import grpc
import pytest

from holdfast_kit.clock import Clock, SystemClock, VirtualClock
from holdfast_kit.rpc import frames
from holdfast_kit.rpc.call import Call, ManyToMany
from holdfast_kit.rpc.client import Caller, open_call
from holdfast_kit.rpc.frames import Code, Setting
from holdfast_kit.rpc.server import Server
from holdfast_kit.rpc.status import Aborted, Status
from holdfast_kit.rpc.vigil import PATIENCE, SILENCE

DEADLINE = 20.0
BYTES_MAX = 32 << 20


class Service:
    """What both servers serve: each message twice, but for those that mean something."""

    def __init__(self) -> None:
        self.metadata: dict[str, str] = {}
        self.ended = asyncio.Event()

    async def answers(self, messages: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        try:
            async for message in messages:
                if message == b"stop":
                    return
                if message == b"refuse":
                    raise Aborted(Status.PERMISSION_DENIED, "not you: ü 100 %")
                yield message * 2
        finally:
            self.ended.set()


@asynccontextmanager
async def ours(service: Service) -> AsyncGenerator[int]:
    async def twice(messages: AsyncIterator[bytes], call: Call) -> None:
        service.metadata = dict(call.metadata)
        async for message in service.answers(messages):
            await call.write(message)

    server = Server(SystemClock())
    server.add({"/s/Twice": ManyToMany(twice)})
    listener = socket.create_server(("127.0.0.1", 0))
    await server.start(listener)
    try:
        yield listener.getsockname()[1]
    finally:
        await server.stop(0)


@asynccontextmanager
async def theirs(service: Service) -> AsyncGenerator[int]:
    async def twice(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        service.metadata = dict(context.invocation_metadata())
        try:
            async for message in service.answers(requests):
                yield message
        except Aborted as error:
            code = {each.value[0]: each for each in grpc.StatusCode}[int(error.status)]
            await context.abort(code, error.text)

    server = grpc.aio.server(options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)])
    handler_of: Any = grpc.stream_stream_rpc_method_handler  # without serializers: bytes go as they are
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("s", {"Twice": handler_of(twice)}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(0)


def called(
    port: int, path: str = "/s/Twice", *, clock: Clock | None = None, bytes_max: int = BYTES_MAX
) -> AbstractAsyncContextManager[Caller]:
    return open_call(
        "127.0.0.1", port, path, metadata=(("token", "t"),), clock=clock or SystemClock(), bytes_max=bytes_max
    )


both = pytest.mark.parametrize("serving", [ours, theirs], ids=["ours", "grpcio"])


@both
async def test_messages_of_any_size_go_both_ways_in_order(serving: Any) -> None:
    service = Service()
    sent = [b"", b"a", b"b" * 100_000, b"c" * (9 << 20), *(b"%d" % number for number in range(500))]

    async def write_all(caller: Caller) -> None:
        for message in sent:
            await caller.write(message)
        caller.done_writing()

    async with (
        asyncio.timeout(DEADLINE),
        serving(service) as port,
        called(port) as caller,
        asyncio.TaskGroup() as group,
    ):
        group.create_task(write_all(caller))
        got = list[bytes]()
        while (message := await caller.read()) is not None:
            got.append(message)
    assert got == [message * 2 for message in sent]
    assert service.metadata["token"] == "t"


@both
async def test_what_came_before_the_server_hung_up_is_read_first(serving: Any) -> None:
    async with asyncio.timeout(DEADLINE), serving(Service()) as port, called(port) as caller:
        await caller.write(b"a")
        await caller.write(b"stop")
        assert [await caller.read(), await caller.read(), await caller.read()] == [b"aa", None, None]
        with pytest.raises(Aborted):
            await caller.write(b"too late")


@both
async def test_a_refusal_has_its_status_and_text(serving: Any) -> None:
    async with asyncio.timeout(DEADLINE), serving(Service()) as port, called(port) as caller:
        await caller.write(b"refuse")
        with pytest.raises(Aborted) as caught:
            await caller.read()
    assert (caught.value.status, caught.value.text) == (Status.PERMISSION_DENIED, "not you: ü 100 %")


@both
async def test_a_method_that_is_not_there_is_unimplemented(serving: Any) -> None:
    async with asyncio.timeout(DEADLINE), serving(Service()) as port, called(port, "/s/Nothing") as caller:
        with pytest.raises(Aborted) as caught:
            await caller.read()
    assert caught.value.status is Status.UNIMPLEMENTED


@both
async def test_who_leaves_the_context_hangs_up(serving: Any) -> None:
    service = Service()
    async with asyncio.timeout(DEADLINE), serving(service) as port:
        async with called(port) as caller:
            await caller.write(b"a")
            assert await caller.read() == b"aa"
        with pytest.raises(Aborted):
            await caller.read()
        await service.ended.wait()


async def test_one_who_waits_to_read_hears_of_the_cancellation() -> None:
    async with asyncio.timeout(DEADLINE), ours(Service()) as port, called(port) as caller, asyncio.TaskGroup() as group:
        reading = group.create_task(ended(caller))
        await asyncio.sleep(0)
        caller.cancel()
        assert (await reading).status is Status.CANCELLED
        caller.cancel()


async def test_nobody_there_is_told_by_the_first_read() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with asyncio.timeout(DEADLINE), called(port) as caller:
        await asyncio.sleep(0)
        error = await ended(caller)
    assert (error.status, error.text) == (Status.UNAVAILABLE, "connection refused")


async def test_a_server_that_dies_is_told_to_reader_and_writer() -> None:
    async with asyncio.timeout(DEADLINE), raw(b"") as (port, arrived), called(port) as caller:
        _, writer = await arrived
        writer.transport.abort()
        assert (await ended(caller)).status is Status.UNAVAILABLE
        with pytest.raises(Aborted):
            await caller.write(b"a")


async def test_one_who_waits_for_room_to_write_hears_of_the_end() -> None:
    settings = frames.settings({})
    async with asyncio.timeout(DEADLINE), raw(settings) as (port, arrived), called(port) as caller:
        writing = asyncio.ensure_future(caller.write(b"x" * (9 << 20)))
        _, writer = await arrived
        writer.transport.abort()
        await writing
        with pytest.raises(Aborted):  # the next one is told why
            await caller.write(b"y")


async def test_a_message_above_the_limit_ends_the_call_by_name() -> None:
    async with asyncio.timeout(DEADLINE), ours(Service()) as port, called(port, bytes_max=100) as caller:
        await caller.write(b"x" * 60)
        error = await ended(caller)
    assert error.status is Status.RESOURCE_EXHAUSTED
    assert "expected at most 100" in error.text


@pytest.mark.parametrize(
    ("answer", "status", "text"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Status.INTERNAL, "frame"),
        (frames.settings({}) + frames.reset(1, Code.REFUSED_STREAM), Status.UNAVAILABLE, "reset by the server"),
        (frames.settings({}) + frames.reset(1, 99), Status.INTERNAL, "code 99"),
        (frames.settings({}) + frames.goaway(0, Code.NO_ERROR, ""), Status.UNAVAILABLE, "takes no calls"),
        (frames.settings({}) + frames.frame(frames.DATA, 0, 7, b"x"), Status.INTERNAL, "stream 7"),
    ],
    ids=["http 1", "refused", "unknown code", "going", "nobody's data"],
)
async def test_what_no_good_server_says_ends_the_call(answer: bytes, status: Status, text: str) -> None:
    async with asyncio.timeout(DEADLINE), raw(answer) as (port, _), called(port) as caller:
        error = await ended(caller)
    assert error.status is status
    assert text in error.text


async def test_a_server_that_is_silent_is_asked_and_then_given_up() -> None:
    clock = VirtualClock()
    async with (
        asyncio.timeout(DEADLINE),
        raw(frames.settings({})) as (port, arrived),
        called(port, clock=clock) as caller,
    ):
        reader, _ = await arrived
        await reader.readuntil(frames.frame(frames.SETTINGS, frames.ACK, 0, b""))
        clock.advance(SILENCE)
        assert await reader.readexactly(17) == frames.frame(frames.PING, 0, 0, b"are you?")
        clock.advance(PATIENCE)
        error = await ended(caller)
    assert (error.status, error.text) == (Status.UNAVAILABLE, "the server was silent for 15 s")


async def test_a_beat_is_said_only_on_a_connection_that_is_quiet() -> None:
    beat = frames.frame(frames.PING, 0, 0, b"I am....")
    async with asyncio.timeout(DEADLINE), raw(frames.settings({})) as (port, arrived), called(port) as caller:
        reader, _ = await arrived
        await reader.readuntil(frames.frame(frames.SETTINGS, frames.ACK, 0, b""))
        await asyncio.to_thread(caller.beat)  # something was said since the last one
        await asyncio.to_thread(caller.beat)
        assert await reader.readexactly(len(beat)) == beat
        caller.cancel()
        await asyncio.to_thread(caller.beat)
        assert beat not in await reader.read()


async def test_a_beat_never_falls_into_the_middle_of_what_waits_to_be_sent() -> None:
    wide = frames.settings({Setting.INITIAL_WINDOW_SIZE: 64 << 20}) + frames.window_update(0, 64 << 20)
    async with asyncio.timeout(DEADLINE), raw(wide) as (port, arrived), called(port) as caller:
        reader, _ = await arrived
        await reader.readuntil(frames.frame(frames.SETTINGS, frames.ACK, 0, b""))  # from here on nobody reads
        await caller.write(b"x" * (32 << 20))
        await asyncio.sleep(0)
        await asyncio.to_thread(caller.beat)
        await asyncio.to_thread(caller.beat)
        data = await reader.readexactly(32 << 20)
    assert b"I am...." not in data


async def ended(caller: Caller) -> Aborted:
    try:
        while await caller.read() is not None:
            pass
    except Aborted as error:
        return error
    raise AssertionError("the server has hung up")


Arrived = asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]]


@asynccontextmanager
async def raw(says: bytes) -> AsyncGenerator[tuple[int, Arrived]]:
    """A server of bytes: says this and then nothing."""
    arrived: Arrived = asyncio.get_running_loop().create_future()

    def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(says)
        arrived.set_result((reader, writer))

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], arrived
    finally:
        server.close()
        if arrived.done() and not arrived.cancelled():
            arrived.result()[1].close()
