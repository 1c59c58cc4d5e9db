"""Time, timers, and what is taken back."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import holdfast
from holdfast import Context
from holdfast_proto.actions import (
    CancelActivity,
    CreateTimer,
)
from holdfast_proto.history import (
    EventReceived,
    TimerOrigin,
)
from tests.unit.sdk.shop import charge
from tests.unit.sdk.story import BEGAN_AT, SECOND, Story, names


def test_the_time_of_the_workflow_is_that_of_the_turn() -> None:
    @holdfast.workflow
    async def clock(ctx: Context) -> list[str]:
        times = [ctx.now()]
        await ctx.sleep(timedelta(days=30))
        times.append(ctx.now())
        await ctx.sleep_until(ctx.now() + timedelta(hours=1), name="an hour")
        return [time.isoformat() for time in times]

    story = Story(clock)
    outcome = story.start()
    assert outcome.actions == [CreateTimer(seq=0, fire_at=BEGAN_AT + 30 * 86400 * SECOND, origin=TimerOrigin.USER)]
    outcome = story.fired(0, after=30 * 86400)
    assert outcome.actions == [
        CreateTimer(
            seq=1, fire_at=BEGAN_AT + 30 * 86400 * SECOND + 3600 * SECOND, name="an hour", origin=TimerOrigin.USER
        )
    ]
    story.fired(1)
    first = datetime.fromtimestamp(BEGAN_AT / SECOND, UTC)
    assert story.result == f'["{first.isoformat()}","{(first + timedelta(days=30)).isoformat()}"]'


def test_the_clock_never_goes_back() -> None:
    @holdfast.workflow
    async def clock(ctx: Context) -> bool:
        before = ctx.time_ns()
        await ctx.event("go")
        return ctx.time_ns() >= before

    story = Story(clock)
    story.start()
    story.turn(EventReceived(at=0, name="go"), after=-100)
    assert story.result == "true"


def test_asyncio_sleep_is_a_durable_timer() -> None:
    @holdfast.workflow
    async def nap(ctx: Context) -> str:
        return await asyncio.sleep(90, "rested")

    story = Story(nap)
    assert story.start().actions == [CreateTimer(seq=0, fire_at=BEGAN_AT + 90 * SECOND, origin=TimerOrigin.USER)]
    story.fired(0)
    assert story.result == '"rested"'


def test_a_timeout_cancels_the_activity_it_guards() -> None:
    @holdfast.workflow
    async def guarded(ctx: Context) -> str:
        try:
            async with asyncio.timeout(60):
                return await ctx.call(charge, 1)
        except TimeoutError:
            return "too slow"

    story = Story(guarded)
    assert names(story.start()) == ["timer#0", "charge#1"]
    assert names(story.fired(0)) == ["-activity#1", "COMPLETED"]
    assert story.result == '"too slow"'


def test_a_guard_that_is_not_needed_is_taken_back() -> None:
    @holdfast.workflow
    async def guarded(ctx: Context) -> str:
        return await asyncio.wait_for(ctx.call(charge, 1), 60)

    story = Story(guarded)
    assert names(story.start()) == ["charge#0", "timer#1"]
    assert names(story.completed(0, '"ok"')) == ["-timer#1", "COMPLETED"]


def test_what_is_taken_back_in_its_own_turn_never_was() -> None:
    @holdfast.workflow
    async def hasty(ctx: Context) -> str:
        first = ctx.call(charge, 1)
        first.cancel()
        async with asyncio.timeout(60):
            await asyncio.sleep(0)
            return "done"

    story = Story(hasty)
    assert names(story.start()) == ["COMPLETED"]


def test_a_late_answer_to_a_cancelled_activity_is_ignored() -> None:
    @holdfast.workflow
    async def impatient(ctx: Context) -> str:
        call = ctx.call(charge, 1)
        await ctx.event("give up")
        call.cancel()
        await ctx.event("end")
        return "ended"

    story = Story(impatient)
    story.start()
    assert story.raised("give up").actions == [CancelActivity(seq=0)]
    assert names(story.completed(0, '"late"')) == []
    story.raised("end")
    assert story.result == '"ended"'
