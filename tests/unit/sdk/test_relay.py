"""The tasks of a worker's activities: one for all that do not wait, one each for those that do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from holdfast._worker.relay import Relay

Item = Callable[[], Awaitable[Any]]
mark: ContextVar[str] = ContextVar("mark", default="nobody's")


class Course:
    """Runs items through a relay and keeps what they gave, which task each ran in, and how often the relay rested."""

    def __init__(self) -> None:
        self.results: list[Any] = []
        self.tasks: list[asyncio.Task[Any] | None] = []
        self.rests = 0

    async def run(self, *items: Item) -> None:
        async with asyncio.TaskGroup() as group:
            relay = Relay[Item](group, self._one, self._rest)
            self._relay = relay
            for item in items:
                relay.put(item)

    async def _one(self, item: Item) -> None:
        self.tasks.append(asyncio.current_task())
        try:
            self.results.append(await self._relay.until_done(item()))
        except Exception as error:  # noqa: BLE001 - as an activity's
            self.results.append(repr(error))

    def _rest(self) -> None:
        self.rests += 1


async def _marked() -> str:
    return mark.get()


async def _leaves_a_mark() -> None:
    mark.set("mine")


async def test_what_does_not_wait_shares_a_task_and_is_handed_on_together() -> None:
    course = Course()
    await course.run(_marked, _marked, _marked)
    assert len(set(course.tasks)) == 1
    assert course.rests == 1


async def test_what_waits_keeps_its_task_and_holds_nobody_up() -> None:
    course, released = Course(), asyncio.Event()

    async def waits() -> str:
        await released.wait()
        return "waited"

    async def releases() -> str:
        released.set()
        return "released"

    await course.run(waits, releases, _marked)
    assert course.results == ["released", "nobody's", "waited"]
    assert course.tasks[0] not in course.tasks[1:]


async def test_what_one_leaves_in_its_context_does_not_reach_the_next() -> None:
    course = Course()
    await course.run(_leaves_a_mark, _marked)
    assert course.results == [None, "nobody's"]


async def test_a_timeout_ends_only_what_it_is_around() -> None:
    course = Course()

    async def times_out() -> None:
        async with asyncio.timeout(0.001):
            await asyncio.Event().wait()

    await course.run(times_out, times_out, _marked)
    assert sorted(map(str, course.results)) == ["TimeoutError()", "TimeoutError()", "nobody's"]


async def test_a_cancellation_that_one_asks_for_and_does_not_wait_for_is_not_the_next_ones() -> None:
    course = Course()

    async def cancels_itself() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()

    async def waits() -> str:
        await asyncio.sleep(0)
        return "well"

    await course.run(cancels_itself, waits)
    assert course.results == [None, "well"]


async def test_errors_reach_what_waited_for_them() -> None:
    course = Course()
    failing: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def recovers() -> str:
        try:
            await failing
        except ValueError:
            await asyncio.sleep(0)
            return "recovered"
        return "never failed"

    async def fails() -> None:
        failing.set_exception(ValueError())

    await course.run(recovers, fails)
    assert course.results == [None, "recovered"]


async def test_what_is_awaitable_but_no_coroutine_may_wait_as_well() -> None:
    future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    future.set_result("given")
    course = Course()
    await course.run(lambda: future, _marked)
    assert sorted(course.results) == ["given", "nobody's"]
