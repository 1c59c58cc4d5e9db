"""When time moves: the clock of a cluster in memory stands still while something can still happen, then jumps.

something is ready, a turn or an activity runs  --> time stands still
all is quiet, a client waits for an answer      --> jump to what is due next
all is quiet, nobody waits                      --> time stands still, so that a test can act between two moments
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Final

from holdfast_kit.clock import Handle, VirtualClock, to_ns

NANOS: Final = 1_000_000_000
QUIET: Final = 5  # passes of the loop in which nothing moves, until it counts as quiet
PATIENCE: Final = 1.0  # real seconds that `settle` waits for activities that do not end


class JumpingClock(VirtualClock):
    """Tells whoever moves it when something new is planned."""

    def __init__(self, starts_at: datetime, planned: Callable[[], None]) -> None:
        super().__init__(to_ns(starts_at))
        self._planned = planned

    def call_later(self, delay: float, fn: Callable[[], object]) -> Handle:
        handle = super().call_later(delay, fn)
        self._planned()
        return handle


class Movement:
    """Counts what moves, and waits until nothing does."""

    def __init__(self) -> None:
        self._count = 0
        self._watchers = 0
        self._stirred = asyncio.Event()

    def stir(self) -> None:
        self._count += 1
        self._stirred.set()

    async def stirred(self, *, within: float | None = None) -> bool:
        """Waits for the next movement; False when there was none within so many real seconds."""
        self._stirred.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._stirred.wait()
            return True
        return False

    async def quiet(self) -> None:
        """Until the loop has nothing to do. What threads and sockets do is not seen here."""
        ready = getattr(asyncio.get_running_loop(), "_ready", ())  # not every loop has it; then the count must do
        passes = 0
        self._watchers += 1  # each has one callback in the loop's queue, always
        try:
            while passes < QUIET:
                before = self._count
                await asyncio.sleep(0)
                passes = passes + 1 if self._count == before and len(ready) < self._watchers else 0
        finally:
            self._watchers -= 1
