"""A client of a simulated world: starts an instance, feeds it what it waits for, remembers what it was promised."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count
from typing import TYPE_CHECKING

from holdfast_sidecar.actors.engine import Engine, StartRequest
from holdfast_sidecar.core.errors import HoldfastError, Kind
from holdfast_sidecar.core.state import View
from tests.simulation.disk import Life, Violation
from tests.simulation.program import NAME, Plan, encode_plan, waits_of

if TYPE_CHECKING:
    from tests.simulation.stage import Stage

PATIENCE = 4.0  # seconds for one call; then it is made again, as people do


class Client:
    def __init__(self, world: Stage, instance_id: str, plan: Plan) -> None:
        self._world = world
        self._rng = world.rng
        self.id = instance_id
        self.plan = plan
        self.story = f"client of {instance_id}: has not begun"
        self.is_done = False
        self.is_terminated = False
        self.view: View | None = None
        self._is_hurried = asyncio.Event()

    def begin(self) -> None:
        self._world.spawn(self._live())

    def hurry(self) -> None:
        self._is_hurried.set()

    async def _live(self) -> None:
        rng = self._rng
        execution_id = f"x-{self.id}"
        scheduled_at = None
        if rng.random() < 0.2:
            scheduled_at = self._now_ns() + rng.choice([-5, 1, 10]) * 1_000_000_000
        request = StartRequest(
            name=NAME,
            instance_id=self.id,
            input=encode_plan(self.plan),
            execution_id=execution_id,
            scheduled_at=scheduled_at,
            may_wait=rng.random() < 0.5,
        )
        await self._until_ok("start", lambda engine: engine.start(request))
        self._promise(execution_id in self._life_executions(), "the start was acknowledged and is not kept")
        async with asyncio.TaskGroup() as group:
            for name in waits_of(self.plan):
                group.create_task(self._feed(name))
            if rng.random() < 0.3:
                group.create_task(self._suspend())
            if rng.random() < 0.15:
                group.create_task(self._terminate())
            group.create_task(self._wait())
        self.is_done = True
        self.story = f"client of {self.id}: done"

    def feed_only(self) -> None:
        """Somebody else has started the instance; it still waits for events."""
        self._world.spawn(self._feed_all())

    async def _feed_all(self) -> None:
        async with asyncio.TaskGroup() as group:
            for name in waits_of(self.plan):
                group.create_task(self._feed(name))
        self.is_done = True

    async def _feed(self, name: str) -> None:
        await self._pause(20.0)
        source = f"{self.id}/{name}"
        await self._until_ok(
            f"event {name}", lambda engine: engine.raise_event(self.id, name, f"payload of {name}", source=source)
        )
        life = self._world.journal.lives.get(self.id, Life())
        is_kept = life.is_ended or source in life.consumed or any(name.encode() in row for row in life.durable)
        self._promise(is_kept, f"event {name} was acknowledged and is not kept")

    async def _suspend(self) -> None:
        await self._pause(10.0)
        given_up = await self._until_ok("suspend", lambda engine: engine.suspend(self.id, reason="audit"))
        await self._pause(10.0)
        await self._until_ok("resume", lambda engine: engine.resume(self.id))
        if given_up and self._world.lingers:  # one of them may have come behind the resume
            await asyncio.sleep(self._world.lingers)
            await self._until_ok("resume", lambda engine: engine.resume(self.id))
        record = self._world.memory.cells[self.id].record
        self._promise(not record.is_suspended, "the resume was acknowledged and is not kept")

    async def _terminate(self) -> None:
        await self._pause(30.0)
        self.is_terminated = True
        await self._until_ok("terminate", lambda engine: engine.terminate(self.id, output="stop", recurse=True))
        record = self._world.memory.cells[self.id].record
        self._promise(record.status.is_terminal, "the terminate was acknowledged and is not kept")

    async def _wait(self) -> None:
        async def wait(engine: Engine) -> None:
            self.view = await engine.wait(self.id, for_end=True)

        await self._until_ok("wait", wait, patience=self._world.wait_patience)
        self._promise(
            self.view is not None and self.view.record.status.is_terminal, "waited for an end and heard of none"
        )
        self._world.check_wait(self.id)

    # -- how people call -------------------------------------------------------------------------------------------

    async def _until_ok(
        self, what: str, call: Callable[[Engine], Awaitable[object]], *, patience: float = PATIENCE
    ) -> int:
        """Again and again until it is answered. How many were not: nobody knows what became of those."""
        for given_up in count():
            self.story = f"client of {self.id}: {what}"
            process = self._world.front()
            if process is None:
                await asyncio.sleep(0.3)
                continue
            try:
                async with asyncio.timeout(patience):
                    await process.answer(call)
            except TimeoutError:
                continue
            except HoldfastError as error:
                if error.kind is not Kind.UNAVAILABLE:
                    raise Violation(f"{self.id}: {what} was refused: {error}") from error
                await asyncio.sleep(0.3)
                continue
            self._world.note("client", f"{what} {self.id}: ok")
            return given_up
        raise AssertionError("nobody counts so far")

    async def _pause(self, seconds_max: float) -> None:
        try:
            async with asyncio.timeout(self._rng.random() * seconds_max):
                await self._is_hurried.wait()
        except TimeoutError:
            return

    def _promise(self, is_kept: bool, otherwise: str) -> None:
        if not is_kept:
            raise Violation(f"{self.id}: {otherwise}")

    def _life_executions(self) -> set[str]:
        return self._world.journal.lives.get(self.id, Life()).executions

    def _now_ns(self) -> int:
        return 1_700_000_000_000_000_000 + self._world.loop.now_ns
