"""The gRPC port that apps come to: its socket, its token check, and the seam to the services that it carries."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, Protocol

from holdfast_kit.clock import Clock
from holdfast_kit.rpc.call import Methods
from holdfast_kit.rpc.server import Check, Server, let_all_in
from holdfast_sidecar.api.token import shows
from holdfast_sidecar.startup import listening

CLOSE_LIMIT: Final = 1.0  # seconds that calls may still take when the server closes
NO_TOKEN: Final = "expected the sidecar's API token in the metadata dapr-api-token or holdfast-api-token"


class GrpcService(Protocol):
    """Some methods of the server, by path."""

    def methods(self) -> Methods: ...

    def drain(self) -> None:
        """Called once, when what was at workers is answered or the drain limit is over: tell clients to go
        elsewhere and end their streams cleanly. What is left a moment later is cut off."""
        ...


class GrpcPort:
    """Held from the beginning, served from `start` on: until then callers wait."""

    def __init__(self, listener: socket.socket, server: Server) -> None:
        self._listener = listener
        self._server = server

    @property
    def number(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    async def start(self, services: Iterable[GrpcService]) -> None:
        for service in services:
            self._server.add(service.methods())
        await self._server.start(self._listener)

    async def stop(self) -> None:
        await self._server.stop(CLOSE_LIMIT)


@asynccontextmanager
async def bound(*, address: str, port: int, clock: Clock, api_token: str = "") -> AsyncGenerator[GrpcPort]:
    """Unstartable when the port is taken."""
    with listening("grpc", address, port) as listener:
        held = GrpcPort(listener, Server(clock, check=_check(api_token)))
        try:
            yield held
        finally:
            await held.stop()


def _check(token: str) -> Check:
    return partial(_missing, token) if token else let_all_in


def _missing(token: str, metadata: Mapping[str, str]) -> str | None:
    return None if shows(metadata, token) else NO_TOKEN
