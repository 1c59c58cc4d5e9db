"""Our own SDK with the settings it has by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import version

import holdfast
from bench.clients import EVENT, MARKS

VERSION = f"holdfast {version('holdfast')}"


@holdfast.activity
async def nothing(value: int) -> int:
    MARKS.saw(value)
    return value


@holdfast.workflow
async def hello(ctx: holdfast.Context, steps: int) -> int:
    for step in range(steps):
        await ctx.call(nothing, step)
    return steps


@holdfast.workflow
async def fan(ctx: holdfast.Context, width: int) -> int:
    return len(await asyncio.gather(*(ctx.call(nothing, number) for number in range(width))))


@holdfast.workflow
async def waits(ctx: holdfast.Context, value: int) -> int:
    await ctx.event(EVENT)
    return value


@holdfast.workflow
async def grown(ctx: holdfast.Context, shape: list[int]) -> int:
    width, steps = shape
    await asyncio.gather(*(ctx.call(nothing, number) for number in range(width)))
    await ctx.event(EVENT)
    for step in range(steps):
        await ctx.call(nothing, step)
    return steps


@holdfast.workflow
async def ends(ctx: holdfast.Context, value: int) -> int:
    return value


@asynccontextmanager
async def serving(address: str, *, cache_max: int = 10_000) -> AsyncGenerator[None]:
    async with holdfast.Worker(hello, fan, waits, grown, ends, nothing, address=address, cache_max=cache_max):
        yield


@asynccontextmanager
async def calling(address: str) -> AsyncGenerator[NativeCaller]:
    async with holdfast.Client(address) as client:
        yield NativeCaller(client)


class NativeCaller:
    def __init__(self, client: holdfast.Client) -> None:
        self._client = client

    async def start(self, workflow: str, value: object, instance_id: str) -> None:
        await self._client.start(workflow, value, id=instance_id, if_exists="keep")

    async def wait(self, instance_id: str) -> object:
        output: object = await self._client.handle(instance_id).result()
        return output

    async def run(self, workflow: str, value: object, instance_id: str) -> object:
        output: object = await self._client.run(workflow, value, id=instance_id)
        return output

    async def raise_event(self, instance_id: str) -> None:
        await self._client.handle(instance_id).send(EVENT)
