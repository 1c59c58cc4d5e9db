"""The one life cycle of a program: start services, wait for a signal, drain with a limit, end with a code.

    running --first signal, a service returned, or `stop`--> draining --all returned--> ended
       |                                                        |
       |                                  limit reached or second signal: cancelled --> ended
       +--a service raised: the others are cancelled--> ended

A third signal ends the process on the spot, for the case that a service refuses to be cancelled.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from enum import IntEnum

_log = logging.getLogger(__name__)
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class ExitCode(IntEnum):
    """What the operating system is told. A second signal gives 128 + its number instead."""

    OK = 0
    FAILED = 1  # a service raised
    MISUSED = 2  # wrong flags or configuration; for the caller, `serve` never returns it
    UNDRAINED = 3  # the drain limit was reached and work was cut off


class Lifetime:
    """What a service knows about the program's end."""

    def __init__(self) -> None:
        self._stopping = asyncio.Event()
        self._forced = asyncio.Event()
        self._signals = 0
        self.exit_code: int = ExitCode.OK

    @property
    def is_stopping(self) -> bool:
        return self._stopping.is_set()

    async def stopping(self) -> None:
        """Wait until the program is asked to end."""
        await self._stopping.wait()

    def stop(self, reason: str) -> None:
        """Ask the program to drain and end. Only the first call counts."""
        if not self.is_stopping:
            _log.info("stopping", extra={"reason": reason})
            self._stopping.set()

    def interrupt(self, number: int) -> None:
        """What a signal does: the first drains, the second cancels, the third ends the process."""
        self._signals += 1
        if self._signals == 1:
            self.stop(signal.Signals(number).name)
        elif self._signals == 2:
            _log.warning("second signal, ending at once", extra={"signal": signal.Signals(number).name})
            self.exit_code = 128 + number
            self._stopping.set()
            self._forced.set()
        else:
            os._exit(128 + number)

    async def forced(self) -> None:
        await self._forced.wait()


Service = Callable[[Lifetime], Awaitable[None]]
"""Runs until `lifetime.stopping()`, then drains and returns. Being cancelled must be as safe as losing power."""


def serve(
    *services: Service, drain_limit: timedelta, loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None
) -> int:
    """Run the program until its end and return the exit code; `loop_factory` may be `uvloop.new_event_loop`.

    The program ends when one service returns: a server that is gone is no reason to keep the others.
    """
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(_main(services, drain_limit))


async def _main(services: tuple[Service, ...], drain_limit: timedelta) -> int:
    lifetime, loop = Lifetime(), asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, lifetime.interrupt, number)
    try:
        await run(*services, lifetime=lifetime, drain_limit=drain_limit)
    except BaseExceptionGroup as group:
        if group.split(Exception)[1] is not None:
            raise
        _log.error("a service failed", exc_info=group)
        return ExitCode.FAILED
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)  # closing uvloop's loop would leave them, asyncio's would not
    return lifetime.exit_code


async def run(*services: Service, lifetime: Lifetime, drain_limit: timedelta) -> None:
    """The same inside a running loop and without signals. A service's exception comes out as an exception group."""
    left = _Countdown(len(services))

    async def supervised(service: Service) -> None:
        try:
            await service(lifetime)
        finally:
            left.down()
        lifetime.stop(f"{_name(service)} ended")

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(supervised(service), name=_name(service)) for service in services]
        await lifetime.stopping()
        if not await _drained(left, lifetime, drain_limit):
            for task in tasks:
                task.cancel()


async def _drained(left: "_Countdown", lifetime: Lifetime, limit: timedelta) -> bool:
    """False when the limit was reached or a second signal came first."""
    try:
        async with asyncio.timeout(limit.total_seconds()):
            return await _first(left.reached(), lifetime.forced())
    except TimeoutError:
        _log.warning("drain limit reached, cutting off what still runs", extra={"limit_s": limit.total_seconds()})
        lifetime.exit_code = ExitCode.UNDRAINED
        return False


async def _first(wanted: Coroutine[object, object, object], other: Coroutine[object, object, object]) -> bool:
    """Whether `wanted` ended first; whichever did not is cancelled."""
    async with asyncio.TaskGroup() as group:
        tasks = group.create_task(wanted), group.create_task(other)
        ended = asyncio.Event()
        for task in tasks:
            task.add_done_callback(lambda _: ended.set())
        await ended.wait()
        won = tasks[0].done()
        for task in tasks:
            task.cancel()
    return won


class _Countdown:
    def __init__(self, number: int) -> None:
        self._number = number
        self._zero = asyncio.Event()
        if number == 0:
            self._zero.set()

    def down(self) -> None:
        self._number -= 1
        if self._number == 0:
            self._zero.set()

    async def reached(self) -> None:
        await self._zero.wait()


def _name(service: Service) -> str:
    return getattr(service, "__qualname__", type(service).__qualname__)
