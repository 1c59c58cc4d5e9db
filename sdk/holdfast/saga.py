"""Undoing in reverse what was done, when a later step fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeVarTuple, Unpack, overload

from holdfast.errors import CompensationFailed
from holdfast.retry import Retry

if TYPE_CHECKING:
    from holdfast.context import CallOptions, Context

Ts = TypeVarTuple("Ts")

_PATIENT: Final = Retry(attempts=10, first=1.0, cap=60.0)


class Saga:
    """Compensations of what a block of workflow code has done.

        async with ctx.saga() as saga:
            room = await ctx.call(book_room, trip)
            saga.compensate(cancel_room, room)
            await ctx.call(book_flight, trip)        # fails: cancel_room runs, then the error goes on

    They are activities, so they survive crashes like everything else, and they run when the block is left by an error
    or by cancellation, the last one first, each whether or not the one before succeeded. An instance that is terminated
    from outside runs none of them, as termination runs nothing.
    """

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._compensations: list[tuple[Any, tuple[Any, ...], dict[str, Any]]] = []

    @overload
    def compensate(self, activity: Callable[[*Ts], object], /, *args: *Ts, **options: Unpack[CallOptions]) -> None: ...
    @overload
    def compensate(self, activity: str, /, *args: Any, **options: Unpack[CallOptions]) -> None: ...
    def compensate(self, activity: Any, /, *args: Any, **options: Any) -> None:  # type: ignore[misc]  # mypy does not see that *Any takes *Ts
        """Remembers an activity to run if the block fails later. Tried ten times unless `retry` says otherwise."""
        self._compensations.append((activity, args, {"retry": _PATIENT, **options}))

    async def run_compensations(self) -> None:
        """Runs what has been remembered, the last one first, and forgets it."""
        errors: list[Exception] = []
        while self._compensations:
            activity, args, options = self._compensations.pop()
            try:
                await self._ctx.call(activity, *args, **options)
            except Exception as error:  # noqa: BLE001 - the others must still run
                errors.append(error)
        if errors:
            raise CompensationFailed(errors)

    async def __aenter__(self) -> Saga:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and (isinstance(error, (Exception, asyncio.CancelledError))):
            await self.run_compensations()
