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
