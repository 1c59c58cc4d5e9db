"""An event loop whose time is a number: nothing waits, the clock jumps to whatever is next.

The real shell runs in it unchanged: `asyncio.timeout`, `call_later` and `Event` are the loop's own. There is no input
and no output, so two runs of the same program are the same run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

NANOS = 1_000_000_000
STEPS_MAX = 2_000_000  # of one run: more is a loop that never rests


class Stuck(AssertionError):
    """Nothing will ever happen any more, or things never cease to happen."""


class _Jump:
    """In the place of a selector: where a loop would wait for the network, time moves on."""

    def __init__(self, loop: SimLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[object]:
        self._loop.jump(timeout)
        return []


class _Task(asyncio.Task[Any]):
    """Task groups keep their tasks in a set and cancel them in its order: with a number for a hash that is the same in
    every run, with an address it is not."""

    def __init__(self, *args: Any, number: int, **kwargs: Any) -> None:
        self._number = number
        super().__init__(*args, **kwargs)

    def __hash__(self) -> int:
        return self._number


class SimLoop(asyncio.BaseEventLoop):
    def __init__(self) -> None:
        super().__init__()
        self._tasks_made = 0
        self.set_task_factory(self._new_task)
        self._now_ns = 0
        self._selector = _Jump(self)
        self._clock_resolution = 1 / NANOS
        self._steps = 0
        self._rests = False
        self.failures: list[dict[str, Any]] = []
        self.set_exception_handler(lambda _, context: self.failures.append(context))

    def _new_task(self, loop: Any, what: Any, **kwargs: Any) -> Any:
        self._tasks_made += 1
        return _Task(what, loop=loop, number=self._tasks_made, **kwargs)

    # -- what asyncio asks for -------------------------------------------------------------------------------------

    def time(self) -> float:
        return self._now_ns / NANOS

    def _process_events(self, event_list: list[object]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody else's thread can call."""

    def jump(self, timeout: float | None) -> None:
        self._steps += 1
        if self._steps > STEPS_MAX:
            raise Stuck(f"more than {STEPS_MAX} rounds of the loop: something never rests")
        if timeout == 0:
            return
        if self._rests:
            self.stop()
            return
        if timeout is None:
            raise Stuck("nothing is left that could ever happen, and somebody still waits")
        self._now_ns += max(1, round(timeout * NANOS))

    # -- what a test asks for --------------------------------------------------------------------------------------

    @property
    def now_ns(self) -> int:
        """Since the loop was made."""
        return self._now_ns

    def settle(self) -> None:
        """Runs everything that can run now, without any time passing."""
        self._rests = True
        try:
            self.run_forever()
        finally:
            self._rests = False
        self._check()

    def advance(self, seconds: float) -> None:
        """Lets that much time pass, then settles."""
        self.call_later(seconds, self.stop)
        self.run_forever()
        self.settle()

    def until(self, is_met: Callable[[], bool], *, limit: float, what: str = "it") -> None:
        """Lets time pass until it is so; Stuck after `limit` seconds."""
        end = self._now_ns + round(limit * NANOS)
        self.settle()
        while not is_met():
            if self._now_ns >= end:
                raise Stuck(f"waited {limit:g} s for {what} in vain")
            self.advance(min(0.01, limit))

    def play(self, what: Coroutine[Any, Any, T], *, limit: float = 600.0) -> T:
        """Runs it to its end, at most `limit` seconds of this loop's time."""

        async def bounded() -> T:
            async with asyncio.timeout(limit):
                return await what

        result = self.run_until_complete(bounded())
        self._check()
        return result

    def end(self) -> None:
        """Cancels what still runs and closes."""
        tasks = asyncio.all_tasks(self)
        for task in tasks:
            task.cancel()
        if tasks:
            self.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.close()

    def _check(self) -> None:
        """What a callback or a task raised and nobody heard is the test's failure."""
        if self.failures:
            failure = self.failures.pop(0)
            error = failure.get("exception")
            if isinstance(error, AssertionError):
                raise error
            cause = error if isinstance(error, Exception) else None
            raise AssertionError(f"{failure.get('message')}: {type(error).__name__}: {error}") from cause
