"""Time as a thing that is handed in: the real clock for programs, a virtual one for tests and simulation."""

import asyncio
import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Protocol

NANOS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Handle(Protocol):
    """A callback that waits for its time; `cancel` is harmless when it has run already."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """`now_ns` is for what is stored, `monotonic` for what is waited for; the two are never compared."""

    def now_ns(self) -> int:
        """Nanoseconds since 1970-01-01T00:00:00Z; may jump when the machine's clock is set."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        ...

    def call_later(self, delay: float, fn: Callable[[], object]) -> Handle:
        """Run `fn` once, at least `delay` seconds from now, in the event loop's thread."""
        ...

    async def sleep(self, seconds: float) -> None: ...


def to_datetime(ns: int) -> datetime:
    """Aware UTC time of a `now_ns` value; what is finer than a microsecond is cut off."""
    return _EPOCH + timedelta(microseconds=ns // 1000)


def to_ns(moment: datetime) -> int:
    """The way back. A naive `moment` is refused: nobody knows which zone it meant."""
    if moment.tzinfo is None:
        raise ValueError(f"time {moment.isoformat()}: expected a time zone, found none; add tzinfo=UTC")
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


class SystemClock:
    """The machine's clock; `call_later` and `sleep` need a running event loop."""

    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic(self) -> float:
        return time.monotonic()

    def call_later(self, delay: float, fn: Callable[[], object]) -> Handle:
        return asyncio.get_running_loop().call_later(max(delay, 0.0), fn)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds, 0.0))


@dataclass(order=True, slots=True)
class _Timer:
    due_ns: int
    number: int
    fn: Callable[[], object] | None = field(compare=False)

    def cancel(self) -> None:
        self.fn = None


class VirtualClock:
    """Time that moves only when told to. Whole nanoseconds inside, so that sums of steps are exact.

    Invariant: no callback is ever run while `now` differs from its own due time (or the time it was made, if later).
    """

    def __init__(self, start_ns: int = 1_700_000_000 * NANOS) -> None:
        self._start_ns = start_ns
        self._elapsed_ns = 0
        self._timers: list[_Timer] = []
        self._numbers = count()

    def now_ns(self) -> int:
        return self._start_ns + self._elapsed_ns

    def monotonic(self) -> float:
        return self._elapsed_ns / NANOS

    def call_later(self, delay: float, fn: Callable[[], object]) -> Handle:
        timer = _Timer(self._elapsed_ns + _nanos(max(delay, 0.0)), next(self._numbers), fn)
        heapq.heappush(self._timers, timer)
        return timer

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.get_running_loop().create_future()
        timer = self.call_later(seconds, lambda: None if woken.done() else woken.set_result(None))
        try:
            await woken
        finally:
            timer.cancel()

    def advance(self, seconds: float) -> None:
        """Move on, running what becomes due in order of (time, insertion), each at its own time.

        Callbacks made on the way run too when they fall into the span. An exception of a callback
        comes out here, with the time standing at that callback. Tasks woken by `sleep` run when the loop does.
        """
        if seconds < 0:
            raise ValueError(f"advance: expected seconds >= 0, found {seconds}; time does not go back")
        end_ns = self._elapsed_ns + _nanos(seconds)
        while (due_ns := self._next_due_ns()) is not None and due_ns <= end_ns:
            self._run_first()
        self._elapsed_ns = end_ns

    def advance_to_next(self) -> bool:
        """Jump to the next callback and run it; False when nothing waits."""
        if self._next_due_ns() is None:
            return False
        self._run_first()
        return True

    def until_next(self) -> float | None:
        """Seconds until the next callback; None when nothing waits."""
        due_ns = self._next_due_ns()
        return None if due_ns is None else max(due_ns - self._elapsed_ns, 0) / NANOS

    def _next_due_ns(self) -> int | None:
        while self._timers and self._timers[0].fn is None:
            heapq.heappop(self._timers)
        return self._timers[0].due_ns if self._timers else None

    def _run_first(self) -> None:
        timer = heapq.heappop(self._timers)
        self._elapsed_ns = max(self._elapsed_ns, timer.due_ns)
        fn, timer.fn = timer.fn, None
        if fn is not None:
            fn()


def _nanos(seconds: float) -> int:
    return round(seconds * NANOS)
