"""Events, children, continuing as new and steering from outside, in every way of caching."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

import holdfast
from holdfast import Context, Status
from tests.integration.sdk.app import App, until, until_status
from tests.integration.sdk.orders import Order, Refusal, double, shout


@pytest.fixture
def app(app_anywhere: App) -> App:
    return app_anywhere


@holdfast.workflow
async def listens(ctx: Context) -> list[Any]:
    ctx.set_status("listening")
    order = await ctx.event("order", Order)
    await ctx.event("go")
    letters = [await ctx.event("letter", str) for _ in range(3)]
    try:
        letters.append(await ctx.event("letter", str, timeout=0.05))
    except TimeoutError as error:
        letters.append(str(error))
    return [order.amount, *letters]


async def test_events_are_typed_kept_until_asked_for_and_in_order_by_name(app: App) -> None:
    async with app.serving(listens):
        handle = await app.client.start(listens)
        await handle.send("letter", "a")
        await until_status(handle, "listening")
        await handle.send("letter", "b")
        await handle.send("order", Order("lamp", 7))
        await handle.send("letter", "c")
        await handle.send("go")
        assert await handle.result() == [7, "a", "b", "c", "no event 'letter' arrived in time"]


@holdfast.workflow
async def misled(ctx: Context) -> str:
    try:
        await ctx.event("order", Order)
    except holdfast.PayloadError as error:
        return str(error)
    return ""


async def test_an_event_of_another_type_names_the_field(app: App) -> None:
    async with app.serving(misled):
        handle = await app.client.start(misled)
        await handle.send("order", {"item": "lamp", "amount": "many"})
        assert await handle.result() == "event 'order': expected int at $.amount, found str \"many\""


# -- other workflows ---------------------------------------------------------------------------------------------------


@holdfast.workflow
async def child(ctx: Context, number: int) -> int:
    assert ctx.parent is not None
    if number < 0:
        raise Refusal("negative")
    return await ctx.call(double, number)


@holdfast.workflow
async def parent(ctx: Context, numbers: list[int]) -> list[Any]:
    found: list[Any] = await asyncio.gather(*(ctx.child(child, number) for number in numbers), return_exceptions=True)
    return [f"{one.kind}: {one.message}" if isinstance(one, holdfast.ChildFailed) else one for one in found]


async def test_children_give_their_results_and_their_failures(app: App) -> None:
    async with app.serving(parent, child, double):
        assert await app.client.run(parent, [1, -1, 2]) == [2, "Refusal: negative", 4]


@holdfast.workflow
async def endless(ctx: Context) -> None:
    await ctx.event("never")


@holdfast.workflow
async def short_of_patience(ctx: Context) -> str:
    waiting = ctx.child(endless, id=f"{ctx.instance_id}-child")
    await ctx.sleep(0.02)
    waiting.cancel()
    return "done"


async def test_a_child_that_nobody_waits_for_any_more_is_terminated(app: App) -> None:
    async with app.serving(short_of_patience, endless):
        handle = await app.client.start(short_of_patience)
        assert await handle.result() == "done"
        left = await app.client.handle(f"{handle.id}-child").wait()
    assert left.status is Status.TERMINATED


@holdfast.workflow
async def answers(ctx: Context, caller: str) -> None:
    assert ctx.parent is None
    ctx.send_event(caller, "answer", ctx.instance_id)


@holdfast.workflow
async def asks(ctx: Context) -> str:
    other = ctx.start_detached(answers, ctx.instance_id)
    assert await ctx.event("answer", str) == other
    return "answered"


async def test_a_detached_workflow_lives_on_its_own_and_they_can_talk(app: App) -> None:
    async with app.serving(asks, answers):
        assert await app.client.run(asks) == "answered"


@dataclass
class Round:
    number: int
    letters: list[str] = field(default_factory=list[str])


@holdfast.workflow
async def rounds(ctx: Context, state: Round) -> list[str]:
    if state.number == 0:
        await ctx.event("go")
    while len(state.letters) < state.number:
        state.letters.append(await ctx.event("letter", str))
    if state.number < 4:
        ctx.continue_as_new(Round(state.number + 1, state.letters))
    return state.letters


async def test_continuing_as_new_takes_the_events_along(app: App) -> None:
    async with app.serving(rounds):
        handle = await app.client.start(rounds, Round(0))
        for letter in "abcd":
            await handle.send("letter", letter)
        await handle.send("go")
        assert await handle.result() == ["a", "b", "c", "d"]
        assert (await handle.get()).generation == 5


@holdfast.workflow
async def tells(ctx: Context) -> None:
    ctx.set_status({"step": 1})
    await ctx.event("next")
    ctx.set_status(None)
    await ctx.event("next")
    ctx.set_status("over")


async def test_the_custom_status_follows_the_code(app: App) -> None:
    async with app.serving(tells):
        handle = await app.client.start(tells)
        await until(handle, lambda instance: instance.custom_status == '{"step":1}')
        await handle.send("next")
        await until(handle, lambda instance: instance.custom_status is None)
        await handle.send("next")
        assert (await handle.wait()).custom_status == '"over"'


@holdfast.workflow
async def steered(ctx: Context) -> list[str]:
    ctx.set_status("ready")
    return [await ctx.event("letter", str), await ctx.call(shout, "b")]


async def test_a_paused_instance_keeps_what_comes_and_goes_on_when_resumed(app: App) -> None:
    async with app.serving(steered, shout):
        handle = await app.client.start(steered)
        await until_status(handle, "ready")
        await handle.pause("lunch")
        await handle.send("letter", "a")
        assert (await handle.get()).status is Status.SUSPENDED
        await handle.resume()
        assert await handle.result() == ["a", "B"]


@holdfast.workflow
async def keeps_going(ctx: Context) -> None:
    ctx.set_status("ready")
    await ctx.child(endless, id=f"{ctx.instance_id}-child")


async def test_terminating_ends_the_instance_and_its_children(app: App) -> None:
    async with app.serving(keeps_going, endless):
        handle = await app.client.start(keeps_going)
        await until_status(handle, "ready")
        await handle.terminate({"why": "enough"})
        with pytest.raises(holdfast.WorkflowCanceled, match="terminated"):
            await handle.result()
        assert (await handle.get()).output == '{"why":"enough"}'
        child_of_it = await app.client.handle(f"{handle.id}-child").wait()
    assert child_of_it.status is Status.TERMINATED
