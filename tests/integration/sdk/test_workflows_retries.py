"""Tries of activities, in every way of caching."""

from __future__ import annotations

import pytest

import holdfast
from holdfast import Context, Retry, WorkflowFailed
from holdfast_proto.history import ActivityScheduled, TimerCreated
from tests.integration.sdk.app import App
from tests.integration.sdk.orders import QUICK, Refusal, Tries


@pytest.fixture
def app(app_anywhere: App) -> App:
    return app_anywhere


@holdfast.workflow
async def persistent(ctx: Context, key: str) -> int:
    return await ctx.call(Tries.flaky, key, 3, retry=QUICK)


async def test_a_failed_activity_is_tried_again_after_durable_waits(app: App) -> None:
    async with app.serving(persistent, Tries()):
        handle = await app.client.start(persistent, "a")
        assert await handle.result() == 4
        history = await handle.history()
    assert sum(isinstance(event, TimerCreated) for event in history) == 3
    tries = [event.task_execution_id for event in history if isinstance(event, ActivityScheduled)]
    assert len(tries) == 4
    assert len(set(tries)) == 1


@holdfast.workflow
async def gives_up(ctx: Context, key: str) -> str:
    try:
        await ctx.call(Tries.flaky, key, 99, retry=Retry(attempts=3, first=0.01))
    except holdfast.ActivityFailed as error:
        return f"{error.kind} {error.message} after {error.attempts}"
    return "no error"


async def test_the_last_failure_comes_out_when_the_tries_are_used_up(app: App) -> None:
    async with app.serving(gives_up, Tries()):
        assert await app.client.run(gives_up, "b") == "Flaw try 3 after 3"


@holdfast.workflow
async def refused(ctx: Context, key: str) -> str:
    try:
        await ctx.call(Tries.refuse, key, retry=Retry(first=0.01, non_retryable=[Refusal]))
    except Refusal as error:
        return f"{error}"
    return "no error"


async def test_a_declared_error_that_is_not_to_be_retried_comes_back_as_itself(app: App) -> None:
    tries = Tries()
    async with app.serving(refused, tries):
        assert await app.client.run(refused, "c") == "no to c"
    assert tries.counts == {"c": 1}


@holdfast.workflow
async def hopes(ctx: Context, key: str) -> None:
    await ctx.call(Tries.hopeless, key, retry=QUICK)


async def test_an_activity_can_say_that_trying_again_does_not_help(app: App) -> None:
    tries = Tries()
    async with app.serving(hopes, tries):
        with pytest.raises(WorkflowFailed, match="never"):
            await app.client.run(hopes, "d")
    assert tries.counts == {"d": 1}


@holdfast.workflow
async def until_deadline(ctx: Context, key: str) -> int:
    return await ctx.call(Tries.flaky, key, 99, retry=Retry(first=0.25, factor=1, deadline=1.0))


async def test_no_try_begins_after_the_deadline(app: App) -> None:
    tries = Tries()
    async with app.serving(until_deadline, tries):
        with pytest.raises(WorkflowFailed, match="Flaw"):
            await app.client.run(until_deadline, "e")
    assert 2 <= tries.counts["e"] <= 5
