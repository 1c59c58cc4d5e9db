"""A whole world from a seed: processes that crash and are replaced, a store that fails, workers, clients, a trace.

    calm start -> weather: faults, crashes, usurpers, workers that come and go -> the sky clears -> all must end well

Everything random is drawn from one generator in the order of what happens, and what happens is ordered by one loop: the
same seed is the same world, line for line.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from holdfast_proto.codec import decode_event
from holdfast_proto.history import WorkflowStarted
from holdfast_sidecar.core.state import Stored
from holdfast_sidecar.stores.memory import Memory, MemoryStore
from tests.simulation.checker import check_end
from tests.simulation.client import Client
from tests.simulation.disk import Journal, Violation
from tests.simulation.loop import NANOS, SimLoop
from tests.simulation.plans import Planner
from tests.simulation.process import Process


@dataclass(frozen=True, slots=True)
class Climate:
    """How bad it gets. Chances are per call, rates per second."""

    instances_max: int = 8
    seconds: float = 12.0
    fails: float = 0.03
    loses: float = 0.03
    cuts: float = 0.02
    late: float = 0.02
    duplicates: float = 0.05
    delays: float = 0.1
    gives_back: float = 0.02
    stalls: float = 0.02
    fuses: float = 0.5
    seconds_max: float = 1.0
    crashes: float = 0.3
    usurpers: float = 0.1
    partings: float = 0.3


FAIR = Climate(
    fails=0.0, loses=0.0, cuts=0.0, late=0.0, duplicates=0.0, delays=0.0, gives_back=0.0, stalls=0.0, seconds_max=0.05
)

MakeProcess = Callable[..., Process]


class Sky:
    """The climate of the moment; every process reads it through this one object."""

    def __init__(self, climate: Climate) -> None:
        self.now = climate

    def __getattr__(self, name: str) -> float:
        value: float = getattr(self.now, name)
        return value


class World:
    def __init__(self, seed: int, *, climate: Climate = Climate(), process: MakeProcess = Process) -> None:
        self.seed = seed
        self.rng = Random(seed)
        self.loop = SimLoop()
        self.climate = climate
        self.sky = Sky(climate)
        self.memory = Memory()
        self.trace: list[str] = []
        self.journal = Journal(self.note)
        self.processes: list[Process] = []
        self._make = process
        self._tasks: list[asyncio.Task[None]] = []
        self._workers = 0
        self.planner = Planner(self.rng)
        self.clients: list[Client] = []
        self.feeders: list[Client] = []
        self.is_clear = False

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

    # -- processes -------------------------------------------------------------------------------------------------

    def boot(self) -> Process:
        epoch = len(self.processes) + 1
        name = chr(ord("a") + (epoch - 1) % 26)
        self.note(name, f"boots, epoch {epoch}")
        made = self._make(
            name,
            epoch=epoch,
            loop=self.loop,
            memory=self.memory,
            journal=self.journal,
            rng=self.rng,
            weather=self.sky,
            note=self.note,
            spawn=self.spawn,
        )
        self.processes.append(made)
        for _ in range(self.rng.randint(1, 2)):
            self._later(self.rng.random(), lambda: self.connect(made))
        return made

    def connect(self, process: Process) -> None:
        if not process.is_dead:
            self._workers += 1
            process.connect(f"w{self._workers}")

    def front(self) -> Process | None:
        """Where clients are sent: the newest process that is there."""
        return next((process for process in reversed(self.processes) if process.is_ready), None)

    def _later(self, delay: float, fn: Callable[[], object]) -> None:
        self.loop.call_later(delay, fn)

    # -- the story -------------------------------------------------------------------------------------------------

    def run(self) -> None:
        try:
            self.boot()
            self._people()
            self._disasters()
            self.loop.advance(self.climate.seconds)
            self.check_tasks()
            self._clear_up()
            self._wait_for_the_end()
            check_end(self)
        except AssertionError as found:
            raise Violation(f"seed {self.seed}: {found}") from found
        finally:
            self._close()

    def _people(self) -> None:
        count = self.rng.randint(1, self.climate.instances_max)
        self.planner.targets = [f"i{number}" for number in range(count)]
        for name in self.planner.targets:
            client = Client(self, name, self.planner.plan())
            self.clients.append(client)
            self._later(self.rng.random() * self.climate.seconds / 2, client.begin)
        self._later(1.0, self._look_around)

    def _look_around(self) -> None:
        """Children and detached instances wait for events, too: somebody feeds each of them."""
        store = MemoryStore(self.memory)
        known = {client.id for client in (*self.clients, *self.feeders)}
        for instance_id in sorted(self.memory.cells.keys() - known):
            stored = store.stored(instance_id)
            assert stored is not None
            row = stored.history[1] if len(stored.history) > 1 else stored.inbox[0]
            started = decode_event(row)
            assert isinstance(started, WorkflowStarted)
            feeder = Client(self, instance_id, json.loads(started.input or "[]"))
            self.feeders.append(feeder)
            feeder.feed_only()
            if self.is_clear:
                feeder.hurry()
        self._later(1.0, self._look_around)

    def _disasters(self) -> None:
        climate, rng = self.climate, self.rng
        at = 0.0
        while True:
            at += rng.expovariate(climate.crashes + climate.usurpers + climate.partings)
            if at > climate.seconds:
                return
            what = rng.choices(
                [self._crash, self._usurp, self._part], [climate.crashes, climate.usurpers, climate.partings]
            )[0]
            self._later(at, what)

    def _crash(self) -> None:
        self.rng.choice(self.processes).crash()
        self._later(self.rng.random() * 3, self._replace_dead)

    def _replace_dead(self) -> None:
        if all(process.is_dead for process in self.processes):
            self.boot()

    def _usurp(self) -> None:
        """A new process takes over while the old one still believes that it owns everything."""
        old = [process for process in self.processes if not process.is_dead]
        self.boot()
        for process in old:
            self._later(self.rng.random() * 10, process.crash)

    def _part(self) -> None:
        process = self.front()
        if process is None:
            return
        if process.workers and self.rng.random() < 0.7:
            process.disconnect(self.rng.choice(process.workers))
        self._later(self.rng.random() * 2, lambda: self.connect(process))

    def _clear_up(self) -> None:
        """No more faults, one process for good, and a worker: from here on everything must end."""
        self.note("sky", "clears")
        self.is_clear = True
        self.sky.now = replace(FAIR, fuses=self.climate.fuses)
        for process in self.processes:
            process.clear()
        if self.front() is not self.processes[-1]:
            self.boot()
        for process in self.processes[:-1]:
            process.crash()
        self.connect(self.processes[-1])
        for client in (*self.clients, *self.feeders):
            client.hurry()

    def _wait_for_the_end(self) -> None:
        limit = 300.0
        end = self.loop.time() + limit
        while not self.is_over():
            if self.loop.time() > end:
                raise Violation("not over:\n  " + "\n  ".join(self.pending()))
            self.loop.advance(1.0)
            self.check_tasks()
        self.loop.advance(30.0)
        self.check_tasks()

    def is_over(self) -> bool:
        return all(client.is_done for client in self.clients) and not self.pending()

    def pending(self) -> list[str]:
        """What has not ended, in words."""
        store = MemoryStore(self.memory)
        found = [client.story for client in self.clients if not client.is_done]
        for instance_id in sorted(self.memory.cells):
            stored = store.stored(instance_id)
            if stored is not None and not stored.record.status.is_terminal:
                found.append(_told(stored))
        return found

    def _close(self) -> None:
        for process in self.processes:
            process.clock.kill()
        self.loop.end()


def _reason(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_reason(inner) for inner in error.exceptions)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return f"{type(error).__name__}: {error}"


def _told(stored: Stored) -> str:
    record = stored.record
    return (
        f"{record.id}: {record.status.name} g{record.generation} v{record.version} awake={record.is_awake} "
        f"inbox={len(stored.inbox)} stall={record.stall} reminders={[r.name for r in stored.reminders]}"
    )
