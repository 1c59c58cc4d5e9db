"""A host's clock in a simulated world: the loop's time, a skew of its own, and silence once the host has crashed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context

from holdfast_kit.clock import Handle
from tests.simulation.loop import NANOS, SimLoop

EPOCH = 1_700_000_000 * NANOS


class _Nothing:
    def cancel(self) -> None:
        """There is nothing to cancel."""


class SimClock:
    """`kill` makes everything that waits on this clock wait for ever: what a dead process had planned never happens."""

    def __init__(self, loop: SimLoop, *, skew_ns: int = 0) -> None:
        self._loop = loop
        self.skew_ns = skew_ns
        self._is_dead = False

    def kill(self) -> None:
        self._is_dead = True

    def now_ns(self) -> int:
        return EPOCH + self._loop.now_ns + self.skew_ns

    def monotonic(self) -> float:
        return self._loop.time()

    def call_later(self, delay: float, fn: Callable[[], object]) -> Handle:
        return _Nothing() if self._is_dead else self._loop.call_later(max(delay, 0.0), self._run, fn)

    def call_later_regardless(self, delay: float, fn: Callable[[], object]) -> None:
        """For what is out of the process's hands already: a packet on the wire arrives though its sender has died."""
        self._loop.call_later(max(delay, 0.0), fn, context=Context())

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds, 0.0))

    def _run(self, fn: Callable[[], object]) -> None:
        if not self._is_dead:
            fn()
