"""A client that asks another sidecar when one does not answer, as one behind a balancer does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from random import Random
from types import TracebackType
from typing import Final, Protocol, Self

from holdfast.client import Client
from holdfast.errors import LimitReached, SidecarUnavailable
from holdfast_proto.v1 import client_pb2 as pb

PATIENCE_S: Final = 10.0  # longer than a busy machine takes, shorter than an outage may last
_AVOIDED_S: Final = 20.0  # whoever was silent, while there are others
_AGAIN_S: Final = 0.1


class Asks(Protocol):
    async def ask(self, request: pb.Request) -> pb.Reply: ...


class Anywhere:
    """Whoever waits long for an answer asks the next sidecar the very same: all requests are safe to repeat."""

    def __init__(self, addresses: Sequence[str], *, rng: Random) -> None:
        self._clients = [Client(address) for address in addresses]
        self._rng = rng
        self._avoided: dict[int, float] = {}  # until when
        self._stack = AsyncExitStack()
        self.moved = 0  # questions that went to another sidecar
        self.refused = 0  # and that were asked again because the answer was "not now"

    async def ask(self, request: pb.Request) -> pb.Reply:
        while True:
            number = self._choose()
            asked = pb.Request()
            asked.CopyFrom(request)  # the number of a request is of its stream
            try:
                async with asyncio.timeout(PATIENCE_S):
                    return await self._clients[number].ask(asked)
            except TimeoutError:
                self.moved += 1
                if request.WhichOneof("kind") not in ("wait", "run"):  # which may take as long as its instance
                    self._avoided[number] = time.monotonic() + _AVOIDED_S
            except (SidecarUnavailable, LimitReached):
                self.refused += 1
                await asyncio.sleep(_AGAIN_S)

    def _choose(self) -> int:
        now, all_of_them = time.monotonic(), range(len(self._clients))
        return self._rng.choice([each for each in all_of_them if self._avoided.get(each, 0) < now] or all_of_them)

    def __str__(self) -> str:
        return f"{self.refused} requests had to be repeated, {self.moved} went to another sidecar"

    async def __aenter__(self) -> Self:
        for client in self._clients:
            await self._stack.enter_async_context(client)
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self._stack.aclose()
