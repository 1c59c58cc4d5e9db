"""What all simulated worlds have: a loop, one generator, a memory with its journal, people, and how a story ends.

Everything random is drawn from one generator in the order of what happens, and what happens is ordered by one loop: the
same seed is the same world, line for line.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from random import Random
from typing import Any, Protocol

from holdfast_proto.history import WorkflowStarted
from holdfast_sidecar.actors.engine import Engine
from holdfast_sidecar.core import keys
from holdfast_sidecar.core.state import Stored
from holdfast_sidecar.stores.memory import Memory, MemoryStore
from tests.simulation.client import Client
from tests.simulation.disk import Journal, Violation, read
from tests.simulation.loop import NANOS, SimLoop
from tests.simulation.plans import Planner

LIMIT = 300.0  # seconds within which everything must end once the sky is clear


class Front(Protocol):
    """A process that clients can call."""

    async def answer(self, call: Callable[[Engine], Awaitable[object]]) -> None: ...


class Stage:
    loop_type: type[SimLoop] = SimLoop
    lingers = 0.0  # seconds for which a call that its client has given up may still take effect
    wait_patience = 4.0  # seconds for which a client waits for an end before it asks anew

    rest = 30.0  # seconds after the end of all, in which what is late may still come

    def __init__(self, seed: int, *, seconds: float, instances_max: int) -> None:
        self.seed = seed
        self.rng = Random(seed)
        self.loop = self.loop_type()
        self.seconds = seconds
        self.instances_max = instances_max
        self.memory = Memory()
        self.trace: list[str] = []
        self.journal = Journal(self.note, self.loop.time)
        self.planner = Planner(self.rng)
        self.clients: list[Client] = []
        self.feeders: list[Client] = []
        self.is_clear = False
        self._tasks: list[asyncio.Task[None]] = []

    def note(self, who: str, what: str) -> None:
        self.trace.append(f"{self.loop.now_ns / NANOS:9.4f}  {who:<10} {what}")

    def spawn(self, what: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self.loop.create_task(what)
        self._tasks.append(task)
        return task

    def check_tasks(self) -> None:
        """A process or a client that has fallen over is found out here."""
        for task in self._tasks:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise Violation(_reason(error)) from error

    def later(self, delay: float, fn: Callable[[], object]) -> None:
        self.loop.call_later(delay, fn)

    # -- what each kind of world decides for itself ----------------------------------------------------------------

    def front(self) -> Front | None:
        """Where a client is sent now."""
        raise NotImplementedError

    def begin(self) -> None:
        raise NotImplementedError

    def clear_up(self) -> None:
        """No more faults; from here on everything must end."""
        raise NotImplementedError

    def check(self) -> None:
        """Everything has ended: raises when something is not as it must be."""
        raise NotImplementedError

    def check_wait(self, instance_id: str) -> None:
        """A client was told of this end."""

    def close(self) -> None:
        self.loop.end()

    # -- the story -------------------------------------------------------------------------------------------------

    def run(self) -> None:
        try:
            self.begin()
            self.loop.advance(self.seconds)
            self.check_tasks()
            self.note("sky", "clears")
            self.is_clear = True
            self.clear_up()
            self._wait_for_the_end()
            self.check()
        except AssertionError as found:
            raise Violation(f"seed {self.seed}: {found}") from found
        finally:
            self.close()

    def invite(self) -> None:
        """People come, each with an instance."""
        count = self.rng.randint(1, self.instances_max)
        self.planner.targets = [f"i{number}" for number in range(count)]
        for name in self.planner.targets:
            client = Client(self, name, self.planner.plan())
            self.clients.append(client)
            self.later(self.rng.random() * self.seconds / 2, client.begin)
        self.later(1.0, self._look_around)

    def hurry(self) -> None:
        for client in (*self.clients, *self.feeders):
            client.hurry()

    def _look_around(self) -> None:
        """Children and detached instances wait for events, too: somebody feeds each of them."""
        store = MemoryStore(self.memory)
        known = {client.id for client in (*self.clients, *self.feeders)}
        for instance_id in sorted(self.memory.cells.keys() - known):
            stored = store.stored(instance_id)
            assert stored is not None
            row = stored.history[1] if len(stored.history) > 1 else stored.inbox[0]
            started = read(row)
            assert isinstance(started, WorkflowStarted)
            feeder = Client(self, instance_id, json.loads(started.input or "[]"))
            self.feeders.append(feeder)
            feeder.feed_only()
            if self.is_clear:
                feeder.hurry()
        self.later(1.0, self._look_around)

    def _wait_for_the_end(self) -> None:
        end = self.loop.time() + LIMIT
        while not self.is_over():
            if self.loop.time() > end:
                raise Violation("not over:\n  " + "\n  ".join(self.pending()))
            self.loop.advance(1.0)
            self.check_tasks()
        self.loop.advance(self.rest)
        self.check_tasks()

    def is_over(self) -> bool:
        return all(client.is_done for client in self.clients) and not self.pending()

    def pending(self) -> list[str]:
        """What has not ended or still has something to send, in words: a detached instance may be on its way."""
        store = MemoryStore(self.memory)
        found = [client.story for client in self.clients if not client.is_done]
        for instance_id in sorted(self.memory.cells):
            stored = store.stored(instance_id)
            if stored is not None and (not stored.record.status.is_terminal or _owes(stored)):
                found.append(_told(stored))
        return found


def _reason(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_reason(inner) for inner in error.exceptions)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return f"{type(error).__name__}: {error}"


def _owes(stored: Stored) -> bool:
    return any(reminder.name.startswith(keys.SEND_PREFIX) for reminder in stored.reminders)


def _told(stored: Stored) -> str:
    record = stored.record
    return (
        f"{record.id}: {record.status.name} g{record.generation} v{record.version} awake={record.is_awake} "
        f"inbox={len(stored.inbox)} stall={record.stall} reminders={[r.name for r in stored.reminders]}"
    )
