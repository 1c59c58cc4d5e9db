"""What workflow code can do, in every way of caching: on, small, off, and with a replay at every turn."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from datetime import UTC, datetime
from typing import Any

import pytest

import holdfast
from holdfast import Context, WorkflowFailed
from tests.integration.sdk.app import App
from tests.integration.sdk.orders import Order, Receipt, Refusal, charge, double, shout


@pytest.fixture
def app(app_anywhere: App) -> App:
    return app_anywhere


@holdfast.workflow
async def buy(ctx: Context, order: Order) -> Receipt:
    first = await ctx.call(charge, order, 1.5)
    return await ctx.call(charge, first.order, first.total)


async def test_values_keep_their_types_on_all_ways(app: App) -> None:
    order = Order("lamp", 3, ["fragile"], datetime(2030, 1, 2, tzinfo=UTC))
    async with app.serving(buy, charge):
        assert await app.client.run(buy, order) == Receipt(order, 13.5)


@holdfast.workflow
async def spread(ctx: Context, count: int) -> list[int]:
    doubled = await asyncio.gather(*(ctx.call(double, number) for number in range(count)))
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ctx.call(double, number)) for number in doubled]
    found = [task.result() for task in tasks]
    for call in asyncio.as_completed([ctx.call(double, number) for number in range(3)]):
        found.append(await call)
    return found


async def test_asyncio_waits_for_many_at_once(app: App) -> None:
    async with app.serving(spread, double):
        found = await app.client.run(spread, 40)
    assert found[:40] == [4 * number for number in range(40)]
    assert sorted(found[40:]) == [0, 2, 4]


@holdfast.workflow
async def in_order(ctx: Context, count: int) -> str:
    text = "a"
    for _ in range(count):
        text = await ctx.call(shout, text) + "b"
    return text


async def test_a_long_chain_of_steps_ends_with_its_result(app: App) -> None:
    async with app.serving(in_order, shout):
        assert await app.client.run(in_order, 30) == "A" + "B" * 29 + "b"


@holdfast.activity
async def book(what: str) -> str:
    if what == "flight":
        raise Refusal("no seats")
    return f"{what} booked"


class Office:
    def __init__(self) -> None:
        self.canceled: list[str] = []

    @holdfast.activity
    async def cancel(self, booking: str) -> None:
        self.canceled.append(booking)


@holdfast.workflow
async def travel(ctx: Context, parts: list[str]) -> str:
    async with ctx.saga() as saga:
        for part in parts:
            booking = await ctx.call(book, part)
            saga.compensate(Office.cancel, booking)
    return "bon voyage"


async def test_a_saga_undoes_in_reverse_what_was_done(app: App) -> None:
    office = Office()
    async with app.serving(travel, book, office):
        assert await app.client.run(travel, ["room", "car"]) == "bon voyage"
        with pytest.raises(WorkflowFailed, match="no seats"):
            await app.client.run(travel, ["room", "car", "flight"])
    assert office.canceled == ["car booked", "room booked"]


@holdfast.workflow
def by_yields(ctx: Context, number: int) -> Generator[Any, Any, int]:
    doubled: int = yield ctx.call(double, number)
    both: list[int] = yield asyncio.gather(ctx.call(double, doubled), ctx.call(double, 1))
    try:
        yield ctx.event("never", timeout=0.02)
    except TimeoutError:
        return sum(both)
    return 0


async def test_a_generator_workflow_waits_by_yielding(app: App) -> None:
    async with app.serving(by_yields, double):
        assert await app.client.run(by_yields, 10) == 42


@holdfast.workflow
async def careless(ctx: Context) -> None:
    await ctx.call(shout, "x")
    raise Refusal("of the workflow")


async def test_a_failure_carries_the_traceback_to_the_line_that_raised(app: App) -> None:
    async with app.serving(careless, shout):
        with pytest.raises(WorkflowFailed) as caught:
            await app.client.run(careless)
    assert caught.value.kind == "Refusal"
    assert caught.value.stack is not None
    assert 'raise Refusal("of the workflow")' in caught.value.stack
    assert "test_workflows.py" in caught.value.stack
