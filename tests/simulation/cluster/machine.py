"""Where a simulated process runs: a machine that can stand still for a while, or lose its power, between any two steps.

Whatever a process has scheduled (the next step of a task, a timer, the wake-up of who waits) carries its machine in its
context, and the loop asks that machine before it runs it. So the real shell is stopped as SIGSTOP stops it: nothing in
it is told, time goes on outside, and afterwards it goes on with all that it had in flight.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar
from typing import Any, TypeVar

from tests.simulation.loop import SimLoop

T = TypeVar("T")


class Machine:
    def __init__(self, loop: MachineLoop) -> None:
        self.is_off = False
        self.is_paused = False
        self._loop = loop
        self._held: list[asyncio.Handle] = []
        self._context = Context()
        self._context.run(_machine.set, self)

    def run(self, fn: Callable[[], T]) -> T:
        """Here and now. What it schedules is of this machine."""
        return self._context.copy().run(fn)

    def spawn(self, what: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        return self._loop.create_task(what, context=self._context.copy())

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False
        if not self.is_off:
            self._let_go()

    def dispose(self) -> None:
        """The world is over: all that was held back may end."""
        self.is_off = self.is_paused = False
        self._let_go()

    def _let_go(self) -> None:
        held, self._held = self._held, []
        self._loop.run_soon(held)

    def lose_power(self) -> None:
        """Nothing that was planned happens any more, and nobody is told: no task is cancelled, no `finally` runs."""
        self.is_off = True

    def admits(self, handle: asyncio.Handle) -> bool:
        """What may not run now is kept; of a machine without power too, or its tasks would be found lying about."""
        is_running = not (self.is_off or self.is_paused)
        if not is_running:
            self._held.append(handle)
        return is_running


_machine: ContextVar[Machine | None] = ContextVar("machine", default=None)
NOBODY = Context()  # for what is out of everybody's hands, like a packet on the wire


def nobodys() -> Context:
    return NOBODY.copy()


class _Handle(asyncio.Handle):
    __slots__ = ()
    _context: Context

    def _run(self) -> None:
        machine = self._context.get(_machine)
        if machine is None or machine.admits(self):
            super()._run()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType] # asyncio's own


class _TimerHandle(asyncio.TimerHandle):
    __slots__ = ()
    _context: Context
    _scheduled: bool

    def _run(self) -> None:
        machine = self._context.get(_machine)
        if machine is None or machine.admits(self):
            super()._run()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType] # asyncio's own


class MachineLoop(SimLoop):
    """Asks machines. Whatever belongs to none runs always."""

    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]

    def run_soon(self, handles: list[asyncio.Handle]) -> None:
        self._ready.extend(handles)

    def _call_soon(self, callback: Callable[..., object], args: Any, context: Context | None) -> asyncio.Handle:
        handle = _Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_at(  # type: ignore[override]  # typed with less
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        timer = _TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True  # pyright: ignore[reportPrivateUsage]  # as the loop's own does
        return timer
