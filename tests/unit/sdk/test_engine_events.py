"""Events, and what is sent without waiting."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import holdfast
from holdfast import Context
from holdfast_proto.actions import (
    CreateTimer,
    SendEvent,
    StartDetached,
)
from holdfast_proto.history import (
    EventReceived,
    TimerOrigin,
)
from tests.unit.sdk.shop import charge, five
from tests.unit.sdk.story import BEGAN_AT, SECOND, Story, names


def test_events_are_buffered_and_given_out_in_order_by_name_whatever_the_case() -> None:
    @holdfast.workflow
    async def listener(ctx: Context) -> list[int]:
        await ctx.call(charge, 0)
        got = [await ctx.event("Paid", int), await ctx.event("paid", int)]
        await ctx.event("shipped")
        return [*got, await ctx.event("PAID", int)]

    story = Story(listener)
    story.start()
    story.raised("paid", "1")
    story.raised("PAID", "2")
    story.completed(0, '"r"')
    story.raised("paid", "3")
    story.raised("Shipped")
    assert story.result == "[1,2,3]"


def test_two_waiters_of_one_event_are_served_in_the_order_of_their_asking() -> None:
    @holdfast.workflow
    async def listeners(ctx: Context) -> list[int]:
        return list(await asyncio.gather(ctx.event("n", int), ctx.event("n", int)))

    story = Story(listeners)
    story.start()
    story.turn(EventReceived(at=0, name="n", input="1"), EventReceived(at=0, name="n", input="2"))
    assert story.result == "[1,2]"


def test_an_event_that_arrives_with_the_start_is_not_lost() -> None:
    @holdfast.workflow
    async def listener(ctx: Context) -> int:
        return await ctx.event("n", int)

    story = Story(listener)
    story.start(None, EventReceived(at=0, name="n", input="1"))
    assert story.result == "1"


def test_a_wait_for_an_event_can_have_an_end() -> None:
    @holdfast.workflow
    async def listener(ctx: Context) -> str:
        try:
            return await ctx.event("paid", str, timeout=timedelta(hours=1))
        except TimeoutError:
            return "unpaid"

    story = Story(listener)
    assert story.start().actions == [
        CreateTimer(seq=0, fire_at=BEGAN_AT + 3600 * SECOND, origin=TimerOrigin.EVENT_TIMEOUT, origin_name="paid")
    ]
    story.fired(0)
    assert story.result == '"unpaid"'
    other = Story(listener)
    other.start()
    assert names(other.raised("paid", '"yes"')) == ["-timer#0", "COMPLETED"]


def test_a_cancelled_waiter_leaves_the_event_to_the_next() -> None:
    @holdfast.workflow
    async def listener(ctx: Context) -> int:
        first = ctx.event("n", int)
        first.cancel()
        return await ctx.event("n", int)

    story = Story(listener)
    story.start()
    story.raised("n", "5")
    assert story.result == "5"


def test_an_event_of_the_wrong_type_names_the_place() -> None:
    @holdfast.workflow
    async def listener(ctx: Context) -> int:
        return await ctx.event("n", int)

    story = Story(listener)
    story.start()
    story.raised("n", '"five"')
    assert story.failure.message == "event 'n': expected int at $, found str \"five\""


def test_sending_an_event_and_starting_detached_do_not_wait() -> None:
    @holdfast.workflow
    async def sender(ctx: Context) -> str:
        ctx.send_event("order-8", "paid", {"amount": 5})
        ctx.send_event("order-8", "bare")
        return ctx.start_detached(five, 3, tags={"why": "audit"})

    story = Story(sender, five, name="sender")
    outcome = story.start()
    assert outcome.actions[:2] == [
        SendEvent(seq=0, instance_id="order-8", name="paid", input='{"amount":5}'),
        SendEvent(seq=1, instance_id="order-8", name="bare"),
    ]
    started = outcome.actions[2]
    assert isinstance(started, StartDetached)
    assert story.result == f'"{started.instance_id}"'
    assert (started.name, started.input, started.tags) == ("five", "3", {"why": "audit"})
