"""Task groups whose first error comes out as itself."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import cast


@contextmanager
def ungrouped() -> Generator[None]:
    """Around a task group whose body may fail in ways that the caller acts on: that error comes out, as itself.

    When the body fails just as the task is cancelled, the group reports the failure and, before Python 3.13, forgets
    the cancellation. A caller that goes on after the failure would then never end, so the cancellation wins here.
    Children must not fail in expected ways: one that does while the group closes leaves the task marked as cancelled.
    """
    try:
        yield
    except BaseExceptionGroup as group:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError from group
        raise _first(group) from group


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return error
