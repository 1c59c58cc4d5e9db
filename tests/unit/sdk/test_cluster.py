"""The cluster in memory: its clock, its crashes, its fakes, and what it says when nothing will happen any more."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import holdfast
from holdfast import Context, Filter, Retry, Status, Worker
from holdfast.testing import Cluster, Stuck
from holdfast.testing.fixtures import Open, holdfast_cluster
from holdfast_proto.history import HistoryEvent

__all__ = ["holdfast_cluster"]

DAY = timedelta(days=1)


@dataclass
class Order:
    item: str
    amount: int


@holdfast.activity
async def charge(order: Order) -> str:
    raise AssertionError("tests must not charge anybody")


@holdfast.activity
def pack(order: Order, box: str = "small") -> str:
    return f"{order.item} in a {box} box"


class Bank:
    def __init__(self, account: str) -> None:
        self.account = account

    @holdfast.activity(raises=[ValueError])
    async def pay(self, amount: int) -> str:
        return f"{amount} from {self.account}"


@holdfast.workflow
async def subscription(ctx: Context, months: int) -> list[str]:
    paid: list[str] = []
    for _ in range(months):
        await ctx.sleep(timedelta(days=30))
        paid.append(f"{ctx.now():%Y-%m-%d} {await ctx.call(charge, Order('magazine', 12))}")
    return paid


@holdfast.workflow
async def checkout(ctx: Context, order: Order) -> str:
    receipt = await ctx.call(charge, order, retry=Retry(attempts=5, first=60, jitter=0))
    packed = await ctx.call(pack, order)
    ctx.set_status("packed")
    carrier = await ctx.event("carrier", str, timeout=3 * DAY)
    return f"{receipt}, {packed}, by {carrier}"


def receipts(order: Order) -> str:
    return f"{order.amount} for {order.item}"


# -- time --------------------------------------------------------------------------------------------------------------


async def test_months_pass_in_milliseconds_and_the_workflow_sees_them_pass() -> None:
    began = time.monotonic()
    async with Cluster(subscription, charge) as cluster:
        cluster.fake(charge, receipts)
        assert await cluster.client.run(subscription, 3) == [
            "2030-01-31 12 for magazine",
            "2030-03-02 12 for magazine",
            "2030-04-01 12 for magazine",
        ]
        assert cluster.now() == datetime(2030, 4, 1, tzinfo=UTC)
    assert time.monotonic() - began < 5  # on a machine that does other things, too


async def test_time_stands_still_while_nobody_waits() -> None:
    async with Cluster(checkout, charge, pack) as cluster:
        cluster.fake(charge, receipts)
        handle = await cluster.client.start(checkout, Order("lamp", 30))
        await cluster.settle()
        for _ in range(100):
            await asyncio.sleep(0)
        assert (await handle.get()).custom_status == '"packed"'
        await handle.send("carrier", "train")
        assert await handle.result() == "30 for lamp, lamp in a small box, by train"
        assert cluster.now() == datetime(2030, 1, 1, tzinfo=UTC)


async def test_waiting_for_what_needs_time_lets_it_pass() -> None:
    async with Cluster(checkout, charge, pack) as cluster:
        cluster.fake(charge, receipts)
        with pytest.raises(holdfast.WorkflowFailed, match="no event 'carrier' arrived in time"):
            await cluster.client.run(checkout, Order("lamp", 30))
        assert cluster.now() == datetime(2030, 1, 4, tzinfo=UTC)


async def test_advancing_stops_at_each_moment_on_the_way() -> None:
    seen: list[datetime] = []

    async def look(order: Order) -> str:
        seen.append(cluster.now())
        return "ok"

    async with Cluster(subscription, charge) as cluster:
        cluster.fake(charge, look)
        handle = await cluster.client.start(subscription, 12)
        await cluster.advance(75 * DAY)
        assert seen == [datetime(2030, 1, 31, tzinfo=UTC), datetime(2030, 3, 2, tzinfo=UTC)]
        assert cluster.now() == datetime(2030, 3, 17, tzinfo=UTC)
        assert (await handle.get()).status is Status.RUNNING


async def test_a_held_back_start_and_a_sleeping_test_live_by_the_same_clock() -> None:
    async with Cluster(subscription, charge) as cluster:
        handle = await cluster.client.start(subscription, 0, after=DAY)
        await cluster.sleep(DAY / 2)
        assert (await handle.get()).status is Status.PENDING
        await cluster.sleep(DAY)
        assert (await handle.get()).started_at == datetime(2030, 1, 2, tzinfo=UTC)


@holdfast.workflow
async def bounded(ctx: Context, name: str) -> str:
    try:
        return await ctx.call(name, start_to_close=30, returns=str)
    except holdfast.ActivityFailed as error:
        return error.message


async def test_an_activity_that_hangs_meets_its_bound_at_once() -> None:
    async with Cluster(bounded) as cluster:
        cluster.fake("hangs", cluster.hang)
        assert "start-to-close bound of 30 s" in await cluster.client.run(bounded, "hangs")
        assert cluster.now() == datetime(2030, 1, 1, 0, 0, 30, tzinfo=UTC)


async def test_an_activity_may_take_its_time() -> None:
    async def slow() -> str:
        await cluster.sleep(29)
        return "just in time"

    async with Cluster(bounded) as cluster:
        cluster.fake("slow", slow)
        assert await cluster.client.run(bounded, "slow") == "just in time"


async def test_while_an_activity_works_in_a_thread_no_time_passes() -> None:
    @holdfast.activity
    def work() -> str:
        time.sleep(0.05)
        return "worked"

    async with Cluster(bounded, work) as cluster:
        assert await cluster.client.run(bounded, "work") == "worked"
        assert cluster.now() == datetime(2030, 1, 1, tzinfo=UTC)


# -- fakes -------------------------------------------------------------------------------------------------------------


async def test_a_fake_has_the_types_of_the_activity_and_knows_its_calls() -> None:
    async with Cluster(checkout, charge, pack) as cluster:
        charged = cluster.fake(charge, receipts)
        packed = cluster.fake(pack, lambda order, box="": f"a fake {order.item}")
        handle = await cluster.client.start(checkout, Order("lamp", 30))
        await handle.send("carrier", "train")
        assert await handle.result() == "30 for lamp, a fake lamp, by train"
        assert charged.calls == [(Order("lamp", 30),)]
        assert packed.calls == [(Order("lamp", 30),)]
        assert repr(packed) == "<fake of 'pack', called 1 times>"


async def test_a_fake_that_fails_is_tried_again_by_the_policy_over_hours() -> None:
    tries: list[datetime] = []

    def unreliable(order: Order) -> str:
        tries.append(cluster.now())
        if len(tries) < 4:
            raise ConnectionError("the bank does not answer")
        return "charged"

    async with Cluster(checkout, charge, pack) as cluster:
        cluster.fake(charge, unreliable)
        handle = await cluster.client.start(checkout, Order("lamp", 30))
        await handle.send("carrier", "train")
        assert (await handle.result()).startswith("charged")
    assert [(at - tries[0]).total_seconds() for at in tries] == [0, 60, 120, 180]


@holdfast.workflow
async def settles(ctx: Context, amount: int) -> str:
    try:
        return await ctx.call(Bank.pay, amount)
    except ValueError as error:
        return f"refused: {error}"


async def test_an_activity_of_a_class_is_faked_without_an_object_and_replaced_on_the_way() -> None:
    def refuse(amount: int) -> str:
        raise ValueError(f"{amount} is too much")

    async with Cluster(settles) as cluster:
        cluster.fake(Bank.pay, lambda amount: f"{amount} from nowhere")
        assert await cluster.client.run(settles, 7) == "7 from nowhere"
        cluster.fake(Bank.pay, refuse)
        assert await cluster.client.run(settles, 8) == "refused: 8 is too much"


async def test_what_cannot_be_faked_is_refused() -> None:
    async with Cluster(settles) as cluster:
        with pytest.raises(holdfast.HoldfastError, match="expected an activity or the name of one"):
            cluster.fake(print, lambda: None)  # type: ignore[call-overload]


# -- crashes -----------------------------------------------------------------------------------------------------------


@holdfast.workflow
async def journey(ctx: Context) -> list[Any]:
    seen: list[Any] = [await ctx.call("go", 1, returns=int)]
    await ctx.sleep(DAY)
    seen += await asyncio.gather(*(ctx.call("go", number, returns=int) for number in (2, 3)))
    seen.append(await ctx.event("arrived", str))
    seen.append(str(ctx.uuid4()))
    return seen


def go(number: int) -> int:
    return number


class Doomed:
    """Crashes something at the numbered call."""

    def __init__(self, cluster: Cluster, at: int, what: str) -> None:
        self.cluster = cluster
        self.at = at
        self.what = what
        self.calls = 0

    async def go(self, number: int) -> int:
        self.calls += 1
        if self.calls == self.at:
            await (self.cluster.crash_sidecar() if self.what == "sidecar" else self.cluster.crash_worker())
        return number


@pytest.mark.parametrize("replay_every_turn", [False, True])
@pytest.mark.parametrize("what", ["sidecar", "worker"])
@pytest.mark.parametrize("at", [1, 2, 3])
async def test_whatever_crashes_in_an_activity_the_result_is_the_same(
    at: int, what: str, replay_every_turn: bool
) -> None:
    async with Cluster(journey, replay_every_turn=replay_every_turn) as cluster:
        doomed = Doomed(cluster, at, what)
        cluster.fake("go", doomed.go)
        handle = await cluster.client.start(journey, id="journey-1")
        await handle.send("arrived", "home")
        *seen, name = await handle.result()
        history = await handle.history()
    assert seen == [1, 2, 3, "home"]
    assert name == await name_of_an_undisturbed_journey()
    assert doomed.calls >= 3
    assert history[-1].at >= history[0].at


async def name_of_an_undisturbed_journey() -> str:
    async with Cluster(journey) as cluster:
        cluster.fake("go", go)
        handle = await cluster.client.start(journey, id="journey-1")
        await handle.send("arrived", "home")
        name: str = (await handle.result())[-1]
        return name


async def test_what_was_answered_survives_a_crash_while_nobody_looks() -> None:
    async with Cluster(checkout, charge, pack) as cluster:
        cluster.fake(charge, receipts)
        handle = await cluster.client.start(checkout, Order("lamp", 30))
        await cluster.crash_sidecar(restart=False)
        sending = asyncio.ensure_future(handle.send("carrier", "train"))
        await cluster.settle()
        assert not sending.done()
        await cluster.start_sidecar()
        await sending
        await cluster.crash_worker(restart=False)
        await cluster.crash_sidecar()
        await cluster.start_worker()
        assert await handle.result() == "30 for lamp, lamp in a small box, by train"


async def test_today_s_code_takes_over_from_yesterday_s() -> None:
    @holdfast.workflow(name="plan")
    async def yesterday(ctx: Context) -> str:
        await ctx.sleep(DAY)
        return "yesterday"

    @holdfast.workflow(name="plan")
    async def today(ctx: Context) -> str:
        is_new = ctx.patched("rest more")
        await ctx.sleep(DAY)
        return "today" if is_new else "yesterday"

    async with Cluster(yesterday) as cluster:
        old = await cluster.client.start("plan")
        await cluster.settle()
        await cluster.start_worker(today)
        new = await cluster.client.start("plan")
        assert [await old.result(), await new.result()] == ["yesterday", "today"]


# -- looking into it ---------------------------------------------------------------------------------------------------


async def story() -> list[HistoryEvent]:
    async with Cluster(journey) as cluster:
        cluster.fake("go", go)
        handle = await cluster.client.start(journey)
        await handle.send("arrived", "home")
        await handle.result()
        return list(await handle.history())


async def test_the_same_test_twice_gives_the_same_history_to_the_nanosecond() -> None:
    assert await story() == await story()


async def test_lists_and_other_workers_work_as_ever() -> None:
    async with Cluster() as cluster, Worker(settles, Bank("home"), address=cluster.connection):
        for amount in range(3):
            await cluster.client.run(settles, amount, id=f"pay-{amount}")
        found = [one.id async for one in cluster.client.list(Filter(id_prefix="pay"))]
    assert found == ["pay-0", "pay-1", "pay-2"]


async def test_the_fixture_opens_clusters_and_closes_them(holdfast_cluster: Open) -> None:
    cluster = await holdfast_cluster(settles, Bank("home"), replay_every_turn=True)
    assert await cluster.client.run(settles, 5) == "5 from home"


# -- when nothing will happen ------------------------------------------------------------------------------------------


@holdfast.workflow
async def waits_for_ever(ctx: Context) -> None:
    await ctx.event("never")


async def test_a_test_that_waits_for_nothing_is_told_where_the_workflow_stands() -> None:
    async with Cluster(waits_for_ever) as cluster:
        with pytest.raises(Stuck, match=r"instance 'w' \(waits_for_ever\) is RUNNING; it waits at .*test_cluster\.py:"):
            await cluster.client.run(waits_for_ever, id="w")
        handle = cluster.client.handle("w")
        await handle.pause()
        with pytest.raises(Stuck, match="it was paused; resume it"):
            await handle.wait()


async def test_a_test_that_lacks_an_activity_is_told_so() -> None:
    async with Cluster(settles) as cluster:
        with pytest.raises(Stuck, match=r"0 turns and 1 activities wait for a worker .* or fake\(\) the activity"):
            await cluster.client.run(settles, 5)


class Counter:
    runs = 0


@holdfast.workflow
async def forgetful(ctx: Context) -> int:
    Counter.runs += 1
    if Counter.runs > 1:
        await ctx.sleep(1)
    await ctx.sleep(DAY)
    await ctx.event("x", timeout=1)
    return 0


async def test_replaying_every_turn_tells_what_depends_on_something_else() -> None:
    async with Cluster(forgetful, replay_every_turn=True) as cluster:
        with pytest.raises(Stuck, match=r"is STALLED; .* depends on something beside its history"):
            await cluster.client.run(forgetful)


async def test_a_cluster_that_is_not_open_says_how_to_open_it() -> None:
    with pytest.raises(holdfast.HoldfastError, match="async with Cluster"):
        await Cluster(settles).start_sidecar()
