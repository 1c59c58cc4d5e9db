"""What workflow code can do, with the cache on, small, off, and with a replay at every turn."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

import holdfast
from holdfast import Context, Retry, Status, WorkflowFailed
from holdfast_proto.history import ActivityCancelRequested, ActivityScheduled, TimerCanceled, TimerCreated
from tests.integration.sdk.app import LIMIT, App, until, until_status


@pytest.fixture
def app(app_anywhere: App) -> App:
    return app_anywhere


QUICK = Retry(attempts=5, first=0.02, cap=0.05)


@dataclass
class Order:
    item: str
    amount: int
    notes: list[str] = field(default_factory=list[str])
    by: datetime | None = None


@dataclass
class Receipt:
    order: Order
    total: float


class Flaw(Exception):
    """Trying again helps."""


class Refusal(Exception):
    """It does not."""


class Tries:
    """How often each thing was tried, over the life of the test process."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    @holdfast.activity
    async def flaky(self, key: str, failures: int) -> int:
        self.counts[key] = self.counts.get(key, 0) + 1
        if self.counts[key] <= failures:
            raise Flaw(f"try {self.counts[key]}")
        return self.counts[key]

    @holdfast.activity(raises=[Refusal])
    def refuse(self, key: str) -> None:
        self.counts[key] = self.counts.get(key, 0) + 1
        raise Refusal(f"no to {key}")

    @holdfast.activity
    def hopeless(self, key: str) -> None:
        self.counts[key] = self.counts.get(key, 0) + 1
        raise holdfast.NonRetryable("never")


@holdfast.activity
async def charge(order: Order, rate: float) -> Receipt:
    return Receipt(order, order.amount * rate)


@holdfast.activity
def double(number: int) -> int:
    return 2 * number


@holdfast.activity
async def shout(text: str) -> str:
    return text.upper()


class Idler:
    def __init__(self, app: App) -> None:
        self._sleep = app.sleep

    @holdfast.activity
    async def stay(self, seconds: float) -> None:
        await self._sleep(seconds)


# -- activities --------------------------------------------------------------------------------------------------------


@holdfast.workflow
async def buy(ctx: Context, order: Order) -> Receipt:
    first = await ctx.call(charge, order, 1.5)
    return await ctx.call(charge, first.order, first.total)


async def test_values_keep_their_types_on_all_ways(app: App) -> None:
    order = Order("lamp", 3, ["fragile"], datetime(2030, 1, 2, tzinfo=UTC))
    async with app.serving(buy, charge):
        assert await app.client.run(buy, order) == Receipt(order, 13.5)


@holdfast.workflow
async def spread(ctx: Context, count: int) -> list[int]:
    doubled = await asyncio.gather(*(ctx.call(double, number) for number in range(count)))
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ctx.call(double, number)) for number in doubled]
    found = [task.result() for task in tasks]
    for call in asyncio.as_completed([ctx.call(double, number) for number in range(3)]):
        found.append(await call)
    return found


async def test_asyncio_waits_for_many_at_once(app: App) -> None:
    async with app.serving(spread, double):
        found = await app.client.run(spread, 40)
    assert found[:40] == [4 * number for number in range(40)]
    assert sorted(found[40:]) == [0, 2, 4]


@holdfast.workflow
async def in_order(ctx: Context, count: int) -> str:
    text = "a"
    for _ in range(count):
        text = await ctx.call(shout, text) + "b"
    return text


async def test_a_long_chain_of_steps_ends_with_its_result(app: App) -> None:
    async with app.serving(in_order, shout):
        assert await app.client.run(in_order, 30) == "A" + "B" * 29 + "b"


# -- retries -----------------------------------------------------------------------------------------------------------


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
    return await ctx.call(Tries.flaky, key, 99, retry=Retry(first=0.05, factor=1, deadline=0.2))


async def test_no_try_begins_after_the_deadline(app: App) -> None:
    tries = Tries()
    async with app.serving(until_deadline, tries):
        with pytest.raises(WorkflowFailed, match="Flaw"):
            await app.client.run(until_deadline, "e")
    assert 2 <= tries.counts["e"] <= 5


# -- time --------------------------------------------------------------------------------------------------------------


@holdfast.workflow
async def sleeps(ctx: Context) -> list[float]:
    began = ctx.now()
    await ctx.sleep(0.05, name="nap")
    await asyncio.sleep(0.05)
    await ctx.sleep_until(ctx.now() + timedelta(milliseconds=50))
    await ctx.sleep(0)
    return [(ctx.now() - began).total_seconds()]


async def test_timers_of_every_kind_fire_in_their_time(app: App) -> None:
    async with app.serving(sleeps):
        handle = await app.client.start(sleeps)
        (slept,) = await handle.result()
        history = await handle.history()
    assert 0.15 <= slept < LIMIT
    assert [event.name for event in history if isinstance(event, TimerCreated)] == ["nap", None, None, None]


@holdfast.workflow
async def impatient(ctx: Context) -> str:
    try:
        async with asyncio.timeout(0.1):
            await ctx.call(Idler.stay, LIMIT)
    except TimeoutError:
        return "too slow"
    return "in time"


async def test_a_timeout_around_an_activity_asks_it_to_stop(app: App) -> None:
    async with app.serving(impatient, Idler(app)):
        handle = await app.client.start(impatient)
        assert await handle.result() == "too slow"
        history = await handle.history()
    assert any(isinstance(event, ActivityCancelRequested) for event in history)


@holdfast.workflow
async def first_of_two(ctx: Context) -> int:
    work = ctx.call(double, 21)
    alarm = asyncio.create_task(asyncio.sleep(3600))
    both: list[asyncio.Future[Any]] = [work, alarm]
    done, pending = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    for waiting in pending:
        waiting.cancel()
    await ctx.sleep(0.01)
    return sum(one.result() for one in done)


async def test_a_timer_that_lost_the_race_is_cancelled(app: App) -> None:
    async with app.serving(first_of_two, double):
        handle = await app.client.start(first_of_two)
        assert await handle.result() == 42
        history = await handle.history()
    assert any(isinstance(event, TimerCanceled) for event in history)


@holdfast.workflow
async def chance(ctx: Context) -> tuple[float, UUID, datetime]:
    number, name = ctx.random.random(), ctx.uuid4()
    for _ in range(3):
        await ctx.call(double, 1)
    assert (ctx.random.random(), ctx.uuid4()) != (number, name)
    return number, name, ctx.now()


async def test_chance_and_time_are_the_workflow_s_own(app: App) -> None:
    async with app.serving(chance, double):
        one, other = await asyncio.gather(app.client.run(chance), app.client.run(chance))
    assert one != other
    assert one[2].tzinfo is UTC


# -- events ------------------------------------------------------------------------------------------------------------


@holdfast.workflow
async def listens(ctx: Context) -> list[Any]:
    ctx.set_status("listening")
    order = await ctx.event("order", Order)
    await ctx.event("go")
    letters = [await ctx.event("letter", str) for _ in range(3)]
    try:
        letters.append(await ctx.event("letter", str, timeout=0.05))
    except TimeoutError as error:
        letters.append(str(error))
    return [order.amount, *letters]


async def test_events_are_typed_kept_until_asked_for_and_in_order_by_name(app: App) -> None:
    async with app.serving(listens):
        handle = await app.client.start(listens)
        await handle.send("letter", "a")
        await until_status(handle, "listening")
        await handle.send("letter", "b")
        await handle.send("order", Order("lamp", 7))
        await handle.send("letter", "c")
        await handle.send("go")
        assert await handle.result() == [7, "a", "b", "c", "no event 'letter' arrived in time"]


@holdfast.workflow
async def misled(ctx: Context) -> str:
    try:
        await ctx.event("order", Order)
    except holdfast.PayloadError as error:
        return str(error)
    return ""


async def test_an_event_of_another_type_names_the_field(app: App) -> None:
    async with app.serving(misled):
        handle = await app.client.start(misled)
        await handle.send("order", {"item": "lamp", "amount": "many"})
        assert await handle.result() == "event 'order': expected int at $.amount, found str \"many\""


# -- other workflows ---------------------------------------------------------------------------------------------------


@holdfast.workflow
async def child(ctx: Context, number: int) -> int:
    assert ctx.parent is not None
    if number < 0:
        raise Refusal("negative")
    return await ctx.call(double, number)


@holdfast.workflow
async def parent(ctx: Context, numbers: list[int]) -> list[Any]:
    found: list[Any] = await asyncio.gather(*(ctx.child(child, number) for number in numbers), return_exceptions=True)
    return [f"{one.kind}: {one.message}" if isinstance(one, holdfast.ChildFailed) else one for one in found]


async def test_children_give_their_results_and_their_failures(app: App) -> None:
    async with app.serving(parent, child, double):
        assert await app.client.run(parent, [1, -1, 2]) == [2, "Refusal: negative", 4]


@holdfast.workflow
async def endless(ctx: Context) -> None:
    await ctx.event("never")


@holdfast.workflow
async def short_of_patience(ctx: Context) -> str:
    waiting = ctx.child(endless, id=f"{ctx.instance_id}-child")
    await ctx.sleep(0.02)
    waiting.cancel()
    return "done"


async def test_a_child_that_nobody_waits_for_any_more_is_terminated(app: App) -> None:
    async with app.serving(short_of_patience, endless):
        handle = await app.client.start(short_of_patience)
        assert await handle.result() == "done"
        left = await app.client.handle(f"{handle.id}-child").wait()
    assert left.status is Status.TERMINATED


@holdfast.workflow
async def answers(ctx: Context, caller: str) -> None:
    assert ctx.parent is None
    ctx.send_event(caller, "answer", ctx.instance_id)


@holdfast.workflow
async def asks(ctx: Context) -> str:
    other = ctx.start_detached(answers, ctx.instance_id)
    assert await ctx.event("answer", str) == other
    return "answered"


async def test_a_detached_workflow_lives_on_its_own_and_they_can_talk(app: App) -> None:
    async with app.serving(asks, answers):
        assert await app.client.run(asks) == "answered"


# -- the run itself ----------------------------------------------------------------------------------------------------


@dataclass
class Round:
    number: int
    letters: list[str] = field(default_factory=list[str])


@holdfast.workflow
async def rounds(ctx: Context, state: Round) -> list[str]:
    if state.number == 0:
        await ctx.event("go")
    while len(state.letters) < state.number:
        state.letters.append(await ctx.event("letter", str))
    if state.number < 4:
        ctx.continue_as_new(Round(state.number + 1, state.letters))
    return state.letters


async def test_continuing_as_new_takes_the_events_along(app: App) -> None:
    async with app.serving(rounds):
        handle = await app.client.start(rounds, Round(0))
        for letter in "abcd":
            await handle.send("letter", letter)
        await handle.send("go")
        assert await handle.result() == ["a", "b", "c", "d"]
        assert (await handle.get()).generation == 5


@holdfast.workflow
async def tells(ctx: Context) -> None:
    ctx.set_status({"step": 1})
    await ctx.event("next")
    ctx.set_status(None)
    await ctx.event("next")
    ctx.set_status("over")


async def test_the_custom_status_follows_the_code(app: App) -> None:
    async with app.serving(tells):
        handle = await app.client.start(tells)
        await until(handle, lambda instance: instance.custom_status == '{"step":1}')
        await handle.send("next")
        await until(handle, lambda instance: instance.custom_status is None)
        await handle.send("next")
        assert (await handle.wait()).custom_status == '"over"'


@holdfast.activity
async def book(what: str) -> str:
    if what == "flight":
        raise Refusal("no seats")
    return f"{what} booked"


class Office:
    def __init__(self) -> None:
        self.canceled: list[str] = []

    @holdfast.activity
    async def cancel(self, booking: str) -> None:
        self.canceled.append(booking)


@holdfast.workflow
async def travel(ctx: Context, parts: list[str]) -> str:
    async with ctx.saga() as saga:
        for part in parts:
            booking = await ctx.call(book, part)
            saga.compensate(Office.cancel, booking)
    return "bon voyage"


async def test_a_saga_undoes_in_reverse_what_was_done(app: App) -> None:
    office = Office()
    async with app.serving(travel, book, office):
        assert await app.client.run(travel, ["room", "car"]) == "bon voyage"
        with pytest.raises(WorkflowFailed, match="no seats"):
            await app.client.run(travel, ["room", "car", "flight"])
    assert office.canceled == ["car booked", "room booked"]


@holdfast.workflow
def by_yields(ctx: Context, number: int) -> Generator[Any, Any, int]:
    doubled: int = yield ctx.call(double, number)
    both: list[int] = yield asyncio.gather(ctx.call(double, doubled), ctx.call(double, 1))
    try:
        yield ctx.event("never", timeout=0.02)
    except TimeoutError:
        return sum(both)
    return 0


async def test_a_generator_workflow_waits_by_yielding(app: App) -> None:
    async with app.serving(by_yields, double):
        assert await app.client.run(by_yields, 10) == 42


@holdfast.workflow
async def careless(ctx: Context) -> None:
    await ctx.call(shout, "x")
    raise Refusal("of the workflow")


async def test_a_failure_carries_the_traceback_to_the_line_that_raised(app: App) -> None:
    async with app.serving(careless, shout):
        with pytest.raises(WorkflowFailed) as caught:
            await app.client.run(careless)
    assert caught.value.kind == "Refusal"
    assert caught.value.stack is not None
    assert 'raise Refusal("of the workflow")' in caught.value.stack
    assert "test_workflows.py" in caught.value.stack


# -- steering from outside ---------------------------------------------------------------------------------------------


@holdfast.workflow
async def steered(ctx: Context) -> list[str]:
    ctx.set_status("ready")
    return [await ctx.event("letter", str), await ctx.call(shout, "b")]


async def test_a_paused_instance_keeps_what_comes_and_goes_on_when_resumed(app: App) -> None:
    async with app.serving(steered, shout):
        handle = await app.client.start(steered)
        await until_status(handle, "ready")
        await handle.pause("lunch")
        await handle.send("letter", "a")
        assert (await handle.get()).status is Status.SUSPENDED
        await handle.resume()
        assert await handle.result() == ["a", "B"]


@holdfast.workflow
async def keeps_going(ctx: Context) -> None:
    ctx.set_status("ready")
    await ctx.child(endless, id=f"{ctx.instance_id}-child")


async def test_terminating_ends_the_instance_and_its_children(app: App) -> None:
    async with app.serving(keeps_going, endless):
        handle = await app.client.start(keeps_going)
        await until_status(handle, "ready")
        await handle.terminate({"why": "enough"})
        with pytest.raises(holdfast.WorkflowCanceled, match="terminated"):
            await handle.result()
        assert (await handle.get()).output == '{"why":"enough"}'
        child_of_it = await app.client.handle(f"{handle.id}-child").wait()
    assert child_of_it.status is Status.TERMINATED
