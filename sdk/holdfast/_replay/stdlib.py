"""Where asyncio itself is not repeatable, and what is done about it.

Four places of the standard library depend on addresses or on the Python version:

* `wait`, `as_completed` and `TaskGroup` keep futures (as_completed even bare coroutines) in sets. Those modules get
  their own name `set`, which on a replay loop makes sets that iterate in order of insertion.
* `gather` makes its result of a private class that hashes by address. On a replay loop its hash is a number.
* `wait_for` runs what it waits for in a task of its own before Python 3.12, and in the caller since. On a replay loop
  it always does as 3.12 does, or a history made by one version could not be replayed by the other.
* `Condition.wait` hands a notification that came together with a cancellation to the next waiter since 3.13, and
  loses it before. On a replay loop it is always handed on.

All of them ask for the running loop first and leave every other loop alone. A name in the module, and code under the
old function, reach those who wrote `from asyncio import wait_for` before this module was loaded; replacing the
functions would not.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio import events, taskgroups, tasks
from collections.abc import Awaitable, Callable, Iterable
from types import FunctionType
from typing import Any, Literal, TypeVar, cast

from holdfast._replay.ordered import OrderedSet

T = TypeVar("T")


class Repeatable:
    """What a loop must be to get repeatable sets. A mark, so that this module need not know the loop."""

    __slots__ = ()

    def next_hash(self) -> int:
        raise NotImplementedError


def _is_repeatable() -> bool:
    return isinstance(events._get_running_loop(), Repeatable)


def _make_set(items: Iterable[T] = ()) -> Any:
    """Stands where asyncio says `set`. What it only iterates may hold coroutines, which no order but insertion fits."""
    return OrderedSet(items) if _is_repeatable() else set(items)


_names_of_tasks: dict[str, Any] = tasks.__dict__
_names_of_taskgroups: dict[str, Any] = taskgroups.__dict__
_Gathering: Any = _names_of_tasks["_GatheringFuture"]


class _GatheringFuture(_Gathering):  # type: ignore[misc]  # a class that typeshed does not know
    __slots__ = ("_number",)

    def __init__(self, children: Any, *, loop: Any) -> None:
        super().__init__(children, loop=loop)
        self._number = loop.next_hash() if isinstance(loop, Repeatable) else id(self)

    def __hash__(self) -> int:
        return self._number


async def _wait_for_inline(awaitable: Awaitable[T], timeout: float | None) -> T:
    if timeout is not None and timeout <= 0:
        return await _result_now(asyncio.ensure_future(awaitable))
    async with asyncio.timeout(timeout):
        return await awaitable


async def _result_now(future: asyncio.Future[T]) -> T:
    if not future.done():
        future.cancel()
        await asyncio.wait([future])
    try:
        return future.result()
    except asyncio.CancelledError as error:
        raise TimeoutError from error


def _dispatching(original: Callable[..., Awaitable[Any]]) -> Callable[[Any, Any], Awaitable[Any]]:
    async def wait_for(awaitable: Any, timeout: float | None) -> Any:
        chosen = _wait_for_inline if _is_repeatable() else original
        return await chosen(awaitable, timeout)

    return wait_for


async def _wait_for_code(fut: Any, timeout: Any) -> Any:
    return await _holdfast_wait_for(fut, timeout)  # type: ignore[name-defined]  # noqa: F821  # set by install()


def _replace_wait_for() -> None:
    function = cast("FunctionType", tasks.wait_for)
    original = FunctionType(function.__code__, function.__globals__, function.__name__)
    _names_of_tasks["_holdfast_wait_for"] = _dispatching(original)
    function.__code__ = cast("FunctionType", _wait_for_code).__code__


def _hand_notifications_on() -> None:
    original = asyncio.Condition.wait

    async def wait(self: asyncio.Condition) -> Literal[True]:
        if not self.locked():
            return await original(self)  # raises
        try:
            return await original(self)
        except BaseException:
            if _is_repeatable():
                self.notify(1)
            raise

    wait.__doc__ = original.__doc__
    asyncio.Condition.wait = wait  # type: ignore[method-assign]


def install() -> None:
    """Makes asyncio repeatable on replay loops. Doing it again changes nothing."""
    if _names_of_tasks.get("set") is _make_set:
        return
    _names_of_tasks["set"] = _make_set
    _names_of_taskgroups["set"] = _make_set
    _names_of_tasks["_GatheringFuture"] = _GatheringFuture
    if sys.version_info < (3, 12):
        _replace_wait_for()
    if sys.version_info < (3, 13):
        _hand_notifications_on()
