"""The server against gRPC's own client: the other end is not ours, so both sides of the protocol are tried."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest

from holdfast_kit.clock import SystemClock, VirtualClock
from holdfast_kit.rpc import frames
from holdfast_kit.rpc.call import Call, ManyToMany, OneToMany, OneToOne, Reply, ToldToOne
from holdfast_kit.rpc.hpack import encode
from holdfast_kit.rpc.messages import framed
from holdfast_kit.rpc.server import LINGER, Server
from holdfast_kit.rpc.status import Aborted, Status
from holdfast_kit.rpc.vigil import PATIENCE, SILENCE

DEADLINE = 20.0


class Service:
    """What the tests call, and what became of the calls."""

    def __init__(self) -> None:
        self.cancelled = asyncio.Event()
        self.begun = asyncio.Event()
        self.metadata: dict[str, str] = {}
        self.kept: Reply | None = None

    async def echo(self, message: bytes, call: Call) -> bytes:
        self.metadata = dict(call.metadata)
        if message == b"refuse":
            raise Aborted(Status.NOT_FOUND, "no such thing: ü 100 %")
        if message == b"fail":
            raise ValueError("secret")
        if message == b"hang":
            await self.hang()
        return message

    def told(self, message: bytes, reply: Reply) -> None:
        self.begun.set()
        if message == b"refuse":
            reply.refuse(Aborted(Status.NOT_FOUND, "no such thing: ü 100 %"))
        elif message == b"fail":
            raise ValueError("secret")
        elif message == b"keep":
            self.kept = reply
        else:
            reply.answer(message)

    async def hang(self) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()

    async def count(self, message: bytes, call: Call) -> None:
        for number in range(int(message)):
            await call.write(b"%d" % number)

    async def silent(self, _: bytes, call: Call) -> None:
        call.begin()
        await self.hang()

    async def twice(self, messages: AsyncIterator[bytes], call: Call) -> None:
        async for message in messages:
            await call.write(message * 2)


@asynccontextmanager
async def serving(
    service: Service, clock: SystemClock | VirtualClock | None = None
) -> AsyncGenerator[tuple[Server, int]]:
    server = Server(clock or SystemClock(), check=lambda shown: "no" if shown.get("token") == "bad" else None)
    server.add({"/s/Echo": OneToOne(service.echo), "/s/Count": OneToMany(service.count)})
    server.add({"/s/Told": ToldToOne(service.told), "/s/Patient": ToldToOne(service.told, can_wait=True)})
    server.add({"/s/Twice": ManyToMany(service.twice), "/s/Silent": OneToMany(service.silent)})
    listener = socket.create_server(("127.0.0.1", 0))
    await server.start(listener)
    try:
        yield server, listener.getsockname()[1]
    finally:
        await server.stop(0)


@asynccontextmanager
async def connected(service: Service) -> AsyncGenerator[grpc.aio.Channel]:
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    async with (
        asyncio.timeout(DEADLINE),
        serving(service) as (_, port),
        grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel,
    ):
        yield channel


def echo(channel: grpc.aio.Channel, path: str = "/s/Echo") -> grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]:
    found: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(path, None, None)
    return found


paths = pytest.mark.parametrize("path", ["/s/Echo", "/s/Told", "/s/Patient"])


@pytest.mark.parametrize("size", [0, 1, 85, 70_000, 9_000_000])
@paths
async def test_a_message_of_any_size_is_answered(size: int, path: str) -> None:
    async with connected(Service()) as channel:
        assert await echo(channel, path)(b"x" * size) == b"x" * size


@paths
async def test_many_calls_at_once_each_get_their_own_answer(path: str) -> None:
    async with connected(Service()) as channel, asyncio.TaskGroup() as group:
        calls = [group.create_task(_call(channel, path, b"%d" % number)) for number in range(300)]
    assert [call.result() for call in calls] == [b"%d" % number for number in range(300)]


async def _call(channel: grpc.aio.Channel, path: str, message: bytes) -> bytes:
    return await echo(channel, path)(message)


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
async def test_compressed_requests_are_read(compression: grpc.Compression) -> None:
    async with connected(Service()) as channel:
        assert await echo(channel)(b"a" * 5000, compression=compression) == b"a" * 5000


async def test_metadata_come_to_the_handler() -> None:
    service = Service()
    async with connected(service) as channel:
        await echo(channel)(b"", metadata=(("some-key", "a value"),))
    assert service.metadata["some-key"] == "a value"


@pytest.mark.parametrize(
    ("message", "code", "text"),
    [
        (b"refuse", grpc.StatusCode.NOT_FOUND, "no such thing: ü 100 %"),
        (b"fail", grpc.StatusCode.UNKNOWN, "ValueError"),
    ],
)
@paths
async def test_a_call_that_fails_says_why(message: bytes, code: grpc.StatusCode, text: str, path: str) -> None:
    async with connected(Service()) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await echo(channel, path)(message)
    assert (failed.value.code(), failed.value.details()) == (code, text)


async def test_an_unknown_method_is_named() -> None:
    async with connected(Service()) as channel:
        other: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/s/Other", None, None)
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await other(b"")
    assert failed.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "/s/Other" in (failed.value.details() or "")


async def test_who_is_not_let_in_hears_it() -> None:
    async with connected(Service()) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await echo(channel)(b"", metadata=(("token", "bad"),))
    assert failed.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_an_answer_that_can_wait_leaves_by_itself_when_nothing_else_does() -> None:
    service = Service()
    async with connected(service) as channel:
        assert await echo(channel, "/s/Patient")(b"hello") == b"hello"


def _patient(stream_id: int) -> bytes:
    """A call, as bytes."""
    head = encode([(":method", "POST"), (":path", "/s/Patient"), ("content-type", "application/grpc")])
    headers = frames.frame(frames.HEADERS, frames.END_HEADERS, stream_id, head)
    return headers + frames.frame(frames.DATA, frames.END_STREAM, stream_id, framed(b"hello"))


async def test_an_answer_that_can_wait_is_held_back_until_a_moment_has_passed() -> None:
    service, clock, loop = Service(), VirtualClock(), asyncio.get_running_loop()
    async with asyncio.timeout(DEADLINE), serving(service, clock) as (_, port):
        with socket.socket() as caller:
            caller.setblocking(False)
            await loop.sock_connect(caller, ("127.0.0.1", port))
            await loop.sock_sendall(caller, frames.PREFACE + frames.settings({}))
            while not (await loop.sock_recv(caller, 65536)).endswith(frames.frame(frames.SETTINGS, frames.ACK, 0, b"")):
                pass
            await loop.sock_sendall(caller, _patient(1) + _patient(3))
            await service.begun.wait()
            await asyncio.sleep(0)
            with pytest.raises(BlockingIOError):
                caller.recv(65536)
            clock.advance(LINGER)
            assert (await loop.sock_recv(caller, 65536)).count(b"hello") == 2


async def test_who_is_told_may_answer_later() -> None:
    service = Service()
    async with connected(service) as channel:
        waiting = asyncio.ensure_future(_call(channel, "/s/Told", b"keep"))
        await service.begun.wait()
        assert service.kept is not None
        service.kept.answer(b"at last")
        assert await waiting == b"at last"


async def test_an_answer_after_the_deadline_is_heard_by_nobody() -> None:
    service = Service()
    async with connected(service) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await echo(channel, "/s/Told")(b"keep", timeout=0.2)
        assert service.kept is not None
        service.kept.answer(b"too late")
        service.kept.refuse(Aborted(Status.NOT_FOUND, "too late, too"))
        assert await _call(channel, "/s/Told", b"and on") == b"and on"
    assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_deadline_ends_the_handler() -> None:
    service = Service()
    async with connected(service) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await echo(channel)(b"hang", timeout=0.2)
        await service.cancelled.wait()
    assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_caller_that_hangs_up_ends_the_handler() -> None:
    service = Service()
    async with connected(service) as channel:
        call = echo(channel)(b"hang")
        waiting = asyncio.ensure_future(call)
        await service.begun.wait()
        call.cancel()
        await service.cancelled.wait()
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_a_stream_of_answers_comes_in_order_and_ends() -> None:
    async with connected(Service()) as channel:
        many: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream("/s/Count", None, None)
        assert [answer async for answer in many(b"1000")] == [b"%d" % number for number in range(1000)]


async def test_headers_come_before_the_first_message() -> None:
    service = Service()
    async with connected(service) as channel:
        many: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream("/s/Silent", None, None)
        call = many(b"")
        await call.initial_metadata()
        assert not call.done()
        call.cancel()
        await service.cancelled.wait()


async def test_both_sides_of_a_stream_talk_at_once() -> None:
    async with connected(Service()) as channel:
        both: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream("/s/Twice", None, None)
        call = both()
        for size in (1, 100_000, 6_000_000):
            await call.write(b"x" * size)
            assert await call.read() == b"x" * (2 * size)
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        assert await call.code() is grpc.StatusCode.OK


async def test_a_server_that_stops_lets_what_runs_end() -> None:
    async with (
        asyncio.timeout(DEADLINE),
        serving(Service()) as (server, port),
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        both: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream("/s/Twice", None, None)
        call = both()
        await call.write(b"a")
        await call.read()
        async with asyncio.TaskGroup() as group:
            group.create_task(server.stop(DEADLINE))
            await asyncio.sleep(0)
            await call.write(b"b")
            assert await call.read() == b"bb"
            await call.done_writing()
        assert await call.code() is grpc.StatusCode.OK


async def test_http_1_is_told_where_it_is() -> None:
    async with asyncio.timeout(DEADLINE), serving(Service()) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /v1.0/healthz HTTP/1.1\r\nHost: here\r\n\r\n")
        answer = await reader.read()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 505")
    assert b"speaks gRPC" in answer


async def test_a_caller_that_says_nothing_is_pinged_and_then_given_up() -> None:
    service, clock = Service(), VirtualClock()
    async with asyncio.timeout(DEADLINE), serving(service, clock) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(frames.PREFACE + frames.settings({}))
        ping = frames.frame(frames.PING, 0, 0, b"are you?")
        await reader.readuntil(frames.frame(frames.SETTINGS, frames.ACK, 0, b""))
        clock.advance(SILENCE)
        await reader.readexactly(len(ping))
        writer.write(frames.frame(frames.PING, frames.ACK, 0, b"are you?"))
        writer.write(frames.frame(frames.PING, 0, 0, b"i am me!"))
        await reader.readexactly(len(ping))  # it has heard the first one, too
        clock.advance(PATIENCE)
        clock.advance(SILENCE)
        assert await reader.readexactly(len(ping)) == ping
        clock.advance(PATIENCE)
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await reader.readexactly(1)
        writer.close()
