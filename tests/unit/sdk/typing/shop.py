"""A small program that type checkers are asked about. Not run.

An ignored line must be an error, or the checkers complain that there is nothing to ignore.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true, reportUntypedFunctionDecorator=false

from __future__ import annotations

import asyncio
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, assert_type

import holdfast
from holdfast import Context, Retry


@dataclass
class Order:
    id: str


@dataclass
class Receipt:
    id: str


@holdfast.activity
async def charge(order: Order) -> Receipt:
    return Receipt(order.id)


@holdfast.activity(name="mail", raises=[ValueError])
def send_mail(to: str, subject: str, urgent: bool = False) -> int:
    return len(to + subject) + urgent


class Payments:
    @holdfast.activity
    async def refund(self, receipt: Receipt) -> bool:
        return bool(receipt)

    @holdfast.activity(name="ping")
    def is_up(self) -> float:
        return 1.0


@holdfast.workflow
async def child(ctx: Context, order: Order) -> list[Receipt]:
    return [await ctx.call(charge, order)]


@holdfast.workflow(version="2")
async def no_input(ctx: Context) -> str:
    return ctx.instance_id


@holdfast.workflow
def steps(ctx: Context, order: Order) -> Generator[Any, Any, Receipt]:
    receipt: Receipt = yield ctx.call(charge, order)
    return receipt


@holdfast.workflow
async def checkout(ctx: Context, order: Order) -> Receipt:
    receipt = await ctx.call(charge, order, retry=Retry(attempts=5), start_to_close=30)
    assert_type(receipt, Receipt)
    assert_type(await ctx.call(send_mail, "a", "b"), int)
    assert_type(await ctx.call(send_mail, "a", "b", True), int)
    assert_type(await ctx.call(Payments.refund, receipt), bool)
    assert_type(await ctx.call(Payments.is_up), float)
    assert_type(await ctx.call("charge", order, returns=Receipt), Receipt)
    assert_type(await ctx.call("charge", order), Any)
    assert_type(await ctx.child(child, order, id="x"), list[Receipt])
    assert_type(await ctx.child(no_input), str)
    assert_type(await ctx.child(steps, order), Receipt)
    assert_type(await ctx.child("other", 1, returns=int), int)
    assert_type(ctx.start_detached(child, order), str)
    assert_type(await ctx.event("shipped", Order), Order)
    assert_type(await ctx.event("any"), Any)
    assert_type(await ctx.sleep(5), None)
    first, second = await asyncio.gather(ctx.call(charge, order), ctx.event("n", int))
    assert_type(first, Receipt)
    assert_type(second, int)
    assert_type(await asyncio.wait_for(ctx.call(charge, order), 5), Receipt)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(ctx.call(charge, order))
    assert_type(task.result(), Receipt)
    done, _ = await asyncio.wait([ctx.call(charge, order)])
    assert_type(done.pop().result(), Receipt)
    assert_type(await charge(order), Receipt)
    assert_type(send_mail("a", "b"), int)
    assert_type(Payments().is_up(), float)
    assert_type(await child(ctx, order), list[Receipt])

    ctx.call(charge, "order")  # type: ignore[arg-type]
    ctx.call(charge)  # type: ignore[arg-type, call-arg]
    ctx.call(charge, order, order)  # type: ignore[arg-type, call-arg]
    ctx.call(send_mail, "a", 5)  # type: ignore[arg-type, call-arg]
    ctx.call(Payments.refund, order)  # type: ignore[arg-type]
    ctx.call(charge, order, retries=5)  # type: ignore[call-overload]
    ctx.call(charge, order, retry=5)  # type: ignore[call-overload]
    ctx.child(child, receipt)  # type: ignore[arg-type]
    ctx.child(no_input, order)  # type: ignore[arg-type]
    ctx.start_detached(child, receipt)  # type: ignore[arg-type]
    ctx.start_detached(child, order, retry=None)  # type: ignore[call-overload]
    charge("order")  # type: ignore[arg-type, unused-coroutine]
    async with ctx.saga() as saga:
        saga.compensate(Payments.refund, receipt)
        saga.compensate("undo", 1, 2)
        saga.compensate(Payments.refund, order)  # type: ignore[arg-type]
    return receipt


@holdfast.workflow  # type: ignore[arg-type]
async def no_context(order: Order) -> None: ...
