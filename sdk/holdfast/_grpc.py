"""Streams of bytes over gRPC: the only place that knows what carries them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import grpc

from holdfast._stream import Disconnected, Stream

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
_FATAL: Final = frozenset(
    {
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INVALID_ARGUMENT,
    }
)

if TYPE_CHECKING:
    _Call: TypeAlias = grpc.aio.StreamStreamCall[bytes, bytes]  # generic only for type checkers


@asynccontextmanager
async def open_stream(target: str, method: str, *, metadata: Sequence[tuple[str, str]]) -> AsyncGenerator[Stream]:
    """A call of that method, on a channel of its own. That nobody is there is told by the first `read`."""
    async with grpc.aio.insecure_channel(target, options=_OPTIONS) as channel:
        call_of: Any = channel.stream_stream  # without serializers: bytes go as they are
        yield _GrpcStream(cast("_Call", call_of(method)(metadata=tuple(metadata))))


class _GrpcStream:
    def __init__(self, call: _Call) -> None:
        self._call = call

    async def write(self, data: bytes, /) -> None:
        """What a write would say of a broken stream, the reader says better."""
        try:
            await self._call.write(data)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError) as error:
            raise Disconnected(str(error)) from error

    async def done_writing(self) -> None:
        with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await self._call.done_writing()

    def cancel(self) -> None:
        self._call.cancel()

    async def read(self) -> bytes | None:
        try:
            data = await self._call.read()
        except grpc.aio.AioRpcError as error:
            raise Disconnected(_said(error), is_final=error.code() in _FATAL) from error
        return data if isinstance(data, bytes) else None  # else it is grpc.aio.EOF


def _said(error: grpc.aio.AioRpcError) -> str:
    if error.code() is grpc.StatusCode.UNIMPLEMENTED:
        return "what answers there is no Holdfast sidecar, or an older one"
    details = error.details() or str(error.code())
    return "connection refused" if "Connection refused" in details else details
