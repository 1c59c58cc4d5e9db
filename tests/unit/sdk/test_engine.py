from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

import holdfast
from holdfast import Context, Retry
from holdfast._replay.engine import Run
from holdfast.errors import HistoryMismatch
from holdfast_proto.actions import (
    CancelActivity,
    CompleteWorkflow,
    CreateTimer,
    ScheduleActivity,
    SendEvent,
    StartChild,
    StartDetached,
    TerminateInstance,
)
from holdfast_proto.history import (
    ActivityCompleted,
    EventReceived,
    HistoryEvent,
    Resumed,
    Status,
    Suspended,
    TerminateRequested,
    TimerOrigin,
    TurnStarted,
)
from tests.unit.sdk.story import BEGAN_AT, SECOND, Story, names, started


@holdfast.activity
async def charge(amount: int) -> str:
    return f"receipt for {amount}"


@holdfast.activity
def refund(amount: int) -> None:
    del amount


@holdfast.workflow
async def five(ctx: Context, amount: int) -> list[str]:
    return [await ctx.call(charge, amount + step) for step in range(5)]


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


# ---- events ----------------------------------------------------------------------------------------------------------


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


# ---- children --------------------------------------------------------------------------------------------------------


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


# ---- retries ---------------------------------------------------------------------------------------------------------


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


# ---- the end ---------------------------------------------------------------------------------------------------------


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
    assert "test_engine.py" in failure.stack
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


# ---- the rest of the context -----------------------------------------------------------------------------------------


def test_custom_status_is_sent_only_when_it_was_set_in_this_turn() -> None:
    @holdfast.workflow
    async def telling(ctx: Context) -> None:
        ctx.set_status({"step": 0})
        ctx.set_status({"step": 1})
        await ctx.event("go")
        await ctx.event("go")
        ctx.set_status(None)

    story = Story(telling)
    assert story.start().custom_status == '{"step":1}'
    assert story.raised("go").custom_status is not None
    assert not isinstance(story.outcome.custom_status, str)
    assert story.raised("go").custom_status is None


def test_chance_and_ids_are_the_same_at_each_replay_and_differ_between_runs() -> None:
    @holdfast.workflow
    async def dice(ctx: Context) -> list[str]:
        before = [str(ctx.random.random()), str(ctx.uuid4())]
        await ctx.event("go")
        return [*before, str(ctx.random.random()), str(ctx.uuid4())]

    story = Story(dice)
    story.start()
    story.crash()
    story.raised("go")
    first = story.result
    other = Story(dice)
    other.start()
    other.raised("go")
    assert other.result == first


def test_the_log_is_silent_while_the_past_is_replayed(caplog: pytest.LogCaptureFixture) -> None:
    @holdfast.workflow
    async def talking(ctx: Context) -> None:
        ctx.log.info("begun", extra={"step": 1})
        await ctx.event("go")
        ctx.log.info("ended %s", "well")

    caplog.set_level(logging.INFO, "holdfast.workflow")
    registry = Story(talking).registry
    story = Story(talking)
    story.run = Run(registry)
    new: list[HistoryEvent] = [TurnStarted(at=1), started("talking")]
    Run(registry).advance(new)
    Run(registry).advance([TurnStarted(at=2), EventReceived(at=2, name="go")], past=new)
    assert [record.message for record in caplog.records] == ["begun", "ended well"]
    assert vars(caplog.records[0])["instance_id"] == "order-7"
    assert vars(caplog.records[0])["step"] == 1


def test_code_sees_whether_it_is_replayed_only_through_the_context() -> None:
    seen: list[bool] = []

    @holdfast.workflow
    async def watching(ctx: Context) -> None:
        seen.append(ctx.is_replaying)
        await ctx.event("go")
        seen.append(ctx.is_replaying)

    story = Story(watching)
    story.start()
    seen.clear()
    Run(story.registry).advance([TurnStarted(at=story.now), EventReceived(at=0, name="go")], past=story.past)
    assert seen == [True, False]


# ---- the engine's own rules ------------------------------------------------------------------------------------------


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
