"""Timers, timeouts and chance, in every way of caching."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

import holdfast
from holdfast import Context
from holdfast_proto.history import ActivityCancelRequested, TimerCanceled, TimerCreated
from tests.integration.sdk.app import LIMIT, App
from tests.integration.sdk.orders import Idler, double


@pytest.fixture
def app(app_anywhere: App) -> App:
    return app_anywhere


@holdfast.workflow
async def sleeps(ctx: Context) -> list[float]:
    began = ctx.now()
    await ctx.sleep(0.05, name="nap")
    await asyncio.sleep(0.05)
    await ctx.sleep_until(ctx.now() + timedelta(milliseconds=50))
    await ctx.sleep(0)
    return [(ctx.now() - began).total_seconds()]


async def test_timers_of_every_kind_fire_in_their_time(app: App) -> None:
    async with app.serving(sleeps):
        handle = await app.client.start(sleeps)
        (slept,) = await handle.result()
        history = await handle.history()
    assert 0.15 <= slept < LIMIT
    assert [event.name for event in history if isinstance(event, TimerCreated)] == ["nap", None, None, None]


@holdfast.workflow
async def impatient(ctx: Context) -> str:
    try:
        async with asyncio.timeout(0.1):
            await ctx.call(Idler.stay, LIMIT)
    except TimeoutError:
        return "too slow"
    return "in time"


async def test_a_timeout_around_an_activity_asks_it_to_stop(app: App) -> None:
    async with app.serving(impatient, Idler(app)):
        handle = await app.client.start(impatient)
        assert await handle.result() == "too slow"
        history = await handle.history()
    assert any(isinstance(event, ActivityCancelRequested) for event in history)


@holdfast.workflow
async def first_of_two(ctx: Context) -> int:
    work = ctx.call(double, 21)
    alarm = asyncio.create_task(asyncio.sleep(3600))
    both: list[asyncio.Future[Any]] = [work, alarm]
    done, pending = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    for waiting in pending:
        waiting.cancel()
    await ctx.sleep(0.01)
    return sum(one.result() for one in done)


async def test_a_timer_that_lost_the_race_is_cancelled(app: App) -> None:
    async with app.serving(first_of_two, double):
        handle = await app.client.start(first_of_two)
        assert await handle.result() == 42
        history = await handle.history()
    assert any(isinstance(event, TimerCanceled) for event in history)


@holdfast.workflow
async def chance(ctx: Context) -> tuple[float, UUID, datetime]:
    number, name = ctx.random.random(), ctx.uuid4()
    for _ in range(3):
        await ctx.call(double, 1)
    assert (ctx.random.random(), ctx.uuid4()) != (number, name)
    return number, name, ctx.now()


async def test_chance_and_time_are_the_workflow_s_own(app: App) -> None:
    async with app.serving(chance, double):
        one, other = await asyncio.gather(app.client.run(chance), app.client.run(chance))
    assert one != other
    assert one[2].tzinfo is UTC
