"""Ways to load a sidecar. Each says when the part that counts begins, and gives the times of what ended in it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count

from bench.clients import Caller

CallBack = Callable[[], None]
RETRY_S = 0.02


@dataclass
class Took:
    """Of each instance, seconds from before its start until its end was known; and what was counted besides."""

    seconds: float = 0.0  # of the part that counts
    each: list[float] = field(default_factory=list[float])
    numbers: dict[str, float] = field(default_factory=dict[str, float])


class Load:
    def __init__(self, caller: Caller, *, prefix: str, measuring: CallBack, over: CallBack) -> None:
        """The part that counts begins with `measuring` and ends with `over`; what is still open then ends after it."""
        self._caller = caller
        self._over = over
        self._prefix = prefix
        self._numbers = count()
        self._measuring = measuring
        self._is_measuring = False
        self._took = Took()
        self._began = 0.0

    async def closed(
        self,
        workflow: str,
        value: object,
        *,
        in_flight: int,
        warmup: float,
        seconds: float,
        most: int = 0,
        is_apart: bool = False,
    ) -> Took:
        """So many at a time, each started when one before has ended; ends early after `most`. `is_apart`: with a start
        that is acknowledged, and then a wait."""
        stop = asyncio.Event()

        async def one_after_another() -> None:
            while not stop.is_set():
                await self._run(workflow, value, is_apart=is_apart)
                if most and len(self._took.each) >= most:
                    stop.set()

        async with asyncio.TaskGroup() as group:
            for _ in range(in_flight):
                group.create_task(one_after_another())
            await asyncio.sleep(warmup)
            self._begin()
            try:
                async with asyncio.timeout(seconds):
                    await stop.wait()
            except TimeoutError:
                stop.set()
            self._end()
        return self._took

    async def open(self, workflow: str, value: object, *, rate: float, warmup: float, seconds: float) -> Took:
        """So many starts a second, whatever ends; the backlog is what was started and has not ended."""
        backlogs: list[int] = []
        open_now = 0

        async def run() -> None:
            nonlocal open_now
            open_now += 1
            await self._run(workflow, value)
            open_now -= 1

        async with asyncio.TaskGroup() as group:
            first = time.perf_counter()
            for number in range(round(rate * (warmup + seconds))):
                due = first + number / rate
                if not self._is_measuring and due >= first + warmup:
                    self._begin()
                if (ahead := due - time.perf_counter()) > 0:
                    await asyncio.sleep(ahead)
                group.create_task(run())
                backlogs.append(open_now)
            self._end()
        half = len(backlogs) // 2
        self._took.numbers = {
            "backlog": sum(backlogs[half:]) / max(1, len(backlogs) - half),
            "backlog_end": backlogs[-1],
            "late_ms": max(0.0, (self._began + self._took.seconds - first - warmup - seconds) * 1e3),
        }
        return self._took

    async def batch(self, workflow: str, value: object, *, number: int, in_flight: int) -> Took:
        """So many instances, started as fast as `in_flight` calls at a time allow, and waited for."""
        self._begin()
        async with asyncio.TaskGroup() as group:
            remaining = count(number, -1)

            async def next_ones() -> None:
                while next(remaining) > 0:
                    await self._run(workflow, value)

            for _ in range(min(in_flight, number)):
                group.create_task(next_ones())
        self._end()
        return self._took

    async def burst(self, workflow: str, value: object, *, number: int, in_flight: int) -> Took:
        """Only starts; each counts from its call to its acknowledgement."""
        remaining = count(number, -1)
        self._begin()

        async def next_ones() -> None:
            while next(remaining) > 0:
                began = time.perf_counter()
                await self._caller.start(workflow, value, self._id())
                self._took.each.append(time.perf_counter() - began)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(in_flight, number)):
                group.create_task(next_ones())
        self._end()
        return self._took

    async def stubborn(self, workflow: str, value: object, *, in_flight: int, seconds: float) -> Took:
        """As `closed`, but what fails is tried again until it works. `each` holds when each ended, on the clock that
        all processes of a machine share."""
        self._begin()
        deadline = time.monotonic() + seconds
        failures = 0

        async def one_after_another() -> None:
            nonlocal failures
            while time.monotonic() < deadline:
                instance_id = self._id()
                for step in (
                    lambda: self._caller.start(workflow, value, instance_id),  # noqa: B023 - called at once
                    lambda: self._caller.wait(instance_id),  # noqa: B023
                ):
                    failures += await _until_it_works(step)
                self._took.each.append(time.monotonic())

        async with asyncio.TaskGroup() as group:
            for _ in range(in_flight):
                group.create_task(one_after_another())
        self._end()
        self._took.numbers = {"failures": failures}
        return self._took

    async def events(self, ids: list[str]) -> Took:
        """Raises the event that instances wait for, and waits for their ends."""
        self._begin()

        async def release(instance_id: str) -> None:
            began = time.perf_counter()
            await self._caller.raise_event(instance_id)
            await self._caller.wait(instance_id)
            self._took.each.append(time.perf_counter() - began)

        async with asyncio.TaskGroup() as group:
            for instance_id in ids:
                group.create_task(release(instance_id))
        self._end()
        return self._took

    # -- inside ----------------------------------------------------------------------------------------------------

    async def _run(self, workflow: str, value: object, *, is_apart: bool = False) -> None:
        began = time.perf_counter()
        instance_id = self._id()
        if is_apart:
            await self._caller.start(workflow, value, instance_id)
            await self._caller.wait(instance_id)
        else:
            await self._caller.run(workflow, value, instance_id)
        if self._is_measuring:
            self._took.each.append(time.perf_counter() - began)

    def _id(self) -> str:
        return f"{self._prefix}-{next(self._numbers)}"

    def _begin(self) -> None:
        self._is_measuring = True
        self._measuring()
        self._began = time.perf_counter()

    def _end(self) -> None:
        self._took.seconds = time.perf_counter() - self._began
        self._is_measuring = False
        self._over()


async def _until_it_works(step: Callable[[], Awaitable[object]]) -> int:
    """How often it failed first."""
    for failures in count():
        try:
            await step()
        except Exception:  # noqa: BLE001 - each client has errors of its own for a sidecar that is gone
            await asyncio.sleep(RETRY_S)
        else:
            return failures
    raise AssertionError("unreachable")
