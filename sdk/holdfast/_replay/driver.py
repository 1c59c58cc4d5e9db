"""The coroutines around a workflow's code, from its beginning to its end.

They are never compiled: where a run waits is read from the frames of its coroutines, and what is compiled has none.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Generator
from typing import Any, Protocol, TypeVar

from holdfast.errors import Evicted, NotAllowedInWorkflow

T = TypeVar("T")


class Life(Protocol):
    """What the code of a run is made of, and what is told of its end."""

    def begin(self, payload: str | None, /) -> Any:
        """The coroutine or generator to run."""
        ...

    def encode(self, result: Any, /) -> str | None: ...

    def succeed(self, payload: str | None, /) -> None: ...

    def fail(self, error: BaseException, /) -> None: ...


async def live(life: Life, payload: str | None) -> None:
    try:
        script = life.begin(payload)
        result = life.encode(await (drive(script) if inspect.isgenerator(script) else script))
    except (GeneratorExit, KeyboardInterrupt, Evicted):
        raise
    except BaseException as error:  # noqa: BLE001 - whatever the user's code ends with
        life.fail(error)
    else:
        life.succeed(result)


async def drive(script: Generator[Any, Any, T]) -> T:
    """What a generator workflow yields is awaited for it, and comes back as the value of the yield."""
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
