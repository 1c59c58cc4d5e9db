"""Where the sidecar is: what a worker or a client is given as its address."""

from __future__ import annotations

import asyncio
import os
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Final, Protocol

from holdfast._grpc import open_stream
from holdfast._stream import Stream
from holdfast.errors import HoldfastError
from holdfast_kit.clock import Clock, SystemClock
from holdfast_kit.ids import Ids, SystemIds

CLOCK: Final = SystemClock()
IDS: Final = SystemIds()

DEFAULT_ADDRESS: Final = "localhost:50001"


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

    def open(self, method: str) -> AbstractAsyncContextManager[Stream]:
        """A stream of that method; it has ended when the context is left."""
        ...

    async def pause(self, seconds: float) -> None:
        """Between two attempts."""
        ...


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One sidecar over the network. Without an address: HOLDFAST_ADDRESS, else localhost:50001."""

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

    def open(self, method: str) -> AbstractAsyncContextManager[Stream]:
        token = self.token or os.environ.get("HOLDFAST_API_TOKEN", "")
        metadata = (("holdfast-api-token", token),) if token else ()
        return open_stream(self.target, method, metadata=metadata, clock=self.clock)

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def connection_of(address: str | Connection, namespace: str, token: str) -> Connection:
    """Complains about an address here, where it was given, not when the first stream is opened."""
    if not isinstance(address, str):
        return address
    endpoint = Endpoint(address, namespace or os.environ.get("HOLDFAST_NAMESPACE", ""), token)
    _ = endpoint.target
    return endpoint


def sdk_name() -> str:
    try:
        return f"holdfast-python/{version('holdfast')}"
    except PackageNotFoundError:
        return "holdfast-python/unknown"
