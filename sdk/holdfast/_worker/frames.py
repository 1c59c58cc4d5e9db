"""Frames on their way up: what gathers while one is being written goes out in the next."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from holdfast._talking import settled
from holdfast_proto.v1 import worker_pb2 as pb

ITEMS_MAX: Final = 128


class Frames:
    """`first` are frames that go before all others."""

    def __init__(self, *first: pb.WorkerFrame) -> None:
        self._full = deque(first)
        self._frame = pb.WorkerFrame()
        self._items = 0
        self._turn_credits = 0
        self._activity_credits = 0
        self._wake = asyncio.Event()
        self._is_closed = False

    def item(self) -> pb.WorkerFrame:
        """The frame to put one more item into."""
        if self._items >= ITEMS_MAX:
            self._full.append(self._frame)
            self._frame = pb.WorkerFrame()
            self._items = 0
        self._items += 1
        self._wake.set()
        return self._frame

    def grant(self, *, turns: int = 0, activities: int = 0) -> None:
        """Room for so many more; travels with the next frame."""
        self._turn_credits += turns
        self._activity_credits += activities
        self._wake.set()

    def close(self) -> None:
        self._is_closed = True
        self._wake.set()

    @property
    def _has_something(self) -> bool:
        return bool(self._items or self._full or self._turn_credits or self._activity_credits)

    async def next(self) -> bytes | None:
        """The next frame as it travels; None once closed and empty."""
        while not self._has_something:
            if self._is_closed:
                return None
            self._wake.clear()
            await self._wake.wait()
        await settled(lambda: self._items + self._turn_credits + self._activity_credits)
        if self._full:
            return self._full.popleft().SerializeToString()
        frame, self._frame = self._frame, pb.WorkerFrame()
        self._items = 0
        if self._turn_credits or self._activity_credits:
            frame.credits.turns = self._turn_credits
            frame.credits.activities = self._activity_credits
            self._turn_credits = self._activity_credits = 0
        return frame.SerializeToString()
