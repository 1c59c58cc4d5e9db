"""An app as a process: `holdfast worker tests.integration.sdk.shop`. What its activities did is in the file JOURNAL."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import holdfast
from holdfast import Context, Retry


def note(line: str) -> None:
    with Path(os.environ["JOURNAL"]).open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")


def noted() -> list[str]:
    path = Path(os.environ["JOURNAL"])
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


@holdfast.activity
async def book(what: str) -> str:
    note(f"book {what}")
    if what == "nothing":
        raise ValueError("nothing to book")
    return f"{what} booked"


@holdfast.activity
async def cancel(what: str) -> None:
    note(f"cancel {what}")


@holdfast.activity
async def hang_once(name: str) -> str:
    """The first run never ends; whoever kills the process gets the second."""
    note(f"hang {name}")
    if noted().count(f"hang {name}") == 1:
        await asyncio.Event().wait()
    return f"{name} done"


@holdfast.activity
async def work(seconds: float) -> str:
    note(f"begin {seconds}")
    await asyncio.sleep(seconds)
    note(f"end {seconds}")
    return "worked"


@holdfast.activity
def work_in_thread(seconds: float) -> str:
    note(f"begin {seconds}")
    time.sleep(seconds)
    note(f"end {seconds}")
    return "worked"


@holdfast.workflow
async def trip(ctx: Context, parts: list[str]) -> str:
    """Waits for a word before each part after the first."""
    async with ctx.saga() as saga:
        for number, part in enumerate(parts):
            if number:
                ctx.set_status(f"before {part}")
                await ctx.event("go on")
            saga.compensate(cancel, await ctx.call(book, part))
    return "bon voyage"


@holdfast.workflow
async def hang(ctx: Context, name: str) -> str:
    return await ctx.call(hang_once, name, retry=Retry(attempts=2, first=0.01))


@holdfast.workflow
async def works(ctx: Context, seconds: float) -> str:
    return await ctx.call(work, seconds)


@holdfast.workflow
async def works_in_thread(ctx: Context, seconds: float) -> str:
    return await ctx.call(work_in_thread, seconds)


app = [trip, hang, works, works_in_thread, book, cancel, hang_once, work, work_in_thread]
