"""How bad it gets, in any world: chances for every call or message, and what is in force at the moment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar


@dataclass(frozen=True, slots=True)
class Hazards:
    """Each kind of world adds its disasters."""

    # The store, for every call.
    fails: float = 0.02
    loses: float = 0.02
    cuts: float = 0.02
    late: float = 0.02
    # Messages between instances; in a cluster frames between processes, too.
    duplicates: float = 0.05
    delays: float = 0.1
    # Workers.
    gives_back: float = 0.02
    stalls: float = 0.02
    fuses: float = 0.5
    # Of whatever is slow.
    seconds_max: float = 0.5


H = TypeVar("H", bound=Hazards)


def fair(hazards: H) -> H:
    """The same without anything that goes wrong."""
    calm = replace(hazards, fails=0.0, loses=0.0, cuts=0.0, late=0.0, seconds_max=0.05)
    return replace(calm, duplicates=0.0, delays=0.0, gives_back=0.0, stalls=0.0)


class Sky:
    """The climate of the moment; every process reads it through this one object."""

    def __init__(self, climate: Hazards) -> None:
        self.now = climate

    def __getattr__(self, name: str) -> float:
        value: float = getattr(self.now, name)
        return value
