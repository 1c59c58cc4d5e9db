"""A cluster from a seed: several sidecars at once, placement, a network between them, one store that all of them share.

calm start -> disasters (see `disasters`) -> the sky clears -> all must end well, now and then without placement
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from holdfast_sidecar.cluster.router import Rule
from tests.simulation.climate import Sky, fair
from tests.simulation.cluster import checker, disasters
from tests.simulation.cluster.climate import Climate
from tests.simulation.cluster.machine import MachineLoop
from tests.simulation.cluster.member import Cluster, Member
from tests.simulation.cluster.network import Network, Roads
from tests.simulation.cluster.placement import Placement
from tests.simulation.disk import Disk
from tests.simulation.process import Weather
from tests.simulation.stage import Stage

SETTLED_AFTER = 12.0  # seconds from the clear sky until leases, tables and links are as they should be
RULES: tuple[Rule, ...] = ("auto", "by-hash", "local-first")
ENOUGH = 2  # hosts that a cluster has in the end, at least
HOST_IDS = "abcde"
STORMY = Climate()


class ClusterWorld(Stage):
    loop_type = MachineLoop
    loop: MachineLoop
    lingers = 45.0
    wait_patience = 60.0
    rest = 10.0

    def __init__(
        self,
        seed: int,
        *,
        climate: Climate = STORMY,
        member: type[Member] = Member,
        network: type[Network] = Network,
        placement: type[Placement] = Placement,
    ) -> None:
        super().__init__(seed, seconds=climate.seconds, instances_max=climate.instances_max)
        self.climate = climate
        self.sky = Sky(climate)
        self.cleared_at = 0.0
        self.members: list[Member] = []
        self._make = member
        self._workers = 0
        self._boots = dict.fromkeys(HOST_IDS, 0)
        self.network = network(self.loop, rng=self.rng, roads=cast("Roads", self.sky))
        self.placement = placement(self.loop, self.network, rng=self.rng, partitions=climate.partitions, note=self.note)
        self.shared = Cluster(
            self.loop,
            disk=self._disk,
            journal=self.journal,
            network=self.network,
            placement=self.placement,
            rng=self.rng,
            rule=RULES[seed % len(RULES)],
            drain_limit=climate.drain_limit,
            weather=cast("Weather", self.sky),
            partitions=climate.partitions,
            note=self.note,
            spawned=self._tasks.append,
        )

    def _disk(self, disk_type: type[Disk], **kwargs: Any) -> Disk:
        make: Callable[..., Disk] = disk_type
        return make(self.memory, self.journal, rng=self.rng, late=self.sky.late, **kwargs)

    # -- members ---------------------------------------------------------------------------------------------------

    @property
    def living(self) -> list[Member]:
        return [member for member in self.members if not member.is_dead]

    @property
    def staying(self) -> list[Member]:
        return [member for member in self.members if not (member.is_dead or member.is_leaving)]

    def boot(self) -> Member:
        """A new process: under an id that nobody has, as a restarted one, or, rarely, under one that is still held."""
        taken = {member.host_id for member in self.living}
        free = [host_id for host_id in HOST_IDS if host_id not in taken]
        host_id = free[0] if self.rng.random() < 0.7 else self.rng.choice(free)
        self._boots[host_id] += 1
        member = self._make(host_id, self._boots[host_id], self.shared)
        self.note(member.name, "boots")
        self.members.append(member)
        for _ in range(self.rng.randint(1, 2)):
            self.later(self.rng.random(), lambda: self.connect(member))
        return member

    def connect(self, member: Member) -> None:
        if not (member.is_dead or member.is_leaving):
            self._workers += 1
            member.connect(f"w{self._workers}")

    def front(self) -> Member | None:
        """Any process, owner or not. One that stands still takes calls and does not answer."""
        living = self.living
        return self.rng.choice(living) if living else None

    # -- the story -------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        for _ in range(self.rng.randint(2, self.climate.hosts)):
            self.boot()
        self.invite()
        disasters.plan(self)

    def clear_up(self) -> None:
        self.sky.now = fair(self.climate)
        self.cleared_at = self.loop.time()
        self.network.heal_all()
        self.placement.recover()
        for member in self.living:
            member.clear()
        while len(self.staying) < ENOUGH:
            self.boot().clear()
        for member in self.staying:
            self.connect(member)
        if self.rng.random() < 0.2:
            self.loop.advance(SETTLED_AFTER)
            self.placement.vanish()
        self.hurry()

    def check_wait(self, instance_id: str) -> None:
        checker.check_wait(self, instance_id)

    def check(self) -> None:
        checker.check_end(self)

    def close(self) -> None:
        """Whoever is off or stands still is let go as well, so that no task is left behind."""
        for member in self.members:
            member.machine.dispose()
        super().close()

    def spawned(self, task: asyncio.Task[None]) -> None:
        self._tasks.append(task)
