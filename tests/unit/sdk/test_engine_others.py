"""Children, and tries that failed."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

import holdfast
from holdfast import Context, Retry
from holdfast._replay.engine import Run
from holdfast_proto.actions import (
    CreateTimer,
    ScheduleActivity,
    StartChild,
    TerminateInstance,
)
from holdfast_proto.history import (
    Status,
    TimerOrigin,
    TurnStarted,
)
from tests.unit.sdk.shop import charge, five
from tests.unit.sdk.story import SECOND, Story, names, started


def test_a_child_gives_its_result_or_its_failure() -> None:
    @holdfast.workflow
    async def parent(ctx: Context) -> list[str]:
        first = await ctx.child(five, 1)
        try:
            await ctx.child("elsewhere", 1, id="my-child", returns=str)
        except holdfast.ChildFailed as error:
            return [*first, error.kind, error.instance_id]
        return []

    story = Story(parent, five, name="parent")
    start = story.start().actions[0]
    assert isinstance(start, StartChild)
    assert start.instance_id.startswith("order-7:")
    assert names(story.child_completed(0, '["x"]')) == ["elsewhere#1"]
    story.child_failed(1, "Broken")
    assert story.result == '["x","Broken","my-child"]'


def test_children_of_another_generation_get_other_ids() -> None:
    def child_id(execution_id: str) -> str:
        run = Run(Story(five).registry)
        run.advance([TurnStarted(at=1), replace(started("five"), execution_id=execution_id, input="1")])
        return run.child_id(0)

    assert child_id("e1") != child_id("e2")


def test_a_child_that_nobody_waits_for_any_more_is_terminated() -> None:
    @holdfast.workflow
    async def parent(ctx: Context) -> str:
        try:
            await asyncio.wait_for(ctx.child(five, 1, id="slow"), 10)
        except TimeoutError:
            return "gave up"
        return "not reached"

    story = Story(parent, five, name="parent")
    story.start()
    outcome = story.fired(1)
    assert isinstance(outcome.actions[0], TerminateInstance)
    assert outcome.actions[0].instance_id == "slow"
    assert story.result == '"gave up"'


class CardDeclined(Exception):
    pass


def _retrying(retry: Retry) -> Story:
    @holdfast.workflow
    async def payer(ctx: Context) -> str:
        return await ctx.call(charge, 5, retry=retry)

    return Story(payer)


def test_each_wait_between_tries_is_a_timer_and_each_try_has_a_new_seq() -> None:
    story = _retrying(Retry(attempts=3, first=2, factor=3, jitter=0))
    first = story.start().actions[0]
    timer = story.failed(0).actions[0]
    assert timer == CreateTimer(
        seq=1, fire_at=story.now + 2 * SECOND, origin=TimerOrigin.ACTIVITY_RETRY, origin_name="e1:0"
    )
    second = story.fired(1).actions[0]
    assert isinstance(first, ScheduleActivity)
    assert isinstance(second, ScheduleActivity)
    assert (second.seq, second.name, second.input) == (2, "charge", "5")
    assert second.task_execution_id == first.task_execution_id == "e1:0"
    assert story.failed(2).actions[0] == CreateTimer(
        seq=3, fire_at=story.now + 6 * SECOND, origin=TimerOrigin.ACTIVITY_RETRY, origin_name="e1:0"
    )
    story.fired(3)
    story.completed(4, '"at last"')
    assert story.result == '"at last"'


def test_when_the_tries_are_used_up_the_last_failure_is_raised() -> None:
    story = _retrying(Retry(attempts=2))
    story.start()
    story.failed(0)
    story.fired(1)
    story.failed(2, "Timeout", "slow bank")
    assert story.failure.kind == "ActivityFailed"
    assert "'charge' (event 2) failed after 2 attempts: Timeout: slow bank" in story.failure.message


@pytest.mark.parametrize("kind", [CardDeclined, "CardDeclined"])
def test_a_non_retryable_error_is_final_at_once(kind: type[Exception] | str) -> None:
    story = _retrying(Retry(non_retryable=[kind]))
    story.start()
    story.failed(0, "CardDeclined")
    assert story.end.status is Status.FAILED


def test_an_error_that_says_itself_that_it_cannot_be_retried_is_final() -> None:
    story = _retrying(Retry())
    story.start()
    story.failed(0, is_non_retryable=True)
    assert story.end.status is Status.FAILED


def test_cancelling_between_two_tries_cancels_the_wait() -> None:
    @holdfast.workflow
    async def payer(ctx: Context) -> str:
        call = ctx.call(charge, 5, retry=Retry())
        await ctx.event("stop")
        call.cancel()
        await ctx.event("end")
        return "stopped"

    story = Story(payer)
    story.start()
    story.failed(0)
    assert names(story.raised("stop")) == ["-timer#1"]
    story.raised("end")
    assert story.result == '"stopped"'


def test_a_declared_error_comes_back_as_itself() -> None:
    @holdfast.activity(raises=[CardDeclined])
    def pay(amount: int) -> str:
        raise CardDeclined(f"no {amount}")

    @holdfast.workflow
    async def payer(ctx: Context) -> str:
        try:
            return await ctx.call(pay, 5)
        except CardDeclined as error:
            return str(error)

    story = Story(payer)
    story.start()
    story.failed(0, "CardDeclined", "no funds")
    assert story.result == '"no funds"'
