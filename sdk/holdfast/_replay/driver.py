"""Generator workflows: what they yield is awaited for them, and comes back as the value of the yield."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Generator
from typing import Any, TypeVar

from holdfast.errors import NotAllowedInWorkflow

T = TypeVar("T")


async def drive(script: Generator[Any, Any, T]) -> T:
    try:
        step = next(script)
        while True:
            try:
                value = await _awaitable(step)
            except GeneratorExit:
                script.close()
                raise
            except BaseException as error:  # noqa: BLE001 - cancellation belongs to the script as well
                step = script.throw(error)
            else:
                step = script.send(value)
    except StopIteration as end:
        result: T = end.value
        return result


def _awaitable(step: object) -> Awaitable[Any]:
    if inspect.isawaitable(step):
        return step
    raise NotAllowedInWorkflow(
        f"a generator workflow yielded {type(step).__name__}: expected something to wait for; "
        "yield ctx.call(...), ctx.sleep(...), ctx.event(...), or asyncio.gather(...) of several"
    )
