"""The loop on which workflow code runs: what works, what is refused, and that it leaves other loops alone."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from asyncio import wait_for
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest

import holdfast
from holdfast import Context
from holdfast._replay.engine import Run
from holdfast._replay.loop import NEVER_AT
from holdfast._replay.ordered import OrderedSet
from holdfast.errors import Evicted, NotAllowedInWorkflow
from holdfast_proto.actions import CreateTimer
from holdfast_proto.history import TimerOrigin, TurnStarted
from tests.unit.sdk.story import BEGAN_AT, SECOND, Story, names, started


def _run(body: Callable[[Context], Awaitable[Any]]) -> Story:
    story = Story(holdfast.workflow(name="body")(body))
    story.start()
    return story


def _fails(body: Callable[[Context], Awaitable[Any]]) -> str:
    failure = _run(body).failure
    return f"{failure.kind}: {failure.message}"


# ---- what is refused -----------------------------------------------------------------------------------------------


_OUTSIDE: dict[str, Callable[[], Awaitable[object]]] = {
    "do it in an activity": lambda: asyncio.open_connection("127.0.0.1", 1),
    "loop.getaddrinfo()": lambda: asyncio.get_running_loop().getaddrinfo("localhost", 80),
    "loop.subprocess_exec()": lambda: asyncio.create_subprocess_exec("true"),
    "loop.run_in_executor()": lambda: asyncio.to_thread(print),
    "a plain `def` runs in a thread": lambda: asyncio.get_running_loop().run_in_executor(None, print),
}


@pytest.mark.parametrize("said", _OUTSIDE)
def test_reaching_outside_says_what_to_do_instead(said: str) -> None:
    async def body(_: Context) -> None:
        await _OUTSIDE[said]()

    text = _fails(body)
    assert text.startswith("NotAllowedInWorkflow")
    assert said in text


_REFUSED: dict[str, Callable[[Any], object]] = {
    "loop.call_soon_threadsafe() in a workflow": lambda loop: loop.call_soon_threadsafe(print),
    "loop.add_signal_handler() in a workflow": lambda loop: loop.add_signal_handler(2, print),
    "loop.add_reader() in a workflow": lambda loop: loop.add_reader(0, print),
    "a workflow's loop is run by its worker": lambda loop: loop.stop(),
    "expected a number of seconds, found NaN": lambda loop: loop.call_later(float("nan"), print),
}


@pytest.mark.parametrize("said", _REFUSED)
def test_the_loop_refuses_what_cannot_be_repeated(said: str) -> None:
    async def body(_: Context) -> None:
        _REFUSED[said](asyncio.get_running_loop())

    assert said in _fails(body)


def test_every_method_of_a_loop_works_or_refuses() -> None:
    kind = type(_run(_waiting).run.loop)
    plain = [name for name in vars(asyncio.AbstractEventLoop) if not name.startswith("__")]
    assert [name for name in plain if getattr(kind, name) is getattr(asyncio.AbstractEventLoop, name)] == []


async def _waiting(ctx: Context) -> None:
    await ctx.event("never")


def test_awaiting_a_future_of_another_loop_says_what_to_do() -> None:
    other = asyncio.new_event_loop()

    async def body(_: Context) -> None:
        await other.create_future()

    text = _fails(body)
    other.close()
    assert text.startswith("NotAllowedInWorkflow: the workflow awaited something that does not belong to it")


def test_awaiting_what_no_event_loop_knows_says_what_to_do() -> None:
    class Odd:
        def __await__(self) -> Any:
            yield 5

    async def body(_: Context) -> None:
        await Odd()

    assert "do that in an activity and await ctx.call" in _fails(body)


def test_a_context_used_outside_its_turn_is_refused() -> None:
    kept: list[Context] = []

    async def body(ctx: Context) -> None:
        kept.append(ctx)
        await ctx.event("never")

    story = _run(body)
    with pytest.raises(NotAllowedInWorkflow, match="only the workflow's own code may use it"):
        kept[0].call("charge", 1)
    story.run.close()
    with pytest.raises(Evicted):
        kept[0].call("charge", 1)


def test_a_future_touched_outside_its_turn_is_refused() -> None:
    kept: list[asyncio.Future[None]] = []

    async def body(_: Context) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        kept.append(future)
        await future

    story = _run(body)
    with pytest.raises(NotAllowedInWorkflow, match="send the workflow an event instead"):
        kept[0].set_result(None)
    story.run.close()


def test_a_turn_within_a_turn_of_the_same_run_is_refused() -> None:
    story = _run(_waiting)
    with story.run.loop, pytest.raises(RuntimeError, match="one after another"):
        story.run.loop.__enter__()


# ---- what works ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [1e300, float("inf")])
def test_a_timer_of_any_length_is_possible(seconds: float) -> None:
    async def body(_: Context) -> None:
        await asyncio.sleep(seconds)

    assert _run(body).outcome.actions == [CreateTimer(seq=0, fire_at=NEVER_AT, origin=TimerOrigin.USER)]


def test_the_loops_time_begins_at_zero_and_follows_the_turns() -> None:
    async def body(ctx: Context) -> list[float]:
        loop = asyncio.get_running_loop()
        before = loop.time()
        await ctx.event("go")
        loop.call_at(loop.time() + 0.25, print)
        return [before, loop.time()]

    story = _run(body)
    story.raised("go")
    assert story.result == "[0.0,1.0]"
    assert story.outcome.actions[0] == CreateTimer(
        seq=0, fire_at=BEGAN_AT + SECOND + SECOND // 4, origin=TimerOrigin.USER
    )


def test_results_of_wait_and_as_completed_come_in_the_order_of_making() -> None:
    async def step(number: int) -> int:
        await asyncio.sleep(0)
        return number

    async def body(_: Context) -> list[list[int]]:
        done, pending = await asyncio.wait([asyncio.create_task(step(n)) for n in range(50)])
        waited = [task.result() for task in done]
        completed = [await each for each in asyncio.as_completed([step(n) for n in range(50)])]
        return [waited, completed, [len(pending)]]

    numbers = ",".join(map(str, range(50)))
    assert _run(body).result == f"[[{numbers}],[{numbers}],[0]]"


def test_a_group_cancels_its_tasks_in_the_order_of_making() -> None:
    order: list[int] = []

    async def step(number: int) -> None:
        try:
            await asyncio.sleep(100)
        finally:
            order.append(number)

    async def body(ctx: Context) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(30):
                group.create_task(step(number))
            await ctx.event("go")
            raise ValueError

    story = _run(body)
    order.clear()
    run = Run(story.registry)
    run.advance([TurnStarted(at=1), started("body")])
    order.clear()
    run.close()
    assert order == list(reversed(range(30)))
    order.clear()
    story.raised("go")
    assert order[-30:] == list(range(30))


def test_a_dropped_task_goes_on_whatever_the_collector_does() -> None:
    async def body(ctx: Context) -> str:
        heard: list[str] = []

        async def listener() -> None:
            future = asyncio.get_running_loop().create_future()
            cycle = [future]
            cycle.append(cycle)  # type: ignore[arg-type]
            heard.append(await ctx.event("n", str))

        asyncio.create_task(listener())  # noqa: RUF006 - what is tested
        await ctx.event("go")
        return heard[0]

    story = _run(body)
    gc.collect()
    story.raised("n", '"heard"')
    gc.collect()
    story.raised("go")
    assert story.result == '"heard"'


def test_many_short_tasks_are_forgotten_again() -> None:
    async def step() -> None:
        await asyncio.sleep(0)

    async def body(ctx: Context) -> None:
        for _ in range(500):
            await asyncio.create_task(step())
        await ctx.event("never")

    run = _run(body).run
    assert len(run.loop.unfinished()) == 1
    assert len(run.loop._tasks) < 100  # pyright: ignore[reportPrivateUsage]


def test_an_async_generator_dropped_half_way_does_nothing_behind_the_workflows_back() -> None:
    closed: list[str] = []

    async def numbers() -> AsyncGenerator[int, None]:
        try:
            yield 1
            yield 2
        finally:
            closed.append("closed")

    async def body(_: Context) -> None:
        async for _number in numbers():
            break

    hooks = sys.get_asyncgen_hooks()
    _run(body)
    gc.collect()
    assert closed == []
    assert sys.get_asyncgen_hooks() == hooks


def test_tasks_are_named_by_the_run_and_not_by_the_process() -> None:
    async def body(_: Context) -> list[str]:
        task = asyncio.create_task(asyncio.sleep(0))
        await task
        current = asyncio.current_task()
        assert current is not None
        return [current.get_name(), task.get_name()]

    assert _run(body).result == _run(body).result


def test_a_failing_callback_is_reported_and_not_raised() -> None:
    reported: list[str] = []

    async def body(_: Context) -> None:
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        await asyncio.sleep(0)

    story = Story(holdfast.workflow(name="body")(body))
    run = Run(story.registry, report=lambda _, context: reported.append(repr(context.get("exception"))))
    assert names(run.advance([TurnStarted(at=1), started("body")])) == ["COMPLETED"]
    assert reported == ["ZeroDivisionError('division by zero')"]


# ---- other loops ---------------------------------------------------------------------------------------------------


def test_other_loops_keep_their_sets_and_their_wait_for() -> None:
    _run(_waiting)  # from here on asyncio is prepared for replay

    async def main() -> None:
        done, _ = await asyncio.wait([asyncio.create_task(asyncio.sleep(0, 5))])
        assert type(done) is set
        assert await wait_for(asyncio.sleep(0, "ok"), 10) == "ok"
        with pytest.raises(TimeoutError):
            await wait_for(asyncio.get_running_loop().create_future(), 0.001)
        assert sum(await asyncio.gather(asyncio.sleep(0, 1), asyncio.sleep(0, 2))) == 3
        condition = asyncio.Condition()
        async with asyncio.TaskGroup() as group:
            waiter = group.create_task(_notified(condition))
            await asyncio.sleep(0)
            async with condition:
                condition.notify()
        assert waiter.result()

    asyncio.run(main())


async def _notified(condition: asyncio.Condition) -> bool:
    async with condition:
        return await condition.wait()


def test_turns_of_different_runs_in_different_threads_do_not_meet() -> None:
    async def body(ctx: Context) -> int:
        return sum([await ctx.event("n", int) for _ in range(20)])

    results: list[str | None] = []

    def live() -> None:
        story = _run(body)
        for number in range(20):
            story.raised("n", str(number))
        results.append(story.result)

    threads = [threading.Thread(target=live) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert results == ["190"] * 4


def test_a_run_can_change_threads_between_turns() -> None:
    story = _run(_waiting)
    thread = threading.Thread(target=story.raised, args=("never",))
    thread.start()
    thread.join(30)
    assert story.outcome.has_ended


# ---- ordered sets --------------------------------------------------------------------------------------------------


def test_an_ordered_set_is_a_set_in_order_of_insertion() -> None:
    ordered = OrderedSet([3, 1, 2, 1])
    ordered.add(0)
    ordered.discard(1)
    ordered.remove(2)
    ordered |= {9}
    assert list(ordered) == [3, 0, 9]
    assert list(reversed(ordered)) == [9, 0, 3]
    assert ordered == {0, 3, 9}
    assert ordered.pop() == 3
    assert ordered.copy() | {1} == {0, 1, 9}
    assert repr(ordered) == "{0, 9}"
    ordered.clear()
    assert repr(ordered) == "set()"
    with pytest.raises(KeyError):
        ordered.pop()


def test_an_ordered_set_keeps_its_order_through_each_operator() -> None:
    ordered = OrderedSet("dcba")
    ordered -= set("c")
    assert "".join(ordered) == "dba"
    ordered ^= set("bz")
    assert "".join(ordered) == "daz"
    ordered &= set("zd")
    assert "".join(ordered) == "dz"
