"""One sidecar at a time: processes that crash and are replaced or usurped, a store that fails, workers, clients.

calm start -> weather: faults, crashes, usurpers, workers that come and go -> the sky clears -> all must end well
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.simulation.checker import check_end
from tests.simulation.climate import Hazards, Sky, fair
from tests.simulation.process import Process
from tests.simulation.stage import Stage


@dataclass(frozen=True, slots=True)
class Climate(Hazards):
    """Rates of disasters are per second."""

    instances_max: int = 8
    seconds: float = 12.0
    fails: float = 0.03
    loses: float = 0.03
    seconds_max: float = 1.0
    crashes: float = 0.3
    usurpers: float = 0.1
    partings: float = 0.3


MakeProcess = Callable[..., Process]


class World(Stage):
    def __init__(self, seed: int, *, climate: Climate = Climate(), process: MakeProcess = Process) -> None:
        super().__init__(seed, seconds=climate.seconds, instances_max=climate.instances_max)
        self.climate = climate
        self.sky = Sky(climate)
        self.processes: list[Process] = []
        self._make = process
        self._workers = 0

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
            self.later(self.rng.random(), lambda: self.connect(made))
        return made

    def connect(self, process: Process) -> None:
        if not process.is_dead:
            self._workers += 1
            process.connect(f"w{self._workers}")

    def front(self) -> Process | None:
        """The newest process that is there."""
        return next((process for process in reversed(self.processes) if process.is_ready), None)

    # -- the story -------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        self.boot()
        self.invite()
        self._disasters()

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
            self.later(at, what)

    def _crash(self) -> None:
        self.rng.choice(self.processes).crash()
        self.later(self.rng.random() * 3, self._replace_dead)

    def _replace_dead(self) -> None:
        if all(process.is_dead for process in self.processes):
            self.boot()

    def _usurp(self) -> None:
        """A new process takes over while the old one still believes that it owns everything."""
        old = [process for process in self.processes if not process.is_dead]
        self.boot()
        for process in old:
            self.later(self.rng.random() * 10, process.crash)

    def _part(self) -> None:
        process = self.front()
        if process is None:
            return
        if process.workers and self.rng.random() < 0.7:
            process.disconnect(self.rng.choice(process.workers))
        self.later(self.rng.random() * 2, lambda: self.connect(process))

    def clear_up(self) -> None:
        """One process for good, and a worker."""
        self.sky.now = fair(self.climate)
        for process in self.processes:
            process.clear()
        if self.front() is not self.processes[-1]:
            self.boot()
        for process in self.processes[:-1]:
            process.crash()
        self.connect(self.processes[-1])
        self.hurry()

    def check(self) -> None:
        check_end(self, [self.processes[-1].host])

    def close(self) -> None:
        for process in self.processes:
            process.clock.kill()
        super().close()
