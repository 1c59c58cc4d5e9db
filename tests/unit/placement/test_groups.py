"""The error of a group comes out as itself, and a cancellation is never lost to it."""

import asyncio

import pytest

from holdfast_placement.groups import ungrouped


async def fail(after: asyncio.Event) -> None:
    try:
        await after.wait()
    finally:
        raise LookupError("child")


async def body_fails() -> None:
    with ungrouped():
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.Event().wait())
            raise LookupError("body")


async def test_the_error_of_the_body_comes_out_as_itself() -> None:
    with pytest.raises(LookupError, match="body"):
        await body_fails()


async def test_a_cancellation_wins_over_an_error_that_it_causes() -> None:
    async def work() -> str:
        try:
            with ungrouped():
                async with asyncio.TaskGroup() as group:
                    group.create_task(fail(asyncio.Event()))
                    started.set()
                    await asyncio.Event().wait()
        except LookupError:
            return "went on"
        return "ended"

    started = asyncio.Event()
    async with asyncio.TaskGroup() as outer:
        task = outer.create_task(work())
        await started.wait()
        await asyncio.sleep(0)
        task.cancel()
    assert task.cancelled()
