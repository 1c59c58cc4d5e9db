"""Running activities: where they run, how long they may, how they are told to stop, what they tell of themselves."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import pytest

import holdfast
from holdfast import ActivityFailed, Context, Retry, WorkflowFailed, current_activity
from tests.integration.sdk.app import LIMIT, App


@dataclass
class Notes:
    """What activities of this process saw. One per test, so that none hears of another's."""

    began: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    seen: list[Any] = field(default_factory=list[Any])

    async def wait(self, event: asyncio.Event) -> None:
        async with asyncio.timeout(LIMIT):
            await event.wait()


class Slow:
    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        self.loop = asyncio.get_running_loop()

    @holdfast.activity
    async def hang(self) -> str:
        self.notes.began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.notes.seen.append("cancelled")
            raise
        finally:
            self.notes.ended.set()
        return "never"

    @holdfast.activity
    def hang_in_thread(self) -> str:
        """Looks now and then whether it shall stop."""
        info = current_activity()
        self.loop.call_soon_threadsafe(self.notes.began.set)
        while not info.is_canceled:
            time.sleep(0.01)
        self.notes.seen.append(threading.current_thread().name)
        self.loop.call_soon_threadsafe(self.notes.ended.set)
        return "stopped"

    @holdfast.activity
    def beat_in_thread(self) -> str:
        self.loop.call_soon_threadsafe(self.notes.began.set)
        try:
            while True:
                current_activity().heartbeat()
                time.sleep(0.01)
        except holdfast.ActivityCanceled as error:
            self.notes.seen.append(str(error))
            self.loop.call_soon_threadsafe(self.notes.ended.set)
            raise

    @holdfast.activity
    async def fall_silent(self) -> str:
        info = current_activity()
        self.notes.seen.append(info.details_as(dict[str, int]))
        if info.heartbeat_details is not None:
            return "heard"
        for at in range(3):
            info.heartbeat({"at": at})
            await asyncio.sleep(0.01)
        self.notes.ended.set()  # all that it ever will say
        await asyncio.Event().wait()
        return "never"

    @holdfast.activity
    async def keep_beating(self, seconds: float) -> str:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            current_activity().heartbeat()
            await asyncio.sleep(0.02)
        return "done"


@pytest.fixture
async def notes() -> Notes:
    return Notes()


# -- stopping ----------------------------------------------------------------------------------------------------------


@holdfast.workflow
async def changes_its_mind(ctx: Context, name: str) -> str:
    work = ctx.call(name, returns=str)
    ctx.set_status("waiting")
    await ctx.event("enough")
    work.cancel()
    try:
        await work
    except asyncio.CancelledError:
        return "cancelled"
    return "done"


@pytest.mark.parametrize("name", ["hang", "hang_in_thread", "beat_in_thread"])
async def test_cancelling_reaches_the_running_activity(app: App, notes: Notes, name: str) -> None:
    async with app.serving(changes_its_mind, Slow(notes)):
        handle = await app.client.start(changes_its_mind, name)
        await notes.wait(notes.began)
        await handle.send("enough")
        assert await handle.result() == "cancelled"
        await notes.wait(notes.ended)
    assert len(notes.seen) == 1


@holdfast.workflow
async def hangs(ctx: Context, name: str) -> str:
    return await ctx.call(name, returns=str)


@pytest.mark.parametrize("name", ["hang", "hang_in_thread"])
async def test_terminating_a_workflow_stops_what_it_runs(app: App, notes: Notes, name: str) -> None:
    async with app.serving(hangs, Slow(notes)):
        handle = await app.client.start(hangs, name)
        await notes.wait(notes.began)
        await handle.terminate()
        await notes.wait(notes.ended)
    assert len(notes.seen) == 1


@holdfast.workflow
async def cancels_unstarted(ctx: Context) -> str:
    work = ctx.call("nobody has this", schedule_to_start=30)
    await ctx.sleep(0.02)
    work.cancel()
    return "cancelled"


async def test_an_activity_that_never_ran_is_cancelled_too(app: App) -> None:
    async with app.serving(cancels_unstarted):
        assert await app.client.run(cancels_unstarted) == "cancelled"


# -- bounds ------------------------------------------------------------------------------------------------------------


@holdfast.workflow
async def bounded(ctx: Context, seconds: float) -> str:
    try:
        return await ctx.call(Slow.hang, start_to_close=seconds)
    except ActivityFailed as error:
        return f"{error.kind}: {error.message}"


async def test_an_activity_that_takes_too_long_is_given_up_and_told(app: App, notes: Notes) -> None:
    async with app.serving(bounded, Slow(notes)):
        assert await app.client.run(bounded, 0.1) == (
            "ActivityTimeout: activity 'hang': no answer within its start-to-close bound of 0.1 s"
        )
        await notes.wait(notes.ended)
    assert notes.seen == ["cancelled"]


@holdfast.workflow
async def unserved(ctx: Context) -> str:
    try:
        return await ctx.call("nobody has this", schedule_to_start=0.1, returns=str)
    except ActivityFailed as error:
        return error.message


async def test_an_activity_that_no_worker_takes_is_given_up(app: App) -> None:
    async with app.serving(unserved):
        assert "schedule-to-start bound of 0.1 s" in await app.client.run(unserved)


@holdfast.workflow
async def monitored(ctx: Context) -> str:
    return await ctx.call(Slow.fall_silent, heartbeat=0.3, retry=Retry(attempts=2, first=0.01))


async def test_an_activity_that_falls_silent_is_given_up(app: App, notes: Notes) -> None:
    async with app.serving(monitored, Slow(notes)):
        with pytest.raises(WorkflowFailed, match=r"heartbeat bound of 0\.3 s"):
            await app.client.run(monitored)
    assert notes.seen == [None, None]  # a retry is a new call: details are for a sending that is repeated


@holdfast.workflow
async def lively(ctx: Context) -> str:
    return await ctx.call(Slow.keep_beating, 2.0, heartbeat=1.0)


async def test_heartbeats_keep_an_activity_alive_beyond_its_bound(app: App, notes: Notes) -> None:
    async with app.serving(lively, Slow(notes)):
        assert await app.client.run(lively) == "done"


async def test_what_an_activity_reported_last_reaches_its_next_sending(plain: App, notes: Notes) -> None:
    handle = await plain.client.start("patient")

    @holdfast.workflow
    async def patient(ctx: Context) -> str:
        return await ctx.call(Slow.fall_silent)

    async with plain.serving(patient, Slow(notes), drain_limit=0.3):
        await notes.wait(notes.ended)
    async with plain.serving(patient, Slow(notes)):
        assert await handle.result() == "heard"
    assert notes.seen == [None, {"at": 2}]


# -- where they run ----------------------------------------------------------------------------------------------------


@holdfast.activity(in_process=True)
def burn(number: int) -> tuple[int, int]:
    return os.getpid(), number * number


@holdfast.activity(in_process=True)
def break_down() -> None:
    os._exit(3)


@holdfast.activity(in_process=True)
def fail_there(text: str) -> None:
    raise ValueError(text)


@dataclass
class Factory:
    """Sent along to the process."""

    name: str

    @holdfast.activity(in_process=True)
    def produce(self, what: str) -> str:
        return f"{what} of {self.name}"


@holdfast.workflow
async def heavy(ctx: Context) -> list[Any]:
    there, squared = await ctx.call(burn, 12)
    made = await ctx.call(Factory.produce, "shoes")
    try:
        await ctx.call(break_down)
    except ActivityFailed as error:
        broken = error.kind
    else:
        broken = ""
    again = await ctx.call(burn, 2)
    try:
        await ctx.call(fail_there, "no fuel")
    except ActivityFailed as error:
        failed = error.failure
        return [there, squared, made, broken, again[1], failed.kind, failed.message, f"{failed.stack}{failed.cause}"]
    return []


async def test_work_that_keeps_a_core_busy_runs_in_a_process_of_its_own(plain: App) -> None:
    async with plain.serving(heavy, burn, break_down, fail_there, Factory("Ulm"), processes=1):
        there, *found, stack = await plain.client.run(heavy)
    assert there != os.getpid()
    assert found == [144, "shoes of Ulm", "ProcessLost", 4, "ValueError", "no fuel"]
    assert "raise ValueError(text)" in stack


@holdfast.workflow
async def ill_suited(ctx: Context) -> list[str]:
    found: list[str] = []
    for name in ("lend", "lock_up"):
        try:
            await ctx.call(name)
        except ActivityFailed as error:
            found.append(f"{error.kind}: {error.message}")
    return found


class Locker:
    def __init__(self) -> None:
        self.lock = threading.Lock()

    @holdfast.activity(in_process=True)
    def lock_up(self) -> None: ...


@holdfast.activity(in_process=True)
def lend() -> Any:
    return threading.Lock()


async def test_what_cannot_be_sent_to_a_process_says_what_to_do(plain: App) -> None:
    async with plain.serving(ill_suited, lend, Locker(), processes=1):
        found = await plain.client.run(ill_suited)
    assert found[0].startswith("NotForProcesses: activity 'lend': expected what can be sent to another process, found:")
    assert found[1].startswith("NotForProcesses: activity 'lock_up': expected what can be sent to another process")


def test_an_activity_for_processes_that_they_cannot_find_is_refused() -> None:
    @holdfast.activity(in_process=True)
    def local() -> None: ...

    with pytest.raises(holdfast.DefinitionError, match="expected a function at module level"):
        holdfast.Worker(local)


class Meter:
    """Counts how many run side by side."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.now = self.most = 0

    @holdfast.activity
    def work(self) -> None:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.02)
        with self.lock:
            self.now -= 1


@holdfast.workflow
async def crowd(ctx: Context, count: int) -> None:
    await asyncio.gather(*(ctx.call("work") for _ in range(count)))


@pytest.mark.parametrize("options", [{"activity_slots": 3}, {"threads": 3}], ids=["slots", "threads"])
async def test_no_more_run_side_by_side_than_there_is_room_for(plain: App, options: dict[str, int]) -> None:
    meter = Meter()
    async with plain.serving(crowd, meter, **options):
        await plain.client.run(crowd, 20)
    assert meter.most == 3


# -- what can go wrong -------------------------------------------------------------------------------------------------


class Trouble:
    @holdfast.activity
    async def exits(self) -> None:
        sys.exit(5)

    @holdfast.activity
    def exits_in_thread(self) -> None:
        sys.exit(5)

    @holdfast.activity
    def stops_iterating(self) -> None:
        raise StopIteration

    @holdfast.activity
    async def cancels_itself(self) -> None:
        raise asyncio.CancelledError

    @holdfast.activity
    async def cancels_inside(self) -> None:
        async def hang() -> None:
            await asyncio.Event().wait()

        task = asyncio.ensure_future(hang())
        asyncio.get_running_loop().call_soon(task.cancel)
        await task

    @holdfast.activity
    async def gives_nonsense(self) -> object:
        return object()

    @holdfast.activity
    async def gives_much(self) -> str:
        return "x" * 5_000_000

    @holdfast.activity
    async def nested(self) -> None:
        try:
            raise ValueError("inner")
        except ValueError as error:
            raise RuntimeError("outer") from error


@holdfast.workflow
async def tries(ctx: Context, name: str) -> str:
    try:
        await ctx.call(name, retry=Retry(attempts=2, first=0.01))
    except ActivityFailed as error:
        cause = f" from {error.cause.kind}: {error.cause.message}" if error.cause else ""
        return f"{error.attempts} {error.kind}: {error.message}{cause}"
    return "fine"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("exits", "2 SystemExit: 5"),
        ("exits_in_thread", "2 SystemExit: 5"),
        ("stops_iterating", "2 RuntimeError: coroutine raised StopIteration from StopIteration: "),
        ("cancels_itself", "2 CancelledError: "),
        ("cancels_inside", "2 CancelledError: "),
        ("gives_nonsense", "1 PayloadError: result of gives_nonsense(): a value of type object cannot be written"),
        ("gives_much", "1 PayloadTooLarge: result of gives_much(): expected at most 4128768 bytes, found 5000002"),
        ("nested", "2 RuntimeError: outer from ValueError: inner"),
    ],
)
async def test_whatever_an_activity_ends_with_is_its_answer(plain: App, name: str, expected: str) -> None:
    async with plain.serving(tries, Trouble()):
        assert (await plain.client.run(tries, name)).startswith(expected)
        assert await plain.client.run(tries, "nested")  # the worker lives


@holdfast.workflow
async def curious(ctx: Context) -> dict[str, Any]:
    return await ctx.call("introduce", tags={"colour": "blue"}, returns=dict[str, Any])


@holdfast.activity
async def introduce() -> dict[str, Any]:
    info = current_activity()
    return {"name": info.name, "id": info.instance_id, "seq": info.seq, "try": info.attempt, "tags": info.tags}


async def test_an_activity_knows_the_call_that_it_serves(app: App) -> None:
    async with app.serving(curious, introduce):
        handle = await app.client.start(curious)
        assert await handle.result() == {
            "name": "introduce",
            "id": handle.id,
            "seq": 0,
            "try": 1,
            "tags": {"colour": "blue"},
        }


def test_outside_an_activity_there_is_no_call_to_know() -> None:
    with pytest.raises(holdfast.HoldfastError, match="expected to run inside an activity"):
        current_activity()


@holdfast.workflow
async def blocks(ctx: Context) -> None:
    ctx.set_status("blocked")
    time.sleep(0.3)  # noqa: ASYNC251 - the mistake that is looked for


async def test_a_workflow_that_holds_the_worker_is_reported_with_its_stack(
    plain: App, caplog: pytest.LogCaptureFixture
) -> None:
    async with plain.serving(blocks, blocked_after=0.1):
        handle = await plain.client.start(blocks)
        await handle.result()
    (record,) = [record for record in caplog.records if "blocks the worker" in record.getMessage()]
    assert handle.id in record.getMessage()
    assert "time.sleep(0.3)" in record.getMessage()
