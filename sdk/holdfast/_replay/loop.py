"""An asyncio event loop whose time is the history's, whose timers are durable, and whose order is always the same.

It runs only during a turn, on the thread of the caller, and only until nothing is ready:

    with loop:              # get_running_loop() gives this loop; the caller's own is back afterwards
        future.set_result(…)
        loop.run_ready()

It knows no sockets, threads or signals: whoever asks for them gets an error that says what to do instead.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio import events
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from contextvars import Context, copy_context
from typing import Any, Final, Protocol, TypeVar, TypeVarTuple, cast

from holdfast._replay import stdlib
from holdfast._replay.forbidden import Forbidden
from holdfast.errors import NotAllowedInWorkflow

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

NANOS: Final = 1_000_000_000
NEVER_AT: Final = 253_402_300_799 * NANOS  # the last second of the year 9999: kept in history, never fires
_HASH_MAX: Final = (1 << 60) - 1
_SPREAD: Final = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio: runs that began at neighbouring times hash far apart
_PRUNE_AT: Final = 64  # tasks, before the finished ones are forgotten


class Host(Protocol):
    """What the loop needs of the run that it belongs to. Times are nanoseconds since the epoch."""

    now: int
    started_at: int

    def start_timer(self, timer: Timer) -> None: ...

    def cancel_timer(self, timer: Timer) -> None: ...

    def report(self, context: dict[str, Any]) -> None: ...


class _Nobody:
    """In the place of a run that was given up. Its code may still ask for the time while it unwinds."""

    __slots__ = ("now", "started_at")

    def __init__(self, host: Host) -> None:
        self.now = host.now
        self.started_at = host.started_at

    def start_timer(self, timer: Timer) -> None: ...

    def cancel_timer(self, timer: Timer) -> None: ...

    def report(self, context: dict[str, Any]) -> None: ...


class ReplayFuture(asyncio.Future[T]):
    """A future that hashes by its number in the loop, so that sets of futures are repeatable."""

    __slots__ = ("number",)

    number: int

    def __hash__(self) -> int:
        return self.number


class ReplayTask(asyncio.Task[T]):
    __slots__ = ("number",)

    number: int

    def __hash__(self) -> int:
        return self.number


class _Handle(asyncio.Handle):
    """Made in half the time: without questions about debugging, which a replay never does."""

    __slots__ = ()

    def __init__(self, callback: Any, args: Any, loop: Any, context: Context | None) -> None:
        self._context = copy_context() if context is None else context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = self._source_traceback = None


class Timer(asyncio.TimerHandle):
    """A call_later or call_at, kept by the sidecar. `seq` and `position` belong to the run."""

    __slots__ = ("fire_at", "position", "seq")

    fire_at: int
    seq: int
    position: int


class ReplayLoop(Forbidden, stdlib.Repeatable):
    __slots__ = ("_born", "_hooks", "_is_closed", "_outer", "_ready", "_salt", "_tasks", "_tasks_max", "host")

    def __init__(self, host: Host) -> None:
        stdlib.install()
        self.host = host
        self._born = 0
        # All tasks of all runs meet in one set of asyncio's: without the salt their numbers would collide there.
        self._salt = host.started_at * _SPREAD & _HASH_MAX
        self._ready: deque[asyncio.Handle] | None = None
        self._tasks: list[ReplayTask[Any]] = []  # a task that nobody holds must not vanish at the collector's whim
        self._tasks_max = _PRUNE_AT
        self._is_closed = False
        self._outer: asyncio.AbstractEventLoop | None = None
        self._hooks: Any = None

    # ---- a turn --------------------------------------------------------------------------------------------------

    def __enter__(self) -> None:
        if self._ready is not None:
            raise RuntimeError("a turn of this workflow is running already; turns of one run come one after another")
        self._ready = deque()
        self._outer = events._get_running_loop()
        self._hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(None, _leave_unfinished)
        events._set_running_loop(self)

    def __exit__(self, *_: object) -> None:
        events._set_running_loop(self._outer)
        sys.set_asyncgen_hooks(*self._hooks)
        self._outer = self._hooks = self._ready = None

    def run_ready(self) -> None:
        """Runs until nothing is ready. What becomes ready later, through a fact, is run by the next call."""
        ready = self._ready
        while ready:
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()

    def forget_ready(self) -> None:
        """The workflow has ended: what is still ready does not run any more."""
        if self._ready is not None:
            self._ready.clear()

    @property
    def is_in_turn(self) -> bool:
        return self._ready is not None

    def close(self) -> None:
        """Gives the run up. Its coroutines are closed; what they try while they unwind leads nowhere."""
        self._is_closed = True
        for task in reversed(self._tasks):
            if not task.done():
                _abandon(task)
        self._tasks.clear()
        self.host = _Nobody(self.host)  # else run and loop would hold each other until the collector comes

    def unfinished(self) -> list[ReplayTask[Any]]:
        return [task for task in self._tasks if not task.done()]

    def is_closed(self) -> bool:
        return self._is_closed

    def is_running(self) -> bool:
        return self._ready is not None

    # ---- futures and tasks ---------------------------------------------------------------------------------------

    def next_hash(self) -> int:
        self._born += 1
        return self._salt + self._born & _HASH_MAX

    def create_future(self) -> asyncio.Future[Any]:
        future: ReplayFuture[Any] = ReplayFuture(loop=self)
        future.number = self.next_hash()
        return future

    def create_task(self, coro: Any, *, name: str | None = None, context: Context | None = None, **_: Any) -> Any:
        """Takes what the context's calls return as well, which are futures already."""
        if asyncio.isfuture(coro):
            coro = _await(coro)
        # Task.__init__ puts the task into a set, which needs the number. The name replaces a global counter.
        make: Any = ReplayTask.__new__
        task = make(ReplayTask)
        task.number = self.next_hash()
        task.__init__(coro, loop=self, name=name or f"Task-{self._born}", context=context)
        self._tasks.append(task)
        if len(self._tasks) >= self._tasks_max:
            self._tasks = [known for known in self._tasks if not known.done()]
            self._tasks_max = max(_PRUNE_AT, 2 * len(self._tasks))
        return task

    def get_task_factory(self) -> None:
        return None

    # ---- callbacks and time --------------------------------------------------------------------------------------

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        handle = _Handle(callback, args, self, context)
        ready = self._ready
        if ready is not None:
            ready.append(handle)
        elif not self._is_closed:
            raise NotAllowedInWorkflow(
                "a future or task of a workflow was touched while its workflow was not running, from an activity, "
                "a thread or another loop; send the workflow an event instead"
            )
        return handle

    def time(self) -> float:
        return (self.host.now - self.host.started_at) / NANOS

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self._start_timer(_later(self.host.now, delay), callback, args, context)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> Timer:
        return self._start_timer(_later(self.host.started_at, when), callback, args, context)

    def new_timer(self, fire_at: int, callback: Any, *args: Any, context: Context | None = None) -> Timer:
        timer = Timer((fire_at - self.host.started_at) / NANOS, callback, args, self, context)
        timer.fire_at = fire_at
        timer.seq = timer.position = -1
        return timer

    def _start_timer(self, fire_at: int, callback: Any, args: tuple[Any, ...], context: Context | None) -> Timer:
        timer = self.new_timer(fire_at, callback, *args, context=context)
        if not self._is_closed:
            self.host.start_timer(timer)
        return timer

    def fire(self, timer: Timer) -> None:
        if self._ready is not None and not timer.cancelled():
            self._ready.append(timer)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        if not self._is_closed:
            self.host.cancel_timer(cast("Timer", handle))

    # ---- asyncio's housekeeping ----------------------------------------------------------------------------------

    def get_debug(self) -> bool:
        return False

    def get_exception_handler(self) -> None:
        return None

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        self.call_exception_handler(context)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not self._is_closed:
            self.host.report(context)

    async def shutdown_asyncgens(self) -> None:
        return None


def new_loop(host: Host) -> ReplayLoop:
    make: Any = ReplayLoop  # its refusing methods are made by a loop that no type checker follows
    return cast("ReplayLoop", make(host))


def _later(base: int, seconds: float) -> int:
    if seconds != seconds:
        raise ValueError("a timer: expected a number of seconds, found NaN")
    limit = (NEVER_AT - base) / NANOS
    return NEVER_AT if seconds >= limit else base + round(seconds * NANOS)


async def _await(future: asyncio.Future[T]) -> T:
    return await future


def _abandon(task: ReplayTask[Any]) -> None:
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    coroutine = cast("Any", task.get_coro())
    with suppress(BaseException):  # the code of a run that nobody waits for any more
        coroutine.close()


def _leave_unfinished(_: AsyncGenerator[Any, Any]) -> None:
    """An async generator that was dropped half way. The collector chooses when, so nothing may follow from it."""
