"""How bad it gets in a cluster."""

from __future__ import annotations

from dataclasses import dataclass

from tests.simulation.climate import Hazards


@dataclass(frozen=True, slots=True)
class Climate(Hazards):
    instances_max: int = 5
    seconds: float = 12.0
    hosts: int = 3
    partitions: int = 8
    disasters: float = 1.0  # of all kinds, in a second
    only_moves: bool = False  # hosts come and leave as planned, and that is all
    drain_limit: float = 1.0


PEACEFUL = Climate(
    fails=0.0,
    loses=0.0,
    cuts=0.0,
    late=0.0,
    duplicates=0.0,
    delays=0.0,
    gives_back=0.0,
    stalls=0.0,
    only_moves=True,
    drain_limit=30.0,  # longer than there may be no host at all to take an answer
)
