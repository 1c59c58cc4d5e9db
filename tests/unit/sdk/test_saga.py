from __future__ import annotations

import asyncio

import pytest

import holdfast
from holdfast import Context, Retry
from tests.unit.sdk.story import Story, names


@holdfast.activity
async def book(what: str) -> str:
    return what


@holdfast.activity
async def cancel(what: str) -> None:
    del what


@holdfast.workflow
async def trip(ctx: Context) -> str:
    async with ctx.saga() as saga:
        saga.compensate(cancel, await ctx.call(book, "room"))
        saga.compensate(cancel, await ctx.call(book, "car"), retry=None)
        return await ctx.call(book, "flight")


def _booked() -> Story:
    story = Story(trip)
    story.start()
    story.completed(0, '"room"')
    story.completed(1, '"car"')
    return story


def _input(story: Story) -> str | None:
    return getattr(story.outcome.actions[0], "input", None)


def test_compensations_run_in_reverse_when_a_step_fails() -> None:
    story = _booked()
    assert names(story.failed(2, "SoldOut")) == ["cancel#3"]
    assert _input(story) == '"car"'
    assert names(story.completed(3)) == ["cancel#4"]
    assert _input(story) == '"room"'
    story.completed(4)
    assert story.failure.cause is not None
    assert story.failure.cause.kind == "SoldOut"


def test_nothing_is_compensated_when_all_goes_well() -> None:
    story = _booked()
    story.completed(2, '"flight"')
    assert story.result == '"flight"'


def test_a_compensation_survives_a_crash() -> None:
    story = _booked()
    story.failed(2)
    story.crash()
    assert names(story.completed(3)) == ["cancel#4"]


def test_a_failing_compensation_is_tried_again_and_does_not_stop_the_others() -> None:
    story = _booked()
    story.failed(2, "SoldOut")
    assert names(story.failed(3, "Down")) == ["cancel#4"]
    assert names(story.failed(4, "Down")) == ["timer#5"]
    assert names(story.fired(5)) == ["cancel#6"]
    story.completed(6)
    assert story.failure.kind == "CompensationFailed"
    assert "1 compensation(s) failed: activity 'cancel' (event 3) failed: Down" in story.failure.message
    assert story.failure.cause is not None
    assert story.failure.cause.kind == "ActivityFailed"


def test_a_timeout_compensates_as_well() -> None:
    @holdfast.workflow
    async def hurried(ctx: Context) -> str:
        try:
            async with asyncio.timeout(10), ctx.saga() as saga:
                saga.compensate("undo", 1, 2)
                await ctx.event("never")
        except TimeoutError:
            return "undone"
        return "not reached"

    story = Story(hurried)
    story.start()
    assert names(story.fired(0)) == ["undo#1"]
    assert _input(story) == "[1,2]"
    story.completed(1)
    assert story.result == '"undone"'


def test_continuing_as_new_compensates_nothing() -> None:
    @holdfast.workflow
    async def again(ctx: Context) -> None:
        async with ctx.saga() as saga:
            saga.compensate(cancel, "x")
            ctx.continue_as_new()

    story = Story(again)
    assert names(story.start()) == ["CONTINUED_AS_NEW"]


@pytest.mark.parametrize("retry", [Retry(attempts=1), None])
def test_the_patience_of_a_compensation_can_be_chosen(retry: Retry | None) -> None:
    @holdfast.workflow
    async def impatient(ctx: Context) -> None:
        async with ctx.saga() as saga:
            saga.compensate(cancel, "x", retry=retry)
            raise ValueError("now")

    story = Story(impatient)
    story.start()
    story.failed(0)
    assert story.failure.kind == "CompensationFailed"
