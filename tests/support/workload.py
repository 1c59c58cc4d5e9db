"""An app with workflows of every kind, whose results can be told beforehand, and what its activities really did.

    python -m tests.support.workload 127.0.0.1:50001 JOURNAL

Every run of an activity leaves one line in the journal before it does anything, so that what a crash repeated is known.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zlib import crc32

import holdfast
from holdfast import current_activity
from holdfast.worker import Worker
from tests.support import objects

PRIME: Final = 1_000_003
SLOW_MS: Final = 300  # of one activity in eight: long enough to be killed in
_PATIENT: Final = holdfast.Retry(attempts=None, first=0.02, factor=1.5, cap=0.2)


class Declined(Exception):
    """Trying again does not help."""


class Flaw(Exception):
    """Trying again helps, sooner or later."""


def blend(value: int, salt: int) -> int:
    return (value * 31 + salt) % PRIME


def luck(*parts: object) -> int:
    """The same number for the same parts, in every process."""
    return crc32("/".join(map(str, parts)).encode())


# -- what activities leave behind --------------------------------------------------------------------------------------


class Journal:
    """Lines that a SIGKILL does not take back: each is one write to a file opened for appending."""

    def __init__(self) -> None:
        self._file = -1

    def open(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def write(self, *fields: object) -> None:
        os.write(self._file, (" ".join(map(str, fields)) + "\n").encode())


JOURNAL: Final = Journal()


def _noted() -> float:
    """Notes the run; gives how many seconds this activity takes."""
    info = current_activity()
    JOURNAL.write(time.time_ns(), info.instance_id, info.execution_id, info.seq, info.name, info.attempt)
    chance = luck(info.instance_id, info.seq)
    return (SLOW_MS if chance % 8 == 0 else chance % 20) / 1000


# -- activities --------------------------------------------------------------------------------------------------------


@holdfast.activity
async def mix(value: int, salt: int) -> int:
    await asyncio.sleep(_noted())
    return blend(value, salt)


@holdfast.activity
def mix_in_thread(value: int, salt: int) -> int:
    time.sleep(_noted())
    return blend(value, salt)


@holdfast.activity
async def mix_sometimes(value: int, salt: int) -> int:
    """Fails by its place in the history, two times in three; each try has a place of its own."""
    await asyncio.sleep(_noted() / 10)
    info = current_activity()
    if luck(info.instance_id, info.seq, "flaw") % 3:
        raise Flaw(f"try {info.seq} of {info.instance_id}")
    return blend(value, salt)


@holdfast.activity
async def decline(reason: str) -> None:
    _noted()
    raise Declined(reason)


@holdfast.activity
async def book(what: str) -> str:
    await asyncio.sleep(_noted())
    return f"{what} booked"


@holdfast.activity
async def ponder(seconds: float) -> float:
    _noted()
    await asyncio.sleep(seconds)
    return seconds


@holdfast.activity
async def cancel(what: str) -> None:
    _noted()


# -- workflows ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sum:
    seed: int
    count: int
    depth: int = 0


@dataclass(frozen=True)
class Report:
    seed: int
    to: str


@dataclass(frozen=True)
class Round:
    number: int
    last: int
    total: int


@holdfast.workflow
async def chain(ctx: holdfast.Context, order: Sum) -> int:
    value = order.seed
    for salt in range(order.count):
        value = await (ctx.call(mix_in_thread, value, salt) if salt % 3 == 2 else ctx.call(mix, value, salt))
    return value


@holdfast.workflow
async def fan(ctx: holdfast.Context, order: Sum) -> int:
    return sum(await asyncio.gather(*(ctx.call(mix, order.seed, salt) for salt in range(order.count))))


@holdfast.workflow
async def slow(ctx: holdfast.Context, seconds: list[float]) -> float:
    """One that runs alone, and several at once."""
    return await ctx.call(ponder, seconds[0]) + sum(
        await asyncio.gather(*(ctx.call(ponder, each) for each in seconds[1:]))
    )


@holdfast.workflow
async def family(ctx: holdfast.Context, order: Sum) -> int:
    """Children, and children of children."""
    if order.depth == 0:
        return await ctx.call(mix, order.seed, order.count)
    below = [Sum(order.seed + number, order.count, order.depth - 1) for number in range(order.count)]
    return sum(await asyncio.gather(*(ctx.child(family, each) for each in below)))


@holdfast.workflow
async def leaf(ctx: holdfast.Context, report: Report) -> int:
    """Started by nobody that waits for it; tells its result by an event."""
    value = await ctx.call(mix, report.seed, 7)
    ctx.send_event(report.to, "report", value)
    return value


@holdfast.workflow
async def scatter(ctx: holdfast.Context, order: Sum) -> list[int]:
    for number in range(order.count):
        ctx.start_detached(leaf, Report(order.seed + number, ctx.instance_id), id=f"{ctx.instance_id}.leaf{number}")
    return sorted([await ctx.event("report", int) for _ in range(order.count)])


@holdfast.workflow
async def leave(ctx: holdfast.Context, order: Sum) -> str:
    """Ends at once; what it started in its last breath lives on."""
    for number in range(order.count):
        ctx.start_detached(chain, Sum(order.seed + number, 2), id=f"{ctx.instance_id}.left{number}")
    return "gone"


@holdfast.workflow
async def sleepy(ctx: holdfast.Context, naps_ms: list[int]) -> int:
    """Timers one after the other, side by side, and some that are called off."""
    for nap in naps_ms:
        await asyncio.sleep(nap / 1000)
    await asyncio.gather(*(ctx.sleep(nap / 1000) for nap in naps_ms))
    missed = 0
    for _ in naps_ms:
        try:
            async with asyncio.timeout(0.05):
                await ctx.event("never")
        except TimeoutError:
            missed += 1
    async with asyncio.timeout(3600):
        await ctx.sleep(0.01)
    return missed


@holdfast.workflow
async def listener(ctx: holdfast.Context, count: int) -> list[int]:
    return [await ctx.event("number", int) for _ in range(count)]


@holdfast.workflow
async def crowd(ctx: holdfast.Context, count: int) -> list[int]:
    return sorted([await ctx.event("number", int) for _ in range(count)])


@holdfast.workflow
async def rounds(ctx: holdfast.Context, now: Round) -> int:
    """An event, an activity and a timer in each generation."""
    value = await ctx.event("number", int)
    total = await ctx.call(mix, now.total, value)
    await ctx.sleep(0.02)
    if now.number == now.last:
        return total
    ctx.continue_as_new(Round(now.number + 1, now.last, total))


@holdfast.workflow
async def flaky(ctx: holdfast.Context, order: Sum) -> int:
    value = order.seed
    for salt in range(order.count):
        value = await ctx.call(mix_sometimes, value, salt, retry=_PATIENT)
    return value


@holdfast.workflow
async def trip(ctx: holdfast.Context, places: list[str]) -> list[str]:
    """A saga: what was booked is cancelled when the end of it is declined."""
    booked = list[str]()
    try:
        async with ctx.saga() as saga:
            for place in places:
                booked.append(await ctx.call(book, place))
                saga.compensate(cancel, place)
            await ctx.call(decline, "no money", retry=holdfast.Retry(attempts=3, non_retryable=[Declined]))
    except holdfast.ActivityFailed as error:
        return [*booked, error.kind]
    return booked


@holdfast.workflow
async def teller(ctx: holdfast.Context, steps: int) -> str:
    """Says how far it is."""
    for step in range(steps):
        ctx.set_status({"step": step})
        await ctx.call(mix, step, step)
    ctx.set_status({"step": steps})
    return f"{steps} steps"


@holdfast.workflow
async def hoard(ctx: holdfast.Context, text: str) -> int:
    """Takes room."""
    await ctx.call(mix, len(text), 1)
    return len(text)


@holdfast.workflow
async def failing(ctx: holdfast.Context, reason: str) -> None:
    await ctx.call(mix, 1, 1)
    raise Declined(reason)


@holdfast.workflow
async def endless(ctx: holdfast.Context, depth: int) -> None:
    """Waits for what never comes; so do its children."""
    below = [ctx.child(endless, depth - 1, id=f"{ctx.instance_id}.{number}") for number in range(2)] if depth else []
    await ctx.event("never")
    await asyncio.gather(*below)


@holdfast.workflow
async def racing(ctx: holdfast.Context, order: Sum) -> int:
    """The first of several counts; the others are called off while they run."""
    calls = [ctx.call(mix, order.seed, 5) for _ in range(order.count)]
    await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
    for call in calls:
        call.cancel()
    return await ctx.call(mix, order.seed, 6)


# -- the app -----------------------------------------------------------------------------------------------------------


async def work(address: str) -> None:
    await Worker(sys.modules[__name__], objects, address=address, drain_limit=5.0).run()


def main(arguments: Sequence[str]) -> None:
    address, journal = arguments
    JOURNAL.open(Path(journal))
    asyncio.run(work(address))


if __name__ == "__main__":
    main(sys.argv[1:])
