"""What the context tells: status, chance, log."""

from __future__ import annotations

import logging

import pytest

import holdfast
from holdfast import Context
from holdfast._replay.engine import Run
from holdfast_proto.history import (
    EventReceived,
    HistoryEvent,
    TurnStarted,
)
from tests.unit.sdk.story import Story, started


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
