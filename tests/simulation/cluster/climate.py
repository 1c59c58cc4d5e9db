"""How bad it gets in a cluster: chances per call, frame or message; disasters per second; what is in force now."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Climate:
    instances_max: int = 5
    seconds: float = 12.0
    hosts: int = 3
    partitions: int = 8
    # The store, for every call.
    fails: float = 0.02
    loses: float = 0.02
    cuts: float = 0.02
    late: float = 0.02
    # Messages between instances, and frames between processes.
    duplicates: float = 0.05
    delays: float = 0.1
    # Workers.
    gives_back: float = 0.02
    stalls: float = 0.02
    fuses: float = 0.5
    seconds_max: float = 0.5
    # Disasters, by their weight among each other, and how many of all kinds there are in a second.
    disasters: float = 1.0

    def fair(self) -> Climate:
        """The same without anything that goes wrong."""
        return replace(
            self,
            fails=0.0,
            loses=0.0,
            cuts=0.0,
            late=0.0,
            duplicates=0.0,
            delays=0.0,
            gives_back=0.0,
            stalls=0.0,
            seconds_max=0.05,
        )
