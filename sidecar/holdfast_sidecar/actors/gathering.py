"""How many commits a write waits for, so that it has company.

Where answers come one by one, each would have a write of its own, and a write costs more than what it writes. So a
write waits until an eighth of what is under way has come to it, at most `GATHER_MAX`: those who wait then are few of
many, and workers have enough to do meanwhile. With little under way nobody waits: the wait itself would be the delay.

A wait that brought nobody was in vain: what is under way takes long, or belongs to the instance that waits. The next
writes go at once, twice as many as after the vain wait before:

    gathers --nobody came--> rests for 1 write, 2, 4, ... REST_MAX --> gathers
       ^------somebody came: the next rest is for 1 write again-------/
"""

from __future__ import annotations

from typing import Final

from holdfast_kit.rest import Rest

GATHER_MAX: Final = 0.002  # seconds
COMPANY_SHARE: Final = 8  # of what is under way, this part is waited for
COMPANY_MAX: Final = 32  # more in one write makes it hardly cheaper
URGENT_COMPANY: Final = 3  # in a write with a result that a thread of an app stands still for
REST_MAX: Final = 64  # writes without a wait until one is tried again


class Gathering:
    def __init__(self) -> None:
        self._rest = Rest(shortest=1, longest=REST_MAX)

    def wanted(self, depth: int, *, under_way: int) -> int:
        """How many commits the next write should have; asked once per write, with those it has already."""
        if not self._rest.is_over():
            return depth
        return max(depth, min(under_way // COMPANY_SHARE, COMPANY_MAX))

    def ended(self, *, came: int) -> None:
        """A wait is over, and so many commits came meanwhile."""
        if came:
            self._rest.forget()
        else:
            self._rest.begin()
