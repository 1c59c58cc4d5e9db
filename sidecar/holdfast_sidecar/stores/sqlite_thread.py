"""One thread that does one blocking thing after another for an event loop.

The default executor is not used: a COMMIT would queue behind name look-ups, and a hand-over costs twice as much.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeAlias, TypeVar

Result = TypeVar("Result")
_Task: TypeAlias = Callable[[], None]


class BlockingThread:
    """Started by the first call; `stop` ends it after what was asked before, and it may be started again."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def call(self, fn: Callable[[], Result], done: Callable[[Result | None, BaseException | None], None]) -> None:
        """Runs `fn` in the thread, then `done(result, error)` in the loop of the caller."""
        loop = asyncio.get_running_loop()

        def task() -> None:
            result: Result | None = None
            error: BaseException | None = None
            try:
                result = fn()
            except BaseException as raised:  # noqa: BLE001 - it belongs to the caller, whatever it is
                error = raised
            if not loop.is_closed():
                loop.call_soon_threadsafe(done, result, error)

        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        self._tasks.put(task)

    async def run(self, fn: Callable[[], Result]) -> Result:
        """Runs `fn` in the thread. A caller that is cancelled stops waiting; `fn` is finished all the same."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()

        def done(result: Result | None, error: BaseException | None) -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)  # type: ignore[arg-type]  # without an error it is what fn gave

        self.call(fn, done)
        return await future

    def stop(self) -> None:
        if self._thread is not None:
            self._tasks.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()
