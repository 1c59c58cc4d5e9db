"""One stream from its beginning to its end, and the pauses until the next."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Final

from google.protobuf.message import DecodeError

from holdfast._connection import Connection
from holdfast._stream import Disconnected, Stream
from holdfast.errors import HoldfastError
from holdfast_kit.backoff import Backoff

_CAP: Final = timedelta(seconds=1)  # a sidecar beside us is back within a second of a crash, and asking costs nothing
_TURNS_MAX: Final = 4
_SAY_AGAIN: Final = 80  # failures between two lines in the log: one or two a minute while a sidecar is away

Next = Callable[[], Awaitable[bytes | None]]


async def talk(stream: Stream, next_frame: Next, take: Callable[[bytes], bool]) -> None:
    """Writes what `next_frame` gives, until that is None, and hands each frame that arrives to `take`, until that says
    True or the stream ends.

    Raises Disconnected, or what `take` raised.
    """
    ended: Exception | None = None
    async with asyncio.TaskGroup() as group:
        writer = group.create_task(_write_all(stream, next_frame))
        try:
            while (data := await stream.read()) is not None and not take(data):
                pass
        except DecodeError as error:
            ended = Disconnected(f"a frame that cannot be read: {error}; use an SDK and a sidecar of the same release")
        except (Disconnected, HoldfastError) as error:
            ended = error  # raised below: out of the group it would come wrapped
        finally:
            stream.cancel()
        writer.cancel()
    if ended is not None:
        raise ended


async def settled(gathered: Callable[[], int]) -> None:
    """Until a turn of the loop adds nothing more, or some have: what arrived together is answered together. A frame has
    its price, at the sidecar too."""
    for _ in range(_TURNS_MAX):
        before = gathered()
        await asyncio.sleep(0)
        if gathered() == before:
            return


async def _write_all(stream: Stream, next_frame: Next) -> None:
    with suppress(Disconnected):
        while (data := await next_frame()) is not None:
            await stream.write(data)
        await stream.done_writing()


class Reconnecting:
    """Waits between attempts, longer each time, and says so: once when it begins, then rarely."""

    def __init__(self, connection: Connection, log: logging.Logger) -> None:
        self._connection = connection
        self._log = log
        self._backoff = Backoff(connection.ids.random(), base=timedelta(milliseconds=100), cap=_CAP)
        self._is_away = False

    def succeeded(self) -> None:
        """The sidecar speaks to us."""
        self._backoff.reset()
        if self._is_away:
            self._is_away = False
            self._log.info("connected to the sidecar at %s again", self._connection.target)

    def failed(self, reason: object) -> None:
        failures = self._backoff.failures
        self._is_away = True
        if failures in (0, 3) or failures % _SAY_AGAIN == 0:
            self._log.warning(
                "no sidecar at %s (%s), trying again; is `holdfast dev` running?", self._connection.target, reason
            )

    async def pause(self) -> None:
        await self._connection.pause(self._backoff.next())
