"""Streams of bytes over gRPC: the only place that knows what carries them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from holdfast._stream import Disconnected, Stream
from holdfast_kit.clock import Clock
from holdfast_kit.rpc.client import Caller, open_call
from holdfast_kit.rpc.status import Aborted, Status

MESSAGE_BYTES_MAX: Final = 64 * 1024 * 1024
_FATAL: Final = frozenset(
    {Status.UNAUTHENTICATED, Status.PERMISSION_DENIED, Status.UNIMPLEMENTED, Status.INVALID_ARGUMENT}
)


@asynccontextmanager
async def open_stream(
    target: str, method: str, *, metadata: Sequence[tuple[str, str]], clock: Clock
) -> AsyncGenerator[Stream]:
    """A call of that method, on a connection of its own. That nobody is there is told by the first `read`."""
    host, _, port = target.rpartition(":")
    call = open_call(host.strip("[]"), int(port), method, metadata=metadata, clock=clock, bytes_max=MESSAGE_BYTES_MAX)
    async with call as caller:
        yield _GrpcStream(caller)


class _GrpcStream:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def write(self, data: bytes, /) -> None:
        """What a write would say of a broken stream, the reader says better."""
        try:
            await self._caller.write(data)
        except Aborted as error:
            raise Disconnected(error.text) from error

    async def done_writing(self) -> None:
        self._caller.done_writing()

    def cancel(self) -> None:
        self._caller.cancel()

    async def read(self) -> bytes | None:
        try:
            return await self._caller.read()
        except Aborted as error:
            raise Disconnected(_said(error), is_final=error.status in _FATAL) from error


def _said(error: Aborted) -> str:
    if error.status is Status.UNIMPLEMENTED:
        return "what answers there is no Holdfast sidecar, or an older one"
    return error.text
