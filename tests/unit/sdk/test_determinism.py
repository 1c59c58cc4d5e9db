from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import pytest

import holdfast
from holdfast import Context, NonDeterminism, VersionNotAvailable
from holdfast.registry import Registry
from holdfast_proto.history import (
    ActivityFailed,
    ActivityScheduled,
    ChildScheduled,
    HistoryEvent,
    Status,
    TerminateRequested,
    TimerCreated,
    TurnStarted,
    WorkflowCompleted,
)
from tests.unit.sdk.story import Story, names, opened


@holdfast.activity
async def charge(amount: int) -> str:
    return str(amount)


@holdfast.activity
async def refund(amount: int) -> str:
    return str(amount)


Body = Callable[[Context], Awaitable[Any]]


def _registry(body: Body) -> Registry:
    return Registry(holdfast.workflow(name="shop")(body))


def _history(body: Body, *steps: Callable[[Story], object]) -> list[HistoryEvent]:
    """What the code of yesterday left behind."""
    story = Story(holdfast.workflow(name="shop")(body))
    story.start()
    for step in steps:
        step(story)
    return story.history


def _replay(body: Body, history: list[HistoryEvent]) -> NonDeterminism:
    with pytest.raises(NonDeterminism) as caught:
        opened(_registry(body)).replay(history)
    return caught.value


def _line_of(body: Body, text: str) -> int:
    lines, first = inspect.getsourcelines(body)
    return first + next(at for at, line in enumerate(lines) if text in line)


async def _one(ctx: Context) -> None:
    await ctx.call(charge, 1)
    await ctx.event("go")


def test_another_activity_is_named_with_its_event_file_and_line() -> None:
    async def today(ctx: Context) -> None:
        await ctx.call(refund, 1)

    error = _replay(today, _history(_one))
    assert error.event == 2
    assert error.recorded == "activity 'charge' as 0"
    assert error.done == "called activity 'refund' as 0"
    assert f"test_determinism.py:{_line_of(today, 'refund')} in " in error.where
    assert "guard the change with ctx.patched()" in str(error)


def test_an_activity_that_is_called_no_more_is_named_with_where_the_code_waits() -> None:
    async def today(ctx: Context) -> None:
        await ctx.event("go")

    error = _replay(today, _history(_one))
    assert (error.event, error.done) == (2, "did nothing more in this turn")
    assert f":{_line_of(today, 'go')} in " in error.where


def test_an_activity_too_many_in_an_old_turn_is_named() -> None:
    async def today(ctx: Context) -> None:
        ctx.call(charge, 1)
        await ctx.call(refund, 1)

    error = _replay(today, _history(_one, lambda story: story.completed(0, '"r"')))
    assert error.recorded == "TurnStarted, the next thing that arrived"
    assert error.event == 3
    assert error.done == "called activity 'refund' as 1"


def test_an_activity_too_many_in_the_last_turn_is_named() -> None:
    async def today(ctx: Context) -> None:
        await ctx.call(charge, 1)
        await ctx.call(refund, 1)

    error = _replay(today, _history(_one, lambda story: story.completed(0, '"r"')))
    assert error.recorded == "nothing more"
    assert error.event == 5
    assert f":{_line_of(today, 'refund')} in " in error.where


def test_ending_too_early_is_named() -> None:
    async def today(ctx: Context) -> None:
        await ctx.call(charge, 1)

    error = _replay(today, _history(_one, lambda story: story.completed(0, '"r"')))
    assert error.done == "ended the workflow (COMPLETED)"


def test_ending_otherwise_is_named() -> None:
    async def today(ctx: Context) -> None:
        await _one(ctx)
        raise ValueError("not any more")

    error = _replay(today, _history(_one, lambda story: story.completed(0, '"r"'), lambda story: story.raised("go")))
    assert error.recorded == "the end of the workflow (COMPLETED)"
    assert error.done == "ended the workflow (FAILED)"


def test_a_finished_history_fits_the_code_that_made_it() -> None:
    history = _history(_one, lambda story: story.completed(0, '"r"'), lambda story: story.raised("go"))
    assert isinstance(history[-1], WorkflowCompleted)
    opened(_registry(_one)).replay(history)


_REQUESTS: dict[str, Callable[[Context], object]] = {
    "started a timer as 0": lambda ctx: ctx.sleep(5),
    "started child 'other' as 0": lambda ctx: ctx.child("other"),
    "started workflow 'other' as 0": lambda ctx: ctx.start_detached("other"),
    "sent event 'paid' to 'x' as 0": lambda ctx: ctx.send_event("x", "paid"),
}


@pytest.mark.parametrize("words", _REQUESTS)
def test_each_kind_of_request_has_its_words(words: str) -> None:
    async def body(ctx: Context) -> None:
        _REQUESTS[words](ctx)
        await ctx.event("go")

    assert _replay(body, _history(_one)).done == words


@pytest.mark.parametrize(
    ("words", "held"),
    [
        ("started a timer as 0", "a timer as 0"),
        ("started child 'other' as 0", "child 'other' as 0"),
        ("sent event 'paid' to 'x' as 0", "event 'paid' sent to 'x' as 0"),
    ],
)
def test_each_kind_of_fact_has_its_words(words: str, held: str) -> None:
    async def body(ctx: Context) -> None:
        _REQUESTS[words](ctx)
        await ctx.event("go")

    assert _replay(_one, _history(body)).recorded == held


def test_a_request_made_in_a_task_is_found_where_it_is_made() -> None:
    async def deep(ctx: Context) -> str:
        return await ctx.call(refund, 2)

    async def today(ctx: Context) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(deep(ctx))

    error = _replay(today, _history(_one))
    assert f":{_line_of(deep, 'refund')} in " in error.where


def test_a_request_of_a_generator_is_found_as_well() -> None:
    def today(ctx: Context) -> Generator[Any, Any, None]:
        yield ctx.event("other")

    with pytest.raises(NonDeterminism) as caught:
        opened(Registry(holdfast.workflow(name="shop")(today))).replay(_history(_one))
    assert "test_determinism.py" in caught.value.where


def test_another_order_of_two_calls_is_found() -> None:
    async def yesterday(ctx: Context) -> None:
        await asyncio.gather(ctx.call(charge, 1), ctx.call(refund, 1))

    async def today(ctx: Context) -> None:
        await asyncio.gather(ctx.call(refund, 1), ctx.call(charge, 1))

    assert _replay(today, _history(yesterday)).event == 2


def test_other_payloads_and_times_may_change() -> None:
    async def yesterday(ctx: Context) -> None:
        await asyncio.gather(ctx.call(charge, 1), ctx.sleep(5))

    async def today(ctx: Context) -> None:
        await asyncio.gather(ctx.call(charge, 2), ctx.sleep(50))

    opened(_registry(today)).replay(_history(yesterday))


def test_an_instance_that_was_terminated_from_outside_fits() -> None:
    history = _history(_one)
    history += [
        TurnStarted(at=1),
        TerminateRequested(at=1),
        WorkflowCompleted(at=1, seq=-1, status=Status.TERMINATED),
    ]
    opened(_registry(_one)).replay(history)


# ---- repaired histories --------------------------------------------------------------------------------------------


async def _two(ctx: Context) -> str:
    first, second = await asyncio.gather(ctx.call(charge, 1), ctx.call(refund, 2))
    return first + second + await ctx.call(charge, 3)


def _rewound() -> list[HistoryEvent]:
    """charge#0 failed after refund#1 was done; the failure and its schedule were taken out."""
    history = _history(_two, lambda story: story.completed(1, '"b"'), lambda story: story.failed(0))
    return [
        event
        for event in history
        if not isinstance(event, ActivityFailed | WorkflowCompleted)
        and not (isinstance(event, ActivityScheduled) and event.seq == 0)
    ]


def test_what_a_rewound_history_lacks_is_asked_for_anew() -> None:
    history = _rewound()
    run = opened(_registry(_two))
    outcome = run.advance([TurnStarted(at=9)], past=history)
    assert names(outcome) == ["charge#0"]
    assert run.count == len(history) + 2


def test_a_rewound_history_goes_on_like_any_other() -> None:
    story = Story(holdfast.workflow(name="shop")(_two))
    story.history = _rewound()
    story.run.advance([TurnStarted(at=story.now)], past=story.history)
    again = opened(story.registry)
    again.advance([TurnStarted(at=story.now)], past=story.history)
    story.history += [
        TurnStarted(at=story.now),
        ActivityScheduled(at=story.now, seq=0, name="charge"),
    ]
    assert names(story.completed(0, '"a"')) == ["charge#2"]
    story.completed(2, '"c"')
    assert story.result == '"abc"'


def test_a_mark_of_the_sidecar_makes_a_history_repaired_too() -> None:
    history = _rewound()[:-2]
    with pytest.raises(NonDeterminism):
        opened(_registry(_two)).replay(history)
    opened(_registry(_two)).replay(history, is_repaired=True)


def test_a_rerun_gives_children_and_timers_other_values() -> None:
    async def parent(ctx: Context) -> None:
        try:
            await asyncio.wait_for(ctx.child("other"), 5)
        except TimeoutError:
            await ctx.event("never")

    story = Story(holdfast.workflow(name="shop")(parent))
    story.start()
    for at, event in enumerate(story.history):
        if isinstance(event, ChildScheduled):
            story.history[at] = ChildScheduled(at=1, seq=event.seq, instance_id="new", name="other", rerun_of="old")
        if isinstance(event, TimerCreated):
            story.history[at] = TimerCreated(at=1, seq=event.seq, fire_at=5, rerun_of="old")
    story.crash()
    outcome = story.run.advance([TurnStarted(at=9)])
    assert names(outcome) == []


# ---- patches and versions ------------------------------------------------------------------------------------------


async def _patched(ctx: Context) -> str:
    answer = await ctx.call(refund if ctx.patched("refund-first") else charge, 1)
    return f"{answer} {ctx.patched('refund-first')}"


async def _unpatched(ctx: Context) -> str:
    return await ctx.call(charge, 1)


def test_a_new_run_takes_the_patch_and_records_it() -> None:
    story = Story(holdfast.workflow(name="shop")(_patched))
    assert names(story.start()) == ["refund#0"]
    assert story.outcome.patches == ("refund-first",)
    story.crash()
    assert not story.completed(0, '"r"').patches
    assert story.result == '"r True"'


def test_an_old_run_goes_on_without_the_patch_for_good() -> None:
    story = Story(holdfast.workflow(name="shop")(_unpatched))
    story.start()
    story.registry = _registry(_patched)
    story.crash()
    story.completed(0, '"r"')
    assert story.result == '"r False"'


def test_a_turn_with_a_new_patch_names_all_patches_so_far() -> None:
    async def twice(ctx: Context) -> None:
        ctx.patched("a")
        await ctx.event("go")
        ctx.patched("b")
        await ctx.event("go")

    story = Story(holdfast.workflow(name="shop")(twice))
    assert story.start().patches == ("a",)
    assert story.raised("go").patches == ("a", "b")


def _versions(*versions: str | None) -> Registry:
    def make(version: str | None) -> Any:
        async def body(ctx: Context) -> str:
            await ctx.call(charge, 1)
            return version or "none"

        return holdfast.workflow(name="shop", version=version)(body)

    return Registry(*map(make, versions))


def _versioned(*versions: str | None, label: str | None = None) -> Story:
    story = Story(holdfast.workflow(name="shop")(_unpatched), version=label)
    story.registry = _versions(*versions)
    story.run = opened(story.registry)
    return story


def test_a_new_run_begins_with_the_newest_version_and_keeps_it() -> None:
    story = _versioned(None, "9", "10")
    assert story.start().version_name == "10"
    story.registry = _versions("10", "11")
    story.crash()
    assert story.completed(0, '"r"').version_name is None
    assert story.result == '"10"'


def test_a_run_that_began_without_a_version_stays_without() -> None:
    story = _versioned(None)
    assert story.start().version_name is None
    story.registry = _versions(None, "2")
    story.crash()
    story.completed(0, '"r"')
    assert story.result == '"none"'


def test_a_start_can_ask_for_a_version() -> None:
    story = _versioned("1", "2", label="1")
    assert story.start().version_name == "1"


def test_a_label_means_nothing_where_no_function_has_a_version() -> None:
    assert _versioned(None, label="1.2.3").start().version_name is None


@pytest.mark.parametrize(("versions", "label"), [(("1", "2"), "3"), ((None, "2"), "1")])
def test_a_version_that_the_worker_lacks_is_named(versions: tuple[str | None, ...], label: str) -> None:
    with pytest.raises(VersionNotAvailable, match=f"version '{label}'"):
        _versioned(*versions, label=label).start()


def test_a_worker_that_lost_the_version_of_a_run_says_so() -> None:
    story = _versioned("1")
    story.start()
    story.registry = _versions("2")
    with pytest.raises(VersionNotAvailable, match="keep the old version registered"):
        story.crash()


def test_a_worker_without_the_workflow_says_what_it_has() -> None:
    story = _versioned("1")
    story.name = "bakery"
    with pytest.raises(VersionNotAvailable, match="no workflow 'bakery'; it has shop"):
        story.start()
