"""Steps, and the rules of the engine itself."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import weakref
from collections.abc import Generator
from typing import Any

import pytest

import holdfast
from holdfast import Context
from holdfast._replay.engine import Run
from holdfast.errors import HistoryMismatch
from holdfast_proto.actions import (
    CompleteWorkflow,
)
from holdfast_proto.history import (
    ActivityCompleted,
    TurnStarted,
)
from tests.unit.sdk.shop import charge, five
from tests.unit.sdk.story import BEGAN_AT, Story, names, started


def test_each_step_asks_for_one_activity_and_the_last_answer_ends_it() -> None:
    story = Story(five)
    assert names(story.start("10")) == ["charge#0"]
    for seq in range(4):
        assert names(story.completed(seq, f'"r{seq}"')) == [f"charge#{seq + 1}"]
    story.completed(4, '"r4"')
    assert story.result == '["r0","r1","r2","r3","r4"]'


def test_an_answer_that_comes_twice_changes_nothing_the_second_time() -> None:
    story = Story(five)
    story.start("10")
    story.completed(0, '"r0"')
    assert names(story.completed(0, '"other"')) == []


def test_a_generator_runs_like_a_coroutine() -> None:
    @holdfast.workflow
    def steps(ctx: Context, amount: int) -> Generator[Any, Any, str]:
        first: str = yield ctx.call(charge, amount)
        both: list[str] = yield asyncio.gather(ctx.call(charge, 1), ctx.call(charge, 2))
        try:
            yield ctx.call(charge, 3)
        except holdfast.ActivityFailed as error:
            return first + "".join(both) + error.kind
        return "not reached"

    story = Story(steps)
    assert names(story.start("7")) == ["charge#0"]
    assert names(story.completed(0, '"a"')) == ["charge#1", "charge#2"]
    assert names(story.completed(2, '"c"')) == []
    assert names(story.completed(1, '"b"')) == ["charge#3"]
    story.failed(3, "CardDeclined")
    assert story.result == '"abcCardDeclined"'


def test_a_generator_that_yields_something_else_is_told_what_to_yield() -> None:
    @holdfast.workflow
    def steps(ctx: Context) -> Generator[Any, Any, None]:
        yield 5

    story = Story(steps)
    story.start()
    assert story.failure.kind == "NotAllowedInWorkflow"
    assert "yielded int" in story.failure.message


def test_calls_begin_when_made_and_run_side_by_side() -> None:
    @holdfast.workflow
    async def pair(ctx: Context) -> str:
        first, second = ctx.call(charge, 1), ctx.call(charge, 2)
        return await second + await first

    story = Story(pair)
    assert names(story.start()) == ["charge#0", "charge#1"]
    story.turn(
        ActivityCompleted(at=0, seq=0, result='"a"'),
        ActivityCompleted(at=0, seq=1, result='"b"'),
    )
    assert story.result == '"ba"'


def test_a_call_can_be_given_to_a_task_group() -> None:
    @holdfast.workflow
    async def grouped(ctx: Context) -> str:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(ctx.call(charge, n)) for n in range(3)]
        return "".join(task.result() for task in tasks)

    story = Story(grouped)
    assert names(story.start()) == ["charge#0", "charge#1", "charge#2"]
    for seq in (2, 0, 1):
        story.completed(seq, f'"{seq}"')
    assert story.result == '"012"'


def test_a_failing_task_of_a_group_cancels_the_activities_of_the_others_in_order() -> None:
    @holdfast.workflow
    async def grouped(ctx: Context) -> None:
        async with asyncio.TaskGroup() as group:
            for n in range(4):
                group.create_task(ctx.call(charge, n))

    story = Story(grouped)
    story.start()
    assert names(story.failed(1)) == ["-activity#0", "-activity#2", "-activity#3", "FAILED"]
    assert story.failure.kind == "ExceptionGroup"
    assert story.failure.cause is not None
    assert story.failure.cause.kind == "ActivityFailed"


def test_a_turn_without_its_beginning_is_refused() -> None:
    with pytest.raises(HistoryMismatch, match="expected TurnStarted first, found ActivityCompleted"):
        Run(Story(five).registry).advance([ActivityCompleted(at=0, seq=0)])


def test_a_run_without_its_start_is_refused() -> None:
    with pytest.raises(HistoryMismatch, match="the whole history is needed"):
        Run(Story(five).registry).advance([TurnStarted(at=0), ActivityCompleted(at=0, seq=0)])


def test_a_turn_after_the_end_is_refused() -> None:
    @holdfast.workflow
    async def short(ctx: Context) -> None:
        return None

    story = Story(short)
    story.start()
    with pytest.raises(HistoryMismatch, match="ended run"):
        story.run.advance([TurnStarted(at=0)])


def test_a_closed_run_runs_no_code_that_leaves_anything() -> None:
    @holdfast.workflow
    async def clinging(ctx: Context) -> None:
        try:
            await ctx.event("never")
        finally:
            await ctx.call(charge, 1)

    story = Story(clinging)
    story.start()
    story.run.close()
    assert story.run.count == len(story.past)


def test_a_run_that_has_ended_leaves_nothing_to_the_collector() -> None:
    story = Story(five)
    story.start("10")
    run = Run(story.registry)
    run.advance(story.history[:2])
    for seq in range(5):
        run.advance([TurnStarted(at=BEGAN_AT), ActivityCompleted(at=BEGAN_AT, seq=seq, result='"r"')])
    assert run.has_ended
    loop = weakref.ref(run.loop)
    gc.collect()
    gc.disable()
    try:
        run.close()
        del run
        assert loop() is None
    finally:
        gc.enable()


def test_a_run_says_where_it_waits() -> None:
    story = Story(five)
    story.start("1")
    assert "in five" in story.run.where() or "five.<locals>" in story.run.where()


def test_only_activities_can_make_it_go_on() -> None:
    @holdfast.workflow
    async def mixed(ctx: Context) -> None:
        await ctx.call(charge, 1)
        await asyncio.gather(ctx.call(charge, 1), ctx.sleep(5))

    story = Story(mixed)
    story.start()
    assert story.run.waits_for_activities_only
    story.completed(0, '"x"')
    assert not story.run.waits_for_activities_only


def test_a_turn_can_run_inside_a_running_loop_and_leaves_it_as_it_was() -> None:
    async def outer() -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        story = Story(five)
        story.start("1")
        story.completed(0, '"x"')
        assert asyncio.get_running_loop() is loop
        assert asyncio.current_task() is task
        await asyncio.sleep(0)

    asyncio.run(outer())


def test_context_variables_of_the_worker_do_not_reach_the_workflow() -> None:
    variable = contextvars.ContextVar("variable", default="unset")

    @holdfast.workflow
    async def reading(ctx: Context) -> str:
        return variable.get()

    variable.set("set by the worker")
    story = Story(reading)
    story.start()
    assert story.result == '"unset"'


def test_a_payload_above_the_limit_is_refused_where_it_is_made() -> None:
    @holdfast.workflow
    async def wordy(ctx: Context) -> None:
        await ctx.call("store", "x" * 2000)

    run = Run(Story(wordy).registry, payload_bytes_max=1000)
    outcome = run.advance([TurnStarted(at=1), started("wordy")])
    end = outcome.actions[-1]
    assert isinstance(end, CompleteWorkflow)
    assert end.failure is not None
    assert end.failure.message.startswith("arguments of store(): expected at most 1000 bytes, found 2002")


def test_a_result_above_the_limit_fails_the_workflow() -> None:
    @holdfast.workflow
    async def wordy(ctx: Context) -> str:
        return "ü" * 600

    run = Run(Story(wordy).registry, payload_bytes_max=1000)
    end = run.advance([TurnStarted(at=1), started("wordy")]).actions[-1]
    assert isinstance(end, CompleteWorkflow)
    assert end.failure is not None
    assert end.failure.kind == "PayloadTooLarge"
