"""The code behind the recorded histories, frozen: a change that breaks their replay would break running instances.

New kinds of steps get a new workflow and a new recording (`python -m tests.histories.record NAME`), never a change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import holdfast
from holdfast import Context, Retry


@dataclass
class Order:
    item: str
    amount: int


class Declined(Exception):
    """Trying again does not help."""


@holdfast.activity(raises=[Declined])
async def charge(order: Order) -> str:
    if order.amount > 1_000:
        raise Declined("too much")
    return f"charged {order.amount}"


@holdfast.activity
async def refund(receipt: str) -> None: ...


@holdfast.activity
async def pack(order: Order, box: str) -> str:
    return f"{order.item} in {box}"


@holdfast.activity
async def falter(tries: int) -> int:
    """Recorded with a stand-in that fails at first."""
    return tries


@holdfast.workflow
async def checkout(ctx: Context, order: Order) -> str:
    async with ctx.saga() as saga:
        receipt = await ctx.call(charge, order)
        saga.compensate(refund, receipt)
        packed = await ctx.call(pack, order, "a box")
        carrier = await ctx.event("carrier", str, timeout=timedelta(days=3))
    ctx.set_status("shipped")
    return f"{receipt}, {packed}, by {carrier}"


@holdfast.workflow
async def together(ctx: Context, count: int) -> list[int]:
    """Every tool of asyncio that waits for several."""
    found = await asyncio.gather(*(ctx.call(falter, number) for number in range(count)))
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ctx.call(falter, number)) for number in found]
    either: list[asyncio.Future[Any]] = [ctx.call(falter, 7), asyncio.create_task(asyncio.sleep(3600))]
    done, pending = await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    for one in pending:
        one.cancel()
    for call in asyncio.as_completed([ctx.call(falter, 8), ctx.call(falter, 9)]):
        found.append(await call)
    try:
        await asyncio.wait_for(ctx.event("never"), 60)
    except TimeoutError:
        found.append(-1)
    return [*found, *(task.result() for task in tasks), len(done)]


@holdfast.workflow
async def stubborn(ctx: Context) -> int:
    return await ctx.call(falter, 1, retry=Retry(attempts=4, first=10, jitter=0.5))


@holdfast.workflow
async def family(ctx: Context, size: int) -> list[Any]:
    if size == 0:
        return [ctx.parent is not None]
    child = await ctx.child(family, size - 1)
    other = ctx.start_detached(family, 0)
    ctx.send_event(other, "hello", size)
    return [size, child]


@holdfast.workflow
async def rounds(ctx: Context, number: int) -> str:
    letter = await ctx.event("letter", str)
    if number < 2:
        ctx.continue_as_new(number + 1)
    return letter


@holdfast.workflow
async def patched(ctx: Context) -> list[str]:
    order = Order("lamp", 3)
    found = [await ctx.call(charge, order)] if ctx.patched("charge first") else []
    await ctx.sleep(60, name="a minute")
    return [*found, await ctx.call(pack, order, str(ctx.uuid4()))]


@holdfast.workflow(name="versioned", version="1")
async def versioned_1(ctx: Context) -> str:
    await ctx.sleep(1)
    return "one"


@holdfast.workflow(name="versioned", version="2")
async def versioned_2(ctx: Context) -> str:
    await ctx.sleep(2)
    return "two"


@holdfast.workflow
def by_yields(ctx: Context) -> Generator[Any, Any, list[str]]:
    first: str = yield ctx.call(charge, Order("lamp", 1))
    both: list[str] = yield asyncio.gather(ctx.call(pack, Order("a", 1), "x"), ctx.call(pack, Order("b", 1), "y"))
    return [first, *both]


@holdfast.workflow
async def undone(ctx: Context) -> str:
    """Ends in a failure, after its compensations."""
    async with ctx.saga() as saga:
        saga.compensate(refund, await ctx.call(charge, Order("lamp", 1)))
        saga.compensate(refund, await ctx.call(charge, Order("lamp", 2)))
        await ctx.call(charge, Order("piano", 90_000))
    return "never"


@holdfast.workflow
async def steered(ctx: Context) -> str:
    """Paused and resumed while it waits."""
    return await ctx.event("answer", str)
