"""Code that changes while instances run: patches, named versions, and changes that do not fit the history."""

from __future__ import annotations

import random
from typing import Any

import pytest

import holdfast
from holdfast import Context, Status, Workflow
from tests.integration.sdk.app import App, until, until_status


@pytest.fixture
def app(app_anywhere: App) -> App:
    return app_anywhere


@holdfast.activity
async def step(name: str) -> str:
    return name


def shopping(*steps: str, is_patched: bool = False) -> Workflow[..., Any]:
    """One more edition of the same workflow."""

    @holdfast.workflow(name="shopping")
    async def shop(ctx: Context) -> list[str]:
        found = [await ctx.call(step, "look")]
        ctx.set_status("looked")
        await ctx.event("go on")
        if is_patched and not ctx.patched("gift wrap"):
            return [*found, "as ever"]
        return found + [await ctx.call(step, name) for name in steps]

    return shop


async def test_a_patch_keeps_old_runs_on_the_old_way_and_new_ones_on_the_new(app: App) -> None:
    async with app.serving(shopping("pay"), step):
        old = await app.client.start("shopping")
        await until_status(old, "looked")
        await old.send("go on")
        await old.result()
        old = await app.client.start("shopping")
        await until_status(old, "looked")
    async with app.serving(shopping("wrap", "pay", is_patched=True), step):
        new = await app.client.start("shopping")
        await until_status(new, "looked")
        await old.send("go on")
        await new.send("go on")
        assert await new.result() == ["look", "wrap", "pay"]
        assert await old.result() == ["look", "wrap", "pay"]  # it had not come to the patch yet


@holdfast.workflow(name="rounds of review")
async def review(ctx: Context) -> list[str]:
    found = [await ctx.call(step, "read")]
    ctx.set_status("read")
    await ctx.event("go on")
    return found


@holdfast.workflow(name="rounds of review")
async def review_patched(ctx: Context) -> list[str]:
    found: list[str] = []
    if ctx.patched("ask first"):
        found.append(await ctx.call(step, "ask"))
    found.append(await ctx.call(step, "read"))
    ctx.set_status("read")
    await ctx.event("go on")
    return found


async def test_a_run_that_passed_the_place_without_the_patch_never_takes_it(app: App) -> None:
    async with app.serving(review, step):
        old = await app.client.start("rounds of review")
        await until_status(old, "read")
    async with app.serving(review_patched, step):
        new = await app.client.start("rounds of review")
        await until_status(new, "read")
        for handle in (old, new):
            await handle.send("go on")
        assert await old.result() == ["read"]
        assert await new.result() == ["ask", "read"]


@holdfast.workflow(name="delivery", version="1")
async def delivery_1(ctx: Context) -> str:
    ctx.set_status("one")
    await ctx.event("go on")
    return "by foot"


@holdfast.workflow(name="delivery", version="2")
async def delivery_2(ctx: Context) -> str:
    ctx.set_status("two")
    await ctx.event("go on")
    return "by train"


async def test_an_instance_stays_with_the_version_that_it_began_with(app: App) -> None:
    async with app.serving(delivery_1):
        old = await app.client.start("delivery")
        await until_status(old, "one")
    async with app.serving(delivery_1, delivery_2):
        new = await app.client.start("delivery")
        asked_for = await app.client.start(delivery_1)
        for handle in (old, new, asked_for):
            await handle.send("go on")
        assert [await handle.result() for handle in (old, new, asked_for)] == ["by foot", "by train", "by foot"]


async def test_an_instance_whose_version_is_gone_says_so_and_waits_for_it(app: App) -> None:
    async with app.serving(delivery_1):
        old = await app.client.start("delivery")
        await until_status(old, "one")
    async with app.serving(delivery_2):
        await old.send("go on")
        stalled = await until(old, lambda instance: instance.stall is not None)
    assert stalled.stall is not None
    assert "runs workflow 'delivery' version '1', this worker has '2'" in stalled.stall.description
    async with app.serving(delivery_1, delivery_2):
        assert await old.result() == "by foot"


async def test_code_that_does_not_fit_stalls_with_a_reason_and_goes_on_with_fitting_code(app: App) -> None:
    async with app.serving(shopping("pay"), step):
        handle = await app.client.start("shopping")
        await until_status(handle, "looked")

    @holdfast.workflow(name="shopping")
    async def wrong(ctx: Context) -> list[str]:
        return [await ctx.call(step, "look"), await ctx.call(step, "steal")]

    async with app.serving(wrong, step):
        await handle.send("go on")
        stalled = await until(handle, lambda instance: instance.status is Status.STALLED)
    assert stalled.stall is not None
    assert stalled.stall.reason == "NONDETERMINISM"
    assert "the history holds nothing more, the code called activity 'step' as 1 at " in stalled.stall.description
    assert "test_versions.py:" in stalled.stall.description
    async with app.serving(shopping("pay"), step):
        assert await handle.result() == ["look", "pay"]


@holdfast.workflow
async def gambler(ctx: Context) -> str:
    await ctx.call(step, "look")
    await ctx.call(step, str(random.random()))
    ctx.set_status("played")
    await ctx.event("never")
    return ""


async def test_replaying_every_turn_finds_what_depends_on_chance(plain: App) -> None:
    async with plain.serving(gambler, step, replay_every_turn=True):
        handle = await plain.client.start(gambler)
        stalled = await until(handle, lambda instance: instance.stall is not None)
    assert stalled.stall is not None
    assert stalled.stall.reason == "NONDETERMINISM"
    assert "depends on something beside its history" in stalled.stall.description
