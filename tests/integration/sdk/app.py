"""What the tests of this folder say often."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from holdfast import Client, Handle, Instance, Worker
from holdfast._connection import Connection

LIMIT = 30.0  # seconds; generous, as the machine may be busy
_POLL = 0.01


@dataclass
class App:
    address: str | Connection
    client: Client
    options: dict[str, Any]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep  # for activities

    def serving(self, *offers: object, **options: Any) -> Worker:
        merged: dict[str, Any] = {"drain_limit": 1.0, **self.options, **options}
        return Worker(*offers, address=self.address, **merged)


async def until(handle: Handle[Any], is_met: Callable[[Instance], bool]) -> Instance:
    """Asks again and again, as a page in a browser would."""
    async with asyncio.timeout(LIMIT):
        while not is_met(instance := await handle.get()):  # noqa: ASYNC110 - the state is in another process
            await asyncio.sleep(_POLL)
        return instance


async def until_status(handle: Handle[Any], status: str) -> Instance:
    return await until(handle, lambda instance: instance.custom_status == f'"{status}"')
