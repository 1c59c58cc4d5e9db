"""What must be true of a cluster that has come to rest, beside what is true of every world."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation import checker
from tests.simulation.disk import Violation

if TYPE_CHECKING:
    from tests.simulation.cluster.world import ClusterWorld

TOLD_WITHIN = 10.0  # seconds from an end, or from the clear sky, until whoever waits has heard of it


def check_end(world: ClusterWorld) -> None:
    checker.check_end(world, [member.host for member in world.living], also=_owners(world))


def _owners(world: ClusterWorld) -> list[str]:
    """I1 at rest: each partition is served by the one whom the table names, under the epoch that the store holds."""
    problems = list[str]()
    table, fences = world.placement.table, world.memory.fences
    for partition, row in enumerate(table.rows):
        who = [member.host_id for member in world.living if partition in member.host.owned]
        if who != [row.host]:
            problems.append(f"partition {partition} is served by {who}, the table names {row.host}")
        if fences.get(partition) != row.epoch:
            problems.append(f"partition {partition}: fence {fences.get(partition)}, the table says {row.epoch}")
    return problems


def check_wait(world: ClusterWorld, instance_id: str) -> None:
    """Wherever a client waits, it is told soon."""
    if world.is_clear:
        since = max(world.journal.lives[instance_id].ended_at, world.cleared_at)
        late = world.loop.time() - since
        if late > TOLD_WITHIN:
            raise Violation(f"{instance_id}: a client was told {late:.1f} s after the end")
