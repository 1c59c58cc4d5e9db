"""How a run ends, is held and is terminated."""

from __future__ import annotations

import asyncio

import holdfast
from holdfast import Context
from holdfast_proto.actions import (
    CancelActivity,
    CompleteWorkflow,
)
from holdfast_proto.history import (
    EventReceived,
    Resumed,
    Status,
    Suspended,
    TerminateRequested,
)
from tests.unit.sdk.shop import charge, five, refund
from tests.unit.sdk.story import Story, names


def test_a_failure_carries_the_traceback_of_the_users_code_and_the_causes() -> None:
    @holdfast.workflow
    async def failing(ctx: Context) -> None:
        try:
            await ctx.call(charge, 1)
        except holdfast.ActivityFailed as error:
            raise RuntimeError("cannot go on") from error

    story = Story(failing)
    story.start()
    story.failed(0, "CardDeclined", "no funds", stack="remote stack")
    failure = story.failure
    assert (failure.kind, failure.message) == ("RuntimeError", "cannot go on")
    assert failure.stack is not None
    assert "test_engine_ends.py" in failure.stack
    assert failure.cause is not None
    assert failure.cause.cause is not None
    assert failure.cause.cause.stack == "remote stack"


def test_leaving_through_sys_exit_fails_the_workflow_and_not_the_worker() -> None:
    @holdfast.workflow
    async def leaving(ctx: Context) -> None:
        raise SystemExit(3)

    story = Story(leaving)
    story.start()
    assert story.failure.kind == "SystemExit"


def test_code_that_cancels_itself_ends_as_canceled() -> None:
    @holdfast.workflow
    async def cancelled(ctx: Context) -> None:
        raise asyncio.CancelledError

    story = Story(cancelled)
    story.start()
    assert story.end.status is Status.CANCELED


def test_what_runs_on_beside_the_end_runs_no_more() -> None:
    @holdfast.workflow
    async def leaving(ctx: Context) -> str:
        async def beside() -> None:
            await asyncio.sleep(0)
            ctx.call(charge, 99)

        task = asyncio.create_task(beside())
        del task
        await asyncio.sleep(0)
        return "left"

    story = Story(leaving)
    assert names(story.start()) == ["COMPLETED"]


def test_activities_begun_and_not_awaited_are_still_asked_for() -> None:
    @holdfast.workflow
    async def careless(ctx: Context) -> None:
        ctx.call(charge, 1)

    assert names(Story(careless).start()) == ["charge#0", "COMPLETED"]


def test_continue_as_new_takes_the_unread_events_along() -> None:
    @holdfast.workflow
    async def loop(ctx: Context, count: int) -> None:
        await ctx.event("tick")
        ctx.continue_as_new(count + 1)

    story = Story(loop)
    story.start("1")
    events = [EventReceived(at=1, name=name, source=name) for name in ("Other", "tick", "Tick", "late")]
    story.turn(*events)
    assert story.end.status is Status.CONTINUED_AS_NEW
    assert story.end.result == "2"
    assert [event.name for event in story.end.carryover] == ["Other", "Tick", "late"]


def test_continue_as_new_can_leave_the_events_behind() -> None:
    @holdfast.workflow
    async def loop(ctx: Context) -> None:
        await ctx.event("tick")
        ctx.continue_as_new(carry_events=False, version="2", tags={"a": "b"})

    story = Story(loop)
    story.start()
    story.turn(EventReceived(at=1, name="x"), EventReceived(at=1, name="tick"), EventReceived(at=1, name="y"))
    assert story.end == CompleteWorkflow(
        seq=0, status=Status.CONTINUED_AS_NEW, new_version="2", tags={"a": "b"}, carryover=()
    )


def test_continue_as_new_out_of_a_task_group_works() -> None:
    @holdfast.workflow
    async def loop(ctx: Context) -> None:
        async def inner() -> None:
            ctx.continue_as_new(7)

        async with asyncio.TaskGroup() as group:
            group.create_task(inner())

    story = Story(loop)
    story.start()
    assert story.end.status is Status.CONTINUED_AS_NEW
    assert story.end.result == "7"


def test_termination_lets_the_code_tidy_up_but_only_cancels_leave() -> None:
    tidied = []

    @holdfast.workflow
    async def stubborn(ctx: Context) -> str:
        try:
            await asyncio.gather(ctx.call(charge, 1), ctx.sleep(50), ctx.call(charge, 2))
        finally:
            tidied.append(ctx.instance_id)
            await ctx.call(refund, 1)
        return "not reached"

    story = Story(stubborn)
    story.start()
    outcome = story.turn(TerminateRequested(at=0, output='"enough"'))
    assert outcome.actions == [
        CancelActivity(seq=0),
        CancelActivity(seq=2),
        CompleteWorkflow(seq=story.end.seq, status=Status.TERMINATED, result='"enough"'),
    ]
    assert tidied


def test_facts_wait_while_suspended_and_come_in_order_after_the_resume() -> None:
    @holdfast.workflow
    async def race(ctx: Context) -> list[str]:
        got: list[str] = []
        for _ in range(3):
            got.append(await ctx.event("n", str))
        return got

    story = Story(race)
    story.start()
    story.turn(EventReceived(at=0, name="n", input='"a"'), Suspended(at=0), EventReceived(at=0, name="n", input='"b"'))
    assert names(story.raised("n", '"c"')) == []
    story.turn(Resumed(at=0))
    assert story.result == '["a","b","c"]'


def test_a_suspended_instance_can_be_terminated() -> None:
    story = Story(five)
    story.start("1")
    story.turn(Suspended(at=0))
    story.turn(TerminateRequested(at=0))
    assert story.end.status is Status.TERMINATED
