"""Where sync activities run: threads, or processes for those that keep a core busy."""

from __future__ import annotations

import asyncio
import contextvars
import multiprocessing
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from importlib import import_module
from pickle import PicklingError
from typing import Any

from holdfast.authoring import Activity
from holdfast.errors import HoldfastError, NonRetryable


class ProcessLost(HoldfastError):
    """The process that ran an activity died. Trying again may help."""


class NotForProcesses(NonRetryable):
    """The activity or a value cannot be sent to another process."""


class Executors:
    """Made when first needed. `close` waits for nothing."""

    def __init__(self, *, threads: int, processes: int) -> None:
        self._threads_max = threads
        self._processes_max = processes
        self._threads: ThreadPoolExecutor | None = None
        self._processes: ProcessPoolExecutor | None = None

    def close(self) -> None:
        for executor in (self._threads, self._processes):
            if executor is not None:
                executor.shutdown(wait=False, cancel_futures=True)

    async def in_thread(self, context: contextvars.Context, function: Callable[..., Any], *arguments: Any) -> Any:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._threads_max, thread_name_prefix="holdfast-activity")

        def call() -> tuple[Any, BaseException | None]:
            return context.run(_outcome, function, arguments)

        value, error = await asyncio.get_running_loop().run_in_executor(self._threads, call)
        if error is not None:
            raise error
        return value

    async def in_process(self, activity: Activity[..., Any], *arguments: Any) -> Any:
        name = activity.name
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._pool(), _call_there, activity.__module__, activity.__qualname__, activity.owner, arguments
            )
        except BrokenProcessPool as error:
            self._processes = None  # of no use any more; the next one begins anew
            raise ProcessLost(
                f"activity {name!r}: the process that ran it died; out of memory, or killed, or its module cannot be "
                'imported by a new process (a script needs `if __name__ == "__main__":`)'
            ) from error
        except (PicklingError, AttributeError, TypeError) as error:
            if not _is_about_pickling(error):
                raise
            raise NotForProcesses(
                f"activity {name!r}: expected what can be sent to another process, found: {error}; an activity with "
                "in_process=True is a function at module level, and so are the types of its arguments and result"
            ) from error

    def _pool(self) -> Executor:
        """Processes are spawned, never forked: gRPC does not survive a fork."""
        if self._processes is None:
            self._processes = ProcessPoolExecutor(self._processes_max, mp_context=multiprocessing.get_context("spawn"))
        return self._processes


def _call_there(module: str, qualname: str, owner: object, arguments: tuple[Any, ...]) -> Any:
    """In the other process. By name, as what stands under the name is the activity and not its function."""
    found: Any = import_module(module)
    for name in qualname.split("."):
        found = getattr(found, name)
    return found.function(*arguments) if owner is None else found.function(owner, *arguments)


def _outcome(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, BaseException | None]:
    """As a value: an executor's future refuses some errors (StopIteration) and then never ends."""
    try:
        return function(*arguments), None
    except BaseException as error:  # noqa: BLE001 - the user's error is a value of ours
        return None, error


def _is_about_pickling(error: BaseException) -> bool:
    return isinstance(error, PicklingError) or "pickle" in str(error)
