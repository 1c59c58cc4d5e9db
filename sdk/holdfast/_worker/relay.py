"""Tasks that run what is given to them one after another, until something has to wait.

    given --> one task: run, run, run, ...        nothing of it waited: one task for all
                         |
                         `-- waits --> the task stays with what waits; another one goes on with those behind it

Most activities of a busy worker end without having waited, or wait for long. A task each is dear for the first kind:
making and ending one costs more than all else. Stepping their coroutines outside of a task would be cheaper still, but
what asks for the current task (timeouts, TaskGroup, anyio) must find one that is theirs to cancel.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import copy_context
from inspect import iscoroutine
from types import CoroutineType
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Relay(Generic[T]):
    """`run` runs one item and awaits what may wait by `until_done` or after `waits`. `rests` is told each time when
    nothing is left to begin. What `run` finds as `runner` when it begins is the task that it is in, and still is when
    nothing has waited."""

    def __init__(
        self, group: asyncio.TaskGroup, run: Callable[[T], Coroutine[Any, Any, None]], rests: Callable[[], None]
    ) -> None:
        self._group = group
        self._run = run
        self._rests = rests
        self._context = copy_context()  # that each task begins with, whoever makes it
        self._items: deque[T] = deque()
        self.runner: asyncio.Task[None] | None = None  # the one that goes on; None: there is none, or it waits

    def put(self, item: T) -> None:
        self._items.append(item)
        if self.runner is None:
            self._begin()

    def waits(self) -> None:
        """What the current task runs will not end now. Once for each item, at most."""
        self.runner = None
        self._go_on()

    def until_done(self, awaitable: Awaitable[Any]) -> Awaitable[Any]:
        if iscoroutine(awaitable):
            return _Stepped(awaitable, self.waits)
        self.waits()
        return awaitable

    def _go_on(self) -> None:
        if self._items:
            self._begin()
        else:
            self._rests()

    def _begin(self) -> None:
        self.runner = self._group.create_task(self._run_all(), context=self._context.copy())

    async def _run_all(self) -> None:
        task = self.runner
        assert task is not None
        while self._items:
            await self._run(self._items.popleft())
            if self.runner is not task:
                return
            if task.cancelling() or copy_context() != self._context:  # what one leaves behind must not reach the next
                break
        self.runner = None
        self._go_on()


class _Stepped:
    """Runs a coroutine where it is awaited, and tells when it waits for the first time."""

    __slots__ = ("_coroutine", "_waits")

    def __init__(self, coroutine: CoroutineType[Any, Any, Any], waits: Callable[[], None]) -> None:
        self._coroutine = coroutine
        self._waits = waits

    def __await__(self) -> Generator[Any, None, Any]:
        coroutine = self._coroutine
        try:
            waited = coroutine.send(None)
            self._waits()
            while True:
                try:
                    yield waited
                except GeneratorExit:
                    coroutine.close()
                    raise
                except BaseException as error:  # noqa: BLE001 - cancellation above all; the coroutine decides
                    waited = coroutine.throw(error)
                else:
                    return (yield from coroutine.__await__())
        except StopIteration as end:
            return end.value
