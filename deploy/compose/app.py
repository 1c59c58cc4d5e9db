"""The sample app: serves an order workflow, and starts one every second when ORDERS says so."""

from __future__ import annotations

import asyncio
import os
import sys

import holdfast
from holdfast.client import Client
from holdfast.worker import Worker


@holdfast.activity
async def reserve(item: str) -> str:
    await asyncio.sleep(0.2)
    return f"{item} reserved"


@holdfast.activity
async def charge(item: str) -> str:
    await asyncio.sleep(0.2)
    return f"{item} paid"


@holdfast.workflow
async def order(ctx: holdfast.Context, item: str) -> list[str]:
    reserved = await ctx.call(reserve, item)
    await ctx.sleep(1.0)
    return [reserved, await ctx.call(charge, item)]


async def take_orders() -> None:
    async with Client() as client:
        number = 0
        while True:
            number += 1
            sys.stdout.write(f"{await client.run(order, f'book-{number}')}\n")
            await asyncio.sleep(1.0)


async def main() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(Worker(order, reserve, charge).run())
        if os.environ.get("ORDERS"):
            group.create_task(take_orders())


if __name__ == "__main__":
    asyncio.run(main())
