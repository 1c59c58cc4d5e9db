"""Where the sidecar is, and how to talk to it: streams of frames both ways, and connecting again when they break."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message

from holdfast.errors import HoldfastError
from holdfast_kit.backoff import Backoff
from holdfast_kit.clock import Clock, SystemClock
from holdfast_kit.ids import Ids, SystemIds

CLOCK: Final = SystemClock()
IDS: Final = SystemIds()

DEFAULT_ADDRESS: Final = "localhost:50001"
MESSAGE_BYTES_MAX: Final = 64 * 1024 * 1024
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),  # pings are answered while Python is busy: silence means frozen or cut off
    ("grpc.http2.ping_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),  # the sidecar is beside the app; a proxy for the web must not come between
)
_CAP: Final = timedelta(seconds=1)  # a sidecar beside us is back within a second of a crash, and asking costs nothing
_SAY_AGAIN: Final = 80  # failures between two lines in the log: one or two a minute while a sidecar is away

Up = TypeVar("Up", bound=Message)
Down = TypeVar("Down", bound=Message)
Up_contra = TypeVar("Up_contra", bound=Message, contravariant=True)
Down_co = TypeVar("Down_co", bound=Message, covariant=True)


class Disconnected(Exception):
    """A stream broke. `is_final`: trying again does not change it; the text is for a person."""

    def __init__(self, text: str, *, is_final: bool = False) -> None:
        super().__init__(text)
        self.is_final = is_final


class Stream(Protocol[Up_contra, Down_co]):
    """Frames both ways. Disconnected when it broke."""

    async def read(self) -> Down_co | None:
        """None when the other side has hung up."""
        ...

    async def write(self, frame: Up_contra, /) -> None: ...

    async def done_writing(self) -> None: ...

    def cancel(self) -> None: ...


class Connection(Protocol):
    """A way to a sidecar, the clock that both sides go by, and where identities come from."""

    @property
    def target(self) -> str: ...

    @property
    def namespace(self) -> str: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def ids(self) -> Ids: ...

    def open(self, method: str, up: type[Up], down: type[Down]) -> AbstractAsyncContextManager[Stream[Up, Down]]: ...

    async def pause(self, seconds: float) -> None:
        """Between two attempts."""
        ...


def sdk_name() -> str:
    try:
        return f"holdfast-python/{version('holdfast')}"
    except PackageNotFoundError:
        return "holdfast-python/unknown"


# -- over the network --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One sidecar. Without an address: HOLDFAST_ADDRESS, else localhost:50001."""

    address: str = ""
    namespace: str = ""
    token: str = field(default="", repr=False)

    @property
    def clock(self) -> Clock:
        return CLOCK

    @property
    def ids(self) -> Ids:
        return IDS

    @property
    def target(self) -> str:
        target = self.address or os.environ.get("HOLDFAST_ADDRESS", "") or DEFAULT_ADDRESS
        scheme, separator, rest = target.partition("://")
        if separator and scheme not in ("http", "grpc"):
            raise HoldfastError(f"address {target!r}: expected host:port, or http:// before it, found {scheme}://")
        host, _, port = (rest if separator else target).rstrip("/").rpartition(":")
        if not host or not port.isdigit():
            raise HoldfastError(f"address {target!r}: expected host:port, such as {DEFAULT_ADDRESS}")
        return f"{host}:{port}"

    @asynccontextmanager
    async def open(self, method: str, up: type[Up], down: type[Down]) -> AsyncGenerator[Stream[Up, Down]]:
        token = self.token or os.environ.get("HOLDFAST_API_TOKEN", "")
        async with grpc.aio.insecure_channel(self.target, options=_OPTIONS) as channel:
            call = channel.stream_stream(
                method, request_serializer=up.SerializeToString, response_deserializer=down.FromString
            )(metadata=(("holdfast-api-token", token),) if token else ())
            yield _GrpcStream(call)

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def connection_of(address: str | Connection, namespace: str, token: str) -> Connection:
    """Complains about an address here, where it was given, not when the first stream is opened."""
    if not isinstance(address, str):
        return address
    endpoint = Endpoint(address, namespace or os.environ.get("HOLDFAST_NAMESPACE", ""), token)
    _ = endpoint.target
    return endpoint


if TYPE_CHECKING:
    _Call: TypeAlias = grpc.aio.StreamStreamCall[Any, Any]  # generic only for type checkers

_FATAL: Final = frozenset(
    {
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INVALID_ARGUMENT,
    }
)


class _GrpcStream:
    def __init__(self, call: _Call) -> None:
        self._call = call

    async def write(self, frame: Message, /) -> None:
        """What a write would say of a broken stream, the reader says better."""
        try:
            await self._call.write(frame)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError) as error:
            raise Disconnected(str(error)) from error

    async def done_writing(self) -> None:
        with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await self._call.done_writing()

    def cancel(self) -> None:
        self._call.cancel()

    async def read(self) -> Any:
        try:
            frame = await self._call.read()
        except grpc.aio.AioRpcError as error:
            raise Disconnected(_said(error), is_final=error.code() in _FATAL) from error
        return None if frame is grpc.aio.EOF else frame


def _said(error: grpc.aio.AioRpcError) -> str:
    if error.code() is grpc.StatusCode.UNIMPLEMENTED:
        return "what answers there is no Holdfast sidecar, or an older one"
    details = error.details() or str(error.code())
    return "connection refused" if "Connection refused" in details else details


# -- one stream, and the next ------------------------------------------------------------------------------------------


async def talk(stream: Stream[Up, Down], frames: Callable[[], AsyncIterator[Up]], take: Callable[[Down], bool]) -> None:
    """Writes what `frames` gives and hands each frame that arrives to `take`, until that says True or the stream ends.

    Raises Disconnected, or what `take` raised.
    """
    ended: Exception | None = None
    async with asyncio.TaskGroup() as group:
        writer = group.create_task(_write_all(stream, frames))
        try:
            while (frame := await stream.read()) is not None and not take(frame):
                pass
        except DecodeError as error:
            ended = Disconnected(f"a frame that cannot be read: {error}; use an SDK and a sidecar of the same release")
        except (Disconnected, HoldfastError) as error:
            ended = error  # raised below: out of the group it would come wrapped
        finally:
            stream.cancel()
        writer.cancel()
    if ended is not None:
        raise ended


async def _write_all(stream: Stream[Up, Down], frames: Callable[[], AsyncIterator[Up]]) -> None:
    with suppress(Disconnected):
        async for frame in frames():
            await stream.write(frame)
        await stream.done_writing()


class Reconnecting:
    """Waits between attempts, longer each time, and says so: once when it begins, then rarely."""

    def __init__(self, connection: Connection, log: logging.Logger) -> None:
        self._connection = connection
        self._log = log
        self._backoff = Backoff(connection.ids.random(), base=timedelta(milliseconds=100), cap=_CAP)
        self._is_away = False

    def succeeded(self) -> None:
        """The sidecar speaks to us."""
        self._backoff.reset()
        if self._is_away:
            self._is_away = False
            self._log.info("connected to the sidecar at %s again", self._connection.target)

    def failed(self, reason: object) -> None:
        failures = self._backoff.failures
        self._is_away = True
        if failures in (0, 3) or failures % _SAY_AGAIN == 0:
            self._log.warning(
                "no sidecar at %s (%s), trying again; is `holdfast dev` running?", self._connection.target, reason
            )

    async def pause(self) -> None:
        await self._connection.pause(self._backoff.next())
